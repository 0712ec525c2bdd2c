//! Buffered streams over channels, as live migration of virtual machines uses them.
//!
//! ```text
//!               put_be32, put_buffer ... (copied)        put_borrowed, put_region (not copied)
//!                          │                                    │
//!   FileWriter    [ 32 KiB buffer ] ◄── entries, at most 64 ──► [ memory of the caller ]
//!                          └───────────────┬────────────────────┘
//!                                          │ one vectored write
//!                                     WriteChannel    file, socket, pipe, memory, ...
//!                                     ReadChannel
//!                                          │ one read for all the free space
//!   FileReader    [ 32 KiB buffer ] ◄──────┘
//!                          │
//!               get_be32, get_buffer, peek, get_slice (in place) ...
//! ```
//!
//! A file is a stream of bytes in one direction. [`FileWriter`] and [`FileReader`] are different
//! types, and so are the channels below them: what cannot be read does not open for reading.
//!
//! - **One error.** The first failure of the channel sticks and is reported by every later
//!   operation and by `close`. Bytes sent before it are counted exactly, bytes after it are never
//!   sent. A channel that would block is not a failure.
//! - **One buffer.** It is allocated when the file is opened, fallibly. Putting and getting do not
//!   allocate.
//! - **One order.** How the queue is cut into entries and writes never shows in the stream.
//!
//! A channel is anything that implements [`ReadChannel`] or [`WriteChannel`]: here byte slices and
//! vectors, [`BufferChannel`], with feature `std` files, sockets and pipes, with feature
//! `embedded-io-v0.7` whatever implements its traits.

mod buffer;
mod channel;
mod compress;
#[cfg(target_has_atomic = "ptr")]
mod control;
mod error;
mod mode;
mod ram;
mod rate;
mod reader;
#[cfg(target_has_atomic = "ptr")]
mod shared;
mod sized_buffer;
mod status;
#[cfg(target_has_atomic = "ptr")]
mod stop;
mod transfer;
mod writer;

#[cfg(feature = "embedded-io-v0.7")]
#[cfg_attr(docsrs, doc(cfg(feature = "embedded-io-v0.7")))]
pub use channel::EmbeddedChannel;
#[cfg(all(unix, feature = "std"))]
pub(crate) use channel::forward;
#[cfg(feature = "std")]
pub(crate) use channel::write_copies;
pub use channel::{
    BufferChannel, Channel, ChannelError, Duplex, Features, ReadChannel, Ready, Scratch, SeekFrom,
    WriteChannel,
};
#[cfg(feature = "zlib")]
#[cfg_attr(docsrs, doc(cfg(feature = "zlib")))]
#[doc(inline)]
pub use compress::zlib;
pub use compress::{Compress, Decompress};
#[cfg(target_has_atomic = "ptr")]
#[cfg_attr(docsrs, doc(cfg(target_has_atomic = "ptr")))]
pub use control::Control;
pub use error::Error;
pub use mode::Mode;
pub use ram::{NoHooks, RAM_SAVE_FLAG_HOOK, RamControl, RamPage};
pub use rate::RateLimit;
pub use reader::{FileReader, LoadHooks, Loaded};
#[cfg(feature = "std")]
pub(crate) use shared::Shared;
pub use sized_buffer::SizedBuffer;
#[cfg(target_has_atomic = "ptr")]
#[cfg_attr(docsrs, doc(cfg(target_has_atomic = "ptr")))]
pub use stop::Stopper;
pub use writer::{FileWriter, IntoInnerError, PageSaved, Region, Release, SaveHooks};

use crate::iov::Limits;
use crate::segment::MAX_SEGMENTS;

/// The size of a file's buffer in bytes.
#[doc(alias = "IO_BUF_SIZE")]
pub const BUFFER_SIZE: usize = 32768;

/// The most ranges that wait to be sent at one time.
#[doc(alias = "MAX_IOV_SIZE")]
pub const MAX_ENTRIES: usize = 64;

/// What a channel is given in one call at a position.
const fn positional_limits() -> Limits {
    Limits { segments: MAX_SEGMENTS, messages: false }
}
