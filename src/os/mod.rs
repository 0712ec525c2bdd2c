//! Adapters to the operating system (feature `std`).

#[cfg(unix)]
pub mod io;
#[cfg(target_os = "linux")]
mod process;

#[cfg(target_os = "linux")]
pub use process::{Process, ProcessMemory};
