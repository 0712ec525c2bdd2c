//! Of any bytes, however they arrive, a file gives what stands there, and says where they end.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::reader::check(input));
