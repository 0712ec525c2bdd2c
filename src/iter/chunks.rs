//! Borrowing addressable bytes instead of copying them.

use core::iter::FusedIterator;

use super::IovIter;
use crate::direction::Source;
use crate::host::{Host, KernelOnly};

impl<'a, H: Host> IovIter<'a, Source, H> {
    /// The bytes up to the end of the current segment, and moves behind them.
    ///
    /// `None` at the end, and for memory that cannot be borrowed: user memory and pages.
    ///
    /// ```
    /// # use iov_iter::{IovIter, KVec, Source};
    /// let segments = [KVec::from(&b"ab"[..]), KVec::from(&b""[..]), KVec::from(&b"cde"[..])];
    /// let mut iter = IovIter::<Source>::from(&segments[..]);
    /// iter.advance(1);
    /// iter.truncate(3);
    /// assert_eq!(iter.next_chunk(), Some(&b"b"[..]));
    /// assert_eq!(iter.next_chunk(), Some(&b"cd"[..]));
    /// assert_eq!(iter.next_chunk(), None);
    /// ```
    #[inline]
    pub fn next_chunk(&mut self) -> Option<&'a [u8]> {
        let Self::KVec(cursor) = self else { return None };
        let range = cursor.ranges().next()?;
        let len = range.len;
        let chunk = range.segment.as_slice().get(range.offset..)?.get(..len)?;
        cursor.advance(len);
        Some(chunk)
    }
}

impl<'a> IovIter<'a, Source, KernelOnly> {
    /// The chunks of the bytes left, one for each segment that has any. The iterator stays.
    ///
    /// ```
    /// # use iov_iter::{IovIter, KVec, Source};
    /// let segments = [KVec::from(&b"scatter "[..]), KVec::from(&b"gather"[..])];
    /// let iter = IovIter::<Source>::from(&segments[..]);
    /// assert_eq!(iter.chunks().collect::<Vec<_>>().concat(), b"scatter gather");
    /// assert_eq!((iter.chunks().count(), iter.remaining()), (2, 14));
    /// ```
    #[inline]
    #[must_use]
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks(self.clone())
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
