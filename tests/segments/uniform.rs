//! Lists of equally long segments: the same places as by walking, found without walking.

use std::cell::Cell;

use iov_iter::{Cursor, Segment, SegmentRange, Uniform};
use proptest::prelude::*;

/// A segment that counts how often it is looked at.
struct Watched<'c> {
    len: usize,
    looks: &'c Cell<usize>,
}

impl Segment for Watched<'_> {
    fn len(&self) -> usize {
        self.looks.set(self.looks.get() + 1);
        self.len
    }

    fn address(&self) -> usize {
        0
    }
}

#[test]
fn moving_through_a_gigabyte_looks_at_no_segment() {
    let looks = Cell::new(0);
    // Under Miri a few segments must do, each of them larger.
    let (count, len) = if cfg!(miri) { (1 << 6, 1 << 24) } else { (1 << 18, 1 << 12) };
    let pages: Vec<_> = (0..count).map(|_| Watched { len, looks: &looks }).collect();
    let uniform = Uniform::new(&pages).unwrap();
    let mut cursor = Cursor::new(uniform);
    assert_eq!(cursor.remaining(), 1 << 30);

    looks.set(0);
    assert_eq!(cursor.advance((1 << 30) - 1), (1 << 30) - 1);
    assert_eq!((cursor.position().index, cursor.position().offset), (count - 1, len - 1));
    cursor.revert((1 << 30) - 1 - len).unwrap();
    assert_eq!((cursor.position().index, cursor.position().offset), (1, 0));
    assert!(cursor.revert(len + 1).is_err());
    assert_eq!(looks.get(), 0);
}

#[derive(Clone, Debug)]
enum Move {
    Advance(usize),
    Revert(usize),
    Walk(usize),
    Truncate(u64),
    Reexpand(usize),
}

fn moves(total: usize) -> impl Strategy<Value = Vec<Move>> {
    let n = 0..total + 2;
    proptest::collection::vec(
        prop_oneof![
            n.clone().prop_map(Move::Advance),
            n.clone().prop_map(Move::Revert),
            n.clone().prop_map(Move::Walk),
            n.clone().prop_map(|n| Move::Truncate(n as u64)),
            n.prop_map(Move::Reexpand),
        ],
        0..20,
    )
}

/// The first segment, the number in the middle and their length, the last one.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    (0..9usize, 0..6usize, 1..9usize).prop_flat_map(|(first, middle, each)| {
        (0..=each).prop_map(move |last| {
            let mut lengths = vec![first];
            lengths.extend(std::iter::repeat_n(each, middle));
            if last > 0 {
                lengths.push(last);
            }
            lengths
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 256 }))]

    #[test]
    fn a_uniform_list_is_walked_like_any_other(
        (lengths, moves) in shape().prop_flat_map(|lengths| {
            let total = lengths.iter().sum();
            (Just(lengths), moves(total))
        })
    ) {
        let looks = Cell::new(0);
        let list: Vec<_> = lengths.iter().map(|&len| Watched { len, looks: &looks }).collect();
        let mut plain = Cursor::new(&list[..]);
        let mut uniform = Cursor::new(Uniform::new(&list).unwrap());
        for step in moves {
            match step {
                Move::Advance(n) => assert_eq!(plain.advance(n), uniform.advance(n)),
                Move::Revert(n) => assert_eq!(plain.revert(n), uniform.revert(n)),
                Move::Walk(n) => {
                    assert_eq!(plain.walk(n, |range, _| range.len), uniform.walk(n, |range, _| range.len));
                }
                Move::Truncate(n) => {
                    plain.truncate(n);
                    uniform.truncate(n);
                }
                Move::Reexpand(n) => assert_eq!(plain.reexpand(n), uniform.reexpand(n)),
            }
            assert_eq!(plain.remaining(), uniform.remaining());
            // The same byte, which an empty first segment may precede or not.
            let byte = |range: SegmentRange<'_, Watched>| {
                (std::ptr::from_ref(range.segment).addr(), range.offset, range.len)
            };
            assert_eq!(plain.ranges().next().map(byte), uniform.ranges().next().map(byte));
        }
    }

    #[test]
    fn only_the_shape_is_accepted(lengths in proptest::collection::vec(0..4usize, 0..6)) {
        let looks = Cell::new(0);
        let list: Vec<_> = lengths.iter().map(|&len| Watched { len, looks: &looks }).collect();
        let tail = lengths.get(1..).unwrap_or_default();
        let has_shape = match tail.split_last() {
            None => true,
            Some((last, middle)) => {
                let each = tail[0];
                middle.iter().all(|len| *len == each) && *last > 0 && *last <= each
            }
        };
        assert_eq!(Uniform::new(&list).is_some(), has_shape, "{lengths:?}");
    }
}
