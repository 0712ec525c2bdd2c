//! Pages that are looked up by their position in a file.

use core::fmt;

use super::IovIter;
use super::pages::{HeldPage, Hold, PageRange, list_pages};
use super::query::pages_of;
use super::scatter::ScatterEntry;
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Host, Page, on_pages, page_and_offset};
use crate::list::List;
use crate::memory::{Extent, Piece};
use crate::segment::{BioVec, Position, Segment};

/// Pages that are found by a position: those of a file in a page cache, for example.
///
/// An iterator asks for each run of pages when it gets there. Any answer is safe: a run that does not hold
/// the position ends the walk as none does.
///
/// ```
/// # use std::{cell::UnsafeCell, ptr::NonNull, sync::Arc};
/// # use iov_iter::{Host, Page, Piece, host::NoUser};
/// # #[derive(Clone)]
/// # struct HeapPage(Arc<UnsafeCell<[u8; 4096]>>);
/// # // SAFETY: a page is a run of its own; its bytes are initialised, live as long as any handle, and are
/// # // accessed through mappings only, on the one thread of this program.
/// # unsafe impl Page for HeapPage {
/// #     const SIZE: usize = 4096;
/// #     type Pin = Self;
/// #     fn run_length(&self) -> usize { 1 }
/// #     fn nth(&self, index: usize) -> Option<Self> { (index == 0).then(|| self.clone()) }
/// #     unsafe fn map<R>(&self, _: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
/// #         NonNull::new(self.0.get().cast()).map(f)
/// #     }
/// # }
/// # impl AsRef<Self> for HeapPage { fn as_ref(&self) -> &Self { self } }
/// # // SAFETY: as above.
/// # unsafe impl Sync for Cache {}
/// # enum Kernel {}
/// # impl Host for Kernel { type Page = HeapPage; type User = NoUser<HeapPage>; }
/// use std::collections::BTreeMap;
/// use iov_iter::{FoundPages, IovIter, PageLookup, Source};
///
/// /// The pages of a file, by their index.
/// struct Cache(BTreeMap<u64, HeapPage>);
///
/// impl PageLookup<HeapPage> for Cache {
///     fn find(&self, position: u64) -> Option<FoundPages<HeapPage>> {
///         let index = position / 4096;
///         Some(FoundPages { start: index * 4096, pages: self.0.get(&index)?.clone() })
///     }
/// }
///
/// let page = HeapPage(Arc::new(UnsafeCell::new([7; 4096])));
/// let cache = Cache(BTreeMap::from([(2, page.clone()), (3, page)]));
/// let mut iter = IovIter::<Source, Kernel>::lookup(&cache, 9000, 8000);
/// let mut bytes = [0; 8000];
/// // There is no page at 16384: a hole.
/// assert_eq!(iter.copy_from_iter(&mut bytes), 16384 - 9000);
/// assert_eq!((bytes[7383], iter.remaining()), (7, 616));
/// ```
#[doc(alias = "xarray")]
pub trait PageLookup<P>: Sync {
    /// The run of pages that holds the byte at `position`; `None` where there is no page.
    fn find(&self, position: u64) -> Option<FoundPages<P>>;
}

/// A run of pages, and its place; see [`PageLookup::find`].
#[derive(Clone, Debug)]
pub struct FoundPages<P> {
    /// The position of the first byte of the run.
    pub start: u64,
    /// The run.
    pub pages: P,
}

/// Pages under an [`IovIter`], which are looked up by their position.
pub struct LookupCursor<'a, P> {
    pages: &'a dyn PageLookup<P>,
    start: u64,
    /// Bytes from `start` to the next byte.
    offset: usize,
    count: usize,
    cut: usize,
}

impl<P> Clone for LookupCursor<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for LookupCursor<'_, P> {}

impl<P> fmt::Debug for LookupCursor<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupCursor")
            .field("start", &self.start)
            .field("offset", &self.offset)
            .field("remaining", &self.count)
            .field("truncated", &self.cut)
            .finish_non_exhaustive()
    }
}

/// Bytes from `at` bytes into a run of pages on, which has `len` of them.
struct Run<P> {
    pages: P,
    at: usize,
    len: usize,
}

impl<P: Page> Run<P> {
    /// The page `index` pages after that of the first byte, referenced.
    fn page<'a>(&self, index: usize) -> Option<HeldPage<'a, P>> {
        let (first, _) = page_and_offset(P::SIZE, self.at);
        let page = self.pages.nth(first.saturating_add(index))?;
        Some(HeldPage::new(Hold::Referenced(page)))
    }
}

/// The names are those of [`Cursor`](crate::Cursor).
impl<P: Page> LookupCursor<'_, P> {
    const EXISTS: bool = <BioVec<P> as Segment>::EXISTS.0;

    /// The position in the file of the next byte; `u64::MAX` if it exceeds that.
    #[must_use]
    pub const fn file_position(&self) -> u64 {
        self.start.saturating_add(self.offset as u64)
    }

    pub(super) const fn remaining(&self) -> usize {
        if Self::EXISTS { self.count } else { 0 }
    }

    pub(super) const fn position(&self) -> Position {
        Position { index: 0, offset: self.offset }
    }

    /// What there is from `ahead` bytes ahead on, at most `limit` bytes.
    fn run(&self, ahead: usize, limit: usize) -> Option<Run<P>> {
        let position = self.start.checked_add(self.offset as u64)?.checked_add(ahead as u64)?;
        let FoundPages { start, pages } = self.pages.find(position)?;
        let at = usize::try_from(position.checked_sub(start)?).ok()?;
        let size = pages.run_length().saturating_mul(P::SIZE);
        let len = size.checked_sub(at).filter(|len| *len > 0)?.min(limit);
        Some(Run { pages, at, len })
    }

    /// The runs of the next bytes, at most `limit`.
    fn runs(&self, limit: usize) -> impl Iterator<Item = Run<P>> {
        let limit = if Self::EXISTS { limit } else { 0 };
        let mut ahead = 0_usize;
        core::iter::from_fn(move || {
            let left = limit.checked_sub(ahead).filter(|left| *left > 0)?;
            let run = self.run(ahead, left)?;
            ahead = ahead.saturating_add(run.len);
            Some(run)
        })
    }

    pub(super) fn span(&self, start: usize, max_bytes: usize, max_segments: usize) -> usize {
        let mut window = *self;
        window.advance(start);
        let runs = window.runs(window.remaining().min(max_bytes)).take(max_segments);
        runs.fold(0, |bytes, run| bytes.saturating_add(run.len))
    }

    pub(super) fn has(&self, len: usize) -> bool {
        len <= self.remaining() && len <= self.span(0, len, usize::MAX)
    }

    pub(super) fn segment_count(&self) -> usize {
        let runs = self.runs(self.count.saturating_add(self.cut));
        runs.fold(0, |count, _| count.saturating_add(1))
    }

    pub(super) fn fold_ranges<A>(&self, init: A, mut f: impl FnMut(A, usize, usize) -> A) -> A {
        self.runs(self.count).fold(init, |folded, run| f(folded, run.at, run.len))
    }

    pub(super) fn first_range(&self) -> Option<(usize, usize)> {
        self.runs(self.count).next().map(|run| (run.at, run.len))
    }

    pub(super) fn pages_under<Q: Page>(&self, max_pages: usize) -> usize {
        let mut pages = 0_usize;
        for run in self.runs(self.count) {
            pages = pages.saturating_add(pages_of(Q::SIZE, run.at, run.len));
            if pages >= max_pages {
                return max_pages;
            }
        }
        pages
    }

    pub(super) fn advance(&mut self, n: usize) -> usize {
        // A hole is no end for moves: only bytes need pages.
        let n = n.min(self.remaining());
        self.offset = self.offset.saturating_add(n);
        self.count = self.count.saturating_sub(n);
        n
    }

    pub(super) fn revert(&mut self, n: usize) -> Result<(), Error> {
        self.offset = self.offset.checked_sub(n).ok_or(Error::RevertPastStart)?;
        self.count = self.count.saturating_add(n);
        Ok(())
    }

    pub(super) fn truncate(&mut self, limit: u64) {
        let hidden = self.count.saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        self.count = self.count.saturating_sub(hidden);
        self.cut = self.cut.saturating_add(hidden);
    }

    pub(super) fn reexpand(&mut self, count: usize) -> Result<(), Error> {
        let whole = self.count.saturating_add(self.cut);
        self.cut = whole.checked_sub(count).ok_or(Error::ExpandPastEnd)?;
        self.count = count;
        Ok(())
    }

    pub(super) fn restore(&mut self, then: &Self) -> Result<(), Error> {
        if !core::ptr::addr_eq(self.pages, then.pages) || self.start != then.start {
            return Err(Error::ForeignState);
        }
        *self = *then;
        Ok(())
    }

    /// As [`IovIter::walk_with`], with pieces of the pages, mapped for the step.
    // Never in line, as for chains.
    #[inline(never)]
    pub(super) fn walk_pages<D: Direction, E: Extent>(
        &mut self,
        extent: E,
        mut step: impl FnMut(Piece<'_, D>, E) -> usize,
    ) -> usize {
        let mut left = extent.prefix(self.remaining());
        let mut done = 0_usize;
        while left.len() > 0 {
            let Some(run) = self.run(0, left.len()) else { break };
            // SAFETY: `run` saw that so many bytes from there on lie in the run, which becomes no shorter.
            let moved = unsafe { on_pages(&run.pages, run.at, left.prefix(run.len), &mut step) };
            done = done.saturating_add(self.advance(moved));
            if moved < run.len {
                break;
            }
            left = left.suffix(run.len);
        }
        done
    }

    /// References the pages under the next run.
    pub(super) fn reference<'a>(
        &self,
        max_size: usize,
        max_pages: usize,
        list: &mut impl List<HeldPage<'a, P>>,
    ) -> Result<PageRange, Error>
    where
        P: 'a,
    {
        match self.runs(self.count.min(max_size)).next() {
            Some(run) => list_pages(run.at, run.len, max_pages, list, |index| run.page(index)),
            None => Ok(PageRange::default()),
        }
    }

    /// References the pages under the next runs, as far as they follow each other page after page.
    pub(super) fn reference_joined<'a>(
        &self,
        max_size: usize,
        max_pages: usize,
        list: &mut impl List<HeldPage<'a, P>>,
    ) -> Result<PageRange, Error>
    where
        P: 'a,
    {
        let before = list.len();
        let mut range = PageRange::default();
        for run in self.runs(self.count.min(max_size)) {
            let pages = list.len().saturating_sub(before);
            let (_, offset) = page_and_offset(P::SIZE, run.at);
            if pages > 0 && offset != 0 || pages == max_pages {
                break;
            }
            let more = max_pages.saturating_sub(pages);
            let listed = list_pages(run.at, run.len, more, list, |index| run.page(index));
            let listed = listed.inspect_err(|_| list.truncate(before))?;
            if pages == 0 {
                range.offset = listed.offset;
            }
            range.len = range.len.saturating_add(listed.len);
            let (_, after) = page_and_offset(P::SIZE, run.at.wrapping_add(run.len));
            if listed.len < run.len || after != 0 {
                break;
            }
        }
        Ok(range)
    }

    /// Lists one entry per run, which is referenced; the bytes described.
    pub(super) fn scatter<'a>(
        &self,
        max_size: usize,
        max_entries: usize,
        list: &mut impl List<ScatterEntry<'a, P>>,
    ) -> Result<usize, Error>
    where
        P: 'a,
    {
        let mut done = 0_usize;
        for run in self.runs(self.count.min(max_size)).take(max_entries) {
            if list.try_reserve(1)? == 0 {
                break;
            }
            let (_, offset) = page_and_offset(P::SIZE, run.at);
            let Some(page) = run.page(0) else { break };
            if list.try_push(ScatterEntry { page, offset, len: run.len }).is_err() {
                break;
            }
            done = done.saturating_add(run.len);
        }
        Ok(done)
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Iterates over `count` bytes of pages that are looked up, from a position in their file on.
    ///
    /// Where a page is missing, what needs it ends: copies are short, all-or-nothing operations fail with
    /// [`Error::Exhausted`], and queries count the bytes before. [`advance`](Self::advance) passes over it.
    /// [`revert`](Self::revert) goes back to `position` and no further. Pages that
    /// [`extract_pages`](Self::extract_pages) lists are referenced: nobody else keeps them.
    #[inline]
    #[must_use]
    #[doc(alias = "iov_iter_xarray")]
    pub fn lookup(pages: &'a dyn PageLookup<H::Page>, position: u64, count: usize) -> Self {
        Self::Lookup(LookupCursor { pages, start: position, offset: 0, count, cut: 0 })
    }
}
