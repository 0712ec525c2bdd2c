//! A growing buffer as a channel, for reading and writing.

use super::{Channel, ChannelError, Features, ReadChannel, SeekFrom, WriteChannel};
use crate::direction::{Dest, Source};
use crate::file::sized_buffer::SizedBuffer;
use crate::memory::{Access, Piece};
use crate::segment::{KVec, Segments};

/// A [`SizedBuffer`] and a position in it: a file in memory.
///
/// Reading and writing start at the position and move it. It can be moved past the end; writing
/// there leaves a gap of zeros. Where somebody else chooses the positions, give the buffer a
/// [limit](SizedBuffer::with_limit).
///
/// ```
/// use iov_iter::file::{BufferChannel, FileReader, FileWriter, SizedBuffer};
///
/// let mut memory = BufferChannel::new(SizedBuffer::new());
/// let mut writer = FileWriter::new(&mut memory)?;
/// writer.put_be32(7)?;
/// assert_eq!(writer.flushed_channel()?.buffer().len(), 4);
/// writer.close()?;
///
/// let mut reader = FileReader::new(BufferChannel::new(memory.into_buffer()))?;
/// assert_eq!(reader.get_be32()?, 7);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
#[doc(alias = "qemu_bufopen")]
#[doc(alias = "buf_get_buffer")]
#[doc(alias = "buf_put_buffer")]
#[doc(alias = "buf_close")]
#[doc(alias = "buf_read_ops")]
#[doc(alias = "buf_write_ops")]
#[derive(Debug, Default)]
pub struct BufferChannel {
    buffer: SizedBuffer,
    position: usize,
}

impl BufferChannel {
    /// A channel that stands at the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: SizedBuffer) -> Self {
        Self { buffer, position: 0 }
    }

    /// The buffer.
    #[must_use]
    pub const fn buffer(&self) -> &SizedBuffer {
        &self.buffer
    }

    /// The buffer, for changing it. The position stays.
    pub const fn buffer_mut(&mut self) -> &mut SizedBuffer {
        &mut self.buffer
    }

    /// Writes pieces at `position`, `len` bytes together, or nothing. Returns the end.
    fn write_all<'p, A: Access>(
        &mut self,
        position: usize,
        len: usize,
        from: impl Iterator<Item = Piece<'p, Source, A>>,
    ) -> Result<usize, ChannelError> {
        let end = position.checked_add(len).ok_or(ChannelError::LimitExceeded)?;
        self.buffer.try_reserve(end)?;
        let mut at = position;
        for piece in from {
            self.buffer.write_piece_at(at, piece)?;
            at = at.saturating_add(piece.len());
        }
        Ok(at)
    }

    /// As [`write_all`](Self::write_all), at the position of the channel, which moves. Returns `len`.
    fn write_next<'p, A: Access>(
        &mut self,
        len: usize,
        from: impl Iterator<Item = Piece<'p, Source, A>>,
    ) -> Result<usize, ChannelError> {
        self.position = self.write_all(self.position, len, from)?;
        Ok(len)
    }

    /// Reads into pieces from `position` on, and returns the end.
    fn read_all(&self, position: usize, into: &[Piece<'_, Dest>]) -> usize {
        into.iter()
            .fold(position, |at, piece| at.saturating_add(self.buffer.read_piece_at(at, *piece)))
    }

    /// Gives the buffer back.
    #[must_use]
    pub fn into_buffer(self) -> SizedBuffer {
        self.buffer
    }
}

impl Channel for BufferChannel {
    fn features(&self) -> Features {
        Features::SEEKABLE
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        let position = to.resolve(self.position as u64, self.buffer.len() as u64);
        let position = position.ok_or(ChannelError::Os(22))?;
        self.position = usize::try_from(position).map_err(|_| ChannelError::LimitExceeded)?;
        Ok(position)
    }
}

impl ReadChannel for BufferChannel {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let len = self.buffer.read_at(self.position, into);
        self.position = self.position.saturating_add(len);
        Ok(len)
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        let end = self.read_all(self.position, into);
        Ok(end.saturating_sub(core::mem::replace(&mut self.position, end)))
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        let Ok(position) = usize::try_from(position) else { return Ok(0) };
        Ok(self.read_all(position, into).saturating_sub(position))
    }
}

impl WriteChannel for BufferChannel {
    /// Writes all pieces or none.
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        self.write_next(from.total(), from.iter().copied())
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        self.write_next(from.total(), from.iter().map(|segment| segment.into_piece()))
    }

    /// Writes all pieces or none.
    fn write_at(
        &mut self,
        from: &[Piece<'_, Source>],
        position: u64,
    ) -> Result<usize, ChannelError> {
        let position = usize::try_from(position).map_err(|_| ChannelError::LimitExceeded)?;
        let len = from.total();
        self.write_all(position, len, from.iter().copied())?;
        Ok(len)
    }
}
