//! What the fuzz targets do with their input: one promise each, against a model.
//!
//! `fuzz/` makes a library of this file. `tests/fuzz/main.rs` runs the same bodies over the seeds
//! and a few random inputs.
#![allow(missing_docs, missing_debug_implementations, reason = "a body is only run")]

pub mod checksum;
#[cfg(feature = "zlib")]
pub mod compressed;
pub mod discard;
pub mod import;
mod input;
pub mod operations;
pub mod pages;
pub mod reader;
pub mod sized_buffer;
pub mod stream;
pub mod vectors;

#[path = "../../support/channels.rs"]
mod channels;
#[path = "../../support/file_model/mod.rs"]
mod file_model;
#[path = "../../support/flat.rs"]
mod flat;
#[path = "../../support/model/mod.rs"]
mod model;
#[path = "../../support/transport.rs"]
mod transport;

pub type Body = fn(&[u8]);

/// Each target's name and body.
pub const BODIES: &[(&str, Body)] = &[
    ("operations", operations::check),
    ("import", import::check),
    ("pages", pages::check),
    ("checksum", checksum::check),
    ("vectors", vectors::check),
    ("discard", discard::check),
    ("stream", stream::check),
    ("reader", reader::check),
    ("sized_buffer", sized_buffer::check),
    #[cfg(feature = "zlib")]
    ("compressed", compressed::check),
];
