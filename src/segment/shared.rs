//! Segments of addressable memory that others write.

use core::sync::atomic::AtomicU8;

use super::{KVec, MemVec};
use crate::direction::{Dest, Direction, Source};
use crate::memory::Shared;

/// Memory of this address space that others may access at any time, laid out as `struct iovec`: RAM of
/// a running guest, a ring shared with a device, pages that user space has mapped, memory of a C
/// caller.
///
/// Nothing is promised of the contents, so there is no way to borrow them as `&[u8]`; they are copied,
/// by accesses that are [defined](Shared) whatever the others do. Any thread may use such a segment,
/// in either direction. A list of them goes to `readv`, `preadv`, `recvmsg` and io_uring as it is.
///
/// ```
/// use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
/// use iov_iter::{Dest, SharedVec, Source, iov::View};
///
/// let ring: [AtomicU8; 8] = Default::default();
/// std::thread::scope(|scope| {
///     scope.spawn(|| ring[7].store(7, Relaxed));
///     let into = [SharedVec::<Dest>::from(&ring[..4])];
///     assert_eq!(View::new(&into).write_at(0, b"data").unwrap(), 4);
/// });
/// let from = [SharedVec::<Source>::from(&ring[..])];
/// let mut bytes = [0; 8];
/// assert_eq!(View::new(&from).read_at(0, &mut bytes).unwrap(), 8);
/// assert_eq!(&bytes, b"data\0\0\0\x07");
/// ```
///
/// No slice comes out of it:
///
/// ```compile_fail,E0599
/// # use iov_iter::{KVec, SharedVec, Source};
/// let segment = SharedVec::from(KVec::<Source>::from(&b"bytes"[..]));
/// let _: &[u8] = segment.as_slice();
/// ```
pub type SharedVec<'a, D> = MemVec<'a, D, Shared>;

impl<'a, D: Direction> SharedVec<'a, D> {
    /// Describes `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// For the whole of `'a`, unless `len` is 0:
    /// - a source must be valid for reads of `len` initialised bytes, a destination for writes;
    /// - the memory must stay mapped;
    /// - no Rust reference to the bytes may be used, but to atomics and cells;
    /// - what this program itself does to the bytes on another thread must be atomic, or defined as
    ///   [`Shared`] is, or ordered before or after. What others do (a guest, a device, another
    ///   process, the kernel, a C caller) may be anything;
    /// - `len` must not exceed `isize::MAX`.
    ///
    /// A null `base` is replaced by a dangling one.
    #[inline]
    #[must_use]
    pub const unsafe fn from_raw_parts(base: *mut u8, len: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::new(base, len) }
    }
}

impl<'a, D: Direction> From<KVec<'a, D>> for SharedVec<'a, D> {
    /// Memory that nobody else accesses, as if others could.
    #[inline]
    fn from(segment: KVec<'a, D>) -> Self {
        let piece = segment.into_piece();
        // SAFETY: an exclusive segment is valid for as long, and only this one is left of it.
        unsafe { Self::new(piece.as_ptr().cast_mut(), piece.len()) }
    }
}

macro_rules! from_atomics {
    ($($direction:ty)*) => {$(
        impl<'a> From<&'a [AtomicU8]> for SharedVec<'a, $direction> {
            #[inline]
            fn from(bytes: &'a [AtomicU8]) -> Self {
                // SAFETY: the bytes are initialised and may be read and written through a shared
                // reference, and the program itself accesses them by atomics only.
                unsafe { Self::new(bytes.as_ptr().cast_mut().cast(), bytes.len()) }
            }
        }

        impl<'a, const N: usize> From<&'a [AtomicU8; N]> for SharedVec<'a, $direction> {
            #[inline]
            fn from(bytes: &'a [AtomicU8; N]) -> Self {
                Self::from(bytes.as_slice())
            }
        }
    )*};
}
from_atomics!(Source Dest);
