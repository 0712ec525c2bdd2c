//! A growing buffer holds what a `Vec<u8>` holds, keeps to its limit, and moves no byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::sized_buffer::check(input));
