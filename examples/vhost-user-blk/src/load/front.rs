//! The other end of the protocol: memory that is shared with a daemon, and queues in it.

use std::{
    fs::File,
    num::Wrapping,
    os::fd::{AsRawFd, BorrowedFd},
    path::Path,
    sync::atomic::{Ordering, fence},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, ftruncate, memfd_create},
};
use vhost::{
    VhostBackend, VhostUserMemoryRegionInfo, VringConfigData,
    vhost_user::{
        Frontend, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
        message::VhostUserConfigFlags,
    },
};
use virtio_bindings::{
    virtio_blk::VIRTIO_BLK_F_MQ,
    virtio_config::VIRTIO_F_VERSION_1,
    virtio_ring::{
        VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC, VRING_DESC_F_INDIRECT,
        VRING_DESC_F_NEXT, VRING_USED_F_NO_NOTIFY,
    },
};
use virtio_queue::desc::split::Descriptor;
use vm_memory::{
    Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestRegionMmap,
    MmapRegion,
};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Where data begins in the guest's memory. Rings and indirect tables are at lower addresses.
pub const DATA: u64 = 1 << 32;

/// Bytes after each region that are in the memfd but not in the guest's memory.
pub const UNSHARED: u64 = 4096;

/// Answers that take longer count as none.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the queues and the memory of a connection look like.
pub struct Setup {
    pub queues: usize,
    /// Descriptors of a queue's table, a power of two.
    pub queue_size: u16,
    /// Regions of memory, first and past the last address, ascending from [`DATA`], in whole pages.
    pub regions: Vec<(u64, u64)>,
    /// Whether the device is asked for event indices.
    pub event_idx: bool,
}

/// One area of memory as regions that adjoin, cut at `borders`.
pub fn adjoining(start: u64, end: u64, borders: &[u64]) -> Vec<(u64, u64)> {
    let starts = [start].into_iter().chain(borders.iter().copied());
    starts.zip(borders.iter().copied().chain([end])).collect()
}

/// A connection to a daemon whose queues run.
pub struct Front {
    frontend: Frontend,
    pub memory: GuestMemoryMmap,
    pub features: u64,
    /// Bytes of the disk.
    pub capacity: u64,
}

impl Setup {
    /// Bytes of one queue's rings, in whole pages: descriptors, what is available, what is used.
    fn ring_len(&self) -> u64 {
        let size = u64::from(self.queue_size);
        (16 * size + (6 + 2 * size) + 4 + (6 + 8 * size)).next_multiple_of(4096)
    }

    /// Memory of this setup, regions of one memfd that lie apart from each other there.
    fn memory(&self) -> Result<GuestMemoryMmap> {
        let file = File::from(memfd_create("guest", MemfdFlags::CLOEXEC)?);
        let mut regions = Vec::new();
        let mut offset = 0;
        let rings = (0, self.ring_len() * self.queues as u64);
        for (start, end) in [rings].into_iter().chain(self.regions.iter().copied()) {
            let len = end - start;
            let place = FileOffset::new(file.try_clone()?, offset);
            // A page of nobody's lies between two regions, so that adjacent ones are not adjacent here.
            offset += len + UNSHARED;
            ftruncate(&file, offset)?;
            let region = GuestRegionMmap::new(
                MmapRegion::from_file(place, len as usize)?,
                GuestAddress(start),
            );
            regions.push(region.context("memory past the end of addresses")?);
        }
        Ok(GuestMemoryMmap::from_regions(regions)?)
    }

    /// Connects to the daemon at `socket` and starts the queues.
    ///
    /// # Errors
    ///
    /// If nothing answers at `socket`, or if it lacks a feature that this asks for.
    pub fn connect(&self, socket: &Path) -> Result<(Front, Vec<Queue>)> {
        let memory = self.memory()?;
        let mut frontend = Frontend::connect(socket, self.queues as u64)
            .with_context(|| format!("{}: no daemon answers", socket.display()))?;
        frontend.set_owner().context("set owner")?;
        let offered = frontend.get_features().context("get features")?;
        let protocol = VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        let mut wanted = offered & (0xff_ffff | 1 << VIRTIO_F_VERSION_1 | protocol)
            | offered & 1 << VIRTIO_RING_F_INDIRECT_DESC;
        if self.event_idx {
            wanted |= offered & 1 << VIRTIO_RING_F_EVENT_IDX;
        }
        ensure!(wanted & protocol != 0, "the daemon has no protocol features");
        ensure!(wanted & 1 << VIRTIO_F_VERSION_1 != 0, "the daemon's device is not of virtio 1");
        let spoken = frontend.get_protocol_features().context("get protocol features")?;
        let needed = VhostUserProtocolFeatures::CONFIG | VhostUserProtocolFeatures::MQ;
        ensure!(spoken.contains(needed), "the daemon speaks no {:?}", needed - spoken);
        frontend
            .set_protocol_features(needed | spoken & VhostUserProtocolFeatures::REPLY_ACK)
            .context("set protocol features")?;
        if self.queues > 1 {
            ensure!(wanted & 1 << VIRTIO_BLK_F_MQ != 0, "the device has one queue");
        }
        let limit = frontend.get_queue_num().context("get queue number")?;
        ensure!(self.queues as u64 <= limit, "the device has {limit} queues");
        let (_, capacity) = frontend
            .get_config(0, 8, VhostUserConfigFlags::WRITABLE, &[0; 8])
            .context("get config")?;
        let capacity = 512 * u64::from_le_bytes(capacity[..].try_into()?);
        frontend.set_features(wanted).context("set features")?;
        let regions: Result<Vec<_>, _> =
            memory.iter().map(VhostUserMemoryRegionInfo::from_guest_region).collect();
        frontend.set_mem_table(&regions?).context("set memory table")?;

        let queues: Result<Vec<_>> = (0..self.queues)
            .map(|index| Queue::start(self, index, &memory, &mut frontend, wanted))
            .collect();
        Ok((Front { frontend, memory, features: wanted, capacity }, queues?))
    }
}

impl Front {
    /// Whether the device offers the feature with this number.
    pub fn has(&self, feature: u32) -> bool {
        self.features >> feature & 1 != 0
    }

    /// Stops the queues, as a driver does that resets its device.
    pub fn stop(mut self, queues: &[Queue]) -> Result<()> {
        for queue in queues {
            self.frontend.set_vring_enable(queue.index, false)?;
            self.frontend.get_vring_base(queue.index)?;
        }
        Ok(())
    }
}

/// The driver's end of a queue.
pub struct Queue {
    pub index: usize,
    pub size: u16,
    memory: GuestMemoryMmap,
    pub table: GuestAddress,
    available: GuestAddress,
    used: GuestAddress,
    /// Entries that were made available, and those of them that the device was told of.
    offered: Wrapping<u16>,
    told: Wrapping<u16>,
    taken: Wrapping<u16>,
    event_idx: bool,
    kick: EventFd,
    call: EventFd,
}

fn at(base: GuestAddress, offset: u64) -> GuestAddress {
    GuestAddress(base.0 + offset)
}

impl Queue {
    fn start(
        setup: &Setup,
        index: usize,
        memory: &GuestMemoryMmap,
        frontend: &mut Frontend,
        features: u64,
    ) -> Result<Self> {
        let size = u64::from(setup.queue_size);
        let table = GuestAddress(setup.ring_len() * index as u64);
        let available = at(table, 16 * size);
        let used = at(available, (6 + 2 * size).next_multiple_of(4));
        let queue = Self {
            index,
            size: setup.queue_size,
            memory: memory.clone(),
            table,
            available,
            used,
            offered: Wrapping(0),
            told: Wrapping(0),
            taken: Wrapping(0),
            event_idx: features >> VIRTIO_RING_F_EVENT_IDX & 1 != 0,
            kick: EventFd::new(EFD_NONBLOCK)?,
            call: EventFd::new(EFD_NONBLOCK)?,
        };
        let here = |address| memory.get_host_address(address).map(|pointer| pointer as u64);
        let config = VringConfigData {
            queue_max_size: setup.queue_size,
            queue_size: setup.queue_size,
            flags: 0,
            desc_table_addr: here(table)?,
            avail_ring_addr: here(available)?,
            used_ring_addr: here(used)?,
            log_addr: None,
        };
        frontend.set_vring_num(index, setup.queue_size).context("set ring size")?;
        frontend.set_vring_base(index, 0).context("set ring base")?;
        frontend.set_vring_addr(index, &config).context("set ring addresses")?;
        frontend.set_vring_call(index, &queue.call).context("set call")?;
        frontend.set_vring_kick(index, &queue.kick).context("set kick")?;
        frontend.set_vring_enable(index, true).context("enable ring")?;
        Ok(queue)
    }

    /// Writes a chain of descriptors, `(address, length, flags)` each, to entry `head` of the queue's
    /// table and the entries that follow. With an indirect table it takes just `head`.
    pub fn write_chain(
        &self,
        head: u16,
        chain: &[(u64, u32, u16)],
        indirect: Option<GuestAddress>,
    ) -> Result<()> {
        let (table, first) = match indirect {
            None => (self.table, head),
            Some(table) => {
                let (len, flags) = (16 * chain.len() as u32, VRING_DESC_F_INDIRECT as u16);
                self.write_descriptor(head, Descriptor::new(table.0, len, flags, 0))?;
                (table, 0)
            }
        };
        for (number, &(address, len, flags)) in (first..).zip(chain) {
            let more = usize::from(number - first) + 1 < chain.len();
            let next = if more { VRING_DESC_F_NEXT as u16 } else { 0 };
            let descriptor = Descriptor::new(address, len, flags | next, number + u16::from(more));
            self.memory.write_obj(descriptor, at(table, 16 * u64::from(number)))?;
        }
        Ok(())
    }

    pub fn write_descriptor(&self, index: u16, descriptor: Descriptor) -> Result<()> {
        Ok(self.memory.write_obj(descriptor, at(self.table, 16 * u64::from(index)))?)
    }

    /// Puts a chain into the ring. The device sees it after [`tell`](Self::tell).
    pub fn offer(&mut self, head: u16) -> Result<()> {
        let entry = 4 + 2 * u64::from(self.offered.0 % self.size);
        self.memory.write_obj(head.to_le(), at(self.available, entry))?;
        self.offered += 1;
        Ok(())
    }

    /// Makes what was offered available, and wakes the device if it asked for that.
    pub fn tell(&mut self) -> Result<()> {
        if self.told == self.offered {
            return Ok(());
        }
        self.memory.store(self.offered.0.to_le(), at(self.available, 2), Ordering::Release)?;
        // The index is written before the device's wish is read; the device does both in the other order.
        fence(Ordering::SeqCst);
        let wanted = if self.event_idx {
            let event: u16 =
                self.memory.load(at(self.used, 4 + 8 * u64::from(self.size)), Ordering::Relaxed)?;
            let event = Wrapping(u16::from_le(event));
            self.offered - event - Wrapping(1) < self.offered - self.told
        } else {
            let flags: u16 = self.memory.load(self.used, Ordering::Relaxed)?;
            u32::from(u16::from_le(flags)) & VRING_USED_F_NO_NOTIFY == 0
        };
        self.told = self.offered;
        if wanted { self.wake() } else { Ok(()) }
    }

    /// Wakes the device, whatever it asked for.
    pub fn wake(&self) -> Result<()> {
        Ok(self.kick.write(1)?)
    }

    /// Makes any number of entries available, also one that no driver would.
    pub fn claim(&mut self, entries: u16) -> Result<()> {
        let index = (self.offered + Wrapping(entries)).0;
        Ok(self.memory.store(index.to_le(), at(self.available, 2), Ordering::Release)?)
    }

    /// The memory that the device writes.
    pub fn used_range(&self) -> (u64, u64) {
        (self.used.0, self.used.0 + 6 + 8 * u64::from(self.size))
    }

    /// The memory that says what is available.
    pub fn available_range(&self) -> (u64, u64) {
        (self.available.0, self.available.0 + 6 + 2 * u64::from(self.size))
    }

    /// Takes the next chain that the device has used: its head, and the bytes that were written.
    pub fn take(&mut self) -> Result<Option<(u32, u32)>> {
        let index: u16 = self.memory.load(at(self.used, 2), Ordering::Acquire)?;
        if u16::from_le(index) == self.taken.0 {
            return Ok(None);
        }
        let entry = 4 + 8 * u64::from(self.taken.0 % self.size);
        let [head, len]: [u32; 2] = self.memory.read_obj(at(self.used, entry))?;
        self.taken += 1;
        Ok(Some((u32::from_le(head), u32::from_le(len))))
    }

    /// Waits until the device has used a chain; `false` if it does not within `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<bool> {
        let end = Instant::now() + patience;
        loop {
            let event = 4 + 2 * u64::from(self.size);
            self.memory.store(
                self.taken.0.to_le(),
                at(self.available, event),
                Ordering::Relaxed,
            )?;
            fence(Ordering::SeqCst);
            let index: u16 = self.memory.load(at(self.used, 2), Ordering::Acquire)?;
            if u16::from_le(index) != self.taken.0 {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let timeout = Timespec::try_from(left)?;
            // SAFETY: the descriptor is open for as long as `self.call` lives, which is borrowed here.
            let call = unsafe { BorrowedFd::borrow_raw(self.call.as_raw_fd()) };
            let mut events = [PollFd::new(&call, PollFlags::IN)];
            match poll(&mut events, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => bail!("poll: {error}"),
            }
            let _ = self.call.read();
        }
    }
}
