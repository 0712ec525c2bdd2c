//! What the embedding kernel provides: user memory, pages, and a [`Host`] that names both.
//!
//! ```text
//!   your kernel, hypervisor or firmware           this crate
//!   ───────────────────────────────────           ─────────────────────────
//!   UserMemory: copy, probe, map, pin    ◄─────   IovIter over IoVec
//!   Page:       map, reference, pin      ◄─────   IovIter over BioVec
//!   (nothing)                            ◄─────   IovIter over KVec: KernelOnly
//! ```
//!
//! A host that lacks user memory or pages names the uninhabited [`NoUser`] or [`NoPage`]; the
//! compiler then removes those kinds from the machine code. [`KernelOnly`], the default, lacks
//! both.

use core::convert::Infallible;
use core::marker::PhantomData;
use core::ptr::NonNull;

use bitflags::bitflags;

use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::memory::{Extent, Piece};

bitflags! {
    /// How user memory is to be copied.
    ///
    /// Unknown bits are kept, so that a host can pass flags of its own through a custom step.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct CopyFlags: u8 {
        /// Page faults are disabled: memory that is not resident counts as bad.
        const NOFAULT = 1;
        /// The data will not be used soon; keep it out of the CPU cache. A hint.
        const NON_TEMPORAL = 1 << 1;
        /// The kernel side may hold poisoned memory; stop in front of it instead of crashing.
        const MACHINE_CHECK = 1 << 2;
        const _ = !0;
    }
}

bitflags! {
    /// How pages of user memory are to be taken hold of.
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

/// Memory in somebody else's address space: a user process, a guest.
///
/// Addresses are plain numbers and never dereferenced by this crate; they are as wide as a `usize`,
/// so that a 32-bit host reaches a larger guest through a window. Every function that moves or
/// probes returns the length of the prefix that succeeded, so a short result is the exact place of
/// a fault. Values are small handles: a zero-sized `CurrentTask`, or a reference to a guest's
/// memory.
///
/// Each piece is checked once with [`access_ok`](Self::access_ok) before anything accesses it.
/// [`read`](Self::read), [`write`](Self::write), [`zero`](Self::zero) and [`map`](Self::map) rely on that
/// and do not check again.
///
/// Memory that ends, as a hypervisor may keep it for a guest:
///
/// ```
/// use std::{cell::Cell, marker::PhantomData};
/// use iov_iter::{CopyFlags, Dest, Direction, Error, Host, host::NoPage};
/// use iov_iter::{IovIter, Piece, Source, UserMemory};
///
/// /// The guest's addresses count from the first byte.
/// #[derive(Clone, Copy)]
/// struct Guest<'m>(&'m [Cell<u8>]);
///
/// impl Guest<'_> {
///     /// The address here of the memory from `addr` on, and its length, at most `len`.
///     fn at(&self, addr: usize, len: usize) -> (*mut u8, usize) {
///         let rest = self.0.get(addr..).unwrap_or_default();
///         (rest.as_ptr().cast_mut().cast(), rest.len().min(len))
///     }
/// }
///
/// // SAFETY: `read` returns the number of bytes that it copied to the start of `dst`, and copies nothing
/// // else. Handles stay on their thread. Whatever the address, nothing outside the slice is accessed.
/// unsafe impl UserMemory for Guest<'_> {
///     type Page = NoPage;
///
///     fn access_ok(&self, addr: usize, len: usize) -> bool {
///         addr.checked_add(len).is_some()
///     }
///
///     unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
///         let (start, len) = self.at(addr, dst.len());
///         // SAFETY: `len` cells of this thread start there, and no reference points into them.
///         dst.copy_from(unsafe { Piece::from_raw_parts(start, len) })
///     }
///
///     unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
///         let (start, len) = self.at(addr, src.len());
///         // SAFETY: as above, and cells may be written.
///         src.copy_to(unsafe { Piece::from_raw_parts(start, len) })
///     }
///
///     fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
///         self.at(addr, len).1
///     }
///
///     fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
///         self.at(addr, len).1
///     }
///
///     // Only a host whose memory is mapped here has this one.
///     unsafe fn map<D: Direction>(&self, addr: usize, len: usize) -> Result<Piece<'_, D>, Error> {
///         match self.at(addr, len) {
///             (_, 0) => Err(Error::Fault),
///             // SAFETY: as above, for as long as the slice is borrowed.
///             (start, len) => Ok(unsafe { Piece::from_raw_parts(start, len) }),
///         }
///     }
/// }
///
/// struct Hypervisor<'m>(PhantomData<Guest<'m>>);
///
/// impl<'m> Host for Hypervisor<'m> {
///     type Page = NoPage;
///     type User = Guest<'m>;
/// }
///
/// let mut ram = *b"guest memory";
/// let guest = Guest(Cell::from_mut(&mut ram[..]).as_slice_of_cells());
/// let mut iter = IovIter::<Dest, Hypervisor>::ubuf(guest, 6, 100);
/// assert_eq!(iter.copy_to_iter(b"MEMORY that ends"), 6);
/// assert_eq!(iter.remaining(), 94);
///
/// // What is mapped is sent as it is: the bytes there are, then a fault.
/// # use iov_iter::{TransferError, iov::{CallError, Stop, VectoredWrite}};
/// # struct Wire(Vec<u8>);
/// # impl VectoredWrite for Wire {
/// #     type Error = ();
/// #     fn write_vectored(&mut self, list: &[Piece<'_, Source>]) -> Result<usize, CallError<()>> {
/// #         let mut bytes = [0; 100];
/// #         let len = list[0].copy_to(Piece::from(&mut bytes[..]));
/// #         self.0.extend(&bytes[..len]);
/// #         Ok(len)
/// #     }
/// # }
/// let mut wire = Wire(vec![]);
/// let sent = IovIter::<Source, Hypervisor>::ubuf(guest, 3, 100).send(&mut wire);
/// assert_eq!((sent.moved, &wire.0[..]), (9, &b"st MEMORY"[..]));
/// assert_eq!(sent.stop, Stop::Failed(TransferError::Memory(Error::Fault)));
/// ```
///
/// A range may be empty, wherever it lies; then there is nothing to do.
///
/// # Safety
///
/// This is all that the crate relies on. Any other odd answer gives odd results, but no undefined behaviour.
///
/// - [`read`](Self::read) must return at most `dst.len()`, and must have initialised that many bytes at the
///   start of `dst`.
/// - `read` must not write an uninitialised byte to `dst`, not even past the count that it returns: `dst`
///   may be a `&mut [u8]`. A host that copies whole blocks through a buffer of its own must take care.
/// - If handles can be sent to or shared with other threads, accesses of two threads must not be a data
///   race, neither with each other nor with whoever else accesses the memory. Accesses through
///   [mapped](Self::map) pieces are [`Shared`](crate::Shared) ones, on the thread that asked for them.
///
/// A processor may begin an access although `access_ok` is about to refuse it, and the crate does nothing
/// against that. A host whose users must not observe what is read then ends `access_ok` with a speculation
/// barrier, or masks the address in `read`, `write`, `zero` and `map`.
pub unsafe trait UserMemory: Copy {
    /// The pages that back this memory; [`NoPage`] if they cannot be taken hold of.
    type Page: Page;

    /// Whether `addr..addr + len` lies inside the user's part of the address space.
    ///
    /// A range check only: nothing is accessed, and true does not mean mapped. Once true, the answer is
    /// relied on for as long as a copy of this handle exists.
    fn access_ok(&self, addr: usize, len: usize) -> bool;

    /// Copies from `addr` to the start of `dst`, upward, and returns the bytes copied before the
    /// first byte that could not be read. Bytes of `dst` after them stay as they were.
    ///
    /// # Safety
    ///
    /// [`access_ok`](Self::access_ok) must have returned true, for this handle or one that it is a copy of,
    /// for the `dst.len()` bytes at `addr` or a range that holds them.
    #[doc(alias = "copy_from_user")]
    #[doc(alias = "raw_copy_from_user")]
    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, flags: CopyFlags) -> usize;

    /// Copies `src` to `addr`, upward, and returns the bytes copied before the first byte that
    /// could not be written.
    ///
    /// # Safety
    ///
    /// As for [`read`](Self::read), for the `src.len()` bytes at `addr`.
    #[doc(alias = "copy_to_user")]
    #[doc(alias = "raw_copy_to_user")]
    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, flags: CopyFlags) -> usize;

    /// Writes `len` zero bytes at `addr` and returns the bytes written before the first failure.
    ///
    /// # Safety
    ///
    /// As for [`read`](Self::read), for the `len` bytes at `addr`.
    #[doc(alias = "clear_user")]
    #[doc(alias = "__clear_user")]
    unsafe fn zero(&self, addr: usize, len: usize) -> usize {
        static ZEROS: [u8; 256] = [0; 256];
        let mut done = 0;
        while done < len {
            let zeros = Piece::from(&ZEROS[..]).slice(0, len.saturating_sub(done));
            let Some(at) = addr.checked_add(done) else { break };
            // SAFETY: a part of the caller's range.
            let written = unsafe { self.write(at, zeros, CopyFlags::empty()) }.min(zeros.len());
            done = done.saturating_add(written);
            if written < zeros.len() {
                break;
            }
        }
        done
    }

    /// Makes `len` bytes at `addr` present for reading, page by page, and returns the bytes in
    /// front of the first page that is out of reach.
    ///
    /// The first probe is at `addr`, the next at the following page start, and so on.
    fn fault_in_readable(&self, addr: usize, len: usize) -> usize;

    /// Makes `len` bytes at `addr` present for writing, without changing them; otherwise as
    /// [`fault_in_readable`](Self::fault_in_readable).
    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize;

    /// The memory here that holds the bytes at `addr`: a piece of the first of them, at most `len`.
    ///
    /// Optional: for memory that is mapped here, such as a guest's. Where a region ends, so does the piece,
    /// and the caller asks again for the bytes after it. An [`IovIter`](crate::IovIter) is
    /// [sent](crate::IovIter::send) and [received](crate::IovIter::receive) through such pieces, without a
    /// copy.
    ///
    /// The piece borrows the handle, so the memory must stay mapped for as long as the handle is borrowed.
    /// A host that replaces memory while requests are in flight gives handles that keep the old memory
    /// alive, such as a reference to a snapshot of its regions.
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] if the first byte is not mapped, or not for this direction. The provided form maps
    /// nothing ([`Error::NoMapping`]).
    ///
    /// # Safety
    ///
    /// As for [`read`](Self::read), for the `len` bytes at `addr`.
    unsafe fn map<D: Direction>(&self, addr: usize, len: usize) -> Result<Piece<'_, D>, Error> {
        let _ = (addr, len);
        Err(Error::NoMapping)
    }

    /// Called after the `len` bytes at `addr` were written through [mapped](Self::map) pieces, for dirty
    /// tracking.
    ///
    /// The range is exact to the byte, as far as the transport reports what it wrote, and may span several
    /// regions. What goes through [`write`](Self::write) and [`zero`](Self::zero) is not announced. The
    /// provided form does nothing.
    fn mark_written(&self, addr: usize, len: usize) {
        let _ = (addr, len);
    }

    /// References up to `count` pages from the one holding `addr` on, and gives each to `sink` in
    /// order. Returns how many it gave, which may be fewer than asked.
    ///
    /// # Errors
    ///
    /// Without a single page: the reason, or `Ok(0)`. The provided form has no pages at all
    /// ([`Error::NoPages`]).
    #[doc(alias = "get_user_pages_fast")]
    fn get_pages(
        &self,
        addr: usize,
        count: usize,
        flags: PageFlags,
        sink: impl FnMut(Self::Page),
    ) -> Result<usize, Error> {
        let _ = (addr, count, flags, sink);
        Err(Error::NoPages)
    }

    /// Pins up to `count` pages from the one holding `addr` on; otherwise as
    /// [`get_pages`](Self::get_pages).
    ///
    /// # Errors
    ///
    /// As [`get_pages`](Self::get_pages).
    #[doc(alias = "pin_user_pages_fast")]
    fn pin_pages(
        &self,
        addr: usize,
        count: usize,
        flags: PageFlags,
        sink: impl FnMut(<Self::Page as Page>::Pin),
    ) -> Result<usize, Error> {
        let _ = (addr, count, flags, sink);
        Err(Error::NoPages)
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

    /// Copies `dst.len()` bytes from `offset` bytes into the run.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they leave the run, [`Error::Fault`] if a page cannot be mapped.
    #[doc(alias = "memcpy_from_page")]
    fn read_at(&self, offset: usize, dst: Piece<'_, Dest>) -> Result<(), Error> {
        let copied = on_range(self, offset, dst.len(), |piece: Piece<'_, Source>, done| {
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
    fn write_at(&self, offset: usize, src: Piece<'_, Source>) -> Result<(), Error> {
        let copied = on_range(self, offset, src.len(), |piece: Piece<'_, Dest>, done| {
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
    fn zero_at(&self, offset: usize, len: usize) -> Result<(), Error> {
        all_of(len, on_range(self, offset, len, |piece: Piece<'_, Dest>, _| piece.fill(0))?)
    }
}

/// Calls `step` with piece after piece of `len` bytes from `offset` bytes into the run of `page` on,
/// and the number of bytes in front of it; returns the bytes it handled.
///
/// # Errors
///
/// [`Error::OutOfRange`] if the bytes leave the run.
pub(crate) fn on_range<P: Page, D: Direction>(
    page: &P,
    offset: usize,
    len: usize,
    mut step: impl FnMut(Piece<'_, D>, usize) -> usize,
) -> Result<usize, Error> {
    let run = page.run_length().saturating_mul(P::SIZE);
    if offset.checked_add(len).is_none_or(|end| end > run) {
        return Err(Error::OutOfRange);
    }
    // SAFETY: the bytes lie in the run.
    Ok(unsafe { on_pages(page, offset, 0..len, |piece, part| step(piece, part.start)) })
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

/// Calls `step` with the bytes that start `offset` bytes into the run of `page` and go with `extent`,
/// one page at a time, or all at once if the run is mapped as a whole.
///
/// The second argument of `step` is the part of `extent` that goes with the page; its result is the
/// number of bytes it handled. The walk ends early behind a step that handled less than its piece, or
/// in front of a page that cannot be mapped. Returns the bytes handled.
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
        let len = extent.size();
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
    while left.size() > 0 {
        let (index, in_page) = page_and_offset(P::SIZE, at);
        let part = left.front(P::SIZE.saturating_sub(in_page));
        let len = part.size();
        let mapped = |start: NonNull<u8>| {
            // SAFETY: a page mapping has `SIZE` initialised bytes, valid for reads and writes
            // until this closure returns, and `in_page + len` is at most `SIZE`.
            let piece = unsafe { Piece::from_raw_parts(start.as_ptr().wrapping_add(in_page), len) };
            step(piece, part).min(len)
        };
        // SAFETY: the page holds one of the bytes, which lie in the run.
        let Some(moved) = (unsafe { page.map(index, mapped) }) else { break };
        done = done.saturating_add(moved);
        if moved < len || len >= left.size() {
            break;
        }
        left = left.behind(len);
        at = at.saturating_add(len);
    }
    done
}

/// The types an [`IovIter`](crate::IovIter) is built on, chosen by the embedding kernel.
///
/// ```
/// use iov_iter::host::{Host, NoPage, NoUser};
///
/// /// Firmware for a machine with 16 KiB pages and no user space.
/// enum Firmware {}
///
/// impl Host for Firmware {
///     type Page = NoPage<{ 16 * 1024 }>;
///     type User = NoUser<Self::Page>;
/// }
/// ```
pub trait Host {
    /// The pages of [`BioVec`](crate::BioVec) segments. Their size is the page size everywhere.
    type Page: Page;
    /// The memory behind [`IoVec`](crate::IoVec) segments.
    type User: UserMemory<Page = Self::Page>;
    /// Whether iterators also walk [`SharedVec`](crate::SharedVec) segments, memory that others write.
    ///
    /// Without them there is no machine code for that.
    const SHARED: bool = true;

    /// Copies `src` to `dst`, either of which may be poisoned, and returns the bytes copied before
    /// the poison.
    ///
    /// The provided form is for machines that cannot recover from poison: a plain copy. The trait is safe to
    /// implement, so unsafe code must not conclude from the result that bytes of `dst` are initialised, or
    /// that they are those of `src`. This crate does not; it only cuts a result that exceeds the shorter
    /// piece.
    #[doc(alias = "copy_mc_to_kernel")]
    fn copy_machine_check(src: Piece<'_, Source>, dst: Piece<'_, Dest>) -> usize {
        src.copy_to(dst)
    }
}

/// The host without user memory and without pages: memory that is borrowed only.
#[derive(Clone, Copy, Debug)]
pub enum KernelOnly {}

impl Host for KernelOnly {
    type Page = NoPage;
    type User = NoUser;
    const SHARED: bool = false;
}

/// The host without user memory and without pages: memory that is borrowed, and memory that others
/// write.
///
/// An iterator that is made from [`SharedVec`](crate::SharedVec) segments has this host.
#[derive(Clone, Copy, Debug)]
pub enum SharedOnly {}

impl Host for SharedOnly {
    type Page = NoPage;
    type User = NoUser;
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
/// let _ = IovIter::<Source, Odd>::from(&segments[..]).npages(usize::MAX);
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

/// The user memory of a host that has none: no value of this type exists.
#[derive(Debug)]
pub struct NoUser<P = NoPage> {
    never: Infallible,
    _page: PhantomData<fn() -> P>,
}

impl<P> Clone for NoUser<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for NoUser<P> {}

// SAFETY: no value exists, so no function can be called.
unsafe impl<P: Page> UserMemory for NoUser<P> {
    type Page = P;

    fn access_ok(&self, _addr: usize, _len: usize) -> bool {
        match self.never {}
    }

    unsafe fn read(&self, _addr: usize, _dst: Piece<'_, Dest>, _flags: CopyFlags) -> usize {
        match self.never {}
    }

    unsafe fn write(&self, _addr: usize, _src: Piece<'_, Source>, _flags: CopyFlags) -> usize {
        match self.never {}
    }

    fn fault_in_readable(&self, _addr: usize, _len: usize) -> usize {
        match self.never {}
    }

    fn fault_in_writeable(&self, _addr: usize, _len: usize) -> usize {
        match self.never {}
    }
}
