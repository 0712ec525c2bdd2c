//! mapped-ram: the pages of a block at places of the file that the block list tells.
//!
//! ```text
//!   entry of the list   name, length, header: version, page size, where the bitmap and the pages are
//!   bitmap              a bit for each page, set if the page is in the file; else it is zero
//!   pages               page i at i times the page size; the stream goes on after the last
//! ```
//!
//! All offsets count from the start of the file, wherever the stream begins in it.

use iov_iter::file::{FileReader, ReadChannel};

use crate::output::Output;
use crate::page_size::{PageSize, Source, is_valid};
use crate::report::Escaped;
use crate::{Failure, Input, Stopped};

const VERSION: u32 = 1;
/// A bitmap is read in pieces of so many bytes.
const PIECE: usize = 1 << 16;

/// Where in the file the pages of a block are.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    pub page_size: u64,
    /// The offset of the bitmap in the file.
    pub bitmap: u64,
    /// The offset of the first page in the file.
    pub pages: u64,
    /// The length of the block in bytes.
    pub length: u64,
}

/// A part of the file that is used for one purpose.
#[derive(Debug)]
pub struct Region {
    start: u64,
    end: u64,
    /// The purpose.
    what: String,
    /// The offset of the number that says where the part is.
    told_at: u64,
}

impl Mapped {
    /// Reads the header of block `name` and goes on after its pages. `None` if the block is shared
    /// memory, which is not in the file.
    pub fn read<O: Output>(
        input: &mut Input<'_, O>,
        name: &[u8],
        length: u64,
        known: &mut PageSize,
        regions: &mut Vec<Region>,
    ) -> Result<Option<Self>, Failure> {
        let at = input.begin("header of mapped memory");
        let name = Escaped(name);
        let Some(file) = input.tail().map(|tail| tail.length) else {
            let what = "mapped-ram in a pipe: it can only be read from a file";
            return Err(Failure::at(at, what));
        };
        let version = input.be32()?;
        if version != VERSION {
            return Err(Failure::at(at, format!("unknown version {version} of mapped-ram")));
        }
        let size_at = input.position();
        let page_size = input.be64()?;
        if !is_valid(page_size) {
            return Err(Failure::at(size_at, format!("page size {page_size} of block `{name}`")));
        }
        known.tell(page_size, Source::Mapped, size_at)?;
        if length & page_size.wrapping_sub(1) != 0 {
            let what = format!("length {length:#x} of RAM block `{name}` is not whole pages");
            return Err(Failure::at(size_at, what));
        }
        let bitmap_at = input.position();
        let bitmap = input.be64()?;
        let pages_at = input.position();
        let pages = input.be64()?;
        if (bitmap, pages) == (0, 0) {
            return Ok(None);
        }
        if pages & page_size.wrapping_sub(1) != 0 {
            let what = format!("the pages of block `{name}` at {pages:#x} are not at a whole page");
            return Err(Failure::at(pages_at, what));
        }
        let mapped = Self { page_size, bitmap, pages, length };
        let Some(end) = pages.checked_add(length).filter(|end| *end <= file) else {
            let what = format!(
                "the {length:#x} bytes of block `{name}` at {pages:#x} exceed the file, which has \
                 {file:#x}"
            );
            return Err(Failure::at(pages_at, what));
        };
        let Some(bitmap_end) = bitmap.checked_add(mapped.bitmap_len()).filter(|it| *it <= file)
        else {
            let what = format!(
                "the bitmap of block `{name}` at {bitmap:#x} exceeds the file, which has {file:#x}"
            );
            return Err(Failure::at(bitmap_at, what));
        };
        let position = input.position();
        if pages < position {
            let what = format!("the pages of block `{name}` at {pages:#x} are before its header");
            return Err(Failure::at(pages_at, what));
        }
        let stream = regions.last().map_or(0, |last| last.end);
        regions.push(Region {
            start: bitmap,
            end: bitmap_end,
            what: format!("the bitmap of block `{name}`"),
            told_at: bitmap_at,
        });
        let what = format!("the header of block `{name}`");
        regions.push(Region { start: stream, end: position, what, told_at: at });
        // Last: the next header begins at its end.
        let what = format!("the pages of block `{name}`");
        regions.push(Region { start: pages, end, what, told_at: pages_at });
        input.jump(end)?;
        Ok(Some(mapped))
    }

    /// The bytes of the bitmap that have bits of pages.
    pub const fn bitmap_len(&self) -> u64 {
        self.page_count().div_ceil(8)
    }

    const fn page_count(&self) -> u64 {
        match self.length.checked_div(self.page_size) {
            Some(count) => count,
            None => 0,
        }
    }

    /// Calls `each` with the offset and the length, in the block, of each run of pages that are in
    /// the file, in order. A run may be given in several parts.
    pub fn for_each_run<R: ReadChannel>(
        &self,
        reader: &mut FileReader<R>,
        mut each: impl FnMut(&mut FileReader<R>, u64, u64) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        let mut piece = vec![0; PIECE.min(usize::try_from(self.bitmap_len()).unwrap_or(PIECE))];
        let mut done = 0_u64;
        while done < self.bitmap_len() {
            let left = usize::try_from(self.bitmap_len().saturating_sub(done)).unwrap_or(PIECE);
            let bytes = piece.get_mut(..left.min(PIECE)).unwrap_or_default();
            reader.get_buffer_at(bytes, self.bitmap.saturating_add(done))?;
            let first = done.saturating_mul(8);
            let pages = self.page_count().saturating_sub(first);
            let mut index = 0;
            while let Some((start, end)) = next_run(bytes, index, pages) {
                index = end;
                let offset = first.saturating_add(start).saturating_mul(self.page_size);
                let len = end.saturating_sub(start).saturating_mul(self.page_size);
                each(reader, offset, len)?;
            }
            done = done.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }
}

/// The next run of set bits from bit `from` on: its first, and the one after its last. Of `bytes`
/// only the first `count` bits mean anything.
fn next_run(bytes: &[u8], from: u64, count: u64) -> Option<(u64, u64)> {
    let limit = count.min((bytes.len() as u64).saturating_mul(8));
    let next = |from, flip| next_bit(bytes, from, flip).unwrap_or(limit).min(limit);
    let start = next(from, 0);
    (start < limit).then(|| (start, next(start, 0xff)))
}

/// The next bit from bit `from` on that is set, once all bits are exclusive-ored with `flip`.
fn next_bit(bytes: &[u8], from: u64, flip: u8) -> Option<u64> {
    let first = usize::try_from(from >> 3).ok()?;
    let mut mask = 0xff_u8 << (from & 7);
    for (index, byte) in bytes.iter().enumerate().skip(first) {
        let found = (byte ^ flip) & mask;
        if found != 0 {
            let bit = u64::from(found.trailing_zeros());
            return (index as u64).checked_mul(8)?.checked_add(bit);
        }
        mask = 0xff;
    }
    None
}

/// Refuses regions that overlap.
pub fn check_regions(mut regions: Vec<Region>) -> Result<(), Failure> {
    regions.sort_by_key(|region| (region.start, region.end));
    for pair in regions.windows(2) {
        let [one, other] = pair else { continue };
        if one.end > other.start {
            let what = format!("{} at {:#x} overlaps {}", other.what, other.start, one.what);
            return Err(Failure::at(one.told_at.max(other.told_at), what));
        }
    }
    Ok(())
}
