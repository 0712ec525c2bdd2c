//! Comparing vectors, and looking for zeros.

use crate::flat::cut;
use iov_iter::iov::{Error, View};
use iov_iter::{KVec, Source};

fn compare(
    left: (&[u8], &[usize]),
    right: (&[u8], &[usize]),
) -> (Option<usize>, Result<Option<usize>, Error>) {
    let (left, right) = (cut(left.0, left.1), cut(right.0, right.1));
    let (left, right) = (View::new(&left), View::new(&right));
    let mismatch = left.mismatch(&right);
    assert_eq!(right.mismatch(&left), mismatch);
    (mismatch, left.compare(&right))
}

#[test]
fn the_first_difference_is_found() {
    let one = *b"0123456789";
    assert_eq!(compare((&one, &[4, 6]), (&one, &[4, 6])), (None, Ok(None)));
    let mut other = one;
    other[6] = b'x';
    assert_eq!(compare((&one, &[4, 6]), (&other, &[4, 6])), (Some(6), Ok(Some(6))));
    other[0] = b'x';
    assert_eq!(compare((&one, &[4, 6]), (&other, &[4, 6])), (Some(0), Ok(Some(0))));
    assert_eq!(compare((&[], &[]), (&[], &[])), (None, Ok(None)));
}

#[test]
fn the_structure_comes_first() {
    let mismatch = |index, left, right| Err(Error::StructureMismatch { index, left, right });
    // C reports the data difference at 0, as it has not come to the lengths yet.
    let (one, other) = (*b"abcd", *b"xbcd");
    assert_eq!(compare((&one, &[1, 3]), (&other, &[1, 1, 2])), (Some(0), mismatch(1, 3, 1)));
    assert_eq!(compare((&one, &[4]), (&one, &[4, 0])), (None, Ok(None)));
    assert_eq!(compare((&one, &[4]), (&one, &[0, 2, 2])), (None, mismatch(0, 4, 2)));
    assert_eq!(compare((&one, &[2, 2]), (&one[..2], &[2])), (Some(2), mismatch(1, 2, 0)));
    assert_eq!(compare((&[], &[]), (&one, &[4])), (Some(0), mismatch(0, 0, 4)));
}

/// Every pair of short lists, sliced, and equal but for at most one byte.
#[test]
fn every_pair_of_short_lists() {
    let (most, base, step) = if cfg!(miri) { (2, 2_usize, 6) } else { (3, 3, 1) };
    let lists: Vec<Vec<usize>> = (0..=most)
        .flat_map(|count| (0..base.pow(count)).map(move |code| (code, count)))
        .map(|(code, count)| (0..count).map(|at| code / base.pow(at) % base).collect())
        .collect();
    // The pieces that are not empty, of the bytes from `start` to the `end`.
    let pieces = |lengths: &[usize], start: usize, end: usize| {
        let mut at = 0;
        let mut pieces = Vec::new();
        for len in lengths {
            let (from, to) = (at.max(start), (at + len).min(end));
            at += len;
            pieces.extend((from < to).then(|| to - from));
        }
        pieces
    };
    let bytes = *b"abcdef";
    for (one, two) in lists.iter().flat_map(|one| lists.iter().map(move |two| (one, two))) {
        let (size, other_size): (usize, usize) = (one.iter().sum(), two.iter().sum());
        for (start, changed) in
            (0..=size.min(other_size)).flat_map(|s| (s..=6).step_by(step).map(move |c| (s, c)))
        {
            let mut others = bytes;
            others.iter_mut().skip(changed).take(1).for_each(|byte| *byte ^= 1);
            let (left, right) = (cut(&bytes[..size], one), cut(&others[..other_size], two));
            for (end, other_end) in
                [(size, other_size), (size.min(other_size), size.min(other_size))]
            {
                let view = View::new(&left).slice(start, end - start).unwrap();
                let other = View::new(&right).slice(start, other_end - start).unwrap();
                let (ours, theirs) = (pieces(one, start, end), pieces(two, start, other_end));
                let differs = bytes[start..end]
                    .iter()
                    .zip(&others[start..other_end])
                    .position(|(one, two)| one != two);
                let at = |pieces: &[usize], index| pieces.get(index).copied().unwrap_or(0);
                let unlike = (0..4).find(|&index| at(&ours, index) != at(&theirs, index));
                let expected = match unlike {
                    Some(index) => Err(Error::StructureMismatch {
                        index,
                        left: at(&ours, index),
                        right: at(&theirs, index),
                    }),
                    None => Ok(differs),
                };
                let case = (one, two, start, end, other_end, changed);
                assert_eq!(view.compare(&other), expected, "{case:?}");
            }
        }
    }
}

#[test]
fn zeros_are_found_in_ranges() {
    let mut bytes = [0; 12];
    bytes[6] = 1;
    let segments = cut(&bytes, &[4, 0, 6, 2]);
    let view = View::new(&segments);
    let is_zero = |offset, len| view.slice(offset, len).map(|range| range.is_zero());
    for range in [(0, 6), (7, 5), (12, 0), (0, 0)] {
        assert_eq!(is_zero(range.0, range.1), Ok(true), "{range:?}");
    }
    for range in [(0, 12), (6, 1)] {
        assert_eq!(is_zero(range.0, range.1), Ok(false), "{range:?}");
    }
    for (offset, len) in [(12, 1), (13, 0)] {
        assert_eq!(is_zero(offset, len), Err(Error::RangeOutOfRange { offset, len, size: 12 }));
    }
}

/// Lengths around the sizes of words and blocks.
fn lengths() -> impl Iterator<Item = usize> {
    let lengths = if cfg!(miri) { (0..24).chain(60..76) } else { (0..150).chain(250..260) };
    lengths.step_by(if cfg!(miri) { 5 } else { 1 })
}

#[test]
fn a_single_bit_is_found_at_every_place_and_alignment() {
    let mut memory = [0_u8; 300];
    for shift in 0..9 {
        for len in lengths() {
            let range = shift..shift + len;
            // Surrounded by other bytes.
            memory.fill(0xff);
            memory[range.clone()].fill(0);
            let all = [KVec::from(&memory[range.clone()])];
            assert!(View::new(&all).is_zero());
            let steps = if cfg!(miri) { 13 } else { 1 };
            for at in range.clone().step_by(steps) {
                memory[at] = 1 << (at % 8);
                let all = [KVec::from(&memory[range.clone()])];
                assert!(!View::new(&all).is_zero(), "{at} of {range:?}");
                memory[at] = 0;
            }
        }
    }
}

#[test]
fn a_difference_is_found_at_every_place_and_alignment() {
    let pattern: Vec<u8> = (0..300).map(|at| (at * 7 % 251) as u8).collect();
    for (left_shift, right_shift) in [(0, 0), (1, 1), (0, 1), (3, 0), (7, 2), (2, 8)] {
        for len in lengths() {
            let mut left = vec![0xaa; left_shift];
            left.extend(&pattern[..len]);
            left.push(1);
            let mut right = vec![0x55; right_shift];
            right.extend(&pattern[..len]);
            right.push(2);
            let find = |left: &[u8], right: &[u8]| {
                let left = [KVec::from(&left[left_shift..][..len])];
                let right = [KVec::from(&right[right_shift..][..len])];
                let (left, right) = (View::new(&left), View::new(&right));
                let mismatch = left.mismatch(&right);
                assert_eq!(left.compare(&right), Ok(mismatch));
                mismatch
            };
            assert_eq!(find(&left, &right), None);
            let steps = if cfg!(miri) { 13 } else { 1 };
            for at in (0..len).step_by(steps) {
                right[right_shift + at] ^= 1 << (at % 8);
                assert_eq!(find(&left, &right), Some(at));
                // One after it changes nothing.
                right[right_shift + (at + 9).min(len - 1)] = 0xff;
                assert_eq!(find(&left, &right), Some(at));
                right[right_shift..][..len].copy_from_slice(&pattern[..len]);
            }
        }
    }
}

#[test]
fn single_bytes_compare_with_whole_segments() {
    let bytes: Vec<u8> = (0..200).collect();
    let ones = vec![1; 200];
    let whole = [200];
    assert_eq!(compare((&bytes, &ones), (&bytes, &whole)).0, None);
    let mut other = bytes.clone();
    other[199] = 0;
    assert_eq!(compare((&bytes, &ones), (&other, &whole)).0, Some(199));
}

#[test]
fn views_are_equal_if_their_bytes_are() {
    let bytes = *b"0123456789";
    for cuts in [&[10][..], &[4, 6], &[4, 0, 6], &[0, 1, 9, 0], &[3, 3, 4]] {
        let one = cut(&bytes, cuts);
        let one = View::new(&one);
        let (array, slice) = (&bytes, &bytes[..]);
        assert!(one == bytes && one == array && one == bytes[..] && one == slice);
        assert!(one != bytes[..9] && one != *b"0123456780" && one != [0; 0]);
        let (shorter, other) = (&bytes[..9], b"0123456780");
        assert!(one != shorter && one != other);
        for others in [&[10][..], &[4, 6], &[1, 0, 9]] {
            let other = cut(&bytes, others);
            let other = View::new(&other);
            assert_eq!(one, other);
            for at in 0..10 {
                assert_eq!(one.clip(at, 3).unwrap(), other.clip(at, 3).unwrap());
                assert_ne!(one.clip(at, 3).unwrap(), other.clip(10 - at, 0).unwrap());
            }
        }
    }
    assert_eq!(View::<Source>::default(), View::new(&cut(&[], &[0, 0])));
}
