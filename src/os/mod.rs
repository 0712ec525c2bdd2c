//! Adapters to the operating system (feature `std`).
//!
//! - [`ProcessMemory`]: the memory of another Linux process, as user memory of an iterator.
//! - [`io`]: segments as `IoSlice`s; files and sockets that whole vectors are sent to.
//! - [`IoChannel`], [`DescriptorChannel`], [`WaitingChannel`] and [`pair`]: channels of buffered
//!   [files](crate::file), beside the standard library's own types, which are channels themselves.

mod channel;
#[cfg(target_os = "linux")]
mod descriptor;
mod errors;
#[cfg(unix)]
pub mod io;
mod pair;
#[cfg(target_os = "linux")]
mod process;
mod stream;
#[cfg(unix)]
mod waiting;

pub use channel::IoChannel;
#[cfg(target_os = "linux")]
pub use descriptor::DescriptorChannel;
pub use pair::{PairEnd, pair};
#[cfg(target_os = "linux")]
pub use process::{Process, ProcessMemory};
#[cfg(unix)]
pub use waiting::WaitingChannel;
