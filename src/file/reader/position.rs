//! Reading at positions of the channel, for channels that have positions.
//!
//! Positions are those of the channel, in bytes from its start. [`FileReader::position`] counts the
//! bytes of the stream instead.

use super::FileReader;
use crate::direction::Dest;
use crate::file::channel::{ChannelError, ReadChannel, SeekFrom};
use crate::file::error::{Error, check_end};
use crate::file::positional_limits as limits;
use crate::iov::{View, one_call};
use crate::memory::Access;
use crate::segment::{KVec, MemVec};

/// Positions of the channel.
impl<C: ReadChannel> FileReader<C> {
    /// Fills `into` with the bytes at `position`; the stream goes on where it was.
    ///
    /// # Errors
    ///
    /// As for [`get_segments_at`](Self::get_segments_at).
    #[doc(alias = "qemu_get_buffer_at")]
    pub fn get_buffer_at(&mut self, into: &mut [u8], position: u64) -> Result<(), Error> {
        self.get_segments_at(&[KVec::from(into)], position)
    }

    /// Fills all segments, in order, with the bytes at `position`; the stream goes on where it was.
    ///
    /// The memory need not be initialised. A channel gets as many segments in one call as it takes, at
    /// least 64.
    ///
    /// # Errors
    ///
    /// The sticky error; [`Error::Unsupported`] if the channel has no positions;
    /// [`Error::PositionOverflow`] if the bytes would end past `u64::MAX`; [`Error::WouldBlock`].
    /// [`Error::UnexpectedEof`], if there are fewer bytes, and other failures stick.
    #[doc(alias = "qio_channel_preadv")]
    pub fn get_segments_at<A: Access>(
        &mut self,
        into: &[MemVec<'_, Dest, A>],
        position: u64,
    ) -> Result<(), Error> {
        self.status.check()?;
        let mut left = View::new(into);
        check_end(position, left.len())?;
        let mut at = position;
        while !left.is_empty() {
            let channel = &mut self.channel;
            let got = match one_call(&left, limits(), &mut |list| channel.read_at(list, at)) {
                Ok(0) => return Err(self.status.fail(Error::UnexpectedEof)),
                Ok(got) => got,
                Err(error) => return Err(self.positional_error(error, Error::Read)),
            };
            at = at.saturating_add(got as u64);
            left.discard_front(got);
        }
        Ok(())
    }

    /// Moves the channel, drops what is buffered, and goes on reading at the new position, which
    /// is returned.
    ///
    /// [`SeekFrom::Current`] counts from the byte that would have been got next.
    ///
    /// # Errors
    ///
    /// The sticky error; [`Error::Unsupported`] if the channel has no positions, or
    /// [`Error::Seek`], which sticks. What is buffered stays then.
    #[doc(alias = "qemu_set_offset")]
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64, Error> {
        self.status.check()?;
        let to = match to {
            SeekFrom::Current(distance) => {
                let ahead = i64::try_from(self.buffered()).unwrap_or(i64::MAX);
                SeekFrom::Current(distance.saturating_sub(ahead))
            }
            to => to,
        };
        match self.channel.seek(to) {
            Ok(position) => {
                self.forget_buffered();
                Ok(position)
            }
            Err(error) => Err(self.positional_error(error, Error::Seek)),
        }
    }

    /// The channel's position of the byte that will be got next.
    ///
    /// # Errors
    ///
    /// As for [`seek`](Self::seek).
    #[doc(alias = "qemu_get_offset")]
    pub fn offset(&mut self) -> Result<u64, Error> {
        self.status.check()?;
        let ahead = self.buffered() as u64;
        match self.channel.seek(SeekFrom::Current(0)) {
            Ok(position) => Ok(position.saturating_sub(ahead)),
            Err(error) => Err(self.positional_error(error, Error::Seek)),
        }
    }

    fn positional_error(&mut self, error: ChannelError, kind: fn(ChannelError) -> Error) -> Error {
        match error {
            ChannelError::Unsupported => Error::Unsupported,
            ChannelError::WouldBlock => Error::WouldBlock,
            error => self.status.fail(kind(error)),
        }
    }
}
