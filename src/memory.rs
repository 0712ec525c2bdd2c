//! Where bytes move: pieces of addressable memory, and the copies between them.
//!
//! ```text
//!            Piece<Source>                      Piece<Dest>
//!   base ──► ████████████████ ──── copy ───►    ████████████████ ◄── base
//!            read, never written                written, never read
//! ```
//!
//! A [`Piece`] is what a walk over segments hands to its step: a pointer, a length and a
//! direction. Its bytes are touched only through raw pointers, so the memory behind it may be a
//! page that user space has mapped too, or a buffer that is not yet initialised.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

use crate::direction::{Borrow, Dest, Direction, Source};

/// Contiguous addressable memory that can be read ([`Source`]) or written ([`Dest`]).
///
/// Offsets and lengths are in bytes. Copies move the smaller of both lengths and return it.
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
pub struct Piece<'p, D: Direction> {
    base: *mut u8,
    len: usize,
    _marker: Borrow<'p, D>,
}

impl<D: Direction> Clone for Piece<'_, D> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction> Copy for Piece<'_, D> {}

impl<D: Direction> fmt::Debug for Piece<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len)
            .finish()
    }
}

impl<'p, D: Direction> Piece<'p, D> {
    /// Describes `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// For the whole of `'p`, unless `len` is 0:
    /// - a source must be valid for reads of `len` initialised bytes;
    /// - a destination must be valid for writes of `len` bytes, and no Rust reference to them may
    ///   be used;
    /// - `len` must not exceed `isize::MAX`.
    #[inline]
    #[must_use]
    pub const unsafe fn from_raw_parts(base: *mut u8, len: usize) -> Self {
        Self { base, len, _marker: PhantomData }
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
        let rest = self.len - offset;
        Self {
            // `offset` is at most the length of the memory that `base` points to.
            base: self.base.wrapping_add(offset),
            len: if len < rest { len } else { rest },
            _marker: PhantomData,
        }
    }

    /// Takes at most `len` bytes off the front and returns them.
    #[inline]
    pub const fn take(&mut self, len: usize) -> Self {
        let front = self.slice(0, len);
        *self = self.slice(front.len, usize::MAX);
        front
    }
}

impl<'p> Piece<'p, Source> {
    /// Copies to the front of `dst` and returns the bytes copied. The two may overlap.
    #[inline]
    pub fn copy_to(self, dst: Piece<'_, Dest>) -> usize {
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

impl Piece<'_, Source> {
    /// Whether every byte is 0. True for an empty piece.
    #[inline]
    #[must_use]
    pub fn is_zero(self) -> bool {
        // SAFETY: a source is valid for reads of `len` initialised bytes.
        unsafe { wide::is_zero(self.base, self.len) }
    }

    /// The offset of the first byte that differs from the one of `other`, within the smaller of
    /// both lengths; `None` if there is no such byte.
    #[inline]
    #[must_use]
    pub fn mismatch(self, other: Piece<'_, Source>) -> Option<usize> {
        let len = if self.len < other.len { self.len } else { other.len };
        // SAFETY: both are valid for reads of `len` initialised bytes, which neither exceeds.
        unsafe { wide::mismatch(self.base, other.base, len) }
    }
}

impl<'p> Piece<'p, Dest> {
    /// The address of the first byte, for writing; dangling or null if the piece is empty.
    #[inline]
    #[must_use]
    pub const fn as_mut_ptr(&self) -> *mut u8 {
        self.base
    }

    /// Fills the front from `src` and returns the bytes copied. The two may overlap.
    #[inline]
    pub fn copy_from(self, src: Piece<'_, Source>) -> usize {
        let len = if src.len < self.len { src.len } else { self.len };
        // SAFETY: `src` is valid for reads and `self` for writes of `len` bytes, which is at most
        // either length; `ptr::copy` allows overlap, and for u8 alignment is 1. With `len` 0 any
        // pointer will do.
        unsafe { ptr::copy(src.base, self.base, len) };
        len
    }

    /// Fills the front from `src`, bypassing or writing back the CPU cache; returns the bytes copied.
    ///
    /// When it returns, the bytes are in memory (or in the persistence domain that memory writes
    /// reach). Only where [`FLUSHES_CACHE`] is true; elsewhere it is a plain copy.
    #[inline]
    pub fn copy_from_flushing(self, src: Piece<'_, Source>) -> usize {
        let len = self.copy_from(src);
        self.slice(0, len).flush_cache();
        len
    }

    /// Writes the CPU cache lines that hold these bytes back to memory.
    ///
    /// Does nothing where [`FLUSHES_CACHE`] is false.
    #[inline]
    pub fn flush_cache(self) {
        if self.len > 0 {
            // SAFETY: a destination of non-zero length is valid for writes, so its memory is mapped.
            unsafe { flush::lines(self.base, self.len) };
        }
    }

    /// Sets every byte to `value` and returns the length.
    #[inline]
    pub fn fill(self, value: u8) -> usize {
        // SAFETY: `self` is valid for writes of `len` bytes; with `len` 0 any pointer will do.
        unsafe { ptr::write_bytes(self.base, value, self.len) };
        self.len
    }
}

impl<'p> From<&'p [u8]> for Piece<'p, Source> {
    #[inline]
    fn from(bytes: &'p [u8]) -> Self {
        // The pointer is only ever read: there is no writing operation on a source.
        Self { base: bytes.as_ptr().cast_mut(), len: bytes.len(), _marker: PhantomData }
    }
}

impl<'p> From<&'p mut [u8]> for Piece<'p, Dest> {
    #[inline]
    fn from(bytes: &'p mut [u8]) -> Self {
        // Only initialised bytes are ever written, so the slice stays initialised.
        Self { base: bytes.as_mut_ptr(), len: bytes.len(), _marker: PhantomData }
    }
}

impl<'p> From<&'p mut [MaybeUninit<u8>]> for Piece<'p, Dest> {
    #[inline]
    fn from(bytes: &'p mut [MaybeUninit<u8>]) -> Self {
        Self { base: bytes.as_mut_ptr().cast(), len: bytes.len(), _marker: PhantomData }
    }
}

/// Looking at bytes many at a time: a block of machine words, which the compiler turns into vector
/// registers where there are any, then single words, then bytes.
mod wide {
    /// Words in a block: a cache line on 64-bit machines.
    const BLOCK: usize = 8;
    const WORD: usize = size_of::<usize>();

    /// Whether `len` bytes at `base` are 0.
    ///
    /// # Safety
    ///
    /// They must be valid for reads and initialised.
    #[inline]
    pub unsafe fn is_zero(base: *const u8, len: usize) -> bool {
        // SAFETY: the caller's promise, for the same bytes: every read ends at `len` at most.
        unsafe {
            let byte_is_zero = |at| base.add(at).read() == 0;
            let mut at = bytes_to_word(base, len);
            if !(0..at).all(byte_is_zero) {
                return false;
            }
            while let Some(end) = end::<BLOCK>(at, len) {
                if any(base.add(at).cast::<[usize; BLOCK]>().read()) {
                    return false;
                }
                at = end;
            }
            while let Some(end) = end::<1>(at, len) {
                if base.add(at).cast::<usize>().read() != 0 {
                    return false;
                }
                at = end;
            }
            (at..len).all(byte_is_zero)
        }
    }

    /// The first of `len` bytes that is not the same at `left` and at `right`.
    ///
    /// # Safety
    ///
    /// Both must be valid for reads of `len` initialised bytes.
    #[inline]
    pub unsafe fn mismatch(left: *const u8, right: *const u8, len: usize) -> Option<usize> {
        // SAFETY: the caller's promise, for the same bytes: every read ends at `len` at most. Only
        // `left` is aligned.
        unsafe {
            let differs = |at: &usize| left.add(*at).read() != right.add(*at).read();
            let mut at = bytes_to_word(left, len);
            if let Some(found) = (0..at).find(differs) {
                return Some(found);
            }
            while let Some(end) = end::<BLOCK>(at, len) {
                let mut block = left.add(at).cast::<[usize; BLOCK]>().read();
                let other = right.add(at).cast::<[usize; BLOCK]>().read_unaligned();
                block.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
                if any(block) {
                    break;
                }
                at = end;
            }
            while let Some(end) = end::<1>(at, len) {
                let word = left.add(at).cast::<usize>().read();
                if word != right.add(at).cast::<usize>().read_unaligned() {
                    break;
                }
                at = end;
            }
            (at..len).find(differs)
        }
    }

    /// The end of the next `WORDS` words from `at` on, if that is at most `len`.
    #[inline]
    fn end<const WORDS: usize>(at: usize, len: usize) -> Option<usize> {
        // No memory reaches the end of the address space, so this does not wrap.
        let end = at.wrapping_add(const { WORDS * WORD });
        (end <= len).then_some(end)
    }

    /// Bytes at `base` in front of the first aligned word, at most `len`.
    #[inline]
    fn bytes_to_word(base: *const u8, len: usize) -> usize {
        base.addr().wrapping_neg().rem_euclid(WORD).min(len)
    }

    /// Whether any bit is set. A branch for each word would keep the words apart.
    #[inline]
    fn any(block: [usize; BLOCK]) -> bool {
        block.iter().fold(0, |bits, word| bits | word) != 0
    }
}

/// Whether this target can write cache lines back ([`Piece::flush_cache`]).
#[doc(alias = "ARCH_HAS_UACCESS_FLUSHCACHE")]
pub const FLUSHES_CACHE: bool = flush::SUPPORTED;

/// Writing cache lines back, where the target has an instruction for it.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod flush {
    use core::arch::asm;

    pub const SUPPORTED: bool = true;
    /// Smallest line size of any x86-64 CPU.
    const LINE: usize = 64;

    /// Writes back the lines that hold the `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// The bytes must be mapped.
    #[inline]
    pub unsafe fn lines(base: *const u8, len: usize) {
        let first = base.addr() & !(LINE - 1);
        let mut skip = 0;
        while skip < len.saturating_add(base.addr() & (LINE - 1)) {
            let line = first.wrapping_add(skip);
            // SAFETY: every line visited holds at least one of the `len` bytes at `base`, which
            // the caller promises to be mapped; clflush (baseline on x86-64) changes no contents.
            unsafe { asm!("clflush [{}]", in(reg) line, options(nostack, preserves_flags)) };
            skip = skip.saturating_add(LINE);
        }
        // SAFETY: a fence accesses nothing; it orders the write-backs before what follows.
        unsafe { asm!("mfence", options(nostack, preserves_flags)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod flush {
    use core::arch::asm;

    pub const SUPPORTED: bool = true;
    /// Not larger than any cache line of an AArch64 CPU.
    const LINE: usize = 16;

    /// Writes back the lines that hold the `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// The bytes must be mapped.
    #[inline]
    pub unsafe fn lines(base: *const u8, len: usize) {
        let first = base.addr() & !(LINE - 1);
        let mut skip = 0;
        while skip < len.saturating_add(base.addr() & (LINE - 1)) {
            let line = first.wrapping_add(skip);
            // SAFETY: every line visited holds at least one of the `len` bytes at `base`, which
            // the caller promises to be mapped; a clean to the point of coherency changes no contents.
            unsafe { asm!("dc cvac, {}", in(reg) line, options(nostack, preserves_flags)) };
            skip = skip.saturating_add(LINE);
        }
        // SAFETY: a barrier accesses nothing; it orders the write-backs before what follows.
        unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
    }
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod flush {
    pub const SUPPORTED: bool = false;

    /// Does nothing.
    ///
    /// # Safety
    ///
    /// As where it does something.
    #[inline]
    pub unsafe fn lines(_base: *const u8, _len: usize) {}
}

// struct iovec { void *iov_base; size_t iov_len; }
static_assertions::assert_eq_size!(Piece<'static, Source>, crate::IoVec);
static_assertions::const_assert_eq!(
    core::mem::offset_of!(Piece<'static, Dest>, base),
    core::mem::offset_of!(crate::IoVec, base)
);

// A piece aliases memory that only its creator's thread may touch; the pointer inside sees to it.
static_assertions::assert_not_impl_any!(Piece<'static, Source>: Send, Sync);
static_assertions::assert_not_impl_any!(Piece<'static, Dest>: Send, Sync);
