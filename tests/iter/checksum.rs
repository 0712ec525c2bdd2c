//! Worked examples of checksums while copying.

use crate::model::{Iter, TestPage, UserSpace, at, naive_checksum, pattern, place};
use iov_iter::{BioVec, Checksum, Dest, Error, IoVec, KVec, Source};

const DATA: [u8; 5] = [1, 2, 3, 4, 5];

/// Sums `DATA` out of pieces of these lengths, each call taking so many bytes.
fn sum_from(lengths: &[usize], calls: &[usize], start: Checksum) -> Checksum {
    let mut rest = &DATA[..];
    let cut = |len: &usize| {
        let (piece, after) = rest.split_at(*len);
        rest = after;
        KVec::from(piece)
    };
    let segments: Vec<_> = lengths.iter().map(cut).collect();
    let mut iter = Iter::<Source>::kvec(&segments, 5).unwrap();
    let mut checksum = start;
    let mut copied = Vec::new();
    for call in calls {
        let mut bytes = vec![0; *call];
        assert_eq!(iter.csum_and_copy_from_iter(&mut bytes, &mut checksum), *call);
        copied.extend(bytes);
    }
    assert_eq!(copied, DATA[..copied.len()]);
    checksum
}

/// As `sum_from`, in the other direction.
fn sum_to(lengths: &[usize], calls: &[usize], start: Checksum) -> Checksum {
    let mut memory = [0; 5];
    let mut rest = &mut memory[..];
    let mut segments = Vec::new();
    for len in lengths {
        let (piece, after) = rest.split_at_mut(*len);
        rest = after;
        segments.push(KVec::from(piece));
    }
    let mut iter = Iter::<Dest>::kvec(&segments, 5).unwrap();
    let mut checksum = start;
    let mut data = &DATA[..];
    for call in calls {
        let (now, after) = data.split_at(*call);
        data = after;
        assert_eq!(iter.csum_and_copy_to_iter(now, &mut checksum), *call);
    }
    drop(segments);
    assert_eq!(memory[..5 - data.len()], DATA[..5 - data.len()]);
    checksum
}

/// Checks both directions: the accumulator on little-endian machines, the folded sum on all.
fn check(lengths: &[usize], calls: &[usize], start: u32, accumulator: u32, folded: u16) {
    for sum in [sum_from, sum_to] {
        let checksum = sum(lengths, calls, Checksum::with_sum(start));
        let total = calls.iter().sum();
        assert_eq!(checksum.offset(), total);
        if cfg!(target_endian = "little") {
            assert_eq!(checksum.sum(), accumulator);
            assert_eq!(checksum.folded(), folded);
        } else if start == 0 {
            assert_eq!(checksum.folded(), naive_checksum(&DATA[..total]));
        }
    }
}

#[test]
fn one_piece_is_summed() {
    check(&[5], &[5], 0, 0x0609, 0x0609);
    if cfg!(target_endian = "little") {
        assert_eq!(naive_checksum(&DATA), 0x0609);
    }
}

#[test]
fn a_second_piece_may_begin_at_an_odd_byte() {
    check(&[3, 2], &[5], 0, 0x0400_0209, 0x0609);
}

#[test]
fn a_second_piece_may_follow_one_byte() {
    check(&[1, 4], &[5], 0, 0x0600_0009, 0x0609);
}

#[test]
fn a_sum_goes_on_from_a_former_one() {
    check(&[5], &[5], 0x1111, 0x171a, 0x171a);
}

#[test]
fn a_piece_that_faults_counts_nothing() {
    let space = UserSpace::resident(&[0x10000, 0x20000]);
    space.poke(0x10000, &DATA[..3]);
    space.poke(0x20fff, &DATA[3..4]);
    let segments = [IoVec::new(0x10000, 3), IoVec::new(0x20fff, 2)];

    let mut iter = Iter::<Source>::iovec(&space, &segments, 5).unwrap();
    let mut checksum = Checksum::new();
    let mut bytes = [0; 5];
    assert_eq!(iter.csum_and_copy_from_iter(&mut bytes, &mut checksum), 3);
    assert_eq!(place(&iter), at(1, 0, 1, 2));
    assert_eq!(bytes[..3], DATA[..3]);
    assert_eq!((checksum.folded(), checksum.offset()), (naive_checksum(&DATA[..3]), 3));
    if cfg!(target_endian = "little") {
        assert_eq!(checksum.sum(), 0x0204);
    }

    let mut iter = Iter::<Dest>::iovec(&space, &segments, 5).unwrap();
    let mut checksum = Checksum::new();
    assert_eq!(iter.csum_and_copy_to_iter(&DATA, &mut checksum), 3);
    assert_eq!(place(&iter), at(1, 0, 1, 2));
    assert_eq!((checksum.folded(), checksum.offset()), (naive_checksum(&DATA[..3]), 3));

    // All or nothing: iterator and checksum stand where they stood, the memory does not.
    let mut iter = Iter::<Source>::iovec(&space, &segments, 5).unwrap();
    let mut checksum = Checksum::with_sum(0x1111);
    let full = iter.csum_and_copy_from_iter_full(&mut bytes, &mut checksum);
    assert_eq!(full, Err(Error::Fault));
    assert_eq!(place(&iter), at(0, 0, 2, 5));
    assert_eq!((checksum.sum(), checksum.offset()), (0x1111, 0));
    let full = iter.csum_and_copy_from_iter_full(&mut [0; 6], &mut checksum);
    assert_eq!(full, Err(Error::Exhausted));
    let full = iter.csum_and_copy_from_iter_full(&mut bytes[..3], &mut checksum);
    assert_eq!((full, checksum.offset(), iter.remaining()), (Ok(()), 3, 2));
}

#[test]
fn parity_goes_on_in_the_next_call() {
    // Linux 2015 loses it: 0x0708. The state object keeps it, in both directions.
    check(&[5], &[3, 2], 0, 0x0400_0209, 0x0609);
    if cfg!(target_endian = "little") {
        let first = sum_from(&[5], &[3], Checksum::new());
        let mut lost = Checksum::with_sum(first.sum());
        lost.update(&DATA[3..]);
        assert_eq!(lost.folded(), 0x0708);
    }
}

#[test]
fn state_survives_a_call_that_faults_at_once() {
    let space = UserSpace::resident(&[0x10000]);
    space.poke(0x10000, &DATA);
    let segments = [IoVec::new(0x10000, 3), IoVec::new(0x10003, 2), IoVec::new(0x20000, 4)];
    let mut iter = Iter::<Source>::iovec(&space, &segments, 9).unwrap();
    let mut state = Checksum::new();
    assert_eq!(iter.csum_and_copy_from_iter(&mut [0; 3], &mut state), 3);
    assert_eq!(iter.csum_and_copy_from_iter(&mut [0; 2], &mut state), 2);
    assert_eq!((state.folded(), state.offset()), (naive_checksum(&DATA), 5));
    assert_eq!(iter.csum_and_copy_from_iter(&mut [0; 4], &mut state), 0);
    assert_eq!((state.folded(), state.offset()), (naive_checksum(&DATA), 5));

    let mut iter = Iter::<Dest>::iovec(&space, &segments[2..], 4).unwrap();
    assert_eq!(iter.csum_and_copy_to_iter(&DATA, &mut state), 0);
    assert_eq!((state.folded(), state.offset()), (naive_checksum(&DATA), 5));
}

#[test]
fn checksum_of_nothing_changes_nothing() {
    let mut iter = Iter::<Source>::kvec(&[], 0).unwrap();
    let mut checksum = Checksum::with_sum(0x1234_5678);
    assert_eq!(iter.csum_and_copy_from_iter(&mut [0; 4], &mut checksum), 0);
    assert_eq!((checksum.sum(), checksum.offset()), (0x1234_5678, 0));
}

#[test]
fn checksum_of_discarded_bytes() {
    // 6.18 sums without copying, but neither clamps nor lowers the count. Here the
    // request is cut to the count as everywhere.
    let mut iter = Iter::<Dest>::discard(4);
    let mut checksum = Checksum::new();
    assert_eq!(iter.csum_and_copy_to_iter(&DATA, &mut checksum), 4);
    assert_eq!((checksum.folded(), iter.remaining()), (naive_checksum(&DATA[..4]), 0));
}

#[test]
fn checksum_of_pages_and_of_long_data() {
    let data = pattern(0x3000);
    let run = TestPage::with_bytes(&data);
    // Odd offset and odd length, over two page borders; the accumulator must not overflow.
    let segments = [
        BioVec::new(run.clone(), 0xfff, 0x1003).unwrap(),
        BioVec::new(run.clone(), 1, 0xffe).unwrap(),
    ];
    let expected = [&data[0xfff..0x2002], &data[1..0xfff]].concat();
    let mut iter = Iter::<Source>::bvec(&segments, expected.len()).unwrap();
    let mut copied = vec![0; expected.len()];
    let mut checksum = Checksum::new();
    assert_eq!(iter.csum_and_copy_from_iter(&mut copied, &mut checksum), expected.len());
    assert_eq!(copied, expected);
    assert_eq!(checksum.folded(), naive_checksum(&expected));

    let ones = vec![0xff; if cfg!(miri) { 0x5001 } else { 0x50001 }];
    let mut checksum = Checksum::new();
    checksum.update(&ones);
    checksum.update(&ones);
    assert_eq!(checksum.folded(), naive_checksum(&[&ones[..], &ones].concat()));
}

#[test]
fn checksum_of_copies_to_every_alignment() {
    let lens = if cfg!(miri) { 1023..1026 } else { 1000..1300 };
    let places = if cfg!(miri) { 30..34 } else { 0..66 };
    let data = pattern(lens.end + 1);
    let mut copied = vec![0; lens.end + places.end + 1];
    for len in lens {
        for place in places.clone() {
            let (source, expected) = ([KVec::from(&data[1..])], &data[1..=len]);
            let mut iter = Iter::<Source>::kvec(&source, len).unwrap();
            let mut checksum = Checksum::new();
            copied.fill(0xee);
            let target = &mut copied[place..place + len];
            assert_eq!(iter.csum_and_copy_from_iter(target, &mut checksum), len);
            assert_eq!(checksum.folded(), naive_checksum(expected), "{len} bytes to {place}");
            assert_eq!(target, expected, "{len} bytes to {place}");
            let (before, after) = (&copied[..place], &copied[place + len..]);
            assert!(before.iter().chain(after).all(|byte| *byte == 0xee));
        }
    }
}
