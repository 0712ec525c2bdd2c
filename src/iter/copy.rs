//! Copies between an iterator and a buffer of the caller.

use core::mem::MaybeUninit;

use super::{IovIter, for_both};
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host};
use crate::memory::{Access, Piece};
use crate::segment::KVec;

/// # Copying in
impl<H: Host> IovIter<'_, Dest, H> {
    /// Copies `src` into the iterator and returns the bytes copied.
    ///
    /// Fewer than `src.len()` if the iterator ends or user memory faults; the iterator stands
    /// after the last byte copied.
    ///
    /// ```
    /// # use iov_iter::{IovIterDest, KVec};
    /// let mut buffer = [0; 5];
    /// let segments = [KVec::from(&mut buffer)];
    /// let copied = IovIterDest::from(&segments).copy_to_iter(b"seven..");
    /// assert_eq!((copied, &buffer), (5, b"seven"));
    /// ```
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    #[doc(alias = "_copy_to_iter")]
    pub fn copy_to_iter(&mut self, src: &[u8]) -> usize {
        self.walk_with(
            KVec::from(src),
            &mut (),
            |(), user, part| user.write(0, part.into_piece().into_shared(), CopyFlags::empty()),
            for_both!(|(), piece, part| {
                part.copy_to(piece);
                piece.len()
            }),
        )
    }

    /// Copies all of `src` into the iterator, or does not move it.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if fewer bytes are left; nothing has been written then.
    /// [`Error::Fault`] if user memory faults: the iterator stands where it stood, but bytes in
    /// front of the fault have been written.
    #[inline]
    pub fn copy_to_iter_full(&mut self, src: &[u8]) -> Result<(), Error> {
        self.all_or_nothing(src.len(), |iter| iter.copy_to_iter(src))
    }

    /// Copies `src`, part of which may be poisoned memory, into the iterator; stops before the poison
    /// and returns the bytes copied.
    ///
    /// Where the host cannot recover from poison it is a plain copy.
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    #[doc(alias = "_copy_mc_to_iter")]
    #[doc(alias = "dax_copy_to_iter")]
    pub fn copy_mc_to_iter(&mut self, src: Piece<'_, Source>) -> usize {
        self.iterate_and_advance(
            src.len(),
            &mut (),
            |(), user, at| user.write(0, src.slice(at, user.len()), CopyFlags::MACHINE_CHECK),
            |(), piece, at| H::copy_machine_check(src.slice(at, piece.len()), piece),
        )
    }

    /// Copies `src` into the iterator, gives exactly the bytes copied to `update` (a running hash,
    /// for example) and returns their number.
    ///
    /// ```
    /// # use iov_iter::{IovIterDest, KVec};
    /// use std::hash::{DefaultHasher, Hasher};
    ///
    /// let mut buffer = [0; 2];
    /// let segments = [KVec::from(&mut buffer)];
    /// let mut hasher = DefaultHasher::new();
    /// let copied = IovIterDest::from(&segments)
    ///     .hash_and_copy_to_iter(b"abc", |bytes| hasher.write(bytes));
    ///
    /// let mut expected = DefaultHasher::new();
    /// expected.write(b"ab");
    /// assert_eq!((copied, hasher.finish()), (2, expected.finish()));
    /// ```
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    pub fn hash_and_copy_to_iter(&mut self, src: &[u8], update: impl FnOnce(&[u8])) -> usize {
        let copied = self.copy_to_iter(src);
        update(src.get(..copied).unwrap_or(src));
        copied
    }

    /// Writes `len` zeros into the iterator and returns how many it wrote.
    ///
    /// Fewer than `len` as for [`copy_to_iter`](Self::copy_to_iter).
    #[inline]
    #[must_use = "fewer bytes than asked may have been zeroed"]
    #[doc(alias = "iov_iter_zero")]
    pub fn zero(&mut self, len: usize) -> usize {
        self.walk_with(
            len,
            &mut (),
            |(), user, _| user.zero(),
            for_both!(|(), piece, _| piece.fill(0)),
        )
    }

    /// Serves a read at `position` of a file whose contents are `contents`: copies the tail into
    /// the iterator, raises `position` by the bytes copied and returns them.
    ///
    /// Returns 0 at or past the end of the contents.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the position is negative.
    pub fn simple_read_from_buffer(
        &mut self,
        position: &mut i64,
        contents: &[u8],
    ) -> Result<usize, Error> {
        let start = u64::try_from(*position).map_err(|_| Error::OutOfRange)?;
        let tail = usize::try_from(start).ok().and_then(|start| contents.get(start..));
        let copied = self.copy_to_iter(tail.unwrap_or_default());
        // At most the contents' length, so the sum stays far below `i64::MAX`.
        *position = position.saturating_add(copied as i64);
        Ok(copied)
    }

    /// Copies a piece into the iterator; it may have other mappings.
    #[inline]
    pub(super) fn copy_in<A: Access>(
        &mut self,
        src: Piece<'_, Source, A>,
        flags: CopyFlags,
    ) -> usize {
        self.walk_with(
            src,
            &mut (),
            |(), user, part| user.write(0, part.into_shared(), flags),
            for_both!(|(), piece, part| piece.copy_from(part)),
        )
    }
}

/// Text is written as far as there is room; what does not fit is an error.
///
/// ```
/// use core::fmt::Write;
/// use iov_iter::IovIterDest;
///
/// let mut line = [b' '; 8];
/// let mut iter = IovIterDest::from(&mut line);
/// assert!(write!(iter, "{:#x}", 4096).is_ok());
/// assert!(write!(iter, "{}", 4096).is_err());
/// assert_eq!(&line, b"0x100040");
/// ```
impl<H: Host> core::fmt::Write for IovIter<'_, Dest, H> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        match self.copy_to_iter(text.as_bytes()) {
            written if written < text.len() => Err(core::fmt::Error),
            _ => Ok(()),
        }
    }
}

/// # Copying out
impl<H: Host> IovIter<'_, Source, H> {
    /// Copies from the iterator into `dst` and returns the bytes copied.
    ///
    /// Fewer than `dst.len()` if the iterator ends or user memory faults; the iterator stands
    /// after the last byte copied, and the rest of `dst` is unchanged.
    ///
    /// ```
    /// # use iov_iter::{IovIterSource, KVec};
    /// let segments = [KVec::from(b"sca"), KVec::from(b"tter")];
    /// let mut buffer = [b'.'; 10];
    /// let copied = IovIterSource::from(&segments).copy_from_iter(&mut buffer);
    /// assert_eq!((copied, &buffer), (7, b"scatter..."));
    /// ```
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    #[doc(alias = "_copy_from_iter")]
    pub fn copy_from_iter(&mut self, dst: &mut [u8]) -> usize {
        self.copy_out_buffer(dst.into(), CopyFlags::empty)
    }

    /// Fills all of `dst` from the iterator, or does not move it.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if fewer bytes are left; `dst` is unchanged then. [`Error::Fault`] if
    /// user memory faults: the iterator stands where it stood, but the front of `dst` has changed.
    #[inline]
    pub fn copy_from_iter_full(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        self.all_or_nothing(dst.len(), |iter| iter.copy_from_iter(dst))
    }

    /// Copies from the iterator into memory that need not be initialised, and returns the part
    /// that now is.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use iov_iter::{IovIterSource, KVec};
    /// let segments = [KVec::from(b"abc")];
    /// let mut buffer = [MaybeUninit::uninit(); 8];
    /// let filled = IovIterSource::from(&segments).copy_from_iter_raw(&mut buffer);
    /// assert_eq!(filled, b"abc");
    /// ```
    #[inline]
    #[must_use = "only the returned part is initialised"]
    pub fn copy_from_iter_raw<'b>(&mut self, dst: &'b mut [MaybeUninit<u8>]) -> &'b mut [u8] {
        let copied = self.copy_out_buffer(KVec::from(&mut *dst), CopyFlags::empty);
        let filled = dst.get_mut(..copied).unwrap_or_default();
        // SAFETY: `copy_out` has written every one of the first `copied` bytes, with initialised
        // bytes of a source or by `UserMemory::read`, which must do so; `MaybeUninit<u8>` is laid
        // out as `u8`, and the exclusive borrow of 'b is handed on.
        unsafe { &mut *(core::ptr::from_mut(filled) as *mut [u8]) }
    }

    /// Appends at most `limit` bytes to `list` and returns their number.
    ///
    /// Fewer than `limit` if the iterator ends or user memory faults.
    ///
    /// The list grows as the bytes come, by 64 KiB at first and then by as many bytes as have come:
    /// a length that user space claims allocates nothing. `limit` is what user space can make the
    /// list grow by.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if the list cannot grow; the iterator has not moved and the list has the
    /// same bytes then.
    ///
    /// ```
    /// # use iov_iter::{IovIterSource, KVec};
    /// let segments = [KVec::from(b"scatter"), KVec::from(b"ed")];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut list = Vec::new();
    /// assert_eq!(iter.copy_from_iter_vec(&mut list, 8), Ok(8));
    /// assert_eq!((&list[..], iter.remaining()), (&b"scattere"[..], 1));
    /// ```
    #[cfg(feature = "alloc")]
    #[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
    pub fn copy_from_iter_vec(
        &mut self,
        list: &mut alloc::vec::Vec<u8>,
        limit: usize,
    ) -> Result<usize, Error> {
        /// Bytes that the list grows by before any have come.
        const FIRST: usize = 1 << 16;
        let (iter_before, len_before) = (self.clone(), list.len());
        let limit = limit.min(self.remaining());
        let mut copied = 0_usize;
        while copied < limit {
            let left = limit.saturating_sub(copied);
            if list.try_reserve(left.min(copied.max(FIRST))).is_err() {
                list.truncate(len_before);
                *self = iter_before;
                return Err(Error::NoMemory);
            }
            let room = list.spare_capacity_mut();
            let wanted = left.min(room.len());
            let came = self.copy_from_iter_raw(room.get_mut(..wanted).unwrap_or_default()).len();
            // SAFETY: the first `came` bytes of the spare capacity have just been initialised.
            unsafe { list.set_len(list.len().saturating_add(came)) };
            copied = copied.saturating_add(came);
            if came < wanted {
                break;
            }
        }
        Ok(copied)
    }

    /// As [`copy_from_iter`](Self::copy_from_iter), keeping user data out of the CPU cache; for
    /// data that will not be read soon. A hint: addressable memory is copied plainly.
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    #[doc(alias = "_copy_from_iter_nocache")]
    pub fn copy_from_iter_nocache(&mut self, dst: &mut [u8]) -> usize {
        self.copy_out_buffer(dst.into(), || CopyFlags::NON_TEMPORAL)
    }

    /// As [`copy_from_iter_full`](Self::copy_from_iter_full), keeping user data out of the CPU
    /// cache.
    ///
    /// # Errors
    ///
    /// As [`copy_from_iter_full`](Self::copy_from_iter_full).
    #[inline]
    pub fn copy_from_iter_full_nocache(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        self.all_or_nothing(dst.len(), |iter| iter.copy_from_iter_nocache(dst))
    }

    /// Copies as [`copy_from_iter`](Self::copy_from_iter) does, and writes `dst` back from the CPU cache to
    /// memory.
    ///
    /// Where [`FLUSHES_CACHE`](crate::FLUSHES_CACHE) is false it copies without writing back.
    /// [`Piece::flush_cache`] says when persistent memory keeps the bytes, and where the instruction traps.
    #[inline]
    #[must_use = "fewer bytes than asked may have been copied"]
    #[doc(alias = "_copy_from_iter_flushcache")]
    #[doc(alias = "dax_copy_from_iter")]
    pub fn copy_from_iter_flushcache(&mut self, dst: &mut [u8]) -> usize {
        let copied = self.copy_out_buffer(KVec::from(&mut *dst), || CopyFlags::NON_TEMPORAL);
        Piece::from(dst).slice(0, copied).flush_cache();
        copied
    }

    /// Copies from the iterator into a buffer.
    // The flags are a function, so that they are constant before the step is looked at for inlining: a
    // plain copy is small enough, one that asks for its flags is not. See `copy from iovec` in the table
    // of `examples/kernel-module`.
    #[inline]
    fn copy_out_buffer(&mut self, dst: KVec<'_, Dest>, flags: impl Fn() -> CopyFlags) -> usize {
        self.walk_with(
            dst,
            &mut (),
            |(), user, part| user.read(0, part.into_piece().into_shared(), flags()),
            for_both!(|(), piece, part| {
                part.copy_from(piece);
                piece.len()
            }),
        )
    }

    /// Copies from the iterator into a piece, which may have other mappings.
    #[inline]
    pub(super) fn copy_out(&mut self, dst: Piece<'_, Dest>, flags: CopyFlags) -> usize {
        self.walk_with(
            dst,
            &mut (),
            |(), user, part| user.read(0, part, flags),
            for_both!(|(), piece, part| piece.copy_to(part)),
        )
    }
}
