//! [`Span`] and [`Extent`]: what is cut into the pieces of a walk, and what goes along with them.

use core::ops::Range;

use super::{Access, Piece};
use crate::direction::Direction;

/// Bytes in a row, such as what there is of a segment.
pub trait Span {
    /// The length in bytes.
    fn size(&self) -> usize;

    /// The first `len` bytes, or all if there are fewer.
    fn front(&self, len: usize) -> Self;
}

/// What a walk shares out among the pieces of a list: memory to copy to or from them, their distances from
/// the start of the walk, or nothing but a number of bytes.
pub trait Extent: Span {
    /// All but the first `len` bytes, of which there are so many.
    ///
    /// A loop that cuts lengths waits for one minimum after the other; one that has compared them
    /// calls this.
    fn behind(&self, len: usize) -> Self;
}

impl Span for usize {
    #[inline]
    fn size(&self) -> usize {
        *self
    }

    #[inline]
    fn front(&self, len: usize) -> Self {
        len.min(*self)
    }
}

impl Extent for usize {
    #[inline]
    fn behind(&self, len: usize) -> Self {
        self.wrapping_sub(len)
    }
}

/// Distances, of which the start is not behind the end.
impl Span for Range<usize> {
    #[inline]
    fn size(&self) -> usize {
        self.end.wrapping_sub(self.start)
    }

    #[inline]
    fn front(&self, len: usize) -> Self {
        self.start..self.start.wrapping_add(len.min(self.size()))
    }
}

impl Extent for Range<usize> {
    #[inline]
    fn behind(&self, len: usize) -> Self {
        self.start.wrapping_add(len)..self.end
    }
}

impl<D: Direction, A: Access> Span for Piece<'_, D, A> {
    #[inline]
    fn size(&self) -> usize {
        self.len()
    }

    #[inline]
    fn front(&self, len: usize) -> Self {
        self.slice(0, len)
    }
}

impl<D: Direction, A: Access> Extent for Piece<'_, D, A> {
    #[inline]
    fn behind(&self, len: usize) -> Self {
        self.slice(len, usize::MAX)
    }
}
