//! Comparing what vectors hold.

use super::{Error, Pieces, View};
use crate::direction::Source;
use crate::memory::{Access, Piece};
use crate::segment::MemVec;

impl<A: Access> View<'_, Source, A> {
    /// Whether all bytes in view are 0. True for a view without bytes.
    #[must_use]
    #[doc(alias = "qemu_iovec_is_zero")]
    pub fn is_zero(&self) -> bool {
        // By the engine: to take one piece at a time costs as much as to look at a short one.
        let (mut cursor, size) = (self.cursor, self.size());
        let zero =
            cursor.share_pieces(size, |piece, _| if piece.is_zero() { piece.len() } else { 0 });
        zero == size
    }

    /// The offset of the first byte that differs, `None` if all are equal.
    ///
    /// How the bytes are cut into segments does not matter. If one view is the beginning of the
    /// other, they differ at its end.
    ///
    /// ```
    /// use iov_iter::{KVec, iov::View};
    ///
    /// let parts = [KVec::from(&b"scat"[..]), KVec::from(&b"ter"[..])];
    /// let whole = [KVec::from(&b"scanner"[..])];
    /// assert_eq!(View::new(&parts)?.mismatch(&View::new(&whole)?), Some(3));
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[must_use]
    pub fn mismatch<B: Access>(&self, other: &View<'_, Source, B>) -> Option<usize> {
        let (mut lefts, mut rights) = (self.pieces(), other.pieces());
        let (mut left, mut right) = (next(&mut lefts), next(&mut rights));
        let mut equal = 0_usize;
        loop {
            let len = left.len().min(right.len());
            if len == 0 {
                // One of the views has ended.
                return (self.size() != other.size()).then_some(equal);
            }
            if let Some(at) = left.slice(0, len).mismatch(right.slice(0, len)) {
                return Some(equal.saturating_add(at));
            }
            equal = equal.saturating_add(len);
            left = left.slice(len, usize::MAX);
            right = right.slice(len, usize::MAX);
            if left.is_empty() {
                left = next(&mut lefts);
            }
            if right.is_empty() {
                right = next(&mut rights);
            }
        }
    }

    /// As [`mismatch`](Self::mismatch), for two vectors that are cut into segments alike.
    ///
    /// # Errors
    ///
    /// [`Error::StructureMismatch`] if they are not, whatever the bytes are.
    #[doc(alias = "qemu_iovec_compare")]
    pub fn compare<B: Access>(&self, other: &View<'_, Source, B>) -> Result<Option<usize>, Error> {
        let equal = self.equal_segments(other);
        if equal == self.size() && equal == other.size() {
            return Ok(None);
        }
        self.cut_like(other)?;
        let (mut rest, mut other_rest) = (*self, *other);
        rest.discard_front(equal);
        other_rest.discard_front(equal);
        Ok(rest.mismatch(&other_rest).map(|at| equal.saturating_add(at)))
    }

    /// The bytes in the pairs of segments at the front that are equal: all, if the views are cut alike and
    /// empty segments stand at the same places.
    ///
    /// For speed only. Two lists of segments side by side are walked in half the instructions that pieces
    /// take.
    fn equal_segments<B: Access>(&self, other: &View<'_, Source, B>) -> usize {
        let (at, other_at) = (self.cursor.position(), other.cursor.position());
        let segments = self.cursor.list().get(at.index..).unwrap_or_default();
        let others = other.cursor.list().get(other_at.index..).unwrap_or_default();
        let mut pairs = segments.iter().zip(others);
        let Some((one, two)) = pairs.next() else { return 0 };
        let size = self.size().min(other.size());
        let mut left = size;
        let mut pair = (one.piece(at.offset, left), two.piece(other_at.offset, left));
        while pair.0.equals(pair.1) {
            // No piece is longer than what is left.
            left = left.wrapping_sub(pair.0.len());
            match pairs.next() {
                Some((one, two)) if left > 0 => pair = (one.piece(0, left), two.piece(0, left)),
                _ => break,
            }
        }
        size.wrapping_sub(left)
    }

    /// An error unless both are cut into segments alike.
    #[cold]
    fn cut_like<B: Access>(&self, other: &View<'_, Source, B>) -> Result<(), Error> {
        let (mut lefts, mut rights) = (self.pieces(), other.pieces());
        let mut index = 0_usize;
        loop {
            match (next(&mut lefts).len(), next(&mut rights).len()) {
                (0, 0) => return Ok(()),
                (left, right) if left == right => index = index.saturating_add(1),
                (left, right) => return Err(Error::StructureMismatch { index, left, right }),
            }
        }
    }
}

/// The next piece; an empty one at the end.
fn next<'v, A: Access>(pieces: &mut Pieces<'v, Source, A>) -> Piece<'v, Source, A> {
    pieces.next().unwrap_or(MemVec::empty().into_piece())
}
