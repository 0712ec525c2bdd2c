//! Memory that is not simply there: of users and guests, and of pages.

use std::hint::black_box;

use iov_iter::{Abi, BioVec, Checksum, Dest, InlineVec, IoVec, IovIter, Source};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use super::vectors::sum_of_words;
use crate::harness::Suite;
use crate::hosts::{Flat, Machine, Mapped};
use crate::memory::{Memory, PAGE, Part, iovecs, slice, slice_mut, total, volatile_slices};

/// Through a host whose user memory is one flat piece, beside the memory of a guest.
pub fn user_memory(suite: &mut Suite) {
    for (group, out) in [("copy out of user memory", true), ("copy into user memory", false)] {
        suite.group(group);
        for (count, len) in [(1024, 16), (1024, 64), (64, 1500), (16, 4096), (256, 4096)] {
            let Some(case) = suite.case(format!("{count} x {len}")) else { continue };
            let memory = Memory::new(count * (len + 64));
            let (guest, host) = (memory.guest(), Flat::new(&memory));
            let parts: Vec<Part> =
                (0..count).map(|number| memory.part(number * (len + 64), len)).collect();
            let (list, flat) = (iovecs(&parts, memory.at(0)), Memory::new(count * len));
            let buffer = flat.part(0, flat.len());
            let case = case.bytes(flat.len()).in_readme(out && len == 64);
            let case = match len {
                64 => case.of_limit(1.1),
                1500.. => case.of_limit(1.1),
                _ => case,
            };
            if out {
                let iter = IovIter::<Source, Machine>::iovec(host, &list, flat.len()).unwrap();
                case.output(&flat)
                    .ours(|| {
                        // SAFETY: here and below: the memory outlives the case, no reference into
                        // it its closure, and only one closure runs at a time.
                        let buffer = unsafe { slice_mut(buffer) };
                        black_box(&iter).clone().copy_from_iter(buffer) as u64
                    })
                    .limit("loop of memcpy", || {
                        let mut to = buffer.base;
                        for part in black_box(&parts) {
                            // SAFETY: the buffer is as long as all parts.
                            unsafe { to.copy_from_nonoverlapping(part.base, part.len) };
                            to = to.wrapping_add(part.len);
                        }
                        buffer.len as u64
                    })
                    .alternative("vm-memory", || {
                        // SAFETY: as above.
                        let mut rest = unsafe { slice_mut(buffer) };
                        for segment in black_box(&list) {
                            let (front, after) = rest.split_at_mut(segment.len);
                            guest.read_slice(front, GuestAddress(segment.base as u64)).unwrap();
                            rest = after;
                        }
                        buffer.len as u64
                    })
                    .finish(suite);
            } else {
                let iter = IovIter::<Dest, Machine>::iovec(host, &list, flat.len()).unwrap();
                case.output(&memory)
                    .ours(|| {
                        // SAFETY: as above.
                        let bytes = unsafe { slice(buffer) };
                        black_box(&iter).clone().copy_to_iter(bytes) as u64
                    })
                    .limit("loop of memcpy", || {
                        let mut from = buffer.base;
                        for part in black_box(&parts) {
                            // SAFETY: the buffer is as long as all parts.
                            unsafe { part.base.copy_from_nonoverlapping(from, part.len) };
                            from = from.wrapping_add(part.len);
                        }
                        buffer.len as u64
                    })
                    .alternative("vm-memory", || {
                        // SAFETY: as above.
                        let mut rest = unsafe { slice(buffer) };
                        for segment in black_box(&list) {
                            let (front, after) = rest.split_at(segment.len);
                            guest.write_slice(front, GuestAddress(segment.base as u64)).unwrap();
                            rest = after;
                        }
                        buffer.len as u64
                    })
                    .finish(suite);
            }
        }
    }
}

/// Summing what comes from user memory.
pub fn checksum(suite: &mut Suite) {
    suite.group("checksum while copying out of user memory");
    for len in [40, 256, 512, 1500] {
        let Some(case) = suite.case(format!("1 x {len}")) else { continue };
        let (memory, flat) = (Memory::new(len), Memory::new(len));
        let (part, buffer) = (memory.part(0, len), flat.part(0, len));
        let list = iovecs(&[part], memory.at(0));
        let iter = IovIter::<Source, Machine>::iovec(Flat::new(&memory), &list, len).unwrap();
        case.bytes(len)
            .output(&flat)
            .ours(|| {
                let mut sum = Checksum::new();
                // SAFETY: as above.
                let buffer = unsafe { slice_mut(buffer) };
                let moved = black_box(&iter).clone().csum_and_copy_from_iter(buffer, &mut sum);
                black_box(sum.folded());
                moved as u64
            })
            .limit("plain copy", || {
                // SAFETY: as above.
                black_box(&iter).clone().copy_from_iter(unsafe { slice_mut(buffer) }) as u64
            })
            .alternative("memcpy, then sum", || {
                // SAFETY: as above.
                let (from, to) = unsafe { (slice(*black_box(&part)), slice_mut(buffer)) };
                to.copy_from_slice(from);
                black_box(sum_of_words(to));
                to.len() as u64
            })
            .finish(suite);
    }
}

/// Through pages that are mapped already.
pub fn pages(suite: &mut Suite) {
    // Segments, length, pages of each run, offset in it.
    let shapes: [(usize, usize, usize, usize); 4] =
        [(1024, 64, 1, 256), (64, 1500, 1, 2048), (64, 4096, 1, 0), (64, 6000, 4, 3000)];
    for (group, out) in [("copy out of pages", true), ("copy into pages", false)] {
        suite.group(group);
        for (count, len, run, offset) in shapes {
            let crosses = if offset + len > PAGE { ", across pages" } else { "" };
            let Some(case) = suite.case(format!("{count} x {len}{crosses}")) else { continue };
            // So many runs that short segments do not all fall into the same cache sets.
            let runs = count.min(64);
            let memory = Memory::new(runs * run * PAGE);
            let place = |number: usize| {
                (number % runs * run, (offset + number / runs * 2 * len) % (run * PAGE))
            };
            let list: Vec<BioVec<Mapped>> = (0..count)
                .map(|number| {
                    let (first, offset) = place(number);
                    let page = Mapped::new(&memory, first, run);
                    BioVec::new(page, offset as u32, len as u32).unwrap()
                })
                .collect();
            let parts: Vec<Part> = (0..count)
                .map(|number| {
                    let (first, offset) = place(number);
                    memory.part(first * PAGE + offset, len)
                })
                .collect();
            let flat = Memory::new(total(&parts));
            let buffer = flat.part(0, flat.len());
            let volatile = volatile_slices(&parts);
            let case = case.bytes(flat.len()).in_readme(out && len == 4096);
            let case = match len {
                64 => case.of_limit(1.3),
                4096.. => case.of_limit(1.1),
                _ => case,
            };
            if out {
                let iter = IovIter::<Source, Machine>::bvec(&list, flat.len()).unwrap();
                case.output(&flat)
                    .ours(|| {
                        // SAFETY: as for user memory.
                        let buffer = unsafe { slice_mut(buffer) };
                        black_box(&iter).clone().copy_from_iter(buffer) as u64
                    })
                    .limit("loop of memcpy", || {
                        let mut to = buffer.base;
                        for part in black_box(&parts) {
                            // SAFETY: the buffer is as long as all parts.
                            unsafe { to.copy_from_nonoverlapping(part.base, part.len) };
                            to = to.wrapping_add(part.len);
                        }
                        buffer.len as u64
                    })
                    .alternative("vm-memory", || {
                        // SAFETY: as for user memory.
                        let buffer = unsafe { slice_mut(buffer) };
                        let mut at = 0;
                        for slice in black_box(&volatile) {
                            at += slice.copy_to(&mut buffer[at..]);
                        }
                        at as u64
                    })
                    .finish(suite);
            } else {
                let iter = IovIter::<Dest, Machine>::bvec(&list, flat.len()).unwrap();
                case.output(&memory)
                    .ours(|| {
                        // SAFETY: as for user memory.
                        let buffer = unsafe { slice(buffer) };
                        black_box(&iter).clone().copy_to_iter(buffer) as u64
                    })
                    .limit("loop of memcpy", || {
                        let mut from = buffer.base;
                        for part in black_box(&parts) {
                            // SAFETY: the buffer is as long as all parts.
                            unsafe { part.base.copy_from_nonoverlapping(from, part.len) };
                            from = from.wrapping_add(part.len);
                        }
                        buffer.len as u64
                    })
                    .alternative("vm-memory", || {
                        // SAFETY: as for user memory.
                        let buffer = unsafe { slice(buffer) };
                        let mut at = 0;
                        for slice in black_box(&volatile) {
                            slice.copy_from(&buffer[at..]);
                            at += slice.len();
                        }
                        at as u64
                    })
                    .finish(suite);
            }
        }
    }
}

/// Arrays of segments that user space names.
pub fn import(suite: &mut Suite) {
    suite.group("import of an iovec array");
    for count in [8, 1024] {
        let Some(case) = suite.case(format!("{count} segments")) else { continue };
        let memory = Memory::new(1 << 20);
        let (guest, host) = (memory.guest(), Flat::new(&memory));
        for number in 0..count {
            let segment = [number * 512, 512usize];
            let bytes = segment.map(usize::to_ne_bytes).concat();
            guest.write_slice(&bytes, GuestAddress((4096 + number * 16) as u64)).unwrap();
        }
        let mut storage = InlineVec::<IoVec, 8>::new();
        let mut space = Vec::<IoVec>::with_capacity(count);
        let mut others = Vec::with_capacity(count);
        case.per(count, "segment")
            .ours(|| {
                storage.clear();
                let (count, storage) = (black_box(count), &mut storage);
                let iter = IovIter::<Source, Machine>::import_iovec(
                    host,
                    4096,
                    count,
                    Abi::Native,
                    storage,
                );
                iter.unwrap().remaining() as u64
            })
            .limit("memcpy and check", || {
                // SAFETY: the array lies there, and there is room for it.
                unsafe {
                    let array = memory.at(4096).cast::<IoVec>();
                    space.as_mut_ptr().copy_from_nonoverlapping(array, black_box(count));
                    space.set_len(count);
                }
                let mut total = 0;
                for segment in &space {
                    let end = segment.base.checked_add(segment.len);
                    assert!(
                        segment.len <= isize::MAX as usize
                            && end.is_some_and(|end| end <= memory.len())
                    );
                    total += segment.len;
                }
                total as u64
            })
            .alternative("vm-memory, Vec", || {
                others.clear();
                let mut total = 0;
                for number in 0..black_box(count) {
                    let at = GuestAddress((4096 + number * 16) as u64);
                    let [base, len]: [u64; 2] = guest.read_obj(at).unwrap();
                    others.push(guest.get_slice(GuestAddress(base), len as usize).unwrap());
                    total += len;
                }
                black_box(&others);
                total
            })
            .finish(suite);
    }
}
