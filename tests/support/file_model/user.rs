//! User memory for iterators that files put and get, with at most one address that faults.

use std::cell::RefCell;
use std::ops::Range;

use iov_iter::host::NoPage;
use iov_iter::{CopyFlags, Dest, Host, IoVec, IovIter, Piece, Source, UserMemory};

/// Addresses are offsets in the bytes.
#[derive(Debug)]
pub struct User {
    bytes: RefCell<Vec<u8>>,
    fault: Option<usize>,
}

impl User {
    pub fn new(bytes: &[u8], fault: Option<usize>) -> Self {
        Self { bytes: RefCell::new(bytes.to_vec()), fault }
    }

    /// A copy of the bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.borrow().clone()
    }

    /// Moves what comes before the fault.
    fn access(&self, addr: usize, len: usize, copy: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let end = match self.fault {
            Some(fault) if (addr..addr + len).contains(&fault) => fault,
            _ => addr + len,
        };
        copy(&mut self.bytes.borrow_mut()[addr..end])
    }
}

// SAFETY: `read` returns the bytes that it copied to the start of `dst`. The bytes are in a cell, and
// handles stay on their thread.
unsafe impl UserMemory for &User {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some()
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        self.access(addr, dst.len(), |bytes| Piece::from(&*bytes).copy_to(dst))
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        self.access(addr, src.len(), |bytes| src.copy_to(Piece::from(bytes)))
    }

    fn fault_in_readable(&self, _: usize, len: usize) -> usize {
        len
    }

    fn fault_in_writeable(&self, _: usize, len: usize) -> usize {
        len
    }
}

#[derive(Debug)]
pub struct UserHost<'u>(std::marker::PhantomData<&'u User>);

impl<'u> Host for UserHost<'u> {
    type Page = NoPage;
    type User = &'u User;
}

pub type UserIter<'u, D> = IovIter<'u, D, UserHost<'u>>;

/// The range as segments of at most `piece` bytes, some of them empty.
pub fn cut(range: Range<usize>, piece: usize) -> Vec<IoVec> {
    let starts = range.clone().step_by(piece.max(1));
    let segment = |start: usize| IoVec::new(start, piece.max(1).min(range.end - start));
    starts.flat_map(|start| [segment(start), IoVec::new(start, 0)]).collect()
}
