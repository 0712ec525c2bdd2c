//! Sections in several parts besides `ram`: what ends the payload of a part, of each that is known.
//!
//! Nothing in the stream tells the length of a part, so that a section of an unknown kind cannot be
//! passed.

use crate::output::Output;
use crate::{Failure, Input};

/// The most bytes of bits that QEMU takes in a chunk of a bitmap.
const BITS_LIMIT: u64 = 10_240;
/// The length of a block of a disk.
const DISK_BLOCK: u64 = 1 << 20;
/// No table for the hash of pages.
const NO_TABLE: u32 = 0xffff_ffff;

/// A section that is not `ram`, and what was read of it.
#[derive(Debug)]
pub struct Iterable {
    pub id: u32,
    pub name: Vec<u8>,
    pub instance: u32,
    pub version: u32,
    kind: Kind,
    pub parts: u64,
    pub ends: u64,
    /// The bytes of all payloads.
    pub bytes: u64,
}

/// The kinds of sections that are known.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Bitmaps of disks.
    DirtyBitmap,
    /// The hash table of a pseries guest.
    Htab,
    /// Storage attributes of an s390x guest.
    StorageAttributes,
    /// The contents of disks.
    Block,
    /// The state of a passed-through device.
    Vfio,
}

impl Kind {
    /// The kind of section `name`, and the version of its format.
    fn of(name: &[u8]) -> Option<(Self, u32)> {
        Some(match name {
            b"dirty-bitmap" => (Self::DirtyBitmap, 1),
            b"spapr/htab" => (Self::Htab, 1),
            b"s390-storage_attributes" => (Self::StorageAttributes, 0),
            b"block" => (Self::Block, 1),
            name if name == b"vfio" || name.ends_with(b"/vfio") => (Self::Vfio, 1),
            _ => return None,
        })
    }
}

impl Iterable {
    /// Reads what follows the name in the header of START.
    pub fn begin<O: Output>(
        input: &mut Input<'_, O>,
        id: u32,
        name: Vec<u8>,
    ) -> Result<Option<Self>, Failure> {
        let Some((kind, known)) = Kind::of(&name) else { return Ok(None) };
        let instance = input.be32()?;
        let at = input.position();
        let version = input.be32()?;
        if version != known {
            return Err(Failure::at(at, format!("unknown version {version} of the section")));
        }
        Ok(Some(Self { id, name, instance, version, kind, parts: 0, ends: 0, bytes: 0 }))
    }

    /// Passes the payload of START, PART or END.
    pub fn pass<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<(), Failure> {
        let start = input.begin("payload of a section");
        match self.kind {
            Kind::DirtyBitmap => while bitmap_chunk(input)? {},
            Kind::Htab => htab(input)?,
            Kind::StorageAttributes => while storage_attributes(input)? {},
            Kind::Block => while disk_block(input)? {},
            Kind::Vfio => while vfio(input)? {},
        }
        self.bytes = self.bytes.saturating_add(input.position().saturating_sub(start));
        Ok(())
    }
}

/// Passes a chunk of bitmaps; whether more follow.
fn bitmap_chunk<O: Output>(input: &mut Input<'_, O>) -> Result<bool, Failure> {
    const EOS: u8 = 0x01;
    const ZEROES: u8 = 0x02;
    const BITMAP: u8 = 0x04;
    const NODE: u8 = 0x08;
    const START: u8 = 0x10;
    const COMPLETE: u8 = 0x20;
    const BITS: u8 = 0x40;
    const EXTRA: u8 = 0x80;
    let at = input.begin("chunk of a bitmap");
    let mut flags = input.byte()?;
    if flags & EXTRA != 0 {
        // Of several bytes the last one counts.
        flags = input.byte()?;
        if flags & EXTRA != 0 {
            input.byte()?;
            flags = input.byte()?;
        }
    }
    if flags & NODE != 0 {
        input.name("node")?;
    }
    if flags & BITMAP != 0 {
        input.name("bitmap")?;
    }
    if flags & START != 0 {
        let at = input.position();
        let granularity = input.be32()?;
        if granularity < 512 || !granularity.is_power_of_two() {
            return Err(Failure::at(at, format!("a bitmap with granularity {granularity}")));
        }
        input.byte()?;
    } else if flags & COMPLETE == 0 && flags & BITS != 0 {
        // The first sector, the number of sectors.
        input.pass(8 + 4)?;
        if flags & ZEROES == 0 {
            let at = input.position();
            let len = input.be64()?;
            if len > BITS_LIMIT {
                let what = format!("{len} bytes of a bitmap, more than {BITS_LIMIT}");
                return Err(Failure::at(at, what));
            }
            input.pass(len)?;
        }
    } else if flags & (COMPLETE | EOS) == 0 {
        return Err(Failure::at(at, format!("a chunk of a bitmap with flags {flags:#04x}")));
    }
    Ok(flags & EOS == 0)
}

/// Passes a part of the hash table.
fn htab<O: Output>(input: &mut Input<'_, O>) -> Result<(), Failure> {
    match input.be32()? {
        0 => {}
        // START has the size of the table, and nothing else.
        NO_TABLE | 18..=46 => return Ok(()),
        other => {
            let at = input.position().saturating_sub(4);
            return Err(Failure::at(at, format!("a hash table of 2^{other} bytes")));
        }
    }
    loop {
        input.begin("chunk of the hash table");
        let index = input.be32()?;
        let (valid, invalid) = (input.be16()?, input.be16()?);
        if (index, valid, invalid) == (0, 0, 0) {
            return Ok(());
        }
        input.pass(u64::from(valid).saturating_mul(16))?;
    }
}

/// Passes a word of storage attributes, and what follows it; whether more follow.
fn storage_attributes<O: Output>(input: &mut Input<'_, O>) -> Result<bool, Failure> {
    let at = input.begin("storage attributes");
    match input.be64()? & 0xfff {
        0x001 => return Ok(false),
        0x002 => {
            let len = input.be64()?;
            input.pass(len)?;
        }
        0x004 => return Err(Failure::at(at, "the storage attributes are incomplete")),
        0x008 => {}
        other => return Err(Failure::at(at, format!("unknown flag {other:#x} of attributes"))),
    }
    Ok(true)
}

/// Passes a block of a disk, or how far they are; whether more follow.
fn disk_block<O: Output>(input: &mut Input<'_, O>) -> Result<bool, Failure> {
    const BLOCK: u64 = 0x01;
    const EOS: u64 = 0x02;
    const PROGRESS: u64 = 0x04;
    const ZERO: u64 = 0x08;
    let at = input.begin("block of a disk");
    let word = input.be64()?;
    if word & BLOCK != 0 {
        input.string()?;
        if word & ZERO == 0 {
            input.pass(DISK_BLOCK)?;
        }
    } else if word & (PROGRESS | EOS) == 0 {
        return Err(Failure::at(at, format!("unknown word {word:#x} among blocks of disks")));
    }
    Ok(word & (BLOCK | PROGRESS) != 0 || word & EOS == 0)
}

/// Passes a word of a passed-through device, and what follows it; whether more follow.
fn vfio<O: Output>(input: &mut Input<'_, O>) -> Result<bool, Failure> {
    const WORDS: u64 = 0xffff_ffff_ef10_0000;
    let at = input.begin("state of a passed-through device");
    let word = input.be64()?;
    match word.wrapping_sub(WORDS) {
        // The end, or that all that is sent at first has been sent.
        1 | 5 => return Ok(false),
        3 => {}
        4 => {
            let len = input.be64()?;
            input.pass(len)?;
        }
        _ => return Err(Failure::at(at, format!("unknown word {word:#x} of a device"))),
    }
    Ok(true)
}
