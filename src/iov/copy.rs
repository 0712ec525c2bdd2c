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

    /// Fills `buffer` with the bytes from `offset` on, or copies nothing.
    ///
    /// # Errors
    ///
    /// [`Error::RangeOutOfRange`], with the length of the view, if it ends too early. The buffer is
    /// unchanged then.
    ///
    /// ```
    /// use iov_iter::{KVec, iov::{Error, View}};
    ///
    /// let segments = [KVec::from(b"head"), KVec::from(b"er")];
    /// let view = View::new(&segments);
    /// let mut bytes = [0; 4];
    /// view.read_exact_at(2, &mut bytes)?;
    /// assert_eq!(&bytes, b"ader");
    /// let refused = view.read_exact_at(3, &mut bytes);
    /// assert_eq!(refused, Err(Error::RangeOutOfRange { offset: 3, len: 4, size: 6 }));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn read_exact_at(&self, offset: usize, buffer: &mut [u8]) -> Result<(), Error> {
        let buffer = KVec::<Dest>::from(buffer);
        match self.in_first_segment(offset, buffer.len()) {
            Some(piece) => buffer.copy_from(piece),
            None => self.slice(offset, buffer.len())?.gather(0, buffer)?,
        };
        Ok(())
    }

    /// As [`read_at`](Self::read_at), into memory that others may access or that overlaps the view.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    ///
    /// ```
    /// use iov_iter::{Dest, KVec, Piece, iov::View};
    ///
    /// let segments = [KVec::from(b"scat"), KVec::from(b"ter")];
    /// let mut frame = [0; 4];
    /// let piece = Piece::<Dest>::from(&mut frame[..]);
    /// assert_eq!(View::new(&segments).read_piece_at(4, piece)?, 3);
    /// assert_eq!(&frame, b"ter\0");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    pub fn read_piece_at<B: Access>(
        &self,
        offset: usize,
        into: Piece<'_, Dest, B>,
    ) -> Result<usize, Error> {
        match self.in_first_segment(offset, into.len()) {
            Some(piece) => Ok(into.copy_from(piece)),
            None => self.gather_piece(offset, into),
        }
    }

    fn gather_piece<B: Access>(
        &self,
        offset: usize,
        into: Piece<'_, Dest, B>,
    ) -> Result<usize, Error> {
        let mut from = self.cursor_at(self.place(offset)?, into.len());
        Ok(from.walk_pieces(into, |piece, part| part.copy_from(piece)))
    }

    fn gather(&self, offset: usize, buffer: KVec<'_, Dest>) -> Result<usize, Error> {
        let mut from = self.cursor_at(self.place(offset)?, buffer.len());
        Ok(from.walk_pieces(buffer, |piece, part| {
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

    /// Copies all of `buffer` into the vector from `offset` on, or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::RangeOutOfRange`], with the length of the view, if it ends too early. The vector is
    /// unchanged then.
    #[inline]
    pub fn write_all_at(&self, offset: usize, buffer: &[u8]) -> Result<(), Error> {
        let buffer = KVec::<Source>::from(buffer);
        match self.in_first_segment(offset, buffer.len()) {
            Some(piece) => buffer.copy_to(piece),
            None => self.slice(offset, buffer.len())?.scatter(0, buffer)?,
        };
        Ok(())
    }

    /// As [`write_at`](Self::write_at), from memory that others may access or that overlaps the view.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    pub fn write_piece_at<B: Access>(
        &self,
        offset: usize,
        from: Piece<'_, Source, B>,
    ) -> Result<usize, Error> {
        match self.in_first_segment(offset, from.len()) {
            Some(piece) => Ok(from.copy_to(piece)),
            None => self.scatter_piece(offset, from),
        }
    }

    fn scatter_piece<B: Access>(
        &self,
        offset: usize,
        from: Piece<'_, Source, B>,
    ) -> Result<usize, Error> {
        let mut into = self.cursor_at(self.place(offset)?, from.len());
        Ok(into.walk_pieces(from, |piece, part| part.copy_to(piece)))
    }

    fn scatter(&self, offset: usize, buffer: KVec<'_, Source>) -> Result<usize, Error> {
        let mut into = self.cursor_at(self.place(offset)?, buffer.len());
        Ok(into.walk_pieces(buffer, |piece, part| {
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
        Ok(into.walk_pieces(len, move |piece, _| piece.fill(value)))
    }
}
