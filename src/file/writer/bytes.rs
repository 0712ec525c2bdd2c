//! Bytes on their way into the stream: borrowed, or in memory that others may write.

use crate::direction::{Dest, Source};
use crate::file::channel::{ChannelError, WriteChannel};
use crate::memory::{Extent, Piece};
use crate::segment::{KVec, SharedVec};

/// Bytes to be copied or sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::file) enum Bytes<'b> {
    /// Nothing writes them.
    Exclusive(KVec<'b, Source>),
    /// Others may write them.
    Shared(SharedVec<'b, Source>),
}

impl<'b> Bytes<'b> {
    /// The bytes of a segment.
    ///
    /// # Safety
    ///
    /// Unless `shared`, nothing writes them as long as 'b.
    pub(in crate::file) unsafe fn new(bytes: SharedVec<'b, Source>, shared: bool) -> Self {
        if shared {
            return Self::Shared(bytes);
        }
        let (base, len) = (bytes.as_ptr().cast_mut(), bytes.len());
        // SAFETY: the bytes are valid for reads, as those of a segment; the caller promises that nothing writes
        // them.
        Self::Exclusive(unsafe { KVec::from_raw_parts(base, len) })
    }

    #[inline]
    pub(in crate::file) const fn len(&self) -> usize {
        match self {
            Self::Exclusive(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    #[inline]
    pub(in crate::file) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `len` bytes, which is at most the length.
    pub(in crate::file) fn prefix(self, len: usize) -> Self {
        match self {
            Self::Exclusive(bytes) => Self::Exclusive(bytes.prefix(len)),
            Self::Shared(bytes) => Self::Shared(bytes.prefix(len)),
        }
    }

    /// All but the first `len` bytes, which is at most the length.
    pub(in crate::file) fn suffix(self, len: usize) -> Self {
        match self {
            Self::Exclusive(bytes) => Self::Exclusive(bytes.suffix(len)),
            Self::Shared(bytes) => Self::Shared(bytes.suffix(len)),
        }
    }

    /// The bytes as if others could write them.
    pub(in crate::file) fn into_piece(self) -> Piece<'b, Source> {
        match self {
            Self::Exclusive(bytes) => bytes.into_piece().into_shared(),
            Self::Shared(bytes) => bytes.into_piece(),
        }
    }

    /// Copies the front to `room` and returns how many bytes: the smaller of both lengths.
    pub(in crate::file) fn copy_to(self, room: &mut [u8]) -> usize {
        match self {
            Self::Exclusive(bytes) => KVec::<Dest>::from(room).copy_from(bytes.into_piece()),
            Self::Shared(bytes) => KVec::<Dest>::from(room).copy_from(bytes.into_piece()),
        }
    }

    /// Writes the front to `channel`.
    pub(in crate::file) fn write_to(
        self,
        channel: &mut (impl WriteChannel + ?Sized),
    ) -> Result<usize, ChannelError> {
        match self {
            Self::Exclusive(bytes) => channel.write_exclusive(&[bytes]),
            Self::Shared(bytes) => channel.write(&[bytes.into_piece()]),
        }
    }
}

impl<'b> From<&'b [u8]> for Bytes<'b> {
    #[inline]
    fn from(bytes: &'b [u8]) -> Self {
        Self::Exclusive(KVec::from(bytes))
    }
}
