//! What can go wrong: one small error, shaped like the kernel's errno.

use core::fmt;

/// Why an operation was refused or could not be finished.
///
/// Operations that may end early report the bytes that moved as a plain count; where an `Error` is
/// returned, the iterator has not moved. [`errno`](Self::errno) gives the number that Linux returns
/// in the same place.
///
/// ```
/// use iov_iter::{Error, IovIter, KVec, Source};
///
/// let segments = [KVec::from(b"four")];
/// let refused = IovIter::<Source>::kvec(&segments, 5).unwrap_err();
/// assert_eq!(refused, Error::CountExceedsSegments);
/// assert_eq!(refused.errno(), 22); // EINVAL
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Memory at a user address, or of a page, could not be accessed.
    Fault,
    /// The iterator or the list ended: fewer bytes are left than an all-or-nothing operation asked for.
    Exhausted,
    /// The iterator's kind has no pages to hand out.
    NoPages,
    /// The host does not map user memory, or pages only one at a time.
    NoMapping,
    /// The kind cannot be described by a scatter list.
    NoScatterList,
    /// Memory for a list could not be allocated, or its inline storage is full.
    NoMemory,
    /// The count passed to a constructor is larger than the segments together.
    CountExceedsSegments,
    /// A revert would pass the first byte of the first segment.
    RevertPastStart,
    /// A re-expansion would pass the length that truncation cut off.
    ExpandPastEnd,
    /// A saved state belongs to another segment list.
    ForeignState,
    /// More segments than [`MAX_SEGMENTS`](crate::MAX_SEGMENTS).
    TooManySegments,
    /// A segment length is negative when read as a signed number.
    NegativeLength,
    /// An offset or length leaves the page, the folio or the address space, or a mask is no mask.
    OutOfRange,
    /// The address or the length of the next piece has bits of the alignment mask.
    Misaligned,
    /// An object is longer there than here, and what is left over is not zero.
    Surplus,
}

impl Error {
    /// The positive Linux errno of this error: 5 (EIO), 7 (E2BIG), 12 (ENOMEM), 14 (EFAULT), 22 (EINVAL) or 61
    /// (ENODATA).
    ///
    /// The last is for bytes that ran out, where no memory faulted. Linux has no number for that: its
    /// all-or-nothing copies return false, and their callers choose.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::Fault | Self::NoPages => 14,
            Self::Exhausted => 61,
            Self::NoMemory => 12,
            Self::NoScatterList => 5,
            Self::Surplus => 7,
            Self::CountExceedsSegments
            | Self::RevertPastStart
            | Self::ExpandPastEnd
            | Self::ForeignState
            | Self::TooManySegments
            | Self::NegativeLength
            | Self::OutOfRange
            | Self::Misaligned
            | Self::NoMapping => 22,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault => "memory could not be accessed",
            Self::Exhausted => "fewer bytes are left than were asked for",
            Self::NoPages => "this kind of iterator has no pages to hand out",
            Self::NoMapping => "this memory cannot be mapped for a transport",
            Self::NoScatterList => "this kind of iterator cannot be described by a scatter list",
            Self::NoMemory => "no memory left for the list",
            Self::CountExceedsSegments => "the count is larger than the segments together",
            Self::RevertPastStart => "a revert would pass the start of the segments",
            Self::ExpandPastEnd => "a re-expansion would pass what truncation cut off",
            Self::ForeignState => "the saved state belongs to another segment list",
            Self::TooManySegments => "too many segments",
            Self::NegativeLength => "a segment length is negative",
            Self::OutOfRange => "an offset or length is out of range",
            Self::Misaligned => "an address or length is not aligned",
            Self::Surplus => "the object has bytes that are not known here",
        })
    }
}

impl core::error::Error for Error {}
