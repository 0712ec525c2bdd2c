//! Putting bytes into a writing file: copied, or queued where they lie.

use core::ops::Range;

use super::FileWriter;
use super::bytes::Bytes;
use super::queue::Queue;
use super::region::Region;
use crate::direction::Dest;
use crate::file::BUFFER_SIZE;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;
use crate::segment::KVec;

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
            return self.put_pieces(Bytes::from(bytes));
        };
        KVec::<Dest>::from(room).copy_from_slice(bytes);
        Ok(())
    }

    /// Puts a copy of `bytes`.
    pub(in crate::file) fn put_bytes(&mut self, bytes: Bytes<'_>) -> Result<(), Error> {
        match self.queue.take_room(bytes.len()) {
            Some(room) => bytes.copy_to(room),
            None => return self.put_pieces(bytes),
        };
        Ok(())
    }

    /// The slow way: puts bytes that fill the buffer, or of a file that may have an error.
    #[inline(never)]
    fn put_pieces(&mut self, mut bytes: Bytes<'_>) -> Result<(), Error> {
        self.check()?;
        while !bytes.is_empty() {
            self.send_unless(Queue::can_copy)?;
            if bytes.len() >= BUFFER_SIZE && self.queue.is_empty() {
                let block = bytes.front(BUFFER_SIZE);
                bytes = bytes.behind(BUFFER_SIZE);
                self.send_through(block)?;
            } else {
                let len = self.queue.copy(bytes);
                bytes = bytes.behind(len);
                self.send_if_due()?;
            }
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

    /// The slow way, usual only for files that another thread may stop.
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
    /// As for [`put_region`](Self::put_region).
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
        let range = region.range(range, release)?;
        if self.linear {
            return self.put_bytes(range.bytes());
        }
        self.check()?;
        self.send_unless(Queue::can_queue)?;
        self.queue.queue(range);
        self.send_if_due()
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
