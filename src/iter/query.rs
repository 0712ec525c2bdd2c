//! Questions about an iterator: kind, alignment, pages. None of them moves it.

use super::{Chained, IovIter, UserCursor, on_cursor};
use crate::cursor::Cursor;
use crate::direction::Direction;
use crate::host::{Host, Page, PageFlags, page_and_offset};
use crate::segment::{IoVec, Segments};

/// The kind of segments an [`IovIter`] walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "iter_type")]
#[non_exhaustive]
pub enum Kind {
    /// One range of user memory.
    #[doc(alias = "iter_is_ubuf")]
    UserBuf,
    /// Ranges of user memory.
    #[doc(alias = "iter_is_iovec")]
    IoVec,
    /// Addressable memory.
    #[doc(alias = "iov_iter_is_kvec")]
    KVec,
    /// Addressable memory that others may write.
    Shared,
    /// Pages.
    #[doc(alias = "iov_iter_is_bvec")]
    BVec,
    /// Pages in segments that are known to be equally long.
    Uniform,
    /// Nothing.
    #[doc(alias = "iov_iter_is_discard")]
    Discard,
    /// A chain of ranges of user memory.
    IoVecChain,
    /// A chain of addressable memory.
    KVecChain,
    /// A chain of addressable memory that others may write.
    SharedChain,
    /// A chain of pages.
    #[doc(alias = "iov_iter_is_bvecq")]
    #[doc(alias = "iov_iter_is_folioq")]
    BVecChain,
    /// Pages that are looked up by their position.
    #[doc(alias = "iov_iter_is_xarray")]
    Lookup,
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// The page size of the host in bytes.
    pub const PAGE_SIZE: usize = {
        assert!(H::Page::SIZE.is_power_of_two());
        H::Page::SIZE
    };

    /// The page size of the host in bytes: [`PAGE_SIZE`](Self::PAGE_SIZE) of this iterator's type.
    #[must_use]
    pub const fn page_size(&self) -> usize {
        Self::PAGE_SIZE
    }

    /// The most bytes that one operation of the host moves: [`MAX_COUNT`](Self::MAX_COUNT) of this iterator's
    /// type.
    #[must_use]
    pub const fn max_count(&self) -> usize {
        Self::MAX_COUNT
    }

    /// The kind of segments.
    #[must_use]
    #[doc(alias = "iov_iter_type")]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::UserBuf(_) => Kind::UserBuf,
            Self::IoVec(_) => Kind::IoVec,
            Self::KVec(_) => Kind::KVec,
            Self::Shared(_) => Kind::Shared,
            Self::BVec(_) => Kind::BVec,
            Self::Uniform(_) => Kind::Uniform,
            Self::Discard(_) => Kind::Discard,
            Self::Chain(Chained::IoVec(_)) => Kind::IoVecChain,
            Self::Chain(Chained::KVec(_)) => Kind::KVecChain,
            Self::Chain(Chained::Shared(_)) => Kind::SharedChain,
            Self::Chain(Chained::BVec(_)) => Kind::BVecChain,
            Self::Lookup(_) => Kind::Lookup,
        }
    }

    /// Whether the bytes are user memory, so that a copy can fault.
    #[must_use]
    #[doc(alias = "user_backed_iter")]
    pub const fn is_user_backed(&self) -> bool {
        match self {
            Self::UserBuf(_) | Self::IoVec(_) => true,
            Self::KVec(_) | Self::Shared(_) | Self::BVec(_) | Self::Uniform(_) => false,
            Self::Discard(_) => false,
            Self::Chain(chained) => chained.user().is_some(),
            Self::Lookup(_) => false,
        }
    }

    /// Whether the bytes are no memory at all, so that they vanish.
    pub(super) const fn is_discarding(&self) -> bool {
        match self {
            Self::Discard(_) => true,
            Self::UserBuf(_) | Self::IoVec(_) | Self::KVec(_) | Self::Shared(_) => false,
            Self::BVec(_) | Self::Uniform(_) | Self::Chain(_) | Self::Lookup(_) => false,
        }
    }

    /// How [taking hold of user pages](Self::get_pages) is restricted or widened.
    #[must_use]
    pub const fn page_flags(&self) -> PageFlags {
        match self {
            Self::UserBuf(UserCursor { page_flags, .. })
            | Self::IoVec(UserCursor { page_flags, .. })
            | Self::Chain(Chained::IoVec(UserCursor { page_flags, .. })) => *page_flags,
            Self::KVec(_) | Self::Shared(_) | Self::BVec(_) | Self::Uniform(_) => {
                PageFlags::empty()
            }
            Self::Discard(_) | Self::Lookup(_) => PageFlags::empty(),
            Self::Chain(Chained::KVec(_) | Chained::Shared(_) | Chained::BVec(_)) => {
                PageFlags::empty()
            }
        }
    }

    /// Sets how [taking hold of user pages](Self::get_pages) is restricted or widened, for example
    /// to [`PageFlags::NOFAULT`]. [`PageFlags::WRITE`] follows from the direction. Without effect
    /// on memory that is not the user's.
    #[doc(alias = "nofault")]
    pub const fn set_page_flags(&mut self, flags: PageFlags) {
        match self {
            Self::UserBuf(UserCursor { page_flags, .. })
            | Self::IoVec(UserCursor { page_flags, .. })
            | Self::Chain(Chained::IoVec(UserCursor { page_flags, .. })) => *page_flags = flags,
            Self::KVec(_) | Self::Shared(_) | Self::BVec(_) | Self::Uniform(_) => {}
            Self::Discard(_) | Self::Lookup(_) => {}
            Self::Chain(Chained::KVec(_) | Chained::Shared(_) | Chained::BVec(_)) => {}
        }
    }

    /// Segments from the current one to the end of the list that are not empty.
    ///
    /// Not a test for emptiness: trailing segments may hold no byte of the count. Linux counts
    /// empty segments as well. Looks at each of the segments.
    #[must_use]
    #[doc(alias = "nr_segs")]
    pub fn segment_count(&self) -> usize {
        on_cursor!(self, cursor => cursor.segment_count())
    }

    /// The bytes left in the segment that the next byte lies in; 0 if none are left.
    #[must_use]
    #[doc(alias = "iov_iter_single_seg_count")]
    pub fn first_segment_len(&self) -> usize {
        on_cursor!(self, cursor => cursor.first_range().map_or(0, |(_, len)| len))
    }

    /// The bytes from `start` bytes ahead on that lie in `max_segments` segments, at most `max_bytes`.
    ///
    /// A DMA engine, a virtio queue or `writev` takes so many bytes in one request. Empty segments count for
    /// nothing; the first segment counts as one although only the rest of it is meant. 0 if `start` or
    /// fewer bytes are left.
    ///
    /// ```
    /// use iov_iter::{IovIter, KVec, Source};
    ///
    /// let segments = [KVec::from(b"scatter"), KVec::from(b""), KVec::from(b"gather"), KVec::from(b"!")];
    /// let iter = IovIter::<Source>::from(&segments);
    /// assert_eq!(iter.span(3, usize::MAX, 2), 4 + 6);
    /// assert_eq!(iter.span(3, 9, 2), 9);
    /// assert_eq!(iter.span(14, 9, 2), 0);
    /// ```
    #[must_use]
    #[doc(alias = "netfs_limit_iter")]
    #[doc(alias = "sg_nents_for_len")]
    pub fn span(&self, start: usize, max_bytes: usize, max_segments: usize) -> usize {
        on_cursor!(self, cursor => cursor.span(start, max_bytes, max_segments))
    }

    /// The next range of user memory, cut to the bytes left; `None` at the end, or if the bytes
    /// are not the user's.
    #[must_use]
    #[doc(alias = "iov_iter_iovec")]
    #[doc(alias = "iter_iov")]
    #[doc(alias = "iter_iov_addr")]
    #[doc(alias = "iter_iov_len")]
    pub fn user_segment(&self) -> Option<IoVec> {
        if !self.is_user_backed() {
            return None;
        }
        self.next_range().map(|(base, len)| IoVec::new(base, len))
    }

    /// The bits that are set in any address or length of the pieces left.
    ///
    /// A block layer tests the low bits against its alignment mask. For pages the address is the
    /// offset in the run. 0 if no byte is left.
    ///
    /// ```
    /// # use iov_iter::{IovIterSource, KVec};
    /// let bytes = [0; 16];
    /// let segments = [KVec::from(&bytes[..12])];
    /// assert_eq!(IovIterSource::from(&segments).alignment() & 7, (bytes.as_ptr().addr() | 12) & 7);
    /// ```
    #[must_use]
    #[doc(alias = "iov_iter_alignment")]
    pub fn alignment(&self) -> usize {
        self.ranges(0, |bits, address, len| bits | address | len)
    }

    /// Whether no piece left has an address with a bit of `address_mask` or a length with a bit of
    /// `len_mask`.
    #[must_use]
    #[doc(alias = "iov_iter_is_aligned")]
    pub fn is_aligned(&self, address_mask: usize, len_mask: usize) -> bool {
        let bits = |bits, address, len| bits | address & address_mask | len & len_mask;
        self.ranges(0, bits) == 0
    }

    /// The bits that are set in any end or start of two pieces that follow each other.
    ///
    /// A device with a virtual boundary can take the pieces as one if the bits below its boundary
    /// are 0. With one piece or none the result is 0.
    #[must_use]
    #[doc(alias = "iov_iter_gap_alignment")]
    pub fn gap_alignment(&self) -> usize {
        let gap = |(bits, before): (usize, Option<usize>), address: usize, len| {
            let gap = before.map_or(0, |end| end | address);
            (bits | gap, Some(address.wrapping_add(len)))
        };
        self.ranges((0, None), gap).0
    }

    /// The pages that the bytes left touch, at most `max_pages`.
    ///
    /// A page that two segments share counts for each. Discarded bytes touch none.
    #[inline]
    #[must_use]
    #[doc(alias = "iov_iter_npages")]
    pub fn npages(&self, max_pages: usize) -> usize {
        match self {
            // Without the compares that tell the other kinds apart, which are as many as all else.
            Self::KVec(cursor) => cursor.pages_under::<H::Page>(max_pages),
            _ => self.npages_of_any(max_pages),
        }
    }

    #[inline(never)]
    fn npages_of_any(&self, max_pages: usize) -> usize {
        if self.is_discarding() {
            return 0;
        }
        on_cursor!(self, cursor => cursor.pages_under::<H::Page>(max_pages))
    }

    /// The pages that the next `max_bytes` bytes touch, at most `max_pages`.
    #[must_use]
    #[doc(alias = "iov_iter_npages_cap")]
    pub fn npages_cap(&self, max_pages: usize, max_bytes: usize) -> usize {
        let mut capped = self.clone();
        capped.truncate(max_bytes as u64);
        capped.npages(max_pages)
    }

    /// Folds the addresses and lengths of the pieces left; a discarding iterator has no pieces.
    #[inline]
    fn ranges<A>(&self, init: A, f: impl FnMut(A, usize, usize) -> A) -> A {
        if self.is_discarding() {
            return init;
        }
        on_cursor!(self, cursor => cursor.fold_ranges(init, f))
    }

    /// The address and length of the next piece; `None` at the end.
    pub(super) fn next_range(&self) -> Option<(usize, usize)> {
        on_cursor!(self, cursor => cursor.first_range())
    }
}

impl<L: Segments> Cursor<L, L::Node> {
    /// The pages that the bytes left touch, at most `max_pages`.
    // Never in line: together, the walks over all kinds of segments save more registers than each needs.
    #[inline(never)]
    fn pages_under<P: Page>(&self, max_pages: usize) -> usize {
        let left = self.remaining();
        // No page holds more bytes than its size: these touch no fewer pages, wherever they lie.
        if page_and_offset(P::SIZE, left).0 >= max_pages {
            return max_pages;
        }
        // Filled up to whole pages, a piece must not exceed a `usize`. The careful form also takes the case of no
        // bytes, so that one compare finds both.
        if left.wrapping_sub(1) >= usize::MAX.wrapping_sub(P::SIZE.saturating_mul(2)) {
            return pages_under_careful::<P, _>(self, max_pages);
        }
        // A page that a piece touches holds a byte of it: there are no more pages than bytes.
        let pages = self.fold_ranges(0usize, |sum, address, len| {
            let (_, in_first) = page_and_offset(P::SIZE, address);
            let filled = in_first.wrapping_add(len).wrapping_add(P::SIZE.wrapping_sub(1));
            sum.wrapping_add(page_and_offset(P::SIZE, filled).0)
        });
        pages.min(max_pages)
    }
}

/// As [`Cursor::pages_under`], for nearly as many bytes as a `usize` can count.
#[cold]
fn pages_under_careful<P: Page, L: Segments>(
    cursor: &Cursor<L, L::Node>,
    max_pages: usize,
) -> usize {
    let add = |sum: usize, address, len| sum.wrapping_add(pages_of(P::SIZE, address, len));
    cursor.fold_ranges(0, add).min(max_pages)
}

/// The pages of `size` bytes that `len` bytes at `address` touch.
#[inline]
pub(super) const fn pages_of(size: usize, address: usize, len: usize) -> usize {
    if len == 0 {
        return 0;
    }
    let (_, in_first) = page_and_offset(size, address);
    match in_first.checked_add(len.wrapping_sub(1)) {
        Some(last) => page_and_offset(size, last).0.saturating_add(1),
        None => pages_of_nearly_all(size, in_first, len),
    }
}

/// As [`pages_of`], for bytes from `in_first` of a page on, whose last one is too far from its start for a
/// `usize`.
#[cold]
const fn pages_of_nearly_all(size: usize, in_first: usize, len: usize) -> usize {
    let after_first = len.saturating_sub(size.saturating_sub(in_first));
    after_first.div_ceil(size).saturating_add(1)
}
