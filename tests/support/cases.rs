//! How often a property is tried.

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
