//! The parser of migration streams repeats what it accepts, and needs little memory.
#![no_main]

#[path = "../../vmstate/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| support::fuzz::check(input));
