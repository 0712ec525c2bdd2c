//! The body of the fuzz target over its seeds, and over a few random inputs.
//!
//! The seeds are made here; `WRITE_SEEDS=1 cargo test --test streams fuzz_seeds` writes them to
//! `fuzz/seeds/vmstate` of the crate.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::fuzz::check;
use crate::support::{Builder, SHIPPED, T2_TEXT, t1, t2, t2_with};

#[test]
fn the_body_takes_its_seeds() {
    for (name, bytes) in seeds() {
        println!("{name}");
        check(&bytes);
    }
}

proptest! {
    #[test]
    fn the_body_takes_random_inputs(input in vec(any::<u8>(), 0..300)) {
        check(&input);
    }

    #[test]
    fn the_body_takes_changed_seeds(
        seed: Index,
        edits in vec((any::<Index>(), any::<u8>()), 1..5),
    ) {
        let (_, mut input) = seed.get(&seeds()).clone();
        for (at, value) in edits {
            *at.get_mut(&mut input) = value;
        }
        check(&input);
    }
}

#[test]
fn the_seeds_in_files_are_these() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/vmstate");
    let seeds = seeds();
    if std::env::var_os("WRITE_SEEDS").is_some() {
        // The folder may not be there yet.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
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

/// Where a run of the fuzzer starts from: names and inputs.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
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
    ]
}
