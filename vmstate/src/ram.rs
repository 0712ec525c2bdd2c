//! The `ram` section: the list of blocks, and the records of their pages.

use std::collections::HashMap;
use std::fmt;

use crate::configuration::Configuration;
use crate::mapped::{Mapped, Region, check_regions};
use crate::multifd::Channels;
use crate::output::{Encoding, Output, Place};
use crate::page_size::{GUESSES, PageSize, USUAL, flags};
use crate::report::Escaped;
use crate::{Failure, Input};

const BLOCK_LIMIT: usize = 4096;
/// How many bytes longer than the page its compressed form may be.
const COMPRESS_EXCESS: usize = 4096;
/// The header of a record that continues a block, and the byte that fills the page.
const ZERO_RECORD: usize = 8 + 1;
/// The longest name of a block and the byte that tells its length.
const LONGEST_NAME: usize = 1 + 255;

// Flags of a record: the bits of its header that are below the page size.
const FULL: u64 = 0x001;
pub const ZERO: u64 = 0x002;
pub const MEM_SIZE: u64 = 0x004;
pub const PAGE: u64 = 0x008;
pub const EOS: u64 = 0x010;
pub const CONTINUE: u64 = 0x020;
pub const XBZRLE: u64 = 0x040;
const HOOK: u64 = 0x080;
pub const COMPRESS: u64 = 0x100;
const MULTIFD_FLUSH: u64 = 0x200;

/// The first byte of an XBZRLE record.
pub const XBZRLE_ENCODING: u8 = 0x01;

/// The state of the `ram` section, which has several parts in the stream.
#[derive(Debug)]
pub struct Ram {
    pub id: u32,
    pub page_size: PageSize,
    pub total: u64,
    /// How many PART sections there are.
    pub parts: u64,
    /// How many END sections there are.
    pub ends: u64,
    pub blocks: Vec<Block>,
    index: HashMap<Vec<u8>, usize>,
    /// The block of the last page record, in whatever part of the section that was.
    current: Option<usize>,
    has_addresses: bool,
    /// The pages are where the list of blocks says.
    is_mapped: bool,
}

/// A block of the guest's memory, and how many records there are of its pages.
#[derive(Debug, Default)]
pub struct Block {
    pub name: Vec<u8>,
    pub length: u64,
    pub address: Option<u64>,
    pub zero: u64,
    /// Pages filled with another byte than zero.
    pub filled: u64,
    pub normal: u64,
    pub xbzrle: u64,
    pub compressed: u64,
    /// Where its pages are, if they are in no records.
    pub mapped: Option<Mapped>,
    /// It is shared memory that is not in the file.
    pub is_absent: bool,
    /// How many pages the file has of it, if it is mapped.
    pub present: u64,
}

impl Ram {
    /// A section that has just begun.
    pub fn new(id: u32, page_size: PageSize, configuration: Option<&Configuration>) -> Self {
        Self {
            id,
            page_size,
            total: 0,
            parts: 0,
            ends: 0,
            blocks: Vec::new(),
            index: HashMap::new(),
            current: None,
            has_addresses: configuration.is_some_and(Configuration::ignores_shared),
            is_mapped: configuration.is_some_and(Configuration::maps_ram),
        }
    }

    /// Reads the payload of START: the list of blocks, then records.
    pub fn start<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        channels: &mut Channels<'_>,
    ) -> Result<(), Failure> {
        let at = input.begin("list of RAM blocks");
        input.output().begin_records().map_err(|why| input.stopped(why))?;
        let header = input.be64()?;
        let flags = self.page_size.flags();
        if header & flags != MEM_SIZE {
            return Err(Failure::at(at, "the ram section does not begin with its blocks"));
        }
        self.total = header & !flags;
        let mut rest = self.total;
        let mut regions = Vec::new();
        while rest > 0 {
            rest = rest.saturating_sub(self.block(input, rest, &mut regions)?);
        }
        check_regions(regions)?;
        let listed = input.output().blocks(&self.blocks, self.page_size.get());
        listed.map_err(|why| input.stopped(why))?;
        for (index, block) in self.blocks.iter_mut().enumerate() {
            if let Some(mapped) = &block.mapped {
                block.present = input.present(mapped)?;
                input.mapped(index, block)?;
            }
        }
        self.rest_of_records(input, channels)
    }

    /// Reads page records up to the one that ends the payload.
    pub fn records<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        channels: &mut Channels<'_>,
    ) -> Result<(), Failure> {
        input.output().begin_records().map_err(|why| input.stopped(why))?;
        self.rest_of_records(input, channels)
    }

    fn rest_of_records<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        channels: &mut Channels<'_>,
    ) -> Result<(), Failure> {
        while self.record(input, channels)? {}
        input.output().end_records().map_err(|why| input.stopped(why))
    }

    /// Reads an entry of the block list and returns the length of the block, at most `rest`.
    fn block<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        rest: u64,
        regions: &mut Vec<Region>,
    ) -> Result<u64, Failure> {
        let at = input.position();
        if self.blocks.len() >= BLOCK_LIMIT {
            return Err(Failure::at(at, format!("more than {BLOCK_LIMIT} RAM blocks")));
        }
        let name = input.name("RAM block")?;
        let escaped = Escaped(&name);
        if self.index.contains_key(&name) {
            return Err(Failure::at(at, format!("second RAM block `{escaped}`")));
        }
        let at = input.position();
        let length = input.be64()?;
        if length == 0 || !self.page_size.fits(length) {
            let what = format!("length {length:#x} of RAM block `{escaped}` is not whole pages");
            return Err(self.wrong(at, what));
        }
        if length > rest {
            let what = format!(
                "length {length:#x} of RAM block `{escaped}`, but only {rest:#x} of the total left"
            );
            return Err(Failure::at(at, what));
        }
        let address = if self.has_addresses { Some(input.be64()?) } else { None };
        let mapped = if self.is_mapped {
            Mapped::read(input, &name, length, &mut self.page_size, regions)?
        } else {
            None
        };
        self.index.insert(name.clone(), self.blocks.len());
        let is_absent = self.is_mapped && mapped.is_none();
        self.blocks.push(Block { name, length, address, mapped, is_absent, ..Block::default() });
        Ok(length)
    }

    /// Reads a record; whether more follow.
    fn record<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        channels: &mut Channels<'_>,
    ) -> Result<bool, Failure> {
        let at = input.begin("RAM record");
        let header = input.be64()?;
        let mask = self.page_size.flags();
        let (flags, address) = (header & mask, header & !mask);
        match flags {
            EOS if address == 0 => {
                let page_size = self.page_size.get();
                channels.at_end(input, at, &mut self.blocks, page_size)?;
                return Ok(false);
            }
            EOS => return Err(Failure::at(at, format!("end of RAM records at {address:#x}"))),
            MEM_SIZE => return Err(Failure::at(at, "second list of RAM blocks")),
            _ if self.is_mapped => {
                let what = format!("record {header:#x}, although the memory is mapped");
                return Err(Failure::at(at, what));
            }
            MULTIFD_FLUSH if address == 0 && !channels.is_empty() => {
                let page_size = self.page_size.get().unwrap_or(USUAL);
                channels.at_record(input, at, &mut self.blocks, page_size)?;
                return Ok(true);
            }
            _ => {}
        }
        let kind = flags & !CONTINUE;
        if !is_page(kind) {
            return Err(self.wrong(at, unknown(header, flags)));
        }
        if !self.page_size.fits(address) {
            return Err(self.wrong(at, format!("page {address:#x} is not at a whole page")));
        }
        if flags & CONTINUE == 0 {
            self.current = Some(self.named_block(input)?);
        }
        let page_size = match self.page_size.get() {
            Some(size) => size,
            None if kind == ZERO => self.page_size.most(),
            None if kind == PAGE => self.guess_page_size(input)?,
            // The length of an encoded page does not tell the size.
            None => self.page_size.guess(USUAL),
        };
        let block = self.current.and_then(|index| self.blocks.get_mut(index));
        let block = block.ok_or_else(|| Failure::at(at, "CONTINUE without a block"))?;
        // Offset and length are multiples of the page size.
        if address >= block.length {
            let name = Escaped(&block.name);
            return Err(Failure::at(at, format!("page {address:#x} is beyond block `{name}`")));
        }
        let place = Place {
            block: self.current.unwrap_or_default(),
            offset: address,
            len: usize::try_from(page_size).unwrap_or_default(),
        };
        match kind {
            ZERO => {
                block.zero = block.zero.saturating_add(1);
                let fill = input.byte()?;
                if fill != 0 {
                    block.filled = block.filled.saturating_add(1);
                }
                input.output().filled(place, fill).map_err(|why| input.stopped(why))?;
                self.zeros(input)?;
            }
            PAGE => {
                block.normal = block.normal.saturating_add(1);
                input.page(place)?;
            }
            XBZRLE => {
                block.xbzrle = block.xbzrle.saturating_add(1);
                xbzrle(input, place)?;
            }
            _ => {
                block.compressed = block.compressed.saturating_add(1);
                compressed(input, place)?;
            }
        }
        Ok(true)
    }

    /// Passes the records of more zero pages of the same block, as far as they are buffered: where there are
    /// some there are many. Whatever is special about a record is left to [`record`](Self::record).
    fn zeros<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<(), Failure> {
        let index = self.current.unwrap_or_default();
        let Some(block) = self.blocks.get_mut(index) else { return Ok(()) };
        let mask = self.page_size.flags();
        let (buffered, output) = input.buffered()?;
        let mut count = 0_usize;
        for record in buffered.as_chunks::<ZERO_RECORD>().0 {
            let [header @ .., fill] = *record;
            let header = u64::from_be_bytes(header);
            let address = header & !mask;
            if header & mask != ZERO | CONTINUE
                || fill != 0
                || address >= block.length
                || !self.page_size.fits(address)
            {
                break;
            }
            let len = usize::try_from(self.page_size.most()).unwrap_or_default();
            let filled = output.filled(Place { block: index, offset: address, len }, fill);
            if let Err(why) = filled {
                return Err(input.stopped(why));
            }
            count = count.saturating_add(1);
        }
        block.zero = block.zero.saturating_add(count as u64);
        input.pass_buffered(count.saturating_mul(ZERO_RECORD))
    }

    fn named_block<O: Output>(&self, input: &mut Input<'_, O>) -> Result<usize, Failure> {
        let at = input.position();
        let name = input.string()?;
        let index = self.index.get(&name).copied();
        index.ok_or_else(|| self.wrong(at, format!("unknown RAM block `{}`", Escaped(&name))))
    }

    /// Guesses the page size where the contents of the first page begin: another record follows it.
    fn guess_page_size<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<u64, Failure> {
        let most = self.page_size.most();
        for size in GUESSES.into_iter().filter(|size| *size <= most) {
            let len = usize::try_from(size).unwrap_or_default();
            let longest = len.saturating_add(8).saturating_add(LONGEST_NAME);
            let next = input.look_ahead(longest)?.get(len..).unwrap_or_default();
            if self.begins_record(next, size) {
                return Ok(self.page_size.guess(size));
            }
        }
        Ok(self.page_size.guess(USUAL))
    }

    /// Whether a record begins here, if pages have `size` bytes.
    fn begins_record(&self, bytes: &[u8], size: u64) -> bool {
        let Some((header, rest)) = bytes.split_first_chunk() else { return false };
        let header = u64::from_be_bytes(*header);
        let mask = flags(size);
        let (flags, address) = (header & mask, header & !mask);
        if flags == EOS {
            return address == 0;
        }
        let block = match rest.split_first() {
            _ if flags & CONTINUE != 0 => self.current,
            Some((len, rest)) => {
                rest.get(..usize::from(*len)).and_then(|name| self.index.get(name)).copied()
            }
            None => None,
        };
        let block = block.and_then(|index| self.blocks.get(index));
        is_page(flags & !CONTINUE)
            && address & size.saturating_sub(1) == 0
            && block.is_some_and(|block| address < block.length)
    }

    /// A failure that may come of a wrong guess of the page size.
    fn wrong(&self, at: u64, what: impl fmt::Display) -> Failure {
        Failure::at(at, format!("{what}{}", self.page_size.hint()))
    }
}

/// Whether a record of this kind is about a page.
fn is_page(kind: u64) -> bool {
    matches!(kind, ZERO | PAGE | XBZRLE | COMPRESS)
}

/// What a record is that does not belong into the stream.
fn unknown(header: u64, flags: u64) -> String {
    match flags & !CONTINUE {
        0 => format!("record {header:#x} has no flags: a hole in the file?"),
        FULL => "RAM flag 0x1 (pages of QEMU before 0.11) is not supported".into(),
        HOOK => "RAM flag 0x80 (hook of RDMA) is not supported: migrate without RDMA".into(),
        MULTIFD_FLUSH => "RAM flag 0x200 (multifd): the pages are in other channels, whose files \
                          are to be named after this one"
            .into(),
        _ => format!("unknown combination of RAM flags {flags:#x}"),
    }
}

fn xbzrle<O: Output>(input: &mut Input<'_, O>, place: Place) -> Result<(), Failure> {
    let at = input.position();
    let encoding = input.byte()?;
    if encoding != XBZRLE_ENCODING {
        return Err(Failure::at(at, format!("unknown encoding {encoding:#x} of a page")));
    }
    let at = input.position();
    let len = usize::from(input.be16()?);
    limited(at, len, place.len)?;
    input.encoded(place, Encoding::Xbzrle, len)
}

fn compressed<O: Output>(input: &mut Input<'_, O>, place: Place) -> Result<(), Failure> {
    let at = input.position();
    let len = usize::try_from(input.be32()?).unwrap_or(usize::MAX);
    limited(at, len, place.len.saturating_add(COMPRESS_EXCESS))?;
    input.encoded(place, Encoding::Deflate, len)
}

fn limited(at: u64, len: usize, limit: usize) -> Result<(), Failure> {
    if len > limit {
        return Err(Failure::at(at, format!("encoded page of {len} bytes, more than {limit}")));
    }
    Ok(())
}
