//! The least that a kernel can be: flat user memory, and pages that are mapped already.

use std::ptr::NonNull;

use iov_iter::{CopyFlags, Dest, Host, Page, Piece, Source, UserMemory};

use crate::memory::{Memory, PAGE};

/// The host of both.
pub enum Machine {}

impl Host for Machine {
    type Page = Mapped;
    type User = Flat;
}

/// User memory that lies in one piece; its addresses count from the first byte.
#[derive(Clone, Copy)]
pub struct Flat {
    start: *mut u8,
    len: usize,
}

impl Flat {
    pub fn new(memory: &Memory) -> Self {
        Self { start: memory.at(0), len: memory.len() }
    }

    /// Where the `len` bytes at `addr` lie.
    #[inline]
    fn at(&self, addr: usize, len: usize) -> Option<*mut u8> {
        self.access_ok(addr, len).then(|| self.start.wrapping_add(addr))
    }
}

// SAFETY: `read` returns the number of bytes that it copied to the front of `dst`.
unsafe impl UserMemory for Flat {
    type Page = Mapped;

    #[inline]
    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some_and(|end| end <= self.len)
    }

    #[inline]
    fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        let Some(start) = self.at(addr, dst.len()) else { return 0 };
        // SAFETY: so many initialised bytes lie there, in memory that outlives this host.
        dst.copy_from(unsafe { Piece::from_raw_parts(start, dst.len()) })
    }

    #[inline]
    fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        let Some(start) = self.at(addr, src.len()) else { return 0 };
        // SAFETY: as above.
        src.copy_to(unsafe { Piece::from_raw_parts(start, src.len()) })
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        self.at(addr, len).map_or(0, |_| len)
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        self.at(addr, len).map_or(0, |_| len)
    }
}

/// Pages that have an address all the time, as on most 64-bit machines.
#[derive(Clone)]
pub struct Mapped {
    start: *mut u8,
    pages: usize,
}

impl Mapped {
    /// `pages` pages of the memory from page `first` on.
    pub fn new(memory: &Memory, first: usize, pages: usize) -> Self {
        Self { start: memory.part(first * PAGE, pages * PAGE).base, pages }
    }
}

// SAFETY: the bytes are initialised, and live in memory that outlives the handles.
unsafe impl Page for Mapped {
    const SIZE: usize = PAGE;
    const CONTIGUOUS: bool = true;
    type Pin = Self;

    #[inline]
    fn run_length(&self) -> usize {
        self.pages
    }

    fn nth(&self, index: usize) -> Option<Self> {
        let pages = self.pages.checked_sub(index).filter(|pages| *pages > 0)?;
        Some(Self { start: self.start.wrapping_add(index * PAGE), pages })
    }

    #[inline]
    fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        let start = NonNull::new(self.start.wrapping_add(index.wrapping_mul(PAGE)))?;
        (index < self.pages).then(|| f(start))
    }
}

impl AsRef<Self> for Mapped {
    fn as_ref(&self) -> &Self {
        self
    }
}
