//! User memory: what an embedding kernel provides to reach another address space.

use core::convert::Infallible;
use core::marker::PhantomData;

use bitflags::bitflags;

use super::page::{NoPage, Page, PageFlags};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::memory::Piece;

bitflags! {
    /// How to copy user memory.
    ///
    /// Unknown bits are kept, so that a host can pass flags of its own through a custom step.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct CopyFlags: u8 {
        /// Page faults are disabled: memory that is not resident counts as bad.
        const NOFAULT = 1;
        /// The data will not be used soon; keep it out of the CPU cache. A hint.
        ///
        /// Linux's own copy of this kind stops some bytes before a fault since 6.12: the count is then as
        /// exact as the host's copy.
        #[doc(alias = "__copy_from_user_inatomic_nocache")]
        #[doc(alias = "copy_from_user_inatomic_nontemporal")]
        #[doc(alias = "__copy_from_user_flushcache")]
        #[doc(alias = "copy_from_user_flushcache")]
        const NON_TEMPORAL = 1 << 1;
        /// The kernel side may hold poisoned memory; stop before it instead of crashing.
        const MACHINE_CHECK = 1 << 2;
        const _ = !0;
    }
}

/// Memory in somebody else's address space: a user process, a guest.
///
/// Addresses are plain numbers and never dereferenced by this crate; they are as wide as a `usize`,
/// so that a 32-bit host reaches a larger guest through a window. Every function that moves or
/// probes returns the length of the prefix that succeeded, so a short result is the exact place of
/// a fault. Values are small handles: a zero-sized `CurrentTask`, a reference to a guest's memory, or an
/// `Arc` of it. Each iterator keeps one; copies borrow it and clone nothing.
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
pub unsafe trait UserMemory: Clone {
    /// The pages that back this memory; [`NoPage`] if they cannot be taken hold of.
    type Page: Page;

    /// Whether `addr..addr + len` lies inside the user's part of the address space.
    ///
    /// A range check only: nothing is accessed, and true does not mean mapped. Once true, the answer is
    /// relied on for as long as this handle exists.
    fn access_ok(&self, addr: usize, len: usize) -> bool;

    /// Copies from `addr` to the start of `dst`, upward, and returns the bytes copied before the
    /// first byte that could not be read. Bytes of `dst` after them stay as they were.
    ///
    /// # Safety
    ///
    /// [`access_ok`](Self::access_ok) must have returned true, for this handle, for the `dst.len()` bytes at
    /// `addr` or a range that holds them.
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
