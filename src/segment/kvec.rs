//! Segments of addressable memory.

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::Segment;
use crate::direction::{Dest, Direction, Source};
use crate::memory::{Extent, Piece, Span};

/// Memory of this address space, laid out as `struct kvec` and `struct iovec`.
///
/// A source borrows its bytes as `&'a [u8]` does. A destination owns an exclusive borrow, which
/// ends with `'a`; like a `&Cell<[u8]>`, it is written through shared references but never from
/// two threads, so it is `Send` and not `Sync`.
///
/// ```
/// use iov_iter::{Dest, KVec, Source};
///
/// let header = *b"GET ";
/// let out: KVec<Source> = (&header[..]).into();
/// assert_eq!(out.as_slice(), b"GET ");
///
/// let mut space = [0; 16];
/// let into: KVec<Dest> = (&mut space[..]).into();
/// assert_eq!(into.len(), 16);
/// ```
///
/// A destination cannot be made from memory that is only borrowed for reading, and the borrow
/// cannot end early:
///
/// ```compile_fail,E0277
/// # use iov_iter::{Dest, KVec};
/// let _ = KVec::<Dest>::from(&b"constant"[..]);
/// ```
///
/// ```compile_fail,E0505
/// # use iov_iter::{KVec, Source};
/// let bytes = vec![1, 2, 3];
/// let segment = KVec::from(&bytes[..]);
/// drop(bytes);
/// assert_eq!(segment.len(), 3);
/// ```
#[doc(alias = "kvec")]
#[repr(transparent)]
pub struct KVec<'a, D: Direction> {
    // As long as the segment lives, nothing but it uses the memory, or nothing writes it.
    piece: Piece<'a, D>,
}

// SAFETY: a source is a `&'a [u8]`, which any thread may read.
unsafe impl Send for KVec<'_, Source> {}
// SAFETY: as above.
unsafe impl Sync for KVec<'_, Source> {}
// SAFETY: a destination is a `&'a mut [u8]`; the thread that gets it is the only one to use it. It
// is not `Sync`, because it can be written through a shared reference.
unsafe impl Send for KVec<'_, Dest> {}

impl<'a, D: Direction> KVec<'a, D> {
    /// Describes `len` bytes at `base`, as a C caller would.
    ///
    /// # Safety
    ///
    /// For the whole of `'a`, unless `len` is 0:
    /// - a source must be valid for reads of `len` initialised bytes that nothing writes;
    /// - a destination must be valid for writes of `len` bytes that nothing else in this program
    ///   accesses;
    /// - `len` must not exceed `isize::MAX`.
    ///
    /// A null `base` is replaced by a dangling one, which slices without bytes need.
    #[inline]
    #[must_use]
    pub const unsafe fn from_raw_parts(base: *mut u8, len: usize) -> Self {
        let base = if base.is_null() { NonNull::dangling().as_ptr() } else { base };
        // SAFETY: a segment asks for more than a piece does.
        Self { piece: unsafe { Piece::from_raw_parts(base, len) } }
    }

    /// The length in bytes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.piece.len()
    }

    /// Whether the segment has no bytes.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.piece.is_empty()
    }

    /// The address of the first byte; dangling if the segment is empty.
    #[inline]
    #[must_use]
    pub const fn as_ptr(&self) -> *const u8 {
        self.piece.as_ptr()
    }

    /// The part of at most `len` bytes from `offset` on, cut to what the segment has.
    #[inline]
    #[must_use]
    pub const fn piece(&self, offset: usize, len: usize) -> Piece<'_, D> {
        self.piece.slice(offset, len)
    }

    /// Cuts the segment to its first `len` bytes, if it is longer.
    #[inline]
    pub const fn truncate(&mut self, len: usize) {
        self.piece = self.piece.slice(0, len);
    }

    /// The bytes, without what the segment promises of them.
    #[inline]
    pub(crate) const fn into_piece(self) -> Piece<'a, D> {
        self.piece
    }

    /// Another segment for the same memory.
    ///
    /// # Safety
    ///
    /// The copy of a destination must not reach another thread than the original.
    pub(crate) const unsafe fn alias(&self) -> Self {
        Self { piece: self.piece }
    }
}

impl<'a> KVec<'a, Source> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub const fn as_slice(&self) -> &'a [u8] {
        // SAFETY: nothing writes the bytes of a source segment during 'a.
        unsafe { self.piece.as_slice() }
    }
}

impl KVec<'_, Source> {
    /// Copies to the front of `dst` and returns the bytes copied: the smaller of both lengths.
    #[inline]
    pub(crate) fn copy_to(self, dst: Piece<'_, Dest>) -> usize {
        // SAFETY: nothing writes the bytes of a source segment, so `dst` is other memory.
        unsafe { dst.copy_from_disjoint(self.piece) }
    }

    /// As [`copy_to`](Self::copy_to), and the sum of the bytes copied.
    #[inline]
    pub(crate) fn copy_to_summing(self, dst: Piece<'_, Dest>) -> (usize, u16) {
        // SAFETY: as in `copy_to`.
        unsafe { dst.copy_from_summing(self.piece) }
    }
}

impl KVec<'_, Dest> {
    /// Fills the front from `src` and returns the bytes copied: the smaller of both lengths.
    #[inline]
    pub(crate) fn copy_from(self, src: Piece<'_, Source>) -> usize {
        // SAFETY: nothing else accesses the bytes of a destination, so `src` is other memory.
        unsafe { self.piece.copy_from_disjoint(src) }
    }

    /// As [`copy_from`](Self::copy_from), and the sum of the bytes copied.
    #[inline]
    pub(crate) fn copy_from_summing(self, src: Piece<'_, Source>) -> (usize, u16) {
        // SAFETY: as in `copy_from`.
        unsafe { self.piece.copy_from_summing(src) }
    }
}

impl Clone for KVec<'_, Source> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for KVec<'_, Source> {}

impl<D: Direction> fmt::Debug for KVec<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KVec")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len())
            .finish()
    }
}

impl<D: Direction> Span for KVec<'_, D> {
    #[inline]
    fn size(&self) -> usize {
        self.len()
    }

    #[inline]
    fn front(&self, len: usize) -> Self {
        Self { piece: self.piece.front(len) }
    }
}

impl<D: Direction> Extent for KVec<'_, D> {
    #[inline]
    fn behind(&self, len: usize) -> Self {
        Self { piece: self.piece.behind(len) }
    }
}

impl<D: Direction> Segment for KVec<'_, D> {
    #[inline]
    fn len(&self) -> usize {
        self.piece.len()
    }

    #[inline]
    fn address(&self) -> usize {
        self.piece.as_ptr().addr()
    }
}

impl<'a> From<&'a [u8]> for KVec<'a, Source> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self { piece: Piece::from(bytes) }
    }
}

impl<'a> From<&'a mut [u8]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [u8]) -> Self {
        Self { piece: Piece::from(bytes) }
    }
}

impl<'a> From<&'a mut [MaybeUninit<u8>]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { piece: Piece::from(bytes) }
    }
}

mod layout {
    use super::*;
    use crate::segment::IoVec;
    use static_assertions::*;

    // struct kvec { void *iov_base; size_t iov_len; }
    // The piece inside is laid out like this; see there.
    assert_eq_size!(KVec<'static, Source>, Piece<'static, Source>, IoVec);
    assert_eq_align!(KVec<'static, Dest>, Piece<'static, Dest>, IoVec);
    assert_impl_all!(KVec<'static, Source>: Send, Sync, Copy);
    assert_impl_all!(KVec<'static, Dest>: Send);
    assert_not_impl_any!(KVec<'static, Dest>: Sync, Clone);
}
