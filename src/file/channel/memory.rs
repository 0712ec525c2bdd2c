//! Memory as a channel: a slice to read, a vector to write, and a channel that takes nothing.

use alloc::vec::Vec;

use super::{Channel, ChannelError, ReadChannel, WriteChannel};
use crate::direction::{Dest, Source};
use crate::file::sized_buffer::push_all;
use crate::memory::{Access, Piece};
use crate::segment::{KVec, Segments};

/// Reading takes bytes from the front of the slice; the end of the slice is the end of the data.
impl Channel for &[u8] {}

impl ReadChannel for &[u8] {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let len = KVec::<Dest>::from(into).copy_from_slice(self);
        *self = self.get(len..).unwrap_or_default();
        Ok(len)
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        let before = self.len();
        for piece in into {
            let len = KVec::from(*self).copy_to(*piece);
            *self = self.get(len..).unwrap_or_default();
        }
        Ok(before.saturating_sub(self.len()))
    }
}

/// Writing appends.
impl Channel for Vec<u8> {}

impl WriteChannel for Vec<u8> {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        append(self, from.total(), from.iter().copied())
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        append(self, from.total(), from.iter().map(|segment| segment.into_piece()))
    }
}

/// Appends pieces of `len` bytes together.
fn append<'p, A: Access>(
    bytes: &mut Vec<u8>,
    len: usize,
    mut from: impl Iterator<Item = Piece<'p, Source, A>>,
) -> Result<usize, ChannelError> {
    bytes.try_reserve(len).map_err(|_| ChannelError::NoMemory)?;
    // There is room for all of them.
    let all = from.all(|piece| push_all(bytes, piece));
    if all { Ok(len) } else { Err(ChannelError::NoMemory) }
}

/// A channel that takes nothing: a [`FileWriter`](crate::file::FileWriter) over it is a scratch file.
///
/// The file holds as much as its buffer does, and then reports
/// [`Error::WouldBlock`](crate::file::Error::WouldBlock). Its contents move on with
/// [`FileWriter::put_file`](crate::file::FileWriter::put_file).
#[derive(Clone, Copy, Debug, Default)]
pub struct Scratch;

impl Channel for Scratch {
    /// What a scratch file held and nobody took was not needed.
    fn abandoned(&mut self, _unsent: u64) {}
}

impl WriteChannel for Scratch {
    fn write(&mut self, _from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        Err(ChannelError::WouldBlock)
    }
}
