//! Streams of bytes, hand-made or written by QEMU, through the library.

mod damage;
#[path = "../support/data.rs"]
mod data;
mod description;
mod format;
mod fuzz_seeds;
mod iterable;
mod mapped;
mod memory;
mod multifd;
mod newer;
#[path = "../support/mod.rs"]
mod support;
