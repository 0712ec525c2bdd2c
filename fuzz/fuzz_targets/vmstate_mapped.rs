//! Headers of mapped memory are refused, or the pages are where they say.
#![no_main]

#[path = "../../vmstate/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| support::fuzz_mapped::check(input));
