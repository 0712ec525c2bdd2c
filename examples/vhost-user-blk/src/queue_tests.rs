//! A queue without its thread, with a ring as a driver writes it.

#[path = "../../../tests/allocation/allocator.rs"]
mod allocator;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use vhost_user_backend::VhostUserBackend;
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH,
    VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
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

/// A guest, and a device with a disk of 1 MiB and one queue for it.
struct Pair {
    guest: Guest,
    device: Device,
    queue: Queue,
    disk: tempfile::NamedTempFile,
}

impl Pair {
    fn new(io: Io) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let disk = Arc::new(Disk::open(file.path(), false, None).unwrap());
        let guest = Guest::new();
        let device = Device::new(disk, io, 1, guest.memory.clone()).unwrap();
        let queue = Queue::new(io, guest.memory.memory().into_inner()).unwrap();
        Self { guest, device, queue, disk: file }
    }

    /// Runs the queue until all requests are served.
    fn serve(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.guest.is_served() {
            self.queue.run(0, &self.guest.vring, &self.device);
            assert!(Instant::now() < end, "no answer");
        }
    }
}

/// Runs a test with each way of moving data that there is here.
fn each_way(test: impl Fn(Pair)) {
    test(Pair::new(Io::Sync));
    if io_uring::IoUring::new(1).is_ok() {
        test(Pair::new(Io::Uring));
    } else {
        eprintln!("skipped: no io_uring here");
    }
}

#[test]
fn requests_do_not_allocate() {
    each_way(|mut pair| {
        for round in 0..100 {
            for (number, (kind, len, indirect)) in (0..).zip(REQUESTS) {
                pair.guest.offer(number, kind, len, indirect);
            }
            let ((), allocations) = allocator::with_allocations(usize::MAX, || pair.serve());
            assert_eq!(allocations, 0, "round {round}");
            let status = (0..REQUESTS.len() as u16).map(|number| pair.guest.status(number));
            assert_eq!(status.collect::<Vec<_>>(), [0; REQUESTS.len()], "round {round}");
        }
    });
}

#[test]
fn a_read_past_the_end_of_a_file_that_was_cut_is_an_error() {
    each_way(|mut pair| {
        pair.disk.as_file().set_len(512).unwrap();
        for (number, len) in (0..).zip([512, 1024, 64 << 10]) {
            pair.guest.offer(number, VIRTIO_BLK_T_IN, len, false);
        }
        pair.serve();
        let status = [0, 1, 2].map(|number| pair.guest.status(number));
        assert_eq!(
            status.map(u32::from),
            [VIRTIO_BLK_S_OK, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR]
        );
    });
}

#[test]
fn a_request_without_room_for_a_status_is_returned_with_length_0_and_counted() {
    each_way(|mut pair| {
        pair.guest.offer(0, VIRTIO_BLK_T_FLUSH, 0, false);
        // Its header is all that is left of it.
        pair.guest.write(Descriptor::new(HEADERS, 16, 0, 0), TABLE);
        pair.serve();
        let memory = pair.guest.memory.memory();
        let used: [u32; 2] = memory.read_obj(GuestAddress(USED + 4)).unwrap();
        assert_eq!(used, [0, 0]);
        assert_eq!(pair.guest.status(0), 0xff);
        assert_eq!(pair.device.counters.malformed.load(Relaxed), 1);
    });
}

#[test]
fn a_ring_that_makes_no_sense_is_left_alone_until_it_is_set_up_anew() {
    each_way(|mut pair| {
        let Pair { guest, device, queue, .. } = &mut pair;
        let offered = |number: u16| {
            guest.memory.memory().write_obj(number, GuestAddress(AVAILABLE + 2)).unwrap();
        };
        // More requests than the ring has room for.
        offered(SIZE + 1);
        queue.run(0, &guest.vring, device);
        offered(1);
        queue.run(0, &guest.vring, device);
        assert_eq!(device.counters.requests.load(Relaxed), 0);

        queue.stop(device);
        guest.offer(0, VIRTIO_BLK_T_FLUSH, 0, false);
        pair.serve();
        assert_eq!(pair.guest.status(0), 0);
    });
}

#[test]
fn a_request_after_those_under_way_is_in_the_memory_that_replaced_theirs() {
    each_way(|mut pair| {
        let Pair { guest, device, queue, .. } = &mut pair;
        guest.offer(0, VIRTIO_BLK_T_FLUSH, 0, false);
        queue.run(0, &guest.vring, device);
        let Guest { memory: new, .. } = Guest::new();
        let new = Memory::clone(&new.memory());
        new.write_obj(1_u16, GuestAddress(AVAILABLE + 2)).unwrap();
        guest.memory.lock().unwrap().replace(new);
        device.update_memory(guest.memory.clone()).unwrap();
        // This finds the memory, and perhaps the flush under way.
        queue.run(0, &guest.vring, device);
        // The room of the flush is used again.
        queue.stop(device);
        guest.offer(1, VIRTIO_BLK_T_IN, 512, false);
        // The ring in the new memory has no place for the flush.
        let entry = GuestAddress(AVAILABLE + 4);
        guest.memory.memory().write_obj([0, ROOM], entry).unwrap();
        pair.serve();
        assert_eq!(u32::from(pair.guest.status(1)), VIRTIO_BLK_S_OK);
    });
}
