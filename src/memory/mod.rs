//! Where bytes move: pieces of addressable memory, and the copies between them.
//!
//! ```text
//!            Piece<Source>                      Piece<Dest>
//!   base ──► ████████████████ ──── copy ───►    ████████████████ ◄── base
//!            read, never written                written, never read
//! ```
//!
//! A [`Piece`] is what a walk over segments hands to its step: a pointer, a length and a
//! direction. Its bytes are accessed only through raw pointers, and by [defined](Shared) accesses
//! unless nobody else can access them. So the memory may be a page that user space has mapped, RAM of
//! a running guest, or a buffer that is not yet initialised.

mod access;
mod copy;
mod defined;
mod extent;
mod flush;
mod sum;
mod wide;

pub use access::{Access, Exclusive, ManyThreads, Shared};
pub(crate) use extent::Extent;
pub(crate) use sum::fold;

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::direction::{Borrow, Dest, Direction, Source};

/// Marks a branch cold: it is laid out off the hot path and gets no callee-saved registers.
#[inline]
#[cold]
pub(crate) const fn unlikely() {}

/// Contiguous addressable memory that can be read ([`Source`]) or written ([`Dest`]).
///
/// Offsets and lengths are in bytes. Copies move the smaller of both lengths and return it. Others may
/// access the memory meanwhile, unless the piece says that it is [`Exclusive`]; what a copy of
/// [`Shared`] memory gives then is told there.
///
/// A piece never leaves its thread, whatever it is made of: it may lie in a page that is mapped for this
/// thread, or be a copy of an exclusive one. Send the segment and make the piece there.
///
/// ```
/// use iov_iter::{Piece, Dest, Source};
///
/// let mut buffer = *b"..........";
/// let piece = Piece::<Dest>::from(&mut buffer[..]);
/// assert_eq!(piece.slice(2, 3).copy_from(Piece::from(&b"abcdef"[..])), 3);
/// assert_eq!(&buffer, b"..abc.....");
/// ```
#[repr(C)]
pub struct Piece<'p, D: Direction, A: Access = Shared> {
    base: *mut u8,
    len: usize,
    _direction: Borrow<'p, D>,
    _access: PhantomData<fn() -> A>,
}

impl<D: Direction, A: Access> Clone for Piece<'_, D, A> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction, A: Access> Copy for Piece<'_, D, A> {}

impl<D: Direction, A: Access> fmt::Debug for Piece<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len)
            .finish()
    }
}

impl<'p, D: Direction> Piece<'p, D> {
    /// Describes `len` bytes at `base`, which others may access at any time.
    ///
    /// # Safety
    ///
    /// For the whole of `'p`, unless `len` is 0:
    /// - a source must be valid for reads of `len` initialised bytes, and none of them may be written
    ///   by the compiler's own stores on another thread;
    /// - a destination must be valid for writes of `len` bytes, and no Rust reference to them may
    ///   be used;
    /// - `len` must not exceed `isize::MAX`.
    #[inline]
    #[must_use]
    pub const unsafe fn from_raw_parts(base: *mut u8, len: usize) -> Self {
        // SAFETY: the caller's promise; a shared piece asks for nothing else.
        unsafe { Self::new(base, len) }
    }
}

impl<'p, D: Direction, A: Access> Piece<'p, D, A> {
    /// As [`from_raw_parts`](Piece::from_raw_parts), for either kind of memory.
    ///
    /// # Safety
    ///
    /// As there. If the piece is `Exclusive`, nothing writes the bytes of a source during `'p`, and
    /// nothing else accesses those of a destination but what was made of this piece, on its thread.
    #[inline]
    pub(crate) const unsafe fn new(base: *mut u8, len: usize) -> Self {
        Self { base, len, _direction: PhantomData, _access: PhantomData }
    }

    /// The length in bytes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the length is 0.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the first byte; dangling or null if the piece is empty.
    #[inline]
    #[must_use]
    pub const fn as_ptr(&self) -> *const u8 {
        self.base
    }

    /// The part of at most `len` bytes from `offset` on, cut to what this piece has.
    #[inline]
    #[must_use]
    pub const fn slice(self, offset: usize, len: usize) -> Self {
        let offset = if offset < self.len { offset } else { self.len };
        let rest = self.len.wrapping_sub(offset);
        Self {
            // `offset` is at most the length of the memory that `base` points to.
            base: self.base.wrapping_add(offset),
            len: if len < rest { len } else { rest },
            ..self
        }
    }

    /// Takes at most `len` bytes off the front and returns them.
    #[inline]
    pub const fn take(&mut self, len: usize) -> Self {
        let front = self.slice(0, len);
        *self = self.slice(front.len, usize::MAX);
        front
    }

    /// The same memory, accessed as if others could access it too.
    #[inline]
    #[must_use]
    pub const fn into_shared(self) -> Piece<'p, D> {
        Piece { base: self.base, len: self.len, _direction: PhantomData, _access: PhantomData }
    }
}

impl<'p, A: Access> Piece<'p, Source, A> {
    /// Copies to the front of `dst` and returns the bytes copied. The two may overlap.
    #[inline]
    pub fn copy_to<B: Access>(self, dst: Piece<'_, Dest, B>) -> usize {
        dst.copy_from(self)
    }

    /// Borrows the bytes as a slice.
    ///
    /// # Safety
    ///
    /// Nothing may write the bytes during `'p`: neither this program through another pointer, nor
    /// user space that has the page mapped, nor a device.
    #[inline]
    #[must_use]
    pub const unsafe fn as_slice(self) -> &'p [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: a source of non-zero length is valid for reads of `len` initialised bytes, at
        // most `isize::MAX`, during 'p; that they stay unchanged is the caller's promise.
        unsafe { core::slice::from_raw_parts(self.base, self.len) }
    }
}

impl<A: Access> Piece<'_, Source, A> {
    /// Whether every byte is 0. True for an empty piece.
    #[inline]
    #[must_use]
    pub fn is_zero(self) -> bool {
        // SAFETY: a source is valid for reads of `len` initialised bytes, which nothing writes if it is
        // exclusive.
        unsafe { wide::is_zero::<A>(self.base, self.len) }
    }

    /// The folded sum of the native-endian 16-bit words, the last one padded with a zero byte.
    #[inline]
    pub(crate) fn sum(self) -> u16 {
        // SAFETY: as in `is_zero`; nothing is written.
        unsafe { sum::sum::<A, A, false>(self.base, self.base, self.len) }
    }

    /// The offset of the first byte that differs from the one of `other`, within the smaller of
    /// both lengths; `None` if there is no such byte.
    #[inline]
    #[must_use]
    pub fn mismatch<B: Access>(self, other: Piece<'_, Source, B>) -> Option<usize> {
        let len = if self.len < other.len { self.len } else { other.len };
        // SAFETY: as in `is_zero`, for both, whose lengths `len` does not exceed.
        unsafe { wide::mismatch::<A, B>(self.base, other.base, len) }
    }
}

impl<A: Access> Piece<'_, Dest, A> {
    /// The address of the first byte, for writing; dangling or null if the piece is empty.
    #[inline]
    #[must_use]
    pub const fn as_mut_ptr(&self) -> *mut u8 {
        self.base
    }

    /// Fills the front from `src` and returns the bytes copied. The two may overlap.
    #[inline]
    pub fn copy_from<B: Access>(self, src: Piece<'_, Source, B>) -> usize {
        let len = if src.len < self.len { src.len } else { self.len };
        // SAFETY: `src` is valid for reads and `self` for writes of `len` bytes, which is at most
        // either length; what is exclusive is accessed by this thread only.
        unsafe { copy::copy::<B, A, true>(src.base, self.base, len) };
        len
    }

    /// As [`copy_from`](Self::copy_from), for pieces that do not overlap.
    ///
    /// # Safety
    ///
    /// With `n` the length of the shorter, the first `n` bytes of both must be disjoint.
    // Always, so that `copy` has more callers than this one, which would be made to hold it.
    #[inline(always)]
    pub(crate) unsafe fn copy_from_disjoint<B: Access>(self, src: Piece<'_, Source, B>) -> usize {
        let len = if src.len < self.len { src.len } else { self.len };
        // SAFETY: as in `copy_from`, and the caller promises that they do not overlap.
        unsafe { copy::copy::<B, A, false>(src.base, self.base, len) };
        len
    }

    /// As [`copy_from_disjoint`](Self::copy_from_disjoint), and the [sum](Piece::sum) of the bytes
    /// copied.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn copy_from_summing<B: Access>(
        self,
        src: Piece<'_, Source, B>,
    ) -> (usize, u16) {
        let len = if src.len < self.len { src.len } else { self.len };
        // SAFETY: as there.
        (len, unsafe { sum::sum::<B, A, true>(src.base, self.base, len) })
    }

    /// Fills the front from `src` and [writes it back](Self::flush_cache) from the CPU cache to memory;
    /// returns the bytes copied.
    ///
    /// Where [`FLUSHES_CACHE`] is false it is a plain copy.
    #[inline]
    pub fn copy_from_flushing<B: Access>(self, src: Piece<'_, Source, B>) -> usize {
        let len = self.copy_from(src);
        self.slice(0, len).flush_cache();
        len
    }

    /// Writes the CPU cache lines that hold these bytes back to memory.
    ///
    /// Does nothing where [`FLUSHES_CACHE`] is false. When it returns, a device that reads memory without
    /// looking into the cache finds the bytes. If the memory is persistent, they also outlive a loss of
    /// power: on x86-64 always; on AArch64 only where the CPU is known to have `FEAT_DPB`, either because the
    /// crate is built with the target feature `dpb` or, with feature `std`, because the CPU says so.
    ///
    /// On AArch64 the instruction traps in user mode unless the operating system allows it, as Linux does.
    /// Only this function, [`copy_from_flushing`](Self::copy_from_flushing) and
    /// [`copy_from_iter_flushcache`](crate::IovIter::copy_from_iter_flushcache) execute it.
    #[inline]
    pub fn flush_cache(self) {
        if self.len > 0 {
            // SAFETY: a piece's bytes are mapped, and this one has some.
            unsafe { flush::lines(self.base, self.len) };
        }
    }

    /// Sets every byte to `value` and returns the length.
    #[inline]
    pub fn fill(self, value: u8) -> usize {
        // SAFETY: `self` is valid for writes of `len` bytes, which this thread alone accesses if it is
        // exclusive.
        unsafe { copy::fill::<A>(self.base, value, self.len) };
        self.len
    }
}

impl<'p> From<&'p [u8]> for Piece<'p, Source> {
    #[inline]
    fn from(bytes: &'p [u8]) -> Self {
        // SAFETY: the bytes are borrowed for reading, and there is no writing operation on a source.
        unsafe { Self::new(bytes.as_ptr().cast_mut(), bytes.len()) }
    }
}

impl<'p> From<&'p mut [u8]> for Piece<'p, Dest> {
    #[inline]
    fn from(bytes: &'p mut [u8]) -> Self {
        // SAFETY: the bytes are borrowed for writing. Only initialised bytes are ever written, so the slice
        // stays initialised.
        unsafe { Self::new(bytes.as_mut_ptr(), bytes.len()) }
    }
}

impl<'p> From<&'p mut [MaybeUninit<u8>]> for Piece<'p, Dest> {
    #[inline]
    fn from(bytes: &'p mut [MaybeUninit<u8>]) -> Self {
        // SAFETY: the bytes are borrowed for writing.
        unsafe { Self::new(bytes.as_mut_ptr().cast(), bytes.len()) }
    }
}

/// Whether this target can write cache lines back ([`Piece::flush_cache`]).
#[doc(alias = "ARCH_HAS_UACCESS_FLUSHCACHE")]
pub const FLUSHES_CACHE: bool = flush::SUPPORTED;

mod layout {
    use super::*;
    use static_assertions::*;

    // struct iovec and struct kvec { void *iov_base; size_t iov_len; }
    assert_eq_size!(Piece<'static, Source>, [usize; 2]);
    assert_eq_align!(Piece<'static, Source>, usize);
    const_assert_eq!(core::mem::offset_of!(Piece<'static, Dest>, base), 0);
    const_assert_eq!(core::mem::offset_of!(Piece<'static, Dest>, len), size_of::<usize>());
    // A piece aliases memory that only its creator's thread may touch; the pointer inside ensures that.
    assert_not_impl_any!(Piece<'static, Source>: Send, Sync);
    assert_not_impl_any!(Piece<'static, Dest>: Send, Sync);
}
