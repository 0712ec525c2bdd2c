//! [`View`]: the bytes of a vector that an operation is about.

use core::fmt;

use super::Error;
use crate::cursor::Cursor;
use crate::direction::Direction;
use crate::list::List;
use crate::memory::{Access, Exclusive, Piece};
use crate::segment::{MemVec, Position, Segments};

/// A contiguous range of the bytes of a vector: all of them, or what discards and slices left.
///
/// A view borrows the segments and is cheap to make and to copy: it is two places in the list, and
/// looks at the segments that an operation needs. Looking at either end costs what that end costs,
/// whatever lies between.
///
/// ```text
///   segments   [ header │ da ][ ta ][ data ][ data │ status ]
///   places          front ▲                        ▲ back
/// ```
///
/// A view of [`SharedVec`](crate::SharedVec) segments can go to any thread. Like the segments, a view
/// of an exclusive destination stays on its thread.
///
/// ```
/// use iov_iter::{KVec, iov::View};
///
/// let segments = [KVec::from(b"scatter"), KVec::from(b" gather")];
/// let all = View::new(&segments);
/// assert_eq!(all.len(), 14);
///
/// let middle = all.slice(5, 5)?;
/// let lengths: Vec<usize> = middle.pieces().map(|piece| piece.len()).collect();
/// assert_eq!(lengths, [2, 3]);
/// # Ok::<(), iov_iter::iov::Error>(())
/// ```
pub struct View<'v, D: Direction, A: Access = Exclusive> {
    /// The whole vector.
    pub(super) segments: &'v [MemVec<'v, D, A>],
    /// The first byte in view, or a place in an empty segment before it.
    pub(super) front: Position,
    /// The first byte after the view, or the end of the vector.
    pub(super) back: Position,
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
        Self { segments: &[], front: Position::default(), back: Position::default() }
    }
}

impl<D: Direction, A: Access> fmt::Debug for View<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<'v, D: Direction, A: Access> From<&'v [MemVec<'v, D, A>]> for View<'v, D, A> {
    /// All bytes of the segments.
    #[inline]
    fn from(segments: &'v [MemVec<'v, D, A>]) -> Self {
        Self::new(segments)
    }
}

impl<'v, D: Direction, A: Access, const N: usize> From<&'v [MemVec<'v, D, A>; N]>
    for View<'v, D, A>
{
    /// All bytes of the segments.
    #[inline]
    fn from(segments: &'v [MemVec<'v, D, A>; N]) -> Self {
        Self::new(segments)
    }
}

#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
impl<'v, D: Direction, A: Access> From<&'v alloc::vec::Vec<MemVec<'v, D, A>>> for View<'v, D, A> {
    /// All bytes of the segments.
    #[inline]
    fn from(segments: &'v alloc::vec::Vec<MemVec<'v, D, A>>) -> Self {
        Self::new(segments)
    }
}

impl<'v, D: Direction, A: Access> From<&'v MemVec<'v, D, A>> for View<'v, D, A> {
    /// All bytes of one segment.
    #[inline]
    fn from(segment: &'v MemVec<'v, D, A>) -> Self {
        Self::new(core::slice::from_ref(segment))
    }
}

/// What [`View::describe`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Described {
    /// Pieces appended to the list.
    pub pieces: usize,
    /// Bytes that those pieces hold together; fewer than the view has if the list was full.
    pub bytes: usize,
}

impl<'v, D: Direction, A: Access> View<'v, D, A> {
    /// A view of all bytes of `segments`.
    ///
    /// It costs the same for any number of segments: their lengths are looked at when bytes of them are
    /// asked for.
    #[inline]
    #[must_use]
    pub fn new(segments: &'v [MemVec<'v, D, A>]) -> Self {
        let back = Position { index: segments.len(), offset: 0 };
        Self { segments, front: Position::default(), back }
    }

    /// The place of the first byte; the back if there is none.
    #[inline]
    pub(super) fn first(&self) -> Position {
        self.forward(self.front, 0).0
    }

    /// A view of the bytes that `cursor` has left.
    pub(crate) fn over(cursor: Cursor<&'v [MemVec<'v, D, A>]>) -> Self {
        let (segments, front) = (cursor.list(), cursor.position());
        let all = Self { segments, front, back: Position { index: segments.len(), offset: 0 } };
        let (back, _) = all.forward(front, cursor.remaining());
        Self { back, ..all }
    }

    /// The number of bytes in view; `usize::MAX` if there are more, as overlapping segments can have.
    ///
    /// It is the sum of the lengths of the segments in view.
    #[inline]
    #[must_use]
    #[doc(alias = "iov_size")]
    pub fn len(&self) -> usize {
        self.exact_len().unwrap_or(usize::MAX)
    }

    /// The number of bytes in view.
    ///
    /// # Errors
    ///
    /// [`Error::LengthOverflow`] if it does not fit.
    pub(super) fn exact_len(&self) -> Result<usize, Error> {
        let Position { index, offset } = self.back;
        if self.front.index == index {
            return Ok(offset.saturating_sub(self.front.offset));
        }
        let whole = self.segments.get(self.front.index..index).unwrap_or_default();
        let total = match whole.total() {
            // The sum saturates; only then the exact one can be too large.
            usize::MAX => whole.iter().try_fold(0, |size, segment| add(size, segment.len()))?,
            total => total,
        };
        add(total.saturating_sub(self.front.offset), offset)
    }

    /// The number of bytes in view, or `limit` if there are more. Looks at no segments after those.
    #[cfg(feature = "alloc")]
    pub(crate) fn size_up_to(&self, limit: usize) -> usize {
        self.forward(self.front, limit).1
    }

    /// Whether there are no bytes in view.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first() == self.back
    }

    /// The place `n` bytes after `from`, a place in view, or the back if that is nearer; and the
    /// bytes to there.
    #[inline]
    pub(super) fn forward(&self, from: Position, n: usize) -> (Position, usize) {
        let Position { index, offset } = from;
        let inside = if index < self.back.index {
            let segment = self.segments.get(index);
            segment.is_some_and(|segment| n < segment.len().wrapping_sub(offset))
        } else {
            n < self.back.offset.saturating_sub(offset)
        };
        // Headers lie in one segment, nearly always.
        if inside {
            return (Position { index, offset: offset.wrapping_add(n) }, n);
        }
        self.forward_past(from, n)
    }

    /// As [`forward`](Self::forward), where the place is not in the segment of `from`.
    #[inline(never)]
    fn forward_past(&self, from: Position, n: usize) -> (Position, usize) {
        let Position { index, offset } = self.back;
        let mut rest = self.segments.get(from.index..index).unwrap_or_default();
        let mut left = n;
        let mut skip = from.offset;
        if let Some((first, others)) = rest.split_first() {
            left = left.wrapping_sub(first.len().wrapping_sub(skip));
            (rest, skip) = (others, 0);
        }
        // Two at once. No segment is longer than `isize::MAX`, so their sum fits.
        while let [one, two, others @ ..] = rest
            && let Some(more) = left.checked_sub(one.len().wrapping_add(two.len()))
        {
            (left, rest) = (more, others);
        }
        while let [one, others @ ..] = rest {
            let Some(more) = left.checked_sub(one.len()) else { break };
            (left, rest) = (more, others);
        }
        let here = if rest.is_empty() { offset.saturating_sub(skip) } else { usize::MAX };
        if left < here {
            let offset = skip.wrapping_add(left);
            return (Position { index: index.wrapping_sub(rest.len()), offset }, n);
        }
        (self.back, n.wrapping_sub(left).wrapping_add(here))
    }

    /// The place `n` bytes before the back, or the front if that is nearer; and the bytes from there.
    #[inline]
    pub(super) fn backward(&self, n: usize) -> (Position, usize) {
        let Position { mut index, mut offset } = self.back;
        let mut left = n;
        while index > self.front.index {
            if left <= offset {
                return (Position { index, offset: offset.wrapping_sub(left) }, n);
            }
            left = left.wrapping_sub(offset);
            index = index.wrapping_sub(1);
            offset = self.segments.get(index).map_or(0, MemVec::len);
        }
        let here = offset.saturating_sub(self.front.offset);
        if left <= here {
            return (Position { index, offset: offset.wrapping_sub(left) }, n);
        }
        (self.front, n.wrapping_sub(left).wrapping_add(here))
    }

    /// A cursor over `len` bytes from `at` on, a place in view, or over those up to the back.
    ///
    /// Where the segments end with the view, it may claim more bytes than there are; a walk stops at the end of
    /// the list.
    #[inline]
    pub(super) fn cursor_at(&self, at: Position, len: usize) -> Cursor<&'v [MemVec<'v, D, A>]> {
        if self.back.offset == 0 {
            let segments = self.segments.get(..self.back.index).unwrap_or_default();
            return Cursor::known(segments, at, len);
        }
        Cursor::known(self.segments, at, self.forward(at, len).1)
    }

    /// The place `offset` bytes after the front.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if there are fewer.
    #[inline]
    pub(super) fn place(&self, offset: usize) -> Result<Position, Error> {
        match self.forward(self.front, offset) {
            (at, passed) if passed == offset => Ok(at),
            (_, size) => Err(Error::OffsetOutOfRange { offset, size }),
        }
    }

    /// A cursor over the bytes in view, for an [`IovIter`](crate::IovIter) of its own.
    ///
    /// ```
    /// use iov_iter::{IovIterSource, KVec, iov::View};
    ///
    /// let segments = [KVec::from(b"head"), KVec::from(b"body")];
    /// let body = View::new(&segments).slice(4, 4)?;
    /// let mut bytes = [0; 9];
    /// assert_eq!(IovIterSource::from(body).copy_from_iter(&mut bytes), 4);
    /// assert_eq!(&bytes[..4], b"body");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn cursor(&self) -> Cursor<&'v [MemVec<'v, D, A>]> {
        Cursor::known(self.segments, self.front, self.len())
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
        let (front, before) = self.forward(self.front, offset);
        let (back, inside) = self.forward(front, len);
        if before < offset || inside < len {
            let size = self.len();
            return Err(Error::RangeOutOfRange { offset, len, size });
        }
        Ok(Self { front, back, ..*self })
    }

    /// The view of at most `len` bytes from `offset` on, cut to what there is.
    ///
    /// # Errors
    ///
    /// [`Error::OffsetOutOfRange`] if `offset` exceeds the length.
    #[inline]
    pub fn clip(&self, offset: usize, len: usize) -> Result<Self, Error> {
        let front = self.place(offset)?;
        let (back, _) = self.forward(front, len);
        Ok(Self { front, back, ..*self })
    }

    /// The longest view from the front on that has at most `max_segments` pieces and a whole number of
    /// blocks of `block` bytes.
    ///
    /// It is what a block device takes in one request. A block of 0 bytes counts as one of 1. The view is
    /// empty if `max_segments` pieces hold less than a block.
    ///
    /// ```
    /// use iov_iter::{KVec, iov::View};
    ///
    /// let bytes = [0; 1300];
    /// let segments = [&bytes[..700], &bytes[700..1100], &bytes[1100..]].map(KVec::from);
    /// let mut left = View::new(&segments);
    /// let request = left.whole_blocks(2, 512);
    /// assert_eq!((request.len(), request.segment_count()), (1024, 2));
    /// left.discard_front(request.len());
    /// assert_eq!((left.len(), left.whole_blocks(2, 512).len()), (276, 0));
    /// ```
    #[must_use]
    pub fn whole_blocks(&self, max_segments: usize, block: usize) -> Self {
        let mut len = 0_usize;
        for piece in self.pieces().take(max_segments) {
            let Some(sum) = len.checked_add(piece.len()) else { break };
            len = sum;
        }
        let rest = len.checked_rem(block).unwrap_or(0);
        let (back, _) = self.forward(self.front, len.wrapping_sub(rest));
        Self { back, ..*self }
    }

    /// The pieces of memory in view, in order; none of them is empty.
    #[inline]
    #[must_use]
    pub fn pieces(&self) -> Pieces<'v, D, A> {
        let Self { segments, front, back } = *self;
        // The segment of the back belongs to the list if bytes of it are in view.
        let (end, last) = match back.offset {
            0 => (back.index, usize::MAX),
            _ => (back.index.wrapping_add(1), back.offset),
        };
        let rest = segments.get(front.index..end).unwrap_or_default();
        Pieces { rest, skip: front.offset, last }
    }

    /// The number of [`pieces`](Self::pieces): descriptors that a device would need.
    #[must_use]
    #[doc(alias = "qemu_iovec_subvec_niov")]
    pub fn segment_count(&self) -> usize {
        let mut count = 0_usize;
        self.pieces().each(|_| {
            count = count.wrapping_add(1);
            true
        });
        count
    }

    /// All bytes in view as one piece, if one segment holds them.
    #[must_use]
    #[doc(alias = "qemu_iovec_buf")]
    pub fn as_piece(&self) -> Option<Piece<'v, D, A>> {
        let mut pieces = self.pieces();
        let first = pieces.next();
        first.filter(|_| pieces.next().is_none())
    }

    /// Appends the pieces in view to `list` until it is full; no data is copied.
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
    /// let segments = [KVec::from(b"ab"), KVec::from(b""), KVec::from(b"cdef")];
    /// let mut list = InlineVec::<_, 4>::new();
    /// let described = iov::View::new(&segments).clip(1, 3)?.describe(&mut list)?;
    /// assert_eq!((described.pieces, described.bytes), (2, 3));
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "iov_copy")]
    pub fn describe(&self, list: &mut impl List<Piece<'v, D>>) -> Result<Described, Error> {
        self.append(list, Piece::into_shared)
    }

    /// Appends the pieces in view to `list` as segments, as [`describe`](Self::describe) does.
    ///
    /// # Safety
    ///
    /// No segment of an exclusive destination may reach another thread than the view.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub(super) unsafe fn append_segments(
        &self,
        list: &mut impl List<MemVec<'v, D, A>>,
    ) -> Result<Described, Error> {
        self.append(list, |piece| {
            // SAFETY: a piece of a view lies in a segment that is borrowed for 'v, under the
            // conditions that a segment asks for, but for this alias of it, which stays on the
            // thread of the borrow as the caller promises.
            unsafe { MemVec::new(piece.as_ptr().cast_mut(), piece.len()) }
        })
    }

    /// Appends what `element` makes of each piece in view, as many as fit.
    #[inline]
    fn append<T>(
        &self,
        list: &mut impl List<T>,
        mut element: impl FnMut(Piece<'v, D, A>) -> T,
    ) -> Result<Described, Error> {
        let pieces = self.pieces();
        // How many are not empty matters only where there may be too little room.
        if list.free().len() < pieces.rest.len() {
            list.try_reserve(self.segment_count()).map_err(|_| Error::NoMemory)?;
        }
        let mut described = Described::default();
        let mut places = list.free().iter_mut();
        pieces.each(|piece| {
            let Some(place) = places.next() else { return false };
            described.pieces = described.pieces.wrapping_add(1);
            described.bytes = described.bytes.saturating_add(piece.len());
            place.write(element(piece));
            true
        });
        // SAFETY: an element was written to each of the first places, as many as are counted.
        unsafe { list.filled(described.pieces) };
        Ok(described)
    }
}

/// The sum of two lengths.
pub(super) fn add(size: usize, added: usize) -> Result<usize, Error> {
    size.checked_add(added).ok_or(Error::LengthOverflow { size, added })
}

/// The pieces of memory in a [`View`], in order.
pub struct Pieces<'v, D: Direction, A: Access = Exclusive> {
    /// The segments of what is left.
    rest: &'v [MemVec<'v, D, A>],
    /// Bytes of the first of them before the view.
    skip: usize,
    /// Where the view ends in the last of them, if that has more bytes.
    last: usize,
}

impl<'v, D: Direction, A: Access> Pieces<'v, D, A> {
    /// Calls `step` for each piece until it returns false.
    ///
    /// In half the instructions that [`next`](Iterator::next) takes: only the last segment is cut.
    #[inline]
    fn each(self, mut step: impl FnMut(Piece<'v, D, A>) -> bool) {
        let Some((end, whole)) = self.rest.split_last() else { return };
        let mut skip = self.skip;
        for segment in whole {
            let piece = segment.tail(skip);
            skip = 0;
            if !piece.is_empty() && !step(piece) {
                return;
            }
        }
        let piece = end.piece(0, self.last).slice(skip, usize::MAX);
        if !piece.is_empty() {
            step(piece);
        }
    }
}

impl<D: Direction, A: Access> Clone for Pieces<'_, D, A> {
    fn clone(&self) -> Self {
        Self { ..*self }
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
        loop {
            let (segment, rest) = self.rest.split_first()?;
            let end = if rest.is_empty() { self.last } else { usize::MAX };
            let piece = segment.piece(0, end).slice(self.skip, usize::MAX);
            (self.rest, self.skip) = (rest, 0);
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.clone().next().is_some()), None)
    }
}

impl<D: Direction, A: Access> core::iter::FusedIterator for Pieces<'_, D, A> {}
