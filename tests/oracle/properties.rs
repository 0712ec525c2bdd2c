//! Every operation against the naive model, under random segments, faults and sequences.

use crate::model::flat::Flat;
use crate::model::ops::{Case, Op};
use crate::model::run::run;
use crate::model::scene::{P, Scene, Shape};
use crate::model::{At, Iter, TestPage, held_bytes, place};
use iov_iter::{Dest, Direction, DupStorage, HeldPage, ScatterEntry, Source};
use proptest::collection::vec;
use proptest::prelude::*;

/// How many cases to run: few where every step is interpreted.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { count / 256 } else { count },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn segments() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let len = prop_oneof![2 => Just(0), 2 => Just(16), 6 => 0..50usize];
    let gap = prop_oneof![3 => Just(0), 2 => Just(16), 5 => 0..40usize];
    vec((gap, len), 0..9)
}

fn scene(shapes: &'static [Shape], faults: bool) -> impl Strategy<Value = Scene> {
    let few = if faults { 0..3 } else { 0..1 };
    let spare = prop_oneof![3 => Just(0), 1 => 0..30usize];
    let absent = vec(0..30usize, if faults { 0..5 } else { 0..1 });
    (prop::sample::select(shapes), segments(), spare, vec(0..300usize, few), absent).prop_map(
        |(shape, segments, spare, bad, absent)| Scene { shape, segments, spare, bad, absent },
    )
}

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = (any::<u8>(), 0..130u8, 0..60u8, 0..16u8);
    vec(op.prop_map(|(code, a, b, c)| Op::new(code, a, b, c)), 0..most)
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    (scene(Shape::SOURCES, true), scene(&Shape::ALL, true), ops(most))
        .prop_map(|(source, dest, ops)| Case { source, dest, ops })
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn operations_equal_the_model(case in case(24)) {
        run(&case);
    }

    #[test]
    fn one_operation_equals_the_model(mut case in case(2), skip in 0..100u8) {
        // The single operation under test is seen from many places.
        case.ops.insert(0, Op::new(0, skip, 0, 0));
        case.ops.insert(1, Op::new(0, skip, 0, 1));
        run(&case);
    }

    #[test]
    fn operations_from_bytes_equal_the_model(bytes in vec(any::<u8>(), 0..200)) {
        run(&Case::from_bytes(&bytes));
    }
}

/// Calls `check` with an iterator to read from, and its model.
fn with_source<R>(scene: &Scene, check: impl FnOnce(Iter<'_, Source, P>, Flat) -> R) -> R {
    let (memory, buffer, flat) = scene.build();
    let kvecs = memory.sources(&buffer, &flat, scene);
    check(memory.source(&kvecs), flat)
}

/// Bytes left, and all that is shown of the place.
fn told_place(iter: &Iter<'_, Source, P>) -> (usize, String) {
    (iter.remaining(), format!("{iter:?}"))
}

/// Reads up to `n` bytes.
fn read(iter: &mut Iter<'_, Source, P>, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    let copied = iter.copy_from_iter(&mut bytes);
    assert!(copied <= n);
    bytes.truncate(copied);
    bytes
}

/// All that an iterator tells about itself, with segments counted without the empty ones.
fn told<D: Direction>(iter: &Iter<'_, D, P>, segments: &[(usize, usize)]) -> String {
    let At { seg, off, nr, count } = place(iter);
    let before = segments[..seg].iter().filter(|(_, len)| *len > 0).count();
    let (alignment, gaps) = (iter.alignment(), iter.gap_alignment());
    let aligned = [1, 2, 4, 8].map(|mask| (iter.is_aligned(mask, 0), iter.is_aligned(0, mask)));
    let pages = (iter.npages(usize::MAX), iter.npages(3), iter.npages_cap(9, 20));
    let user = iter.user_segment();
    let single = iter.first_segment_len();
    let mut storage = DupStorage::<_, _, 9>::new();
    let copy = iter.dup(&mut storage).map(|copy| format!("{copy:?}"));
    format!(
        "{:?} {iter:?} {storage:?}",
        (before, off, nr, count, alignment, gaps, aligned, pages, user, single, copy, iter.save())
    )
}

/// What `steps` do to an iterator over these segments: the result of each, and what the iterator
/// tells then.
fn observe<D: Direction>(
    mut iter: Iter<'_, D, P>,
    segments: &[(usize, usize)],
    steps: &[(u8, usize)],
    copy: impl Fn(&mut Iter<'_, D, P>, usize) -> Vec<u8>,
) -> Vec<String> {
    let mut seen = vec![told(&iter, segments)];
    let mut saved = iter.save();
    for (what, n) in steps.iter().copied() {
        let mut list = heapless::Vec::<HeldPage<'_, TestPage<P>>, 8>::new();
        let mut entries = heapless::Vec::<ScatterEntry<'_, TestPage<P>>, 8>::new();
        let mut pieces = Vec::new();
        let result = match what {
            0 => copy(&mut iter, n),
            1 => vec![iter.advance(n) as u8],
            2 => vec![u8::from(iter.revert(n).is_ok())],
            3 => {
                iter.truncate(n as u64);
                vec![]
            }
            4 => vec![u8::from(iter.reexpand(n).is_ok())],
            5 => {
                saved = iter.save();
                vec![]
            }
            6 => vec![u8::from(iter.restore(&saved).is_ok())],
            7 => {
                let range = iter.extract_pages(n, 8, &mut list).unwrap_or_default();
                held_bytes(&list, range)
            }
            8 => {
                let range = iter.get_pages(n, 8, &mut list).unwrap_or_default();
                held_bytes(&list, range)
            }
            9 => {
                let len = iter.extract_to_scatter_list(n, 8, &mut entries);
                pieces.extend(entries.iter().map(|entry| (entry.offset, entry.len)));
                vec![u8::from(len.is_ok())]
            }
            _ => {
                let handled = iter.iterate_and_advance(
                    n,
                    &mut pieces,
                    |pieces, user, at| {
                        pieces.push((at, user.len()));
                        user.len()
                    },
                    |pieces, piece, at| {
                        pieces.push((at, piece.len()));
                        piece.len() - piece.len() / 7
                    },
                );
                vec![handled as u8]
            }
        };
        seen.push(format!("{what} {n}: {result:?} {pieces:?} {}", told(&iter, segments)));
    }
    seen
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn one_copy_equals_two(scene in scene(Shape::SOURCES, true), a in 0..100usize, b in 0..100usize) {
        with_source(&scene, |mut once, _| {
            let mut twice = once.clone();
            let whole = read(&mut once, a + b);
            let parts = [read(&mut twice, a), read(&mut twice, b)].concat();
            assert_eq!(whole, parts);
            assert_eq!(told_place(&once), told_place(&twice));
        });
    }

    #[test]
    fn advancing_skips_bytes(scene in scene(Shape::SOURCES, false), n in 0..200usize) {
        with_source(&scene, |mut iter, flat| {
            let passed = iter.advance(n);
            assert_eq!(passed, n.min(flat.count));
            let rest = read(&mut iter, usize::from(u8::MAX));
            let expected: Vec<_> = flat.bytes[passed..flat.count].iter().map(|b| b.value.unwrap()).collect();
            assert_eq!(rest, expected[..rest.len()]);
            assert_eq!(rest.len(), expected.len().min(255));
        });
    }

    #[test]
    fn copying_and_reverting_is_the_identity(
        scene in scene(Shape::SOURCES, true), skip in 0..60usize, n in 0..200usize,
    ) {
        with_source(&scene, |mut iter, _| {
            iter.advance(skip);
            let before = iter.remaining();
            let first = read(&mut iter, n);
            assert_eq!(iter.remaining(), before - first.len());
            assert_eq!(iter.revert(first.len()), Ok(()));
            assert_eq!(iter.remaining(), before);
            assert_eq!(read(&mut iter, n), first);
        });
    }

    #[test]
    fn truncating_and_reexpanding_is_the_identity(
        scene in scene(Shape::SOURCES, true), skip in 0..60usize, limit in 0..200usize,
    ) {
        with_source(&scene, |mut iter, _| {
            iter.advance(skip);
            let (before, mut untouched) = (told_place(&iter), iter.clone());
            iter.truncate(limit as u64);
            assert_eq!(iter.remaining(), before.0.min(limit));
            assert_eq!(iter.reexpand(before.0), Ok(()));
            assert_eq!(told_place(&iter), before);
            assert_eq!(read(&mut iter, 500), read(&mut untouched, 500));
        });
    }

    #[test]
    fn restoring_is_the_identity_whatever_happened(
        scene in scene(Shape::SOURCES, true), skip in 0..60usize, moves in vec((0..5u8, 0..100usize), 0..10),
    ) {
        with_source(&scene, |mut iter, _| {
            iter.advance(skip);
            let (before, state, mut untouched) = (told_place(&iter), iter.save(), iter.clone());
            for (what, n) in moves {
                match what {
                    0 => drop(read(&mut iter, n)),
                    1 => drop(iter.advance(n)),
                    2 => drop(iter.revert(n)),
                    3 => iter.truncate(n as u64),
                    _ => drop(iter.reexpand(n)),
                }
            }
            assert_eq!(iter.restore(&state), Ok(()));
            assert_eq!(told_place(&iter), before);
            assert_eq!(read(&mut iter, 500), read(&mut untouched, 500));
        });
    }

    #[test]
    fn empty_segments_change_no_result(
        scene in scene(Shape::WITH_EMPTY, true),
        places in vec((0..9usize, 0..20usize), 1..6),
        steps in vec((0..11u8, 0..80usize), 1..12),
    ) {
        let mut holed = scene.clone();
        for (place, gap) in places {
            // A gap would move what follows, unless it is in other pages.
            let gap = if matches!(scene.shape, Shape::BVec | Shape::BVecChain) { gap } else { 0 };
            holed.segments.insert(place.min(holed.segments.len()), (gap, 0));
        }
        let (plain_memory, mut buffer, flat) = scene.build();
        let (holed_memory, _, holed_flat) = holed.build();
        // Addressable memory is the same for both: so are the addresses.
        {
            let (plain, with_holes) = (
                plain_memory.sources(&buffer, &flat, &scene),
                holed_memory.sources(&buffer, &holed_flat, &holed),
            );
            assert_eq!(
                observe(plain_memory.source(&plain), &scene.segments, &steps, read),
                observe(holed_memory.source(&with_holes), &holed.segments, &steps, read)
            );
        }
        let write = |iter: &mut Iter<'_, Dest, P>, n| vec![iter.copy_to_iter(&vec![0x55; n]) as u8];
        let before = buffer.clone();
        let plain = plain_memory.dests(&mut buffer, &flat, &scene);
        let seen = observe(plain_memory.dest(&plain), &scene.segments, &steps, write);
        drop(plain);
        let after = buffer.clone();
        buffer.copy_from_slice(&before);
        let with_holes = holed_memory.dests(&mut buffer, &holed_flat, &holed);
        let iter = holed_memory.dest(&with_holes);
        assert_eq!(seen, observe(iter, &holed.segments, &steps, write));
        drop(with_holes);
        assert_eq!(after, buffer);
    }
}
