//! Whole vectors.

mod compare;
mod copy;
mod discard;
mod hexdump;
mod layout;
mod send_recv;
mod vector;

#[path = "../support/cases.rs"]
mod cases;
#[path = "../support/flat.rs"]
mod flat;
#[path = "../support/transport.rs"]
mod transport;
