//! Putting bytes into a writing file: copied, or queued where they lie.

use core::fmt;
use core::ops::Range;

use super::FileWriter;
use super::bytes::Bytes;
use super::queue::Queue;
use super::region::{Region, RegionRange, Release};
use crate::direction::{Dest, Source};
use crate::file::BUFFER_SIZE;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;
use crate::host::Host;
use crate::iter::IovIter;
use crate::memory::Piece;
use crate::segment::{KVec, SharedVec};

/// Putting bytes.
impl<'buf, C: WriteChannel> FileWriter<'buf, C> {
    /// Puts one byte.
    ///
    /// # Errors
    ///
    /// See [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_byte")]
    #[doc(alias = "qemu_put_ubyte")]
    #[doc(alias = "qemu_put_8s")]
    #[inline]
    pub fn put_byte(&mut self, byte: u8) -> Result<(), Error> {
        self.put_array([byte])
    }

    /// Puts a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// See [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_buffer")]
    #[doc(alias = "add_buf_to_iovec")]
    #[inline]
    pub fn put_buffer(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(room) = self.queue.take_room(bytes.len()) else {
            return self.put_bytes_slow(Bytes::from(bytes));
        };
        KVec::<Dest>::from(room).copy_from_slice(bytes);
        Ok(())
    }

    /// Puts a copy of `bytes`, which others may write meanwhile.
    ///
    /// Use it for memory that cannot be borrowed as a slice, such as RAM of a guest or a buffer of a C caller.
    /// Each byte is read once.
    ///
    /// # Errors
    ///
    /// See [errors of putting](Self#errors-of-putting).
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    /// use iov_iter::{SharedVec, file::FileWriter, segment::as_pieces};
    ///
    /// let ring: [AtomicU8; 4] = Default::default();
    /// ring[1].store(7, Relaxed);
    /// let mut writer = FileWriter::new(Vec::new())?;
    /// let bytes = [SharedVec::from(&ring)];
    /// writer.put_piece(as_pieces(&bytes)[0])?;
    /// assert_eq!(writer.into_inner()?, [0, 7, 0, 0]);
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_put_buffer")]
    pub fn put_piece(&mut self, bytes: Piece<'_, Source>) -> Result<(), Error> {
        let Some(room) = self.queue.take_room(bytes.len()) else {
            // SAFETY: the piece is valid for as long; it does not leave this call.
            let bytes =
                unsafe { SharedVec::from_raw_parts(bytes.as_ptr().cast_mut(), bytes.len()) };
            return self.put_bytes_slow(Bytes::Shared(bytes));
        };
        KVec::<Dest>::from(room).copy_from(bytes);
        Ok(())
    }

    /// Puts a copy of `bytes`.
    pub(in crate::file) fn put_bytes(&mut self, bytes: Bytes<'_>) -> Result<(), Error> {
        match self.queue.take_room(bytes.len()) {
            Some(room) => bytes.copy_to(room),
            None => return self.put_bytes_slow(bytes),
        };
        Ok(())
    }

    /// Puts bytes of a file that another thread may have failed, or that fill the buffer.
    ///
    /// A function of its own: it saves no registers for the loop of `put_pieces`.
    #[cold]
    #[inline(never)]
    fn put_bytes_slow(&mut self, bytes: Bytes<'_>) -> Result<(), Error> {
        if self.is_healthy()
            && let Some(room) = self.queue.take_small_room(bytes.len())
        {
            bytes.copy_to(room);
            return Ok(());
        }
        self.put_pieces(bytes)
    }

    /// The slow way: puts bytes that fill the buffer, or fails.
    #[inline(never)]
    fn put_pieces(&mut self, mut bytes: Bytes<'_>) -> Result<(), Error> {
        self.check()?;
        while !bytes.is_empty() {
            self.send_unless(Queue::can_copy)?;
            if bytes.len() >= BUFFER_SIZE && self.queue.is_empty() {
                let block = bytes.prefix(BUFFER_SIZE);
                bytes = bytes.suffix(BUFFER_SIZE);
                self.send_through(block)?;
            } else {
                let len = self.queue.copy(bytes);
                bytes = bytes.suffix(len);
                self.send_if_due()?;
            }
        }
        Ok(())
    }

    /// Puts a copy of the next `len` bytes of `iter`, and returns how many were put.
    ///
    /// They are fewer if the iterator ends, or its memory faults, or an error came after the first byte.
    /// The error is returned when more is put. In every case `iter` was advanced by exactly the bytes by
    /// which [`tell`](Self::tell) has grown, so the same call goes on where this one ended.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was put; see [errors of putting](Self#errors-of-putting).
    ///
    /// ```
    /// use iov_iter::file::FileWriter;
    /// use iov_iter::{IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"scat"), KVec::from(b"tered")];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut sent = Vec::new();
    /// let mut writer = FileWriter::new(&mut sent)?;
    /// assert_eq!(writer.put_iter(&mut iter, 6)?, 6);
    /// assert_eq!(writer.put_iter(&mut iter, 100)?, 3);
    /// writer.close()?;
    /// assert_eq!(sent, b"scattered");
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    pub fn put_iter<H: Host>(
        &mut self,
        iter: &mut IovIter<'_, Source, H>,
        len: usize,
    ) -> Result<usize, Error> {
        let before = iter.remaining();
        let result = self.put_iter_blocks(iter, len);
        match before.saturating_sub(iter.remaining()) {
            0 => result.map(|()| 0),
            put => Ok(put),
        }
    }

    /// Puts the next `len` bytes of `iter`, or those before its end or a fault.
    fn put_iter_blocks<H: Host>(
        &mut self,
        iter: &mut IovIter<'_, Source, H>,
        len: usize,
    ) -> Result<(), Error> {
        self.check()?;
        let mut rest = len.min(iter.remaining());
        while rest > 0 {
            self.send_unless(Queue::can_copy)?;
            let free = self.queue.free();
            let room = rest.min(free.len());
            let copied = iter.copy_from_iter(free.get_mut(..room).unwrap_or_default());
            self.queue.commit(copied);
            self.send_if_due()?;
            if copied < room {
                break;
            }
            rest = rest.saturating_sub(copied);
        }
        Ok(())
    }

    /// Puts `N` bytes, or none of them if the channel would block.
    ///
    /// They are fewer than the buffer holds.
    #[inline]
    pub(in crate::file) fn put_array<const N: usize>(
        &mut self,
        bytes: [u8; N],
    ) -> Result<(), Error> {
        if self.queue.copy_array(bytes) { Ok(()) } else { self.put_slow(bytes) }
    }

    /// Puts bytes of a file that another thread may have failed, or that fill the buffer.
    #[cold]
    #[inline(never)]
    fn put_slow<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Error> {
        if self.is_healthy() && self.queue.copy_small(&bytes) {
            return Ok(());
        }
        self.put_whole(&bytes)
    }

    /// Puts a copy of all of `bytes`, or of none of them if the channel would block.
    ///
    /// They are fewer than the buffer holds.
    #[cold]
    fn put_whole(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let before = self.queue.put();
        let result = self.put_pieces(Bytes::from(bytes));
        if result == Err(Error::WouldBlock) {
            // Those of the bytes that were copied can be taken back, because none of them was sent:
            // 1. `WouldBlock` means that there is no room, so the buffer or the list of entries is full.
            // 2. Had the channel taken one of the bytes, it would have taken all that were put before.
            // 3. Then only these bytes would be kept here: fewer than the buffer holds, in one entry.
            let taken = self.queue.put().wrapping_sub(before);
            self.queue.take_back(usize::try_from(taken).unwrap_or(usize::MAX));
        }
        result
    }

    /// Puts `bytes` without copying them.
    ///
    /// # Errors
    ///
    /// See [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_buffer_async")]
    #[doc(alias = "add_to_iovec")]
    #[inline]
    pub fn put_borrowed(&mut self, bytes: &'buf [u8]) -> Result<(), Error> {
        self.put_region(&Region::new(bytes), 0..bytes.len())
    }

    /// Puts the bytes of `range`, offsets in `region`, without copying them.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRegion`] if the range leaves the region; see also
    /// [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_buffer_async")]
    #[inline]
    pub fn put_region(&mut self, region: &Region<'buf>, range: Range<usize>) -> Result<(), Error> {
        self.put_range(region, range, false)
    }

    /// Puts the bytes of `range` without copying them, and has the region
    /// [released](crate::file::Release) there once a flush has sent them.
    ///
    /// After a failed flush nothing is released.
    ///
    /// # Errors
    ///
    /// As for [`put_region`](Self::put_region). [`Error::NoMemory`], which does not stick: the
    /// first such range of a file asks for memory to note it.
    #[doc(alias = "qemu_put_buffer_async")]
    #[doc(alias = "qemu_iovec_release_ram")]
    #[inline]
    pub fn put_region_and_release(
        &mut self,
        region: &Region<'buf>,
        range: Range<usize>,
    ) -> Result<(), Error> {
        self.put_range(region, range, true)
    }

    // Handing the range over costs as much as queueing it.
    #[inline(always)]
    fn put_range(
        &mut self,
        region: &Region<'buf>,
        range: Range<usize>,
        release: bool,
    ) -> Result<(), Error> {
        if self.queue.queue_fast(region.range(range.clone(), release)?) {
            return Ok(());
        }
        self.put_range_slow(region, range, release)
    }

    #[cold]
    #[inline(never)]
    fn put_range_slow(
        &mut self,
        region: &Region<'buf>,
        range: Range<usize>,
        release: bool,
    ) -> Result<(), Error> {
        self.queue_slow(region.range(range, release)?)
    }

    /// The slow way of a range.
    fn queue_slow(&mut self, range: RegionRange<'buf>) -> Result<(), Error> {
        if self.linear {
            return self.put_bytes(range.bytes());
        }
        if self.is_healthy() && self.queue.queue_small(range) {
            return Ok(());
        }
        self.check()?;
        if range.to_release.is_some() {
            self.queue.reserve_releases()?;
        }
        self.send_unless(|queue| queue.can_queue_range(&range))?;
        self.queue.queue(range);
        self.send_if_due()
    }

    /// Puts `bytes` without copying them, for callers that have no [`Region`].
    ///
    /// A byte is read when it is sent, as of a [shared](Region::shared) region; a [linear](Self::linear)
    /// file copies it at once. Bytes that are put one after the other and whose addresses follow each other
    /// share an entry of the queue.
    ///
    /// If there is a `release`, it [releases](crate::file::Release) the bytes once a flush has sent them. The
    /// range that it gets holds addresses: from that of the first byte up to the one past the last. After a
    /// failed flush nothing is released.
    ///
    /// # Errors
    ///
    /// As for [`put_region_and_release`](Self::put_region_and_release), but for the range.
    ///
    /// # Safety
    ///
    /// What [`Piece::from_raw_parts`] asks for must hold until one of these has happened: a
    /// [`flush`](Self::flush) returned `Ok`, the bytes were released,
    /// [`discard_unsent`](Self::discard_unsent) returned, or the file is gone. Bytes that share an entry are
    /// read through the pointer of the first: if bytes whose addresses follow each other are put one after
    /// the other, they must belong to one allocation, and that pointer must be valid for all of them.
    ///
    /// ```
    /// use iov_iter::Piece;
    /// use iov_iter::file::FileWriter;
    ///
    /// let page = [7; 4096];
    /// let mut sent = Vec::new();
    /// let mut writer = FileWriter::new(&mut sent)?;
    /// // SAFETY: the page outlives the writer.
    /// unsafe { writer.put_raw(Piece::from(&page[..]), None)? };
    /// writer.close()?;
    /// assert_eq!(sent, page);
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_put_buffer_async")]
    #[doc(alias = "qemu_iovec_release_ram")]
    #[inline]
    pub unsafe fn put_raw(
        &mut self,
        bytes: Piece<'_, Source>,
        release: Option<&'buf (dyn Release + Sync)>,
    ) -> Result<(), Error> {
        // SAFETY: the caller keeps the memory valid until the queue has forgotten the range, which is never
        // later than the file has sent it.
        let range = unsafe { RegionRange::raw(bytes, release) };
        if self.queue.queue_fast(range) {
            return Ok(());
        }
        // SAFETY: the same promise; nothing was queued.
        unsafe { self.put_raw_slow(bytes, release) }
    }

    /// As [`put_raw`](Self::put_raw), by a call, so that the fast way saves no registers for this one.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn put_raw_slow(
        &mut self,
        bytes: Piece<'_, Source>,
        release: Option<&'buf (dyn Release + Sync)>,
    ) -> Result<(), Error> {
        // SAFETY: the caller's promise, as in `put_raw`.
        self.queue_slow(unsafe { RegionRange::raw(bytes, release) })
    }

    /// Puts a length byte and that many bytes.
    ///
    /// # Errors
    ///
    /// [`Error::StringTooLong`] for more than 255 bytes, which changes nothing; see also
    /// [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_counted_string")]
    pub fn put_counted_string(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let len = u8::try_from(bytes.len()).map_err(|_| Error::StringTooLong)?;
        let mut counted = heapless::Vec::<u8, 256>::new();
        // 256 bytes are enough for the length and 255 more.
        let _ = counted.push(len);
        let _ = counted.extend_from_slice(bytes);
        if self.is_healthy() && self.queue.copy_small(&counted) {
            return Ok(());
        }
        self.put_whole(&counted)
    }
}

/// Puts text, for [`write!`].
///
/// [`FileWriter::error`] tells the cause of a [`fmt::Error`]; if there is none, the channel would block, and
/// [`tell`](FileWriter::tell) has grown by what was put of the text.
///
/// ```
/// use core::fmt::Write;
/// use iov_iter::file::FileWriter;
///
/// let mut writer = FileWriter::new(Vec::new())?;
/// write!(writer, "{}-{:02x}", "page", 7).unwrap();
/// assert_eq!(writer.into_inner()?, b"page-07");
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
impl<C: WriteChannel> fmt::Write for FileWriter<'_, C> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put_buffer(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
