//! Writing at positions of the channel, for channels that have positions.
//!
//! Positions are those of the channel, in bytes from its start. [`FileWriter::tell`] counts the bytes
//! of the stream instead.

use super::FileWriter;
use crate::file::channel::{ChannelError, SeekFrom, WriteChannel};
use crate::file::error::{Error, check_end};

/// Positions of the channel.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Sends what is pending, then writes all of `bytes` at `position`; the stream goes on where
    /// it was.
    ///
    /// The bytes count as [`transferred`](Self::transferred), not in [`tell`](Self::tell).
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush); [`Error::Unsupported`] if the channel has no positions;
    /// [`Error::PositionOverflow`] if the bytes would end past `u64::MAX`, or
    /// [`Error::WouldBlock`], if nothing was written. Other failures stick.
    #[doc(alias = "qemu_put_buffer_at")]
    pub fn put_buffer_at(&mut self, bytes: &[u8], position: u64) -> Result<(), Error> {
        self.flush()?;
        check_end(position, bytes.len())?;
        let (mut rest, mut at) = (bytes, position);
        while !rest.is_empty() {
            let taken = match self.channel.write_at(rest, at) {
                Ok(0) => return Err(self.fail(Error::WriteZero)),
                Ok(taken) => taken.min(rest.len()),
                Err(error) => {
                    return Err(self.positional_error(error, at > position, Error::Write));
                }
            };
            self.aside = self.aside.saturating_add(taken as u64);
            at = at.saturating_add(taken as u64);
            rest = rest.get(taken..).unwrap_or_default();
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
