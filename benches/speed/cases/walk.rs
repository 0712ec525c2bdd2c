//! Moving and asking without copying.

use std::hint::black_box;
use std::io::IoSlice;

use iov_iter::iov::View;
use iov_iter::{IovIter, Source};

use super::layouts::Layout;
use crate::harness::Suite;
use crate::memory::{PAGE, Part, io_slices, kvecs, slice};

const COUNT: usize = 1024;

/// The bare walk over `n` bytes: the segment that it ends in, and the offset there.
fn walk(parts: &[Part], mut n: usize) -> (usize, usize) {
    for (index, part) in parts.iter().enumerate() {
        if n < part.len {
            return (index, n);
        }
        n -= part.len;
    }
    (parts.len(), n)
}

/// Forward, back, and to a place deep inside.
pub fn moving(suite: &mut Suite) {
    let layout = Layout::even(COUNT, 64);
    let parts = &layout.lists[0].parts;
    // SAFETY: here and below: the memory lives in the layout, and nothing writes it.
    let segments = unsafe { kvecs(parts) };
    let all = layout.total();
    // Not the end itself, which could be reached without a walk.
    let most = all - 64;
    let start = IovIter::<Source>::from(segments);
    let mut end = start.clone();
    end.advance(all);

    suite.group("moving over 1024 segments");
    if let Some(case) = suite.case("advance to the last one") {
        case.per(COUNT, "segment")
            .in_readme(true)
            .within(1.0)
            .ours(|| {
                let mut iter = black_box(&start).clone();
                let advanced = iter.advance(black_box(most));
                // Without this the place would never be looked for.
                black_box(&iter);
                advanced as u64
            })
            .limit("bare walk", || {
                let (index, rest) = walk(black_box(parts), black_box(most));
                (index * 64 + rest) as u64
            })
            .alternative("std advance_slices", || {
                let mut list = parts.clone();
                let list = black_box(&mut list[..]);
                // SAFETY: as above; `IoSlice` is laid out as `Part`.
                let mut slices = unsafe {
                    std::slice::from_raw_parts_mut(list.as_mut_ptr().cast::<IoSlice>(), COUNT)
                };
                IoSlice::advance_slices(&mut slices, black_box(most));
                (all - slices.iter().map(|slice| slice.len()).sum::<usize>()) as u64
            })
            .finish(suite);
    }
    if let Some(case) = suite.case("revert to the second") {
        case.per(COUNT, "segment")
            .within(1.0)
            .ours(|| {
                let mut iter = black_box(&end).clone();
                iter.revert(black_box(most)).unwrap();
                black_box(&iter).remaining() as u64
            })
            .limit("bare walk", || {
                let mut left = black_box(most);
                for part in black_box(parts).iter().rev() {
                    if left < part.len {
                        break;
                    }
                    left -= part.len;
                }
                (most - left) as u64
            })
            .finish(suite);
    }
    let view = View::new(segments);
    let deep = all - 64 * 3;
    if let Some(case) = suite.case("16 bytes from segment 1021 of a view") {
        case.per(COUNT, "segment")
            .within(1.0)
            .ours(|| {
                let mut header = [0; 16];
                black_box(&view).read_at(black_box(deep), &mut header).unwrap();
                first_word(&header)
            })
            .limit("bare walk", || {
                let parts = black_box(parts);
                let (index, offset) = walk(parts, black_box(deep));
                let mut header = [0; 16];
                // SAFETY: as above.
                header.copy_from_slice(unsafe { &slice(parts[index])[offset..][..16] });
                first_word(&header)
            })
            .alternative("std IoSlice, by hand", || {
                // SAFETY: as above.
                let slices = unsafe { io_slices(black_box(parts)) };
                let mut skip = black_box(deep);
                let mut header = [0; 16];
                for slice in slices {
                    if let Some(bytes) = slice.get(skip..).filter(|bytes| !bytes.is_empty()) {
                        header.copy_from_slice(&bytes[..16]);
                        break;
                    }
                    skip -= slice.len();
                }
                first_word(&header)
            })
            .finish(suite);
    }

    suite.group("moving inside one segment");
    let one = Layout::even(1, 65536);
    let parts = &one.lists[0].parts;
    // SAFETY: as above.
    let start = IovIter::<Source>::from(unsafe { kvecs(parts) });
    if let Some(case) = suite.case("advance by 16, 1024 times") {
        case.per(1024, "call")
            .within(2.0)
            .ours(|| {
                let mut iter = black_box(&start).clone();
                for _ in 0..1024 {
                    iter.advance(black_box(16));
                }
                (one.total() - black_box(&iter).remaining()) as u64
            })
            .limit("addition", || {
                let (mut at, len) = (0, black_box(&parts[0]).len);
                for _ in 0..1024 {
                    at += black_box(16).min(len - at);
                }
                at as u64
            })
            .alternative("std slice", || {
                // SAFETY: as above.
                let mut rest = unsafe { slice(*black_box(&parts[0])) };
                for _ in 0..1024 {
                    rest = &rest[black_box(16)..];
                }
                (one.total() - rest.len()) as u64
            })
            .finish(suite);
    }
    if let Some(case) = suite.case("advance by 16 and revert, 1024 times") {
        case.per(1024, "pair")
            .within(2.0)
            .ours(|| {
                let mut iter = black_box(&start).clone();
                for _ in 0..1024 {
                    iter.advance(black_box(16));
                    iter.revert(black_box(16)).unwrap();
                }
                (one.total() - black_box(&iter).remaining()) as u64
            })
            .limit("addition", || {
                let (mut at, len) = (0, black_box(&parts[0]).len);
                for _ in 0..1024 {
                    at += black_box(16).min(len - at);
                    at -= black_box(16).min(at);
                }
                at as u64
            })
            .finish(suite);
    }
}

fn first_word(bytes: &[u8; 16]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word))
}

/// What a driver asks before it maps memory for a device.
pub fn queries(suite: &mut Suite) {
    for (group, count, len) in
        [("asking about 1024 segments", COUNT, 64), ("asking about one segment", 1, 65536)]
    {
        suite.group(group);
        let layout = Layout::even(count, len);
        let parts = &layout.lists[0].parts;
        // SAFETY: as for moving.
        let iter = IovIter::<Source>::from(unsafe { kvecs(parts) });
        let within = if count == 1 { 2.0 } else { 1.0 };
        if let Some(case) = suite.case("npages") {
            case.per(count, "segment")
                .within(within)
                .ours(|| black_box(&iter).npages(usize::MAX) as u64)
                .limit("bare walk", || {
                    let mut pages = 0;
                    for part in black_box(parts) {
                        let start = part.base as usize;
                        pages += (start + part.len).div_ceil(PAGE) - start / PAGE;
                    }
                    pages as u64
                })
                .finish(suite);
        }
        if let Some(case) = suite.case("alignment") {
            case.per(count, "segment")
                .within(within)
                .ours(|| black_box(&iter).alignment() as u64)
                .limit("bare walk", || {
                    let parts = black_box(parts);
                    parts.iter().fold(0, |all, part| all | part.base as usize | part.len) as u64
                })
                .finish(suite);
        }
        if let Some(case) = suite.case("is_aligned") {
            case.per(count, "segment")
                .within(within)
                .ours(|| u64::from(black_box(&iter).is_aligned(black_box(3), black_box(3))))
                .limit("bare walk", || {
                    let parts = black_box(parts);
                    let mask = black_box(3);
                    let aligned =
                        parts.iter().all(|part| (part.base as usize | part.len) & mask == 0);
                    u64::from(aligned)
                })
                .finish(suite);
        }
        if let Some(case) = suite.case("making the iterator") {
            case.per(count, "segment")
                .within(within)
                .ours(|| {
                    // SAFETY: as for moving.
                    let segments = unsafe { kvecs(black_box(parts)) };
                    black_box(IovIter::<Source>::from(segments)).remaining() as u64
                })
                .limit("sum of the lengths", || {
                    black_box(parts).iter().map(|part| part.len as u64).sum()
                })
                .finish(suite);
        }
    }
}
