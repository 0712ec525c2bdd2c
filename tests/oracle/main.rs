//! Everything against models that are simple enough to be right.

mod every_walk;
mod fault_sweep;
mod file_properties;
mod iov_model;
mod properties;

#[path = "../support/cases.rs"]
mod cases;
#[cfg(feature = "alloc")]
#[path = "../support/channels.rs"]
mod channels;
#[cfg(feature = "alloc")]
#[path = "../support/file_model/mod.rs"]
mod file_model;
#[path = "../support/flat.rs"]
mod flat;
#[path = "../support/model/mod.rs"]
mod model;
