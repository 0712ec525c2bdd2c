//! The parser of migration streams repeats what it accepts, and needs little memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::vmstate::check(input));
