//! Whole vectors do what the same operation does to their bytes in one `Vec<u8>`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::vectors::check(input));
