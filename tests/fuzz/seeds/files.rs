//! Seeds around buffered files: what is put, got, compressed and parsed.

use super::Seed;
use super::bodies::sized_buffer::{self, Op, Place};
use super::encode::Encode;

/// A length as the bodies decode it.
fn len(len: usize) -> Vec<u8> {
    let [low, high] = (len as u16).to_le_bytes();
    match len {
        0..256 => vec![40, low],
        32700..32956 => vec![32, (len - 32700) as u8],
        _ => vec![0, low, high],
    }
}

/// A channel that does not fail, or fails after so many bytes, and moves such portions.
fn channel(fails_at: Option<u16>, portions: &[Option<usize>]) -> Vec<u8> {
    let mut bytes = vec![1];
    if let Some(at) = fails_at {
        bytes = [&[0][..], &at.to_le_bytes()].concat();
    }
    bytes.extend(again(portions));
    bytes
}

/// The portions of another channel.
fn again(portions: &[Option<usize>]) -> Vec<u8> {
    let portion = |portion: &Option<usize>| match portion {
        None => vec![0],
        Some(most) => [vec![1], len(*most)].concat(),
    };
    [vec![portions.len() as u8], portions.iter().flat_map(portion).collect()].concat()
}

/// Something put that has a range.
fn range(kind: u8, start: u16, size: usize) -> Vec<u8> {
    [&[kind][..], &start.to_le_bytes(), &len(size)].concat()
}

/// A list of operations with its length in front.
fn list(operations: &[Vec<u8>]) -> Vec<u8> {
    [vec![operations.len() as u8], operations.concat()].concat()
}

/// One of everything that can be got.
fn every_get() -> Vec<Vec<u8>> {
    let simple = [0, 1, 2, 9, 15].map(|kind| vec![kind]);
    let sized = [3, 4, 5, 6, 8, 12, 13].map(|kind| [vec![kind], len(5)].concat());
    let integers = (0..11).map(|which| vec![10, which]);
    let peek = [vec![7], len(9), len(300)].concat();
    let segments = [vec![11, 3], len(2), len(0), len(7)].concat();
    let iter = [vec![14], len(30), len(6), vec![1]].concat();
    let faulting = [vec![14], len(30), len(6), vec![0], len(13)].concat();
    let others = [peek, segments, iter, faulting];
    simple.into_iter().chain(sized).chain(integers).chain(others).collect()
}

pub fn stream() -> Vec<Seed> {
    let numbers: [&[u8]; 6] = [&[0, 7], &[1, 1, 2], &[2, 3, 4], &[3, 5, 6], &[4, 7, 8], &[10, 200]];
    let numbers = numbers.map(<[u8]>::to_vec);
    let ranges = [5, 6, 7, 8, 8 | 0x80].map(|kind| range(kind, 1000, 300));
    let every_put =
        [&numbers[..], &ranges, &[[vec![9 | 0x80], len(40)].concat(), vec![14]]].concat();
    let raw = [12, 12 | 0x80].map(|kind| range(kind, 2000, 300));
    let iter = [range(13, 700, 400), len(90)].concat();
    let faulting = [range(13 | 0x80, 700, 400), len(90), len(111)].concat();
    let every_put = [every_put, raw.to_vec(), vec![iter, faulting]].concat();
    // Pages of a guest, each after a header.
    let page = |at: u16| [vec![3, 0x10, 0x20], range(8 | 0x80, at * 4096, 4096)];
    let pages = list(&(0..14).flat_map(page).collect::<Vec<_>>());
    // More pieces of borrowed memory than the queue has room for.
    let pieces: Vec<_> = (0..140).map(|at| range(6, at * 3, 2)).collect();
    let large = [range(5, 0, 40_000), vec![0, 1], range(6, 9, 60_000), range(5, 5, 32_768)];
    let whole = channel(None, &[Some(65_535)]);
    let small = [Some(1), Some(7), None, Some(300)];
    let gets = every_get().concat();
    let seed = |parts: &[&[u8]]| parts.concat();
    vec![
        ("everything", seed(&[&whole, &list(&every_put), &again(&[]), &gets, &gets])),
        (
            "small-portions",
            seed(&[&channel(None, &small), &list(&every_put), &again(&small), &gets]),
        ),
        (
            "failing",
            seed(&[&channel(Some(700), &small), &list(&every_put), &again(&[None]), &gets]),
        ),
        ("pages", seed(&[&whole, &pages, &again(&[Some(5000)]), &[4, 0, 0, 80], &gets])),
        (
            "pages-blocked",
            seed(&[&channel(None, &[None, Some(2000), None]), &pages, &again(&small)]),
        ),
        ("pages-failing", seed(&[&channel(Some(9000), &[Some(4000)]), &pages, &again(&[]), &gets])),
        (
            "full-queue",
            seed(&[&channel(None, &[Some(3), None]), &list(&pieces), &again(&[]), &gets]),
        ),
        ("large", seed(&[&whole, &list(&large), &again(&[Some(32_767)]), &[5, 0, 0, 128], &gets])),
        ("nothing", seed(&[&whole, &list(&[]), &again(&[]), &gets])),
    ]
}

pub fn reader() -> Vec<Seed> {
    let every = list(&every_get());
    let peek = |size: usize, offset: usize| [vec![7], len(size), len(offset)].concat();
    let limits = list(&[
        peek(32_767, 1),
        peek(32_768, 1),
        [vec![13], len(32_768)].concat(),
        [vec![12], len(32_767)].concat(),
        [vec![12], len(32_768)].concat(),
        [vec![5], len(32_768)].concat(),
        [vec![6], len(32_767)].concat(),
        vec![2],
        [vec![8], len(40_000)].concat(),
        [vec![4], len(50_000)].concat(),
        vec![15],
    ]);
    let strings = list(&vec![vec![9]; 8]);
    let text = b"\x04head\x00\x07counted\x01!\xffcut short";
    let numbers: Vec<u8> = (0..90).map(|at: u8| at.wrapping_mul(77)).collect();
    let small = [Some(1), None, Some(3), None, Some(20)];
    let seed = |channel: Vec<u8>, gets: &[u8], times: [u8; 2], data: &[u8]| {
        [&channel, gets, &times, data].concat()
    };
    vec![
        ("everything", seed(channel(None, &[]), &every, [0, 0], &numbers)),
        ("small-portions", seed(channel(None, &small), &every, [1, 2], &numbers)),
        ("failing", seed(channel(Some(100), &small), &every, [1, 2], &numbers)),
        ("limits", seed(channel(None, &[]), &limits, [3, 255], &numbers)),
        ("limits-blocked", seed(channel(None, &[None, Some(999)]), &limits, [3, 255], &numbers)),
        ("strings", seed(channel(None, &[]), &strings, [0, 0], text)),
        ("strings-blocked", seed(channel(None, &small), &strings, [0, 0], text)),
        ("nothing", seed(channel(None, &[None]), &every, [0, 0], &[])),
    ]
}

pub fn sized_buffer() -> Vec<Seed> {
    use Place::*;
    let seed = |name, ops: &[Op]| {
        let mut encoded = Vec::new();
        ops.to_vec().encode(&mut encoded);
        assert_eq!(sized_buffer::decode(&encoded), ops);
        (name, encoded)
    };
    vec![
        seed(
            "gap",
            &[
                Op::Write(Near(0), 1000, 1),
                Op::Write(Near(1000), 100, 2),
                Op::Append(4000, 3),
                Op::Write(Near(9000), 10, 4),
                Op::Read(Near(8990), 64),
                Op::SetLen(Near(500)),
                Op::Write(Near(510), 1, 5),
                Op::Read(Near(0), 999),
            ],
        ),
        seed(
            "borders-of-chunks",
            &[
                Op::Append(1023, 1),
                Op::Append(2, 2),
                Op::Append(2046, 3),
                Op::Append(1, 4),
                Op::Write(Near(1023), 2, 5),
                Op::Read(Near(1020), 10),
                Op::Shrink,
                Op::SetLen(Near(1024)),
                Op::Shrink,
                Op::SetLen(Border(false, 0)),
                Op::Write(Border(false, -3), 7, 1),
                Op::Read(Border(false, -5), 20),
                Op::SetLen(Border(false, 0)),
            ],
        ),
        seed(
            "third-chunk",
            &[
                Op::Write(Border(false, -1), 2, 1),
                Op::Write(Border(true, -4), 9, 2),
                Op::Read(Border(true, -10), 20),
                Op::SetLen(Border(true, 0)),
                Op::Shrink,
                Op::Clone,
                Op::SetLen(End(1)),
                Op::SetLen(Near(0)),
                Op::SetLen(Border(true, 1)),
            ],
        ),
        seed(
            "limit",
            &[
                Op::SetLimit(Near(100)),
                Op::Append(100, 1),
                Op::Append(1, 2),
                Op::SetLen(Near(101)),
                Op::SetLimit(Near(50)),
                Op::Clone,
                Op::Write(Near(0), 60, 3),
                Op::Write(Near(0), 50, 3),
                Op::Reserve(Near(51)),
                Op::Reserve(Last(0)),
                Op::SetLen(End(-10)),
            ],
        ),
        seed(
            "largest-positions",
            &[
                Op::Append(4, 1),
                Op::Write(Last(0), 1, 1),
                Op::Write(Last(3), 4, 1),
                Op::Write(Last(0), 0, 1),
                Op::Read(Last(0), 9),
                Op::SetLen(Last(0)),
                Op::Reserve(Last(0)),
                Op::Seek(Last(2)),
                Op::ChannelWrite(2, 1, 7),
                Op::SeekFromHere(9),
                Op::ChannelRead(9),
            ],
        ),
        seed(
            "channel",
            &[
                Op::ChannelWrite(10, 100, 1),
                Op::Seek(Near(3)),
                Op::ChannelWrite(2, 0, 9),
                Op::SeekFromEnd(2),
                Op::ChannelWrite(0, 1, 5),
                Op::SeekFromHere(-9),
                Op::ChannelRead(100),
                Op::SeekFromEnd(-2000),
                Op::SeekFromHere(-1),
            ],
        ),
    ]
}

/// Data of a zlib stream that is not compressed, and its check sum.
fn stored(data: &[u8]) -> Vec<u8> {
    let add = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    };
    let (a, b) = data.iter().fold((1, 0), add);
    let len = data.len() as u16;
    let head = [&[0x78, 0x01, 0x01][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
    [&head[..], data, &(b << 16 | a).to_be_bytes()].concat()
}

pub fn compressed() -> Vec<Seed> {
    // Bytes as they are, many times the same one, the last ones again, noise.
    let block = b"\x00\x04page\x01\xff\x00\x02\x40\x00\x00\x02no\x03\x20\x09\x01\x30\xff";
    let noise: Vec<u8> = [[3, 255, 1], [3, 255, 2], [3, 255, 3], [3, 255, 4]].concat();
    let seed = |kind: u8, level: u8, room: u16, rest: &[u8]| {
        [&[kind << 6 | level][..], &room.to_le_bytes(), rest].concat()
    };
    let data = stored(b"guest memory");
    let framed = [&(data.len() as u32).to_be_bytes()[..], &data].concat();
    // One change of a byte, and several.
    let change = |at: u16| [&[0][..], &at.to_le_bytes(), &[0x41]].concat();
    let changes = [[1, 0, 0, 1], [1, 9, 0, 0x80], [0, 40, 0, 2]].concat();
    vec![
        ("round-trip", seed(2, 6, 9000, block)),
        ("round-trip-fast", seed(2, 1, 60, block)),
        ("round-trip-new", seed(2, 61, 60, block)),
        ("not-compressed", seed(2, 0, 400, block)),
        ("noise-too-long", seed(3, 9, 32_000, &noise)),
        ("nothing", seed(2, 6, 0, &[])),
        ("data", seed(0, 0, 12, &data)),
        ("data-too-long", seed(0, 0, 11, &data)),
        ("block", seed(0, 0, 4096, &framed)),
        ("block-too-long", seed(0, 0, 4096, b"\x00\x00\x80\x00longer than any buffer")),
        ("damaged-length", seed(1, 6, 9000, &[&change(3)[..], block].concat())),
        ("damaged-data", seed(1, 6, 9000, &[&change(20)[..], block].concat())),
        ("damaged-often", seed(1, 3, 9000, &[&changes[..], block].concat())),
    ]
}
