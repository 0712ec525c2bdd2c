//! Compressed blocks come back as they were, and damaged ones do no harm.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::compressed::check(input));
