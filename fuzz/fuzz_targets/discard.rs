//! Discards move the edges of a view, and undoing them, in any order, moves the edges back.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::discard::check(input));
