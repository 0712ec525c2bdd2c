//! The virtio block device: reads of sectors into scattered segments.
//!
//! ```text
//!   segments      [ 700 ][3][    2048    ] ...        a vector of this program
//!                    │    │       │
//!   chain   [header]─┴────┴───────┴── ... ──[status]  descriptors, each with address and length
//!            16 bytes                        1 byte
//! ```
//!
//! Every piece of the vector becomes one descriptor. A chain ends with a whole sector; what is left
//! goes into another one.

use core::ptr::NonNull;

use bitflags::bitflags;
use iov_iter::iov::{self, View};
use iov_iter::{Dest, KVec};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, MmioVersion};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};

use crate::dma::Identity;

/// Bytes of a sector.
pub const SECTOR: usize = 512;

/// Where a microvm has its virtio devices, 512 bytes each.
const SLOTS: core::ops::Range<usize> = 0xfeb0_0000..0xfeb0_3000;
const SLOT_SIZE: usize = 0x200;

/// The only queue of the device, and its descriptors: those of one chain.
const QUEUE: u16 = 0;
const DESCRIPTORS: usize = 16;
/// Without those of header and status.
const DATA_DESCRIPTORS: usize = DESCRIPTORS - 2;

bitflags! {
    #[derive(Debug)]
    struct Features: u64 {
        /// Not a legacy device.
        const VERSION_1 = 1 << 32;
    }
}

/// Why sectors could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no block device")]
    NotFound,
    #[error("the block device does not know version 1 of virtio")]
    Legacy,
    #[error("virtio: {0}")]
    Virtio(#[from] virtio_drivers::Error),
    #[error("sectors {first} to {last} are not on the disk")]
    OutOfRange { first: u64, last: u64 },
    #[error("the device could not read sectors {first} to {last} (status {status})")]
    Device { first: u64, last: u64, status: u8 },
    #[error("a chain of descriptors cannot hold one sector")]
    TooScattered,
    #[error("{0}")]
    Segments(#[from] iov::Error),
}

/// A block device.
pub struct Disk {
    transport: MmioTransport<'static>,
    queue: VirtQueue<Identity, DESCRIPTORS>,
    sectors: u64,
    chains: usize,
}

impl Disk {
    /// Takes the first block device that the machine has.
    pub fn find() -> Result<Self, Error> {
        let mut transport = SLOTS
            .step_by(SLOT_SIZE)
            .filter_map(|address| NonNull::new(core::ptr::with_exposed_provenance_mut(address)))
            // SAFETY: `boot` has mapped these addresses, uncached. There lie registers of virtio
            // devices or nothing, which reads as no device; the disk is the only one to use them.
            .filter_map(|slot| unsafe { MmioTransport::new(slot, SLOT_SIZE) }.ok())
            .find(|transport| transport.device_type() == DeviceType::Block)
            .ok_or(Error::NotFound)?;
        if transport.version() != MmioVersion::Modern {
            return Err(Error::Legacy);
        }
        let features = transport.begin_init(Features::VERSION_1);
        let accepted = transport.get_status().contains(DeviceStatus::FEATURES_OK);
        if !accepted || !features.contains(Features::VERSION_1) {
            return Err(Error::Legacy);
        }
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false)?;
        transport.finish_init();
        // The first field of the configuration.
        let sectors = transport.read_consistent(|| {
            let (low, high): (u32, u32) =
                (transport.read_config_space(0)?, transport.read_config_space(4)?);
            Ok(u64::from(high) << 32 | u64::from(low))
        })?;
        Ok(Self { transport, queue, sectors, chains: 0 })
    }

    /// The number of sectors.
    pub const fn sectors(&self) -> u64 {
        self.sectors
    }

    /// The chains of descriptors that the device has worked on.
    pub const fn chains(&self) -> usize {
        self.chains
    }

    /// Reads `count` sectors from `first` on to the front of the segments.
    pub fn read(
        &mut self,
        first: u64,
        count: usize,
        into: &mut [KVec<'_, Dest>],
    ) -> Result<(), Error> {
        let mut left = View::new(into).slice(0, count.saturating_mul(SECTOR))?;
        let end = first.saturating_add(count as u64);
        if end > self.sectors {
            return Err(Error::OutOfRange { first, last: end.saturating_sub(1) });
        }
        let mut sector = first;
        while !left.is_empty() {
            let chain = left.whole_blocks(DATA_DESCRIPTORS, SECTOR);
            if chain.is_empty() {
                return Err(Error::TooScattered);
            }
            // SAFETY: `into` is borrowed exclusively, and `left` is the only view of it.
            unsafe { self.request(sector, chain)? };
            left.discard_front(chain.len());
            sector += (chain.len() / SECTOR) as u64;
        }
        Ok(())
    }

    /// Has the device fill `data`, whole sectors in at most `DATA_DESCRIPTORS` pieces, and waits
    /// until it has.
    ///
    /// # Safety
    ///
    /// While this runs, nothing else may use the bytes in view, and no byte may be in view twice.
    unsafe fn request(&mut self, sector: u64, data: View<'_, Dest>) -> Result<(), Error> {
        // Read (0), reserved (0), sector.
        let mut header = [0; 16];
        header[8..].copy_from_slice(&sector.to_le_bytes());
        let mut status = [u8::MAX];

        let pieces = data.pieces().map(|piece| {
            // A segment need not be initialised, and a device need not write all it should.
            piece.fill(0);
            // SAFETY: a piece of a destination is valid for writes; it has just been initialised,
            // and the caller promises that nothing else uses it.
            unsafe { core::slice::from_raw_parts_mut(piece.as_mut_ptr(), piece.len()) }
        });
        let mut chain = <[&mut [u8]; DATA_DESCRIPTORS + 1]>::default();
        let links = chain.iter_mut().zip(pieces.chain([&mut status[..]]));
        let len = links.map(|(link, buffer)| *link = buffer).count();
        let chain = &mut chain[..len];

        let written = self.queue.add_notify_wait_pop(&[&header], chain, &mut self.transport)?;
        self.chains += 1;
        if status != [0] || written as usize != data.len() + 1 {
            let last = sector + (data.len() / SECTOR) as u64 - 1;
            return Err(Error::Device { first: sector, last, status: status[0] });
        }
        Ok(())
    }
}
