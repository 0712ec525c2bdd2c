//! Any sequence of operations on a source and a destination gives what the flat model gives.
#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::ops::Case;

fuzz_target!(|bytes: &[u8]| model::run::run(&Case::from_bytes(bytes)));
