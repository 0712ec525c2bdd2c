//! The growing buffer beside a growing `Vec`.

use std::hint::black_box;

use iov_iter::file::SizedBuffer;

use crate::harness::{Mode, Suite};
use crate::memory::{Memory, Random, slice};

const CHUNK: usize = 4096;
const MIB: usize = 1 << 20;

/// Appending to one large buffer, beside the same bytes in buffers of 1 MiB: is the cost of a byte
/// the same however large the buffer is?
///
/// All sides leave the cache and take fresh pages from the system.
pub fn append(suite: &mut Suite) {
    suite.group("growing a sized buffer by 4096");
    let data = Memory::new(16 * CHUNK);
    // SAFETY: nothing writes the data while it is in use.
    let bytes = unsafe { slice(data.part(0, data.len())) };
    let sizes: &[usize] = match suite.mode {
        Mode::Test => &[4],
        Mode::Measure { full: true, .. } => &[16, 64, 256, 1024],
        Mode::Measure { .. } | Mode::Repeat { .. } | Mode::Count => &[16, 64, 256],
    };
    for size in sizes {
        let Some(case) = suite.case(format!("to {size} MiB")) else { continue };
        let size = size * MIB;
        let ours = |len: usize| {
            let mut buffer = SizedBuffer::new();
            for chunk in black_box(bytes).chunks_exact(CHUNK).cycle().take(len / CHUNK) {
                buffer.append(chunk).unwrap();
            }
            buffer
        };
        case.bytes(size)
            .of_limit(1.15)
            .of_alternative(1.1)
            .in_readme(size == 256 * MIB)
            .ours(|| black_box(ours(size)).len() as u64)
            .limit("the same in buffers of 1 MiB", || {
                let buffers: Vec<SizedBuffer> = (0..size / MIB).map(|_| ours(MIB)).collect();
                black_box(&buffers).iter().map(|buffer| buffer.len() as u64).sum()
            })
            .alternative("Vec", || {
                let mut buffer = Vec::new();
                for chunk in black_box(bytes).chunks_exact(CHUNK).cycle().take(size / CHUNK) {
                    buffer.extend_from_slice(chunk);
                }
                black_box(&buffer).len() as u64
            })
            .finish(suite);
    }
}

/// Cutting bytes off the end.
pub fn cut(suite: &mut Suite) {
    suite.group("cutting a sized buffer");
    let Some(case) = suite.case("by one byte, 4096 times") else { return };
    let full = [7; CHUNK];
    let (mut buffer, mut vec) = (SizedBuffer::new(), Vec::new());
    case.per(CHUNK, "call")
        .ours(|| {
            buffer.append(black_box(&full)).unwrap();
            for len in (0..CHUNK).rev() {
                black_box(&mut buffer).set_len(len).unwrap();
            }
            CHUNK as u64
        })
        .limit("Vec", || {
            vec.extend_from_slice(black_box(&full));
            for len in (0..CHUNK).rev() {
                black_box(&mut vec).truncate(len);
            }
            CHUNK as u64
        })
        .finish(suite);
}

/// Reading small parts from anywhere.
pub fn read(suite: &mut Suite) {
    const READS: usize = 4096;
    suite.group("reading 64 bytes at random");
    for size in [1, 64] {
        let Some(case) = suite.case(format!("from {size} MiB")) else { continue };
        let size = size * MIB;
        let flat: Vec<u8> = (0..size).map(|at| (at / 64) as u8).collect();
        let buffer = SizedBuffer::from_slice(&flat).unwrap();
        let mut random = Random(1);
        let places: Vec<usize> = (0..READS).map(|_| random.next() as usize % (size - 64)).collect();
        case.per(READS, "read")
            .in_readme(size == 64 * MIB)
            .of_limit(1.3)
            .ours(|| {
                let (mut sum, mut into) = (0, [0; 64]);
                for at in black_box(&places) {
                    buffer.read_at(*at, &mut into);
                    sum += u64::from(black_box(&into)[63]);
                }
                sum
            })
            .limit("Vec", || {
                let (mut sum, mut into) = (0, [0; 64]);
                for at in black_box(&places) {
                    into.copy_from_slice(&flat[*at..][..64]);
                    sum += u64::from(black_box(&into)[63]);
                }
                sum
            })
            .finish(suite);
    }
}
