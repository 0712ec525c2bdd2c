//! Scatter-gather I/O for kernels, hypervisors and firmware.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cursor;
mod direction;
mod error;
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub mod file;
pub mod host;
mod list;
mod memory;
#[cfg(feature = "std")]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub mod os;
pub mod segment;

pub use cursor::{Cursor, Saved};
pub use direction::{Dest, Direction, Source};
pub use error::Error;
pub use host::{CopyFlags, Host, KernelOnly, Page, PageFlags, UserMemory};
pub use list::{InlineVec, List};
pub use memory::{FLUSHES_CACHE, Piece};
pub use segment::{BioVec, IoVec, KVec, Position, Segment, Segments, Uniform};
