//! What the crate adds to Linux: borrowed chunks, uniform buffers at constant cost, own segment
//! types, and what may cross threads.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::MutexGuard;

use crate::model::{Iter, UserSpace, at, pattern, place};
use iov_iter::{
    BioVec, Cursor, Dest, Error, HeldPage, IoVec, IovIter, IovIterDest, IovIterSource, KVec, Page,
    ScatterEntry, Segment, Source, Uniform, copy_iter_to_iter,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

/// Segments of these lengths over `bytes`, one after the other.
fn cut<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<KVec<'a, Source>> {
    let mut rest = bytes;
    let cut = |len: &usize| {
        let (now, after) = rest.split_at(*len);
        rest = after;
        KVec::from(now)
    };
    lengths.iter().map(cut).collect()
}

#[test]
fn chunks_are_the_bytes_left_segment_by_segment() {
    let bytes = pattern(20);
    let segments = cut(&bytes, &[0, 3, 0, 0, 7, 10, 0]);
    for skip in 0..=20 {
        for limit in 0..=20 {
            let mut iter = IovIter::<Source>::from(&segments[..]);
            iter.advance(skip);
            iter.truncate(limit as u64);
            let end = 20.min(skip + limit);
            let expected: Vec<_> = [0..3, 3..10, 10..20]
                .into_iter()
                .map(|range| &bytes[range.start.max(skip).min(end)..range.end.min(end).max(skip)])
                .filter(|chunk| !chunk.is_empty())
                .collect();
            let mut left = iter.chunks();
            let (least, most) = left.size_hint();
            assert!(least <= expected.len() && expected.len() <= most.unwrap());
            let chunks: Vec<_> = left.by_ref().collect();
            assert_eq!(chunks, expected);
            // Borrowed from the memory itself, and fused.
            for (chunk, expected) in chunks.iter().zip(&expected) {
                assert!(std::ptr::eq(chunk.as_ptr(), expected.as_ptr()));
            }
            assert_eq!((left.next(), left.next(), iter.remaining()), (None, None, end - skip));
            let taken: Vec<_> = core::iter::from_fn(|| iter.next_chunk()).collect();
            assert_eq!((taken, iter.remaining()), (expected, 0));
        }
    }
}

#[test]
fn chunks_of_other_memory_cannot_be_borrowed() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    assert_eq!((iter.next_chunk(), iter.remaining()), (None, 8));
}

/// A segment that counts how often it is looked at.
struct Seen<'c>(usize, &'c Cell<usize>);

impl Segment for Seen<'_> {
    fn len(&self) -> usize {
        self.1.set(self.1.get() + 1);
        self.0
    }

    fn address(&self) -> usize {
        0
    }
}

#[test]
fn registered_buffer_moves_at_constant_cost() {
    // 1 GiB of pages of 4096 bytes, were it not that Miri takes its time.
    const PAGES: usize = if cfg!(miri) { 1 << 10 } else { 1 << 18 };
    let looks = Cell::new(0);
    let segments: Vec<_> = (0..PAGES).map(|_| Seen(4096, &looks)).collect();
    let uniform = Uniform::new(&segments).unwrap();
    let total = PAGES * 4096;

    let start = Cursor::with_count(uniform, total).unwrap();
    let cost = |distance: usize| {
        let mut cursor = start;
        looks.set(0);
        assert_eq!(cursor.advance(distance), distance);
        cursor.revert(distance).unwrap();
        cursor.advance(distance);
        assert_eq!(cursor.position().index, distance / 4096);
        assert_eq!(cursor.position().offset, distance % 4096);
        looks.get()
    };
    let page = cost(4096);
    assert_eq!(page, 0, "a place is found without looking at segments");
    for distance in [0, 1, 4097, total / 2 + 5, total - 1, total] {
        assert_eq!(cost(distance), page);
    }

    // A plain list must walk.
    let mut cursor = Cursor::with_count(&segments[..], total).unwrap();
    looks.set(0);
    cursor.advance(total);
    assert!(looks.get() >= PAGES);
}

#[test]
fn a_clamped_cursor_takes_what_is_asked_or_what_there_is() {
    let segments = cut(b"scattered", &[4, 0, 5]);
    for (asked, taken) in [(0, 0), (3, 3), (4, 4), (6, 6), (9, 9), (10, 9), (usize::MAX, 9)] {
        let mut cursor = Cursor::clamped(&segments[..], asked);
        assert_eq!(cursor.remaining(), taken);
        assert_eq!(cursor.walk(usize::MAX, |range, _| range.len), taken);
    }
}

#[test]
fn a_cursor_is_refused_what_its_list_does_not_hold() {
    for segments in 0..40 {
        let list = vec![IoVec::new(0x1000, 3); segments];
        for missing in [0, 1, 2, 3, 24, 25] {
            let count = (list.len() * 3).saturating_sub(missing);
            assert!(Cursor::with_count(&list[..], count).is_ok());
        }
        for more in [1, 2, 3, 24, usize::MAX / 2] {
            let cursor = Cursor::with_count(&list[..], list.len() * 3 + more);
            assert_eq!(cursor.err(), Some(Error::CountExceedsSegments), "{segments} segments");
        }
    }
    // Together more bytes than a number can count: the sum wraps to 0.
    let list = [IoVec::new(0, 1 << (usize::BITS - 3)); 8];
    assert!(!list.iter().any(Segment::is_empty) && IoVec::new(1, 0).is_empty());
    assert_eq!(
        Cursor::with_count(&list[..], usize::MAX).map(|cursor| cursor.remaining()),
        Ok(usize::MAX)
    );
}

#[test]
fn registered_buffer_is_refused_what_it_does_not_hold() {
    let page = crate::model::TestPage::<4096>::run(2);
    let whole = BioVec::new(page.clone(), 0, 8192).unwrap();
    assert_eq!((whole.len() as usize, whole.is_empty()), (8192, false));
    let none = BioVec::new(page, 1, 0).unwrap();
    assert_eq!((none.len(), none.is_empty()), (0, true));

    let (one, other) = ([whole], [BioVec::new(crate::model::TestPage::run(2), 0, 8192).unwrap()]);
    let (one, other) = (Uniform::new(&one).unwrap(), Uniform::new(&other).unwrap());
    let refused = Iter::<Source>::uniform(one, 8193);
    assert_eq!(refused.unwrap_err(), Error::CountExceedsSegments);

    // A state of another buffer, even one of the same length, is no state of this one.
    let mut iter = Iter::<Source>::uniform(one, 4).unwrap();
    let foreign = Iter::<Source>::uniform(other, 4).unwrap().save();
    assert_eq!(iter.restore(&foreign), Err(Error::ForeignState));
    let own = iter.save();
    assert_eq!((iter.advance(3), iter.restore(&own), iter.remaining()), (3, Ok(()), 4));
}

#[test]
fn a_host_that_cannot_survive_poison_copies() {
    let mut bytes = [0; 7];
    let segments = [KVec::from(&mut bytes[..])];
    let mut iter = IovIter::<Dest>::from(&segments[..]);
    assert_eq!(iter.copy_mc_to_iter((&b"poison"[..]).into()), 6);
    assert_eq!((iter.remaining(), &bytes), (1, b"poison\0"));
}

#[test]
fn uniform_lists_are_recognised() {
    let uniform = |lengths: &[usize]| {
        let segments: Vec<_> = lengths.iter().map(|len| IoVec::new(0, *len)).collect();
        Uniform::new(&segments).is_some()
    };
    for good in
        [&[][..], &[0], &[7], &[7, 3], &[3, 7], &[0, 4], &[9, 4, 4, 4], &[1, 4, 4, 1], &[4, 4, 4]]
    {
        assert!(uniform(good), "{good:?}");
    }
    for bad in [
        &[4, 0][..],
        &[4, 4, 0],
        &[4, 4, 5],
        &[4, 4, 3, 4],
        &[4, 0, 4],
        &[0, 0],
        &[4, 3, 4],
        &[usize::MAX, 1],
        &[1, usize::MAX],
        &[1, usize::MAX / 2, usize::MAX / 2, 1, 1],
    ] {
        assert!(!uniform(bad), "{bad:?}");
    }
}

#[test]
fn transfer_between_hosts() {
    // Source and destination may belong to different hosts, with different page sizes.
    let (mut out, mut back) = ([0; 5], [0; 4]);
    let from = UserSpace::<64>::new();
    from.store(0x1000, b"from one to another host");
    let mut src = Iter::<Source, 64>::ubuf(&from, 0x1000, 24);
    let list = [KVec::from(&mut out[..]), KVec::from(&mut back[..])];
    let mut dst = IovIter::<Dest>::from(&list[..]);
    assert_eq!(copy_iter_to_iter(&mut src, &mut dst, usize::MAX), 9);
    assert_eq!((src.remaining(), dst.remaining()), (15, 0));
    let to = UserSpace::<16>::new();
    to.store(0x2000, &[0; 32]);
    let mut dst = Iter::<Dest, 16>::ubuf(&to, 0x2000, 32);
    assert_eq!(copy_iter_to_iter(&mut src, &mut dst, 10), 10);
    assert_eq!(copy_iter_to_iter(&mut src, &mut dst, 10), 5);
    assert_eq!(to.peek(0x2000, 16), b"to another host\0"[..]);
    assert_eq!((&out, &back), (b"from ", b"one "));
}

#[test]
fn clones_are_independent() {
    let bytes = pattern(10);
    let segments = cut(&bytes, &[4, 6]);
    let mut iter = IovIter::<Source>::from(&segments[..]);
    iter.advance(3);
    let mut clone = iter.clone();
    clone.advance(5);
    assert_eq!((place(&iter), place(&clone)), (at(0, 3, 2, 7), at(1, 4, 1, 2)));
    assert_eq!(clone.revert(9), Err(Error::RevertPastStart));
    assert_eq!(clone.revert(8), Ok(()));
}

#[test]
fn threads() {
    assert_impl_all!(IovIterSource<'static>: Send, Sync);
    // Two handles to one destination must not be written from two threads.
    assert_not_impl_any!(IovIterDest<'static>: Send, Sync);
    assert_not_impl_any!(iov_iter::DupStorage<'static, Dest>: Send, Sync);
    assert_impl_all!(iov_iter::DupStorage<'static, Source>: Send, Sync);
}

/// A page with a handle like `H` and a pin like `P`.
struct Like<H, P>(H, PhantomData<fn() -> P>);

struct Pin<H, P>(Like<H, P>, PhantomData<P>);

impl<H: Clone, P> Clone for Like<H, P> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<H, P> AsRef<Like<H, P>> for Pin<H, P> {
    fn as_ref(&self) -> &Like<H, P> {
        &self.0
    }
}

// SAFETY: it is never mapped.
unsafe impl<H: Clone, P> Page for Like<H, P> {
    const SIZE: usize = 4096;
    type Pin = Pin<H, P>;

    fn run_length(&self) -> usize {
        1
    }

    fn nth(&self, _: usize) -> Option<Self> {
        None
    }

    unsafe fn map<R>(&self, _: usize, _: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        None
    }
}

#[test]
fn held_pages_cross_threads_where_handle_and_pin_do() {
    type Held<H, P> = HeldPage<'static, Like<H, P>>;
    type Entry<H, P> = ScatterEntry<'static, Like<H, P>>;
    assert_impl_all!(Held<(), ()>: Send, Sync);
    assert_impl_all!(Entry<(), ()>: Send, Sync);
    assert_not_impl_any!(Held<Rc<()>, ()>: Send, Sync);
    assert_not_impl_any!(Held<(), Rc<()>>: Send, Sync);
    // A run that is borrowed from two threads is shared by them.
    assert_not_impl_any!(Held<Cell<()>, ()>: Send, Sync);
    assert_impl_all!(Held<(), Cell<()>>: Send);
    assert_not_impl_any!(Held<(), Cell<()>>: Sync);
    assert_impl_all!(Held<(), MutexGuard<'static, ()>>: Sync);
    assert_not_impl_any!(Held<(), MutexGuard<'static, ()>>: Send);
    assert_not_impl_any!(Entry<Rc<()>, ()>: Send, Sync);
}
