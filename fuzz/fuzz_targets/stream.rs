//! What is put into a file arrives as it was put, and is got as it arrived, over any channel.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::stream::check(input));
