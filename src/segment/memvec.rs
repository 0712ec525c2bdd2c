//! Segments of addressable memory.

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::Segment;
use crate::direction::{Dest, Direction, Source};
use crate::memory::{Access, Exclusive, Extent, ManyThreads, Piece, Shared};

/// Memory of this address space, laid out as `struct kvec` and `struct iovec`: a [`KVec`] or a
/// [`SharedVec`](super::SharedVec).
///
/// `A` says whether others may access the memory meanwhile. Everything that takes such segments takes
/// both kinds.
#[repr(transparent)]
pub struct MemVec<'a, D: Direction, A: Access> {
    // If exclusive: as long as the segment lives, nothing but it uses the memory, or nothing writes it.
    piece: Piece<'a, D, A>,
}

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
pub type KVec<'a, D> = MemVec<'a, D, Exclusive>;

// SAFETY: an exclusive source is a `&'a [u8]`, which any thread may read. An exclusive destination is a
// `&'a mut [u8]`; the thread that gets it is the only one to use it. Any number of threads may access shared
// memory at any time, by defined accesses.
unsafe impl<D: Direction, A: Access> Send for MemVec<'_, D, A> {}
// SAFETY: as above. An exclusive destination, which can be written through a shared reference, is left out by
// `ManyThreads`.
unsafe impl<D: ManyThreads<A>, A: Access> Sync for MemVec<'_, D, A> {}

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
        // SAFETY: the caller's promise.
        unsafe { Self::new(base, len) }
    }
}

impl<'a, D: Direction, A: Access> MemVec<'a, D, A> {
    /// Describes `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// As for the `from_raw_parts` of the kind. Two exclusive destinations for the same bytes must not
    /// reach two threads.
    #[inline]
    pub(crate) const unsafe fn new(base: *mut u8, len: usize) -> Self {
        let base = if base.is_null() { NonNull::dangling().as_ptr() } else { base };
        // SAFETY: a segment asks for more than a piece does.
        Self { piece: unsafe { Piece::new(base, len) } }
    }

    /// A segment without bytes.
    #[inline]
    #[must_use]
    pub const fn empty() -> Self {
        // SAFETY: nothing is asked of no bytes.
        unsafe { Self::new(core::ptr::null_mut(), 0) }
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
    pub const fn piece(&self, offset: usize, len: usize) -> Piece<'_, D, A> {
        self.piece.slice(offset, len)
    }

    /// All from `offset` on.
    #[inline]
    pub(crate) const fn tail(&self, offset: usize) -> Piece<'_, D, A> {
        self.piece(offset, usize::MAX)
    }

    /// Cuts the segment to its first `len` bytes, if it is longer.
    #[inline]
    pub const fn truncate(&mut self, len: usize) {
        self.piece = self.piece.slice(0, len);
    }

    /// Takes at most `len` bytes off the front.
    #[inline]
    pub const fn advance(&mut self, len: usize) {
        self.piece = self.piece.slice(len, usize::MAX);
    }

    /// The bytes, without what the segment promises of them.
    #[inline]
    pub(crate) const fn into_piece(self) -> Piece<'a, D, A> {
        self.piece
    }

    /// Another segment for the same memory.
    ///
    /// # Safety
    ///
    /// The copy of an exclusive destination must not reach another thread than the original.
    pub(crate) const unsafe fn alias(&self) -> Self {
        Self { piece: self.piece }
    }
}

/// The segments as pieces, without conversion: what a [transport](crate::iov::VectoredWrite) takes, and
/// what can be given to `readv`, `preadv` or io_uring.
///
/// A slice of pieces is laid out as an array of `struct iovec`, as one of segments is. Pieces may be
/// copied and stay on their thread.
///
/// ```
/// use iov_iter::{KVec, segment::as_pieces};
///
/// let segments = [KVec::from(b"to a "), KVec::from(b"ring")];
/// let pieces = as_pieces(&segments);
/// // An entry of a submission queue: the address of the array, and how many.
/// let (_array, count) = (pieces.as_ptr().cast::<[usize; 2]>(), pieces.len());
/// assert_eq!((count, pieces[1].len()), (2, 4));
/// ```
#[inline]
#[must_use]
pub const fn as_pieces<'s, 'a, D: Direction, A: Access>(
    segments: &'s [MemVec<'a, D, A>],
) -> &'s [Piece<'a, D>] {
    // SAFETY: a segment is a piece (`repr(transparent)`), and one that is shared asks for less.
    unsafe { core::slice::from_raw_parts(segments.as_ptr().cast(), segments.len()) }
}

impl<'a> KVec<'a, Source> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub const fn as_slice(&self) -> &'a [u8] {
        // SAFETY: nothing writes the bytes of an exclusive source segment during 'a.
        unsafe { self.piece.as_slice() }
    }
}

impl KVec<'_, Source> {
    /// Copies to the front of `dst` and returns the bytes copied: the smaller of both lengths.
    #[inline]
    pub(crate) fn copy_to<A: Access>(self, dst: Piece<'_, Dest, A>) -> usize {
        // SAFETY: nothing writes the bytes of an exclusive source segment, so `dst` is other memory.
        unsafe { dst.copy_from_disjoint(self.piece) }
    }

    /// As [`copy_to`](Self::copy_to), and the sum of the bytes copied.
    #[inline]
    pub(crate) fn copy_to_summing<A: Access>(self, dst: Piece<'_, Dest, A>) -> (usize, u16) {
        // SAFETY: as in `copy_to`.
        unsafe { dst.copy_from_summing(self.piece) }
    }
}

impl KVec<'_, Dest> {
    /// Fills the front from `src` and returns the bytes copied: the smaller of both lengths.
    #[inline]
    pub(crate) fn copy_from<A: Access>(self, src: Piece<'_, Source, A>) -> usize {
        // SAFETY: nothing else accesses the bytes of an exclusive destination, so `src` is other memory.
        unsafe { self.piece.copy_from_disjoint(src) }
    }

    /// Fills the front from `bytes` and returns the bytes copied: the smaller of both lengths.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn copy_from_slice(self, bytes: &[u8]) -> usize {
        self.copy_from(KVec::from(bytes).into_piece())
    }

    /// As [`copy_from`](Self::copy_from), and the sum of the bytes copied.
    #[inline]
    pub(crate) fn copy_from_summing<A: Access>(self, src: Piece<'_, Source, A>) -> (usize, u16) {
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

impl<D: Direction> Clone for MemVec<'_, D, Shared> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction> Copy for MemVec<'_, D, Shared> {}

impl<D: Direction, A: Access> fmt::Debug for MemVec<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(if A::PLAIN { "KVec" } else { "SharedVec" })
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len())
            .finish()
    }
}

impl<D: Direction, A: Access> Extent for MemVec<'_, D, A> {
    #[inline]
    fn len(&self) -> usize {
        self.piece.len()
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        Self { piece: self.piece.prefix(len) }
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        Self { piece: self.piece.suffix(len) }
    }
}

impl<D: Direction, A: Access> Segment for Piece<'_, D, A> {
    #[inline]
    fn len(&self) -> usize {
        Piece::len(self)
    }

    #[inline]
    fn address(&self) -> usize {
        self.as_ptr().addr()
    }
}

impl<D: Direction, A: Access> Segment for MemVec<'_, D, A> {
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
        // SAFETY: the bytes are borrowed, so that nothing writes them; nor does anything here.
        unsafe { Self::new(bytes.as_ptr().cast_mut(), bytes.len()) }
    }
}

impl<'a> From<&'a mut [u8]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [u8]) -> Self {
        // SAFETY: the borrow is exclusive. Only initialised bytes are ever written, so the slice stays
        // initialised.
        unsafe { Self::new(bytes.as_mut_ptr(), bytes.len()) }
    }
}

impl<'a> From<&'a mut [MaybeUninit<u8>]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        // SAFETY: the borrow is exclusive.
        unsafe { Self::new(bytes.as_mut_ptr().cast(), bytes.len()) }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for KVec<'a, Source> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [u8; N]) -> Self {
        Self::from(bytes.as_mut_slice())
    }
}

impl<'a, const N: usize> From<&'a mut [MaybeUninit<u8>; N]> for KVec<'a, Dest> {
    #[inline]
    fn from(bytes: &'a mut [MaybeUninit<u8>; N]) -> Self {
        Self::from(bytes.as_mut_slice())
    }
}

#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
impl<'a> From<&'a alloc::vec::Vec<u8>> for KVec<'a, Source> {
    #[inline]
    fn from(bytes: &'a alloc::vec::Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

mod layout {
    use super::*;
    use crate::segment::IoVec;
    use static_assertions::*;

    // struct kvec { void *iov_base; size_t iov_len; }
    // The piece inside is laid out like this; see there.
    assert_eq_size!(
        KVec<'static, Source>,
        MemVec<'static, Dest, Shared>,
        Piece<'static, Source>,
        IoVec
    );
    assert_eq_align!(KVec<'static, Dest>, Piece<'static, Dest>, IoVec);
    assert_impl_all!(KVec<'static, Source>: Send, Sync, Copy);
    assert_impl_all!(KVec<'static, Dest>: Send);
    assert_not_impl_any!(KVec<'static, Dest>: Sync, Clone);
    assert_impl_all!(MemVec<'static, Source, Shared>: Send, Sync, Copy);
    assert_impl_all!(MemVec<'static, Dest, Shared>: Send, Sync, Copy);
}
