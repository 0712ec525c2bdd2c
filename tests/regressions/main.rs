//! Mistakes that others made, and cases of the kernel's own suite.

mod kernel_suite;
mod known_mistakes;
mod known_mistakes_pages;

#[path = "../support/model/mod.rs"]
mod model;
