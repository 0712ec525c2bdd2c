//! Requests: what the guest asks for, and what it gets.
//!
//! ```text
//!   readable   [ header, 16 bytes ][ data of a write, or ranges to discard ... ]
//!   writable   [ data of a read, or the serial number ... ][ status, 1 byte ]
//! ```
//!
//! The guest cuts both into descriptors as it likes, and may write all of them at any time. What is checked
//! here is therefore copied first, once.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{Ordering::SeqCst, fence};

use iov_iter::iov::{Transfer, View};
use iov_iter::os::io::FileAt;
use iov_iter::{Dest, Direction, Shared, Source, guest};
use vhost_user_backend::bitmap::BitmapMmapRegion;
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_DISCARD,
    VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
    VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
};
use vm_memory::GuestMemoryMmap;

use crate::disk::{Disk, SECTOR, SERIAL_LEN};

const HEADER: usize = 16;
/// The length of one range to discard, or to fill with zeros.
const RANGE: usize = 16;
/// How many of them one request may have.
pub const MAX_RANGES: usize = 16;
/// How many sectors one of them may have: 1 GiB.
pub const MAX_RANGE_SECTORS: u32 = (1 << 30) / SECTOR as u32;
/// How many segments of data a guest should put into one request.
pub const MAX_SEGMENTS: u32 = 254;
/// How many segments of a request have room without an allocation. Most have few; a request with more
/// allocates once, and its room is used again.
pub const INLINE: usize = 36;
/// How many bytes at most move through a buffer if they are scattered.
const SCATTERED: usize = 8 << 10;

/// The guest's memory, with the log of pages that a live migration has to copy again.
pub type Memory = GuestMemoryMmap<BitmapMmapRegion>;
/// The segments of a request.
pub type Chain = guest::Chain<Arc<Memory>, INLINE>;
/// Room for data that is [scattered](is_scattered).
pub type Buffer = Box<[u8; SCATTERED]>;

/// Room that is zero.
pub fn buffer() -> Buffer {
    Box::new([0; SCATTERED])
}

/// What a request asks for, once it is checked.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Fill the guest's memory from this offset of the disk.
    Read { offset: u64 },
    /// Write the guest's memory to this offset of the disk.
    Write { offset: u64 },
    /// Wait until all that was written is on the medium.
    Flush,
    /// Fill the guest's memory with the serial number.
    GetId,
    /// Free ranges of the disk, which are the data of the request.
    Discard,
    /// Overwrite ranges with zeros, as above.
    WriteZeroes,
}

/// What the guest finds in the last byte of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    Ok = VIRTIO_BLK_S_OK as u8,
    IoError = VIRTIO_BLK_S_IOERR as u8,
    Unsupported = VIRTIO_BLK_S_UNSUPP as u8,
}

impl From<io::Result<()>> for Status {
    fn from(result: io::Result<()>) -> Self {
        if result.is_ok() { Self::Ok } else { Self::IoError }
    }
}

/// A range of the disk: the offset and the length in bytes, and whether the guest allows freeing it.
type Range = (u64, u64, bool);

/// What the device reads after the header.
pub fn data_out(chain: &Chain) -> View<'_, Source, Shared> {
    let mut data = chain.readable();
    data.discard_front(HEADER);
    data
}

/// What the device writes before the status.
pub fn data_in(chain: &Chain) -> View<'_, Dest, Shared> {
    let mut data = chain.writable();
    data.discard_back(1);
    data
}

/// Whether it costs less to move data between the disk and a buffer, and to copy it.
///
/// For the kernel each segment is work. A copy of a few kilobytes costs less than that from the third segment
/// of a `preadv` on, and from about the ninth of a `pwritev`: on tmpfs, 16 segments of 32 bytes take 2.6 µs and
/// 1.0 µs with a buffer; over 8 KiB in 16 segments both take the same.
pub fn is_scattered<D: Direction>(data: View<'_, D, Shared>) -> bool {
    let few = if D::IS_DEST { 2 } else { 8 };
    data.segment_count() > few && data.len() <= SCATTERED
}

/// What a request asks for, or why it gets nothing.
pub fn parse(chain: &Chain, disk: &Disk) -> Result<Work, Status> {
    let mut header = [0; HEADER];
    chain.readable().read_exact_at(0, &mut header).map_err(|_| Status::IoError)?;
    let [a, b, c, d, _, _, _, _, sector @ ..] = header;
    let (kind, sector) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(sector));
    let at = |len: usize| disk.range(sector, len as u64).ok_or(Status::IoError);
    if matches!(kind, VIRTIO_BLK_T_OUT | VIRTIO_BLK_T_DISCARD | VIRTIO_BLK_T_WRITE_ZEROES)
        && disk.read_only
    {
        return Err(Status::IoError);
    }
    match kind {
        VIRTIO_BLK_T_IN => Ok(Work::Read { offset: at(data_in(chain).len())? }),
        VIRTIO_BLK_T_OUT => Ok(Work::Write { offset: at(data_out(chain).len())? }),
        VIRTIO_BLK_T_FLUSH => Ok(Work::Flush),
        VIRTIO_BLK_T_GET_ID => Ok(Work::GetId),
        VIRTIO_BLK_T_DISCARD => Ok(Work::Discard),
        VIRTIO_BLK_T_WRITE_ZEROES => Ok(Work::WriteZeroes),
        _ => Err(Status::Unsupported),
    }
}

/// Calls `step` with each range of a request, if all of them are on the disk.
fn on_ranges(
    chain: &Chain,
    disk: &Disk,
    allowed_flags: u32,
    step: impl FnMut(Range) -> io::Result<()>,
) -> Status {
    let data = data_out(chain);
    let count = data.len() / RANGE;
    if !data.len().is_multiple_of(RANGE) || count == 0 || count > MAX_RANGES {
        return Status::IoError;
    }
    let mut ranges = [(0, 0, false); MAX_RANGES];
    let ranges = &mut ranges[..count];
    for (at, range) in ranges.iter_mut().enumerate() {
        let mut bytes = [0; RANGE];
        let Ok(()) = data.read_exact_at(at * RANGE, &mut bytes) else { return Status::IoError };
        match parse_range(bytes, disk, allowed_flags) {
            Ok(parsed) => *range = parsed,
            Err(status) => return status,
        }
    }
    ranges.iter().copied().try_for_each(step).into()
}

fn parse_range(bytes: [u8; RANGE], disk: &Disk, allowed_flags: u32) -> Result<Range, Status> {
    let [a, b, c, d, e, f, g, h, i, j, k, l, flags @ ..] = bytes;
    let sector = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let sectors = u32::from_le_bytes([i, j, k, l]);
    let flags = u32::from_le_bytes(flags);
    if flags & !allowed_flags != 0 {
        return Err(Status::Unsupported);
    }
    if sectors > MAX_RANGE_SECTORS {
        return Err(Status::IoError);
    }
    let len = u64::from(sectors) * SECTOR;
    Ok((disk.range(sector, len).ok_or(Status::IoError)?, len, flags != 0))
}

/// Does what a request asks for, and waits for the end.
pub fn serve(chain: &Chain, buffer: &mut Buffer, work: Work, disk: &Disk) -> Status {
    match work {
        Work::Read { offset } => read(data_in(chain), buffer, disk, offset).into(),
        Work::Write { offset } => write(data_out(chain), buffer, disk, offset).into(),
        Work::Flush => disk.flush().into(),
        Work::GetId => {
            let serial = &disk.serial[..data_in(chain).len().min(SERIAL_LEN)];
            match data_in(chain).write_all_at(0, serial) {
                Ok(()) => Status::Ok,
                Err(_) => Status::IoError,
            }
        }
        Work::Discard => on_ranges(chain, disk, 0, |(offset, len, _)| disk.discard(offset, len)),
        Work::WriteZeroes => {
            on_ranges(chain, disk, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP, |(offset, len, unmap)| {
                disk.write_zeroes(offset, len, unmap)
            })
        }
    }
}

/// Reads from the disk.
fn read(
    data: View<'_, Dest, Shared>,
    buffer: &mut Buffer,
    disk: &Disk,
    offset: u64,
) -> io::Result<()> {
    if is_scattered(data) {
        let buffer = &mut buffer[..data.len()];
        disk.file.read_exact_at(buffer, offset)?;
        data.write_all_at(0, buffer).map_err(io::Error::other)
    } else {
        finished(data.receive(&mut FileAt { file: &disk.file, offset }))
    }
}

/// Writes to the disk.
fn write(
    data: View<'_, Source, Shared>,
    buffer: &mut Buffer,
    disk: &Disk,
    offset: u64,
) -> io::Result<()> {
    if is_scattered(data) {
        let buffer = &mut buffer[..data.len()];
        data.read_exact_at(0, buffer).map_err(io::Error::other)?;
        disk.file.write_all_at(buffer, offset)
    } else {
        finished(data.send(&mut FileAt { file: &disk.file, offset }))
    }
}

fn finished(transfer: Transfer<io::Error>) -> io::Result<()> {
    transfer.finished().map(drop).map_err(io::Error::other)
}

/// Writes the status. Returns the number of bytes that the guest is told of.
///
/// If the device `logs`, what it has written is marked for a live migration: all of it also after an error,
/// which may come after a part of the data. It is asked after the last byte was written: a migration that
/// begins later copies all pages.
pub fn finish(chain: &Chain, status: Status, logs: impl FnOnce() -> bool) -> u32 {
    let writable = chain.writable();
    let len = writable.len();
    if let Some(at) = len.checked_sub(1) {
        let _ = writable.write_at(at, &[status as u8]);
    }
    // Otherwise the processor may ask first.
    fence(SeqCst);
    if logs() {
        chain.mark_written(0, len);
    }
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
