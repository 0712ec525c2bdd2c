//! Copies between an iterator and pages of the host, as a page cache does them.

use super::IovIter;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host, Page};
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
    ///
    /// # Example
    ///
    /// A packet is a header and pieces of pages. If not all of it can be copied, the iterator is put back by
    /// exactly the bytes that moved:
    ///
    /// ```
    /// use iov_iter::{BioVec, Dest, Error, Host, IovIter};
    ///
    /// struct Packet<P> {
    ///     header: Vec<u8>,
    ///     fragments: Vec<BioVec<P>>,
    /// }
    ///
    /// fn copy_datagram<H: Host>(
    ///     packet: &Packet<H::Page>,
    ///     iter: &mut IovIter<'_, Dest, H>,
    /// ) -> Result<(), Error> {
    ///     let (mut wanted, mut moved) = (packet.header.len(), iter.copy_to_iter(&packet.header));
    ///     for fragment in &packet.fragments {
    ///         if moved < wanted {
    ///             break;
    ///         }
    ///         let (offset, len) = (fragment.offset() as usize, fragment.len() as usize);
    ///         wanted += len;
    ///         moved += iter.copy_page_to_iter(fragment.page(), offset, len)?;
    ///     }
    ///     if moved < wanted {
    ///         iter.revert(moved)?;
    ///         return Err(Error::Fault);
    ///     }
    ///     Ok(())
    /// }
    /// # use std::{cell::UnsafeCell, ptr::NonNull, rc::Rc};
    /// # use iov_iter::{KVec, Page, Piece, host::NoUser};
    /// # #[derive(Clone)]
    /// # struct HeapPage(Rc<UnsafeCell<[u8; 4096]>>);
    /// # // SAFETY: a page is a run of its own, of one thread; its bytes are initialised, live as long as any
    /// # // handle, and are accessed through mappings only.
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
    /// # enum Kernel {}
    /// # impl Host for Kernel { type Page = HeapPage; type User = NoUser<HeapPage>; }
    /// # let page = HeapPage(Rc::new(UnsafeCell::new([0; 4096])));
    /// # page.write_at(100, Piece::from(&b"body"[..])).unwrap();
    /// # let fragments = vec![BioVec::new(page.clone(), 100, 1).unwrap(), BioVec::new(page, 101, 3).unwrap()];
    ///
    /// let packet = Packet { header: b"head".to_vec(), fragments };
    /// let mut buffer = [0; 8];
    /// let segments = [KVec::from(&mut buffer)];
    /// let mut iter = IovIter::<Dest, Kernel>::kvec(&segments, 6).unwrap();
    /// assert_eq!(copy_datagram(&packet, &mut iter), Err(Error::Fault));
    /// assert_eq!(iter.remaining(), 6);
    ///
    /// let mut iter = IovIter::<Dest, Kernel>::kvec(&segments, 8).unwrap();
    /// assert_eq!(copy_datagram(&packet, &mut iter), Ok(()));
    /// assert_eq!(&buffer, b"headbody");
    /// ```
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
            let moved = page.map_range(at, left, |piece, _| copy(self, piece))?;
            done = done.saturating_add(moved);
            // A short piece is tried again from the byte reached: it ends at no progress only.
            if moved == 0 || done >= len {
                return Ok(done);
            }
        }
    }
}
