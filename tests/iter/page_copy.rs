//! Worked examples of copying pages and folios.

use crate::model::{Iter, TestPage, UserSpace, at, pattern, place};
use iov_iter::{BioVec, CopyFlags, Dest, Error, IoVec, KVec, Source};

const FROM: usize = 0xf00;
const LEN: usize = 0x80;
const SEGMENTS: [IoVec; 2] = [IoVec::new(0x10000, 0x30), IoVec::new(0x20ff0, 0x100)];

/// The page that is copied from, with a pattern at 0xf00.
fn page_with_pattern() -> TestPage {
    let page = TestPage::run(1);
    page.fill(FROM, &pattern(LEN));
    page
}

/// The bytes that the segments of the page copies hold.
fn arrived(space: &UserSpace, len: usize) -> Vec<u8> {
    let first = len.min(0x30);
    [space.peek(0x10000, first), space.peek(0x20ff0, len - first)].concat()
}

/// Puts the pattern where a source of the page copies reads it.
fn fill(space: &UserSpace, len: usize) {
    space.poke(0x10000, &pattern(LEN)[..0x30]);
    space.poke(0x20ff0, &pattern(LEN)[0x30..len]);
}

#[test]
fn page_copy_reaches_all_resident_pages() {
    let space = UserSpace::resident(&[0x10000, 0x20000, 0x21000]);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(arrived(&space, LEN), pattern(LEN));
}

#[test]
fn page_copy_reads_from_an_iterator() {
    let space = UserSpace::resident(&[0x10000, 0x20000, 0x21000]);
    fill(&space, LEN);
    let page = TestPage::run(1);
    let mut iter = Iter::<Source>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_from_iter(&page, FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(page.bytes(FROM, LEN), pattern(LEN));
    assert_eq!(page.bytes(FROM + LEN, 1), [0]);
}

#[test]
fn page_copy_faults_in_what_is_mappable() {
    // One sleeping pass instead of an atomic one and a retry: the same result and state as P1.
    let space = UserSpace::resident(&[0x10000, 0x20000, 0x21000]);
    space.set_resident(0x21000, false);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(arrived(&space, LEN), pattern(LEN));
    assert_eq!(space.fault_ins(), 1);

    fill(&space, LEN);
    space.set_resident(0x21000, false);
    let page = TestPage::run(1);
    let mut iter = Iter::<Source>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_from_iter(&page, FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(page.bytes(FROM, LEN), pattern(LEN));
}

#[test]
fn page_copy_stops_at_the_bad_page() {
    let space = UserSpace::resident(&[0x10000, 0x20000]);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x40));
    assert_eq!(place(&iter), at(1, 0x10, 1, 0x130 - 0x40));
    assert_eq!(arrived(&space, 0x40), pattern(LEN)[..0x40]);

    fill(&space, 0x40);
    let page = TestPage::run(1);
    let mut iter = Iter::<Source>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_from_iter(&page, FROM, LEN), Ok(0x40));
    assert_eq!(place(&iter), at(1, 0x10, 1, 0x130 - 0x40));
    assert_eq!(page.bytes(FROM, 0x41), [&pattern(LEN)[..0x40], &[0]].concat());
}

#[test]
fn page_copy_ends_where_a_segment_enters_a_bad_page() {
    let space = UserSpace::resident(&[0x10000, 0x20000]);
    let segments = [IoVec::new(0x20ff0, 0x20), IoVec::new(0x10000, 0x100)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, 0x120).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x10));
    assert_eq!(place(&iter), at(0, 0x10, 2, 0x110));
    assert_eq!(space.peek(0x20ff0, 0x10), pattern(LEN)[..0x10]);
}

#[test]
fn page_copy_moves_nothing_into_a_bad_first_segment() {
    let space = UserSpace::resident(&[0x20000, 0x21000]);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0));
    assert_eq!(place(&iter), at(0, 0, 2, 0x130));

    let mut iter = Iter::<Source>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_from_iter(&TestPage::run(1), FROM, LEN), Ok(0));
    assert_eq!(place(&iter), at(0, 0, 2, 0x130));
}

#[test]
fn page_copy_reaches_kernel_memory() {
    let (mut a, mut b) = ([0; 0x30], [0; 0x100]);
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!([&a[..], &b[..0x51]].concat(), [&pattern(LEN)[..], &[0]].concat());

    let segments = [KVec::from(&a[..]), KVec::from(&b[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 0x130).unwrap();
    let page = TestPage::run(1);
    assert_eq!(iter.copy_page_from_iter(&page, FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(page.bytes(FROM, LEN), pattern(LEN));
}

#[test]
fn page_copy_is_cut_to_the_count() {
    let mut a = [0; 0x30];
    let segments = [KVec::from(&mut a[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 0x20).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x20));
    assert_eq!(place(&iter), at(0, 0x20, 1, 0));
    assert_eq!((a[..0x20].to_vec(), a[0x20]), (pattern(0x20), 0));
}

#[test]
fn atomic_copy_stops_at_a_page_that_is_not_resident() {
    let space = UserSpace::resident(&[0x10000, 0x20000]);
    space.poke(0x10000, b"abcd");
    space.poke(0x20000, b"efgh");
    space.set_resident(0x20000, false);
    let segments = [IoVec::new(0x10000, 4), IoVec::new(0x20000, 4)];
    let mut iter = Iter::<Source>::iovec(&space, &segments, 8).unwrap();
    let page = TestPage::run(1);
    assert_eq!(iter.copy_page_from_iter_atomic(&page, 0x10, 8), Ok(4));
    assert_eq!(space.copy_flags(), Some(CopyFlags::NOFAULT));
    assert_eq!((page.bytes(0x10, 5), space.fault_ins()), (b"abcd\0".to_vec(), 0));
    // Linux 2015 leaves the iterator at the start; since 6.1 it advances.
    assert_eq!(place(&iter), at(1, 0, 1, 4));

    // The usual loop: no progress, so fault in and try again.
    assert_eq!(iter.copy_page_from_iter_atomic(&page, 0x14, 4), Ok(0));
    assert_eq!(iter.fault_in_readable(4), 0);
    assert_eq!(iter.copy_page_from_iter_atomic(&page, 0x14, 4), Ok(4));
    assert_eq!(page.bytes(0x10, 8), b"abcdefgh");
}

#[test]
fn atomic_copy_is_cut_to_the_count() {
    // Linux 2015 ignores the count and copies 8.
    let segments = [KVec::from(&b"abcdefgh"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 4).unwrap();
    let page = TestPage::run(1);
    assert_eq!(iter.copy_page_from_iter_atomic(&page, 0, 8), Ok(4));
    assert_eq!(place(&iter), at(0, 4, 1, 0));
    assert_eq!(page.bytes(0, 6), b"abcd\0\0");
}

#[test]
fn atomic_copy_of_nothing_moves_nothing() {
    let segments = [KVec::from(&b"abcdefgh"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 8).unwrap();
    assert_eq!(iter.copy_page_from_iter_atomic(&TestPage::run(1), 0, 0), Ok(0));
    assert_eq!(place(&iter), at(0, 0, 1, 8));
}

#[test]
fn nofault_page_copy_counts_what_was_written() {
    // Linux counts no piece that falls short; here results are exact to the byte.
    let space = UserSpace::resident(&[0x10000, 0x20000, 0x21000]);
    space.set_resident(0x21000, false);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_to_iter_nofault(&page_with_pattern(), FROM, LEN), Ok(0x40));
    assert_eq!((space.copy_flags(), space.fault_ins()), (Some(CopyFlags::NOFAULT), 0));
    assert_eq!(place(&iter), at(1, 0x10, 1, 0xf0));
    assert_eq!(arrived(&space, 0x40), pattern(LEN)[..0x40]);
}

#[test]
fn short_pieces_of_a_page_copy_are_tried_again() {
    // The copy ends at no progress, not at a short piece; a plain copy ends there.
    let space = UserSpace::resident(&[0x10000, 0x20000, 0x21000]);
    space.copy_at_most(7);
    let mut iter = Iter::<Dest>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_to_iter(&pattern(LEN)), 7);
    iter.revert(7).unwrap();
    assert_eq!(iter.copy_page_to_iter(&page_with_pattern(), FROM, LEN), Ok(0x80));
    assert_eq!(place(&iter), at(1, 0x50, 1, 0xb0));
    assert_eq!(arrived(&space, LEN), pattern(LEN));

    let page = TestPage::run(1);
    let mut iter = Iter::<Source>::iovec(&space, &SEGMENTS, 0x130).unwrap();
    assert_eq!(iter.copy_page_from_iter(&page, FROM, LEN), Ok(0x80));
    assert_eq!(page.bytes(FROM, LEN), pattern(LEN));
}

#[test]
fn page_copy_must_stay_inside_a_single_page() {
    let page = TestPage::run(1);
    let mut iter = Iter::<Dest>::discard(0x100);
    assert_eq!(iter.copy_page_to_iter(&page, 0xff0, 0x20), Err(Error::OutOfRange));
    assert_eq!(iter.copy_page_to_iter_nofault(&page, 0xff0, 0x20), Err(Error::OutOfRange));
    assert_eq!(iter.remaining(), 0x100);
    assert_eq!(iter.copy_page_to_iter(&page, 0xff0, 0x10), Ok(0x10));

    let segments = [KVec::from(&[1; 0x20][..])];
    let mut iter = Iter::<Source>::kvec(&segments, 0x20).unwrap();
    assert_eq!(iter.copy_page_from_iter(&page, 0xff0, 0x20), Err(Error::OutOfRange));
    assert_eq!(iter.copy_page_from_iter_atomic(&page, 0xff0, 0x20), Err(Error::OutOfRange));
    assert_eq!(place(&iter), at(0, 0, 1, 0x20));
    assert_eq!(page.bytes(0xff0, 0x10), [0; 0x10]);
}

#[test]
fn folio_copy_crosses_its_pages() {
    let folio = TestPage::run(2);
    folio.fill(0xff0, &pattern(0x20));
    let mut bytes = [0; 0x20];
    let segments = [KVec::from(&mut bytes[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 0x20).unwrap();
    assert_eq!(iter.copy_page_to_iter(&folio, 0xff0, 0x20), Ok(0x20));
    assert_eq!(bytes[..], pattern(0x20));

    for atomic in [false, true] {
        let folio = TestPage::run(2);
        let segments = [KVec::from(&bytes[..])];
        let mut iter = Iter::<Source>::kvec(&segments, 0x20).unwrap();
        let copied = match atomic {
            false => iter.copy_page_from_iter(&folio, 0xff0, 0x20),
            true => iter.copy_page_from_iter_atomic(&folio, 0xff0, 0x20),
        };
        assert_eq!(copied, Ok(0x20));
        assert_eq!(folio.bytes(0xff0, 0x20), pattern(0x20));
    }
}

#[test]
fn page_copy_range_must_not_overflow() {
    let mut iter = Iter::<Dest>::discard(0x100);
    for len in [1, 2, usize::MAX] {
        let copied = iter.copy_page_to_iter(&TestPage::run(2), usize::MAX, len);
        assert_eq!(copied, Err(Error::OutOfRange));
    }
    assert_eq!(iter.remaining(), 0x100);
}

#[test]
fn page_copy_between_pages() {
    // From a folio into a run of pages whose borders lie elsewhere.
    let folio = TestPage::with_bytes(&pattern(0x2000));
    let run = TestPage::run(3);
    let segments = [BioVec::new(run.clone(), 0x123, 0x2000).unwrap()];
    let mut iter = Iter::<Dest>::bvec(&segments, 0x2000).unwrap();
    assert_eq!(iter.copy_page_to_iter(&folio, 0, 0x2000), Ok(0x2000));
    assert_eq!(run.bytes(0x123, 0x2000), pattern(0x2000));
    assert_eq!(run.all_bytes()[..0x123], [0; 0x123]);
}
