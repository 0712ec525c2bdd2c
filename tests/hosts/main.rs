//! Hosts other than the test machine.

mod odd;

#[path = "../support/model/mod.rs"]
mod model;
