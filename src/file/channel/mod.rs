//! What carries a stream: channels, and what they may be able to do.

mod buffer;
#[cfg(feature = "embedded-io-v0.7")]
mod embedded;
mod forward;
mod memory;

pub use buffer::BufferChannel;
#[cfg(feature = "embedded-io-v0.7")]
pub use embedded::EmbeddedChannel;
#[cfg(all(unix, feature = "std"))]
pub(crate) use forward::forward;
pub use memory::Scratch;

use core::fmt;

use bitflags::bitflags;

use crate::direction::{Dest, Source};
use crate::memory::Piece;
use crate::segment::{KVec, as_pieces};

/// A carrier of bytes: a file, a socket, a pipe, memory.
///
/// What it can do with bytes is said by [`ReadChannel`] and [`WriteChannel`]; this trait holds
/// what both have in common. Every method has a default for channels that lack the ability.
#[doc(alias = "QIOChannel")]
#[doc(alias = "QEMUFileOps")]
pub trait Channel {
    /// What the channel can do.
    fn features(&self) -> Features {
        Features::empty()
    }

    /// Waits until the channel may be ready, after it reported [`ChannelError::WouldBlock`].
    ///
    /// `Ok` makes the file try again. The default does not wait, and the file hands `WouldBlock`
    /// to its caller.
    ///
    /// # Errors
    ///
    /// [`ChannelError::WouldBlock`] if the channel does not wait; any other error is a failure of
    /// the stream.
    fn wait(&mut self, ready: Ready) -> Result<(), ChannelError> {
        let _ = ready;
        Err(ChannelError::WouldBlock)
    }

    /// Makes reads and writes wait, or report [`ChannelError::WouldBlock`] instead.
    ///
    /// Where both directions share one state, this affects the other direction as well.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Unsupported`] if the channel has no such mode.
    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        let _ = blocking;
        Err(ChannelError::Unsupported)
    }

    /// Ends both directions at once: a read that is waiting, in any thread, returns 0.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Unsupported`] if the channel cannot.
    fn shutdown(&self) -> Result<(), ChannelError> {
        Err(ChannelError::Unsupported)
    }

    /// Moves to another position and returns it, in bytes from the start.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Unsupported`] if the channel has no positions.
    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        let _ = to;
        Err(ChannelError::Unsupported)
    }

    /// Finishes. Called once, by the `close` of the file.
    ///
    /// # Errors
    ///
    /// Whatever went wrong with bytes that had been taken.
    fn close(&mut self) -> Result<(), ChannelError> {
        Ok(())
    }

    /// Handles the loss of `unsent` bytes (at least 1), which were pending when the writing file was dropped
    /// and which this channel did not take.
    ///
    /// The default writes a line to standard error in debug builds with feature `std`, and does nothing
    /// otherwise.
    fn abandoned(&mut self, unsent: u64) {
        #[cfg(all(feature = "std", debug_assertions))]
        {
            use std::io::Write;
            // Unlike `eprintln`, this does not panic if it fails.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "a FileWriter was dropped: {unsent} bytes unsent");
        }
        let _ = unsent;
    }
}

/// A channel that bytes can be read from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a channel that can be read",
    note = "files, sockets and pipes of `std` are channels with the feature `std`",
    note = "`os::IoChannel` makes one of a `std::io::Read`, with the feature `std`",
    note = "`file::EmbeddedChannel` makes one of an `embedded_io::Read`, with the feature `embedded-io-v0.7`"
)]
pub trait ReadChannel: Channel {
    /// Reads at least one byte into the front of `into`, or 0 at the end of the data.
    ///
    /// Never called with an empty `into`. Interruptions by signals are retried by the channel.
    ///
    /// # Errors
    ///
    /// [`ChannelError::WouldBlock`] if there is nothing to read yet.
    #[doc(alias = "qemu_fill_buffer")]
    #[doc(alias = "QEMUFileGetBufferFunc")]
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError>;

    /// Reads at least one byte into the front of scattered memory, or 0 at the end of the data.
    ///
    /// `into` has 1 to [`MAX_ENTRIES`](super::MAX_ENTRIES) pieces, none of them empty, and is laid out as
    /// an array of `struct iovec`. Others may access the memory meanwhile, and it need not be initialised.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read). [`ChannelError::Unsupported`], which is the default, makes the file
    /// read into its buffer and copy from there.
    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        let _ = into;
        Err(ChannelError::Unsupported)
    }

    /// Reads bytes from `position` on (in bytes from the start) into the front of scattered memory, and returns
    /// how many; 0 at the end of the data. The channel's own position does not move.
    ///
    /// `into` has 1 to [`MAX_SEGMENTS`](crate::segment::MAX_SEGMENTS) pieces; otherwise it is as that of
    /// [`read_pieces`](Self::read_pieces).
    ///
    /// # Errors
    ///
    /// [`ChannelError::Unsupported`] if the channel has no positions.
    #[doc(alias = "qio_channel_preadv")]
    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        let (_, _) = (into, position);
        Err(ChannelError::Unsupported)
    }
}

/// A channel that bytes can be written to.
///
/// ```
/// use iov_iter::file::{Channel, ChannelError, FileWriter, WriteChannel};
/// use iov_iter::{Piece, Source};
///
/// /// A device that takes three bytes at a time.
/// struct Device(Vec<u8>);
///
/// impl Channel for Device {}
///
/// impl WriteChannel for Device {
///     fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
///         let mut block = [0; 3];
///         let len = from[0].copy_to(Piece::from(&mut block[..]));
///         self.0.extend(&block[..len]);
///         Ok(len)
///     }
/// }
///
/// let mut device = Device(Vec::new());
/// let mut writer = FileWriter::new(&mut device)?;
/// writer.put_be64(0x0102_0304_0506_0708)?;
/// writer.close()?;
/// assert_eq!(device.0, [1, 2, 3, 4, 5, 6, 7, 8]);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a channel that can be written",
    note = "files, sockets and pipes of `std` are channels with the feature `std`",
    note = "`os::IoChannel` makes one of a `std::io::Write`, with the feature `std`",
    note = "`file::EmbeddedChannel` makes one of an `embedded_io::Write`, with the feature `embedded-io-v0.7`"
)]
pub trait WriteChannel: Channel {
    /// Writes the front of `from` and returns how many bytes, which may end inside any piece.
    ///
    /// `from` has 1 to [`MAX_ENTRIES`](crate::file::MAX_ENTRIES) pieces, none of them empty, and is laid out as
    /// an array of `struct iovec`. 0 means that the channel will never take anything again.
    ///
    /// Others may write the memory meanwhile, so a piece is only copied. A byte that is read again may
    /// have another value: a channel that looks at bytes, or needs them twice, works on one copy.
    ///
    /// # Errors
    ///
    /// [`ChannelError::WouldBlock`] if the channel cannot take anything yet. Nothing was written.
    #[doc(alias = "QEMUFileWritevBufferFunc")]
    #[doc(alias = "QEMUFilePutBufferFunc")]
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError>;

    /// As [`write`](Self::write), of memory that nothing writes meanwhile. A file calls this one if all
    /// that was put since its last flush succeeded is such memory.
    ///
    /// The default calls [`write`](Self::write). Channels that need `&[u8]` get it here without a copy.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        self.write(as_pieces(from))
    }

    /// Writes the front of `from` at `position` (in bytes from the start), and returns how many bytes; 0 means
    /// that nothing can be written there. The channel's own position does not move.
    ///
    /// `from` has 1 to [`MAX_SEGMENTS`](crate::segment::MAX_SEGMENTS) pieces; otherwise it is as that of
    /// [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// [`ChannelError::Unsupported`] if the channel has no positions.
    #[doc(alias = "qio_channel_pwritev")]
    fn write_at(
        &mut self,
        from: &[Piece<'_, Source>],
        position: u64,
    ) -> Result<usize, ChannelError> {
        let (_, _) = (from, position);
        Err(ChannelError::Unsupported)
    }
}

/// Writes pieces through a `write` that needs slices, by copies of at most 1 KiB on the stack, until it
/// takes less than it is offered. Returns how many bytes it took.
///
/// A failure after that is not returned: it will come again.
#[cfg(any(feature = "std", feature = "embedded-io-v0.7"))]
pub(crate) fn write_copies(
    from: &[Piece<'_, Source>],
    mut write: impl FnMut(&[u8]) -> Result<usize, ChannelError>,
) -> Result<usize, ChannelError> {
    let mut block = [0; 1024];
    let mut from = from.iter().copied();
    let mut piece = from.next();
    let mut written = 0_usize;
    loop {
        let mut filled = 0_usize;
        while let Some(rest) = &mut piece
            && let room @ [_, ..] = block.get_mut(filled..).unwrap_or_default()
        {
            let len = KVec::<Dest>::from(room).copy_from(*rest);
            rest.take(len);
            filled = filled.saturating_add(len);
            if rest.is_empty() {
                piece = from.next();
            }
        }
        let bytes = block.get(..filled).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(written);
        }
        let len = match write(bytes) {
            Ok(len) => len.min(filled),
            Err(_) if written > 0 => return Ok(written),
            Err(error) => return Err(error),
        };
        written = written.saturating_add(len);
        if len < filled {
            return Ok(written);
        }
    }
}

/// A channel with two directions that can have several handles.
///
/// The handles share the connection: this is what a return path and a shutdown from another
/// thread are made of. A one-way channel does not implement it, so asking for its return path does
/// not compile.
pub trait Duplex: Channel + Sized {
    /// Another handle to the same connection.
    ///
    /// # Errors
    ///
    /// Whatever keeps the handle from being made, such as a lack of descriptors.
    fn try_clone(&self) -> Result<Self, ChannelError>;
}

bitflags! {
    /// What a channel can do besides moving bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u32 {
        /// It has a position that can be moved, and can be read and written at others.
        #[doc(alias = "QIO_CHANNEL_FEATURE_SEEKABLE")]
        const SEEKABLE = 1;
        /// It can be shut down.
        #[doc(alias = "QIO_CHANNEL_FEATURE_SHUTDOWN")]
        const SHUTDOWN = 2;
        /// It carries descriptors.
        #[doc(alias = "QIO_CHANNEL_FEATURE_FD_PASS")]
        const DESCRIPTORS = 4;
    }
}

/// What a file waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ready {
    /// There is something to read, or the data has ended.
    Read,
    /// There is room to write.
    Write,
}

/// A position to move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeekFrom {
    /// This many bytes after the start.
    Start(u64),
    /// This many bytes after the end, or before it if negative.
    End(i64),
    /// This many bytes after the current position, or before it if negative.
    Current(i64),
}

impl SeekFrom {
    /// The position in bytes from the start, for a channel that stands at `current` and has
    /// `length` bytes; `None` if it is negative or beyond `u64::MAX`.
    #[must_use]
    pub const fn resolve(self, current: u64, length: u64) -> Option<u64> {
        match self {
            Self::Start(position) => Some(position),
            Self::End(distance) => length.checked_add_signed(distance),
            Self::Current(distance) => current.checked_add_signed(distance),
        }
    }
}

/// Why a channel could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelError {
    /// Nothing can be moved without waiting. Not a failure.
    WouldBlock,
    /// The channel does not have this ability.
    Unsupported,
    /// Memory for the data could not be allocated.
    NoMemory,
    /// The data would exceed the limit of the channel.
    LimitExceeded,
    /// The operating system or the device reported this (positive) errno.
    Os(i32),
    /// Any other failure, in words.
    Other(&'static str),
}

impl ChannelError {
    /// The positive Linux errno: 5 (EIO) for what has no better one.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::WouldBlock => 11,
            Self::Unsupported => 38,
            Self::NoMemory => 12,
            Self::LimitExceeded => 27,
            Self::Os(errno) => errno,
            Self::Other(_) => 5,
        }
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("the channel would block"),
            Self::Unsupported => f.write_str("the channel does not support this"),
            Self::NoMemory => f.write_str("no memory left"),
            Self::LimitExceeded => f.write_str("the size limit is exceeded"),
            Self::Os(errno) => write!(f, "error {errno} from the operating system"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for ChannelError {}
