//! Segments of physically contiguous pages: what a block device is given.

use super::IovIter;
use super::pages::HeldPage;
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Host, Page, page_and_offset};
use crate::list::{List, Sealed};
use crate::segment::BioVec;

/// Bytes in pages that follow each other physically; see [`IovIter::extract_to_segments`].
///
/// The pages are in a list of their own, which keeps them held: the segment says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageSegment {
    /// The index in the list of pages of the page where the bytes begin.
    pub first: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// Bytes of the first page before these; less than a page.
    pub offset: usize,
    /// The length in bytes, never 0.
    pub len: usize,
}

impl PageSegment {
    /// The same bytes as a segment of a list, with a reference to the first page of its own.
    ///
    /// `pages` is the list that the pages were appended to. A pin stays there.
    ///
    /// # Errors
    ///
    /// [`Error::NoPages`] for addressable memory, [`Error::OutOfRange`] if the list is another one, or if the
    /// pages follow each other but are not one run for the host.
    pub fn to_bio_vec<P: Page>(&self, pages: &[HeldPage<'_, P>]) -> Result<BioVec<P>, Error> {
        pages.get(self.first).ok_or(Error::OutOfRange)?.to_bio_vec(self.offset, self.len)
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Describes the next bytes by segments of physically contiguous pages, advances by them and returns
    /// their number.
    ///
    /// The pages are appended to `pages`, held as [`extract_pages`](Self::extract_pages) holds them, and at
    /// most `max_segments` segments to `segments`. Pages that follow each other in one run become one
    /// segment; those of user memory if the host [says so](Page::is_followed_by). Each page of addressable
    /// memory is a segment. At most `max_bytes` bytes, and at most [`MAX_COUNT`](Self::MAX_COUNT) of one
    /// piece of the iterator.
    ///
    /// `align_mask` is one less than a power of two, 0 for no rule. A piece whose address or length has bits
    /// of the mask ends the call before anything of it is held. For pages the address is the offset in the
    /// run. So does a page that [must not go](Page::goes_with) with the last one in `pages`; a page that was
    /// pinned in vain is unpinned. The result is 0 only where a limit or the end was reached at once, or where
    /// the next page must not go with what was in `pages` before.
    ///
    /// # Errors
    ///
    /// All of them only if no byte was described; nothing has moved then and nothing is held:
    ///
    /// - [`Error::OutOfRange`] if `align_mask` is not one less than a power of two;
    /// - [`Error::Misaligned`] if the address or the length of the next piece has bits of it;
    /// - [`Error::NoPages`] for discarded memory;
    /// - [`Error::NoMemory`] if a list cannot grow;
    /// - [`Error::Fault`], or what the host reports, if user pages cannot be pinned.
    ///
    /// ```
    /// use iov_iter::{HeldPage, InlineVec, IovIter, KVec, PageSegment, Source};
    ///
    /// #[repr(align(4096))]
    /// struct Pages([u8; 8192]);
    /// let bytes = Pages([0; 8192]);
    /// let segments = [KVec::from(&bytes.0[512..]), KVec::from(&bytes.0[..100])];
    /// let mut iter = IovIter::<Source>::from(&segments);
    /// let mut pages = InlineVec::<HeldPage<_>, 8>::new();
    /// let mut request = InlineVec::<PageSegment, 8>::new();
    /// // The last piece is not a whole sector.
    /// let described = iter.extract_to_segments(usize::MAX, 8, 511, &mut pages, &mut request);
    /// assert_eq!(described, Ok(7680));
    /// assert_eq!((request[0].offset, request[0].len), (512, 3584));
    /// assert_eq!((request[1].first, request[1].offset, request[1].len), (1, 0, 4096));
    /// assert!(iter.extract_to_segments(usize::MAX, 8, 511, &mut pages, &mut request).is_err());
    /// ```
    #[doc(alias = "iov_iter_extract_bvecs")]
    pub fn extract_to_segments(
        &mut self,
        max_bytes: usize,
        max_segments: usize,
        align_mask: usize,
        pages: &mut impl List<HeldPage<'a, H::Page>>,
        segments: &mut impl List<PageSegment>,
    ) -> Result<usize, Error> {
        if align_mask & align_mask.wrapping_add(1) != 0 {
            return Err(Error::OutOfRange);
        }
        if self.is_discarding() {
            return Err(Error::NoPages);
        }
        let mut merging = Merging {
            pages,
            segments,
            left: max_segments,
            offset: 0,
            rest: 0,
            joins: false,
            refused: false,
        };
        // Bytes of the current piece, whose alignment is known.
        let (mut done, mut checked) = (0_usize, 0_usize);
        let ended = loop {
            let left = max_bytes.saturating_sub(done);
            let Some((address, len)) = self.next_range() else { break None };
            if left == 0 || merging.refused || merging.left == 0 && !merging.joins {
                break None;
            }
            if checked == 0 {
                if (address | len) & align_mask != 0 {
                    break Some(Error::Misaligned);
                }
                checked = len;
            }
            (_, merging.offset) = page_and_offset(Self::PAGE_SIZE, address);
            merging.rest = len.min(left).min(Self::MAX_COUNT);
            match merging.try_reserve(1) {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
            // One piece: the next one may not be aligned.
            match self.extract_pages(merging.rest, usize::MAX, &mut merging) {
                Ok(range) if range.len > 0 => {
                    done = done.saturating_add(range.len);
                    checked = checked.saturating_sub(range.len);
                }
                Ok(_) if merging.refused => break None,
                Ok(_) => break Some(Error::Fault),
                Err(error) => break Some(error),
            }
        };
        match ended {
            Some(error) if done == 0 => Err(error),
            _ => Ok(done),
        }
    }
}

/// Pages to ask for where only those that join the last segment are of use.
const AHEAD: usize = 8;

/// A list of pages that makes segments of them.
struct Merging<'l, T, S> {
    pages: &'l mut T,
    segments: &'l mut S,
    /// Segments that may still be added.
    left: usize,
    /// Where the bytes begin in the next page.
    offset: usize,
    /// Bytes of the piece that are in no segment yet.
    rest: usize,
    /// Whether the last segment is of this call, and ends with its page.
    joins: bool,
    /// Whether a page had no place in the list: neither have those after it.
    refused: bool,
}

impl<T, S, U> Sealed<U> for Merging<'_, T, S> {}

impl<'a, P: Page, T: List<HeldPage<'a, P>>, S: List<PageSegment>> List<HeldPage<'a, P>>
    for Merging<'_, T, S>
{
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error> {
        // Each page may need a segment, or join the last one.
        let room = self.segments.try_reserve(wanted.min(self.left))?;
        self.pages.try_reserve(room.max(if self.joins { wanted.min(AHEAD) } else { 0 }))
    }

    fn try_push(&mut self, page: HeldPage<'a, P>) -> Result<(), HeldPage<'a, P>> {
        let last = self.pages.last_mut();
        self.refused |= last.as_ref().is_some_and(|last| !last.goes_with(&page));
        if self.refused {
            return Err(page);
        }
        let joined =
            self.joins && self.offset == 0 && last.is_some_and(|last| last.is_followed_by(&page));
        let first = self.pages.len();
        let offset = self.offset;
        let len = self.rest.min(P::SIZE.saturating_sub(offset));
        if joined {
            self.pages.try_push(page)?;
            if let Some(segment) = self.segments.last_mut() {
                segment.pages = segment.pages.saturating_add(1);
                segment.len = segment.len.saturating_add(len);
            }
        } else {
            let segment = PageSegment { first, pages: 1, offset, len };
            if self.left == 0 || self.segments.try_push(segment).is_err() {
                self.refused = true;
                return Err(page);
            }
            if let Err(page) = self.pages.try_push(page) {
                self.segments.truncate(self.segments.len().saturating_sub(1));
                return Err(page);
            }
            self.left = self.left.saturating_sub(1);
        }
        self.joins = offset.saturating_add(len) == P::SIZE;
        self.offset = 0;
        self.rest = self.rest.saturating_sub(len);
        Ok(())
    }

    fn len(&self) -> usize {
        self.pages.len()
    }

    fn last_mut(&mut self) -> Option<&mut HeldPage<'a, P>> {
        self.pages.last_mut()
    }

    fn truncate(&mut self, len: usize) {
        self.pages.truncate(len);
        while let Some(last) = self.segments.last_mut()
            && last.first.saturating_add(last.pages) > len
        {
            let kept = len.saturating_sub(last.first);
            if kept > 0 {
                // All pages of a segment but the last are used to their ends.
                last.pages = kept;
                last.len = kept.saturating_mul(P::SIZE).saturating_sub(last.offset);
                break;
            }
            self.segments.truncate(self.segments.len().saturating_sub(1));
        }
    }
}
