//! Sections in several parts besides `ram`, and devices in a package.

use vmstate::Options;

use crate::data::unpacked;
use crate::support::{Builder, copy, copy_pipe, damage, inspect, t1_sections};

const BITMAPS: [(&str, &str); 4] = [
    ("qemu10-bitmaps-many.mig", "part=85183 end=1 bytes=87881"),
    ("qemu10-dirty-bitmaps.mig", "part=14116 end=1 bytes=14145"),
    ("qemu10-postcopy-bitmaps.mig", "part=2247 end=1 bytes=4945"),
    ("qemu72-postcopy-bitmaps.mig", "part=361 end=1 bytes=3059"),
];

#[test]
fn bitmaps_of_disks_are_passed() {
    for (name, counts) in BITMAPS {
        let stream = unpacked(name);
        let report = inspect(&stream).unwrap();
        let line = format!(" name=dirty-bitmap instance=0 version=1 {counts}\n");
        assert!(report.contains(&line), "{report}");
        let switched = report.contains("kind     postcopy that has switched over\n");
        assert_eq!(switched, name.contains("postcopy"), "{report}");
        assert_eq!(switched, report.contains(" bytes=192\n"), "{report}");
        assert!(copy(&stream, Options::default()).unwrap() == stream);
    }
    let stream = unpacked(BITMAPS[3].0);
    assert!(copy_pipe(&stream, 1000, Options::default()).unwrap() == stream);
}

/// A stream with a section that has START, PART and END with these payloads.
fn with(name: &[u8], version: u32, payloads: [&[u8]; 3]) -> Vec<u8> {
    let start = t1_sections().byte(1).be32(7).name(name).be32(0).be32(version);
    let start = start.bytes(payloads[0]).footer(7);
    let part = start.byte(2).be32(7).bytes(payloads[1]).footer(7);
    part.byte(3).be32(7).bytes(payloads[2]).footer(7).byte(0).0
}

fn words(words: &[u64]) -> Builder {
    words.iter().fold(Builder::default(), |it, word| it.be64(*word))
}

#[test]
fn other_sections_are_passed_exactly() {
    let attributes = words(&[0x1002, 3]).bytes(&[0; 3]).be64(1).0;
    let chunks = Builder::default().be32(0).be32(0x1000).be16(2).be16(9).bytes(&[1; 32]);
    let chunks = chunks.be32(0).be16(0).be16(1).be64(0).0;
    let disk = Builder::default().be64(0x201).name(b"d").bytes(&[7; 1 << 20]);
    let disk = disk.be64(0x209).name(b"d").be64(50 << 9 | 4).be64(2).0;
    let vfio = words(&[0xffff_ffff_ef10_0004, 2]).bytes(&[1; 2]).be64(0xffff_ffff_ef10_0001).0;
    let setup = words(&[0xffff_ffff_ef10_0003, 0xffff_ffff_ef10_0001]).0;
    let initial = words(&[0xffff_ffff_ef10_0005]).0;
    let zeros = [&[0x42][..], &[0; 8], &[0, 0, 8, 0], &[0x20, 1]].concat();
    let bitmap = [&b"\x1c\x02n0\x03bm0"[..], &[0, 1, 0, 0, 1, 1]].concat();
    type Case<'a> = (&'a [u8], u32, [&'a [u8]; 3]);
    let table: [Case<'_>; 6] = [
        (b"s390-storage_attributes", 0, [&words(&[1]).0, &attributes, &words(&[8, 1]).0]),
        (b"spapr/htab", 1, [&[0, 0, 0, 21], &chunks, &[&[0; 4][..], &[0; 8]].concat()]),
        (b"spapr/htab", 1, [&[0xff; 4], &[0xff; 4], &[0xff; 4]]),
        (b"block", 1, [&words(&[2]).0, &disk, &words(&[2]).0]),
        (b"0000:00:03.0/vfio", 1, [&setup, &initial, &vfio]),
        (b"dirty-bitmap", 1, [&bitmap, &[1], &zeros]),
    ];
    for (name, version, payloads) in table {
        let stream = with(name, version, payloads);
        let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
        let report = inspect(&stream).unwrap();
        let line = format!(" version={version} part=1 end=1 bytes={bytes}\n");
        assert!(report.contains(&line), "{report}");
        assert!(copy(&stream, Options::default()).unwrap() == stream);
        // Another version may have another form.
        assert!(inspect(&with(name, 9, payloads)).is_err());
    }
}

#[test]
fn damaged_sections_are_refused_where_they_are() {
    // Where the payload of START begins.
    let at = |name: &[u8]| (t1_sections().0.len() + 14 + name.len()) as u64;
    let table: [(&[u8], u32, &[u8], u64); 6] = [
        (b"s390-storage_attributes", 0, &words(&[3]).0, 0),
        (b"s390-storage_attributes", 0, &words(&[4]).0, 0),
        (b"spapr/htab", 1, &[0, 0, 0, 47], 0),
        (b"block", 1, &words(&[0]).0, 0),
        (b"vfio", 1, &words(&[0xffff_ffff_ef10_0002]).0, 0),
        (b"dirty-bitmap", 1, &[&[0x40; 13][..], &[0, 0, 0, 0, 0, 0, 0x28, 1]].concat(), 13),
    ];
    for (name, version, payload, offset) in table {
        let stream = with(name, version, [payload, &[], &[]]);
        assert_eq!(damage(&stream), at(name) + offset, "{name:?}");
    }
}
