//! The guest's memory as a stream builds it up: where its pages go, and how they are decoded.

use std::fs::File;
use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use iov_iter::file::{FileReader, ReadChannel};

use crate::output::{Encoding, Place};
use crate::ram::Block;
use crate::{Failure, Stopped};

/// Pages that are elsewhere in the file are moved in pieces of so many bytes.
const PIECE: usize = 1 << 20;

/// Takes the pages of memory. What was never written is zero.
pub trait Memory {
    /// Takes `bytes` at `offset` of a block.
    fn write(&mut self, block: usize, offset: u64, bytes: &[u8]) -> Result<(), Failure>;
    /// Takes a page of zeros.
    fn clear(&mut self, place: Place) -> Result<(), Failure>;
    /// The bytes at `offset` of a block, as they were written last.
    fn read(&mut self, block: usize, offset: u64, into: &mut [u8]) -> Result<(), Failure>;
}

/// Decodes pages and hands them to a memory.
#[derive(Debug)]
pub struct Pages<M> {
    pub memory: M,
    page: Vec<u8>,
    data: Vec<u8>,
}

impl<M: Memory> Pages<M> {
    pub const fn new(memory: M) -> Self {
        Self { memory, page: Vec::new(), data: Vec::new() }
    }

    /// Takes a page that `reader` gives next.
    pub fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        self.page.resize(place.len, 0);
        reader.get_exact(&mut self.page)?;
        Ok(self.memory.write(place.block, place.offset, &self.page)?)
    }

    /// Takes a page all of whose bytes are `fill`.
    pub fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        if fill == 0 {
            return Ok(self.memory.clear(place)?);
        }
        self.page.clear();
        self.page.resize(place.len, fill);
        Ok(self.memory.write(place.block, place.offset, &self.page)?)
    }

    /// Takes a page that `reader` gives next in `len` bytes.
    pub fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        how: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        let Self { memory, page, data } = self;
        data.resize(len, 0);
        page.resize(place.len, 0);
        reader.get_exact(data)?;
        let decoded = match how {
            Encoding::Xbzrle => {
                memory.read(place.block, place.offset, page)?;
                apply(data, page)
            }
            Encoding::Deflate => inflate(data, page),
        };
        decoded.ok_or(Stopped::Damaged("the encoded page is damaged"))?;
        Ok(memory.write(place.block, place.offset, page)?)
    }

    /// Takes the pages of a block that are elsewhere in the file of `reader`.
    pub fn mapped<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        index: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        let Self { memory, data, .. } = self;
        let Some(mapped) = &block.mapped else { return Ok(()) };
        mapped.for_each_run(reader, |reader, start, len| {
            let (mut offset, mut left) = (start, len);
            while left > 0 {
                data.resize(usize::try_from(left).unwrap_or(PIECE).min(PIECE), 0);
                reader.get_buffer_at(data, mapped.pages.saturating_add(offset))?;
                memory.write(index, offset, data)?;
                offset = offset.saturating_add(data.len() as u64);
                left = left.saturating_sub(data.len() as u64);
            }
            Ok(())
        })
    }
}

/// Applies what has changed: lengths of what is equal and of what is not, in turns; after the latter
/// the new bytes. `None` if these do not fit.
fn apply(mut changes: &[u8], mut page: &mut [u8]) -> Option<()> {
    fn length(bytes: &mut &[u8]) -> Option<usize> {
        let (&low, rest) = bytes.split_first()?;
        *bytes = rest;
        if low & 0x80 == 0 {
            return Some(usize::from(low));
        }
        let (&high, rest) = bytes.split_first()?;
        *bytes = rest;
        (high & 0x80 == 0).then(|| usize::from(low & 0x7f) | usize::from(high) << 7)
    }
    while !changes.is_empty() {
        let equal = length(&mut changes)?;
        page = page.get_mut(equal..)?;
        let changed = length(&mut changes).filter(|len| *len > 0)?;
        let (bytes, rest) = changes.split_at_checked(changed)?;
        let (into, after) = page.split_at_mut_checked(changed)?;
        into.copy_from_slice(bytes);
        (changes, page) = (rest, after);
    }
    Some(())
}

/// Decompresses `data`, which must fill `page`.
fn inflate(data: &[u8], page: &mut [u8]) -> Option<()> {
    let mut zlib = Decompress::new(true);
    let status = zlib.decompress(data, page, FlushDecompress::Finish).ok()?;
    let whole = zlib.total_out() == page.len() as u64;
    (whole && matches!(status, Status::StreamEnd | Status::Ok | Status::BufError)).then_some(())
}

/// Writes all of `bytes` at `offset`.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(not(unix))]
    {
        use std::io::{Seek, SeekFrom, Write};
        (&mut &*file).seek(SeekFrom::Start(offset))?;
        (&mut &*file).write_all(bytes)
    }
}

/// Fills `into` with the bytes at `offset`; zeros follow the end of the file.
pub fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0_usize;
    while let room @ [_, ..] = into.get_mut(filled..).unwrap_or_default() {
        let at = offset.saturating_add(filled as u64);
        #[cfg(unix)]
        let got = std::os::unix::fs::FileExt::read_at(file, room, at);
        #[cfg(not(unix))]
        let got = {
            use std::io::{Read, Seek, SeekFrom};
            (&mut &*file).seek(SeekFrom::Start(at)).and_then(|_| (&mut &*file).read(room))
        };
        match got {
            Ok(0) => {
                room.fill(0);
                break;
            }
            Ok(got) => filled = filled.saturating_add(got),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
