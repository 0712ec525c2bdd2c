//! mapped-ram: files that QEMU wrote, and what a careful reader refuses in them.

#[cfg(unix)]
use std::os::unix::fs::MetadataExt;

use crate::data::{extract, extract_into, memory, to_mapped, unpacked};
use crate::support::{Bytes, inspect, to_ordinary};

const FILES: [&str; 3] = ["qemu10-mr.mig", "qemu10-mr-mfd.mig", "qemu10-mr-off.mig"];
/// Where the stream begins in the last of them.
const OFFSET: usize = 102_400;
/// Where the entry of the block in the list has its fields.
const LENGTH: usize = 0x5d;
const VERSION: usize = 0x65;
const PAGE_SIZE: usize = 0x69;
const BITMAP: usize = 0x71;
const PAGES: usize = 0x79;

/// The file with another number at a place.
fn edited(at: usize, number: u64) -> Vec<u8> {
    let mut file = unpacked(FILES[0]);
    file[at..at + 8].copy_from_slice(&number.to_be_bytes());
    file
}

fn message(file: &[u8]) -> String {
    inspect(file).unwrap_err().to_string()
}

#[test]
fn the_memory_is_where_the_header_says() {
    for name in FILES {
        let file = unpacked(name);
        let report = inspect(&file).unwrap();
        assert!(report.contains(" length=106496 ") && report.contains(" present=5\n"), "{report}");
        assert!(report.ends_with("kind     mapped-ram\nok\n"), "{report}");
        let parts = extract(&file, &[]).unwrap();
        assert!(parts["ram.raw"] == memory(), "{name}");
    }
}

#[test]
fn a_stream_is_found_where_it_begins_in_its_file() {
    let file = unpacked("qemu10-mr-off.mig");
    assert!(file[..OFFSET].iter().all(|byte| *byte == 0));
    assert_eq!(vmstate::find_start(&mut Bytes::new(&file)).unwrap(), OFFSET as u64);
    // Offsets are those in the file: without the zeros they are wrong.
    let what = message(&file[OFFSET..]);
    assert!(what.contains("exceed") || what.contains("the file ends"), "{what}");
}

#[test]
fn converting_there_and_back_changes_nothing() {
    let file = unpacked(FILES[0]);
    let ordinary = to_ordinary(&file, &[]).unwrap();
    let report = inspect(&ordinary).unwrap();
    assert!(report.contains("block    ram length=106496 zero=21 normal=5 "), "{report}");
    assert!(!report.contains("mapped-ram"), "{report}");
    assert!(extract(&ordinary, &[]).unwrap()["ram.raw"] == memory());
    assert!(to_mapped(&ordinary, &[]).unwrap() == file);
    // A stream at an offset is written without it.
    assert!(to_mapped(&unpacked("qemu10-mr-off.mig"), &[]).unwrap() == file);
}

#[test]
fn headers_that_cannot_be_right_are_refused() {
    let table = [
        (VERSION - 4, 0x0001_a000_0000_0002, "unknown version 2 of mapped-ram"),
        (PAGE_SIZE, 8192, "page size 8192 given by mapped-ram, but 4096 described"),
        (PAGE_SIZE, 0, "page size 0 of block `ram`"),
        (BITMAP, 0x10_0000, "the pages of block `ram` at 0x100000 overlaps the bitmap"),
        (BITMAP, 0x40, "the bitmap of block `ram` at 0x40 overlaps the header of block `ram`"),
        (BITMAP, u64::MAX, "exceeds the file"),
        (PAGES, 0x10_0200, "are not at a whole page"),
        (PAGES, 0, "are before its header"),
        (PAGES, 0x11_0000, "exceed the file"),
        (PAGES, u64::MAX - 0xfff, "exceed the file"),
    ];
    for (at, number, expected) in table {
        let what = message(&edited(at, number));
        assert!(what.contains(expected), "{what}");
    }
    // The length is that of the pages, too.
    assert!(message(&edited(LENGTH, 0x1_9fff)).contains("is not whole pages"));
}

#[test]
fn the_bits_after_the_last_page_mean_nothing() {
    let mut file = unpacked(FILES[0]);
    file[0x81 + 3] |= 0xfc;
    file[0x81 + 4..0x81 + 8].fill(0xff);
    let report = inspect(&file).unwrap();
    assert!(report.contains(" present=5\n"), "{report}");
    assert!(extract(&file, &[]).unwrap()["ram.raw"] == memory());
}

#[test]
fn pages_without_a_bit_are_zero_whatever_is_in_the_file() {
    let mut file = unpacked(FILES[0]);
    // The bit of page 4.
    file[0x81] &= !0x10;
    let mut expected = memory();
    expected[4 * 4096..5 * 4096].fill(0);
    assert!(extract(&file, &[]).unwrap()["ram.raw"] == expected);
    let ordinary = to_ordinary(&file, &[]).unwrap();
    assert!(extract(&ordinary, &[]).unwrap()["ram.raw"] == expected);
}

#[test]
#[cfg(unix)]
fn extracted_memory_has_holes() {
    let dir = tempfile::tempdir().unwrap();
    extract_into(dir.path(), &unpacked(FILES[0]), &[]).unwrap();
    let file = std::fs::metadata(dir.path().join("ram.raw")).unwrap();
    assert!(file.blocks() * 512 < file.len(), "{file:?}");
}
