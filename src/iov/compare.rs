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
        let (mut lefts, mut rights) = (self.cursor, other.pieces());
        let (mut index, mut found) = (0_usize, None);
        // Of the pair looked at last: the first that is not alike, or what is left at the end.
        let mut lengths = (0, 0);
        let size = self.size();
        let alike = lefts.share_pieces(0..size, |left, part| {
            if left.is_empty() {
                return 0;
            }
            let right = next(&mut rights);
            lengths = (left.len(), right.len());
            if lengths.0 != lengths.1 {
                return 0;
            }
            index = index.wrapping_add(1);
            // Behind a difference only the structure still matters.
            if found.is_none() {
                found = left.mismatch(right).map(|at| part.start.wrapping_add(at));
            }
            left.len()
        });
        if alike == size {
            lengths = (0, next(&mut rights).len());
        }
        match lengths {
            (left, right) if left != right => Err(Error::StructureMismatch { index, left, right }),
            _ => Ok(found),
        }
    }
}

/// The next piece; an empty one at the end.
fn next<'v>(pieces: &mut Pieces<'v, Source>) -> Piece<'v, Source> {
    pieces.next().unwrap_or(Piece::from(&[][..]))
}
