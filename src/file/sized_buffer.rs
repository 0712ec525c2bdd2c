//! A buffer that grows without moving what it holds, but for the first mebibyte.
//!
//! ```text
//!   chunks   [  1 MiB  ][  1 MiB  ] ... [  1 MiB  ]        or [ less ], if that is all
//!            ├────────────── len ──────────┤ capacity ┤
//! ```
//!
//! The chunk of a position, and the offset in it, are bits of the position. A chunk is a vector
//! whose length says how much of it is in use: those before the end are full, those after it
//! empty. So no byte is written before it is needed. The first chunk grows like any vector until it
//! has its size; from there on nothing is moved.

use alloc::vec::Vec;
use core::fmt;

use super::channel::ChannelError;
use crate::direction::{Dest, Source};
use crate::list::List;
use crate::memory::{Access, Piece};
use crate::segment::KVec;

/// Size of a chunk. A fuzzer crosses the borders of small ones more often.
const CHUNK: usize = if cfg!(iov_iter_small_chunks) { 4 << 10 } else { 1 << 20 };
/// The least that is allocated.
const LEAST: usize = 1 << 10;
/// The most chunks that are allocated without asking first whether there is memory for all.
const FEW: usize = 64;

/// A byte buffer in chunks: beyond the first mebibyte, growing allocates and never moves a byte.
///
/// Positions and lengths are in bytes. A position is found in constant time; n bytes appended in
/// any pieces cost O(n).
///
/// Where somebody else chooses positions or lengths, set a [limit](Self::with_limit): one byte
/// written at a large position makes the buffer as long as that.
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
    /// Each has room for [`CHUNK`] bytes, or for fewer if it is the only one.
    chunks: Vec<Vec<u8>>,
    len: usize,
    limit: usize,
}

impl SizedBuffer {
    /// An empty buffer without a limit. Nothing is allocated yet.
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
        copy.try_reserve(self.len)?;
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
        match self.chunks.as_slice() {
            [] => 0,
            [only] => only.capacity().min(CHUNK),
            chunks => chunks.len().saturating_mul(CHUNK),
        }
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

    /// Copies the bytes from `position` on to the front of `into` and returns the bytes copied.
    ///
    /// Fewer than `into.len()` if the buffer ends before.
    #[doc(alias = "qsb_get_buffer")]
    #[inline]
    pub fn read_at(&self, position: usize, into: &mut [u8]) -> usize {
        let (index, offset) = locate(position);
        let chunk = self.chunks.get(index).map(Vec::as_slice).unwrap_or_default();
        match chunk.get(offset..offset.saturating_add(into.len())) {
            Some(bytes) => KVec::<Dest>::from(into).copy_from_slice(bytes),
            None => self.read_piece_at(position, KVec::<Dest>::from(into).into_piece()),
        }
    }

    /// As [`read_at`](Self::read_at), into memory of either kind, which need not be initialised.
    pub fn read_piece_at<A: Access>(&self, position: usize, into: Piece<'_, Dest, A>) -> usize {
        let mut rest = into;
        let mut copied = 0_usize;
        for bytes in self.slices_from(position) {
            if rest.is_empty() {
                break;
            }
            let len = rest.take(KVec::from(bytes).copy_to(rest)).len();
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
        self.write_piece_at(position, KVec::from(bytes).into_piece())
    }

    /// As [`write_at`](Self::write_at), for either kind of memory: others may write `bytes` meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU8;
    /// use iov_iter::{Piece, SharedVec, file::SizedBuffer, segment::as_pieces};
    ///
    /// let ring = [const { AtomicU8::new(7) }; 4];
    /// let mut buffer = SizedBuffer::new();
    /// buffer.write_piece_at(1, as_pieces(&[SharedVec::from(&ring)])[0])?;
    /// let mut copy = [0xff; 8];
    /// assert_eq!(buffer.read_piece_at(0, Piece::from(&mut copy[..])), 5);
    /// assert_eq!(copy[..5], [0, 7, 7, 7, 7]);
    /// # Ok::<(), iov_iter::file::ChannelError>(())
    /// ```
    pub fn write_piece_at<A: Access>(
        &mut self,
        position: usize,
        bytes: Piece<'_, Source, A>,
    ) -> Result<(), ChannelError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = position.checked_add(bytes.len()).ok_or(ChannelError::LimitExceeded)?;
        self.try_reserve(end)?;
        self.extend_zeros(position);
        // What is there is overwritten; the rest comes after it.
        let there = self.len.saturating_sub(position);
        self.overwrite(position, bytes.slice(0, there));
        self.extend(bytes.slice(there, usize::MAX));
        Ok(())
    }

    /// Writes all of `bytes` at the end.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        let end = self.len.saturating_add(bytes.len());
        let (index, offset) = locate(self.len);
        let easy = end <= self.limit && bytes.len() <= CHUNK.saturating_sub(offset);
        if easy
            && let Some(chunk) = self.chunks.get_mut(index)
            && push_all(chunk, KVec::from(bytes).into_piece())
        {
            self.len = end;
            return Ok(());
        }
        self.write_at(self.len, bytes)
    }

    /// Writes `bytes` at `position`, where there are as many already.
    fn overwrite<A: Access>(&mut self, position: usize, mut bytes: Piece<'_, Source, A>) {
        let (index, mut offset) = locate(position);
        for chunk in self.chunks.get_mut(index..).unwrap_or_default() {
            if bytes.is_empty() {
                break;
            }
            let into = chunk.get_mut(core::mem::take(&mut offset)..).unwrap_or_default();
            bytes.take(KVec::<Dest>::from(into).into_piece().copy_from(bytes));
        }
    }

    /// Writes `bytes` at the end, where there is room for them.
    fn extend<A: Access>(&mut self, mut bytes: Piece<'_, Source, A>) {
        while !bytes.is_empty() {
            let (index, offset) = locate(self.len);
            let Some(chunk) = self.chunks.get_mut(index) else { return };
            let room = CHUNK.saturating_sub(offset);
            let now = bytes.take(room);
            if !push_all(chunk, now) {
                return;
            }
            self.len = self.len.saturating_add(now.len());
        }
    }

    /// Makes the buffer at least `len` bytes long, for which there is room, with zeros.
    // Its registers would be saved for each cut.
    #[inline(never)]
    fn extend_zeros(&mut self, len: usize) {
        static ZEROS: [u8; 4096] = [0; 4096];
        while let Some(missing @ 1..) = len.checked_sub(self.len) {
            let before = self.len;
            self.extend(KVec::from(&ZEROS[..]).into_piece().slice(0, missing));
            if self.len == before {
                return;
            }
        }
    }

    /// Makes `len` the number of bytes: the rest is cut off, or zeros are added.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at); never when the buffer becomes shorter.
    #[doc(alias = "qsb_set_length")]
    #[inline]
    pub fn set_len(&mut self, len: usize) -> Result<(), ChannelError> {
        if len > self.len {
            self.try_reserve(len)?;
            self.extend_zeros(len);
        } else {
            self.cut(len);
        }
        Ok(())
    }

    /// Makes `len`, which is not more, the number of bytes.
    #[inline]
    fn cut(&mut self, len: usize) {
        let (index, offset) = locate(len);
        let mut keep = offset;
        for chunk in self.chunks.get_mut(index..).unwrap_or_default() {
            chunk.truncate(core::mem::take(&mut keep));
        }
        self.len = len;
    }

    /// Ensures that the buffer can become `len` bytes long without allocating.
    ///
    /// # Errors
    ///
    /// [`ChannelError::LimitExceeded`] if `len` is beyond the limit. [`ChannelError::NoMemory`],
    /// also for growth by more than 64 MiB for which the allocator has no memory in one piece. Nothing
    /// has changed then.
    #[doc(alias = "qsb_grow")]
    pub fn try_reserve(&mut self, len: usize) -> Result<(), ChannelError> {
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
        let before = self.capacity();
        if len <= before {
            return Ok(());
        }
        let no_memory = |_| ChannelError::NoMemory;
        let wanted = len.div_ceil(CHUNK);
        let missing = wanted.saturating_sub(self.chunks.len());
        if missing > FEW {
            // Memory for a length that nobody has is refused here, before a part of it is taken.
            let mut all = Vec::<u8>::new();
            all.try_reserve_exact(missing.saturating_mul(CHUNK)).map_err(no_memory)?;
            // Otherwise the compiler leaves the allocation out, and it seems to succeed.
            core::hint::black_box(all.as_ptr());
        }
        self.chunks.try_reserve(missing).map_err(no_memory)?;
        while self.chunks.len() < wanted {
            let mut chunk = Vec::new();
            if !self.chunks.is_empty() {
                chunk.try_reserve_exact(CHUNK).map_err(no_memory)?;
            }
            self.chunks.try_push(chunk).map_err(|_| ChannelError::NoMemory)?;
        }
        // The first one grows last: what it has got cannot be given back if another fails.
        if before < CHUNK
            && let Some(first) = self.chunks.first_mut()
        {
            let size = len.max(before.saturating_mul(2)).clamp(LEAST, CHUNK);
            first.try_reserve_exact(size.saturating_sub(first.len())).map_err(no_memory)?;
        }
        Ok(())
    }

    /// Frees the memory that holds none of the bytes, as far as that cannot fail.
    pub fn shrink_to_fit(&mut self) {
        // The list of chunks keeps its room: giving it back could fail.
        self.chunks.truncate(self.len.div_ceil(CHUNK));
        if let [only] = self.chunks.as_mut_slice() {
            // So could this, but then the larger one is kept.
            let mut smaller = Vec::new();
            if smaller.try_reserve_exact(only.len().max(LEAST)).is_ok()
                && push_all(&mut smaller, KVec::from(&only[..]).into_piece())
            {
                *only = smaller;
            }
        }
    }

    /// The bytes as slices, in order and none of them empty.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.slices_from(0)
    }

    /// The bytes from `position` on as slices, in order and none of them empty.
    #[doc(alias = "qsb_get_iovec")]
    pub fn slices_from(&self, position: usize) -> impl Iterator<Item = &[u8]> {
        let (first, mut offset) = locate(position);
        let chunks = self.chunks.get(first..).unwrap_or_default();
        chunks.iter().map_while(move |chunk| {
            let bytes = chunk.get(core::mem::take(&mut offset)..)?;
            (!bytes.is_empty()).then_some(bytes)
        })
    }
}

/// Index of the chunk that holds `position`, and the offset in it.
#[inline]
const fn locate(position: usize) -> (usize, usize) {
    (position / CHUNK, position % CHUNK)
}

/// Appends to a chunk if it has room, and returns whether it has.
#[inline]
pub(super) fn push_all<A: Access>(chunk: &mut Vec<u8>, bytes: Piece<'_, Source, A>) -> bool {
    let room = chunk.spare_capacity_mut();
    let fits = bytes.len() <= room.len();
    if fits {
        let len = KVec::<Dest>::from(room).copy_from(bytes);
        // SAFETY: there is room for `len` more bytes, which were just written.
        unsafe { chunk.set_len(chunk.len().wrapping_add(len)) };
    }
    fits
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
