//! Adapters for operating systems.

#[cfg(unix)]
pub mod io;
