//! Regions of memory that are written without copying, and released after they were sent.

use core::fmt;
use core::ops::Range;

use super::error::Error;
use crate::direction::Source;
use crate::segment::KVec;

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
#[derive(Clone, Copy)]
pub struct Region<'buf> {
    memory: KVec<'buf, Source>,
    release: Option<&'buf (dyn Release + Sync)>,
}

/// What to do with memory whose contents have been sent and are not needed any more.
///
/// An implementation that really drops the contents must know that nobody else relies on them:
/// the region that it serves was borrowed for reading.
pub trait Release {
    /// The bytes of `range`, offsets in the region, have been taken by the channel entirely.
    ///
    /// Ranges that follow each other in the region and were sent by one flush come as one. A failure is the
    /// implementation's own business: the stream is not affected.
    fn release(&self, range: Range<usize>);
}

impl<'buf> Region<'buf> {
    /// A region that is kept.
    #[must_use]
    #[inline]
    pub fn new(memory: impl Into<KVec<'buf, Source>>) -> Self {
        Self { memory: memory.into(), release: None }
    }

    /// A region whose ranges can be released after they were sent.
    ///
    /// Only ranges put with [`FileWriter::put_region_and_release`](super::FileWriter::put_region_and_release)
    /// are.
    #[must_use]
    pub fn with_release(
        memory: impl Into<KVec<'buf, Source>>,
        release: &'buf (dyn Release + Sync),
    ) -> Self {
        Self { memory: memory.into(), release: Some(release) }
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

    /// The part of the region that `range` describes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRegion`] if it leaves the region or is reversed.
    #[inline]
    pub(super) fn part(&self, range: Range<usize>, release: bool) -> Result<Part<'buf>, Error> {
        let len = range.end.checked_sub(range.start).ok_or(Error::OutOfRegion)?;
        if range.end > self.memory.len() {
            return Err(Error::OutOfRegion);
        }
        let release = release && self.release.is_some();
        Ok(Part { region: *self, offset: range.start, len, release })
    }

    /// Whether both describe the same memory, so that offsets in them mean the same bytes, and
    /// release it in the same way.
    #[inline]
    fn is(&self, other: &Self) -> bool {
        let same_owner = match (self.release, other.release) {
            (None, None) => true,
            (Some(one), Some(other)) => core::ptr::eq(one, other),
            _ => false,
        };
        same_owner
            && core::ptr::eq(self.memory.as_ptr(), other.memory.as_ptr())
            && self.memory.len() == other.memory.len()
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("len", &self.memory.len())
            .field("releasable", &self.release.is_some())
            .finish()
    }
}

/// A range of a region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'buf> {
    region: Region<'buf>,
    offset: usize,
    pub(super) len: usize,
    pub(super) release: bool,
}

impl<'buf> Part<'buf> {
    /// The bytes.
    #[inline]
    pub(super) fn as_slice(&self) -> &'buf [u8] {
        let rest = self.region.memory.as_slice().get(self.offset..).unwrap_or_default();
        rest.get(..self.len).unwrap_or(rest)
    }

    /// Makes `next` a part of this one if it continues it in the same region.
    #[inline]
    pub(super) fn absorb(&mut self, next: &Self) -> bool {
        let continues = self.offset.saturating_add(self.len) == next.offset
            && self.release == next.release
            && self.region.is(&next.region);
        if continues {
            self.len = self.len.saturating_add(next.len);
        }
        continues
    }

    /// Tells the region's owner that the bytes were sent.
    pub(super) fn give_back(&self) {
        if let Some(release) = self.region.release {
            release.release(self.offset..self.offset.saturating_add(self.len));
        }
    }
}
