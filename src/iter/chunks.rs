//! Borrowing addressable bytes instead of copying them.

use core::iter::FusedIterator;

use super::{Chained, IovIter};
use crate::cursor::SegmentRange;
use crate::direction::{Direction, Source};
use crate::host::{Host, KernelOnly};
use crate::memory::Piece;

impl<'a, H: Host> IovIter<'a, Source, H> {
    /// Returns the bytes up to the end of the current segment and advances past them.
    ///
    /// `None` at the end, and for memory that cannot be borrowed: user memory and pages.
    ///
    /// ```
    /// # use iov_iter::{IovIterSource, KVec};
    /// let segments = [KVec::from(b"ab"), KVec::from(b""), KVec::from(b"cde")];
    /// let mut iter = IovIterSource::from(&segments);
    /// iter.advance(1);
    /// iter.truncate(3);
    /// assert_eq!(iter.next_chunk(), Some(&b"b"[..]));
    /// assert_eq!(iter.next_chunk(), Some(&b"cd"[..]));
    /// assert_eq!(iter.next_chunk(), None);
    /// ```
    #[inline]
    pub fn next_chunk(&mut self) -> Option<&'a [u8]> {
        let (chunk, len) = match self {
            Self::KVec(cursor) => {
                let SegmentRange { segment, offset, len } = cursor.ranges().next()?;
                (segment.as_slice().get(offset..)?.get(..len)?, len)
            }
            Self::Chain(Chained::KVec(cursor)) => {
                let SegmentRange { segment, offset, len } = cursor.ranges().next()?;
                (segment.as_slice().get(offset..)?.get(..len)?, len)
            }
            Self::UserBuf(_) | Self::IoVec(_) | Self::Shared(_) | Self::BVec(_) => return None,
            Self::Uniform(_) | Self::Discard(_) | Self::Chain(_) | Self::Lookup(_) => return None,
        };
        self.advance(len);
        Some(chunk)
    }
}

impl<'a> IovIter<'a, Source, KernelOnly> {
    /// The chunks of the bytes left, one for each segment that has any. The iterator stays.
    ///
    /// ```
    /// # use iov_iter::{IovIterSource, KVec};
    /// let segments = [KVec::from(b"scatter "), KVec::from(b"gather")];
    /// let iter = IovIterSource::from(&segments);
    /// assert_eq!(iter.chunks().collect::<Vec<_>>().concat(), b"scatter gather");
    /// assert_eq!((iter.chunks().count(), iter.remaining()), (2, 14));
    /// ```
    #[inline]
    #[must_use]
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks(self.clone())
    }
}

impl<D: Direction, H: Host> IovIter<'_, D, H> {
    /// The bytes left as pieces of addressable memory, one for each segment that has any. The iterator stays.
    ///
    /// User memory, pages and discarded bytes have no address here: no piece then, whatever
    /// [`remaining`](Self::remaining) says.
    ///
    /// A list of pieces is laid out as an array of `struct iovec`: its pointer and length are what `writev`
    /// and io_uring take, also of memory that others write.
    ///
    /// ```
    /// use std::sync::atomic::AtomicU8;
    /// use iov_iter::{IovIterDest, Piece, SharedVec};
    ///
    /// let ring: [AtomicU8; 8] = Default::default();
    /// let segments = [SharedVec::from(&ring[6..]), SharedVec::from(&ring[..6])];
    /// let mut iter = IovIterDest::from(&segments);
    /// iter.advance(1);
    /// let list: heapless::Vec<Piece<_>, 8> = iter.pieces().collect();
    /// let (_array, count) = (list.as_ptr().cast::<[usize; 2]>(), list.len());
    /// assert_eq!((count, list[0].len(), list[1].len()), (2, 1, 6));
    /// ```
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_, D>> {
        let (exclusive, shared) = match self {
            Self::KVec(cursor) => (Some(cursor.pieces()), None),
            Self::Shared(cursor) => (None, Some(cursor.pieces())),
            Self::UserBuf(_) | Self::IoVec(_) | Self::BVec(_) | Self::Uniform(_) => (None, None),
            Self::Discard(_) | Self::Chain(_) | Self::Lookup(_) => (None, None),
        };
        let (chained, shared_chained) = match self {
            Self::Chain(Chained::KVec(cursor)) => (Some(cursor.pieces()), None),
            Self::Chain(Chained::Shared(cursor)) => (None, Some(cursor.pieces())),
            _ => (None, None),
        };
        let (exclusive, shared) = (exclusive.into_iter().flatten(), shared.into_iter().flatten());
        let chained = chained.into_iter().flatten().chain(shared_chained.into_iter().flatten());
        exclusive.chain(shared).chain(chained)
    }
}

/// Chunks of addressable memory, borrowed for as long as the segments are: [`IovIter::chunks`].
#[derive(Clone, Debug)]
pub struct Chunks<'a>(IovIter<'a, Source, KernelOnly>);

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next_chunk()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // No chunk is empty. The segments are no better bound: empty ones would show in it.
        (usize::from(!self.0.is_empty()), Some(self.0.remaining()))
    }
}

impl FusedIterator for Chunks<'_> {}
