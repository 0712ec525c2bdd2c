//! The device: its features and its configuration, and a queue for each thread.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iov_iter::{IovIterDest, KVec};
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::VhostUserBackend;
use vhost_user_backend::bitmap::BitmapMmapRegion;
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_MQ,
    VIRTIO_BLK_F_RO, VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_WRITE_ZEROES,
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

use crate::Io;
use crate::disk::{Disk, SECTOR};
use crate::queue::{Queue, Taken, Vring};
use crate::request::{MAX_RANGE_SECTORS, MAX_RANGES, MAX_SEGMENTS, Memory, Status, Work};

/// The most descriptors of a ring.
const QUEUE_SIZE: usize = 1024;
/// The bit of `VHOST_F_LOG_ALL`: the device marks what it writes.
const VHOST_F_LOG_ALL: u32 = 26;
/// The length of the configuration, as far as this device has it.
const CONFIG: usize = 60;

/// What one front-end uses: the disk, the guest's memory, and the queues.
pub struct Device {
    pub disk: Arc<Disk>,
    pub counters: Counters,
    memory: GuestMemoryAtomic<Memory>,
    /// How often the memory was replaced.
    generation: AtomicU64,
    queues: Vec<Mutex<Queue>>,
    features: AtomicU64,
    /// What the threads of the queues wait on for their end.
    exit_events: Mutex<Vec<OwnedFd>>,
}

/// What became of the requests.
#[derive(Default)]
pub struct Counters {
    pub requests: AtomicU64,
    /// Requests that were returned without a status, because there was no room for one.
    pub malformed: AtomicU64,
}

impl Counters {
    /// Counts a request. Returns whether it is well formed.
    pub fn count(&self, taken: &Taken) -> bool {
        self.requests.fetch_add(1, Relaxed);
        if !taken.well_formed {
            self.malformed.fetch_add(1, Relaxed);
        }
        taken.well_formed
    }
}

impl Device {
    pub fn new(
        disk: Arc<Disk>,
        io: Io,
        queues: usize,
        memory: GuestMemoryAtomic<Memory>,
    ) -> io::Result<Self> {
        let queue = || Queue::new(io, memory.memory().into_inner()).map(Mutex::new);
        Ok(Self {
            disk,
            counters: Counters::default(),
            generation: AtomicU64::new(0),
            queues: (0..queues).map(|_| queue()).collect::<io::Result<_>>()?,
            features: AtomicU64::new(0),
            exit_events: Mutex::default(),
            memory,
        })
    }

    /// For each queue what becomes readable when requests are done, if anything.
    pub fn completions(&self) -> impl Iterator<Item = Option<RawFd>> {
        self.queues.iter().map(|queue| lock(queue).completions())
    }

    /// The generation of the memory, and the memory if that is not `known`.
    pub fn memory_if_newer(&self, known: u64) -> (u64, Option<Arc<Memory>>) {
        let generation = self.generation.load(Acquire);
        (generation, (generation != known).then(|| self.memory.memory().into_inner()))
    }

    /// Whether the device marks the pages that it writes: a live migration is under way.
    pub fn logs(&self) -> bool {
        self.has(VHOST_F_LOG_ALL)
    }

    /// Whether the guest has accepted a feature.
    fn has(&self, feature: u32) -> bool {
        self.features.load(Acquire) & 1 << feature != 0
    }

    /// The status of work that is done. A guest that cannot ask for a flush expects that what it wrote is on
    /// the medium.
    pub fn settle(&self, work: Work, status: Status) -> Status {
        let writes = !matches!(work, Work::Read { .. } | Work::Flush | Work::GetId);
        let can_flush = self.has(VIRTIO_BLK_F_FLUSH);
        if writes && !can_flush && status == Status::Ok { self.disk.flush().into() } else { status }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VhostUserBackend for Device {
    type Bitmap = BitmapMmapRegion;
    type Vring = Vring;

    fn num_queues(&self) -> usize {
        self.queues.len()
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        let bits = [
            VIRTIO_F_VERSION_1,
            VIRTIO_RING_F_EVENT_IDX,
            VIRTIO_RING_F_INDIRECT_DESC,
            VIRTIO_BLK_F_SEG_MAX,
            VIRTIO_BLK_F_BLK_SIZE,
            VIRTIO_BLK_F_FLUSH,
            VIRTIO_BLK_F_MQ,
            VHOST_F_LOG_ALL,
        ];
        let more: &[u32] = if self.disk.read_only {
            &[VIRTIO_BLK_F_RO]
        } else {
            &[VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES]
        };
        bits.iter().chain(more).fold(0, |features, bit| features | 1 << bit)
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn acked_features(&self, features: u64) {
        self.features.store(features, Release);
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::REPLY_ACK
            | VhostUserProtocolFeatures::LOG_SHMFD
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
    }

    /// Each ring knows for itself.
    fn set_event_idx(&self, _enabled: bool) {}

    /// The configuration, followed by zeros for what this device does not have.
    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let mut bytes = [0; CONFIG];
        // It is as long as all fields together.
        let _ = self.write_config(&mut bytes);
        let rest = bytes.into_iter().skip(offset as usize).chain(std::iter::repeat(0));
        rest.take(size as usize).collect()
    }

    fn update_memory(&self, _memory: GuestMemoryAtomic<Memory>) -> io::Result<()> {
        self.generation.fetch_add(1, Release);
        // Those that are busy find out by themselves, with the next request.
        for queue in &self.queues {
            if let Ok(mut queue) = queue.try_lock() {
                queue.refresh(self);
            }
        }
        Ok(())
    }

    fn queues_per_thread(&self) -> Vec<u64> {
        (0..self.queues.len()).map(|queue| 1 << queue).collect()
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        let flags = EventFlag::NONBLOCK | EventFlag::CLOEXEC;
        let (consumer, notifier) = new_event_consumer_and_notifier(flags).ok()?;
        // SAFETY: the caller takes the number out of the consumer and never closes it: that is so in the
        // version that Cargo.toml asks for. The device outlives the threads, which wait on it.
        lock(&self.exit_events).push(unsafe { OwnedFd::from_raw_fd(consumer.as_raw_fd()) });
        Some((consumer, notifier))
    }

    /// Waits until no request of the queue is under way.
    fn stop_vring(&self, index: u32) -> io::Result<()> {
        if let Some(queue) = self.queues.get(index as usize) {
            lock(queue).stop(self);
        }
        Ok(())
    }

    fn handle_event(
        &self,
        _event: u16,
        _events: EventSet,
        vrings: &[Vring],
        thread: usize,
    ) -> io::Result<()> {
        if let (Some(queue), Some(vring)) = (self.queues.get(thread), vrings.first()) {
            lock(queue).run(thread, vring, self);
        }
        Ok(())
    }
}

impl Device {
    fn write_config(&self, bytes: &mut [u8; CONFIG]) -> Result<(), iov_iter::Error> {
        let segments = [KVec::from(bytes)];
        let mut config = IovIterDest::from(&segments);
        let [ranges, range_sectors] =
            if self.disk.read_only { [0, 0] } else { [MAX_RANGES as u32, MAX_RANGE_SECTORS] };
        config.write_le(self.disk.sectors)?;
        config.write_le(0_u32)?; // size_max
        config.write_le(MAX_SEGMENTS)?;
        config.write_le(0_u32)?; // geometry
        config.write_le(SECTOR as u32)?;
        config.write_le(0_u64)?; // topology
        config.write_le(0_u16)?; // writeback, unused
        config.write_le(self.queues.len() as u16)?;
        config.write_le(range_sectors)?; // discard
        config.write_le(ranges)?;
        config.write_le(1_u32)?; // its alignment, in sectors
        config.write_le(range_sectors)?; // write zeroes
        config.write_le(ranges)?;
        config.write_le(1_u32) // it may free the range
    }
}
