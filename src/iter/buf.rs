//! Iterators as buffers of `bytes`.

use core::fmt;
use core::ptr::NonNull;

use ::bytes::buf::UninitSlice;
use ::bytes::{Buf, BufMut};

use super::IovIter;
use crate::cursor::{Cursor, SegmentRange};
use crate::direction::{Dest, Source};
use crate::host::KernelOnly;
use crate::segment::KVec;

/// The bytes left. Memory that others write cannot be lent as `&[u8]`, so this host has none.
///
/// [`Buf::advance`] past the end stops at the end and does not panic, as the trait permits. Its provided
/// functions that need more bytes than are left, such as [`Buf::get_u32`], panic in `bytes`; those named
/// `try_` and [`read_be`](IovIter::read_be) return an error.
///
/// ```
/// use bytes::Buf;
/// use iov_iter::{IovIterSource, KVec};
///
/// let segments = [KVec::from(b"\x12\x34\x56"), KVec::from(b"\x78rest")];
/// let mut iter = IovIterSource::from(&segments);
/// assert_eq!(iter.try_get_u32(), Ok(0x1234_5678));
/// assert_eq!(iter.chunk(), b"rest");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "bytes")))]
impl Buf for IovIter<'_, Source, KernelOnly> {
    fn remaining(&self) -> usize {
        self.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks().next().unwrap_or_default()
    }

    fn advance(&mut self, len: usize) {
        // In full: the trait has a function of this name.
        IovIter::advance(self, len);
    }
}

/// Segments that are filled through [`bytes::BufMut`].
///
/// An iterator cannot be: it may be cloned, and `BufMut` lends the memory exclusively. This borrows the list
/// itself exclusively.
///
/// [`BufMut::advance_mut`] past the end stops at the end and does not panic, as the trait permits. Its
/// provided functions that need more room than is left, such as [`BufMut::put_u32`], panic in `bytes`.
///
/// ```
/// use bytes::BufMut;
/// use iov_iter::{KVec, SpaceMut};
///
/// let (mut head, mut body) = ([0; 3], [0; 4]);
/// let mut segments = [KVec::from(&mut head), KVec::from(&mut body)];
/// let mut space = SpaceMut::new(&mut segments);
/// space.put_u32(0x1234_5678);
/// assert_eq!(space.remaining_mut(), 3);
/// assert_eq!((&head, &body), (b"\x12\x34\x56", b"\x78\0\0\0"));
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "bytes")))]
pub struct SpaceMut<'s> {
    // Made of an exclusive borrow of the list, so that nothing else reaches the memory during 's.
    cursor: Cursor<&'s [KVec<'s, Dest>]>,
}

impl<'s> SpaceMut<'s> {
    /// All bytes of `segments`.
    #[must_use]
    pub fn new(segments: &'s mut [KVec<'_, Dest>]) -> Self {
        Self { cursor: Cursor::new(segments) }
    }
}

// SAFETY: a chunk is the rest of a segment, borrowed exclusively; `remaining_mut` is what is left of all.
unsafe impl BufMut for SpaceMut<'_> {
    fn remaining_mut(&self) -> usize {
        self.cursor.remaining()
    }

    unsafe fn advance_mut(&mut self, len: usize) {
        self.cursor.advance(len);
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        let (start, len) = match self.cursor.ranges().next() {
            Some(SegmentRange { segment, offset, len }) => {
                (segment.piece(offset, len).as_mut_ptr(), len)
            }
            None => (NonNull::dangling().as_ptr(), 0),
        };
        // SAFETY: the bytes are valid for writes during 's. The list is borrowed exclusively, a segment has
        // its memory for itself, and the result borrows the only value that reaches it.
        unsafe { UninitSlice::from_raw_parts_mut(start, len) }
    }
}

impl fmt::Debug for SpaceMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceMut").field("remaining", &self.cursor.remaining()).finish()
    }
}
