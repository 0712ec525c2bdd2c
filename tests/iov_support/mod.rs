//! What the tests of whole vectors share.
#![allow(dead_code, reason = "no test needs all of it")]

use iov_iter::{Dest, KVec, Source};
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

/// Consecutive elements of these lengths.
pub fn cut<'m>(mut rest: &'m [u8], lengths: &[usize]) -> Vec<KVec<'m, Source>> {
    let mut element = |len: &usize| {
        let (element, behind) = rest.split_at(*len);
        rest = behind;
        KVec::from(element)
    };
    lengths.iter().map(&mut element).collect()
}

/// Consecutive elements of these lengths, to be written.
pub fn cut_mut<'m>(mut rest: &'m mut [u8], lengths: &[usize]) -> Vec<KVec<'m, Dest>> {
    let mut element = |len: &usize| {
        let (element, behind) = std::mem::take(&mut rest).split_at_mut(*len);
        rest = behind;
        KVec::from(element)
    };
    lengths.iter().map(&mut element).collect()
}

/// Elements at these places (start, length) of one memory; they may overlap.
pub fn elements<'m>(memory: &'m [u8], places: &[(usize, usize)]) -> Vec<KVec<'m, Source>> {
    places.iter().map(|(start, len)| KVec::from(&memory[*start..start + len])).collect()
}
