//! Any sequence of operations on a source and a destination gives what the flat model gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::operations::check(input));
