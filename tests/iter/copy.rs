//! Worked examples of copying between an iterator and a buffer.

use std::mem::MaybeUninit;

use crate::model::{Iter, Poison, TestPage, UserSpace, at, pattern, place};
use iov_iter::{BioVec, CopyFlags, Dest, Error, IoVec, KVec, Page, Piece, Source};

/// Segments, with page 0x21000 bad.
const FAULTING: [IoVec; 2] = [IoVec::new(0x10000, 5), IoVec::new(0x20ffc, 7)];

fn faulting_space() -> UserSpace {
    UserSpace::resident(&[0x10000, 0x20000])
}

#[test]
fn copy_fills_one_segment_after_the_other() {
    let (mut a, mut b) = ([0; 3], [0; 4]);
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 7).unwrap();
    assert_eq!(iter.copy_to_iter(b"abcdefg"), 7);
    assert_eq!(place(&iter), at(2, 0, 0, 0));
    assert_eq!((&a, &b), (b"abc", b"defg"));
}

#[test]
fn copy_into_a_full_iterator_moves_nothing() {
    let (mut a, mut b) = ([0; 3], [0; 4]);
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 7).unwrap();
    assert_eq!(iter.copy_to_iter(b"abcdefg"), 7);
    assert_eq!(iter.copy_to_iter(b"!"), 0);
    assert_eq!(place(&iter), at(2, 0, 0, 0));
    assert_eq!((&a, &b), (b"abc", b"defg"));
}

#[test]
fn copy_request_is_cut_to_the_count() {
    let (a, b) = (*b"abc", *b"defg");
    let segments = [KVec::from(&a[..]), KVec::from(&b[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 7).unwrap();
    let mut copied = [b'-'; 100];
    assert_eq!(iter.copy_from_iter(&mut copied), 7);
    assert_eq!(&copied[..9], b"abcdefg--");
}

#[test]
fn copy_crosses_from_page_to_page() {
    let (p, q) = (TestPage::run(1), TestPage::run(1));
    let segments =
        [BioVec::new(p.clone(), 0xffe, 2).unwrap(), BioVec::new(q.clone(), 0, 2).unwrap()];
    let mut iter = Iter::<Dest>::bvec(&segments, 4).unwrap();
    assert_eq!(iter.copy_to_iter(b"xyz"), 3);
    assert_eq!(place(&iter), at(1, 1, 1, 1));
    assert_eq!(p.bytes(0xffd, 3), b"\0xy");
    assert_eq!(q.bytes(0, 2), b"z\0");
}

#[test]
fn zero_stops_at_the_fault() {
    let space = faulting_space();
    space.poke(0x10000, &[0xff; 6]);
    space.poke(0x20ffb, &[0xff; 5]);
    let mut iter = Iter::<Dest>::iovec(&space, &FAULTING, 12).unwrap();
    assert_eq!(iter.zero(12), 9);
    assert_eq!(place(&iter), at(1, 4, 1, 3));
    assert_eq!(space.peek(0x10000, 6), [0, 0, 0, 0, 0, 0xff]);
    assert_eq!(space.peek(0x20ffb, 5), [0xff, 0, 0, 0, 0]);
}

#[test]
fn zero_passes_an_empty_segment() {
    let (mut a, mut c) = ([0xff; 3], [0xff; 2]);
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut [0u8; 0][..]), KVec::from(&mut c[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 5).unwrap();
    assert_eq!(iter.zero(4), 4);
    assert_eq!(place(&iter), at(2, 1, 1, 1));
    assert_eq!((a, c), ([0; 3], [0, 0xff]));
}

#[test]
fn zero_of_nothing_changes_nothing() {
    let mut a = [0xff; 3];
    let segments = [KVec::from(&mut a[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 3).unwrap();
    assert_eq!(iter.zero(0), 0);
    assert_eq!(place(&iter), at(0, 0, 1, 3));
    assert_eq!(a, [0xff; 3]);
}

#[test]
fn page_access_is_bounded() {
    let page = TestPage::<4096>::with_bytes(&[0xff; 4096]);
    assert_eq!(page.zero_at(0xffc, 4), Ok(()));
    assert_eq!(page.bytes(0xffa, 6), [0xff, 0xff, 0, 0, 0, 0]);
    // A caller error in C; an error here.
    assert_eq!(page.zero_at(0xffc, 5), Err(Error::OutOfRange));
    assert_eq!(page.zero_at(0x800, 0), Ok(()));
    assert_eq!(page.bytes(0x800, 1), [0xff]);
    assert_eq!(page.zero_at(usize::MAX, 2), Err(Error::OutOfRange));

    assert_eq!(page.write_at(0xffe, Piece::from(&b"ab"[..])), Ok(()));
    assert_eq!(page.write_at(0xffe, Piece::from(&b"abc"[..])), Err(Error::OutOfRange));
    let mut read = [0; 3];
    assert_eq!(page.read_at(0xffd, Piece::from(&mut read[..])), Ok(()));
    assert_eq!(&read, b"\0ab");
    assert_eq!(page.read_at(0xffe, Piece::from(&mut read[..])), Err(Error::OutOfRange));
    assert_eq!(&read, b"\0ab");

    // A run has the bounds of the whole run, and is accessed page by page.
    let run = TestPage::<4096>::run(2);
    assert_eq!(run.write_at(0xffe, Piece::from(&b"1234"[..])), Ok(()));
    assert_eq!(run.bytes(0xffe, 4), b"1234");
    run.make_unmappable();
    assert_eq!(run.zero_at(0, 1), Err(Error::Fault));
}

#[test]
fn a_range_of_a_segment_is_mapped_page_by_page() {
    let run = TestPage::<16>::run(4);
    let segment = BioVec::new(run.clone(), 10, 30).unwrap();
    let mut pieces = vec![];
    let handled = segment.map_range(3, 27, |piece: Piece<'_, Dest>, before| {
        pieces.push((before, piece.len()));
        // The third page is handled in part.
        piece.slice(0, if before == 3 { 16 } else { 7 }).fill(1)
    });
    assert_eq!((handled, &pieces[..]), (Ok(26), &[(0, 3), (3, 16), (19, 8)][..]));
    assert_eq!(run.bytes(12, 28), [&[0][..], &[1; 26], &[0]].concat());
    // The run goes on, the segment does not.
    let outside = segment.map_range(3, 28, |_: Piece<'_, Source>, _| unreachable!());
    assert_eq!(outside, Err(Error::OutOfRange));
    run.make_unmappable();
    assert_eq!(segment.map_range(0, 30, |piece: Piece<'_, Source>, _| piece.len()), Ok(0));
}

#[test]
fn full_copy_that_faults_moves_no_cursor() {
    let space = faulting_space();
    let data = pattern(12);
    space.poke(0x10000, &data[..5]);
    space.poke(0x20ffc, &data[5..9]);
    let mut iter = Iter::<Source>::iovec(&space, &FAULTING, 12).unwrap();
    for nocache in [false, true] {
        let mut copied = [0xee; 12];
        let result = match nocache {
            false => iter.copy_from_iter_full(&mut copied),
            true => iter.copy_from_iter_full_nocache(&mut copied),
        };
        assert_eq!(result, Err(Error::Fault));
        assert_eq!(place(&iter), at(0, 0, 2, 12));
        // The cursor is all or nothing, the memory is not.
        assert_eq!(copied[..9], data[..9]);
        assert_eq!(copied[9..], [0xee; 3]);
    }

    let mut iter = Iter::<Dest>::iovec(&space, &FAULTING, 12).unwrap();
    assert_eq!(iter.copy_to_iter_full(&[7; 12]), Err(Error::Fault));
    assert_eq!(place(&iter), at(0, 0, 2, 12));
    assert_eq!(space.peek(0x20ffc, 4), [7; 4]);
}

#[test]
fn full_copy_of_more_than_is_left_is_refused() {
    let segments = [KVec::from(&b"abc"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 3).unwrap();
    let mut copied = *b"----";
    assert_eq!(iter.copy_from_iter_full(&mut copied), Err(Error::Exhausted));
    assert_eq!(place(&iter), at(0, 0, 1, 3));
    assert_eq!(&copied, b"----");
}

#[test]
fn full_copy_moves_all() {
    let segments = [KVec::from(&b"abc"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 3).unwrap();
    let mut copied = [0; 3];
    assert_eq!(iter.copy_from_iter_full(&mut copied), Ok(()));
    assert_eq!(place(&iter), at(1, 0, 0, 0));
    assert_eq!(&copied, b"abc");
}

#[test]
fn full_copy_of_nothing_succeeds() {
    let segments = [KVec::from(&b"abc"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 3).unwrap();
    assert_eq!(iter.copy_from_iter_full(&mut []), Ok(()));
    assert_eq!(place(&iter), at(0, 0, 1, 3));
    iter.advance(3);
    assert_eq!(iter.copy_from_iter_full(&mut []), Ok(()));
}

#[test]
fn hash_is_fed_what_was_copied() {
    let space = faulting_space();
    let data = pattern(12);
    let mut iter = Iter::<Dest>::iovec(&space, &FAULTING, 12).unwrap();
    let mut fed = Vec::new();
    assert_eq!(iter.hash_and_copy_to_iter(&data, |bytes| fed.extend_from_slice(bytes)), 9);
    assert_eq!(fed, data[..9]);
    assert_eq!(place(&iter), at(1, 4, 1, 3));
}

#[test]
fn poison_ends_a_machine_check_copy_of_pages() {
    // B3 as a machine-check copy: pieces 2 and 2, the second falls short by 1.
    let page = TestPage::run(2);
    let segments = [BioVec::new(page.clone(), 0xffe, 4).unwrap()];
    let mut iter = Iter::<Dest>::bvec(&segments, 4).unwrap();
    let source = *b"wxyz";
    let poison = Poison::new(&source[3], 1);
    assert_eq!(iter.copy_mc_to_iter(Piece::from(&source[..])), 3);
    assert_eq!(place(&iter), at(0, 3, 1, 1));
    assert_eq!(page.bytes(0xffe, 4), b"wxy\0");
    drop(poison);
    assert_eq!(iter.copy_mc_to_iter(Piece::from(&source[3..])), 1);
    assert_eq!(page.bytes(0xffe, 4), b"wxyz");
}

#[test]
fn poison_ends_a_machine_check_copy_of_every_kind() {
    let source = *b"abcdefgh";
    let _poison = Poison::new(&source[5], 1);
    let source = Piece::from(&source[..]);

    let (mut a, mut b) = (*b"---", *b"-----");
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 8).unwrap();
    assert_eq!(iter.copy_mc_to_iter(source), 5);
    assert_eq!(place(&iter), at(1, 2, 1, 3));
    assert_eq!((&a, &b), (b"abc", b"de---"));

    let space = UserSpace::resident(&[0x1000]);
    let segments = [IoVec::new(0x1000, 4), IoVec::new(0x1010, 4)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, 8).unwrap();
    assert_eq!(iter.copy_mc_to_iter(source), 5);
    assert_eq!(place(&iter), at(1, 1, 1, 3));
    assert_eq!(space.peek(0x1010, 2), b"e\0");
    assert_eq!(space.copy_flags(), Some(CopyFlags::MACHINE_CHECK));
}

#[test]
fn nocache_is_asked_of_user_sources() {
    // The CPU cache is bypassed for user sources.
    let space = UserSpace::resident(&[0x1000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    assert_eq!(iter.copy_from_iter(&mut [0; 4]), 4);
    assert_eq!(space.copy_flags(), Some(CopyFlags::empty()));
    assert_eq!(iter.copy_from_iter_nocache(&mut [0; 2]), 2);
    assert_eq!(space.copy_flags(), Some(CopyFlags::NON_TEMPORAL));
    assert_eq!(iter.copy_from_iter_full_nocache(&mut [0; 2]), Ok(()));
    assert_eq!(space.copy_flags(), Some(CopyFlags::NON_TEMPORAL));
}

#[test]
fn flushcache_copies_as_the_plain_copy() {
    let data = pattern(300);
    let page = TestPage::with_bytes(&data);
    let segments = [BioVec::new(page, 10, 280).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 280).unwrap();
    let mut copied = [0; 300];
    assert_eq!(iter.copy_from_iter_flushcache(&mut copied), 280);
    assert_eq!(copied[..280], data[10..290]);
    assert_eq!(copied[280..], [0; 20]);

    let space = faulting_space();
    space.poke(0x10000, b"hello");
    let mut iter = Iter::<Source>::iovec(&space, &FAULTING, 12).unwrap();
    assert_eq!(iter.copy_from_iter_flushcache(&mut copied[..12]), 9);
    assert_eq!(copied[..5], *b"hello");
}

#[test]
fn uninitialised_memory_is_returned_as_far_as_it_was_filled() {
    // The initialised prefix, which ends at the fault.
    let space = faulting_space();
    space.poke(0x10000, b"hello");
    let mut iter = Iter::<Source>::iovec(&space, &FAULTING, 12).unwrap();
    let mut buffer = [MaybeUninit::uninit(); 12];
    assert_eq!(iter.copy_from_iter_raw(&mut buffer), b"hello\0\0\0\0");
    assert_eq!(iter.copy_from_iter_raw(&mut buffer), b"");
    assert_eq!(place(&iter), at(1, 4, 1, 3));
}

#[cfg(feature = "alloc")]
#[test]
fn vector_grows_by_what_was_copied() {
    let space = faulting_space();
    space.poke(0x10000, b"hello");
    let mut iter = Iter::<Source>::iovec(&space, &FAULTING, 12).unwrap();
    let mut list = b"say ".to_vec();
    assert_eq!(iter.copy_from_iter_vec(&mut list, usize::MAX), Ok(9));
    assert_eq!(list, b"say hello\0\0\0\0");
}

#[cfg(feature = "alloc")]
#[test]
fn a_vector_does_not_grow_by_what_user_space_claims() {
    let space = faulting_space();
    space.poke(0x10000, b"hello");
    for (address, came) in [(0x10000, 4096), (0x70000, 0)] {
        // As long as an import lets it be.
        let mut iter = Iter::<Source>::import_ubuf(&space, address, usize::MAX).unwrap();
        let mut list = vec![];
        assert_eq!(iter.copy_from_iter_vec(&mut list, usize::MAX), Ok(came));
        assert_eq!((list.len(), iter.remaining()), (came, 0x7fff_f000 - came));
        assert!(list.capacity() <= 1 << 16, "{}", list.capacity());
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_vector_grows_to_a_limit_and_as_the_bytes_come() {
    let bytes = (0..250).collect::<Vec<u8>>().repeat(600);
    let segments: Vec<_> = bytes.chunks(70_000).map(KVec::from).collect();
    let mut iter = iov_iter::IovIterSource::from(&segments);
    let mut list = vec![];
    assert_eq!(iter.copy_from_iter_vec(&mut list, 0), Ok(0));
    assert_eq!(list.capacity(), 0);
    assert_eq!(iter.copy_from_iter_vec(&mut list, 5), Ok(5));
    assert_eq!(iter.copy_from_iter_vec(&mut list, 99_995), Ok(99_995));
    assert_eq!(iter.copy_from_iter_vec(&mut list, usize::MAX), Ok(50_000));
    assert!(list == bytes && iter.remaining() == 0);
}

#[test]
fn simple_read_from_buffer_keeps_the_position() {
    // Negative is an error, at or past the end is 0, else the position rises.
    let mut iter = Iter::<Dest>::discard(100);
    let mut position = -1;
    assert_eq!(iter.simple_read_from_buffer(&mut position, b"abc"), Err(Error::OutOfRange));
    assert_eq!(position, -1);
    for end in [3, 4, i64::MAX] {
        position = end;
        assert_eq!(iter.simple_read_from_buffer(&mut position, b"abc"), Ok(0));
        assert_eq!(position, end);
    }
    let mut bytes = [0; 2];
    let segments = [KVec::from(&mut bytes[..])];
    let mut iter = Iter::<Dest>::kvec(&segments, 2).unwrap();
    position = 1;
    assert_eq!(iter.simple_read_from_buffer(&mut position, b"abcdef"), Ok(2));
    assert_eq!(position, 3);
    assert_eq!(&bytes, b"bc");

    let space = faulting_space();
    let mut iter = Iter::<Dest>::iovec(&space, &FAULTING, 12).unwrap();
    position = 2;
    assert_eq!(iter.simple_read_from_buffer(&mut position, &[1; 20]), Ok(9));
    assert_eq!(position, 11);
}

#[test]
fn one_user_range_is_copied() {
    let space = UserSpace::<4096>::resident(&[0x10000]);
    let mut iter = Iter::<Dest>::ubuf(&space, 0x10ffc, 8);
    assert_eq!(iter.copy_to_iter(b"12345678"), 4);
    assert_eq!(place(&iter), at(0, 4, 1, 4));
    assert_eq!(space.peek(0x10ffc, 4), b"1234");
    assert_eq!(iter.copy_to_iter(b"5678"), 0);
    // Reverting before the start panics in C; here it is an error and nothing moves.
    assert_eq!(iter.revert(5), Err(Error::RevertPastStart));
    assert_eq!(place(&iter), at(0, 4, 1, 4));
    assert_eq!(iter.revert(4), Ok(()));
    assert_eq!(place(&iter), at(0, 0, 1, 8));
}

#[test]
fn discarded_bytes_are_counted() {
    let mut iter = Iter::<Dest>::discard(10);
    assert_eq!(iter.copy_to_iter(b"abcd"), 4);
    assert_eq!(iter.zero(10), 6);
    assert_eq!(iter.remaining(), 0);
    assert_eq!(iter.revert(3), Ok(()));
    assert_eq!(iter.remaining(), 3);
    // Linux has no upper limit here; the checked revert has one for every kind.
    assert_eq!(iter.revert(8), Err(Error::RevertPastStart));
    assert_eq!(iter.remaining(), 3);
    assert_eq!(iter.revert(7), Ok(()));
    assert_eq!(iter.remaining(), 10);
}

#[test]
fn access_ok_is_asked_for_every_piece_while_copying() {
    // A user piece that fails the range check is not copied at all. The simulated
    // memory would refuse (by a panic) any access that got there without the check.
    let space = UserSpace::<4096>::with_limit(0x3000);
    space.add(0x1000, 0x2000, true);
    let segments = [IoVec::new(0x1000, 4), IoVec::new(0x2ffe, 4)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, 8).unwrap();
    assert_eq!(iter.copy_to_iter(&[1; 8]), 4);
    assert_eq!(place(&iter), at(1, 0, 1, 4));
    assert_eq!(space.peek(0x2ffe, 2), [0, 0]);
    assert_eq!(iter.zero(4), 0);
    // The range that wraps around the address space.
    let mut iter = Iter::<Source>::ubuf(&space, usize::MAX - 3, 8);
    assert_eq!(iter.copy_from_iter(&mut [0; 8]), 0);
    iter.advance(6);
    assert_eq!(iter.copy_from_iter(&mut [0; 2]), 0);
}
