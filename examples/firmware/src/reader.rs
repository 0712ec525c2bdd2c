//! Sectors of a disk as a stream of bytes.

use core::ops::Range;

use iov_iter::{IovIter, Source};

use crate::disk::{Disk, Error, SECTOR};
use crate::scattered::{self, Scattered};

/// The lengths of the parts that sectors are read into: more than one chain of descriptors takes,
/// few of them whole sectors, some odd, one empty.
const PARTS: [usize; 20] = [
    700, 3, 2048, 1, 509, 0, 1536, 37, 512, 4096, 5, 1019, 250, 774, 2, 3001, 511, 1025, 333, 2048,
];
const GUARD: usize = 13;
/// Bytes that a reader needs.
pub const MEMORY: usize = scattered::memory(&PARTS, GUARD);

/// A disk, and the memory through which its sectors come.
pub struct Reader<'m> {
    disk: Disk,
    parts: Scattered<'m, { PARTS.len() }>,
}

impl<'m> Reader<'m> {
    pub fn new(disk: Disk, memory: &'m mut [u8; MEMORY]) -> Self {
        Self { disk, parts: Scattered::cut(memory, PARTS, GUARD) }
    }

    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether nothing was written outside of the parts.
    pub fn guards_hold(&self) -> bool {
        self.parts.guards_hold()
    }

    /// Reads sectors, as many at a time as the parts hold, and hands the bytes of each time to
    /// `step`.
    ///
    /// These are whole sectors. The first error, of the disk or of a step, ends the reading.
    pub fn read<E: From<Error>>(
        &mut self,
        sectors: Range<u64>,
        mut step: impl FnMut(IovIter<'_, Source>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut sectors = sectors;
        while !sectors.is_empty() {
            let left = sectors.end - sectors.start;
            let count = (self.parts.size() / SECTOR).min(left.try_into().unwrap_or(usize::MAX));
            self.disk.read(sectors.start, count, &mut self.parts.dest())?;
            let segments = self.parts.source();
            let mut bytes = IovIter::from(segments.as_slice());
            bytes.truncate((count * SECTOR) as u64);
            step(bytes)?;
            sectors.start += count as u64;
        }
        Ok(())
    }
}
