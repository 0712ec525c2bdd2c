//! A buffer that grows without moving what it holds.
//!
//! ```text
//!   chunks   [1 KiB][ 2 KiB ][   4 KiB    ] ... [ 1 MiB ][ 1 MiB ] ...
//!            ├────────── len ─────────┤0000 capacity ┤
//! ```
//!
//! Chunk `i` has twice the size of the one before, up to 1 MiB, so the chunk of a position follows
//! from the position alone. Everything behind the length is zero at all times: a gap that a write
//! leaves, and bytes that come back after a truncation, need no further care.

use alloc::vec::Vec;
use core::fmt;

use super::channel::ChannelError;
use crate::direction::Dest;
use crate::list::List;
use crate::memory::Piece;

/// Size of the first chunk, as a power of two: 1 KiB.
const FIRST: u32 = 10;
/// Number of chunks that double; all later ones are as large as the last of these, 1 MiB.
const DOUBLING: usize = 11;
const LARGEST: usize = 1 << (FIRST as usize + DOUBLING - 1);
/// Bytes of the doubling chunks together.
const DOUBLED: usize = (LARGEST << 1) - (1 << FIRST);

/// A byte buffer in chunks: growing allocates, but never moves a byte.
///
/// Positions and lengths are in bytes. A position is found in constant time; n bytes appended in
/// any pieces cost O(n).
///
/// ```
/// use iov_iter::file::SizedBuffer;
///
/// let mut buffer = SizedBuffer::new();
/// buffer.append(b"head")?;
/// buffer.write_at(6, b"tail")?;
/// assert_eq!(buffer.len(), 10);
/// let mut copy = [0xff; 16];
/// assert_eq!(buffer.read_at(0, &mut copy), 10);
/// assert_eq!(&copy[..10], b"head\0\0tail");
/// # Ok::<(), iov_iter::file::ChannelError>(())
/// ```
#[doc(alias = "QEMUSizedBuffer")]
#[doc(alias = "qsb_free")]
pub struct SizedBuffer {
    chunks: Vec<Vec<u8>>,
    len: usize,
    limit: usize,
}

impl SizedBuffer {
    /// An empty buffer. Nothing is allocated yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// An empty buffer that never holds more than `limit` bytes.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { chunks: Vec::new(), len: 0, limit }
    }

    /// A buffer with a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NoMemory`].
    #[doc(alias = "qsb_create")]
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ChannelError> {
        let mut buffer = Self::new();
        buffer.append(bytes)?;
        Ok(buffer)
    }

    /// A copy of equal length, contents and limit.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NoMemory`].
    #[doc(alias = "qsb_clone")]
    pub fn try_clone(&self) -> Result<Self, ChannelError> {
        let mut copy = Self::new();
        copy.reserve(self.len)?;
        for bytes in self.slices() {
            copy.append(bytes)?;
        }
        // Not before: the bytes may be more than could come now.
        copy.limit = self.limit;
        Ok(copy)
    }

    /// The number of bytes.
    #[doc(alias = "qsb_get_length")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of bytes allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        start_of(self.chunks.len())
    }

    /// The largest length allowed.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Makes `limit` the largest length allowed. Bytes beyond it stay, but no more can come.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Copies bytes from `position` on to the front of `into`, as many as there are; returns how
    /// many.
    #[doc(alias = "qsb_get_buffer")]
    pub fn read_at(&self, position: usize, into: &mut [u8]) -> usize {
        let mut rest = Piece::<Dest>::from(into);
        let mut copied = 0_usize;
        for bytes in self.slices_from(position) {
            if rest.is_empty() {
                break;
            }
            let len = rest.copy_from(Piece::from(bytes));
            rest = rest.slice(len, usize::MAX);
            copied = copied.saturating_add(len);
        }
        copied
    }

    /// Writes all of `bytes` at `position`, growing the buffer as needed. A gap between the old
    /// end and `position` is zeros; writing no bytes changes nothing.
    ///
    /// # Errors
    ///
    /// [`ChannelError::LimitExceeded`] if the end would be beyond the limit or `usize::MAX`, and
    /// [`ChannelError::NoMemory`]. Nothing has changed then.
    #[doc(alias = "qsb_write_at")]
    pub fn write_at(&mut self, position: usize, bytes: &[u8]) -> Result<(), ChannelError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = position.checked_add(bytes.len()).ok_or(ChannelError::LimitExceeded)?;
        self.reserve(end)?;
        let mut source = Piece::from(bytes);
        let (mut index, mut offset) = locate(position);
        while !source.is_empty() {
            let Some(chunk) = self.chunks.get_mut(index) else { break };
            let into = Piece::<Dest>::from(&mut chunk[..]).slice(offset, usize::MAX);
            source = source.slice(into.copy_from(source), usize::MAX);
            (index, offset) = (index.saturating_add(1), 0);
        }
        self.len = self.len.max(end);
        Ok(())
    }

    /// Writes all of `bytes` at the end.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        self.write_at(self.len, bytes)
    }

    /// Makes `len` the number of bytes: the rest is cut off, or zeros are added.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at); never when the buffer becomes shorter.
    #[doc(alias = "qsb_set_length")]
    pub fn set_len(&mut self, len: usize) -> Result<(), ChannelError> {
        if len > self.len {
            self.reserve(len)?;
        }
        // What is cut off becomes zero: it may come back.
        let (mut index, mut offset) = locate(len);
        let mut cut = self.len.saturating_sub(len);
        while cut > 0 {
            let Some(chunk) = self.chunks.get_mut(index) else { break };
            cut =
                cut.saturating_sub(Piece::<Dest>::from(&mut chunk[..]).slice(offset, cut).fill(0));
            (index, offset) = (index.saturating_add(1), 0);
        }
        self.len = len;
        Ok(())
    }

    /// Sees to it that the buffer can become `len` bytes long without allocating.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    #[doc(alias = "qsb_grow")]
    pub fn reserve(&mut self, len: usize) -> Result<(), ChannelError> {
        if len > self.limit {
            return Err(ChannelError::LimitExceeded);
        }
        let before = self.chunks.len();
        let result = self.allocate(len);
        if result.is_err() {
            self.chunks.truncate(before);
        }
        result
    }

    fn allocate(&mut self, len: usize) -> Result<(), ChannelError> {
        while self.capacity() < len {
            let size = size_of_chunk(self.chunks.len());
            // The chunks end at the last address at the latest, so no size of theirs overflows.
            if self.capacity().checked_add(size).is_none() {
                return Err(ChannelError::NoMemory);
            }
            let chunk = super::zeros(size).ok_or(ChannelError::NoMemory)?;
            self.chunks.try_push(chunk).map_err(|_| ChannelError::NoMemory)?;
        }
        Ok(())
    }

    /// Frees the chunks that hold none of the bytes.
    pub fn shrink_to_fit(&mut self) {
        let needed = match self.len.checked_sub(1) {
            Some(last) => locate(last).0.saturating_add(1),
            None => 0,
        };
        // The list of chunks keeps its room: giving it back could fail.
        self.chunks.truncate(needed);
    }

    /// The bytes as slices, in order and none of them empty.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.slices_from(0)
    }

    /// The bytes from `position` on as slices, in order and none of them empty.
    #[doc(alias = "qsb_get_iovec")]
    pub fn slices_from(&self, position: usize) -> impl Iterator<Item = &[u8]> {
        let (first, mut offset) = locate(position);
        let mut left = self.len.saturating_sub(position);
        let chunks = self.chunks.get(first..).unwrap_or_default();
        chunks.iter().map_while(move |chunk| {
            let bytes = chunk.get(core::mem::take(&mut offset)..)?;
            let bytes = bytes.get(..left).unwrap_or(bytes);
            left = left.saturating_sub(bytes.len());
            (!bytes.is_empty()).then_some(bytes)
        })
    }
}

/// Index of the chunk that holds `position`, and the offset in it.
const fn locate(position: usize) -> (usize, usize) {
    if let Some(behind) = position.checked_sub(DOUBLED) {
        return (DOUBLING.saturating_add(behind / LARGEST), behind % LARGEST);
    }
    // Chunk i starts at 1 KiB * (2^i - 1), so position + 1 KiB has its top bit at i + 10.
    let shifted = position.saturating_add(1 << FIRST);
    let top = shifted.ilog2();
    (top.saturating_sub(FIRST) as usize, shifted.saturating_sub(1 << top))
}

/// Size of the chunk with that index.
const fn size_of_chunk(index: usize) -> usize {
    if index >= DOUBLING { LARGEST } else { 1 << FIRST << index }
}

/// Position of the first byte of the chunk with that index.
const fn start_of(index: usize) -> usize {
    if let Some(behind) = index.checked_sub(DOUBLING) {
        return DOUBLED.saturating_add(behind.saturating_mul(LARGEST));
    }
    size_of_chunk(index).saturating_sub(1 << FIRST)
}

impl Default for SizedBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SizedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SizedBuffer")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

const _: () = {
    assert!(locate(0).0 == 0 && locate(1023).1 == 1023);
    assert!(locate(1024).0 == 1 && locate(1024).1 == 0);
    assert!(locate(DOUBLED - 1).0 == DOUBLING - 1 && locate(DOUBLED - 1).1 == LARGEST - 1);
    assert!(locate(DOUBLED).0 == DOUBLING && start_of(DOUBLING) == DOUBLED);
    assert!(start_of(3) == 7 << FIRST && size_of_chunk(3) == 8 << FIRST);
};
