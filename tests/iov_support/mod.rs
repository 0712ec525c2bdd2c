//! What the tests of whole vectors share.
#![allow(dead_code, reason = "no test needs all of it")]

pub mod flat;
pub mod transport;

use proptest::prelude::*;

/// How often a property is tried: a few times under Miri, which also has no files to remember
/// failures in.
pub fn cases(cases: u32) -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { cases: 2, failure_persistence: None, ..ProptestConfig::default() }
    } else {
        ProptestConfig::with_cases(cases)
    }
}
