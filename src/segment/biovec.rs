//! Segments of pages.

use core::fmt;

use super::{Exists, Segment};
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Page, on_pages};
use crate::memory::{Extent, Piece};

/// Bytes in a run of physically contiguous pages, laid out as `struct bio_vec`.
///
/// ```text
///   page ──► ┌──────────┬──────────┬──────────┐
///            │   ███████│██████████│████      │
///            └──────────┴──────────┴──────────┘
///   offset ──►│        len             │
/// ```
///
/// `offset` may exceed the page size; the segment then starts in a later page of the run.
#[doc(alias = "bio_vec")]
#[repr(C)]
pub struct BioVec<P> {
    page: P,
    len: u32,
    offset: u32,
}

impl<P: Page> BioVec<P> {
    /// The `len` bytes that start `offset` bytes into the run of `page`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the run.
    pub fn new(page: P, offset: u32, len: u32) -> Result<Self, Error> {
        match Self::fits(&page, offset, len) {
            true => Ok(Self { page, len, offset }),
            false => Err(Error::OutOfRange),
        }
    }

    /// Whether `len` bytes at `offset` lie in the run of `page`.
    fn fits(page: &P, offset: u32, len: u32) -> bool {
        let end = u64::from(offset).saturating_add(u64::from(len));
        let run = (page.run_length() as u64).saturating_mul(P::SIZE as u64);
        end <= run && usize::try_from(end).is_ok()
    }

    /// The first page of the run.
    #[inline]
    pub const fn page(&self) -> &P {
        &self.page
    }

    /// Bytes of the run before the segment.
    #[inline]
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// The length in bytes.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the segment has no bytes.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the segment from `offset` on.
    #[inline]
    pub(crate) fn tail(&self, offset: usize) -> PageTail<'_, P> {
        let len = (self.len as usize).saturating_sub(offset);
        PageTail { page: &self.page, at: (self.offset as usize).saturating_add(offset), len }
    }
}

impl<P: Page> Clone for BioVec<P> {
    /// The same bytes, through a handle of its own.
    fn clone(&self) -> Self {
        let page = self.page.clone();
        // Checking costs less than trusting: a handle of a shorter run gives no bytes.
        let len = if Self::fits(&page, self.offset, self.len) { self.len } else { 0 };
        Self { page, len, offset: self.offset }
    }
}

/// The rest of a segment from some byte on, or a part of that. It lies in the run of the segment.
pub(crate) struct PageTail<'s, P> {
    page: &'s P,
    at: usize,
    len: usize,
}

impl<P: Page> PageTail<'_, P> {
    /// Calls `step` with those that go with `extent`, one page at a time; see [`on_pages`].
    #[inline]
    pub(crate) fn pages<D: Direction, E: Extent>(
        &self,
        extent: E,
        step: impl FnMut(Piece<'_, D>, E) -> usize,
    ) -> usize {
        // SAFETY: no more than `len`, a part of the segment. That it lies in the run was checked when it was
        // made, and no run becomes shorter.
        unsafe { on_pages(self.page, self.at, extent.prefix(self.len), step) }
    }
}

impl<P> Extent for PageTail<'_, P> {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        Self { at: self.at.wrapping_add(len), len: self.len.wrapping_sub(len), ..*self }
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        Self { len: len.min(self.len), ..*self }
    }
}

impl<P> fmt::Debug for BioVec<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BioVec")
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<P> Segment for BioVec<P> {
    // Only `None` needs no byte to be told from what else there is.
    const EXISTS: Exists = Exists(size_of::<Option<P>>() > 0);

    #[inline]
    fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    fn address(&self) -> usize {
        self.offset as usize
    }
}

// Evaluated by the compiler.
#[allow(clippy::arithmetic_side_effects)]
mod layout {
    use super::BioVec;
    use static_assertions::*;

    // struct bio_vec { struct page *bv_page; unsigned int bv_len; unsigned int bv_offset; }
    const_assert_eq!(size_of::<BioVec<*mut u8>>(), size_of::<usize>() + 8);
    const_assert_eq!(core::mem::offset_of!(BioVec<*mut u8>, page), 0);
    const_assert_eq!(core::mem::offset_of!(BioVec<*mut u8>, len), size_of::<usize>());
    const_assert_eq!(core::mem::offset_of!(BioVec<*mut u8>, offset), size_of::<usize>() + 4);
}
