//! Streams of bytes, hand-made or written by QEMU, through the library.

mod description;
mod format;
mod fuzz_seeds;
mod memory;
mod newer;
#[path = "../support/mod.rs"]
mod support;
