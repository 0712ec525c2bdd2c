//! The bodies of the fuzz targets over their seeds, and over a few random inputs.
//!
//! The seeds are made here; `WRITE_SEEDS=1 cargo test --all-features --test fuzz` writes them
//! to `fuzz/seeds`.
#![cfg(feature = "alloc")]

mod bodies;
mod seeds;

use bodies::BODIES;
use seeds::{Random, seeds};

/// How many random inputs each body gets, and how many changed seeds.
const INPUTS: usize = if cfg!(miri) { 1 } else { 200 };
/// Under Miri only so many seeds of each target are run.
const SEEDS: usize = if cfg!(miri) { 2 } else { usize::MAX };

#[test]
fn every_body_takes_its_seeds() {
    for (target, body) in BODIES {
        for (name, bytes) in seeds(target).iter().take(SEEDS) {
            println!("{target}: {name}");
            body(bytes);
        }
    }
}

#[test]
fn every_body_takes_random_inputs() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (target, body) in BODIES {
        let seeds = seeds(target);
        for _ in 0..INPUTS {
            let bytes = random.bytes(300);
            println!("{target}: {bytes:?}");
            body(&bytes);
            let (name, seed) = &seeds[random.below(seeds.len())];
            let bytes = random.changed(seed);
            println!("{target}: {name} changed: {bytes:?}");
            body(&bytes);
        }
    }
}

#[test]
#[cfg(not(miri))]
fn the_seeds_in_files_are_these() {
    use std::fs;

    for (target, _) in BODIES {
        let folder = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let seeds = seeds(target);
        assert!((1..50).contains(&seeds.len()), "{target}");
        if std::env::var_os("WRITE_SEEDS").is_some() {
            // The folder may not be there yet.
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            seeds
                .iter()
                .for_each(|(name, bytes)| fs::write(format!("{folder}/{name}"), bytes).unwrap());
        }
        for (name, bytes) in &seeds {
            assert!(bytes.len() <= 5 << 10, "{target}: {name}");
            assert!(fs::read(format!("{folder}/{name}")).unwrap() == *bytes, "{target}: {name}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), seeds.len(), "{target}");
    }
}
