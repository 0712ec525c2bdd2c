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
}

// SAFETY: `read` returns the number of bytes that it copied to the start of `dst`, and copies initialised
// bytes only. Handles stay on their thread.
unsafe impl UserMemory for Flat {
    type Page = Mapped;

    #[inline]
    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some_and(|end| end <= self.len)
    }

    #[inline]
    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        // SAFETY: the range was accepted: these initialised bytes lie in memory that outlives this host.
        dst.copy_from(unsafe { Piece::from_raw_parts(self.start.wrapping_add(addr), dst.len()) })
    }

    #[inline]
    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        // SAFETY: as above.
        src.copy_to(unsafe { Piece::from_raw_parts(self.start.wrapping_add(addr), src.len()) })
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        if self.access_ok(addr, len) { len } else { 0 }
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        self.fault_in_readable(addr, len)
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

// SAFETY: the bytes are initialised, and live in memory that outlives the handles; a handle and its clones
// have the same run, and stay on their thread.
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
    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        NonNull::new(self.start.wrapping_add(index.wrapping_mul(PAGE))).map(f)
    }
}

impl AsRef<Self> for Mapped {
    fn as_ref(&self) -> &Self {
        self
    }
}
