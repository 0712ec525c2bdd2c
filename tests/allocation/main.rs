//! Memory: what is asked for, and what happens when there is none.

mod allocator;
mod files;
mod guest;
mod iterators;
mod vectors;

#[path = "../support/model/mod.rs"]
mod model;
