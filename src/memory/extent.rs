//! [`Extent`]: what is cut into the pieces of a walk, and what is cut along with them.

use core::ops::Range;

use super::{Access, Piece};
use crate::direction::Direction;

/// Bytes in a row: the rest of a segment, memory to copy to or from it, the distances from the start of a
/// walk, or nothing but a number of bytes.
pub trait Extent {
    /// The length in bytes.
    fn len(&self) -> usize;

    /// The first `len` bytes, or all if there are fewer.
    fn prefix(&self, len: usize) -> Self;

    /// All but the first `len` bytes; `len` is at most the length.
    ///
    /// A loop that cut lengths would wait for one minimum after the other; one that has compared them
    /// calls this.
    fn suffix(&self, len: usize) -> Self;
}

impl Extent for usize {
    #[inline]
    fn len(&self) -> usize {
        *self
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        len.min(*self)
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        self.wrapping_sub(len)
    }
}

/// Distances. The start does not exceed the end.
impl Extent for Range<usize> {
    #[inline]
    fn len(&self) -> usize {
        self.end.wrapping_sub(self.start)
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        self.start..self.start.wrapping_add(len.min(Extent::len(self)))
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        self.start.wrapping_add(len)..self.end
    }
}

impl<D: Direction, A: Access> Extent for Piece<'_, D, A> {
    #[inline]
    fn len(&self) -> usize {
        Piece::len(self)
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        self.slice(0, len)
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        self.slice(len, usize::MAX)
    }
}
