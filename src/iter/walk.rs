//! Walking with one closure, for pieces of every kind.

use core::fmt;

use super::{IovIter, UserPiece};
use crate::direction::{Dest, Direction, Source};
use crate::host::{CopyFlags, Host};
use crate::memory::Piece;

/// A contiguous part of the bytes of an iterator, as [`IovIter::walk`] hands it to its step: never empty.
///
/// Bytes either have an address here, or the host moves them. So there is no third kind.
pub enum Chunk<'p, D: Direction, H: Host> {
    /// Addressable memory, or a page that is mapped until the step returns.
    Memory(Piece<'p, D>),
    /// User memory, which may fault at any byte.
    User(UserPiece<'p, H::User, D>),
}

impl<'p, D: Direction, H: Host> Chunk<'p, D, H> {
    /// The length in bytes, never 0.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> usize {
        match self {
            Self::Memory(piece) => piece.len(),
            Self::User(piece) => piece.len(),
        }
    }

    /// The memory, if it is addressable.
    #[inline]
    #[must_use]
    pub const fn piece(&self) -> Option<Piece<'p, D>> {
        match self {
            Self::Memory(piece) => Some(*piece),
            Self::User(_) => None,
        }
    }
}

impl<H: Host> Chunk<'_, Source, H> {
    /// Copies to the start of `dst` and returns the bytes copied: the smaller of both lengths, or fewer if
    /// user memory faults.
    #[inline]
    pub fn copy_to(&self, dst: Piece<'_, Dest>) -> usize {
        match self {
            Self::Memory(piece) => piece.copy_to(dst),
            Self::User(piece) => piece.read(0, dst, CopyFlags::empty()),
        }
    }
}

impl<H: Host> Chunk<'_, Dest, H> {
    /// Copies `src` to the start of the chunk and returns the bytes copied: the smaller of both lengths, or
    /// fewer if user memory faults.
    #[inline]
    pub fn copy_from(&self, src: Piece<'_, Source>) -> usize {
        match self {
            Self::Memory(piece) => piece.copy_from(src),
            Self::User(piece) => piece.write(0, src, CopyFlags::empty()),
        }
    }
}

impl<D: Direction, H: Host> fmt::Debug for Chunk<'_, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(piece) => f.debug_tuple("Memory").field(piece).finish(),
            Self::User(piece) => f.debug_tuple("User").field(piece).finish(),
        }
    }
}

/// The error of a [walk](IovIter::try_walk) whose step failed: what moved before, and why no more did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted<E> {
    /// Bytes handled before the step that failed.
    pub moved: usize,
    /// What that step returned.
    pub cause: E,
}

impl<E: fmt::Display> fmt::Display for Interrupted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped after {} bytes: {}", self.moved, self.cause)
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Interrupted<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl<D: Direction, H: Host> IovIter<'_, D, H> {
    /// Calls `step` for each contiguous piece of the next `n` bytes, and advances by what it handled.
    ///
    /// `n` is cut to [`remaining`](Self::remaining). `step` gets a [`Chunk`] and the number of bytes handled
    /// so far. It returns how many bytes of the chunk it handled; fewer than the chunk has end the walk
    /// there. A chunk is a segment, or what the walk needs of it. Pages come one at a time, mapped for the
    /// step, or a run of them at once if it is [mapped as a whole](crate::Page::CONTIGUOUS). The walk ends
    /// before memory outside the user's part of the address space. A [discarding](Self::discard) iterator
    /// advances without a step.
    ///
    /// Returns the bytes handled in all.
    ///
    /// ```
    /// use iov_iter::{IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"ab"), KVec::from(b"cde")];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut lengths = vec![];
    /// let handled = iter.walk(4, |chunk, progress| {
    ///     lengths.push((progress, chunk.len()));
    ///     chunk.len()
    /// });
    /// assert_eq!((handled, iter.remaining()), (4, 1));
    /// assert_eq!(lengths, [(0, 2), (2, 2)]);
    /// ```
    #[inline]
    #[doc(alias = "iov_iter_for_each_range")]
    pub fn walk(
        &mut self,
        n: usize,
        mut step: impl FnMut(Chunk<'_, D, H>, usize) -> usize,
    ) -> usize {
        self.iterate_and_advance(
            n,
            &mut step,
            |step, piece, progress| step(Chunk::User(piece), progress),
            |step, piece, progress| step(Chunk::Memory(piece), progress),
        )
    }

    /// Calls `step` for each contiguous piece of the next `n` bytes until it fails, and advances by what it
    /// handled; otherwise as [`walk`](Self::walk).
    ///
    /// # Errors
    ///
    /// What `step` returned, and the bytes handled before. The iterator has advanced by those.
    ///
    /// ```
    /// use iov_iter::{IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"ab"), KVec::from(b"cde"), KVec::from(b"f")];
    /// let mut iter = IovIterSource::from(&segments);
    /// let stopped = iter.try_walk(usize::MAX, |chunk, _| match chunk.len() {
    ///     len @ ..3 => Ok(len),
    ///     _ => Err("too long"),
    /// });
    /// let stopped = stopped.unwrap_err();
    /// assert_eq!((stopped.moved, stopped.cause, iter.remaining()), (2, "too long", 4));
    /// ```
    #[inline]
    pub fn try_walk<E>(
        &mut self,
        n: usize,
        mut step: impl FnMut(Chunk<'_, D, H>, usize) -> Result<usize, E>,
    ) -> Result<usize, Interrupted<E>> {
        let mut failed = None;
        let moved = self.walk(n, |chunk, progress| {
            step(chunk, progress).unwrap_or_else(|cause| {
                failed = Some(cause);
                0
            })
        });
        match failed {
            Some(cause) => Err(Interrupted { moved, cause }),
            None => Ok(moved),
        }
    }
}
