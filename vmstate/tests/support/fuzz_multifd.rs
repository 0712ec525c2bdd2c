//! The body of the fuzz target over the channels of multifd: pages that are accepted lie in their
//! blocks, the order in which channels are named changes nothing that is accepted, and a converted
//! stream has the same memory.

use std::sync::LazyLock;

use vmstate::{Failure, Options};

use super::collect::Collector;
use super::fuzz::change;
use super::peak::peak;
use super::{inspect_multifd, inspect_with, read_into, to_ordinary};

/// The main stream and two channels, as QEMU sent them: packed by zstd, each.
macro_rules! sent {
    ($name:literal) => {
        [
            include_bytes!(concat!("../data/qemu10-", $name, ".ch0.zst")).as_slice(),
            include_bytes!(concat!("../data/qemu10-", $name, ".ch1.zst")).as_slice(),
            include_bytes!(concat!("../data/qemu10-", $name, ".ch2.zst")).as_slice(),
        ]
    };
}

/// Good streams.
static GOOD: LazyLock<Vec<[Vec<u8>; 3]>> = LazyLock::new(|| {
    let packed = [sent!("mfd"), sent!("mfd-zlib"), sent!("mfd-zstd"), sent!("mfd-legacy")];
    let unpacked = packed.map(|files| files.map(|file| zstd::decode_all(file).unwrap()));
    for [main, one, other] in &unpacked {
        assert!(inspect_multifd(main, &[one, other]).is_ok());
    }
    unpacked.into()
});

/// What is reported, whatever the order of the lines.
fn lines(report: &str) -> Vec<&str> {
    let mut lines: Vec<_> = report.lines().collect();
    lines.sort_unstable();
    lines
}

pub fn check(input: &[u8]) {
    let Some((which, mut edits)) = input.split_first() else { return };
    let Some(mut files) = GOOD.get(usize::from(*which)).cloned() else { return };
    while let Some((&[kind, low, high, value], rest)) = edits.split_first_chunk() {
        edits = rest;
        // Mostly the channels.
        let file = [1, 1, 2, 0][usize::from(kind >> 6)];
        change(&mut files[file], kind, usize::from(u16::from_le_bytes([low, high])), value);
    }
    let [main, one, other] = &files;
    let channels: [&[u8]; 2] = [one, other];
    let (result, used) = peak(|| inspect_multifd(main, &channels));
    // The contents of a packet have at most 1 MiB.
    let most = (1 << 20) + (500 << 10) + 40 * files.iter().map(Vec::len).sum::<usize>();
    assert!(used < most, "{used} bytes to inspect");
    let swapped = inspect_multifd(main, &[other, one]);
    let converted = to_ordinary(main, &channels);
    match (&result, &converted) {
        (Ok(report), Ok(ordinary)) => {
            assert_eq!(lines(report), lines(&swapped.unwrap()));
            let (mut here, mut there) = (Collector::default(), Collector::default());
            read_into(main, &channels, &mut here).unwrap();
            read_into(ordinary, &[], &mut there).unwrap();
            assert_eq!(here.blocks, there.blocks);
            assert!(here.memory == there.memory);
            assert!(inspect_with(ordinary, Options::default()).1.is_ok());
        }
        (Err(failure), Err(other)) => {
            assert!(swapped.is_err(), "{failure}, but in another order {swapped:?}");
            assert_eq!(failure.to_string(), other.to_string());
            let Failure::Damaged { file, offset, .. } = failure else { panic!("{failure}") };
            assert!(*offset <= files[*file].len() as u64, "{failure}");
        }
        (result, converted) => panic!("{result:?}, but converted {converted:?}"),
    }
}
