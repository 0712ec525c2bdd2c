//! Buffered files.
#![cfg(feature = "alloc")]

mod embedded;
mod error;
mod large;
mod owned;
mod ram;
mod reader;
mod shared_regions;
mod sized_buffer;
mod transfer;
mod writer;
mod zlib;

#[path = "../support/channels.rs"]
mod channels;
#[path = "../support/pattern.rs"]
mod pattern;
