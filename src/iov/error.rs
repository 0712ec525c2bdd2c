//! What can be wrong with a request on a whole vector, with the numbers that show it.

use core::fmt;

/// Why an operation on a whole vector was refused. Nothing has moved or changed then.
///
/// ```
/// use iov_iter::{KVec, iov};
///
/// let segments = [KVec::from(b"twelve bytes")];
/// let view = iov::View::new(&segments);
/// let refused = view.read_at(13, &mut [0; 4]).unwrap_err();
/// assert_eq!(refused, iov::Error::OffsetOutOfRange { offset: 13, size: 12 });
/// assert_eq!(refused.to_string(), "offset 13 exceeds the length 12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// An offset exceeds the length.
    OffsetOutOfRange {
        /// The offset asked for.
        offset: usize,
        /// Bytes that there are.
        size: usize,
    },
    /// A range does not lie within the bytes.
    RangeOutOfRange {
        /// Where the range starts.
        offset: usize,
        /// Its length in bytes.
        len: usize,
        /// Bytes that there are.
        size: usize,
    },
    /// The lengths together are more than `usize::MAX`.
    LengthOverflow {
        /// The sum so far.
        size: usize,
        /// The length that no longer fits.
        added: usize,
    },
    /// The result would have more segments than one call of an operating system takes.
    TooManySegments {
        /// Segments of the result.
        segments: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The vector borrows its segments and can neither grow nor be emptied.
    NotGrowable,
    /// Two vectors that are compared are not cut into segments alike.
    StructureMismatch {
        /// The first segment that differs, counting those with bytes.
        index: usize,
        /// Its length in the left vector, 0 if that has fewer segments.
        left: usize,
        /// Its length in the right vector, 0 if that has fewer segments.
        right: usize,
    },
    /// The buffer cannot hold what is to be placed in it.
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes that there are.
        available: usize,
    },
    /// Memory for segments could not be allocated, or the inline storage is full.
    NoMemory,
    /// The undo token belongs to a view of another vector.
    ForeignUndo,
}

impl Error {
    /// The positive Linux errno of this error: 12 (ENOMEM) or 22 (EINVAL).
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::NoMemory => 12,
            _ => 22,
        }
    }
}

impl From<Error> for crate::Error {
    /// The same error without its numbers.
    fn from(error: Error) -> Self {
        match error {
            Error::NoMemory => Self::NoMemory,
            Error::TooManySegments { .. } => Self::TooManySegments,
            Error::ForeignUndo => Self::ForeignState,
            Error::OffsetOutOfRange { .. }
            | Error::RangeOutOfRange { .. }
            | Error::LengthOverflow { .. }
            | Error::NotGrowable
            | Error::StructureMismatch { .. }
            | Error::BufferTooSmall { .. } => Self::OutOfRange,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OffsetOutOfRange { offset, size } => {
                write!(f, "offset {offset} exceeds the length {size}")
            }
            Self::RangeOutOfRange { offset, len, size } => {
                write!(f, "range {offset}+{len} exceeds the length {size}")
            }
            Self::LengthOverflow { size, added } => {
                write!(f, "{size} bytes and {added} more are too many to count")
            }
            Self::TooManySegments { segments, limit } => {
                write!(f, "{segments} segments, at most {limit} are possible")
            }
            Self::NotGrowable => f.write_str("the vector borrows its segments"),
            Self::StructureMismatch { index, left, right } => {
                write!(f, "segment {index} has {left} bytes on the left and {right} on the right")
            }
            Self::BufferTooSmall { needed, available } => {
                write!(f, "{needed} bytes are needed, the buffer has {available}")
            }
            Self::NoMemory => f.write_str("no memory left for segments"),
            Self::ForeignUndo => f.write_str("the undo token belongs to another vector"),
        }
    }
}

impl core::error::Error for Error {}
