//! [`View`]: the bytes of a vector that an operation is about.

use core::fmt;

use super::Error;
use crate::cursor::{self, Cursor};
use crate::direction::Direction;
use crate::list::List;
use crate::memory::{Access, Exclusive, Piece};
use crate::segment::MemVec;

/// A contiguous range of the bytes of a vector: all of them, or what discards and slices left.
///
/// A view borrows the segments and is as cheap to copy as a slice. Like the segments of a
/// destination, a view of one stays on its thread.
///
/// ```
/// use iov_iter::{KVec, iov::View};
///
/// let segments = [KVec::from(&b"scatter"[..]), KVec::from(&b" gather"[..])];
/// let all = View::new(&segments)?;
/// assert_eq!(all.size(), 14);
///
/// let middle = all.slice(5, 5)?;
/// let lengths: Vec<usize> = middle.pieces().map(|piece| piece.len()).collect();
/// assert_eq!(lengths, [2, 3]);
/// # Ok::<(), iov_iter::iov::Error>(())
/// ```
pub struct View<'v, D: Direction, A: Access = Exclusive> {
    pub(super) cursor: Cursor<&'v [MemVec<'v, D, A>]>,
    /// Bytes of the vector in front of the view.
    pub(super) start: usize,
}

impl<D: Direction, A: Access> Clone for View<'_, D, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction, A: Access> Copy for View<'_, D, A> {}

impl<D: Direction, A: Access> Default for View<'_, D, A> {
    /// A view without bytes.
    fn default() -> Self {
        Self { cursor: Cursor::new(&[]), start: 0 }
    }
}

impl<D: Direction, A: Access> fmt::Debug for View<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("direction", &format_args!("{}", D::NAME))
            .field("start", &self.start)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// What [`View::describe`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Pieces appended to the list.
    pub pieces: usize,
    /// Bytes that those pieces hold together; fewer than the view has if the list was full.
    pub bytes: usize,
}

impl<'v, D: Direction, A: Access> View<'v, D, A> {
    /// A view of all bytes of `segments`.
    ///
    /// # Errors
    ///
    /// [`Error::LengthOverflow`] if they are more than `usize::MAX`, as overlapping sources can be.
    pub fn new(segments: &'v [MemVec<'v, D, A>]) -> Result<Self, Error> {
        let cursor = Cursor::new(segments);
        // The sum saturates; only then the exact one can be too large.
        if cursor.remaining() == usize::MAX {
            segments.iter().try_fold(0, |size, segment| add(size, segment.len()))?;
        }
        Ok(Self { cursor, start: 0 })
    }

    /// A view of the bytes that `cursor` has left.
    pub(crate) const fn over(cursor: Cursor<&'v [MemVec<'v, D, A>]>) -> Self {
        Self { cursor, start: 0 }
    }

    /// The number of bytes in view.
    #[inline]
    #[must_use]
    #[doc(alias = "iov_size")]
    pub const fn size(&self) -> usize {
        self.cursor.remaining()
    }

    /// Whether there are no bytes in view.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// A cursor over the bytes in view, for an [`IovIter`](crate::IovIter) of its own.
    ///
    /// ```
    /// use iov_iter::{IovIter, KVec, Source, iov::View};
    ///
    /// let segments = [KVec::from(&b"head"[..]), KVec::from(&b"body"[..])];
    /// let body = View::new(&segments)?.slice(4, 4)?;
    /// let mut bytes = [0; 9];
    /// assert_eq!(IovIter::<Source>::KVec(body.cursor()).copy_from_iter(&mut bytes), 4);
    /// assert_eq!(&bytes[..4], b"body");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub const fn cursor(&self) -> Cursor<&'v [MemVec<'v, D, A>]> {
        self.cursor
    }

    /// The view of exactly `len` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::RangeOutOfRange`] if they leave this view.
    #[doc(alias = "qemu_iovec_slice")]
    #[doc(alias = "qemu_iovec_init_slice")]
    #[doc(alias = "qiov_slice")]
    #[doc(alias = "iov_skip_offset")]
    pub fn slice(&self, offset: usize, len: usize) -> Result<Self, Error> {
        let size = self.size();
        match offset.checked_add(len) {
            Some(end) if end <= size => Ok(self.part(offset, len)),
            _ => Err(Error::RangeOutOfRange { offset, len, size }),
        }
    }

    /// The view of at most `len` bytes from `offset` on, cut to what there is.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` is larger than the size.
    pub fn clip(&self, offset: usize, len: usize) -> Result<Self, Error> {
        let size = self.size();
        if offset > size {
            return Err(Error::OffsetOutOfRange { offset, size });
        }
        Ok(self.part(offset, len))
    }

    /// As `clip`, with an offset that is known to be in range.
    pub(super) fn part(&self, offset: usize, len: usize) -> Self {
        let mut part = *self;
        if offset > 0 {
            part.discard_front(offset);
        }
        part.cursor.truncate(len as u64);
        part
    }

    /// The pieces of memory in view, in order; none of them is empty.
    #[inline]
    #[must_use]
    pub fn pieces(&self) -> Pieces<'v, D, A> {
        let segments = self.cursor.list();
        Pieces { inner: cursor::Pieces::new(segments, self.cursor.position(), self.size()) }
    }

    /// The number of [`pieces`](Self::pieces): descriptors that a device would need.
    #[must_use]
    #[doc(alias = "qemu_iovec_subvec_niov")]
    pub fn piece_count(&self) -> usize {
        self.pieces().fold(0, |count, _| count.saturating_add(1))
    }

    /// All bytes in view as one piece, if one segment holds them.
    #[must_use]
    #[doc(alias = "qemu_iovec_buf")]
    pub fn as_piece(&self) -> Option<Piece<'v, D, A>> {
        self.pieces().next().filter(|piece| piece.len() == self.size())
    }

    /// Appends the pieces in view to `list`, as many as fit; no data is copied.
    ///
    /// Pieces are laid out as `struct iovec`, so the list can be handed to a device or a system
    /// call as it is. A full list is not an error; the result tells what it describes.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if the list grows on the heap and the heap is exhausted; the list is
    /// unchanged then.
    ///
    /// ```
    /// use iov_iter::{InlineVec, KVec, iov};
    ///
    /// let segments = [KVec::from(&b"ab"[..]), KVec::from(&b""[..]), KVec::from(&b"cdef"[..])];
    /// let mut list = InlineVec::<_, 4>::new();
    /// let described = iov::View::new(&segments)?.clip(1, 3)?.describe(&mut list)?;
    /// assert_eq!(described, iov::Described { pieces: 2, bytes: 3 });
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "iov_copy")]
    pub fn describe(&self, list: &mut impl List<Piece<'v, D>>) -> Result<Described, Error> {
        let room = list.make_room(self.piece_count()).map_err(|_| Error::NoMemory)?;
        let mut described = Described::default();
        for piece in self.pieces().take(room) {
            let Ok(()) = list.try_push(piece.into_shared()) else { break };
            described.pieces = described.pieces.saturating_add(1);
            described.bytes = described.bytes.saturating_add(piece.len());
        }
        Ok(described)
    }

    /// The pieces in view as segments.
    ///
    /// # Safety
    ///
    /// No segment of an exclusive destination may reach another thread than the view.
    pub(super) unsafe fn segments(&self) -> impl Iterator<Item = MemVec<'v, D, A>> + use<'v, D, A> {
        self.pieces().map(|piece| {
            // SAFETY: a piece of a view lies in a segment that is borrowed for 'v, under the
            // conditions that a segment asks for, but for this alias of it, which stays on the
            // thread of the borrow as the caller promises.
            unsafe { MemVec::new(piece.as_ptr().cast_mut(), piece.len()) }
        })
    }
}

/// The sum of two lengths.
pub(super) fn add(size: usize, added: usize) -> Result<usize, Error> {
    size.checked_add(added).ok_or(Error::LengthOverflow { size, added })
}

/// The pieces of memory in a [`View`], in order.
pub struct Pieces<'v, D: Direction, A: Access = Exclusive> {
    inner: cursor::Pieces<'v, MemVec<'v, D, A>>,
}

impl<D: Direction, A: Access> Clone for Pieces<'_, D, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<D: Direction, A: Access> fmt::Debug for Pieces<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'v, D: Direction, A: Access> Iterator for Pieces<'v, D, A> {
    type Item = Piece<'v, D, A>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'v, D, A>> {
        self.inner.next().map(|(segment, offset, len)| segment.piece(offset, len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<D: Direction, A: Access> core::iter::FusedIterator for Pieces<'_, D, A> {}
