//! Positions and counters of the writing file, and what it has not sent.

use super::{Bytes, FileWriter};
use crate::direction::Source;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;
use crate::memory::Piece;

/// Positions and counters, in bytes since the file was opened.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// The bytes put so far: sent, pending and [credited](Self::credit).
    #[doc(alias = "qemu_ftell_fast")]
    #[must_use]
    pub fn tell(&self) -> u64 {
        self.flushed.saturating_add(self.queue.pending())
    }

    /// Sends what is pending, then tells the position.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush).
    #[doc(alias = "qemu_ftell")]
    pub fn flush_and_tell(&mut self) -> Result<u64, Error> {
        self.flush()?;
        Ok(self.tell())
    }

    /// All bytes of this file: those of the stream ([`tell`](Self::tell)) and those put
    /// [at positions](Self::put_buffer_at).
    #[doc(alias = "qemu_file_transferred")]
    #[doc(alias = "qemu_file_total_transferred")]
    #[doc(alias = "qemu_file_total_transferred_fast")]
    #[must_use]
    pub fn transferred(&self) -> u64 {
        self.tell().saturating_add(self.aside)
    }

    /// The bytes that the channel has taken, and those [credited](Self::credit).
    #[must_use]
    pub const fn flushed(&self) -> u64 {
        self.flushed
    }

    /// The bytes put and not sent. After a failure they never will be.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.queue.pending()
    }

    /// The number of ranges that wait to be sent.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.queue.entries()
    }

    /// Whether nothing is pending.
    #[doc(alias = "qemu_file_buffer_empty")]
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.queue.pending() == 0
    }

    /// Counts `len` bytes that reached the other side in another way.
    ///
    /// They move [`tell`](Self::tell), not the stream.
    ///
    /// # Errors
    ///
    /// [`Error::PositionOverflow`] if `tell` would exceed `i64::MAX`. Nothing has changed then.
    #[doc(alias = "qemu_update_position")]
    #[doc(alias = "qemu_file_credit_transfer")]
    pub fn credit(&mut self, len: u64) -> Result<(), Error> {
        // Half of the range is left for bytes that really move: they cannot use it up.
        match self.tell().checked_add(len) {
            Some(position) if position <= i64::MAX as u64 => {
                self.flushed = self.flushed.saturating_add(len);
                Ok(())
            }
            _ => Err(Error::PositionOverflow),
        }
    }

    /// The bytes put and not sent, as pieces in order: what is lost after a failure.
    ///
    /// Others may write those of [shared](crate::file::Region::shared) regions.
    pub fn unsent(&self) -> impl Iterator<Item = Piece<'_, Source>> {
        self.queue.unsent().map(Bytes::into_piece)
    }

    /// Forgets the bytes put and not sent, and returns how many they were. They are not released.
    ///
    /// It is for files that have failed; others go on with a hole in the stream.
    pub fn discard_unsent(&mut self) -> u64 {
        let pending = self.queue.pending();
        self.queue.clear();
        pending
    }
}
