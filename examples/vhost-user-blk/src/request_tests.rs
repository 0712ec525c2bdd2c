//! Requests in any layout, good and bad, against a disk in a file without a name.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use iov_iter::guest::Descriptor;
use vm_memory::{Bytes, GuestAddress};

use super::*;

const SECTORS: u64 = 64;
/// The borders of three regions of memory.
const BORDERS: [u64; 2] = [0x4000, 0x8000];

fn memory() -> Arc<Memory> {
    let [first, second] = BORDERS;
    let regions = [0, first, second].map(|start| (GuestAddress(start), 0x4000));
    Arc::new(Memory::from_ranges(&regions).unwrap())
}

fn disk(read_only: bool) -> Disk {
    let memory = rustix::fs::memfd_create("disk", rustix::fs::MemfdFlags::empty()).unwrap();
    let file = std::fs::File::from(memory);
    let bytes: Vec<u8> = (0..SECTORS * SECTOR).map(|at| (at % 241) as u8 + 1).collect();
    file.write_all_at(&bytes, 0).unwrap();
    let mut serial = [0; SERIAL_LEN];
    serial[..4].copy_from_slice(b"disk");
    Disk { file, path: PathBuf::new(), sectors: SECTORS, read_only, serial }
}

fn on_disk(disk: &Disk, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    disk.file.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

fn header(kind: u32, sector: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat()
}

fn range(sector: u64, sectors: u32, flags: u32) -> Vec<u8> {
    [&sector.to_le_bytes()[..], &sectors.to_le_bytes(), &flags.to_le_bytes()].concat()
}

/// Cuts `len` bytes at `address` into pieces of at most `cut` bytes, or longer ones if those were too many,
/// with an empty one before each.
fn cut(address: u64, len: usize, cut: usize, writable: bool) -> Vec<Descriptor> {
    let cut = cut.max(len.div_ceil(1000));
    let starts = (0..len).step_by(cut);
    let pieces = starts.flat_map(|at| {
        let address = address + at as u64;
        [0, cut.min(len - at)].map(|len| Descriptor { address, len: len as u32, writable })
    });
    pieces.collect()
}

/// Puts a request around the borders of the regions and has it served, cut in several ways. Returns the
/// status and what the device wrote before it, which must not depend on the cut.
fn submit(readable: &[u8], writable: usize, read_only: bool) -> (u8, Vec<u8>, Disk) {
    let mut answer = None;
    for size in [1, 2, 7, 16, 17, 512, 513, 1 << 20] {
        let (memory, disk) = (memory(), disk(read_only));
        // Both parts start before a border and most end after it.
        let [from, to] = BORDERS.map(|border| border - 9);
        memory.write_slice(&vec![0xee; writable + 1], GuestAddress(to)).unwrap();
        let mut chain = Chain::new(memory.clone());
        memory.write_slice(readable, GuestAddress(from)).unwrap();
        chain.append(cut(from, readable.len(), size, false)).unwrap();
        chain.append(cut(to, writable, size, true)).unwrap();

        let status = match parse(&chain, &disk) {
            Ok(work) => serve(&chain, &mut buffer(), work, &disk),
            Err(status) => status,
        };
        assert_eq!(finish(&chain, status, || true), writable as u32);
        let mut bytes = vec![0; writable + 1];
        memory.read_slice(&mut bytes, GuestAddress(to)).unwrap();
        assert_eq!(bytes.pop(), Some(0xee), "a byte after the request was written");
        assert_eq!(bytes.pop(), Some(status as u8));
        let now = (status as u8, bytes, disk);
        if let Some((before_status, before_bytes, before)) = &answer {
            assert_eq!((before_status, before_bytes), (&now.0, &now.1), "cut at {size}");
            let all = (SECTORS * SECTOR) as usize;
            assert_eq!(on_disk(before, 0, all), on_disk(&now.2, 0, all), "cut at {size}");
        }
        answer = Some(now);
    }
    answer.unwrap()
}

const OK: u8 = Status::Ok as u8;
const IO_ERROR: u8 = Status::IoError as u8;
const UNSUPPORTED: u8 = Status::Unsupported as u8;

#[test]
fn a_read_gives_what_is_on_the_disk_however_the_request_is_cut() {
    let (status, bytes, disk) = submit(&header(VIRTIO_BLK_T_IN, 3), 4096 + 1, true);
    assert_eq!((status, bytes), (OK, on_disk(&disk, 3 * SECTOR, 4096)));
}

#[test]
fn a_write_changes_its_sectors_and_no_others() {
    let data = vec![7; 1024];
    let request = [header(VIRTIO_BLK_T_OUT, 5), data.clone()].concat();
    let (status, bytes, now) = submit(&request, 1, false);
    assert_eq!((status, bytes), (OK, vec![]));
    let mut expected = on_disk(&disk(false), 0, (SECTORS * SECTOR) as usize);
    expected[5 * 512..7 * 512].copy_from_slice(&data);
    assert_eq!(on_disk(&now, 0, expected.len()), expected);
}

#[test]
fn what_is_not_on_the_disk_or_not_in_sectors_is_an_error_and_changes_nothing() {
    let whole = (SECTORS * SECTOR) as usize;
    let write = |sector, len| [header(VIRTIO_BLK_T_OUT, sector), vec![7; len]].concat();
    for (request, writable, read_only) in [
        (header(VIRTIO_BLK_T_IN, SECTORS), 512 + 1, false),
        (header(VIRTIO_BLK_T_IN, SECTORS - 1), 1024 + 1, false),
        (header(VIRTIO_BLK_T_IN, u64::MAX), 512 + 1, false),
        (header(VIRTIO_BLK_T_IN, u64::MAX / SECTOR), 512 + 1, false),
        (header(VIRTIO_BLK_T_IN, 0), 511 + 1, false),
        (header(VIRTIO_BLK_T_IN, 0)[..15].to_vec(), 512 + 1, false),
        (vec![], 512 + 1, false),
        (write(SECTORS, 512), 1, false),
        (write(SECTORS - 1, 1024), 1, false),
        (write(0, 513), 1, false),
        (write(0, 512), 1, true),
        ([header(VIRTIO_BLK_T_DISCARD, 0), range(0, 1, 0)].concat(), 1, true),
        (header(VIRTIO_BLK_T_DISCARD, 0), 1, false),
        ([header(VIRTIO_BLK_T_DISCARD, 0), range(0, 1, 0)[..15].to_vec()].concat(), 1, false),
        // The first range is good, and left alone because the second is not.
        (
            [header(VIRTIO_BLK_T_DISCARD, 0), range(0, 1, 0), range(SECTORS, 1, 0)].concat(),
            1,
            false,
        ),
        ([header(VIRTIO_BLK_T_WRITE_ZEROES, 0), range(1, u32::MAX, 0)].concat(), 1, false),
        ([header(VIRTIO_BLK_T_WRITE_ZEROES, 0), range(u64::MAX, 1, 0)].concat(), 1, false),
        ([header(VIRTIO_BLK_T_WRITE_ZEROES, 0), range(0, 1, 0).repeat(17)].concat(), 1, false),
    ] {
        let (status, bytes, now) = submit(&request, writable, read_only);
        assert_eq!(status, IO_ERROR, "{request:x?}");
        assert!(bytes.iter().all(|byte| *byte == 0xee));
        assert_eq!(on_disk(&now, 0, whole), on_disk(&disk(false), 0, whole), "{request:x?}");
    }
}

#[test]
fn what_the_device_does_not_know_is_unsupported() {
    let discard = |flags| [header(VIRTIO_BLK_T_DISCARD, 0), range(0, 1, flags)].concat();
    let zeroes = |flags| [header(VIRTIO_BLK_T_WRITE_ZEROES, 0), range(0, 1, flags)].concat();
    for request in [header(77, 0), discard(1), zeroes(2)] {
        let (status, _, now) = submit(&request, 9, false);
        assert_eq!((status, on_disk(&now, 0, 512)), (UNSUPPORTED, on_disk(&disk(false), 0, 512)));
    }
}

#[test]
fn discarded_and_zeroed_ranges_read_as_zeros() {
    let kinds =
        [(VIRTIO_BLK_T_DISCARD, 0), (VIRTIO_BLK_T_WRITE_ZEROES, 0), (VIRTIO_BLK_T_WRITE_ZEROES, 1)];
    for (kind, flags) in kinds {
        let ranges = [range(8, 8, flags), range(20, 0, flags), range(63, 1, flags)].concat();
        let (status, _, now) = submit(&[header(kind, 0), ranges].concat(), 1, false);
        assert_eq!(status, OK);
        let mut expected = on_disk(&disk(false), 0, (SECTORS * SECTOR) as usize);
        expected[8 * 512..16 * 512].fill(0);
        expected[63 * 512..].fill(0);
        assert_eq!(on_disk(&now, 0, expected.len()), expected);
    }
}

#[test]
fn the_serial_number_fills_the_room_that_there_is() {
    let (status, bytes, _) = submit(&header(VIRTIO_BLK_T_GET_ID, 0), 20 + 1, false);
    assert_eq!((status, &bytes[..5], bytes[5..].iter().max()), (OK, &b"disk\0"[..], Some(&0)));
    let (status, bytes, _) = submit(&header(VIRTIO_BLK_T_GET_ID, 0), 3 + 1, false);
    assert_eq!((status, &bytes[..]), (OK, &b"dis"[..]));
    let (status, bytes, _) = submit(&header(VIRTIO_BLK_T_GET_ID, 0), 30 + 1, false);
    assert_eq!((status, &bytes[20..]), (OK, &[0xee; 10][..]));
}

#[test]
fn a_flush_needs_a_status_only() {
    let (status, bytes, _) = submit(&header(VIRTIO_BLK_T_FLUSH, 0), 1, true);
    assert_eq!((status, bytes), (OK, vec![]));
}
