//! Scatter lists: what a DMA engine is given.

use core::fmt;

use super::pages::{HeldPage, Hold};
use super::{Chained, IovIter};
use crate::cursor::{Ranges, SegmentRange};
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Host, Page, page_and_offset};
use crate::list::{List, Sealed};
use crate::segment::BioVec;

/// One contiguous range of a scatter list.
#[doc(alias = "scatterlist")]
#[non_exhaustive]
pub struct ScatterEntry<'a, P: Page> {
    /// The page in which the range begins.
    pub page: HeldPage<'a, P>,
    /// Where the range starts in that page, in bytes; less than a page.
    pub offset: usize,
    /// The length in bytes. A range of pages may go on into the pages that follow in the run; one
    /// of user or addressable memory ends with the page.
    pub len: usize,
}

impl<P: Page> ScatterEntry<'_, P> {
    /// The range as a segment, with a reference to its page of its own; see [`HeldPage::to_bio_vec`].
    ///
    /// An [iterator over such segments](IovIter::bvec) does what C does with scatter lists: it copies from any
    /// byte on, zeros, splits, and walks page after page.
    ///
    /// # Errors
    ///
    /// [`Error::NoPages`] for addressable memory.
    #[doc(alias = "sg_copy_to_buffer")]
    #[doc(alias = "sg_copy_from_buffer")]
    #[doc(alias = "sg_pcopy_to_buffer")]
    #[doc(alias = "sg_pcopy_from_buffer")]
    #[doc(alias = "sg_zero_buffer")]
    #[doc(alias = "sg_miter_start")]
    #[doc(alias = "sg_miter_next")]
    #[doc(alias = "sg_miter_stop")]
    #[doc(alias = "sg_split")]
    pub fn to_bio_vec(&self) -> Result<BioVec<P>, Error> {
        self.page.to_bio_vec(self.offset, self.len)
    }
}

impl<P: Page> fmt::Debug for ScatterEntry<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScatterEntry")
            .field("page", &self.page)
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish()
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Describes the next `max_size` bytes by at most `max_entries` entries, appends the entries to
    /// `list`, advances past the bytes described and returns their number.
    ///
    /// One entry per segment of pages; one per page for user memory, which is pinned, and for
    /// addressable memory. Fewer bytes if the iterator, the entries or the room in `list` run out.
    ///
    /// # Errors
    ///
    /// [`Error::NoScatterList`] for discarded memory, [`Error::NoMemory`] if `list` cannot grow,
    /// [`Error::Fault`] or what the host reports if user pages cannot be pinned. `list` and the
    /// iterator are as they were then, and nothing stays pinned.
    ///
    /// ```
    /// use iov_iter::{InlineVec, IovIterSource, KVec, ScatterEntry};
    ///
    /// let bytes = [0; 10_000];
    /// let segments = [KVec::from(&bytes[..16]), KVec::from(&bytes[4000..])];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut entries = InlineVec::<ScatterEntry<_>, 8>::new();
    /// assert_eq!(iter.extract_to_scatter_list(usize::MAX, 8, &mut entries), Ok(6016));
    /// for entry in entries.iter() {
    ///     // What a DMA engine would be told.
    ///     let _start = entry.page.map(|page| page.addr().get() + entry.offset);
    ///     assert!(entry.offset + entry.len <= 4096);
    /// }
    /// ```
    #[doc(alias = "extract_iter_to_sg")]
    pub fn extract_to_scatter_list(
        &mut self,
        max_size: usize,
        max_entries: usize,
        list: &mut impl List<ScatterEntry<'a, H::Page>>,
    ) -> Result<usize, Error> {
        let max_size = max_size.min(self.remaining());
        let len = match self {
            Self::Discard(_) => return Err(Error::NoScatterList),
            Self::UserBuf(_) | Self::IoVec(_) | Self::KVec(_) | Self::Shared(_) => {
                return self.scatter_pages(max_size, max_entries, list);
            }
            Self::Chain(Chained::IoVec(_) | Chained::KVec(_) | Chained::Shared(_)) => {
                return self.scatter_pages(max_size, max_entries, list);
            }
            Self::BVec(cursor) => {
                let ranges = Ranges::new(cursor.list(), cursor.position(), max_size);
                scatter_runs(ranges, max_entries, list)?
            }
            Self::Uniform(cursor) => {
                let segments = cursor.list().segments();
                let ranges = Ranges::new(segments, cursor.position(), max_size);
                scatter_runs(ranges, max_entries, list)?
            }
            Self::Chain(Chained::BVec(cursor)) => {
                scatter_runs(cursor.ranges_of_chain(max_size), max_entries, list)?
            }
            Self::Lookup(cursor) => cursor.scatter(max_size, max_entries, list)?,
        };
        self.advance(len);
        Ok(len)
    }

    /// Extracts segment after segment and lists one entry per page.
    fn scatter_pages(
        &mut self,
        max_size: usize,
        max_entries: usize,
        list: &mut impl List<ScatterEntry<'a, H::Page>>,
    ) -> Result<usize, Error> {
        let (before, entries_before) = (self.clone(), list.len());
        let mut entries = Entries { list, left: max_entries, offset: 0, rest: 0 };
        let mut done = 0usize;
        while done < max_size {
            // A chain may end before the count.
            let Some((address, len)) = self.next_range() else { break };
            (_, entries.offset) = page_and_offset(Self::PAGE_SIZE, address);
            let left = max_size.saturating_sub(done);
            entries.rest = len.min(left).min(Self::MAX_COUNT);
            let outcome = match entries.try_reserve(1) {
                Ok(0) => break,
                Ok(_) => self.extract_pages(left, usize::MAX, &mut entries),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(range) if range.len > 0 => done = done.saturating_add(range.len),
                failed => {
                    entries.list.truncate(entries_before);
                    *self = before;
                    return Err(failed.err().unwrap_or(Error::Fault));
                }
            }
        }
        Ok(done)
    }
}

/// Turns the pages of one segment into entries.
struct Entries<'l, T> {
    list: &'l mut T,
    /// Entries that may still be added.
    left: usize,
    /// Where the range begins in the next page.
    offset: usize,
    /// Bytes of the segment that have no entry yet.
    rest: usize,
}

impl<T, U> Sealed<U> for Entries<'_, T> {}

impl<'a, P: Page, T: List<ScatterEntry<'a, P>>> List<HeldPage<'a, P>> for Entries<'_, T> {
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error> {
        self.list.try_reserve(wanted.min(self.left))
    }

    fn try_push(&mut self, page: HeldPage<'a, P>) -> Result<(), HeldPage<'a, P>> {
        let offset = core::mem::take(&mut self.offset);
        let len = self.rest.min(P::SIZE.saturating_sub(offset));
        self.list.try_push(ScatterEntry { page, offset, len }).map_err(|entry| entry.page)?;
        self.rest = self.rest.saturating_sub(len);
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn len(&self) -> usize {
        self.list.len()
    }

    fn last_mut(&mut self) -> Option<&mut HeldPage<'a, P>> {
        self.list.last_mut().map(|entry| &mut entry.page)
    }

    fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
    }
}

/// Lists one entry per segment of pages; the bytes described.
fn scatter_runs<'a, P: Page + 'a>(
    ranges: impl Iterator<Item = SegmentRange<'a, BioVec<P>>>,
    max_entries: usize,
    list: &mut impl List<ScatterEntry<'a, P>>,
) -> Result<usize, Error> {
    let mut done = 0usize;
    for SegmentRange { segment, offset: skip, len } in ranges.take(max_entries) {
        if list.try_reserve(1)? == 0 {
            break;
        }
        let at = (segment.offset() as usize).saturating_add(skip);
        let (index, offset) = page_and_offset(P::SIZE, at);
        let page = HeldPage::new(Hold::Borrowed { run: segment.page(), index });
        if list.try_push(ScatterEntry { page, offset, len }).is_err() {
            break;
        }
        done = done.saturating_add(len);
    }
    Ok(done)
}
