//! The body of the fuzz target over mapped memory: what is accepted has its bitmaps and its pages
//! within the file, none over another, and converted it is the same memory.

use std::sync::LazyLock;

use vmstate::{Failure, Options, find_start};

use super::collect::{Collector, Memory};
use super::fuzz::change;
use super::peak::peak;
use super::{Builder, Bytes, inspect_with, read_into, to_ordinary};

/// Good files.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let files = vec![file(0, false), file(0, true), file(5000, false)];
    for file in &files {
        let result = inspect_with(file, Options::default()).1;
        assert!(result.as_ref().is_ok_and(|text| text.contains("mapped-ram")), "{result:?}");
    }
    files
});

/// Two blocks with pages of 1 KiB, the second one after a gap; between them one that is shared, and so
/// not in the file. The stream begins at `start`.
fn file(start: usize, shared: bool) -> Vec<u8> {
    let capabilities: &[&[u8]] =
        if shared { &[b"x-ignore-shared", b"mapped-ram"] } else { &[b"mapped-ram"] };
    let stream = Builder::machine(b"none").byte(5).name(b"configuration/capabilities").be32(1);
    let stream = stream.be32(capabilities.len() as u32);
    let stream = capabilities.iter().fold(stream, |stream, name| stream.name(name));
    let total = 0x1800 + if shared { 0x1000 } else { 0 };
    let stream = stream.byte(1).be32(42).name(b"ram").be32(0).be32(4).be64(total | 4);
    let entry = |stream: Builder, name, length| {
        let stream = stream.name(name).be64(length);
        if shared { stream.be64(0) } else { stream }
    };
    let block = |stream: Builder, name, length: u64, bits: u8, gap: usize| {
        let stream = entry(stream, name, length).be32(1).be64(1024);
        let bitmap = start + stream.0.len() + 16;
        let pages = (bitmap + 8).next_multiple_of(1024) + gap;
        let mut stream = stream.be64(bitmap as u64).be64(pages as u64).bytes(&[bits]);
        stream.0.resize(pages - start, 0);
        let contents: Vec<u8> = (0..length).map(|at| (at / 3 + 1) as u8).collect();
        stream.bytes(&contents)
    };
    let mut stream = block(stream, b"a", 0x1000, 0b1010, 0);
    if shared {
        stream = entry(stream, b"s", 0x1000).be32(1).be64(1024).be64(0).be64(0);
    }
    let stream = block(stream, b"b", 0x800, 0b11, 1024).be64(0x10).footer(42);
    let stream = stream.byte(3).be32(42).be64(0x10).footer(42).byte(0);
    [&vec![0; start][..], &stream.0].concat()
}

/// What the file has at the places that the header tells.
fn memory(file: &[u8], collected: &Collector) -> Memory {
    let mut memory = Memory::new();
    let mut regions = Vec::new();
    for (name, mapped) in &collected.mapped {
        let at = |offset: u64| usize::try_from(offset).unwrap();
        let (page_size, pages) = (at(mapped.page_size), at(mapped.pages));
        let count = at(mapped.length) / page_size;
        let bitmap = at(mapped.bitmap)..at(mapped.bitmap) + count.div_ceil(8);
        regions.extend([bitmap.clone(), pages..pages + count * page_size]);
        for page in 0..count {
            let bytes = &file[pages + page * page_size..][..page_size];
            let bit = file[bitmap.clone()][page / 8] >> (page % 8) & 1;
            if bit == 1 && bytes.iter().any(|byte| *byte != 0) {
                memory.insert((name.clone(), (page * page_size) as u64), bytes.to_vec());
            }
        }
    }
    regions.sort_by_key(|region| (region.start, region.end));
    assert!(regions.windows(2).all(|pair| pair[0].end <= pair[1].start), "{regions:?}");
    memory
}

pub fn check(input: &[u8]) {
    let Some((which, mut edits)) = input.split_first() else { return };
    let Some(mut file) = GOOD.get(usize::from(*which)).cloned() else { return };
    while let Some((&[kind, low, high, value], rest)) = edits.split_first_chunk() {
        edits = rest;
        change(&mut file, kind, usize::from(u16::from_le_bytes([low, high])), value);
    }
    let ((_, result), used) = peak(|| inspect_with(&file, Options::default()));
    let most = (300 << 10) + 40 * file.len();
    assert!(used < most, "{used} bytes to inspect {}", file.len());
    let converted = to_ordinary(&file, &[]);
    match (&result, &converted) {
        (Ok(_), Ok(ordinary)) => {
            let (mut here, mut there) = (Collector::default(), Collector::default());
            read_into(&file, &[], &mut here).unwrap();
            read_into(ordinary, &[], &mut there).unwrap();
            assert_eq!(here.blocks, there.blocks);
            if here.mapped.is_empty() {
                assert!(here.memory == there.memory);
            } else {
                assert!(memory(&file, &here) == there.memory);
            }
        }
        (Err(failure), Err(other)) => {
            assert_eq!(failure.to_string(), other.to_string());
            let Failure::Damaged { offset, .. } = failure else { panic!("{failure}") };
            let start = find_start(&mut Bytes::new(&file)).unwrap();
            assert!(*offset <= start.max(file.len() as u64), "{failure}");
        }
        (result, converted) => panic!("{result:?}, but converted {converted:?}"),
    }
}
