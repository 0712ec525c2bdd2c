//! Seeds around whole vectors.

use arbitrary::{Arbitrary, Unstructured};

use super::Seed;
use super::bodies::discard::{Input, Op};
use super::encode::Encode;

/// The elements `[A4, B0, C6, D2]` of the worked examples: start and length.
const WORKED: &[(u8, u8)] = &[(0, 4), (4, 0), (4, 6), (10, 2)];
/// Elements that overlap, repeat and stand in the wrong order.
const OVERLAPPING: &[(u8, u8)] = &[(100, 30), (110, 5), (20, 35), (0, 9), (20, 35), (90, 20)];

/// Elements, and operations, as the body decodes them.
fn over(places: &[(u8, u8)], ops: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 200, 77, places.len() as u8];
    bytes.extend(places.iter().flat_map(|(start, len)| [*start, *len]));
    bytes.extend(ops.concat());
    bytes
}

pub fn vectors() -> Vec<Seed> {
    // Sizes are told in 256ths of the bytes in view.
    let peel: &[&[u8]] = &[&[0, 200], &[1, 100], &[2, 0], &[3, 90, 5], &[2, 1]];
    let copies: &[&[u8]] = &[&[4, 50, 120], &[4, 255, 255], &[5, 30, 200, 3], &[5, 0, 255, 20]];
    let compare: &[&[u8]] =
        &[&[6, 0, 0, 1, 4, 4, 2], &[6, 0, 1, 128, 1, 2, 5, 20], &[6, 0, 0, 0, 99]];
    let send: &[&[u8]] = &[
        &[7, 0, 0, 255, 4, 10, 3, 9, 63, 5],
        &[7, 0, 64, 128, 3, 63, 0, 20, 1],
        &[7, 0, 0, 255, 2, 12, 1, 3],
    ];
    let layout: &[&[u8]] = &[&[8, 0, 255], &[8, 0, 100], &[9, 0, 30, 99, 5, 7], &[10, 90]];
    let gather: &[&[u8]] =
        &[&[11, 0, 255], &[11, 99, 99], &[12, 0, 5, 9], &[13, 20, 7], &[13, 0, 255]];
    let write: &[&[u8]] = &[
        &[14, 0, 4, 9, 0, 30, 5, 0, 255, 10, 255, 0],
        &[14, 0, 3, 9, 20, 5, 40, 99, 0, 200, 1, 0x77],
        &[15, 0, 4, 9, 0, 30, 5, 0, 255, 4, 10, 3, 9, 63, 3],
    ];
    let all = [peel, copies, compare, send, layout, gather, write].concat();
    vec![
        ("worked", over(WORKED, &all)),
        ("overlapping", over(OVERLAPPING, &all)),
        ("nothing", over(&[], &all)),
        ("peeled", over(OVERLAPPING, &[peel, copies, compare].concat())),
        ("sent", over(&[(0, 3); 40], send)),
        ("written", over(WORKED, write)),
        ("gathered", over(OVERLAPPING, &[gather, gather].concat())),
    ]
}

pub fn discard() -> Vec<Seed> {
    use Op::*;
    let seed = |name, places: &[(u8, u8)], ops: &[Op]| {
        let input = Input { places: places.to_vec(), ops: ops.to_vec() };
        let mut encoded = Vec::new();
        input.encode(&mut encoded);
        assert_eq!(Input::arbitrary_take_rest(Unstructured::new(&encoded)), Ok(input));
        (name, encoded)
    };
    vec![
        seed("front", WORKED, &[Front(0), Front(3), Front(4), Front(3), Front(3)]),
        seed("back", WORKED, &[Back(0), Back(1), Back(1), Back(3), Back(8)]),
        seed("undo-in-reverse", &[(0, 10)], &[UndoableFront(4), UndoableBack(3), Undo(1), Undo(0)]),
        seed("undo-in-order", &[(0, 10)], &[UndoableFront(4), UndoableBack(3), Undo(0), Undo(0)]),
        seed(
            "on-a-border",
            &[(0, 4), (4, 10)],
            &[UndoableBack(1), UndoableFront(4), Undo(0), Undo(0)],
        ),
        seed(
            "exhausted",
            &[(0, 4), (4, 10)],
            &[UndoableFront(6), UndoableBack(8), Undo(0), Undo(0)],
        ),
        seed(
            "later-discards",
            WORKED,
            &[UndoableFront(4), UndoableFront(4), Undo(0), UndoableFront(2), Undo(0), Undo(0)],
        ),
        seed("foreign", WORKED, &[Front(3), UndoForeign(5), Back(2), UndoForeign(0)]),
        seed(
            "scopes",
            WORKED,
            &[
                Front(1),
                Scope,
                Front(3),
                Back(1),
                Scope,
                Front(100),
                End(false),
                End(false),
                Scope,
                Front(3),
                End(true),
                Scope,
                Back(9),
            ],
        ),
        seed(
            "older-token-in-a-scope",
            WORKED,
            &[UndoableFront(4), Scope, Back(2), Undo(0), End(false)],
        ),
        seed(
            "slices",
            OVERLAPPING,
            &[
                Slice(3, 60),
                UndoableFront(2),
                Scope,
                Slice(9, 9),
                Back(4),
                End(false),
                Undo(0),
                Slice(90, 90),
            ],
        ),
        seed(
            "block-request",
            &[(0, 10), (10, 30)],
            &[UndoableFront(16), UndoableBack(1), Undo(1), Undo(0)],
        ),
    ]
}
