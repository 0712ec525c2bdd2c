//! Converting: the same machine in the other form, memory as records or mapped into the file.
//!
//! Everything but the configuration and the section with the memory is repeated byte for byte.

use std::fs::File;
use std::io;

use iov_iter::file::{Error, FileReader, ReadChannel, SeekFrom, WriteChannel};

use crate::configuration::Configuration;
use crate::memory::{Memory, Pages, read_at, write_at};
use crate::output::{Copier, Encoding, Output, Place};
use crate::ram::{Block, COMPRESS, CONTINUE, EOS, MEM_SIZE, PAGE, XBZRLE, XBZRLE_ENCODING, ZERO};
use crate::report::Escaped;
use crate::{Failure, Stopped};

/// QEMU begins the pages of a block at a multiple of this.
const ALIGNMENT: u64 = 1 << 20;
/// Pages that are mapped are read in pieces of at most so many bytes.
const PIECE: u64 = 1 << 18;
/// So many bytes of a bitmap are in memory.
const WINDOW: usize = 1 << 16;

/// Implements the elements that are repeated, by `self.repeat()`, which is `None` where others are
/// written instead.
macro_rules! repeat {
    () => {
        fn byte(&mut self, value: u8) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.byte(value))
        }

        fn be16(&mut self, value: u16) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.be16(value))
        }

        fn be32(&mut self, value: u32) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.be32(value))
        }

        fn be64(&mut self, value: u64) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.be64(value))
        }

        fn string(&mut self, bytes: &[u8]) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.string(bytes))
        }

        fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
            self.repeat().map_or(Ok(()), |to| to.bytes(bytes))
        }

        fn pass<R: ReadChannel>(
            &mut self,
            reader: &mut FileReader<R>,
            len: u64,
        ) -> Result<(), Error> {
            match self.repeat() {
                Some(to) => to.pass(reader, len),
                None => reader.skip(len),
            }
        }

        fn begin_configuration(&mut self) -> Result<(), Stopped> {
            self.is_replaced = true;
            Ok(())
        }

        fn begin_records(&mut self) -> Result<(), Stopped> {
            self.is_replaced = true;
            Ok(())
        }

        fn end_records(&mut self) -> Result<(), Stopped> {
            self.is_replaced = false;
            Ok(self.copier.be64(EOS)?)
        }
    };
}

/// Writes a stream whose memory is in records.
#[derive(Debug)]
pub struct ToOrdinary<W: WriteChannel> {
    copier: Copier<W>,
    /// Other elements are written in the place of those that are read.
    is_replaced: bool,
    names: Vec<Vec<u8>>,
    /// The block of the last record.
    current: Option<usize>,
    page: Vec<u8>,
}

impl<W: WriteChannel> ToOrdinary<W> {
    /// Writes to `channel`.
    pub fn new(channel: W) -> Result<Self, Error> {
        let copier = Copier::new(channel)?;
        Ok(Self { copier, is_replaced: false, names: Vec::new(), current: None, page: Vec::new() })
    }

    /// Ends the output: if the input was read to its end what is pending is sent, else not.
    pub fn finish(self, read: Result<(), Failure>) -> Result<(), Failure> {
        finish(self.copier, read)
    }

    fn repeat(&mut self) -> Option<&mut Copier<W>> {
        (!self.is_replaced).then_some(&mut self.copier)
    }

    /// Begins the record of a page.
    fn record(&mut self, block: usize, offset: u64, kind: u64) -> Result<(), Error> {
        if self.current == Some(block) {
            return self.copier.be64(offset | kind | CONTINUE);
        }
        self.current = Some(block);
        self.copier.be64(offset | kind)?;
        let name = self.names.get(block).map(Vec::as_slice).unwrap_or_default();
        self.copier.string(name)
    }

    /// Writes records of zeros from `start` to `end` in a block.
    fn zeros(&mut self, block: usize, start: u64, end: u64, page_size: u64) -> Result<(), Error> {
        let mut offset = start;
        while offset < end {
            self.record(block, offset, ZERO)?;
            self.copier.byte(0)?;
            offset = offset.saturating_add(page_size);
        }
        Ok(())
    }
}

impl<W: WriteChannel> Output for ToOrdinary<W> {
    repeat!();

    fn end_configuration(&mut self, configuration: Option<&Configuration>) -> Result<(), Stopped> {
        self.is_replaced = false;
        configuration.map_or(Ok(()), |configuration| configuration.write(&mut self.copier, false))
    }

    fn blocks(&mut self, blocks: &[Block], _: Option<u64>) -> Result<(), Stopped> {
        list(&mut self.copier, blocks, |_, _| Ok(()))?;
        self.names = blocks.iter().map(|block| block.name.clone()).collect();
        Ok(())
    }

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        self.record(place.block, place.offset, PAGE)?;
        self.copier.page(reader, place)
    }

    fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        how: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        match how {
            Encoding::Xbzrle => {
                self.record(place.block, place.offset, XBZRLE)?;
                self.copier.byte(XBZRLE_ENCODING)?;
                self.copier.be16(u16::try_from(len).unwrap_or_default())?;
            }
            Encoding::Deflate => {
                self.record(place.block, place.offset, COMPRESS)?;
                self.copier.be32(u32::try_from(len).unwrap_or_default())?;
            }
        }
        Ok(self.copier.pass(reader, len as u64)?)
    }

    fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        self.record(place.block, place.offset, ZERO)?;
        Ok(self.copier.byte(fill)?)
    }

    fn contents(&mut self, place: Place, bytes: &[u8]) -> Result<(), Stopped> {
        self.record(place.block, place.offset, PAGE)?;
        Ok(self.copier.bytes(bytes)?)
    }

    fn mapped<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        index: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        let Some(mapped) = &block.mapped else { return Ok(()) };
        let size = usize::try_from(mapped.page_size).unwrap_or(WINDOW);
        let mut page = std::mem::take(&mut self.page);
        let mut done = 0_u64;
        mapped.for_each_run(reader, |reader, start, len| {
            self.zeros(index, done, start, mapped.page_size)?;
            done = start.saturating_add(len);
            let mut offset = start;
            while offset < done {
                let piece = done.saturating_sub(offset).min(PIECE);
                page.resize(usize::try_from(piece).unwrap_or_default(), 0);
                reader.get_buffer_at(&mut page, mapped.pages.saturating_add(offset))?;
                for page in page.chunks_exact(size) {
                    self.record(index, offset, PAGE)?;
                    self.copier.bytes(page)?;
                    offset = offset.saturating_add(mapped.page_size);
                }
            }
            Ok(())
        })?;
        self.page = page;
        Ok(self.zeros(index, done, mapped.length, mapped.page_size)?)
    }
}

fn finish<W: WriteChannel>(copier: Copier<W>, read: Result<(), Failure>) -> Result<(), Failure> {
    match read {
        Ok(()) => copier.close().map_err(Failure::from_file),
        Err(failure) => {
            copier.abandon();
            Err(failure)
        }
    }
}

/// Writes the list of blocks; `more` what an entry has besides the usual.
fn list<W: WriteChannel>(
    copier: &mut Copier<W>,
    blocks: &[Block],
    mut more: impl FnMut(&mut Copier<W>, &Block) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let total = blocks.iter().fold(0_u64, |total, block| total.saturating_add(block.length));
    copier.be64(total | MEM_SIZE)?;
    for block in blocks {
        copier.string(&block.name)?;
        copier.be64(block.length)?;
        if let Some(address) = block.address {
            copier.be64(address)?;
        }
        more(copier, block)?;
    }
    Ok(())
}

/// Writes a stream whose memory is mapped into the file.
#[derive(Debug)]
pub struct ToMapped {
    copier: Copier<File>,
    /// Other elements are written in the place of those that are read.
    is_replaced: bool,
    pages: Pages<MappedFile>,
}

/// The memory in the file.
#[derive(Debug)]
struct MappedFile {
    file: File,
    page_size: u64,
    blocks: Vec<Placed>,
    /// A part of a bitmap, and the offset of its first byte in the file.
    window: Vec<u8>,
    window_at: u64,
    /// It differs from the file.
    is_changed: bool,
}

/// Where the parts of a block are in the file.
#[derive(Clone, Copy, Debug, Default)]
struct Placed {
    bitmap: u64,
    bitmap_end: u64,
    pages: u64,
}

impl ToMapped {
    /// Writes to `file`, which is empty.
    pub fn new(file: File) -> Result<Self, Failure> {
        let channel = file.try_clone().map_err(|error| failed(&error))?;
        let copier = Copier::new(channel).map_err(Failure::from_file)?;
        let memory = MappedFile {
            file,
            page_size: 0,
            blocks: Vec::new(),
            window: Vec::new(),
            window_at: 0,
            is_changed: false,
        };
        Ok(Self { copier, is_replaced: false, pages: Pages::new(memory) })
    }

    /// Ends the output: if the input was read to its end what is pending is written, else not.
    pub fn finish(mut self, read: Result<(), Failure>) -> Result<(), Failure> {
        let read = read.and_then(|()| self.pages.memory.flush());
        finish(self.copier, read)
    }

    fn repeat(&mut self) -> Option<&mut Copier<File>> {
        (!self.is_replaced).then_some(&mut self.copier)
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::Output(error.to_string())
}

impl Output for ToMapped {
    repeat!();

    fn end_configuration(&mut self, configuration: Option<&Configuration>) -> Result<(), Stopped> {
        self.is_replaced = false;
        let Some(configuration) = configuration else {
            let what = "a stream without configuration cannot say that its memory is mapped";
            return Err(Failure::Output(what.into()))?;
        };
        configuration.write(&mut self.copier, true)
    }

    fn blocks(&mut self, blocks: &[Block], page_size: Option<u64>) -> Result<(), Stopped> {
        let Some(page_size) = page_size else {
            let what = "nothing tells the size of pages before the memory: --page-size gives it";
            return Err(Failure::Output(what.into()))?;
        };
        let memory = &mut self.pages.memory;
        memory.page_size = page_size;
        list(&mut self.copier, blocks, |copier, block| {
            copier.be32(1)?;
            copier.be64(page_size)?;
            if block.is_absent {
                memory.blocks.push(Placed::default());
                copier.be64(0)?;
                return Ok(copier.be64(0)?);
            }
            let bitmap = copier.offset()?.saturating_add(16);
            let pages = block.length.checked_div(page_size).unwrap_or_default();
            let bitmap_len = pages.div_ceil(64).saturating_mul(8);
            let end = bitmap.checked_add(bitmap_len);
            let pages = end.and_then(|end| end.checked_next_multiple_of(ALIGNMENT));
            let next = pages.and_then(|pages| pages.checked_add(block.length));
            let (Some(bitmap_end), Some(pages), Some(next)) = (end, pages, next) else {
                let name = Escaped(&block.name);
                let what = format!("block `{name}` is too long for a file");
                return Err(Failure::Output(what))?;
            };
            memory.blocks.push(Placed { bitmap, bitmap_end, pages });
            copier.be64(bitmap)?;
            copier.be64(pages)?;
            Ok(copier.seek(SeekFrom::Start(next))?)
        })
    }

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        self.pages.page(reader, place)
    }

    fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        how: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        self.pages.encoded(reader, place, how, len)
    }

    fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        self.pages.filled(place, fill)
    }

    fn contents(&mut self, place: Place, bytes: &[u8]) -> Result<(), Stopped> {
        Ok(self.pages.memory.write(place.block, place.offset, bytes)?)
    }

    fn mapped<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        index: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        self.pages.mapped(reader, index, block)
    }
}

impl MappedFile {
    /// The byte of the bitmap that has the bit of a page, and the bit's value.
    fn bit(&mut self, block: usize, page: u64) -> Result<(&mut u8, u8), Failure> {
        let Placed { bitmap, bitmap_end, .. } = self.placed(block);
        let at = bitmap.saturating_add(page >> 3);
        let inside = |start: u64, len: usize| at >= start && at.wrapping_sub(start) < len as u64;
        if !inside(self.window_at, self.window.len()) {
            self.flush()?;
            // What is after the bitmap is written in other ways.
            let len = usize::try_from(bitmap_end.saturating_sub(at)).unwrap_or(WINDOW);
            self.window.resize(len.min(WINDOW), 0);
            self.window_at = at;
            read_at(&self.file, &mut self.window, at).map_err(|error| failed(&error))?;
        }
        let index = usize::try_from(at.wrapping_sub(self.window_at)).unwrap_or_default();
        let byte = self.window.get_mut(index);
        let byte = byte.ok_or_else(|| Failure::Output("a page has no bit in a bitmap".into()))?;
        Ok((byte, 1_u8 << (page & 7)))
    }

    /// Writes the part of the bitmap that is in memory.
    fn flush(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_changed) {
            write_at(&self.file, &self.window, self.window_at).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn page_of(&self, offset: u64) -> u64 {
        offset.checked_div(self.page_size).unwrap_or_default()
    }

    fn offset_in_file(&self, block: usize, offset: u64) -> u64 {
        self.placed(block).pages.saturating_add(offset)
    }

    fn placed(&self, block: usize) -> Placed {
        self.blocks.get(block).copied().unwrap_or_default()
    }
}

impl Memory for MappedFile {
    fn write(&mut self, block: usize, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let at = self.offset_in_file(block, offset);
        write_at(&self.file, bytes, at).map_err(|error| failed(&error))?;
        let end = offset.saturating_add(bytes.len() as u64);
        for page in self.page_of(offset)..self.page_of(end) {
            let (byte, bit) = self.bit(block, page)?;
            *byte |= bit;
            self.is_changed = true;
        }
        Ok(())
    }

    fn clear(&mut self, place: Place) -> Result<(), Failure> {
        let page = self.page_of(place.offset);
        let (byte, bit) = self.bit(place.block, page)?;
        if *byte & bit != 0 {
            *byte &= !bit;
            self.is_changed = true;
        }
        Ok(())
    }

    fn read(&mut self, block: usize, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let page = self.page_of(offset);
        let (byte, bit) = self.bit(block, page)?;
        if *byte & bit == 0 {
            into.fill(0);
            return Ok(());
        }
        let at = self.offset_in_file(block, offset);
        read_at(&self.file, into, at).map_err(|error| failed(&error))
    }
}

impl<W: WriteChannel> Copier<W> {
    /// The offset of the next byte in the file.
    fn offset(&mut self) -> Result<u64, Error> {
        self.writer.offset()
    }

    /// Goes on at another place of the file.
    fn seek(&mut self, to: SeekFrom) -> Result<(), Error> {
        self.writer.seek(to).map(drop)
    }
}
