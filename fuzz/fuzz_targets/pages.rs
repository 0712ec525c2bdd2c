//! Pages and scatter entries, taken in any portions, stand for the bytes that a copy gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::pages::check(input));
