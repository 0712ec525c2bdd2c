//! Copies between an iterator and pages of the host, as a page cache does them.

use super::IovIter;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host, on_range};
use crate::memory::Piece;

impl<H: Host> IovIter<'_, Dest, H> {
    /// Copies `len` bytes from `offset` bytes into the run of `page` into the iterator and returns
    /// the bytes copied.
    ///
    /// The run is a single page or a whole folio. Fewer than `len` if the iterator ends, user memory
    /// faults or a page cannot be mapped.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the bytes leave the run; nothing has moved then.
    #[doc(alias = "copy_page_to_iter_iovec")]
    #[doc(alias = "copy_folio_to_iter")]
    #[doc(alias = "skb_copy_datagram_iter")]
    pub fn copy_page_to_iter(
        &mut self,
        page: &H::Page,
        offset: usize,
        len: usize,
    ) -> Result<usize, Error> {
        self.with_page(page, offset, len, |iter, piece| iter.copy_in(piece, CopyFlags::empty()))
    }

    /// As [`copy_page_to_iter`](Self::copy_page_to_iter), without faulting in user memory: a byte
    /// that is not resident ends the copy.
    ///
    /// # Errors
    ///
    /// As [`copy_page_to_iter`](Self::copy_page_to_iter).
    pub fn copy_page_to_iter_nofault(
        &mut self,
        page: &H::Page,
        offset: usize,
        len: usize,
    ) -> Result<usize, Error> {
        self.with_page(page, offset, len, |iter, piece| iter.copy_in(piece, CopyFlags::NOFAULT))
    }
}

impl<H: Host> IovIter<'_, Source, H> {
    /// Copies `len` bytes from the iterator to `offset` bytes into the run of `page` and returns
    /// the bytes copied.
    ///
    /// The run is a single page or a whole folio. Fewer than `len` if the iterator ends, user memory
    /// faults or a page cannot be mapped.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the bytes leave the run; nothing has moved then.
    #[doc(alias = "copy_page_from_iter_iovec")]
    #[doc(alias = "copy_folio_from_iter")]
    pub fn copy_page_from_iter(
        &mut self,
        page: &H::Page,
        offset: usize,
        len: usize,
    ) -> Result<usize, Error> {
        self.with_page(page, offset, len, |iter, piece| iter.copy_out(piece, CopyFlags::empty()))
    }

    /// As [`copy_page_from_iter`](Self::copy_page_from_iter), without sleeping: a byte of user
    /// memory that is not resident ends the copy. For use while the page is locked.
    ///
    /// The usual loop: copy; if nothing moved, unlock,
    /// [fault in](Self::fault_in_readable), lock and try again.
    ///
    /// # Errors
    ///
    /// As [`copy_page_from_iter`](Self::copy_page_from_iter).
    #[doc(alias = "copy_folio_from_iter_atomic")]
    #[doc(alias = "iov_iter_copy_from_user_atomic")]
    pub fn copy_page_from_iter_atomic(
        &mut self,
        page: &H::Page,
        offset: usize,
        len: usize,
    ) -> Result<usize, Error> {
        self.with_page(page, offset, len, |iter, piece| iter.copy_out(piece, CopyFlags::NOFAULT))
    }
}

impl<D: Direction, H: Host> IovIter<'_, D, H> {
    /// Runs `copy` with piece after piece of a page run until `len` bytes have moved or none does.
    fn with_page<P: Direction>(
        &mut self,
        page: &H::Page,
        offset: usize,
        len: usize,
        mut copy: impl FnMut(&mut Self, Piece<'_, P>) -> usize,
    ) -> Result<usize, Error> {
        let mut done = 0usize;
        loop {
            let (at, left) = (offset.saturating_add(done), len.saturating_sub(done));
            let moved = on_range(page, at, left, |piece, _| copy(self, piece))?;
            done = done.saturating_add(moved);
            // A short piece is tried again from the byte reached: it ends at no progress only.
            if moved == 0 || done >= len {
                return Ok(done);
            }
        }
    }
}
