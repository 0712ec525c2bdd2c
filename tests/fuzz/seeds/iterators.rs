//! Seeds around iterators: memory of every kind, and faults in it.

use arbitrary::{Arbitrary, Unstructured};

use super::Seed;
use super::bodies::import::{Input, Limit};
use super::encode::Encode;

/// The shapes of memory, as the bodies number them.
const NAMES: [&str; 12] = [
    "user-buffer",
    "iovec",
    "kvec",
    "bvec",
    "uniform",
    "shared",
    "iovec-chain",
    "kvec-chain",
    "shared-chain",
    "bvec-chain",
    "lookup",
    "discard",
];
/// How many of them, the first ones, a source can be.
const SOURCES: usize = 11;

/// The layout `[A4, B0, C6, D2]` of the worked examples, with gaps.
const WORKED: &[(u8, u8)] = &[(3, 4), (0, 0), (5, 6), (1, 2)];
/// Segments that cross pages of 16 bytes, and some that end on a border.
const PAGES: &[(u8, u8)] = &[(5, 40), (8, 8), (0, 16), (15, 33), (0, 0), (16, 63)];

/// A layout as the bodies decode it.
fn scene(shape: usize, segments: &[(u8, u8)], spare: u8, bad: &[u8], absent: &[u8]) -> Vec<u8> {
    let mut bytes = vec![shape as u8, segments.len() as u8];
    bytes.extend(segments.iter().flat_map(|(gap, len)| [*gap, *len]));
    bytes.push(if spare > 0 { 200 + spare } else { 0 });
    for positions in [bad, absent] {
        bytes.push(positions.len() as u8);
        bytes.extend(positions);
    }
    bytes
}

/// A third of the operations, of a few bytes each, on both iterators, between saving and restoring their
/// states. Those that shorten come late.
fn operations_from(first: u8) -> Vec<u8> {
    let both = |code: u8| [[code, 7, 3, 0], [code, 5, 4, 3]];
    let codes = (first..36).step_by(3).rev();
    [5].into_iter().chain(codes).chain([6]).flat_map(both).flatten().collect()
}

pub fn operations() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (shape, name) in NAMES.iter().enumerate() {
        let source = scene(shape % SOURCES, PAGES, 0, &[], &[]);
        let dest = scene(shape, PAGES, 0, &[], &[]);
        for third in 0..3 {
            let ops = operations_from(third);
            seeds.push((format!("{name}-{third}"), [&source[..], &dest, &ops].concat()));
        }
    }
    let mut push = |name: &str, bytes: Vec<u8>| seeds.push((name.to_string(), bytes));
    // Copy, go back, cut, copy again: from user memory that faults in the middle.
    let ops =
        [[13, 5, 0, 0], [1, 3, 0, 0], [3, 6, 0, 0], [13, 9, 0, 0], [4, 4, 0, 0], [33, 9, 0, 0]];
    let (user, kernel) = (scene(1, WORKED, 0, &[7], &[0]), scene(2, WORKED, 0, &[], &[]));
    push("fault-in-source", [&user[..], &kernel, ops.as_flattened()].concat());
    let ops =
        [[21, 5, 0, 0], [2, 3, 0, 1], [22, 6, 0, 0], [24, 9, 0, 0], [25, 9, 0, 0], [26, 9, 4, 0]];
    push("fault-in-destination", [&kernel[..], &user, ops.as_flattened()].concat());
    // A count that ends inside the list, and states that are kept.
    let cut = scene(3, PAGES, 20, &[], &[]);
    let ops =
        [[5, 0, 0, 0], [0, 50, 0, 0], [10, 60, 5, 0], [2, 70, 0, 0], [6, 0, 0, 0], [4, 9, 0, 0]];
    push("count-inside-the-list", [&cut[..], &cut, ops.as_flattened()].concat());
    // Page by page into user memory that is not resident, with faults disabled and enabled.
    let away = scene(1, PAGES, 0, &[], &[0, 2, 5]);
    let ops = [[28, 30, 9, 2], [28, 30, 9, 0], [29, 30, 9, 2], [7, 90, 0, 1], [29, 30, 9, 2]];
    push("pages-not-resident", [&away[..], &away, ops.as_flattened()].concat());
    seeds
}

/// An array of segments as a 64-bit little-endian process names them.
fn array(segments: &[(u64, u64)]) -> Vec<u8> {
    segments
        .iter()
        .flat_map(|(base, len)| [base.to_le_bytes(), len.to_le_bytes()])
        .flatten()
        .collect()
}

pub fn import() -> Vec<Seed> {
    let seed = |name, change: &dyn Fn(&mut Input<'_>), segments: &[(u64, u64)]| {
        let bytes = array(segments);
        let mut input = Input {
            compat: false,
            count: None,
            place: 8,
            limit: Limit::Usual,
            bad: None,
            times: 0,
            bytes: &bytes,
        };
        change(&mut input);
        let mut encoded = Vec::new();
        input.encode(&mut encoded);
        let decoded = Input::arbitrary_take_rest(Unstructured::new(&encoded));
        assert_eq!(decoded.as_ref(), Ok(&input));
        (name, encoded.clone())
    };
    let same = |_: &mut Input<'_>| {};
    let good = [(0x1000, 4), (0x2000, 0), (0x3000, 6), (0x4000, 2)];
    vec![
        seed("four", &same, &good),
        seed("one", &same, &[(0x1000, 100)]),
        seed("one-too-long", &same, &[(0x1000, 1 << 40)]),
        seed("none", &|input| input.count = Some(0), &[]),
        seed("compat", &|input| input.compat = true, &good),
        seed(
            "compat-negative",
            &|input| input.compat = true,
            &[(0x1000_0000_1000, 0x8000_0000_0000)],
        ),
        seed("negative", &same, &[(0x1000, 4), (0x2000, u64::MAX)]),
        seed(
            "negative-behind-a-fault",
            &|input| input.bad = Some(17),
            &[(0x1000, 4), (0, u64::MAX)],
        ),
        seed("fault-in-an-address", &|input| input.bad = Some(16), &good),
        seed("fault-in-a-length", &|input| input.bad = Some(31), &good),
        seed("outside", &same, &[(0x1000, 4), (0x7fff_ffff_e000, 0x1001)]),
        seed("end-of-the-user-space", &same, &[(0x1000, 4), (0x7fff_ffff_e000, 0x1000)]),
        seed(
            "more-than-one-operation",
            &same,
            &[(0x1000, 0x4000_0000), (0x1000, 0x4000_0000), (0, 9)],
        ),
        seed("as-many-as-can-be", &|input| input.times = 255, &good),
        seed("one-too-many", &|input| (input.times, input.count) = (255, Some(1025)), &good),
        seed("array-cut-short", &|input| input.count = Some(5), &good),
        seed("array-at-the-limit", &|input| input.limit = Limit::BehindTheArray(0), &good),
    ]
}

pub fn pages() -> Vec<Seed> {
    // Taken in every way, again after going back.
    let steps =
        [[0, 20, 3], [1, 100, 9], [3, 90, 0], [2, 70, 9], [3, 50, 0], [0, 255, 9], [1, 255, 9]];
    let seed = |shape: usize, at_most, absent| {
        [scene(shape, PAGES, 0, &[], absent), vec![at_most], steps.concat()].concat()
    };
    let mut seeds: Vec<_> = (0..SOURCES).map(|shape| (NAMES[shape], seed(shape, 7, &[]))).collect();
    seeds.push(("one-page-at-a-time", seed(1, 0, &[])));
    seeds.push(("pages-not-resident", seed(0, 7, &[0, 3, 4])));
    seeds
}

pub fn checksum() -> Vec<Seed> {
    // Calls of odd and even lengths over segments of odd and even lengths.
    let calls = [1, 2, 3, 0, 5, 8, 13, 1, 1, 30, 31, 32, 0, 7, 255, 255];
    let data: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(151) ^ 0xff).collect();
    let seed = |scene: Vec<u8>| [&scene[..], &calls, &data].concat();
    let mut seeds: Vec<_> =
        (0..SOURCES).map(|shape| (NAMES[shape], seed(scene(shape, PAGES, 0, &[], &[])))).collect();
    seeds.push(("fault", seed(scene(1, PAGES, 0, &[57], &[2]))));
    let ones = [&scene(2, WORKED, 0, &[], &[])[..], &calls, &[0xff; 12]].concat();
    seeds.push(("ones", ones));
    seeds
}
