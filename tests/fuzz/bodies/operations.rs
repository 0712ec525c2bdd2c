//! Any sequence of operations on a source and a destination gives what the flat model gives.

use super::model::ops::Case;
use super::model::run::run;

pub fn check(input: &[u8]) {
    run(&Case::from_bytes(input));
}
