//! multifd: the main stream and its channels, as QEMU sent them, and damaged ones.

use vmstate::Failure;

use crate::data::{extract, memory, multifd, to_mapped};
use crate::support::{inspect, inspect_multifd};

const NAMES: [&str; 4] = ["mfd", "mfd-zlib", "mfd-zstd", "mfd-legacy"];
/// Where a packet has its fields.
const ALLOCATED: usize = 12;
const NORMAL: usize = 16;
const SIZE: usize = 20;
const NUMBER: usize = 24;
const ZERO: usize = 32;
const NAME: usize = 64;
const OFFSETS: usize = 320;
/// The first packet of a channel, and the one with pages: SYNC is before it.
const FIRST: usize = 64;
const PAGES: usize = FIRST + 1344;

/// What is wrong, and where, if the first channel has other bytes at a place.
fn damage(name: &str, at: usize, bytes: &[u8]) -> (usize, u64, String) {
    let [main, mut one, other] = multifd(name);
    one[at..at + bytes.len()].copy_from_slice(bytes);
    failure(&main, &[&one, &other])
}

fn failure(main: &[u8], channels: &[&[u8]]) -> (usize, u64, String) {
    match inspect_multifd(main, channels) {
        Err(Failure::Damaged { file, offset, what }) => (file, offset, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_pages_of_all_channels_are_the_memory() {
    for name in NAMES {
        let [main, one, other] = multifd(name);
        // Channels may be given in any order.
        for channels in [[one.as_slice(), &other], [other.as_slice(), &one]] {
            let report = inspect_multifd(&main, &channels).unwrap();
            assert!(report.contains("block    ram length=106496 zero=21 normal=5 "), "{report}");
            assert!(report.ends_with("kind     multifd\nok\n"), "{report}");
            assert!(extract(&main, &channels).unwrap()["ram.raw"] == memory(), "{name}");
            let mapped = to_mapped(&main, &channels).unwrap();
            assert!(inspect(&mapped).unwrap().contains(" present=5\n"), "{name}");
            assert!(extract(&mapped, &[]).unwrap()["ram.raw"] == memory(), "{name}");
        }
    }
}

#[test]
fn packets_that_cannot_be_right_are_refused() {
    let be32 = |number: u32| number.to_be_bytes();
    let at = |field: usize| (PAGES + field) as u64;
    let table: [(usize, &[u8], &str); 10] = [
        (0, &be32(0x1122_3345), "no packet: magic 0x11223345"),
        (4, &be32(2), "unknown version 2 of multifd"),
        (8, &be32(0x80), "unknown flags 0x80 of a packet"),
        (8, &be32(0x41), "device state with flags 0x41"),
        (8, &be32(0x20), "compression 0x20 is not supported"),
        (ALLOCATED, &be32(129), "a packet of 5 normal and 21 zero pages, with room for 129"),
        (ALLOCATED, &be32(25), "a packet of 5 normal and 21 zero pages, with room for 25"),
        (SIZE, &be32(0x4fff), "20479 bytes of 5 pages of 4096 bytes"),
        (NAME, b"rom", "unknown RAM block `rom`"),
        (OFFSETS + 8, &0x7001_u64.to_be_bytes(), "no page of block `ram` is at 0x7001"),
    ];
    for (field, bytes, expected) in table {
        let (file, offset, what) = damage("mfd", PAGES + field, bytes);
        assert!(what.contains(expected), "{what}");
        assert_eq!((file, offset), (1, at(field)), "{what}");
    }
    let beyond = damage("mfd", PAGES + OFFSETS + 16, &0x1_a000_u64.to_be_bytes());
    assert_eq!(beyond, (1, at(OFFSETS + 16), "no page of block `ram` is at 0x1a000".into()));
    let sum = damage("mfd", PAGES + NORMAL, &be32(u32::MAX)).2;
    assert!(sum.contains("a packet of 4294967295 normal and 21 zero pages"), "{sum}");
    let compressed = damage("mfd-zstd", PAGES + SIZE, &be32(0x10_0001)).2;
    assert!(compressed.contains("1048577 bytes of 5 pages"), "{compressed}");
}

#[test]
fn compressed_pages_that_are_damaged_are_refused() {
    for name in ["mfd-zlib", "mfd-zstd"] {
        let [main, one, other] = multifd(name);
        let contents = PAGES + 1344;
        let size = u32::from_be_bytes(one[PAGES + SIZE..][..4].try_into().unwrap()) as usize;
        let mut short = one.clone();
        short[PAGES + SIZE..][..4].copy_from_slice(&(size as u32 - 20).to_be_bytes());
        short.drain(contents + size - 20..contents + size);
        let (file, offset, what) = failure(&main, &[&short, &other]);
        assert_eq!((file, offset), (1, contents as u64), "{what}");
        let (file, offset, what) = damage(name, contents, &[0xff; 8]);
        assert_eq!((file, offset), (1, contents as u64), "{what}");
        assert!(what.starts_with("compressed pages "), "{what}");
    }
}

#[test]
fn many_packets_may_have_nothing_but_zero_pages() {
    for name in ["mfd", "mfd-zlib", "mfd-zstd"] {
        let [main, mut one, other] = multifd(name);
        let contents = PAGES + 1344;
        let size = u32::from_be_bytes(one[PAGES + SIZE..][..4].try_into().unwrap());
        let mut after = one.split_off(contents + size as usize);
        let mut zeros = one[PAGES..contents].to_vec();
        zeros[NORMAL..][..4].fill(0);
        zeros[ZERO..][..4].copy_from_slice(&26_u32.to_be_bytes());
        for number in 100..140_u64 {
            zeros[NUMBER..][..8].copy_from_slice(&number.to_be_bytes());
            one.extend_from_slice(&zeros);
        }
        for packet in after.chunks_exact_mut(1344) {
            packet[NUMBER..][..8].copy_from_slice(&140_u64.to_be_bytes());
        }
        one.append(&mut after);
        let report = inspect_multifd(&main, &[&one, &other]).unwrap();
        assert!(report.contains("length=106496 zero=1061 normal=5 "), "{name}: {report}");
    }
}

/// The window is what a decoder keeps in memory.
#[test]
fn a_window_that_qemu_does_not_use_is_refused() {
    let contents = PAGES + 1344;
    let [main, mut one, other] = multifd("mfd-zstd");
    // Magic number; a frame header that has nothing but a window; that of level 1: 2^19 bytes.
    let window = contents + 5;
    assert_eq!(one[contents..=window], [0x28, 0xb5, 0x2f, 0xfd, 0x00, (19 - 10) << 3]);
    one[window] = (25 - 10) << 3;
    assert!(inspect_multifd(&main, &[&one, &other]).is_ok());
    one[window] = (26 - 10) << 3;
    let (file, offset, what) = failure(&main, &[&one, &other]);
    assert_eq!((file, offset), (1, contents as u64), "{what}");
    assert_eq!(
        what,
        "compressed pages cannot be unpacked: Frame requires too much memory for decoding"
    );
}

#[test]
fn channels_that_do_not_fit_together_are_refused() {
    let [main, one, other] = multifd("mfd");
    let twice = failure(&main, &[&one, &one]);
    assert_eq!(twice, (2, 24, "a second channel with the number 0".into()));
    let mut stranger = other.clone();
    stranger[8] = 1;
    let stranger = failure(&main, &[&one, &stranger]);
    assert_eq!((stranger.0, stranger.1), (2, 8), "{}", stranger.2);
    let no_channel = failure(&main, &[&one, &main]);
    assert_eq!(no_channel, (2, 0, "not a channel of multifd: magic 0x5145564d".into()));
    // A packet twice.
    let packet = PAGES..PAGES + 1344 + 5 * 4096;
    let mut twice = one.clone();
    twice.splice(packet.end..packet.end, one[packet.clone()].iter().copied());
    let (file, offset, what) = failure(&main, &[&twice, &other]);
    assert_eq!((file, offset), (1, (packet.end + NUMBER) as u64), "{what}");
    // SYNC counts that differ.
    let less = failure(&main, &[&one[..one.len() - 1344], &other]);
    assert_eq!((less.0, less.1), (1, one.len() as u64 - 1344), "{}", less.2);
    assert!(
        less.2.starts_with("the file ends before SYNC 3 which the main stream has"),
        "{less:?}"
    );
    let mut more = other.clone();
    more.extend_from_slice(&other[other.len() - 1344..]);
    let last = other.len() as u64;
    let more = failure(&main, &[&one, &more]);
    let what = "more follows SYNC 3, the last that the main stream has";
    assert_eq!(more, (2, last, what.into()));
    // Without its channels the memory is not there.
    let none = failure(&main, &[]);
    assert_eq!((none.0, none.1), (0, 54), "{none:?}");
}
