//! Iterators: worked examples of each operation, and what the crate adds to Linux.

mod beyond_linux;
mod chain;
mod checksum;
mod copy;
mod embedded_io;
mod extensible;
mod extract;
mod fault_in;
mod from;
mod import;
mod lookup;
mod page_copy;
mod pages;
mod position;
mod queries;
mod send_recv;
mod traits;
mod walk;

#[path = "../support/cases.rs"]
mod cases;
#[path = "../support/model/mod.rs"]
mod model;
#[path = "../support/transport.rs"]
mod transport;
