//! What runs in the guest: reads and writes of a disk or a file, of any size and from several processes,
//! beside a copy of all of it in memory.

use std::{
    fs::{File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{IoSlice, IoSliceMut},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use rustix::{
    fs::{Advice, OFlags, fadvise},
    io::{preadv, pwritev},
};

use crate::request::Random;

/// A range of a disk or a file, for one process.
pub struct Work {
    pub path: PathBuf,
    pub offset: u64,
    pub len: usize,
    /// Positions and sizes are multiples of this.
    pub unit: usize,
    /// Whether the guest's page cache is left out.
    pub direct: bool,
    /// The largest size of a request.
    pub largest: usize,
    pub seed: u64,
}

/// A buffer that was read into, and stays as it is for a while. What the device writes to memory is lost in
/// a migration that misses it; a read that ended before the migration shows that, in a check after it.
struct Kept {
    bytes: Buffer,
    len: usize,
    hash: u64,
}

/// Bytes at an address that direct requests can use.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn new(len: usize) -> Self {
        let bytes = vec![0; len + 4096];
        let start = bytes.as_ptr().align_offset(4096);
        Self { bytes, start }
    }

    fn get(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + len]
    }
}

const KEPT: usize = 64;
const MOST_PIECES: u64 = 8;

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Kept {
    fn check(&mut self) -> Result<()> {
        let same = hash(self.bytes.get(self.len)) == self.hash;
        ensure!(same, "memory that was read into a while ago has changed");
        Ok(())
    }
}

impl Work {
    fn open(&self) -> Result<File> {
        let flags = if self.direct { OFlags::DIRECT } else { OFlags::empty() };
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(&self.path)
            .with_context(|| self.path.display().to_string())
    }

    /// Fills the range, then reads and writes it until there is a file `until`, then reads all of it.
    ///
    /// # Errors
    ///
    /// If a request fails, or if the range ever holds what was not written.
    pub fn run(&self, until: &Path) -> Result<u64> {
        let file = self.open()?;
        let random = &mut Random(self.seed);
        let mut copy = vec![0; self.len];
        let mut buffer = Buffer::new(self.largest);
        for start in (0..self.len).step_by(self.largest) {
            let piece = buffer.get(self.largest.min(self.len - start));
            fill(piece, random);
            copy[start..start + piece.len()].copy_from_slice(piece);
            self.write(&file, start, piece, random)?;
        }
        let mut kept: Vec<Kept> = (0..KEPT)
            .map(|_| Kept { bytes: Buffer::new(self.largest), len: 0, hash: hash(&[]) })
            .collect();
        let mut requests = 0;
        while requests % 16 != 0 || !until.exists() {
            requests += 1;
            let units = 1 + random.below((self.largest / self.unit) as u64) as usize;
            let len = self.unit * units;
            let start =
                self.unit * random.below(((self.len - len) / self.unit) as u64 + 1) as usize;
            if random.one_in(2) {
                let piece = buffer.get(len);
                fill(piece, random);
                copy[start..start + len].copy_from_slice(piece);
                self.write(&file, start, piece, random)?;
                if !self.direct && random.one_in(8) {
                    // So that reads find the device and not the cache.
                    file.sync_all()?;
                    fadvise(&file, 0, None, Advice::DontNeed)?;
                }
            } else {
                let kept = &mut kept[random.below(KEPT as u64) as usize];
                kept.check()?;
                self.read(&file, start, kept.bytes.get(len), random)?;
                let place = self.offset + start as u64;
                ensure!(
                    kept.bytes.get(len) == &copy[start..start + len],
                    "{len} bytes at {place} are not what was written"
                );
                (kept.len, kept.hash) = (len, hash(&copy[start..start + len]));
            }
        }
        for kept in &mut kept {
            kept.check()?;
        }
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        for start in (0..self.len).step_by(self.largest) {
            let piece = buffer.get(self.largest.min(self.len - start));
            self.read(&file, start, piece, random)?;
            ensure!(
                *piece == copy[start..start + piece.len()],
                "at the end the {} bytes at {} are not what was written",
                piece.len(),
                self.offset + start as u64
            );
        }
        Ok(requests)
    }

    fn write(&self, file: &File, start: usize, bytes: &[u8], random: &mut Random) -> Result<()> {
        let pieces: Vec<_> = self
            .ends(bytes.len(), random)
            .windows(2)
            .map(|ends| IoSlice::new(&bytes[ends[0]..ends[1]]))
            .collect();
        let count = pwritev(file, &pieces, self.offset + start as u64).context("write")?;
        ensure!(count == bytes.len(), "{count} of {} bytes were written", bytes.len());
        Ok(())
    }

    fn read(
        &self,
        file: &File,
        start: usize,
        mut bytes: &mut [u8],
        random: &mut Random,
    ) -> Result<()> {
        let len = bytes.len();
        let mut pieces = vec![];
        for ends in self.ends(len, random).windows(2) {
            let (piece, rest) = bytes.split_at_mut(ends[1] - ends[0]);
            pieces.push(IoSliceMut::new(piece));
            bytes = rest;
        }
        let count = preadv(file, &mut pieces, self.offset + start as u64).context("read")?;
        ensure!(count == len, "{count} of {len} bytes were read");
        Ok(())
    }

    /// Where the pieces of a buffer begin and end.
    fn ends(&self, len: usize, random: &mut Random) -> Vec<usize> {
        let mut ends = vec![0, len];
        for _ in 0..random.below(MOST_PIECES) {
            ends.push(self.unit * random.below((len / self.unit) as u64) as usize);
        }
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

fn fill(bytes: &mut [u8], random: &mut Random) {
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
    }
}
