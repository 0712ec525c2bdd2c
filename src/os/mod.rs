//! Adapters to the operating system.

mod channel;

pub use channel::IoChannel;
