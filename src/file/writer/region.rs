//! Regions of memory that are written without copying, and released after they were sent.

use core::fmt;
use core::ops::Range;

use super::bytes::Bytes;
use crate::direction::Source;
use crate::file::error::Error;
use crate::memory::Piece;
use crate::segment::{KVec, SharedVec};

/// A block of memory, such as guest RAM, whose pages are written without copying.
///
/// Ranges of one region that follow each other share an entry of the queue; ranges of regions that end at
/// different addresses never do.
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
    /// flush come as one; references to one owner that were made at several places of a program may count as
    /// several owners. A failure is the implementation's own business: the stream is not affected.
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
        let Self { memory, shared, release: owner } = *self;
        let len = range.end.checked_sub(range.start).ok_or(Error::OutOfRegion)?;
        if range.end > memory.len() {
            return Err(Error::OutOfRegion);
        }
        let owner = if release { owner } else { None };
        // SAFETY: the range is in the memory.
        let bytes =
            unsafe { SharedVec::from_raw_parts(memory.as_ptr().add(range.start).cast_mut(), len) };
        Ok(RegionRange {
            bytes,
            region_end: memory.as_ptr().addr().wrapping_add(memory.len()),
            kind: Kind::new(shared, owner.is_some()),
            to_release: owner.map(|owner| ToRelease {
                owner,
                region: (memory.as_ptr().addr(), memory.len()),
                range: (range.start, range.end),
            }),
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

/// A range of a region, or of the whole address space, which is to be sent.
#[derive(Clone, Copy)]
pub(in crate::file) struct RegionRange<'buf> {
    pub(in crate::file) bytes: SharedVec<'buf, Source>,
    /// The address at which the region ends. The pointer of `bytes` is valid up to there.
    pub(in crate::file) region_end: usize,
    pub(in crate::file) kind: Kind,
    /// What is to be released once the bytes were sent.
    pub(in crate::file) to_release: Option<ToRelease<'buf>>,
}

/// What the bytes of a range are, and whether their owner releases them once they were sent. Only ranges of one
/// kind share an entry of the queue.
// One byte for both: a second store makes `put_region` slower by 3 % in the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::file) enum Kind {
    Exclusive,
    ExclusiveReleased,
    Shared,
    SharedReleased,
    /// Put [by address](RegionRange::raw).
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

    /// Whether others may write the bytes.
    #[inline]
    pub(in crate::file) const fn is_shared(self) -> bool {
        !matches!(self, Self::Exclusive | Self::ExclusiveReleased)
    }
}

impl<'buf> RegionRange<'buf> {
    /// A range that is given by its address.
    ///
    /// # Safety
    ///
    /// The memory must be valid for reads of initialised bytes for as long as this range, or an entry of the
    /// queue that it is a part of, is read. Its pointer must be valid for the bytes of all ranges that are
    /// joined to it because their addresses follow it.
    pub(in crate::file) unsafe fn raw(
        bytes: Piece<'_, Source>,
        owner: Option<&'buf (dyn Release + Sync)>,
    ) -> Self {
        let kind = if owner.is_some() { Kind::RawReleased } else { Kind::Raw };
        let start = bytes.as_ptr().addr();
        let range = (start, start.saturating_add(bytes.len()));
        // SAFETY: the caller's promise.
        let bytes = unsafe { SharedVec::from_raw_parts(bytes.as_ptr().cast_mut(), bytes.len()) };
        // All addresses are of one region.
        let to_release = owner.map(|owner| ToRelease { owner, region: (0, usize::MAX), range });
        Self { bytes, region_end: usize::MAX, kind, to_release }
    }

    /// The bytes, as what they are.
    pub(in crate::file) fn bytes(&self) -> Bytes<'buf> {
        // SAFETY: a range that is not shared is one of a region that was made of a `KVec`.
        unsafe { Bytes::new(self.bytes, self.kind.is_shared()) }
    }
}

/// A range whose owner is told once it was sent.
#[derive(Clone, Copy)]
pub(in crate::file) struct ToRelease<'buf> {
    owner: &'buf (dyn Release + Sync),
    /// The address and the length of the region.
    region: (usize, usize),
    /// Offsets there, or addresses: the first, and the one past the last.
    range: (usize, usize),
}

impl ToRelease<'_> {
    /// Makes `next` a part of this one if it continues it in the same region.
    pub(in crate::file) fn absorb(&mut self, next: &Self) -> bool {
        // The type of the owner counts as well: its first field may be another owner, at the same address.
        let continues = self.range.1 == next.range.0
            && self.region == next.region
            && core::ptr::eq(self.owner, next.owner);
        if continues {
            self.range.1 = next.range.1;
        }
        continues
    }

    /// Tells the owner that the bytes were sent.
    pub(in crate::file) fn release(self) {
        self.owner.release(self.range.0..self.range.1);
    }
}

impl fmt::Debug for ToRelease<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToRelease")
            .field("region", &self.region)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
