//! Importing an array from hostile user memory follows the rules, and reads no byte twice.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::import::check(input));
