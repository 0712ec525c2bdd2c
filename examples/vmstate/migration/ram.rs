//! The `ram` section: the list of blocks, and the records of their pages.

use std::collections::HashMap;

use super::report::Escaped;
use super::{Failure, Input, Output};

/// The page size of streams that do not tell it.
pub const DEFAULT_PAGE_SIZE: u64 = 4096;
const BLOCK_LIMIT: usize = 4096;
/// How many bytes longer than the page its compressed form may be.
const COMPRESS_EXCESS: u64 = 4096;

const ZERO: u64 = 0x002;
const MEM_SIZE: u64 = 0x004;
const PAGE: u64 = 0x008;
const EOS: u64 = 0x010;
const CONTINUE: u64 = 0x020;
const XBZRLE: u64 = 0x040;
const COMPRESS: u64 = 0x100;

/// The first byte of an XBZRLE record.
const XBZRLE_ENCODING: u8 = 0x01;

/// The state of the `ram` section, which has several parts in the stream.
#[derive(Debug)]
pub struct Ram {
    pub id: u32,
    pub page_size: u64,
    pub total: u64,
    pub parts: u64,
    pub ended: bool,
    pub blocks: Vec<Block>,
    index: HashMap<Vec<u8>, usize>,
    /// The block of the last page record, in whatever part of the section that was.
    current: Option<usize>,
    has_addresses: bool,
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
}

impl Ram {
    /// A section that has just begun.
    pub fn new(id: u32, page_size: u64, has_addresses: bool) -> Self {
        Self {
            id,
            page_size,
            total: 0,
            parts: 0,
            ended: false,
            blocks: Vec::new(),
            index: HashMap::new(),
            current: None,
            has_addresses,
        }
    }

    /// Reads the payload of START: the list of blocks, then records.
    pub fn start<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<(), Failure> {
        let at = input.begin("list of RAM blocks");
        let header = input.be64()?;
        if header & self.flags_mask() != MEM_SIZE {
            return Err(Failure::at(at, "the ram section does not begin with its blocks"));
        }
        self.total = header & !self.flags_mask();
        let mut rest = self.total;
        while rest > 0 {
            rest = rest.saturating_sub(self.block(input, rest)?);
        }
        self.records(input)
    }

    /// Reads page records up to the one that ends the payload.
    pub fn records<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<(), Failure> {
        while self.record(input)? {}
        Ok(())
    }

    /// The bits of a record's header that are flags; the others are an address.
    fn flags_mask(&self) -> u64 {
        self.page_size.saturating_sub(1)
    }

    /// Reads an entry of the block list and returns the length of the block, at most `rest`.
    fn block<O: Output>(&mut self, input: &mut Input<'_, O>, rest: u64) -> Result<u64, Failure> {
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
        if length == 0 || length & self.flags_mask() != 0 {
            let what = format!("length {length:#x} of RAM block `{escaped}` is not whole pages");
            return Err(Failure::at(at, what));
        }
        if length > rest {
            let what = format!(
                "length {length:#x} of RAM block `{escaped}`, but only {rest:#x} of the total left"
            );
            return Err(Failure::at(at, what));
        }
        let address = if self.has_addresses { Some(input.be64()?) } else { None };
        self.index.insert(name.clone(), self.blocks.len());
        self.blocks.push(Block { name, length, address, ..Block::default() });
        Ok(length)
    }

    /// Reads a record; whether more follow.
    fn record<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<bool, Failure> {
        let at = input.begin("RAM record");
        let header = input.be64()?;
        let flags = header & self.flags_mask();
        let address = header & !self.flags_mask();
        match flags {
            EOS if address == 0 => return Ok(false),
            EOS => return Err(Failure::at(at, format!("end of RAM records at {address:#x}"))),
            MEM_SIZE => return Err(Failure::at(at, "second list of RAM blocks")),
            _ => {}
        }
        let kind = flags & !CONTINUE;
        if !matches!(kind, ZERO | PAGE | XBZRLE | COMPRESS) {
            let what = format!("unknown combination of RAM flags {flags:#x}");
            return Err(Failure::at(at, what));
        }
        let continues = flags & CONTINUE != 0;
        let current = if continues { self.current } else { Some(self.named_block(input)?) };
        self.current = current;
        let block = current.and_then(|index| self.blocks.get_mut(index));
        let block = block.ok_or_else(|| Failure::at(at, "CONTINUE without a block"))?;
        // Offset and length are multiples of the page size.
        if address >= block.length {
            let name = Escaped(&block.name);
            return Err(Failure::at(at, format!("page {address:#x} is beyond block `{name}`")));
        }
        match kind {
            ZERO => {
                block.zero = block.zero.saturating_add(1);
                if input.byte()? != 0 {
                    block.filled = block.filled.saturating_add(1);
                }
            }
            PAGE => {
                block.normal = block.normal.saturating_add(1);
                input.page(usize::try_from(self.page_size).unwrap_or_default())?;
            }
            XBZRLE => {
                block.xbzrle = block.xbzrle.saturating_add(1);
                xbzrle(input, self.page_size)?;
            }
            _ => {
                block.compressed = block.compressed.saturating_add(1);
                compressed(input, self.page_size.saturating_add(COMPRESS_EXCESS))?;
            }
        }
        Ok(true)
    }

    fn named_block<O: Output>(&self, input: &mut Input<'_, O>) -> Result<usize, Failure> {
        let at = input.position();
        let name = input.string()?;
        let index = self.index.get(&name).copied();
        index.ok_or_else(|| Failure::at(at, format!("unknown RAM block `{}`", Escaped(&name))))
    }
}

fn xbzrle<O: Output>(input: &mut Input<'_, O>, limit: u64) -> Result<(), Failure> {
    let at = input.position();
    let encoding = input.byte()?;
    if encoding != XBZRLE_ENCODING {
        return Err(Failure::at(at, format!("unknown encoding {encoding:#x} of a page")));
    }
    let at = input.position();
    let len = u64::from(input.be16()?);
    limited(at, len, limit)?;
    input.pass(len)
}

fn compressed<O: Output>(input: &mut Input<'_, O>, limit: u64) -> Result<(), Failure> {
    let at = input.position();
    let len = u64::from(input.be32()?);
    limited(at, len, limit)?;
    input.pass(len)
}

fn limited(at: u64, len: u64, limit: u64) -> Result<(), Failure> {
    if len > limit {
        return Err(Failure::at(at, format!("encoded page of {len} bytes, more than {limit}")));
    }
    Ok(())
}
