//! Comparing what vectors hold.

use super::{Error, Pieces, View};
use crate::direction::Source;
use crate::memory::Piece;

impl View<'_, Source> {
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
    pub fn mismatch(&self, other: &View<'_, Source>) -> Option<usize> {
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
    pub fn compare(&self, other: &View<'_, Source>) -> Result<Option<usize>, Error> {
        let (equal, found) = self.equal_segments(other);
        if equal == self.size() && equal == other.size() {
            return Ok(None);
        }
        self.cut_like(other)?;
        Ok(match found {
            Some(at) => Some(equal.saturating_add(at)),
            // Empty segments stand at other places.
            None => self.mismatch(other),
        })
    }

    /// The bytes in the pairs of segments at the front that are equal, and where the pair behind them
    /// differs if it is of one length.
    fn equal_segments(&self, other: &View<'_, Source>) -> (usize, Option<usize>) {
        let (size, mut left) = (self.size(), self.size());
        if size != other.size() {
            return (0, None);
        }
        let (at, other_at) = (self.cursor.position(), other.cursor.position());
        let segments = self.cursor.list().get(at.index..).unwrap_or_default();
        let others = other.cursor.list().get(other_at.index..).unwrap_or_default();
        let mut skip = (at.offset, other_at.offset);
        for (one, two) in segments.iter().zip(others) {
            let (one, two) = (one.piece(skip.0, left), two.piece(skip.1, left));
            if one.len() != two.len() {
                break;
            }
            if let Some(at) = one.mismatch(two) {
                return (size.wrapping_sub(left), Some(at));
            }
            // No piece is longer than what is left.
            left = left.wrapping_sub(one.len());
            skip = (0, 0);
        }
        (size.wrapping_sub(left), None)
    }

    /// Whether both are cut into segments alike.
    #[cold]
    fn cut_like(&self, other: &View<'_, Source>) -> Result<(), Error> {
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
fn next<'v>(pieces: &mut Pieces<'v, Source>) -> Piece<'v, Source> {
    pieces.next().unwrap_or(Piece::from(&[][..]))
}
