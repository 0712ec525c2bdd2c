//! Pages: what an embedding kernel provides to reach memory that it must map first.

use core::convert::Infallible;
use core::ptr::NonNull;

use bitflags::bitflags;

use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::memory::{Extent, Piece};

bitflags! {
    /// How to reference or pin pages of user memory.
    #[doc(alias = "iov_iter_extraction_t")]
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PageFlags: u8 {
        /// The pages will be written.
        #[doc(alias = "FOLL_WRITE")]
        const WRITE = 1;
        /// Pages that are not resident must not be faulted in.
        #[doc(alias = "FOLL_NOFAULT")]
        const NOFAULT = 1 << 1;
        /// Pages of peer-to-peer device memory are welcome.
        #[doc(alias = "ITER_ALLOW_P2PDMA")]
        const ALLOW_P2PDMA = 1 << 2;
        const _ = !0;
    }
}

/// A handle to a run of physically contiguous pages, at least one.
///
/// Cloning the handle takes a reference, dropping it gives the reference back.
///
/// A page of the heap, with a count of its references:
///
/// ```
/// use std::{cell::UnsafeCell, ptr::NonNull, rc::Rc};
/// use iov_iter::{BioVec, Host, IovIter, Page, Piece, Source, host::NoUser};
///
/// #[derive(Clone)]
/// struct HeapPage(Rc<UnsafeCell<[u8; 4096]>>);
///
/// // SAFETY: a page is a run of its own, of one thread; its bytes are initialised, live as long as any
/// // handle, and are accessed through mappings only.
/// unsafe impl Page for HeapPage {
///     const SIZE: usize = 4096;
///     type Pin = Self;
///
///     fn run_length(&self) -> usize {
///         1
///     }
///
///     fn nth(&self, index: usize) -> Option<Self> {
///         (index == 0).then(|| self.clone())
///     }
///
///     unsafe fn map<R>(&self, _: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
///         NonNull::new(self.0.get().cast()).map(f)
///     }
/// }
///
/// impl AsRef<Self> for HeapPage {
///     fn as_ref(&self) -> &Self {
///         self
///     }
/// }
///
/// enum Kernel {}
///
/// impl Host for Kernel {
///     type Page = HeapPage;
///     type User = NoUser<HeapPage>;
/// }
///
/// let page = HeapPage(Rc::new(UnsafeCell::new([0; 4096])));
/// page.write_at(4090, Piece::from(&b"a page"[..])).unwrap();
/// let segments = [BioVec::new(page, 4092, 4).unwrap()];
/// let mut iter = IovIter::<Source, Kernel>::bvec(&segments, 4).unwrap();
/// let mut copy = [0; 4];
/// assert_eq!((iter.copy_from_iter(&mut copy), &copy), (4, b"page"));
/// ```
///
/// # Safety
///
/// This is all that the crate relies on:
///
/// - [`SIZE`](Self::SIZE) is the size of every page, a power of two.
/// - A run never becomes shorter: as long as a handle exists, [`run_length`](Self::run_length) does not
///   return less than it did before.
/// - [`clone`](Clone::clone) returns a handle of the same page, in a run that is not shorter. `nth(index)`
///   returns one of the page `index` pages after this one, in a run of the pages from there on, and `None`
///   outside the run. `Pin` refers to the page that was pinned.
/// - [`map`](Self::map) calls its closure with the start of `SIZE` contiguous, initialised bytes that stay
///   valid for reads and writes through that pointer until the closure returns, and that no Rust reference
///   in use covers. Another mapping meanwhile, even of the same page, does not change that.
/// - If [`CONTIGUOUS`](Self::CONTIGUOUS) is true, that holds of `SIZE` times `run_length` bytes.
/// - The handle keeps its pages alive, and so does [`Pin`](Self::Pin).
/// - If handles can be sent to or shared with other threads, accesses through mappings of one page on two of
///   them must not be a data race: `map` serialises them, or the memory is of a kind for which the
///   implementer answers.
pub unsafe trait Page: Clone {
    /// The page size in bytes, a power of two.
    const SIZE: usize;

    /// Whether the pages of a run are always mapped one after the other, so that
    /// [`map`](Self::map) of the first one maps all.
    ///
    /// A segment is then one piece, however many pages it touches. True of a kernel that keeps all
    /// its memory mapped; not, which is the default, of one with high memory.
    const CONTIGUOUS: bool = false;

    /// A page that is pinned, not only referenced; dropping it unpins.
    ///
    /// A pin tells the kernel that the contents will be accessed, by a device for example, which
    /// must be given back in another way than a reference.
    type Pin: AsRef<Self>;

    /// The number of pages in the run from this one on: 1 for a single page.
    #[doc(alias = "compound_nr")]
    fn run_length(&self) -> usize;

    /// A handle of its own for the page `index` pages after this one; `None` outside the run.
    #[doc(alias = "nth_page")]
    fn nth(&self, index: usize) -> Option<Self>;

    /// Maps the page `index` pages after this one, calls `f` with its address, and unmaps it.
    ///
    /// `None` if the page cannot be mapped; `f` is not called then. Mappings nest, and end in reverse order
    /// by construction.
    ///
    /// # Safety
    ///
    /// `index` must be less than [`run_length`](Self::run_length). What `f` does with the address must be
    /// sound: the bytes are valid until it returns, others may access them, and the page may be mapped
    /// elsewhere.
    #[doc(alias = "kmap_local_page")]
    #[doc(alias = "kunmap_local")]
    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R>;

    /// Whether `next` is the page after this one, so that bytes may go on from one to the other.
    ///
    /// [`extract_to_segments`](crate::IovIter::extract_to_segments) makes one segment of such pages of user
    /// memory. The provided form returns false, so each page becomes a segment of its own.
    #[doc(alias = "bvec_try_merge_page")]
    fn is_followed_by(&self, next: &Self) -> bool {
        let _ = next;
        false
    }

    /// Whether one request may hold this page and `other`.
    ///
    /// The provided form says yes. No is the answer for memory of two devices, or of two maps of one device.
    #[doc(alias = "zone_device_pages_have_same_pgmap")]
    fn goes_with(&self, other: &Self) -> bool {
        let _ = other;
        true
    }

    /// Calls `step` with the `len` bytes from `offset` bytes into the run on, mapped for the call, and returns
    /// the number of bytes that it handled.
    ///
    /// They come page after page, or all at once if the run is [mapped as a whole](Self::CONTIGUOUS). `step` gets
    /// a piece, which is never empty, and the number of bytes before it. It returns the number of bytes of the
    /// piece that it handled; fewer than the piece has end the walk there. So does a page that cannot be mapped.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the bytes leave the run; `step` is not called then.
    ///
    /// ```
    /// # use iov_iter::{Error, Page, Piece, Source};
    /// /// Copies the first `len` bytes of one run to another, and returns the bytes copied.
    /// fn copy<P: Page>(to: &P, from: &P, len: usize) -> Result<usize, Error> {
    ///     from.map_range(0, len, |piece: Piece<'_, Source>, before| {
    ///         to.write_at(before, piece).map_or(0, |()| piece.len())
    ///     })
    /// }
    /// ```
    #[doc(alias = "memset_page")]
    #[doc(alias = "memcpy_page")]
    fn map_range<D: Direction>(
        &self,
        offset: usize,
        len: usize,
        mut step: impl FnMut(Piece<'_, D>, usize) -> usize,
    ) -> Result<usize, Error> {
        let run = self.run_length().saturating_mul(Self::SIZE);
        if offset.checked_add(len).is_none_or(|end| end > run) {
            return Err(Error::OutOfRange);
        }
        // SAFETY: the bytes lie in the run.
        Ok(unsafe { on_pages(self, offset, 0..len, |piece, part| step(piece, part.start)) })
    }

    /// Copies `dst.len()` bytes from `offset` bytes into the run.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the run, [`Error::Fault`] if a page cannot be mapped.
    #[doc(alias = "memcpy_from_page")]
    #[doc(alias = "memcpy_from_folio")]
    fn read_at(&self, offset: usize, dst: Piece<'_, Dest>) -> Result<(), Error> {
        let copied = self.map_range(offset, dst.len(), |piece: Piece<'_, Source>, done| {
            piece.copy_to(dst.slice(done, piece.len()))
        })?;
        all_of(dst.len(), copied)
    }

    /// Copies `src` to `offset` bytes into the run.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    #[doc(alias = "memcpy_to_page")]
    #[doc(alias = "memcpy_to_folio")]
    #[doc(alias = "folio_fill_tail")]
    fn write_at(&self, offset: usize, src: Piece<'_, Source>) -> Result<(), Error> {
        let copied = self.map_range(offset, src.len(), |piece: Piece<'_, Dest>, done| {
            piece.copy_from(src.slice(done, piece.len()))
        })?;
        all_of(src.len(), copied)
    }

    /// Zeros `len` bytes from `offset` bytes into the run on.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    #[doc(alias = "memzero_page")]
    #[doc(alias = "zero_user_segments")]
    fn zero_at(&self, offset: usize, len: usize) -> Result<(), Error> {
        all_of(len, self.map_range(offset, len, |piece: Piece<'_, Dest>, _| piece.fill(0))?)
    }
}

/// Whether all of `len` bytes were handled, or a page could not be mapped.
fn all_of(len: usize, handled: usize) -> Result<(), Error> {
    if handled < len { Err(Error::Fault) } else { Ok(()) }
}

/// The index of the page of `size` bytes, a power of two, that holds `address`, and the offset of
/// `address` in it.
#[inline]
pub(crate) const fn page_and_offset(size: usize, address: usize) -> (usize, usize) {
    (address.wrapping_shr(size.trailing_zeros()), address & size.wrapping_sub(1))
}

/// Calls `step` with the bytes that start `offset` bytes into the run of `page` and correspond to
/// `extent`, one page at a time, or all at once if the run is mapped as a whole.
///
/// The second argument of `step` is the part of `extent` that corresponds to the page; its result is the
/// number of bytes it handled. The walk ends early after a step that handled less than its piece, or
/// before a page that cannot be mapped. Returns the bytes handled.
///
/// # Safety
///
/// The bytes must lie in the run.
#[inline]
pub(crate) unsafe fn on_pages<P: Page, D: Direction, E: Extent>(
    page: &P,
    offset: usize,
    extent: E,
    mut step: impl FnMut(Piece<'_, D>, E) -> usize,
) -> usize {
    const { assert!(P::SIZE.is_power_of_two()) }
    if P::CONTIGUOUS {
        let len = extent.len();
        if len == 0 {
            return 0;
        }
        let mapped = |start: NonNull<u8>| {
            // SAFETY: the whole run is mapped, and so are these bytes of it, initialised and valid
            // for reads and writes, until this closure returns.
            let piece = unsafe { Piece::from_raw_parts(start.as_ptr().wrapping_add(offset), len) };
            step(piece, extent).min(len)
        };
        // SAFETY: a run that holds a byte has a first page.
        return unsafe { page.map(0, mapped) }.unwrap_or_default();
    }
    let (mut at, mut left, mut done) = (offset, extent, 0usize);
    while left.len() > 0 {
        let (index, in_page) = page_and_offset(P::SIZE, at);
        let part = left.prefix(P::SIZE.saturating_sub(in_page));
        let len = part.len();
        let mapped = |start: NonNull<u8>| {
            // SAFETY: a page mapping has `SIZE` initialised bytes, valid for reads and writes
            // until this closure returns, and `in_page + len` is at most `SIZE`.
            let piece = unsafe { Piece::from_raw_parts(start.as_ptr().wrapping_add(in_page), len) };
            step(piece, part).min(len)
        };
        // SAFETY: the page holds one of the bytes, which lie in the run.
        let Some(moved) = (unsafe { page.map(index, mapped) }) else { break };
        done = done.saturating_add(moved);
        if moved < len || len >= left.len() {
            break;
        }
        left = left.suffix(len);
        at = at.saturating_add(len);
    }
    done
}

/// The page of a host that has none: no value of this type exists.
///
/// `SIZE` is the page size used by queries such as [`IovIter::npages`](crate::IovIter::npages). It must be
/// a power of two, or what uses it does not compile:
///
/// ```compile_fail,E0080
/// use iov_iter::host::{Host, NoPage, NoUser};
/// use iov_iter::{IovIter, KVec, Source};
///
/// enum Odd {}
/// impl Host for Odd {
///     type Page = NoPage<3>;
///     type User = NoUser<Self::Page>;
/// }
/// let segments = [KVec::from(&[0; 100][..])];
/// let _ = IovIter::<Source, Odd>::from(&segments).npages(usize::MAX);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NoPage<const SIZE: usize = 4096>(Infallible);

impl<const SIZE: usize> AsRef<Self> for NoPage<SIZE> {
    fn as_ref(&self) -> &Self {
        self
    }
}

// SAFETY: no value exists, so no function can be called.
unsafe impl<const SIZE: usize> Page for NoPage<SIZE> {
    const SIZE: usize = {
        assert!(SIZE.is_power_of_two(), "a page size is a power of two");
        SIZE
    };
    type Pin = Self;

    fn run_length(&self) -> usize {
        match self.0 {}
    }

    fn nth(&self, _index: usize) -> Option<Self> {
        match self.0 {}
    }

    unsafe fn map<R>(&self, _index: usize, _f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        match self.0 {}
    }
}
