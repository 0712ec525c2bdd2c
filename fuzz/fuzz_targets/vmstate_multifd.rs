//! Packets of multifd are refused, or bring the same memory in whatever form.
#![no_main]

#[path = "../../vmstate/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| support::fuzz_multifd::check(input));
