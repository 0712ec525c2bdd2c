//! Regions of memory that are written without copying, and released after they were sent.

use core::fmt;
use core::ops::Range;

use super::bytes::Bytes;
use crate::direction::Source;
use crate::file::error::Error;
use crate::memory::{Extent, Piece};
use crate::segment::{KVec, SharedVec};

/// A block of memory, such as guest RAM, whose pages are written without copying.
///
/// Ranges of one region that follow each other share an entry of the queue; ranges of different
/// regions never do, whatever their addresses.
///
/// ```
/// use iov_iter::file::{FileWriter, Region};
///
/// let ram = vec![7; 3 * 4096];
/// let region = Region::new(&ram[..]);
/// let mut sent = Vec::new();
/// let mut writer = FileWriter::new(&mut sent)?;
/// writer.put_region(&region, 0..4096)?;
/// writer.put_region(&region, 4096..8192)?;
/// assert_eq!(writer.entries(), 1);
/// writer.close()?;
/// assert_eq!(sent, ram[..8192]);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
///
/// The RAM of a guest that runs meanwhile is [shared](Self::shared).
#[derive(Clone, Copy)]
pub struct Region<'buf> {
    memory: SharedVec<'buf, Source>,
    /// Others may write the memory; if not, it was a `KVec`.
    shared: bool,
    release: Option<&'buf (dyn Release + Sync)>,
}

/// What to do with memory whose contents have been sent and are not needed any more.
///
/// An implementation that really drops the contents must know that nobody else relies on them:
/// the region that it serves was borrowed for reading.
pub trait Release {
    /// Releases the bytes of `range`. The channel has taken all of them.
    ///
    /// The range holds offsets in the region, or addresses of bytes that were put
    /// [by address](crate::file::FileWriter::put_raw). Ranges that follow each other and were sent by one
    /// flush come as one. A failure is the implementation's own business: the stream is not affected.
    fn release(&self, range: Range<usize>);
}

impl<'buf> Region<'buf> {
    /// A region that is kept.
    #[must_use]
    #[inline]
    pub fn new(memory: impl Into<KVec<'buf, Source>>) -> Self {
        Self { memory: memory.into().into(), shared: false, release: None }
    }

    /// A region of memory that others may write at any time, such as the RAM of a running guest.
    ///
    /// A byte is read when it is sent; a [linear](crate::file::FileWriter::linear) file reads it when it is put.
    /// Every byte sent is a value that the memory held at that moment, and bytes of one range may be of
    /// different moments. So a page may change between a test, such as
    /// [`is_zero`](crate::Piece::is_zero), and the sending: a caller that skips pages by a test needs to
    /// know of later writes, as dirty tracking does, and puts the written pages again.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    /// use iov_iter::file::{FileWriter, Region};
    ///
    /// let ram: [AtomicU8; 4096] = [const { AtomicU8::new(0) }; 4096];
    /// let region = Region::shared(&ram[..]);
    /// let mut sent = Vec::new();
    /// let mut writer = FileWriter::new(&mut sent)?;
    /// writer.put_region(&region, 1..4)?;
    /// ram[2].store(7, Relaxed);
    /// writer.close()?;
    /// assert_eq!(sent, [0, 7, 0]);
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn shared(memory: impl Into<SharedVec<'buf, Source>>) -> Self {
        Self { memory: memory.into(), shared: true, release: None }
    }

    /// A [shared](Self::shared) region whose ranges can be released after they were sent.
    ///
    /// Only ranges put with [`FileWriter::put_region_and_release`](crate::file::FileWriter::put_region_and_release)
    /// are.
    #[must_use]
    pub fn shared_with_release(
        memory: impl Into<SharedVec<'buf, Source>>,
        release: &'buf (dyn Release + Sync),
    ) -> Self {
        Self { memory: memory.into(), shared: true, release: Some(release) }
    }

    /// A region whose ranges can be released after they were sent.
    ///
    /// Only ranges put with [`FileWriter::put_region_and_release`](crate::file::FileWriter::put_region_and_release)
    /// are.
    #[must_use]
    pub fn with_release(
        memory: impl Into<KVec<'buf, Source>>,
        release: &'buf (dyn Release + Sync),
    ) -> Self {
        Self { memory: memory.into().into(), shared: false, release: Some(release) }
    }

    /// The length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether the region has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRegion`] if it exceeds the region or is reversed.
    #[inline]
    pub(in crate::file) fn range(
        &self,
        range: Range<usize>,
        release: bool,
    ) -> Result<RegionRange<'buf>, Error> {
        let len = range.end.checked_sub(range.start).ok_or(Error::OutOfRegion)?;
        if range.end > self.memory.len() {
            return Err(Error::OutOfRegion);
        }
        let release = release && self.release.is_some();
        let Self { memory, shared, release: owner } = *self;
        Ok(RegionRange {
            memory,
            owner,
            offset: range.start,
            len,
            kind: Kind::new(shared, release),
        })
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("len", &self.memory.len())
            .field("shared", &self.shared)
            .field("releasable", &self.release.is_some())
            .finish()
    }
}

/// A range of a region, or of the whole address space.
#[derive(Clone, Copy)]
pub(in crate::file) struct RegionRange<'buf> {
    /// The region; no bytes, at the start of the range, if the offset is an address.
    memory: SharedVec<'buf, Source>,
    owner: Option<&'buf (dyn Release + Sync)>,
    offset: usize,
    pub(in crate::file) len: usize,
    kind: Kind,
}

/// Whether others may write a range, and whether its owner releases it once it was sent.
// One byte for both: a second store makes `put_region` slower by 3 % in the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Exclusive,
    Shared,
    ExclusiveReleased,
    SharedReleased,
    /// The offset is the address of bytes that were put [by address](RegionRange::raw).
    Raw,
    RawReleased,
}

impl Kind {
    #[inline]
    const fn new(shared: bool, release: bool) -> Self {
        match (release, shared) {
            (false, false) => Self::Exclusive,
            (false, true) => Self::Shared,
            (true, false) => Self::ExclusiveReleased,
            (true, true) => Self::SharedReleased,
        }
    }

    #[inline]
    const fn is_raw(self) -> bool {
        matches!(self, Self::Raw | Self::RawReleased)
    }

    #[inline]
    const fn releases(self) -> bool {
        matches!(self, Self::ExclusiveReleased | Self::SharedReleased | Self::RawReleased)
    }

    /// The same without release.
    const fn kept(self) -> Self {
        match self {
            Self::Exclusive | Self::ExclusiveReleased => Self::Exclusive,
            Self::Shared | Self::SharedReleased => Self::Shared,
            Self::Raw | Self::RawReleased => Self::Raw,
        }
    }
}

impl<'buf> RegionRange<'buf> {
    /// Whether the owner releases the range once it was sent.
    #[inline]
    pub(in crate::file) const fn releases(&self) -> bool {
        self.kind.releases()
    }

    /// Keeps the range from being released.
    pub(in crate::file) const fn keep(&mut self) {
        self.kind = self.kind.kept();
    }

    /// A range that is given by its address.
    ///
    /// # Safety
    ///
    /// The memory must be valid for reads of initialised bytes for as long as this range, or one that
    /// [absorbed](Self::absorb) it, gives [`bytes`](Self::bytes) and these are used. The pointer of a range
    /// must be valid for what that range absorbs.
    pub(in crate::file) unsafe fn raw(
        bytes: Piece<'_, Source>,
        owner: Option<&'buf (dyn Release + Sync)>,
    ) -> Self {
        let kind = if owner.is_some() { Kind::RawReleased } else { Kind::Raw };
        let base = bytes.as_ptr();
        // SAFETY: no byte is accessed through this. It keeps the pointer, with its provenance.
        let memory = unsafe { SharedVec::from_raw_parts(base.cast_mut(), 0) };
        Self { memory, owner, offset: base.addr(), len: bytes.len(), kind }
    }

    /// The bytes.
    #[inline]
    pub(in crate::file) fn bytes(&self) -> Bytes<'buf> {
        if self.kind.is_raw() {
            let base = self.memory.as_ptr().cast_mut();
            // SAFETY: the callers of `raw` keep `len` bytes at the pointer valid for reads: those of this
            // range, and those that it absorbed.
            return Bytes::Shared(unsafe { SharedVec::from_raw_parts(base, self.len) });
        }
        let bytes = self.memory.suffix(self.offset).prefix(self.len);
        if matches!(self.kind, Kind::Shared | Kind::SharedReleased) {
            return Bytes::Shared(bytes);
        }
        let (base, len) = (bytes.as_ptr().cast_mut(), bytes.len());
        // SAFETY: the memory of a region, and of its ranges, is marked as shared unless it was a `KVec` of
        // the same lifetime; these are bytes of it, or none.
        Bytes::Exclusive(unsafe { KVec::from_raw_parts(base, len) })
    }

    /// Whether both are of the same memory, so that offsets in them mean the same bytes, and release it in
    /// the same way.
    #[inline]
    fn is_of_same_region(&self, other: &Self) -> bool {
        let same_owner = match (self.owner, other.owner) {
            (None, None) => true,
            (Some(one), Some(other)) => core::ptr::eq(one, other),
            _ => false,
        };
        let same_memory = core::ptr::eq(self.memory.as_ptr(), other.memory.as_ptr())
            && self.memory.len() == other.memory.len();
        // Addresses mean the same bytes everywhere.
        same_owner && (same_memory || self.kind.is_raw())
    }

    /// Makes `next` a part of this one if it continues it in the same region.
    #[inline]
    pub(in crate::file) fn absorb(&mut self, next: &Self) -> bool {
        let continues = self.offset.saturating_add(self.len) == next.offset
            && self.kind == next.kind
            && self.is_of_same_region(next);
        if continues {
            self.len = self.len.saturating_add(next.len);
        }
        continues
    }

    /// Tells the region's owner that the bytes were sent.
    pub(in crate::file) fn give_back(&self) {
        if let Some(owner) = self.owner {
            owner.release(self.offset..self.offset.saturating_add(self.len));
        }
    }
}

impl fmt::Debug for RegionRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegionRange")
            .field("offset", &self.offset)
            .field("len", &self.len)
            .field("kind", &self.kind)
            .finish()
    }
}
