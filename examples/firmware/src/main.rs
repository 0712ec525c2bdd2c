//! Firmware: finds a disk, its boot partition and there the boot file, and loads that into memory.
//!
//! ```text
//!   boot ──► main ──► disk     sectors, by chains of descriptors        ◄── dma
//!              │       ▲
//!              │     reader    sectors as a stream of scattered bytes   ◄── scattered
//!              │       ▲
//!              ├────► gpt      partition table, its check sums
//!              ├────► fat      directory and clusters
//!              ├────► load     copies and sums the file
//!              └────► serial, exit
//! ```
//!
//! There is no operating system, no allocator and no interrupt. Memory is static, and lies in parts;
//! every byte of the disk comes through a vector of them. Whatever is wrong with the disk gets one
//! line on the serial port and a status of its own. What a real firmware does next, verify a
//! signature and jump, is left out.

#![no_std]
#![no_main]

mod boot;
mod disk;
mod dma;
mod exit;
mod fat;
mod gpt;
mod load;
mod reader;
mod scattered;
mod serial;

use core::panic::PanicInfo;

use static_cell::ConstStaticCell;

use crate::disk::Disk;
use crate::exit::Exit;
use crate::fat::Volume;
use crate::gpt::Table;
use crate::reader::Reader;
use crate::scattered::Scattered;
use crate::serial::Serial;

/// The boot file, as a directory stores the name BOOT.IMG.
const BOOT_FILE: &[u8; 11] = b"BOOT    IMG";

/// What sectors pass through.
static SECTORS: ConstStaticCell<[u8; reader::MEMORY]> = ConstStaticCell::new([0; reader::MEMORY]);
/// The table of the file system.
static CLUSTERS: ConstStaticCell<[u16; fat::MAX_ENTRIES]> =
    ConstStaticCell::new([0; fat::MAX_ENTRIES]);
/// Where the boot file goes: below and above a hole.
const IMAGE_PARTS: [usize; 2] = [38_001, 1 << 20];
const HOLE: usize = 4096;
const IMAGE_MEMORY: usize = scattered::memory(&IMAGE_PARTS, HOLE);
static IMAGE: ConstStaticCell<[u8; IMAGE_MEMORY]> = ConstStaticCell::new([0; IMAGE_MEMORY]);

/// Why this disk is not booted.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("disk: {0}")]
    Disk(#[from] disk::Error),
    #[error("partitions: {0}")]
    Partitions(#[from] gpt::Error),
    #[error("file system: {0}")]
    Volume(fat::Error),
    #[error("boot file: {0}")]
    File(fat::Error),
    #[error("boot file: {0}")]
    Load(#[from] load::Error),
    #[error("memory was written that belongs to no segment")]
    Overrun,
}

extern "C" fn main() -> ! {
    let mut serial = Serial::open();
    let exit = match load_boot_file(&mut serial) {
        Ok(()) => Exit::Loaded,
        Err(error) => {
            serial.line(format_args!("refused: {error}"));
            Exit::Refused
        }
    };
    exit.leave()
}

fn load_boot_file(serial: &mut Serial) -> Result<(), Error> {
    let disk = Disk::find()?;
    serial.line(format_args!("disk: {} sectors", disk.sectors()));
    let reader = &mut Reader::new(disk, SECTORS.take());

    let (table, damage) = Table::read(reader)?;
    if let Some(damage) = damage {
        serial.line(format_args!("partitions: the primary table is damaged: {damage}"));
        serial.line(format_args!("partitions: the backup is used"));
    }
    let partition = table.system_partition()?;
    serial.line(format_args!("partitions: {table}"));
    serial.line(format_args!(
        "boot partition: sectors {} to {}",
        partition.start,
        partition.end - 1
    ));

    let volume = Volume::mount(reader, &partition, CLUSTERS.take()).map_err(Error::Volume)?;
    let (clusters, sectors) = volume.clusters();
    serial.line(format_args!("file system: {clusters} clusters of {sectors} sectors"));

    let file = volume.find(reader, BOOT_FILE).map_err(Error::File)?;
    let before = reader.disk().chains();
    let mut image = Scattered::cut(IMAGE.take(), IMAGE_PARTS, HOLE);
    let loaded = load::load(reader, &volume, &file, &mut image)?;
    if !reader.guards_hold() || !image.guards_hold() {
        return Err(Error::Overrun);
    }
    let chains = reader.disk().chains() - before;
    serial.line(format_args!("boot file: {} bytes", file.size));
    serial.line(format_args!("boot file: {} runs, read by {chains} chains", loaded.runs));
    let sum = u16::from_be(loaded.copied.folded());
    serial.line(format_args!("boot file: Internet checksum {sum:#06x}, while it was copied"));
    serial.line(format_args!("boot file: CRC-32 {:#010x}, in memory", loaded.arrived));
    Ok(())
}

/// A defect of this program: nothing that a disk holds leads here.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    Serial::open().line(format_args!("{info}"));
    Exit::Panicked.leave()
}
