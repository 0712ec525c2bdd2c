//! Looking at whole vectors, filling them, summing them up and building them.

use std::hint::black_box;
use std::io::IoSlice;

use iov_iter::iov::{IoVector, View};
use iov_iter::{Checksum, Dest, IovIter, KVec, Source};

use super::layouts::Layout;
use crate::harness::Suite;
use crate::memory::{Part, io_slices, io_slices_mut, kvecs, slice, slice_mut};

/// Setting every byte to one value.
pub fn fill(suite: &mut Suite) {
    for (group, value) in [("zero", 0), ("fill", 7)] {
        suite.group(group);
        for (count, len) in [(1024, 16), (1024, 64), (1024, 256), (64, 1500), (16, 4096)] {
            let Some(case) = suite.case(format!("{count} x {len}")) else { continue };
            let layout = Layout::even(count, len);
            let parts = &layout.lists[0].parts;
            let mut own = parts.clone();
            // SAFETY: here and below: the memory outlives the case, no reference into it its
            // closure, and only one closure runs at a time.
            let segments = unsafe { kvecs::<Dest>(parts) };
            let (iter, view) = (IovIter::<Dest>::from(segments), View::new(segments));
            case.bytes(layout.total())
                .of_limit(match len {
                    256.. => 1.05,
                    64 => 1.1,
                    _ => 0.6,
                })
                .output(&layout.scattered)
                .ours(|| {
                    let count = layout.total();
                    match value {
                        0 => black_box(&iter).clone().zero(count) as u64,
                        _ => black_box(&view).fill_at(0, value, count).unwrap() as u64,
                    }
                })
                .limit("loop of memset", || {
                    for part in black_box(parts) {
                        // SAFETY: the part is that long.
                        unsafe { part.base.write_bytes(value, part.len) };
                    }
                    layout.total() as u64
                })
                .alternative("std slices", || {
                    // SAFETY: as above.
                    let slices = unsafe { io_slices_mut(black_box(&mut own)) };
                    slices.iter_mut().for_each(|slice| slice.fill(value));
                    layout.total() as u64
                })
                .finish(suite);
        }
    }
}

/// Reading every byte once.
fn wide_or(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |all, byte| all | byte)
}

/// Reading every byte of both once.
fn wide_xor(left: &[u8], right: &[u8]) -> u8 {
    left.iter().zip(right).fold(0, |all, (left, right)| all | (left ^ right))
}

/// Whether all is zero, and where two vectors differ.
pub fn look(suite: &mut Suite) {
    let shapes = [(1024, 16), (1024, 64), (1024, 256), (64, 1500), (16, 4096), (1, 65536)];
    let within = |len| match len {
        256.. => Some(1.2),
        16 => Some(2.0),
        _ => None,
    };
    suite.group("is all zero?");
    for (count, len) in shapes {
        let Some(mut case) = suite.case(format!("{count} x {len}")) else { continue };
        let layout = Layout::even(count, len);
        layout.scattered.fill(0);
        let parts = &layout.lists[0].parts;
        // SAFETY: as for filling.
        let view = View::new(unsafe { kvecs(parts) });
        if let Some(ratio) = within(len) {
            case = case.of_limit(ratio);
        }
        case.bytes(layout.total())
            .in_readme(len == 4096)
            .ours(|| u64::from(black_box(view).is_zero()))
            .limit("read everything", || {
                let mut all = 0;
                for part in black_box(parts) {
                    // SAFETY: as for filling.
                    all |= wide_or(unsafe { slice(*part) });
                }
                u64::from(all == 0)
            })
            .alternative("std all", || {
                // SAFETY: as for filling.
                let slices = unsafe { io_slices(black_box(parts)) };
                u64::from(slices.iter().all(|slice| slice.iter().all(|byte| *byte == 0)))
            })
            .finish(suite);
    }
    suite.group("are two vectors equal?");
    for (count, len) in shapes {
        let Some(mut case) = suite.case(format!("{count} x {len}")) else { continue };
        // The same numbers: equal lengths have equal contents.
        let (one, other) = (Layout::even(count, len), Layout::even(count, len));
        let (left, right) = (&one.lists[0].parts, &other.lists[0].parts);
        // SAFETY: as for filling.
        let views = [left, right].map(|parts| View::new(unsafe { kvecs(parts) }));
        if let Some(ratio) = within(len) {
            case = case.of_limit(ratio);
        }
        case.bytes(one.total())
            .ours(|| {
                let [left, right] = black_box(views);
                u64::from(left.compare(&right) == Ok(None))
            })
            .limit("read everything", || {
                let mut all = 0;
                for (left, right) in black_box(left).iter().zip(black_box(right)) {
                    // SAFETY: as for filling.
                    all |= unsafe { wide_xor(slice(*left), slice(*right)) };
                }
                u64::from(all == 0)
            })
            .alternative("std ==", || {
                // SAFETY: as for filling.
                let (left, right) =
                    unsafe { (io_slices(black_box(left)), io_slices(black_box(right))) };
                u64::from(left.iter().zip(right).all(|(left, right)| left[..] == right[..]))
            })
            .finish(suite);
    }
}

/// The Internet checksum while copying.
pub fn checksum(suite: &mut Suite) {
    suite.group("checksum while copying out");
    for (count, len) in
        [(1, 40), (1, 256), (1, 400), (4, 100), (1, 1500), (1024, 64), (64, 1500), (16, 4096)]
    {
        let Some(case) = suite.case(format!("{count} x {len}")) else { continue };
        let layout = Layout::even(count, len);
        let list = &layout.lists[0];
        // SAFETY: as for filling.
        let iter = IovIter::<Source>::from(unsafe { kvecs(&list.parts) });
        let case = if count > 1 && len >= 1500 { case.of_limit(1.67) } else { case };
        case.bytes(layout.total())
            .in_readme((count, len) == (64, 1500))
            .output(&layout.flat)
            .ours(|| {
                // SAFETY: as for filling.
                let buffer = unsafe { slice_mut(list.flat) };
                let mut sum = Checksum::new();
                let moved = black_box(&iter).clone().csum_and_copy_from_iter(buffer, &mut sum);
                black_box(sum.folded());
                moved as u64
            })
            .limit("plain copy", || {
                // SAFETY: as for filling.
                black_box(&iter).clone().copy_from_iter(unsafe { slice_mut(list.flat) }) as u64
            })
            .alternative("internet-checksum", || {
                let list = black_box(list);
                let mut sum = internet_checksum::Checksum::new();
                // SAFETY: as for filling.
                let mut rest = unsafe { slice_mut(list.flat) };
                for part in &list.parts {
                    let (front, after) = rest.split_at_mut(part.len);
                    // SAFETY: as for filling.
                    front.copy_from_slice(unsafe { slice(*part) });
                    sum.add_bytes(front);
                    rest = after;
                }
                black_box(sum.checksum());
                list.flat.len as u64
            })
            .alternative("copy, then sum", || {
                let list = black_box(list);
                // SAFETY: as for filling.
                let flat = unsafe { slice_mut(list.flat) };
                let mut rest = &mut *flat;
                for part in &list.parts {
                    let (front, after) = rest.split_at_mut(part.len);
                    // SAFETY: as for filling.
                    front.copy_from_slice(unsafe { slice(*part) });
                    rest = after;
                }
                black_box(sum_of_words(flat));
                list.flat.len as u64
            })
            .finish(suite);
    }
}

/// The sum of an Internet checksum, as a network stack would take it of a packet.
pub fn sum_of_words(bytes: &[u8]) -> u16 {
    let add = |sum: u64, word: [u8; 8]| {
        let (sum, carry) = sum.overflowing_add(u64::from_ne_bytes(word));
        sum + u64::from(carry)
    };
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let sum = add(words.iter().fold(0, |sum, word| add(sum, *word)), last);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

/// Building lists of segments, and peeling headers off them.
pub fn lists(suite: &mut Suite) {
    suite.group("building a list of descriptors");
    for count in [4, 8, 64, 256] {
        let Some(case) = suite.case(format!("{count} segments")) else { continue };
        let layout = Layout::even(count, 512);
        let parts = &layout.lists[0].parts;
        let mut space: Vec<Part> = Vec::with_capacity(count);
        case.per(count, "segment")
            .ours(|| {
                // SAFETY: as for filling.
                let segments: &[KVec<Source>] = unsafe { kvecs(black_box(parts)) };
                let mut vector = IoVector::<Source>::try_with_capacity(segments.len()).unwrap();
                for segment in segments {
                    vector.try_push(*segment).unwrap();
                }
                black_box(&vector).len() as u64
            })
            .limit("array that is there", || {
                let parts = black_box(parts);
                let mut size = 0;
                for (number, part) in parts.iter().enumerate() {
                    // SAFETY: there is room for all parts.
                    unsafe { space.as_mut_ptr().add(number).write(*part) };
                    size += part.len;
                }
                black_box(space.as_ptr());
                size as u64
            })
            .alternative("Vec of IoSlice", || {
                let parts = black_box(parts);
                let (mut list, mut size) = (Vec::with_capacity(parts.len()), 0);
                for part in parts {
                    // SAFETY: as for filling.
                    list.push(IoSlice::new(unsafe { slice(*part) }));
                    size += part.len;
                }
                black_box(&list);
                size as u64
            })
            .finish(suite);
    }
    suite.group("peeling a request");
    for count in [4, 64] {
        let name = format!("16 bytes off the front, 1 off the back of {count}, and undone");
        let Some(case) = suite.case(name) else { continue };
        let layout = Layout::even(count, 512);
        let parts = &layout.lists[0].parts;
        // SAFETY: as for filling.
        let mut view = View::new(unsafe { kvecs::<Source>(parts) });
        let mut other = parts.clone();
        let mut bare = parts.clone();
        case.per(1, "")
            .ours(|| {
                let view = black_box(&mut view);
                let front = view.discard_front_undoable(black_box(16));
                let back = view.discard_back_undoable(black_box(1));
                let left = black_box(&*view).len();
                view.undo(back).unwrap();
                view.undo(front).unwrap();
                left as u64
            })
            .limit("editing in place", || {
                let parts = black_box(&mut bare[..]);
                let [first, .., last] = parts else { return 0 };
                let before = (*first, *last);
                let peeled = black_box(16).min(first.len);
                first.base = first.base.wrapping_add(peeled);
                first.len -= peeled;
                last.len -= black_box(1).min(last.len);
                black_box(&mut *parts);
                let left = layout.total() - 17;
                let [first, .., last] = parts else { return 0 };
                (*first, *last) = before;
                left as u64
            })
            .alternative("std, on a copy", || {
                let mut copy = other.clone();
                // SAFETY: as for filling; `IoSlice` is laid out as `Part`.
                let mut slices = unsafe {
                    std::slice::from_raw_parts_mut(copy.as_mut_ptr().cast::<IoSlice>(), copy.len())
                };
                IoSlice::advance_slices(&mut slices, black_box(16));
                if let Some((last, front)) = slices.split_last_mut() {
                    // SAFETY: as for filling.
                    let bytes =
                        unsafe { slice(Part { base: last.as_ptr().cast_mut(), len: last.len() }) };
                    *last = IoSlice::new(&bytes[..bytes.len() - black_box(1)]);
                    black_box(front);
                }
                let left: usize = slices.iter().map(|slice| slice.len()).sum();
                black_box(&mut other);
                left as u64
            })
            .finish(suite);
    }
}
