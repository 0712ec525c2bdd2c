//! Segments of somebody else's address space.

use super::Segment;

/// A range of user addresses, laid out as `struct iovec`.
///
/// Plain data: nothing is borrowed and nothing is dereferenced by this crate. Only a
/// [`UserMemory`](crate::UserMemory) gives the numbers a meaning.
///
/// ```
/// use iov_iter::IoVec;
///
/// let segment = IoVec::new(0x1000, 64);
/// assert_eq!((segment.base, segment.len), (0x1000, 64));
/// ```
#[doc(alias = "iovec")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoVec {
    /// The address of the first byte.
    pub base: usize,
    /// The length in bytes.
    pub len: usize,
}

impl IoVec {
    /// The range of `len` bytes at `base`.
    #[inline]
    #[must_use]
    pub const fn new(base: usize, len: usize) -> Self {
        Self { base, len }
    }
}

impl Segment for IoVec {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn address(&self) -> usize {
        self.base
    }
}

mod layout {
    use super::*;
    use static_assertions::*;

    // struct iovec { void *iov_base; size_t iov_len; }
    assert_eq_size!(IoVec, [usize; 2]);
    assert_eq_align!(IoVec, usize);
    const_assert_eq!(core::mem::offset_of!(IoVec, base), 0);
    const_assert_eq!(core::mem::offset_of!(IoVec, len), size_of::<usize>());
    assert_impl_all!(IoVec: Send, Sync, Copy);
}
