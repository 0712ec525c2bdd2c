//! Views of requests: peeling bytes off either end, and small accesses, beside loops by hand that stop
//! as early as they can.

use std::hint::black_box;

use iov_iter::iov::View;
use iov_iter::segment::Position;
use iov_iter::{Cursor, IovIter, KVec, Source};

use super::layouts::Layout;
use crate::harness::Suite;
use crate::memory::{Memory, Part, kvecs, slice_mut};

/// The length of each segment of a request.
const LEN: usize = 1024;

/// What a view consists of, by hand.
#[derive(Clone, Copy)]
struct Hand<'p> {
    parts: &'p [Part],
    /// Index and offset of the first byte, and of the first one after the last.
    front: (usize, usize),
    back: (usize, usize),
}

impl<'p> Hand<'p> {
    const fn new(parts: &'p [Part]) -> Self {
        Self { parts, front: (0, 0), back: (parts.len(), 0) }
    }

    /// Takes bytes off the front, or all that are left, and tells how many.
    fn discard_front(&mut self, n: usize) -> usize {
        let (mut index, mut offset) = self.front;
        let mut left = n;
        while index < self.back.0 {
            let rest = self.parts[index].len - offset;
            if left < rest {
                self.front = (index, offset + left);
                return n;
            }
            left -= rest;
            (index, offset) = (index + 1, 0);
        }
        let last = left.min(self.back.1 - offset);
        self.front = (index, offset + last);
        n - left + last
    }

    /// Takes bytes off the back, or all that are left, and tells how many.
    fn discard_back(&mut self, n: usize) -> usize {
        let (mut index, mut offset) = self.back;
        let mut left = n;
        while index > self.front.0 {
            if left <= offset {
                self.back = (index, offset - left);
                return n;
            }
            left -= offset;
            index -= 1;
            offset = self.parts[index].len;
        }
        let last = left.min(offset - self.front.1);
        self.back = (index, offset - last);
        n - left + last
    }

    /// Undoes what was done since `then`, in any order; false for one of another vector.
    fn undo(&mut self, then: Self) -> bool {
        let same = std::ptr::eq(self.parts, then.parts);
        if same {
            self.front = self.front.min(then.front);
            self.back = self.back.max(then.back);
        }
        same
    }
}

/// Copies bytes from `offset` into the segment `index` on, until the buffer is full.
fn gather(parts: &[Part], index: usize, mut offset: usize, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    for part in &parts[index..] {
        if offset >= part.len {
            offset -= part.len;
            continue;
        }
        let len = (part.len - offset).min(buffer.len() - filled);
        let into = &mut buffer[filled..][..len];
        // SAFETY: the part has so many bytes after the offset, and the buffer is other memory.
        unsafe { into.as_mut_ptr().copy_from_nonoverlapping(part.base.add(offset), len) };
        (filled, offset) = (filled + len, 0);
        if filled == buffer.len() {
            break;
        }
    }
    filled
}

/// A header off the front, a status byte off the back, and undoing it; half of a long request.
///
/// By hand, too, what is taken is cut to what is left and counted, and a token may come back in any order.
pub fn peel(suite: &mut Suite) {
    suite.group("peeling a view");
    for count in [1, 16, 256] {
        let layout = Layout::even(count, LEN);
        let parts = &layout.lists[0].parts[..];
        // SAFETY: here and below: the memory lives in the layout, and nothing writes it.
        let segments = unsafe { kvecs::<Source>(parts) };
        let case = |name: &str| {
            let case = suite.case(format!("{name} of {count}"));
            case.map(|case| case.of_limit(1.1))
        };
        let front = case("12 bytes off the front");
        let back = case("1 byte off the back");
        let undone = case("both, undone by tokens,");
        let copied = case("both, undone by a copy,");
        if let Some(case) = front {
            case.ours(|| {
                let mut view = View::new(black_box(segments));
                let taken = view.discard_front(black_box(12));
                black_box(&view);
                taken as u64
            })
            .limit("by hand", || {
                let mut hand = Hand::new(black_box(parts));
                let taken = hand.discard_front(black_box(12));
                black_box(&hand);
                taken as u64
            })
            .finish(suite);
        }
        if let Some(case) = back {
            case.ours(|| {
                let mut view = View::new(black_box(segments));
                let taken = view.discard_back(black_box(1));
                black_box(&view);
                taken as u64
            })
            .limit("by hand", || {
                let mut hand = Hand::new(black_box(parts));
                let taken = hand.discard_back(black_box(1));
                black_box(&hand);
                taken as u64
            })
            .finish(suite);
        }
        if let Some(case) = undone {
            let mut view = View::new(segments);
            let mut hand = Hand::new(parts);
            case.ours(|| {
                let view = black_box(&mut view);
                let front = view.discard_front_undoable(black_box(12));
                let back = view.discard_back_undoable(black_box(1));
                black_box(&*view);
                view.undo(back).unwrap();
                view.undo(front).unwrap();
                0
            })
            .limit("by hand", || {
                let hand = black_box(&mut hand);
                let front = *hand;
                hand.discard_front(black_box(12));
                let back = *hand;
                hand.discard_back(black_box(1));
                black_box(&*hand);
                assert!(hand.undo(back) && hand.undo(front));
                0
            })
            .finish(suite);
        }
        if let Some(case) = copied {
            let mut view = View::new(segments);
            let mut hand = Hand::new(parts);
            case.ours(|| {
                let view = black_box(&mut view);
                let before = *view;
                view.discard_front(black_box(12));
                view.discard_back(black_box(1));
                black_box(&*view);
                *view = before;
                0
            })
            .limit("by hand", || {
                let hand = black_box(&mut hand);
                let before = *hand;
                hand.discard_front(black_box(12));
                hand.discard_back(black_box(1));
                black_box(&*hand);
                *hand = before;
                0
            })
            .finish(suite);
        }
    }
    let layout = Layout::even(1024, LEN);
    let parts = &layout.lists[0].parts[..];
    let Some(case) = suite.case("half of 1024 off the front, undone") else { return };
    // SAFETY: as above.
    let mut view = View::new(unsafe { kvecs::<Source>(parts) });
    let mut hand = Hand::new(parts);
    case.of_limit(1.1)
        .per(512, "segment")
        .ours(|| {
            let view = black_box(&mut view);
            let undo = view.discard_front_undoable(black_box(512 * LEN));
            let taken = undo.discarded();
            black_box(&*view);
            view.undo(undo).unwrap();
            taken as u64
        })
        .limit("by hand", || {
            let hand = black_box(&mut hand);
            let before = *hand;
            let taken = hand.discard_front(black_box(512 * LEN));
            black_box(&*hand);
            assert!(hand.undo(before));
            taken as u64
        })
        .finish(suite);
}

/// What devices read of their requests: by a view, by a cursor over a range, by one that is resumed.
pub fn access(suite: &mut Suite) {
    suite.group("reading a request");
    for (name, count, index, offset, len) in [
        ("44 bytes at 0 of 64", 64, 0, 0, 44),
        ("2 bytes at 10 of 64", 64, 0, 10, 2),
        ("the last 44 bytes of 64", 64, 63, LEN - 44, 44),
        ("all of 16", 16, 0, 0, 16 * LEN),
    ] {
        let layout = Layout::even(count, LEN);
        let start = Position::new(0, index * LEN + offset);
        let read = Read { name, parts: &layout.lists[0].parts, start, len };
        read.case(suite, "by a view", |segments, start, buffer| {
            View::new(segments).read_at(start.offset, buffer).unwrap_or(0)
        });
        read.case(suite, "by a cursor", |segments, start, buffer| {
            let cursor = Cursor::range(segments, start.offset, buffer.len());
            cursor.map_or(0, |cursor| IovIter::<Source>::from(cursor).copy_from_iter(buffer))
        });
        let read = Read { start: Position::new(index, offset), ..read };
        read.case(suite, "by a resumed cursor", |segments, start, buffer| {
            let cursor = Cursor::resumed(segments, start, buffer.len());
            cursor.map_or(0, |cursor| IovIter::<Source>::from(cursor).copy_from_iter(buffer))
        });
    }
}

/// `len` bytes of a request, from a place on. By hand, any number of segments before it are skipped.
struct Read<'r> {
    name: &'r str,
    parts: &'r [Part],
    start: Position,
    len: usize,
}

impl Read<'_> {
    fn case(
        &self,
        suite: &mut Suite,
        how: &str,
        ours: impl Fn(&[KVec<'_, Source>], Position, &mut [u8]) -> usize,
    ) {
        let Some(case) = suite.case(format!("{}, {how}", self.name)) else { return };
        let output = Memory::new(self.len);
        let into = output.part(0, self.len);
        case.of_limit(1.1)
            .output(&output)
            .ours(|| {
                // SAFETY: as for peeling; here and below: nothing else uses the bytes meanwhile.
                let (segments, buffer) =
                    unsafe { (kvecs(black_box(self.parts)), slice_mut(black_box(into))) };
                ours(segments, black_box(self.start), buffer) as u64
            })
            .limit("by hand", || {
                let Position { index, offset, .. } = black_box(self.start);
                // SAFETY: as above.
                let buffer = unsafe { slice_mut(black_box(into)) };
                gather(black_box(self.parts), index, offset, buffer) as u64
            })
            .finish(suite);
    }
}
