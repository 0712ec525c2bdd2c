//! What can go wrong with a file.

use core::fmt;

use super::channel::ChannelError;

/// Why a file could not do what it was asked.
///
/// Most of them *stick*: the first one is kept, every later operation that needs the channel
/// returns it, and so does `close`. [`is_sticky`](Self::is_sticky) tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The channel could not be written.
    Write(ChannelError),
    /// The channel took nothing and reported no reason.
    WriteZero,
    /// The channel could not be read.
    Read(ChannelError),
    /// The data ended before as many bytes as were asked for.
    UnexpectedEof,
    /// The channel could not move to another position.
    Seek(ChannelError),
    /// The channel could not be closed.
    Close(ChannelError),
    /// The file was shut down.
    Stopped,
    /// The channel could not be shut down. The file itself is [`Stopped`](Self::Stopped).
    Shutdown(ChannelError),
    /// A hook for RAM pages failed with this code.
    Hook(i32),
    /// The stream requires a load hook, but none handled it.
    NoLoadHook,
    /// Set by the user of the file, with a (positive) errno and words.
    Reported(i32, &'static str),
    /// The channel would block. Nothing is lost; try again later.
    WouldBlock,
    /// A range to look at, or an array or slice to get, exceeds the buffer.
    PeekOutOfRange,
    /// More bytes to skip than are buffered.
    SkipOutOfRange,
    /// A counted string is longer than 255 bytes.
    StringTooLong,
    /// The buffer has no room for a compressed block.
    NoSpace,
    /// The data could not be compressed.
    Compress,
    /// A compressed block is damaged, or not of the expected size.
    Decompress,
    /// The channel, or the hooks, do not have this ability.
    Unsupported,
    /// A compression level is above 9.
    InvalidLevel,
    /// An opening mode is neither `rb` nor `wb`.
    InvalidMode,
    /// A range exceeds the memory region, or is reversed.
    OutOfRegion,
    /// A position in the stream or the channel would be too large to count.
    PositionOverflow,
    /// No descriptor has arrived at this place of the stream.
    NoDescriptor,
    /// Memory could not be allocated.
    NoMemory,
}

impl Error {
    /// Whether the file keeps the error, if it is the first.
    #[must_use]
    pub const fn is_sticky(self) -> bool {
        matches!(
            self,
            Self::Write(_)
                | Self::WriteZero
                | Self::Read(_)
                | Self::UnexpectedEof
                | Self::Seek(_)
                | Self::Stopped
                | Self::Hook(_)
                | Self::NoLoadHook
                | Self::Reported(..)
        )
    }

    /// The positive Linux errno: 5 (EIO) for what has no better one.
    ///
    /// A hook's code is returned without its sign.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::Write(error)
            | Self::Read(error)
            | Self::Seek(error)
            | Self::Close(error)
            | Self::Shutdown(error) => error.errno(),
            Self::Hook(code) | Self::Reported(code, _) => code.saturating_abs(),
            Self::WouldBlock => 11,
            Self::NoMemory => 12,
            Self::Unsupported => 38,
            Self::NoSpace => 28,
            Self::PositionOverflow => 75,
            Self::PeekOutOfRange
            | Self::SkipOutOfRange
            | Self::StringTooLong
            | Self::NoLoadHook
            | Self::InvalidLevel
            | Self::InvalidMode
            | Self::OutOfRegion => 22,
            Self::WriteZero
            | Self::UnexpectedEof
            | Self::Stopped
            | Self::Compress
            | Self::Decompress
            | Self::NoDescriptor => 5,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(error) => write!(f, "writing failed: {error}"),
            Self::WriteZero => f.write_str("the channel takes no more data"),
            Self::Read(error) => write!(f, "reading failed: {error}"),
            Self::UnexpectedEof => f.write_str("the data ends too early"),
            Self::Seek(error) => write!(f, "moving to another position failed: {error}"),
            Self::Close(error) => write!(f, "closing failed: {error}"),
            Self::Stopped => f.write_str("the file was shut down"),
            Self::Shutdown(error) => write!(f, "shutting the channel down failed: {error}"),
            Self::Hook(code) => write!(f, "a hook for RAM pages failed with code {code}"),
            Self::NoLoadHook => f.write_str("the stream requires a load hook, but none handled it"),
            Self::Reported(errno, text) => write!(f, "{text} (error {errno})"),
            Self::WouldBlock => f.write_str("the channel would block"),
            Self::PeekOutOfRange => f.write_str("the request exceeds the buffer of 32 KiB"),
            Self::SkipOutOfRange => f.write_str("more bytes to skip than are buffered"),
            Self::StringTooLong => f.write_str("a counted string is longer than 255 bytes"),
            Self::NoSpace => f.write_str("the buffer has no room for a compressed block"),
            Self::Compress => f.write_str("compression failed"),
            Self::Decompress => f.write_str("a compressed block is damaged or of another size"),
            Self::Unsupported => f.write_str("the channel or hook does not support this"),
            Self::InvalidLevel => f.write_str("a compression level is above 9"),
            Self::InvalidMode => f.write_str("an opening mode is neither `rb` nor `wb`"),
            Self::OutOfRegion => f.write_str("the range exceeds the memory region"),
            Self::PositionOverflow => f.write_str("a position is too large to count"),
            Self::NoDescriptor => f.write_str("no descriptor has arrived"),
            Self::NoMemory => f.write_str("no memory left"),
        }
    }
}

/// The source is the error of the channel.
impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Write(error)
            | Self::Read(error)
            | Self::Seek(error)
            | Self::Close(error)
            | Self::Shutdown(error) => Some(error),
            _ => None,
        }
    }
}

/// Refuses bytes that would end past the last position.
pub(in crate::file) fn check_end(position: u64, len: usize) -> Result<(), Error> {
    position.checked_add(len as u64).map(drop).ok_or(Error::PositionOverflow)
}

#[cfg(feature = "embedded-io-v0.7")]
impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind;

        match self {
            Self::Unsupported => ErrorKind::Unsupported,
            Self::NoMemory => ErrorKind::OutOfMemory,
            Self::WriteZero => ErrorKind::WriteZero,
            Self::Decompress => ErrorKind::InvalidData,
            _ => match self.errno() {
                22 => ErrorKind::InvalidInput,
                32 => ErrorKind::BrokenPipe,
                104 => ErrorKind::ConnectionReset,
                110 => ErrorKind::TimedOut,
                _ => ErrorKind::Other,
            },
        }
    }
}
