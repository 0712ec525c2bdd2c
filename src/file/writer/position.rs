//! Writing at positions of the channel, for channels that have positions.
//!
//! Positions are those of the channel, in bytes from its start. [`FileWriter::tell`] counts the bytes
//! of the stream instead.

use super::FileWriter;
use crate::direction::Source;
use crate::file::channel::{ChannelError, SeekFrom, WriteChannel};
use crate::file::error::{Error, check_end};
use crate::file::positional_limits as limits;
use crate::iov::{View, one_call};
use crate::memory::Access;
use crate::segment::{KVec, MemVec};

/// Positions of the channel.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Sends what is pending, then writes all of `bytes` at `position`; the stream goes on where
    /// it was.
    ///
    /// The bytes count as [`transferred`](Self::transferred), not in [`tell`](Self::tell).
    ///
    /// # Errors
    ///
    /// As for [`put_segments_at`](Self::put_segments_at).
    #[doc(alias = "qemu_put_buffer_at")]
    pub fn put_buffer_at(&mut self, bytes: &[u8], position: u64) -> Result<(), Error> {
        self.put_segments_at(&[KVec::from(bytes)], position)
    }

    /// Sends what is pending, then writes the bytes of all segments at `position`, in order; the stream goes
    /// on where it was.
    ///
    /// The bytes count as [`transferred`](Self::transferred), not in [`tell`](Self::tell). A channel gets as
    /// many segments in one call as it takes, at least 64.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush); [`Error::Unsupported`] if the channel has no positions;
    /// [`Error::PositionOverflow`] if the bytes would end past `u64::MAX`, or
    /// [`Error::WouldBlock`], if nothing was written. Other failures stick.
    ///
    /// ```
    /// use iov_iter::KVec;
    /// use iov_iter::file::{BufferChannel, FileWriter};
    ///
    /// let mut writer = FileWriter::new(BufferChannel::default())?;
    /// let segments = [KVec::from(b"scat"), KVec::from(b"tered")];
    /// writer.put_segments_at(&segments, 2)?;
    /// let memory = writer.into_inner()?.into_buffer();
    /// assert_eq!(memory.slices().next(), Some(&b"\0\0scattered"[..]));
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qio_channel_pwritev")]
    pub fn put_segments_at<A: Access>(
        &mut self,
        segments: &[MemVec<'_, Source, A>],
        position: u64,
    ) -> Result<(), Error> {
        self.flush()?;
        let mut left = View::new(segments);
        check_end(position, left.len())?;
        let mut at = position;
        while !left.is_empty() {
            let channel = &mut self.channel;
            let taken = match one_call(&left, limits(), &mut |list| channel.write_at(list, at)) {
                Ok(0) => return Err(self.fail(Error::WriteZero)),
                Ok(taken) => taken,
                Err(error) => {
                    return Err(self.positional_error(error, at > position, Error::Write));
                }
            };
            self.aside = self.aside.saturating_add(taken as u64);
            at = at.saturating_add(taken as u64);
            left.discard_front(taken);
        }
        Ok(())
    }

    /// Sends what is pending, then moves the channel; the stream goes on there.
    ///
    /// Returns the new position.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush); [`Error::Unsupported`] if the channel has no positions;
    /// [`Error::Seek`], which sticks.
    #[doc(alias = "qemu_set_offset")]
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64, Error> {
        self.flush()?;
        let moved = self.channel.seek(to);
        moved.map_err(|error| self.positional_error(error, false, Error::Seek))
    }

    /// Sends what is pending, then tells the position of the channel.
    ///
    /// # Errors
    ///
    /// As for [`seek`](Self::seek).
    #[doc(alias = "qemu_get_offset")]
    pub fn offset(&mut self) -> Result<u64, Error> {
        self.seek(SeekFrom::Current(0))
    }

    fn positional_error(
        &mut self,
        error: ChannelError,
        partly_done: bool,
        kind: fn(ChannelError) -> Error,
    ) -> Error {
        match error {
            ChannelError::Unsupported => Error::Unsupported,
            ChannelError::WouldBlock if !partly_done => Error::WouldBlock,
            error => self.fail(kind(error)),
        }
    }
}
