//! Comparing what vectors hold.

use super::{Error, Pieces, View};
use crate::direction::Source;
use crate::memory::Piece;

impl View<'_, Source> {
    /// Whether all bytes in view are 0. True for a view without bytes.
    #[must_use]
    #[doc(alias = "qemu_iovec_is_zero")]
    pub fn is_zero(&self) -> bool {
        self.pieces().all(Piece::is_zero)
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
        let (mut lefts, mut rights) = (self.pieces(), other.pieces());
        let (mut index, mut passed, mut found) = (0_usize, 0_usize, None);
        loop {
            let (left, right) = (next(&mut lefts), next(&mut rights));
            let len = left.len();
            if len != right.len() {
                return Err(Error::StructureMismatch { index, left: len, right: right.len() });
            }
            if len == 0 {
                return Ok(found);
            }
            // Behind a difference only the structure still matters.
            if found.is_none() {
                found = left.mismatch(right).map(|at| passed.saturating_add(at));
            }
            index = index.saturating_add(1);
            passed = passed.saturating_add(len);
        }
    }
}

/// The next piece; an empty one at the end.
fn next<'v>(pieces: &mut Pieces<'v, Source>) -> Piece<'v, Source> {
    pieces.next().unwrap_or(Piece::from(&[][..]))
}
