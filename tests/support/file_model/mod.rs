//! What holds for any sequence of operations on a file, over any channel.
//!
//! The models use the channels of `channels`.

pub mod reading;
pub mod user;
pub mod writing;
