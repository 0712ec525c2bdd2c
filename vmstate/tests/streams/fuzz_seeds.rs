//! The bodies of the fuzz targets over their seeds, and over a few random inputs.
//!
//! The seeds are made here; `WRITE_SEEDS=1 cargo test --test streams fuzz_seeds` writes them to
//! `fuzz/seeds` of the crate.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Builder, SHIPPED, T2_TEXT, fuzz, fuzz_mapped, fuzz_multifd, t1, t2, t2_with};

/// Names and inputs.
type Seeds = Vec<(&'static str, Vec<u8>)>;

/// A fuzz target: its name, its body, and its seeds.
type Target = (&'static str, fn(&[u8]), fn() -> Seeds);

const TARGETS: [Target; 3] = [
    ("vmstate", fuzz::check, seeds),
    ("vmstate_mapped", fuzz_mapped::check, mapped_seeds),
    ("vmstate_multifd", fuzz_multifd::check, multifd_seeds),
];

#[test]
fn the_bodies_take_their_seeds() {
    for (target, check, seeds) in TARGETS {
        for (name, bytes) in seeds() {
            println!("{target}: {name}");
            check(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn the_body_takes_random_inputs(input in vec(any::<u8>(), 0..300)) {
        fuzz::check(&input);
    }

    #[test]
    fn the_bodies_take_changed_seeds(
        target in 0..TARGETS.len(),
        seed: Index,
        edits in vec((any::<Index>(), any::<u8>()), 1..5),
    ) {
        let (_, check, seeds) = TARGETS[target];
        let (_, mut input) = seed.get(&seeds()).clone();
        for (at, value) in edits {
            *at.get_mut(&mut input) = value;
        }
        check(&input);
    }
}

#[test]
fn the_seeds_in_files_are_these() {
    for (target, _, seeds) in TARGETS {
        let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let seeds = seeds();
        if std::env::var_os("WRITE_SEEDS").is_some() {
            // The folder may not be there yet.
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            seeds
                .iter()
                .for_each(|(name, bytes)| fs::write(format!("{folder}/{name}"), bytes).unwrap());
        }
        for (name, bytes) in &seeds {
            assert!(bytes.len() <= 5 << 10, "{name}");
            assert!(fs::read(format!("{folder}/{name}")).unwrap() == *bytes, "{name}");
        }
        assert_eq!(fs::read_dir(folder).unwrap().count(), seeds.len());
    }
}

/// A good stream with changes, each a kind, a place in two bytes, and a value.
fn changed(which: u8, changes: &[[u8; 4]]) -> Vec<u8> {
    [&[which][..], &changes.concat()].concat()
}

/// A byte at a place of the files with mapped memory: the header of block `a` begins at 0x5b.
fn mapped_seeds() -> Seeds {
    vec![
        ("two-blocks", changed(0, &[])),
        ("a-block-that-is-shared", changed(1, &[])),
        ("after-zeros", changed(2, &[])),
        ("cut-short", changed(0, &[[0, 0x80, 0, 0]])),
        ("number-at-the-edge", changed(0, &[[5, 0x67, 0, 0x3e]])),
        ("pages-elsewhere", changed(0, &[[6, 0x76, 0, 8]])),
        ("all-pages", changed(0, &[[6, 0x77, 0, 0xff]])),
        ("part-twice", changed(1, &[[2, 0x40, 0, 0xff]])),
    ]
}

/// Of the channels the first packet with pages begins at 0x580.
fn multifd_seeds() -> Seeds {
    vec![
        ("plain", changed(0, &[])),
        ("zlib", changed(1, &[])),
        ("zstd", changed(2, &[])),
        ("zero-pages-in-the-main-stream", changed(3, &[])),
        ("cut-short", changed(0, &[[0, 0x80, 6, 0]])),
        ("number-at-the-edge", changed(0, &[[5, 0x90, 5, 0x2a]])),
        ("compressed-size", changed(1, &[[6, 0x97, 5, 1]])),
        ("compressed-contents", changed(2, &[[6, 0xc8, 10, 7]])),
        ("offset-of-a-page", changed(0, &[[6, 0xc6, 6, 0x20]])),
        ("one-sync-less", changed(0, &[[0xc6, 0x3e, 0, 0]])),
    ]
}

/// Where a run of the fuzzer starts from: names and inputs.
fn seeds() -> Seeds {
    // Of a file and of a pipe, as it is, guessing where it must, or with other bytes at the end.
    let raw = |flags: u8, stream: &[u8]| [&[flags, 30, 0xff][..], stream].concat();
    let edited = |offset: usize, value: &[u8]| {
        let mut stream = t1();
        stream[offset..offset + value.len()].copy_from_slice(value);
        raw(0, &stream)
    };
    let ones = [0xff; 8];
    let claims = T2_TEXT.replace("\"size\": 5", "\"size\": 9223372036854775807");
    let compressed = Builder(t1()[..72].to_vec()).be64(0x100).name(b"ram").bytes(&ones).0;
    // A good stream with changes: one number at the edge, a part left out, a part twice.
    let change = |which: u8, change: [u8; 4]| [&[0, 9, which][..], &change].concat();
    vec![
        ("written-by-qemu", raw(0, SHIPPED)),
        ("small", raw(0, &t1())),
        ("small-then-others", raw(4, &[&t1()[..], b"others"].concat())),
        ("devices", raw(0, &t2_with(true, true, Some(T2_TEXT)).0[..300])),
        ("devices-guessed", raw(1, &t2())),
        ("length-of-a-name", edited(9, &ones[..4])),
        ("length-of-memory", edited(34, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0x04])),
        ("length-of-a-block", edited(46, &ones)),
        ("place-of-a-page", edited(72, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0x02])),
        ("length-of-a-compressed-page", raw(0, &compressed)),
        ("length-of-a-field", raw(0, &t2_with(true, true, Some(&claims)).0)),
        ("length-of-a-command", raw(0, &[&t1()[..17], &[8, 0, 10, 0xff, 0xff]].concat())),
        ("number-at-the-edge", change(1, [5, 30, 0, 0x3e])),
        ("part-left-out", change(2, [1, 60, 0, 40])),
        ("part-of-the-description-twice", change(3, [0x84, 40, 0, 60])),
        ("page-size-that-is-given", raw(0x10, SHIPPED)),
        ("pages-of-1-kib", change(6, [6, 100, 0, 2])),
        ("zero-before-the-stream", change(1, [3, 0, 0, 0])),
        ("device-before-the-end", change(7, [1, 60, 16, 40])),
        ("zero-page-that-is-none", change(8, [6, 160, 0, 0x2a])),
    ]
}
