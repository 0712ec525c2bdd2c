//! Taking hold of the pages under an iterator, for I/O that goes around the CPU.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::query::pages_of;
use super::{Chained, IovIter};
use crate::cursor::{Cursor, Ranges, SegmentRange};
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Host, NoPage, Page, PageFlags, UserMemory, page_and_offset};
use crate::list::List;
use crate::memory::Access;
use crate::segment::{BioVec, MemVec, Segments};

/// A page under an iterator, held in the way that its kind asks for.
///
/// | Kind | [`get_pages`](IovIter::get_pages) | [`extract_pages`](IovIter::extract_pages) |
/// |---|---|---|
/// | user memory | references | pins |
/// | pages | references | nothing: borrowed |
/// | pages looked up | references | references |
/// | addressable memory | refused | nothing: borrowed |
/// | discarded | refused | refused |
///
/// Dropping it gives back the reference or the pin. That may be done where the I/O ends, on another
/// thread: a held page is `Send` and `Sync` where the host's pages and pins are.
pub struct HeldPage<'a, P: Page>(Hold<'a, P>);

pub(super) enum Hold<'a, P: Page> {
    /// A reference was taken.
    Referenced(P),
    /// A pin was taken.
    Pinned(P::Pin),
    /// Nothing was taken: the page `index` of a run that the segment list keeps.
    Borrowed { run: &'a P, index: usize },
    /// Nothing was taken: the page of addressable memory that starts at this address.
    Kernel(NonNull<u8>, PhantomData<&'a u8>),
}

// SAFETY: the handle, the pin and the borrowed run go where their own types allow it. Of addressable
// memory there is only an address: it takes unsafe code to use it, whatever thread that is on.
unsafe impl<P: Page + Send + Sync> Send for HeldPage<'_, P> where P::Pin: Send {}
// SAFETY: as above; a shared page gives no more than a `&P`, from the handle, the pin or the run.
unsafe impl<P: Page + Sync> Sync for HeldPage<'_, P> where P::Pin: Sync {}

static_assertions::assert_impl_all!(HeldPage<'static, NoPage>: Send, Sync);

/// How a [`HeldPage`] is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retention {
    /// By a reference, which must be dropped.
    Referenced,
    /// By a pin, which must be undone.
    Pinned,
    /// Not at all: the segments keep it.
    None,
}

impl<'a, P: Page> HeldPage<'a, P> {
    pub(super) const fn new(hold: Hold<'a, P>) -> Self {
        Self(hold)
    }

    /// How the page is held.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        match self.0 {
            Hold::Referenced(_) => Retention::Referenced,
            Hold::Pinned(_) => Retention::Pinned,
            Hold::Borrowed { .. } | Hold::Kernel(..) => Retention::None,
        }
    }

    /// The run that the page belongs to and its index there; `None` for addressable memory.
    #[must_use]
    pub fn page(&self) -> Option<(&P, usize)> {
        match &self.0 {
            Hold::Referenced(page) => Some((page, 0)),
            Hold::Pinned(pin) => Some((pin.as_ref(), 0)),
            Hold::Borrowed { run, index } => Some((run, *index)),
            Hold::Kernel(..) => None,
        }
    }

    /// The segment of `len` bytes from `offset` bytes into the page on, with a reference of its own. It may
    /// go on in the pages that follow in the run.
    ///
    /// A pin stays with this value: the segment does not keep the page pinned.
    ///
    /// # Errors
    ///
    /// [`Error::NoPages`] for addressable memory, [`Error::OutOfRange`] if the bytes leave the run.
    pub fn to_bio_vec(&self, offset: usize, len: usize) -> Result<BioVec<P>, Error> {
        let (run, index) = self.page().ok_or(Error::NoPages)?;
        let page = run.nth(index).ok_or(Error::OutOfRange)?;
        let offset = u32::try_from(offset).map_err(|_| Error::OutOfRange)?;
        let len = u32::try_from(len).map_err(|_| Error::OutOfRange)?;
        BioVec::new(page, offset, len)
    }

    /// Whether `next` is the page after this one in a run.
    pub(super) fn is_followed_by(&self, next: &Self) -> bool {
        let (Some((here, index)), Some((there, next))) = (self.page(), next.page()) else {
            return false;
        };
        if core::ptr::eq(here, there) {
            return index.checked_add(1) == Some(next);
        }
        match (index, next) {
            (0, 0) => here.is_followed_by(there),
            _ => match (here.nth(index), there.nth(next)) {
                (Some(here), Some(there)) => here.is_followed_by(&there),
                _ => false,
            },
        }
    }

    /// Whether one request may hold this page and `other`.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let (Some((here, _)), Some((there, _))) = (self.page(), other.page()) else { return true };
        // All pages of a run are memory of one kind.
        core::ptr::eq(here, there) || here.goes_with(there)
    }

    /// Calls `f` with the address of the page, mapped for the call; `None` if it cannot be mapped.
    pub fn map<R>(&self, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        match self.0 {
            Hold::Kernel(address, _) => Some(f(address)),
            Hold::Referenced(_) | Hold::Pinned(_) | Hold::Borrowed { .. } => {
                let (page, index) =
                    self.page().filter(|(page, index)| *index < page.run_length())?;
                // SAFETY: the index was checked; what `f` does with an address is up to its own unsafe code.
                unsafe { page.map(index, f) }
            }
        }
    }
}

impl<P: Page> fmt::Debug for HeldPage<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldPage").field(&self.retention()).finish()
    }
}

/// The bytes that a list of held pages covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRange {
    /// Where the range starts in the first page, in bytes.
    pub offset: usize,
    /// Length of the range in bytes; 0 if no page was handed out.
    pub len: usize,
}

impl PageRange {
    /// `len` bytes that start `offset` bytes into the first page.
    #[must_use]
    pub const fn new(offset: usize, len: usize) -> Self {
        Self { offset, len }
    }

    /// The part of `len` bytes at `offset` that lies in `pages` pages of `size` bytes.
    fn clip(size: usize, offset: usize, len: usize, pages: usize) -> Self {
        Self { offset, len: len.min(pages.saturating_mul(size).saturating_sub(offset)) }
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// References the pages under the next bytes, appends them to `list` and advances past them.
    ///
    /// Covers at most `max_size` bytes, [`MAX_COUNT`](Self::MAX_COUNT), `max_pages` pages, the room
    /// in `list` and the current segment. The result tells which bytes of the pages are meant.
    ///
    /// # Errors
    ///
    /// [`Error::NoPages`] for addressable and discarded memory, [`Error::NoMemory`] if `list`
    /// cannot grow, [`Error::Fault`] if the bytes leave the user's part of the address space, or
    /// what the host reports if it gets no page at all. Nothing has moved then.
    #[doc(alias = "iov_iter_get_pages")]
    #[doc(alias = "iov_iter_get_pages2")]
    #[doc(alias = "iov_iter_get_pages_alloc")]
    #[doc(alias = "iov_iter_get_pages_alloc2")]
    #[doc(alias = "get_pages_array")]
    pub fn get_pages(
        &mut self,
        max_size: usize,
        max_pages: usize,
        list: &mut impl List<HeldPage<'a, H::Page>>,
    ) -> Result<PageRange, Error> {
        let max_size = max_size.min(Self::MAX_COUNT);
        let range = match self {
            Self::KVec(_) | Self::Shared(_) | Self::Discard(_) => return Err(Error::NoPages),
            Self::Chain(Chained::KVec(_) | Chained::Shared(_)) => return Err(Error::NoPages),
            Self::Chain(Chained::BVec(cursor)) => reference(cursor, max_size, max_pages, list)?,
            Self::Lookup(cursor) => cursor.reference(max_size, max_pages, list)?,
            Self::UserBuf(_) | Self::IoVec(_) | Self::Chain(Chained::IoVec(_)) => {
                self.user_pages(max_size, max_pages, list, false)?
            }
            Self::BVec(cursor) => reference(cursor, max_size, max_pages, list)?,
            Self::Uniform(cursor) => reference(cursor, max_size, max_pages, list)?,
        };
        self.advance(range.len);
        Ok(range)
    }

    /// Lists the pages under the next bytes in the way their kind asks for (user memory is pinned,
    /// the rest is borrowed), appends them to `list` and advances past them.
    ///
    /// Limits as for [`get_pages`](Self::get_pages), but pages may go on in the next segment where
    /// the bytes are contiguous page after page.
    ///
    /// Lists as many pages as fit. Linux 6.12 does so too, but ends with each segment of pages. Linux 6.18 goes
    /// on in the next segment, and may list fewer pages: not more than the bytes would touch if the segment
    /// began at the start of a page.
    ///
    /// # Errors
    ///
    /// [`Error::NoPages`] for discarded memory, otherwise as [`get_pages`](Self::get_pages).
    ///
    /// ```
    /// use iov_iter::{HeldPage, InlineVec, IovIterSource, KVec};
    ///
    /// let bytes = [0; 10_000];
    /// let segments = [KVec::from(&bytes[..])];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut pages = InlineVec::<HeldPage<_>, 8>::new();
    /// let range = iter.extract_pages(usize::MAX, 2, &mut pages).unwrap();
    /// assert_eq!(range.offset, bytes.as_ptr().addr() % 4096);
    /// assert_eq!((pages.len(), range.len), (2, 2 * 4096 - range.offset));
    /// assert_eq!(iter.remaining(), 10_000 - range.len);
    /// ```
    #[doc(alias = "iov_iter_extract_pages")]
    pub fn extract_pages(
        &mut self,
        max_size: usize,
        max_pages: usize,
        list: &mut impl List<HeldPage<'a, H::Page>>,
    ) -> Result<PageRange, Error> {
        let max_size = max_size.min(Self::MAX_COUNT);
        let range = match self {
            Self::Discard(_) => return Err(Error::NoPages),
            Self::UserBuf(_) | Self::IoVec(_) | Self::Chain(Chained::IoVec(_)) => {
                self.user_pages(max_size, max_pages, list, true)?
            }
            Self::KVec(cursor) => kernel_pages(cursor, max_size, max_pages, list)?,
            Self::Shared(cursor) => kernel_pages(cursor, max_size, max_pages, list)?,
            Self::Chain(Chained::KVec(cursor)) => kernel_pages(cursor, max_size, max_pages, list)?,
            Self::Chain(Chained::Shared(cursor)) => {
                kernel_pages(cursor, max_size, max_pages, list)?
            }
            Self::BVec(cursor) => {
                let max_size = max_size.min(cursor.remaining());
                let ranges = Ranges::new(cursor.list(), cursor.position(), max_size);
                borrow(ranges, max_size, max_pages, list)?
            }
            Self::Uniform(cursor) => {
                let max_size = max_size.min(cursor.remaining());
                let ranges = Ranges::new(cursor.list().segments(), cursor.position(), max_size);
                borrow(ranges, max_size, max_pages, list)?
            }
            Self::Chain(Chained::BVec(cursor)) => {
                let max_size = max_size.min(cursor.remaining());
                borrow(cursor.ranges_of_chain(max_size), max_size, max_pages, list)?
            }
            Self::Lookup(cursor) => cursor.reference_joined(max_size, max_pages, list)?,
        };
        self.advance(range.len);
        Ok(range)
    }

    /// Whether [`extract_pages`](Self::extract_pages) pins: exactly for user memory.
    #[must_use]
    #[doc(alias = "iov_iter_extract_will_pin")]
    pub const fn extract_will_pin(&self) -> bool {
        self.is_user_backed()
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// The pages under the next user segment, of whose `max_size` bytes at most.
    fn user_pages(
        &self,
        max_size: usize,
        max_pages: usize,
        list: &mut impl List<HeldPage<'a, H::Page>>,
        pin: bool,
    ) -> Result<PageRange, Error> {
        let size = Self::PAGE_SIZE;
        let (Some(memory), Some(segment)) = (self.user_memory(), self.user_segment()) else {
            return Ok(PageRange::default());
        };
        let len = segment.len.min(max_size);
        let wanted = room(list, pages_of(size, segment.base, len).min(max_pages))?;
        if wanted == 0 {
            return Ok(PageRange::default());
        }
        if !memory.access_ok(segment.base, len) {
            return Err(Error::Fault);
        }
        let (_, offset) = page_and_offset(size, segment.base);
        let mut flags = self.page_flags().difference(PageFlags::WRITE);
        flags.set(PageFlags::WRITE, D::IS_DEST);

        let held_before = list.len();
        let mut pages = 0;
        // A page too many is dropped, and so given back.
        let mut hold = |page: Hold<'a, H::Page>| {
            if pages < wanted && list.try_push(HeldPage(page)).is_ok() {
                pages = pages.saturating_add(1);
            }
        };
        let start = segment.base.saturating_sub(offset);
        let outcome = match pin {
            true => memory.pin_pages(start, wanted, flags, |pin| hold(Hold::Pinned(pin))),
            false => memory.get_pages(start, wanted, flags, |page| hold(Hold::Referenced(page))),
        };
        if let Err(error) = outcome {
            list.truncate(held_before);
            return Err(error);
        }
        Ok(PageRange::clip(size, offset, len, pages))
    }

    const fn user_memory(&self) -> Option<&H::User> {
        match self {
            Self::UserBuf(user) => Some(user.memory()),
            Self::IoVec(user) => Some(user.memory()),
            Self::Chain(chained) => match chained.user() {
                Some(user) => Some(user.memory()),
                None => None,
            },
            Self::KVec(_) | Self::Shared(_) | Self::BVec(_) | Self::Uniform(_) => None,
            Self::Discard(_) | Self::Lookup(_) => None,
        }
    }
}

/// Makes room for `wanted` more pages; for how many there is room, whatever the list promises.
fn room<T>(list: &mut impl List<T>, wanted: usize) -> Result<usize, Error> {
    Ok(list.try_reserve(wanted)?.min(wanted))
}

/// Lists the pages under `len` bytes at `at`, an address or an offset in a run; `page` gives them by
/// their index.
pub(super) fn list_pages<'a, P: Page + 'a>(
    at: usize,
    len: usize,
    max_pages: usize,
    list: &mut impl List<HeldPage<'a, P>>,
    page: impl Fn(usize) -> Option<HeldPage<'a, P>>,
) -> Result<PageRange, Error> {
    let wanted = room(list, pages_of(P::SIZE, at, len).min(max_pages))?;
    let mut pages = 0;
    while pages < wanted {
        let Some(page) = page(pages) else { break };
        if list.try_push(page).is_err() {
            break;
        }
        pages = pages.saturating_add(1);
    }
    Ok(PageRange::clip(P::SIZE, page_and_offset(P::SIZE, at).1, len, pages))
}

/// References the pages under the next segment.
fn reference<'a, P: Page + 'a, L: Segments<Segment = BioVec<P>>>(
    cursor: &Cursor<L, L::Node>,
    max_size: usize,
    max_pages: usize,
    list: &mut impl List<HeldPage<'a, P>>,
) -> Result<PageRange, Error> {
    let Some(SegmentRange { segment, offset: skip, len }) = cursor.ranges().next() else {
        return Ok(PageRange::default());
    };
    let at = (segment.offset() as usize).saturating_add(skip);
    let (first, _) = page_and_offset(P::SIZE, at);
    list_pages(at, len.min(max_size), max_pages, list, |index| {
        segment.page().nth(first.saturating_add(index)).map(|page| HeldPage(Hold::Referenced(page)))
    })
}

/// Lists the pages under the next segment of addressable memory.
fn kernel_pages<
    'a,
    D: Direction,
    A: Access,
    P: Page + 'a,
    L: Segments<Segment = MemVec<'a, D, A>>,
>(
    cursor: &Cursor<L, L::Node>,
    max_size: usize,
    max_pages: usize,
    list: &mut impl List<HeldPage<'a, P>>,
) -> Result<PageRange, Error> {
    let Some(SegmentRange { segment, offset: skip, len }) = cursor.ranges().next() else {
        return Ok(PageRange::default());
    };
    let start = segment.as_ptr().cast_mut().wrapping_add(skip);
    let first = start.wrapping_sub(page_and_offset(P::SIZE, start.addr()).1);
    list_pages(start.addr(), len.min(max_size), max_pages, list, |index| {
        let page = NonNull::new(first.wrapping_add(index.wrapping_mul(P::SIZE)))?;
        Some(HeldPage(Hold::Kernel(page, PhantomData)))
    })
}

/// Lists the pages under the next segments, as far as they follow each other page after page.
fn borrow<'a, P: Page + 'a>(
    ranges: impl Iterator<Item = SegmentRange<'a, BioVec<P>>> + Clone,
    wanted_len: usize,
    max_pages: usize,
    list: &mut impl List<HeldPage<'a, P>>,
) -> Result<PageRange, Error> {
    let size = P::SIZE;
    let Some(SegmentRange { segment, offset: skip, .. }) = ranges.clone().next() else {
        return Ok(PageRange::default());
    };
    // Joined segments touch as many pages as one segment of all their bytes.
    let start = (segment.offset() as usize).saturating_add(skip);
    let room = room(list, pages_of(size, start, wanted_len).min(max_pages))?;

    let mut range = PageRange::default();
    let mut pages = 0;
    for SegmentRange { segment, offset: skip, len } in ranges {
        let at = (segment.offset() as usize).saturating_add(skip);
        let (first, offset) = page_and_offset(size, at);
        if pages == 0 {
            range.offset = offset;
        } else if offset != 0 {
            break;
        }
        let wanted = pages_of(size, at, len).min(room.saturating_sub(pages));
        let mut listed = 0;
        while listed < wanted {
            let index = first.saturating_add(listed);
            if list.try_push(HeldPage(Hold::Borrowed { run: segment.page(), index })).is_err() {
                break;
            }
            listed = listed.saturating_add(1);
        }
        pages = pages.saturating_add(listed);
        let usable = PageRange::clip(size, offset, len, listed).len;
        range.len = range.len.saturating_add(usable);
        let (_, end_in_page) = page_and_offset(size, at.wrapping_add(len));
        if usable < len || pages == room || end_in_page != 0 {
            break;
        }
    }
    Ok(range)
}
