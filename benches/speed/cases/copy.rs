//! Copies between a buffer and segments of addressable memory.

use std::hint::black_box;
use std::io::{Read, Write};

use buf_list::Cursor as BufCursor;
use bytes::Buf;
use iov_iter::{Dest, IovIter, Source, copy_iter_to_iter};

use super::layouts::{self, Layout, List};
use crate::harness::{Case, Suite};
use crate::memory::{
    Part, buf_list, io_slices, io_slices_mut, kvecs, slice, slice_mut, total, volatile_slices,
};

/// How much slower than the bare loop a copy may be, by the length of its segments.
///
/// For a single short one, a call with its checks weighs as much as the copy; it has only to be no slower
/// than the alternatives.
fn copies_within<'c>(case: Case<'c>, layout: &Layout) -> Case<'c> {
    match (layout.len, layout.count) {
        (1..=255, 1) | (256..=4095, 1) => case,
        (256.., _) => case.of_limit(1.05),
        (64, _) => case.of_limit(1.1),
        (16, _) => case.of_limit(0.6),
        _ => case,
    }
}

/// Runs on every list, and adds up what was moved.
pub fn every(lists: &[List], mut run: impl FnMut(&List) -> usize) -> u64 {
    lists.iter().map(|list| run(black_box(list)) as u64).sum()
}

/// The bare loop: from each of the parts to the buffer.
///
/// # Safety
///
/// The buffer is as long as all parts, and neither is accessed otherwise meanwhile.
#[inline(always)]
pub unsafe fn gather_parts(parts: &[Part], mut to: *mut u8) {
    for part in parts {
        // SAFETY: as the caller promises.
        unsafe { to.copy_from_nonoverlapping(part.base, part.len) };
        to = to.wrapping_add(part.len);
    }
}

/// The bare loop: from the buffer to each of the parts.
///
/// # Safety
///
/// As for [`gather_parts`].
#[inline(always)]
pub unsafe fn scatter_parts(parts: &[Part], mut from: *const u8) {
    for part in parts {
        // SAFETY: as the caller promises.
        unsafe { part.base.copy_from_nonoverlapping(from, part.len) };
        from = from.wrapping_add(part.len);
    }
}

fn in_readme(layout: &Layout) -> bool {
    matches!(layout.name.as_str(), "16 x 4096" | "1024 x 64" | "1024 x 16")
        || layout.name.starts_with("64 x 1501")
}

/// Out of the segments, into a buffer.
pub fn gather(suite: &mut Suite) {
    suite.group("copy out of segments");
    layouts::each(suite, |suite, layout| {
        let Some(case) = suite.case(&layout.name) else { return };
        let lists = &layout.lists;
        let volatile: Vec<_> =
            lists.iter().map(|list| (volatile_slices(&list.parts), list.flat)).collect();
        let chunks: Vec<_> = lists.iter().map(|list| buf_list(&list.parts)).collect();
        // SAFETY: here and below: the memory lives in the layout, no reference into it outlives its
        // closure, and only one closure runs at a time.
        let iters: Vec<_> = lists
            .iter()
            .map(|list| (IovIter::<Source>::from(unsafe { kvecs(&list.parts) }), list.flat))
            .collect();
        let case = copies_within(case, layout)
            .bytes(layout.total())
            .in_readme(in_readme(layout))
            .output(&layout.flat)
            .ours(|| {
                let mut moved = 0;
                for (iter, flat) in black_box(&iters) {
                    // SAFETY: as above.
                    moved += iter.clone().copy_from_iter(unsafe { slice_mut(*flat) }) as u64;
                }
                moved
            })
            .limit("loop of memcpy", || {
                every(lists, |list| {
                    // SAFETY: as above.
                    unsafe { gather_parts(&list.parts, list.flat.base) };
                    list.flat.len
                })
            })
            .alternative("std write_vectored", || {
                every(lists, |list| {
                    // SAFETY: as above.
                    let (slices, mut buffer) =
                        unsafe { (io_slices(&list.parts), slice_mut(list.flat)) };
                    buffer.write_vectored(slices).unwrap()
                })
            })
            .alternative("vm-memory", || {
                let mut moved = 0;
                for (slices, flat) in black_box(&volatile) {
                    // SAFETY: as above.
                    let buffer = unsafe { slice_mut(*flat) };
                    let mut at = 0;
                    for slice in slices {
                        at += slice.copy_to(&mut buffer[at..]);
                    }
                    moved += at as u64;
                }
                moved
            });
        let case = match lists.as_slice() {
            [List { parts, flat }] if parts.len() == 2 => {
                case.alternative("bytes chain", move || {
                    let parts = black_box(parts);
                    // SAFETY: as above.
                    let (first, second, buffer) =
                        unsafe { (slice(parts[0]), slice(parts[1]), slice_mut(*flat)) };
                    Buf::chain(first, second).copy_to_slice(buffer);
                    buffer.len() as u64
                })
            }
            _ => case.alternative("buf-list", || {
                let mut moved = 0;
                for (list, chunks) in lists.iter().zip(black_box(&chunks)) {
                    // SAFETY: as above.
                    let buffer = unsafe { slice_mut(list.flat) };
                    BufCursor::new(chunks).read_exact(buffer).unwrap();
                    moved += buffer.len() as u64;
                }
                moved
            }),
        };
        case.finish(suite);
    });
}

/// Out of a buffer, into the segments.
pub fn scatter(suite: &mut Suite) {
    suite.group("copy into segments");
    layouts::each(suite, |suite, layout| {
        let Some(case) = suite.case(&layout.name) else { return };
        let lists = &layout.lists;
        let volatile: Vec<_> =
            lists.iter().map(|list| (volatile_slices(&list.parts), list.flat)).collect();
        // SAFETY: as for `gather`.
        let iters: Vec<_> = lists
            .iter()
            .map(|list| (IovIter::<Dest>::from(unsafe { kvecs(&list.parts) }), list.flat))
            .collect();
        let mut own: Vec<_> = lists.iter().map(|list| (list.parts.clone(), list.flat)).collect();
        copies_within(case, layout)
            .bytes(layout.total())
            .in_readme(in_readme(layout))
            .output(&layout.scattered)
            .ours(|| {
                let mut moved = 0;
                for (iter, flat) in black_box(&iters) {
                    // SAFETY: as for `gather`.
                    moved += iter.clone().copy_to_iter(unsafe { slice(*flat) }) as u64;
                }
                moved
            })
            .limit("loop of memcpy", || {
                every(lists, |list| {
                    // SAFETY: as for `gather`.
                    unsafe { scatter_parts(&list.parts, list.flat.base) };
                    list.flat.len
                })
            })
            .alternative("std read_vectored", || {
                let mut moved = 0;
                for (parts, flat) in black_box(&mut own) {
                    // SAFETY: as for `gather`.
                    let (slices, mut buffer) = unsafe { (io_slices_mut(parts), slice(*flat)) };
                    moved += buffer.read_vectored(slices).unwrap() as u64;
                }
                moved
            })
            .alternative("vm-memory", || {
                let mut moved = 0;
                for (slices, flat) in black_box(&volatile) {
                    // SAFETY: as for `gather`.
                    let buffer = unsafe { slice(*flat) };
                    let mut at = 0;
                    for slice in slices {
                        slice.copy_from(&buffer[at..]);
                        at += slice.len();
                    }
                    moved += at as u64;
                }
                moved
            })
            .finish(suite);
    });
}

/// Many small calls of one iterator.
pub fn calls(suite: &mut Suite) {
    const WORD: usize = 8;
    let layout = Layout::even(1024, 64);
    let list = &layout.lists[0];
    let words: Vec<Part> = list
        .parts
        .iter()
        .flat_map(|part| {
            (0..part.len)
                .step_by(WORD)
                .map(|at| Part { base: part.base.wrapping_add(at), len: WORD })
        })
        .collect();
    let calls = words.len();
    suite.group("8 bytes a call, 64-byte segments");
    if let Some(case) = suite.case("out of segments") {
        let chunks = buf_list(&list.parts);
        // SAFETY: as for `gather`.
        let iter = IovIter::<Source>::from(unsafe { kvecs(&list.parts) });
        case.per(calls, "call")
            .in_readme(true)
            .within(2.0)
            .output(&layout.flat)
            .ours(|| {
                // SAFETY: as for `gather`.
                let words = unsafe { slice_mut(list.flat) }.chunks_exact_mut(WORD);
                let mut iter = black_box(&iter).clone();
                words.map(|word| iter.copy_from_iter(word) as u64).sum()
            })
            .limit("loop of memcpy", || {
                let words = black_box(&words);
                // SAFETY: as for `gather`.
                unsafe { gather_parts(words, list.flat.base) };
                total(&list.parts) as u64
            })
            .alternative("buf-list", || {
                // SAFETY: as for `gather`.
                let buffer = unsafe { slice_mut(list.flat) };
                let mut cursor = BufCursor::new(black_box(&chunks));
                let words = buffer.chunks_exact_mut(WORD);
                words
                    .map(|word| {
                        cursor.read_exact(word).unwrap();
                        WORD as u64
                    })
                    .sum()
            })
            .finish(suite);
    }
    if let Some(case) = suite.case("into segments") {
        // SAFETY: as for `gather`.
        let iter = IovIter::<Dest>::from(unsafe { kvecs(&list.parts) });
        case.per(calls, "call")
            .within(2.0)
            .output(&layout.scattered)
            .ours(|| {
                // SAFETY: as for `gather`.
                let words = unsafe { slice(list.flat) }.chunks_exact(WORD);
                let mut iter = black_box(&iter).clone();
                words.map(|word| iter.copy_to_iter(word) as u64).sum()
            })
            .limit("loop of memcpy", || {
                let words = black_box(&words);
                // SAFETY: as for `gather`.
                unsafe { scatter_parts(words, list.flat.base) };
                total(&list.parts) as u64
            })
            .finish(suite);
    }
}

/// From segments to segments.
pub fn between(suite: &mut Suite) {
    suite.group("copy from segments to segments");
    for (from, to) in [((64, 1500), (24, 4096)), ((16, 4096), (16, 4096)), ((1024, 64), (683, 96))]
    {
        let name = format!("{} x {} to {} x {}", from.0, from.1, to.0, to.1);
        let Some(case) = suite.case(name) else { continue };
        let (from, to) = (Layout::even(from.0, from.1), Layout::even(to.0, to.1));
        let (parts, into) = (&from.lists[0].parts, &to.lists[0].parts);
        let len = total(parts).min(total(into));
        let pairs = pairs(parts, into);
        // SAFETY: as for `gather`.
        let (source, destination) = unsafe { (kvecs(parts), kvecs(into)) };
        let (source, destination) =
            (IovIter::<Source>::from(source), IovIter::<Dest>::from(destination));
        // Without a target: the limit is spared what the case is about, to match both lists.
        case.bytes(len)
            .output(&to.scattered)
            .ours(|| {
                let (from, to) = black_box((&source, &destination));
                let (mut from, mut to) = (from.clone(), to.clone());
                copy_iter_to_iter(&mut from, &mut to, len) as u64
            })
            .limit("loop of memcpy", || {
                for (from, to) in black_box(&pairs) {
                    // SAFETY: both are as long as the first says.
                    unsafe { to.copy_from_nonoverlapping(from.base, from.len) };
                }
                len as u64
            })
            .finish(suite);
    }
}

/// What a copy between two lists consists of.
fn pairs(from: &[Part], to: &[Part]) -> Vec<(Part, *mut u8)> {
    let mut pairs = Vec::new();
    let (mut sources, mut destinations) = (from.iter().copied(), to.iter().copied());
    let (mut source, mut destination) = (sources.next(), destinations.next());
    while let (Some(from), Some(to)) = (source, destination) {
        let len = from.len.min(to.len);
        pairs.push((Part { len, ..from }, to.base));
        let after = |part: Part| {
            let rest = Part { base: part.base.wrapping_add(len), len: part.len - len };
            Some(rest).filter(|rest| rest.len > 0)
        };
        source = after(from).or_else(|| sources.next());
        destination = after(to).or_else(|| destinations.next());
    }
    pairs
}
