//! Worked examples of moving and of length control.

use crate::model::{At, Iter, TestPage, UserSpace, at, place};
use iov_iter::{BioVec, Dest, DupStorage, Error, KVec, Source, Uniform};

/// Calls `check` with an iterator over segments of these lengths, of several kinds.
fn with_lengths(lengths: &[usize], check: impl Fn(Iter<'_, Source>)) {
    let bytes = [0; 64];
    let total = lengths.iter().sum();
    let kvecs: Vec<_> = lengths.iter().map(|len| KVec::from(&bytes[..*len])).collect();
    check(Iter::kvec(&kvecs, total).unwrap());
    let page = TestPage::run(1);
    let bvec = |len: &usize| BioVec::new(page.clone(), 100, *len as u32).unwrap();
    let bvecs: Vec<_> = lengths.iter().map(bvec).collect();
    check(Iter::bvec(&bvecs, total).unwrap());
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let iovecs: Vec<_> = lengths.iter().map(|len| iov_iter::IoVec::new(0x1000, *len)).collect();
    check(Iter::iovec(&space, &iovecs, total).unwrap());
}

/// After moving by `n`, over segments of these lengths.
fn advanced(lengths: &[usize], n: usize, after: At) {
    with_lengths(lengths, |mut iter| {
        let left = iter.remaining();
        assert_eq!(iter.advance(n), n.min(left));
        assert_eq!(place(&iter), after);
    });
}

fn copied(iter: &mut Iter<'_, Source>, n: usize) {
    assert_eq!(iter.copy_from_iter(&mut vec![0; n]), n);
}

#[test]
fn advance_to_a_segment_border_enters_the_next_segment() {
    advanced(&[5, 7], 5, at(1, 0, 1, 7));
}

#[test]
fn advance_reaches_the_end() {
    advanced(&[5, 7], 12, at(2, 0, 0, 0));
    // Linux 2015 does not clamp and wraps the count; the newer rule is followed.
    advanced(&[5, 7], 13, at(2, 0, 0, 0));
    advanced(&[5, 7], usize::MAX, at(2, 0, 0, 0));
}

#[test]
fn advance_passes_empty_segments() {
    advanced(&[4, 0, 0, 8], 5, at(3, 1, 1, 7));
}

#[test]
fn advance_passes_all_empty_segments_that_follow() {
    // Linux 2015 passes at most one; the newer rule is followed.
    advanced(&[4, 0, 0, 8], 4, at(3, 0, 1, 8));
    advanced(&[0, 0, 3], 0, at(2, 0, 1, 3));
    // Linux's copy does not pass them; here it cannot be told from a move.
    with_lengths(&[4, 0, 0, 8], |mut iter| {
        copied(&mut iter, 4);
        assert_eq!(place(&iter), at(3, 0, 1, 8));
    });
    with_lengths(&[4, 0, 0], |mut iter| {
        copied(&mut iter, 4);
        assert_eq!(place(&iter), at(3, 0, 0, 0));
        assert_eq!(iter.advance(0), 0);
        assert_eq!(place(&iter), at(3, 0, 0, 0));
    });
    // The last byte of the count is the last of its segment: the rule of the exact finish.
    advanced(&[4, 0, 0], 4, at(3, 0, 0, 0));
}

#[test]
fn revert_stays_inside_the_segment() {
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 6);
        assert_eq!(place(&iter), at(2, 2, 1, 6));
        assert_eq!(iter.revert(2), Ok(()));
        // Not moved to the previous segment.
        assert_eq!(place(&iter), at(2, 0, 1, 8));
    });
}

#[test]
fn revert_passes_an_empty_segment() {
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 6);
        assert_eq!(iter.revert(3), Ok(()));
        assert_eq!(place(&iter), at(0, 3, 2, 9));
    });
}

#[test]
fn revert_leaves_the_end() {
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 12);
        assert_eq!(iter.revert(8), Ok(()));
        assert_eq!(place(&iter), at(2, 0, 1, 8));
        assert_eq!(iter.revert(4), Ok(()));
        assert_eq!(place(&iter), at(0, 0, 2, 12));
    });
}

#[test]
fn revert_leaves_an_empty_segment() {
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 4);
        assert_eq!(place(&iter), at(2, 0, 1, 8));
        assert_eq!(iter.revert(4), Ok(()));
        assert_eq!(place(&iter), at(0, 0, 2, 12));
    });
}

#[test]
fn revert_past_the_start_is_refused() {
    // Linux walks below the array; here it is an error and nothing moves.
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 6);
        assert_eq!(iter.revert(7), Err(Error::RevertPastStart));
        assert_eq!(iter.revert(usize::MAX), Err(Error::RevertPastStart));
        assert_eq!(place(&iter), at(2, 2, 1, 6));
        assert_eq!(iter.revert(6), Ok(()));
        assert_eq!(iter.revert(0), Ok(()));
        assert_eq!(iter.revert(1), Err(Error::RevertPastStart));
    });
}

#[test]
fn the_first_segment_of_several_is_measured() {
    with_lengths(&[10, 20], |mut iter| {
        iter.truncate(25);
        assert_eq!(iter.first_segment_len(), 10);
        copied(&mut iter, 4);
        assert_eq!(iter.first_segment_len(), 6);
    });
}

#[test]
fn the_first_segment_is_cut_to_the_count() {
    with_lengths(&[20], |mut iter| {
        copied(&mut iter, 5);
        iter.truncate(12);
        assert_eq!(place(&iter), at(0, 5, 1, 12));
        assert_eq!(iter.first_segment_len(), 12);
    });
}

#[test]
fn an_empty_first_segment_is_passed_by() {
    // Linux returns 0 although bytes are left; here empty segments are skipped first.
    with_lengths(&[0, 20], |mut iter| {
        assert_eq!(iter.first_segment_len(), 20);
        iter.truncate(7);
        assert_eq!(iter.first_segment_len(), 7);
    });
}

#[test]
fn a_first_segment_may_be_longer_than_the_count() {
    with_lengths(&[10, 20], |mut iter| {
        iter.truncate(7);
        assert_eq!(iter.first_segment_len(), 7);
        copied(&mut iter, 7);
        assert_eq!(iter.first_segment_len(), 0);
    });
    let space = UserSpace::<4096>::new();
    assert_eq!(Iter::<Source>::ubuf(&space, 0x1000, 9).first_segment_len(), 9);
    assert_eq!(Iter::<Dest>::discard(9).first_segment_len(), 9);
}

#[test]
fn restore_undoes_copy_and_truncation() {
    with_lengths(&[4, 0, 8], |mut iter| {
        let start = iter.save();
        copied(&mut iter, 6);
        iter.truncate(1);
        assert_eq!(iter.restore(&start), Ok(()));
        assert_eq!(place(&iter), at(0, 0, 2, 12));
    });
}

#[test]
fn restore_returns_to_the_middle() {
    with_lengths(&[4, 0, 8], |mut iter| {
        copied(&mut iter, 6);
        let middle = iter.save();
        copied(&mut iter, 6);
        assert_eq!(iter.restore(&middle), Ok(()));
        assert_eq!(place(&iter), at(2, 2, 1, 6));
        // And forward again to there.
        iter.revert(6).unwrap();
        assert_eq!(iter.restore(&middle), Ok(()));
        assert_eq!(place(&iter), at(2, 2, 1, 6));
    });
}

#[test]
fn restore_returns_to_a_place_in_one_user_range() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    copied(&mut iter, 3);
    let state = iter.save();
    copied(&mut iter, 5);
    assert_eq!(place(&iter).count, 0);
    assert_eq!(iter.restore(&state), Ok(()));
    assert_eq!(place(&iter), at(0, 3, 1, 5));
}

#[test]
fn state_of_another_list_is_refused() {
    // Linux only warns for some kinds; a state is right for the same array alone.
    let bytes = [0; 8];
    let (one, two) = ([KVec::from(&bytes[..])], [KVec::from(&bytes[..])]);
    let mut iter = Iter::<Source>::kvec(&one, 8).unwrap();
    let other = Iter::<Source>::kvec(&two, 8).unwrap();
    iter.advance(3);
    assert_eq!(iter.restore(&other.save()), Err(Error::ForeignState));
    let space = UserSpace::<4096>::new();
    let other = Iter::<Source>::ubuf(&space, 0x1000, 8);
    assert_eq!(iter.restore(&other.save()), Err(Error::ForeignState));
    assert_eq!(place(&iter), at(0, 3, 1, 5));

    // Of those that hold their only segment themselves, any other range is another list.
    let mut iter = Iter::<Source>::ubuf(&space, 0x1008, 8);
    assert_eq!(iter.restore(&other.save()), Err(Error::ForeignState));
    assert_eq!(iter.restore(&Iter::ubuf(&space, 0x1008, 7).save()), Err(Error::ForeignState));
    assert_eq!(iter.restore(&Iter::ubuf(&space, 0x1008, 8).save()), Ok(()));
    let mut iter = Iter::<Dest>::discard(8);
    assert_eq!(iter.restore(&Iter::discard(9).save()), Err(Error::ForeignState));
    assert_eq!(place(&iter), at(0, 0, 1, 8));
}

#[test]
fn what_was_truncated_follows_when_it_is_expanded_again() {
    with_lengths(&[10, 10], |mut iter| {
        let mut buffer = [0; 99];
        iter.truncate(5);
        assert_eq!(iter.copy_from_iter(&mut buffer[..9]), 5);
        assert_eq!(place(&iter), at(0, 5, 2, 0));
        assert_eq!(iter.reexpand(15), Ok(()));
        assert_eq!(iter.copy_from_iter(&mut buffer), 15);
        assert_eq!(place(&iter), at(2, 0, 0, 0));
    });
}

#[test]
fn truncate_to_more_than_is_left_changes_nothing() {
    with_lengths(&[10, 10], |mut iter| {
        iter.truncate(100);
        assert_eq!(iter.remaining(), 20);
    });
    // The limit is compared in 64 bits even where a size has 32.
    let mut iter = Iter::<Dest>::discard(100);
    iter.truncate(0x1_0000_0010);
    assert_eq!(iter.remaining(), 100);
}

#[test]
fn reexpand_beyond_what_was_cut_is_refused() {
    // Unchecked in C.
    with_lengths(&[10, 10], |mut iter| {
        iter.truncate(12);
        iter.truncate(5);
        copied(&mut iter, 2);
        assert_eq!(iter.reexpand(19), Err(Error::ExpandPastEnd));
        assert_eq!(iter.remaining(), 3);
        assert_eq!(iter.reexpand(10), Ok(()));
        assert_eq!(iter.reexpand(18), Ok(()));
        assert_eq!(place(&iter), at(0, 2, 2, 18));
    });
}

#[test]
fn revert_does_not_count_truncated_bytes() {
    with_lengths(&[10, 10], |mut iter| {
        copied(&mut iter, 3);
        iter.truncate(0);
        assert_eq!(iter.revert(4), Err(Error::RevertPastStart));
        assert_eq!(iter.revert(3), Ok(()));
        assert_eq!(place(&iter), at(0, 0, 2, 3));
        assert_eq!(iter.reexpand(20), Ok(()));
    });
}

#[test]
fn registered_pages_move_in_one_step() {
    // A uniform list takes a division where another takes a walk, and lands on the same place.
    let page = TestPage::<4096>::run(1);
    let lengths = [100usize, 4096, 4096, 4096, 7];
    let bvec = |len: &usize| BioVec::new(page.clone(), (4096 - len) as u32, *len as u32).unwrap();
    let bvecs: Vec<_> = lengths.iter().map(bvec).collect();
    let total = lengths.iter().sum::<usize>();
    let mut plain = Iter::<Source>::bvec(&bvecs, total).unwrap();
    let mut uniform = Iter::<Source>::uniform(Uniform::new(&bvecs).unwrap(), total).unwrap();
    for n in [0, 99, 1, 4096, 1, 4095, 2000, 2096, 6, 1, 1] {
        assert_eq!(plain.advance(n), uniform.advance(n));
        assert_eq!(place(&plain), place(&uniform));
    }
    assert_eq!(place(&uniform), at(5, 0, 0, 0));
    assert_eq!(uniform.revert(total + 1), Err(Error::RevertPastStart));
    assert_eq!(uniform.revert(4104), Ok(()));
    assert_eq!(place(&uniform), at(2, 4095, 3, 4104));
    assert_eq!(uniform.revert(total - 4104), Ok(()));
    assert_eq!(place(&uniform), at(0, 0, 5, total));
}

#[test]
fn a_duplicate_gives_back_what_truncation_hid() {
    with_lengths(&[4, 0, 6, 2], |mut iter| {
        assert_eq!(iter.advance(5), 5);
        iter.truncate(2);
        let mut storage = DupStorage::<_, _, 4>::new();
        let mut copy = iter.dup(&mut storage).unwrap();
        assert_eq!((copy.remaining(), copy.reexpand(8)), (2, Err(Error::ExpandPastEnd)));
        assert_eq!((copy.reexpand(7), copy.remaining()), (Ok(()), 7));
        assert_eq!((copy.advance(9), copy.revert(8)), (7, Ok(())));
    });
}
