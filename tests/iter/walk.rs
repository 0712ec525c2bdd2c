//! Worked examples of walking: faults to the byte, pages in pieces, construction.

use crate::model::{At, Iter, TestPage, UserSpace, at, pattern, place};
use iov_iter::{BioVec, Dest, Error, IoVec, KVec, Source};

/// The segments, the request, the result and the state after it, of the walks that fault.
type Walk = (&'static [(usize, usize)], usize, usize, At);

const W1: Walk = (&[(0x10000, 5), (0x20ffc, 7)], 12, 9, at(1, 4, 1, 3));
const W2: Walk = (&[(0x10000, 5), (0x21000, 7)], 12, 5, at(1, 0, 1, 7));
const W3: Walk = (&[(0x21000, 7), (0x10000, 5)], 12, 0, at(0, 0, 2, 12));
const W4: Walk = (&[(0x20ff8, 8), (0x21000, 4)], 12, 8, at(1, 0, 1, 4));
const W5: Walk = (&[(0x20ff8, 4), (0, 0), (0x21000, 4)], 8, 4, at(2, 0, 1, 4));
const W6: Walk = (&[(0x10000, 4), (0x20000, 0)], 4, 4, at(2, 0, 0, 0));

/// Runs a walk in both directions and with every plain copy; page 0x21000 does not exist.
fn check((ranges, request, result, after): Walk) {
    let segments: Vec<_> = ranges.iter().map(|(base, len)| IoVec::new(*base, *len)).collect();
    let total = segments.iter().map(|segment| segment.len).sum();
    let data = pattern(request);
    let space = UserSpace::<4096>::resident(&[0x10000, 0x20000]);

    let mut iter = Iter::<Dest>::iovec(&space, &segments, total).unwrap();
    assert_eq!(iter.copy_to_iter(&data), result);
    assert_eq!(place(&iter), after);
    let mut arrived = Vec::new();
    for (base, len) in ranges {
        let len = (*len).min(result - arrived.len());
        arrived.extend(space.peek(*base, len));
    }
    assert_eq!(arrived, data[..result]);

    let mut iter = Iter::<Source>::iovec(&space, &segments, total).unwrap();
    let mut copied = vec![0xee; request];
    assert_eq!(iter.copy_from_iter(&mut copied), result);
    assert_eq!(place(&iter), after);
    assert_eq!(copied[..result], data[..result]);
    // The tail of a short copy is untouched, where Linux 2015 may zero it.
    assert!(copied[result..].iter().all(|byte| *byte == 0xee));

    let mut iter = Iter::<Source>::iovec(&space, &segments, total).unwrap();
    assert_eq!(iter.copy_from_iter_nocache(&mut copied), result);
    assert_eq!(place(&iter), after);

    let mut iter = Iter::<Dest>::iovec(&space, &segments, total).unwrap();
    assert_eq!(iter.zero(request), result);
    assert_eq!(place(&iter), after);

    // A short result leaves the iterator on the byte that failed: trying again fails there again.
    if result < request {
        assert_eq!(iter.copy_to_iter(&data), 0);
        assert_eq!(place(&iter), after);
    }
}

#[test]
fn a_fault_inside_the_second_segment_is_counted_to_the_byte() {
    check(W1);
}

#[test]
fn a_fault_on_the_first_byte_of_the_second_segment_ends_the_copy_there() {
    check(W2);
}

#[test]
fn a_fault_on_the_very_first_byte_moves_nothing() {
    check(W3);
}

#[test]
fn a_fault_may_lie_on_a_segment_border_that_is_a_page_border() {
    check(W4);
}

#[test]
fn a_fault_may_follow_an_empty_segment() {
    check(W5);
}

#[test]
fn the_cursor_skips_a_trailing_empty_segment() {
    check(W6);
}

/// Offset in the mapping of the first byte, length and progress of each piece.
type Pieces = Vec<(usize, usize)>;

fn lengths_and_progress(iter: &mut Iter<'_, Source>, request: usize) -> (usize, Pieces) {
    let mut seen = Pieces::new();
    let handled = iter.iterate_and_advance(
        request,
        &mut seen,
        |_, _, _| unreachable!("pages go to the kernel step"),
        |seen, piece, progress| {
            seen.push((piece.len(), progress));
            piece.len()
        },
    );
    (handled, seen)
}

#[test]
fn a_run_of_pages_is_cut_at_page_borders() {
    let segments = [BioVec::new(TestPage::run(3), 0xff0, 0x1020).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 0x1020).unwrap();
    let (handled, seen) = lengths_and_progress(&mut iter, 0x1020);
    assert_eq!(handled, 0x1020);
    assert_eq!(seen, [(16, 0), (4096, 16), (16, 4112)]);
    assert_eq!(place(&iter), at(1, 0, 0, 0));
}

#[test]
fn a_request_may_end_inside_a_run() {
    let segments = [BioVec::new(TestPage::run(3), 0xff0, 0x1020).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 0x1020).unwrap();
    let (handled, seen) = lengths_and_progress(&mut iter, 0x20);
    assert_eq!(handled, 0x20);
    assert_eq!(seen, [(16, 0), (16, 16)]);
    assert_eq!(place(&iter), at(0, 32, 1, 4096));
}

#[test]
fn a_short_step_on_pages_keeps_its_progress() {
    let segments = [BioVec::new(TestPage::run(2), 0xffe, 4).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 4).unwrap();
    let mut seen = Pieces::new();
    let handled = iter.iterate_and_advance(
        4,
        &mut seen,
        |_, _, _| unreachable!(),
        |seen, piece, progress| {
            seen.push((piece.len(), progress));
            if progress == 0 { 2 } else { 1 }
        },
    );
    assert_eq!((handled, seen), (3, vec![(2, 0), (2, 2)]));
    assert_eq!(place(&iter), at(0, 3, 1, 1));
}

#[test]
fn walker_never_calls_a_step_for_nothing() {
    // Clamped inside the walker; 0 bytes never reach the step.
    let (a, b) = ([1; 3], [2; 4]);
    let segments =
        [KVec::from(&a[..0]), KVec::from(&a[..]), KVec::from(&a[..0]), KVec::from(&b[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 7).unwrap();
    assert_eq!(lengths_and_progress(&mut iter, 0), (0, vec![]));
    assert_eq!(lengths_and_progress(&mut iter, 99), (7, vec![(3, 0), (4, 3)]));
    assert_eq!(lengths_and_progress(&mut iter, 1), (0, vec![]));
    assert_eq!(place(&iter), at(4, 0, 0, 0));
}

#[test]
fn walker_of_an_empty_page_segment_maps_nothing() {
    // Linux 6.x calls the step with length 0 and maps the page; here empty segments are invisible.
    let unmappable = TestPage::run(1);
    unmappable.make_unmappable();
    let page = TestPage::with_bytes(b"xy");
    let segments = [BioVec::new(unmappable, 7, 0).unwrap(), BioVec::new(page, 0, 2).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 2).unwrap();
    assert_eq!(lengths_and_progress(&mut iter, 2), (2, vec![(2, 0)]));
}

#[test]
fn walker_of_discarded_bytes_calls_no_step() {
    let mut iter = Iter::<Dest>::discard(10);
    let handled =
        iter.iterate_and_advance(7, &mut (), |_, _, _| unreachable!(), |_, _, _| unreachable!());
    assert_eq!((handled, iter.remaining()), (7, 3));
}

#[test]
fn walker_saturates_a_step_that_claims_too_much() {
    // A step must return at most the length it got; more underflows in C.
    let bytes = [0; 8];
    let segments = [KVec::from(&bytes[..4]), KVec::from(&bytes[4..])];
    let mut iter = Iter::<Source>::kvec(&segments, 6).unwrap();
    let handled =
        iter.iterate_and_advance(5, &mut (), |_, _, _| 0, |_, piece, _| piece.len() + 100);
    assert_eq!((handled, place(&iter)), (5, at(1, 1, 1, 1)));

    let segments = [BioVec::new(TestPage::run(2), 0xffe, 4).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 4).unwrap();
    assert_eq!(iter.iterate_and_advance(3, &mut (), |_, _, _| 0, |_, _, _| usize::MAX), 3);
    assert_eq!(place(&iter), at(0, 3, 1, 1));

    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    assert_eq!(iter.iterate_and_advance(3, &mut (), |_, _, _| usize::MAX, |_, _, _| 0), 3);
    assert_eq!(place(&iter), at(0, 3, 1, 5));
}

#[test]
fn walker_that_stays_sees_the_same_pieces() {
    let bytes = pattern(9);
    let segments = [KVec::from(&bytes[..4]), KVec::from(&bytes[4..])];
    let mut iter = Iter::<Source>::kvec(&segments, 9).unwrap();
    iter.advance(2);
    let mut lengths = vec![];
    let handled = iter.iterate(
        5,
        &mut lengths,
        |_, _, _| 0,
        |lengths, piece, at| {
            lengths.push((piece.len(), at));
            piece.len()
        },
    );
    assert_eq!((handled, lengths), (5, vec![(2, 0), (3, 2)]));
    assert_eq!(place(&iter), at(0, 2, 2, 7));
}

#[test]
fn no_segments_make_a_valid_empty_iterator() {
    let space = UserSpace::<4096>::new();
    let mut iter = Iter::<Source>::iovec(&space, &[], 0).unwrap();
    assert_eq!(place(&iter), at(0, 0, 0, 0));
    assert!(iter.is_empty());
    assert_eq!(iter.copy_from_iter(&mut [0; 4]), 0);
    assert_eq!(iter.advance(3), 0);
    assert_eq!(iter.advance(0), 0);
    assert_eq!(place(&iter), at(0, 0, 0, 0));
}

#[test]
fn a_count_below_the_sum_makes_a_truncated_iterator() {
    let mut bytes = *b"----";
    let segments = [KVec::from(&mut bytes[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 2).unwrap();
    assert_eq!(iter.copy_to_iter(b"abcd"), 2);
    assert_eq!(place(&iter), at(0, 2, 1, 0));
    assert_eq!(&bytes, b"ab--");
}

#[test]
fn count_smaller_than_the_segments_is_the_only_authority() {
    // `[10, 10]` with count 12.
    let bytes = pattern(20);
    let segments = [KVec::from(&bytes[..10]), KVec::from(&bytes[10..])];
    let mut iter = Iter::<Source>::kvec(&segments, 12).unwrap();
    let mut copied = [0; 99];
    assert_eq!(iter.copy_from_iter(&mut copied), 12);
    assert_eq!(place(&iter), at(1, 2, 1, 0));
    assert_eq!(copied[..12], bytes[..12]);
}

#[test]
fn count_larger_than_the_segments_is_refused_or_cut() {
    // `[4, 4]` with count 20. Linux walks off the array; here construction refuses.
    let bytes = [0; 8];
    let segments = [KVec::from(&bytes[..4]), KVec::from(&bytes[4..])];
    assert_eq!(Iter::<Source>::kvec(&segments, 20).unwrap_err(), Error::CountExceedsSegments);
    let cut = iov_iter::IovIter::from(iov_iter::Cursor::clamped(&segments[..], 20));
    assert_eq!(place(&cut), at(0, 0, 2, 8));

    let space = UserSpace::<4096>::new();
    let segments = [IoVec::new(0x1000, 4), IoVec::new(0x2000, 4)];
    assert_eq!(Iter::<Dest>::iovec(&space, &segments, 9).unwrap_err().errno(), 22);
    // The sum is checked without wrapping.
    let segments = [IoVec::new(0, usize::MAX), IoVec::new(0, 9)];
    assert_eq!(Iter::<Dest>::iovec(&space, &segments, 9).unwrap().remaining(), 9);
    let segments = [BioVec::new(TestPage::run(1), 0, 8).unwrap()];
    assert_eq!(Iter::<Dest>::bvec(&segments, 9).unwrap_err(), Error::CountExceedsSegments);
}

#[test]
fn chunk_has_a_piece_where_its_memory_has_an_address() {
    let bytes = pattern(9);
    let segments = [KVec::from(&bytes[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 9).unwrap();
    let walked = iter.walk(7, |chunk, _| {
        assert_eq!(chunk.piece().map(|piece| piece.as_ptr()), Some(bytes.as_ptr()));
        chunk.len()
    });
    assert_eq!(walked, 7);
    let space = UserSpace::<4096>::resident(&[0x10000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x10000, 9);
    let walked = iter.walk(7, |chunk, _| {
        assert!(chunk.piece().is_none());
        chunk.len()
    });
    assert_eq!(walked, 7);
}
