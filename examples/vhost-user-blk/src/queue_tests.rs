//! A queue without its thread, with a ring as a driver writes it.

#[path = "../../../tests/allocation/allocator.rs"]
mod allocator;

use std::time::{Duration, Instant};

use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN,
    VIRTIO_BLK_T_OUT,
};
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace};

use super::*;
use crate::disk::Disk;

const SIZE: u16 = 256;
/// Descriptors of a request.
const ROOM: u16 = 32;
/// Pieces of the data of a request.
const PIECES: u16 = 16;

// Where the guest has what.
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
const HEADERS: u64 = 0x4000;
const STATUS: u64 = 0x5000;
const INDIRECT: u64 = 0x6000;
/// The data of the first request, and what each has room for.
const DATA: u64 = 0x1_0000;
const DATA_LEN: u64 = 0x2_0000;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECTLY: u16 = 4;

struct Guest {
    memory: GuestMemoryAtomic<Memory>,
    vring: Vring,
    /// Requests that were offered.
    offered: u16,
}

impl Guest {
    fn new() -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), 2 << 20)]).unwrap();
        let memory = GuestMemoryAtomic::new(memory);
        let vring = Vring::new(memory.clone(), SIZE).unwrap();
        vring.set_queue_size(SIZE);
        vring.set_queue_info(TABLE, AVAILABLE, USED).unwrap();
        vring.set_queue_ready(true);
        vring.set_enabled(true);
        Self { memory, vring, offered: 0 }
    }

    fn write(&self, descriptor: Descriptor, address: u64) {
        self.memory.memory().write_obj(descriptor, GuestAddress(address)).unwrap();
    }

    /// Offers a request with `len` bytes of data, as number `number` of those that are offered together.
    fn offer(&mut self, number: u16, kind: u32, len: u32, indirect: bool) {
        let memory = self.memory.memory();
        let header = HEADERS + 16 * u64::from(number);
        memory.write_obj([kind, 0, 0, 0], GuestAddress(header)).unwrap();
        let status = STATUS + u64::from(number);
        memory.write_obj(0xff_u8, GuestAddress(status)).unwrap();

        let reads = [VIRTIO_BLK_T_IN, VIRTIO_BLK_T_GET_ID].contains(&kind);
        let flags = if reads { NEXT | WRITE } else { NEXT };
        let first = if indirect { 0 } else { number * ROOM };
        let piece = len / u32::from(PIECES);
        let pieces = (0..PIECES).map(|at| {
            let data = DATA + DATA_LEN * u64::from(number);
            let address = data + u64::from(at) * 2 * u64::from(piece);
            Descriptor::new(address, piece, flags, first + at + 2)
        });
        let head = Descriptor::new(header, 16, NEXT, first + 1);
        let last = Descriptor::new(status, 1, WRITE, 0);
        let table = if indirect { INDIRECT } else { TABLE };
        for (at, descriptor) in [head].into_iter().chain(pieces).chain([last]).enumerate() {
            self.write(descriptor, table + 16 * (u64::from(first) + at as u64));
        }
        if indirect {
            let table = Descriptor::new(INDIRECT, 16 * u32::from(PIECES + 2), INDIRECTLY, 0);
            self.write(table, TABLE + 16 * u64::from(number * ROOM));
        }
        let entry = AVAILABLE + 4 + 2 * u64::from(self.offered % SIZE);
        memory.write_obj(number * ROOM, GuestAddress(entry)).unwrap();
        self.offered = self.offered.wrapping_add(1);
        memory.write_obj(self.offered, GuestAddress(AVAILABLE + 2)).unwrap();
    }

    /// Whether all requests are in the used ring.
    fn is_served(&self) -> bool {
        let used: u16 = self.memory.memory().read_obj(GuestAddress(USED + 2)).unwrap();
        used == self.offered
    }

    fn status(&self, number: u16) -> u8 {
        self.memory.memory().read_obj(GuestAddress(STATUS + u64::from(number))).unwrap()
    }
}

/// Kind, bytes of data, and whether its descriptors are in a table of their own.
const REQUESTS: [(u32, u32, bool); 8] = [
    (VIRTIO_BLK_T_IN, 512, false),
    (VIRTIO_BLK_T_IN, 64 << 10, false),
    (VIRTIO_BLK_T_OUT, 512, true),
    (VIRTIO_BLK_T_OUT, 64 << 10, false),
    (VIRTIO_BLK_T_FLUSH, 0, false),
    (VIRTIO_BLK_T_GET_ID, 32, false),
    (VIRTIO_BLK_T_DISCARD, 16, false),
    (VIRTIO_BLK_T_IN, 4096, false),
];

fn requests_do_not_allocate(io: Io) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    let disk = Arc::new(Disk::open(file.path(), false, None).unwrap());
    let mut guest = Guest::new();
    let device = Device::new(disk, io, 1, guest.memory.clone()).unwrap();
    let mut queue = Queue::new(io, guest.memory.memory().into_inner()).unwrap();
    for round in 0..100 {
        for (number, (kind, len, indirect)) in (0..).zip(REQUESTS) {
            guest.offer(number, kind, len, indirect);
        }
        let end = Instant::now() + Duration::from_secs(10);
        let ((), allocations) = allocator::with_allocations(usize::MAX, || {
            while !guest.is_served() {
                queue.run(0, &guest.vring, &device);
                assert!(Instant::now() < end, "no answer");
            }
        });
        assert_eq!(allocations, 0, "round {round}");
        let status = (0..REQUESTS.len() as u16).map(|number| guest.status(number));
        assert_eq!(status.collect::<Vec<_>>(), [0; REQUESTS.len()], "round {round}");
    }
}

#[test]
fn requests_do_not_allocate_with_system_calls() {
    requests_do_not_allocate(Io::Sync);
}

#[test]
fn requests_do_not_allocate_with_io_uring() {
    if io_uring::IoUring::new(1).is_ok() {
        requests_do_not_allocate(Io::Uring);
    } else {
        eprintln!("skipped: no io_uring here");
    }
}
