//! The checksum depends on the bytes alone: not on pieces, calls, faults or kinds of memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::checksum::check(input));
