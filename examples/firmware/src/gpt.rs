//! The partition table (GPT), and the partition to boot from.
//!
//! ```text
//!   sector 0    1         2 ..                            last
//!         [ - ][ header ][ entries ] partitions [ entries ][ header ]
//!               primary                                     backup
//! ```
//!
//! A header holds its own check sum and that of the entries. Where the primary table is damaged the
//! backup counts.

use core::fmt;
use core::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc};
use iov_iter::{IovIter, Source};

use crate::disk::{self, SECTOR};
use crate::reader::Reader;

/// The type of an EFI system partition, C12A7328-F81F-11D2-BA4B-00A0C93EC93B, as it is stored.
const SYSTEM_PARTITION: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];

/// The sum that the table, and everybody else, calls CRC-32.
pub static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Why one of the two tables does not count.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("{0}")]
    Disk(#[from] disk::Error),
    #[error("no header")]
    NoHeader,
    #[error("the check sum of the header is {found:#010x} instead of {stored:#010x}")]
    HeaderSum { stored: u32, found: u32 },
    #[error("the check sum of the entries is {found:#010x} instead of {stored:#010x}")]
    EntriesSum { stored: u32, found: u32 },
    #[error("the header belongs to another sector, {0}")]
    Moved(u64),
    #[error("an entry has {0} bytes")]
    EntrySize(u32),
    #[error("partitions may reach to sector {0}, which is not on the disk")]
    TooLarge(u64),
    #[error("the end of the sector came too early")]
    Short(#[from] iov_iter::Error),
}

/// Why there is nothing to boot from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("primary table: {primary}; backup: {backup}")]
    Damaged { primary: Damage, backup: Damage },
    #[error("no partition is an EFI system partition")]
    NoSystemPartition,
    #[error("the system partition leaves the area for partitions: sectors {first} to {last}")]
    Outside { first: u64, last: u64 },
}

/// A table that counts.
pub struct Table {
    entries: u32,
    usable: Range<u64>,
    /// First and last sector.
    system: Option<(u64, u64)>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, usable, .. } = self;
        write!(f, "{entries} entries, sectors {} to {}", usable.start, usable.end - 1)
    }
}

impl Table {
    /// Reads the primary table or, if that is damaged, the backup; tells about the damage.
    pub fn read(reader: &mut Reader) -> Result<(Self, Option<Damage>), Error> {
        let last = reader.disk().sectors().saturating_sub(1);
        Self::read_at(reader, 1).map(|table| (table, None)).or_else(|primary| {
            match Self::read_at(reader, last) {
                Ok(table) => Ok((table, Some(primary))),
                Err(backup) => Err(Error::Damaged { primary, backup }),
            }
        })
    }

    /// The sectors of the EFI system partition.
    pub fn system_partition(&self) -> Result<Range<u64>, Error> {
        let (first, last) = self.system.ok_or(Error::NoSystemPartition)?;
        if first > last || !self.usable.contains(&first) || !self.usable.contains(&last) {
            return Err(Error::Outside { first, last });
        }
        Ok(first..last + 1)
    }

    fn read_at(reader: &mut Reader, sector: u64) -> Result<Self, Damage> {
        let mut header = None;
        reader.read(sector..sector.saturating_add(1), |bytes| {
            header = Some(Header::parse(bytes)?);
            Ok::<_, Damage>(())
        })?;
        let header = header.ok_or(Damage::NoHeader)?;
        if header.sector != sector {
            return Err(Damage::Moved(header.sector));
        }
        if header.last_usable >= reader.disk().sectors() {
            return Err(Damage::TooLarge(header.last_usable));
        }
        // Then no entry lies in two sectors.
        let size = header.entry_size as usize;
        if !(128..=SECTOR).contains(&size) || !size.is_power_of_two() {
            return Err(Damage::EntrySize(header.entry_size));
        }
        let mut left = u64::from(header.entries) * u64::from(header.entry_size);
        let end = header.first_entry.saturating_add(left.div_ceil(SECTOR as u64));
        let mut sum = CRC_32.digest();
        let mut system = None;
        reader.read(header.first_entry..end, |mut bytes| {
            bytes.truncate(left);
            left -= bytes.remaining() as u64;
            bytes.chunks().for_each(|chunk| sum.update(chunk));
            while system.is_none() && !bytes.is_empty() {
                system = system_partition(bytes.clone())?;
                bytes.advance(size);
            }
            Ok::<_, Damage>(())
        })?;
        let (stored, found) = (header.entries_sum, sum.finalize());
        if stored != found {
            return Err(Damage::EntriesSum { stored, found });
        }
        let usable = header.first_usable..header.last_usable + 1;
        Ok(Self { entries: header.entries, usable, system })
    }
}

/// What is needed of a header.
struct Header {
    sector: u64,
    first_usable: u64,
    last_usable: u64,
    first_entry: u64,
    entries: u32,
    entry_size: u32,
    entries_sum: u32,
}

impl Header {
    fn parse(sector: IovIter<'_, Source>) -> Result<Self, Damage> {
        let mut fields = sector.clone();
        let mut signature = [0; 8];
        fields.copy_from_iter_full(&mut signature)?;
        fields.advance(4); // revision
        let size: u32 = fields.read_le()?;
        if signature != *b"EFI PART" || !(92..=SECTOR).contains(&(size as usize)) {
            return Err(Damage::NoHeader);
        }
        let stored = fields.read_le()?;
        let found = Self::sum(sector, size);
        if stored != found {
            return Err(Damage::HeaderSum { stored, found });
        }
        fields.advance(4); // reserved
        let sector = fields.read_le()?;
        fields.advance(8); // the other header
        let (first_usable, last_usable) = (fields.read_le()?, fields.read_le()?);
        fields.advance(16); // the disk's identifier
        Ok(Self {
            sector,
            first_usable,
            last_usable,
            first_entry: fields.read_le()?,
            entries: fields.read_le()?,
            entry_size: fields.read_le()?,
            entries_sum: fields.read_le()?,
        })
    }

    /// The check sum of a header, for which its own field counts as zero.
    fn sum(mut header: IovIter<'_, Source>, size: u32) -> u32 {
        header.truncate(size.into());
        let mut sum = CRC_32.digest();
        let mut front = header.clone();
        front.truncate(16);
        front.chunks().for_each(|chunk| sum.update(chunk));
        sum.update(&[0; 4]);
        header.advance(20);
        header.chunks().for_each(|chunk| sum.update(chunk));
        sum.finalize()
    }
}

/// First and last sector, if the entry is one of a system partition.
fn system_partition(mut entry: IovIter<'_, Source>) -> Result<Option<(u64, u64)>, iov_iter::Error> {
    let mut kind = [0; 16];
    entry.copy_from_iter_full(&mut kind)?;
    if kind != SYSTEM_PARTITION {
        return Ok(None);
    }
    entry.advance(16); // the partition's identifier
    Ok(Some((entry.read_le()?, entry.read_le()?)))
}
