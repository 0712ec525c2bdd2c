//! Segments of pages.

use core::fmt;

use super::{Exists, Segment};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{Page, on_pages, page_and_offset};
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
    /// ```
    /// # use iov_iter::{BioVec, Error, Page, Piece};
    /// fn first_and_last<P: Page>(run: P) -> Result<[u8; 2], Error> {
    ///     let segment = BioVec::new(run, 100, 2 * P::SIZE as u32)?;
    ///     let mut bytes = [0; 2];
    ///     let (first, last) = bytes.split_at_mut(1);
    ///     segment.read_at(0, Piece::from(first))?;
    ///     segment.read_at(2 * P::SIZE - 1, Piece::from(last))?;
    ///     assert_eq!(segment.page_parts().next(), Some((0, 100, P::SIZE - 100)));
    ///     Ok(bytes)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the run.
    #[doc(alias = "bvec_set_page")]
    #[doc(alias = "bvec_set_folio")]
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
    ///
    /// The physical address of the segment is that of this page, which the host knows, and
    /// [`offset`](Self::offset).
    #[inline]
    #[doc(alias = "bvec_phys")]
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

    /// Copies `dst.len()` bytes from `offset` bytes into the segment.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the segment, [`Error::Fault`] if a page cannot be mapped.
    #[doc(alias = "memcpy_from_bvec")]
    pub fn read_at(&self, offset: usize, dst: Piece<'_, Dest>) -> Result<(), Error> {
        self.page.read_at(self.checked(offset, dst.len())?, dst)
    }

    /// Copies `src` to `offset` bytes into the segment.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    #[doc(alias = "memcpy_to_bvec")]
    pub fn write_at(&self, offset: usize, src: Piece<'_, Source>) -> Result<(), Error> {
        self.page.write_at(self.checked(offset, src.len())?, src)
    }

    /// Zeros `len` bytes from `offset` bytes into the segment on.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    #[doc(alias = "memzero_bvec")]
    pub fn zero_at(&self, offset: usize, len: usize) -> Result<(), Error> {
        self.page.zero_at(self.checked(offset, len)?, len)
    }

    /// Calls `step` with the `len` bytes from `offset` bytes into the segment on, mapped for the call; see
    /// [`Page::map_range`].
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the segment; `step` is not called then.
    ///
    /// ```
    /// # use iov_iter::{BioVec, Dest, Error, Page, Piece};
    /// fn fill<P: Page>(segment: &BioVec<P>, value: u8) -> Result<usize, Error> {
    ///     segment.map_range(0, segment.len() as usize, |piece: Piece<'_, Dest>, _| piece.fill(value))
    /// }
    /// ```
    #[doc(alias = "bvec_kmap_local")]
    #[doc(alias = "bvec_virt")]
    pub fn map_range<D: Direction>(
        &self,
        offset: usize,
        len: usize,
        step: impl FnMut(Piece<'_, D>, usize) -> usize,
    ) -> Result<usize, Error> {
        self.page.map_range(self.checked(offset, len)?, len, step)
    }

    /// The offset in the run of `len` bytes at `offset` in the segment.
    fn checked(&self, offset: usize, len: usize) -> Result<usize, Error> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len as usize => {
                Ok(offset.saturating_add(self.offset as usize))
            }
            _ => Err(Error::OutOfRange),
        }
    }

    /// The segment in parts of at most one page: the index of the page in the run, the offset there, and the
    /// length, which is never 0.
    #[doc(alias = "for_each_bvec")]
    #[doc(alias = "bio_for_each_segment")]
    pub fn page_parts(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<P> {
        let (mut at, mut left) = (self.offset as usize, self.len as usize);
        core::iter::from_fn(move || {
            let (index, offset) = page_and_offset(P::SIZE, at);
            let len = left.min(P::SIZE.saturating_sub(offset));
            (at, left) = (at.saturating_add(len), left.saturating_sub(len));
            (len > 0).then_some((index, offset, len))
        })
    }

    /// The bytes of the segment from `offset` on.
    #[inline]
    pub(crate) fn tail(&self, offset: usize) -> PageTail<'_, P> {
        let len = (self.len as usize).saturating_sub(offset);
        PageTail { page: &self.page, at: (self.offset as usize).wrapping_add(offset), len }
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
    const EXISTS: Exists = Exists::of::<P>();

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
