//! Segments, lists of them, and the pieces of memory in them.

mod contiguous_pages;
mod lists;
mod pieces;
mod uniform;
