//! Bytes between a vector and a linear buffer.

use super::{Error, View};
use crate::direction::{Dest, Direction, Source};
use crate::memory::{Access, Piece};
use crate::segment::KVec;

impl<'v, D: Direction, A: Access> View<'v, D, A> {
    /// The `len` bytes from `offset` on, if they are some and the first segment in view holds them.
    ///
    /// Headers do, nearly always; a copy of known length is then two instructions instead of a walk.
    #[inline]
    fn in_first_segment(&self, offset: usize, len: usize) -> Option<Piece<'v, D, A>> {
        let at = self.front;
        let segment = self.segments.get(at.index)?;
        let end = if at.index < self.back.index { usize::MAX } else { self.back.offset };
        let piece = segment.piece(0, end).slice(at.offset, usize::MAX).slice(offset, len);
        (piece.len() == len && len > 0).then_some(piece)
    }
}

impl<A: Access> View<'_, Source, A> {
    /// Copies bytes from `offset` on to the front of `buffer` and returns how many: the length of
    /// the buffer, or fewer where the view ends.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    #[inline]
    #[doc(alias = "iov_to_buf")]
    #[doc(alias = "iov_to_buf_full")]
    #[doc(alias = "qemu_iovec_to_buf")]
    pub fn read_at(&self, offset: usize, buffer: &mut [u8]) -> Result<usize, Error> {
        let buffer = KVec::<Dest>::from(buffer);
        match self.in_first_segment(offset, buffer.len()) {
            Some(piece) => Ok(buffer.copy_from(piece)),
            None => self.gather(offset, buffer),
        }
    }

    fn gather(&self, offset: usize, buffer: KVec<'_, Dest>) -> Result<usize, Error> {
        let mut from = self.cursor_at(self.place(offset)?, buffer.len());
        Ok(from.share_pieces(buffer, |piece, part| {
            part.copy_from(piece);
            piece.len()
        }))
    }
}

impl<A: Access> View<'_, Dest, A> {
    /// Copies `buffer` into the vector from `offset` on and returns how many bytes: the length of
    /// the buffer, or fewer where the view ends.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    #[inline]
    #[doc(alias = "iov_from_buf")]
    #[doc(alias = "iov_from_buf_full")]
    #[doc(alias = "qemu_iovec_from_buf")]
    pub fn write_at(&self, offset: usize, buffer: &[u8]) -> Result<usize, Error> {
        let buffer = KVec::<Source>::from(buffer);
        match self.in_first_segment(offset, buffer.len()) {
            Some(piece) => Ok(buffer.copy_to(piece)),
            None => self.scatter(offset, buffer),
        }
    }

    fn scatter(&self, offset: usize, buffer: KVec<'_, Source>) -> Result<usize, Error> {
        let mut into = self.cursor_at(self.place(offset)?, buffer.len());
        Ok(into.share_pieces(buffer, |piece, part| {
            part.copy_to(piece);
            piece.len()
        }))
    }

    /// Sets `len` bytes from `offset` on to `value` and returns how many: `len`, or fewer where the
    /// view ends.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    #[doc(alias = "iov_memset")]
    #[doc(alias = "qemu_iovec_memset")]
    pub fn fill_at(&self, offset: usize, value: u8, len: usize) -> Result<usize, Error> {
        let mut into = self.cursor_at(self.place(offset)?, len);
        Ok(into.share_pieces(len, move |piece, _| piece.fill(value)))
    }
}
