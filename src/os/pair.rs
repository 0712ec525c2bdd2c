//! A connection inside the process: two ends, each of which reads what the other one writes.
//!
//! ```text
//!   PairEnd ──write──► [ lane 0: at most `capacity` bytes ] ──read──► PairEnd
//!           ◄──read─── [ lane 1                           ] ◄─write──
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::direction::{Dest, Source};
use crate::file::{
    Channel, ChannelError, Duplex, Error, Features, ReadChannel, Shared, WriteChannel, write_copies,
};
use crate::memory::Piece;
use crate::segment::{KVec, as_pieces};

/// Makes a connection that holds `capacity` bytes (at least 1) in each direction.
///
/// All memory is allocated here.
///
/// # Errors
///
/// [`Error::NoMemory`].
///
/// ```
/// use iov_iter::file::{FileReader, FileWriter};
///
/// let (here, there) = iov_iter::os::pair(4096)?;
/// let mut request = FileWriter::new(here)?;
/// let mut answer = FileReader::new(request.return_channel()?)?;
/// let worker = std::thread::spawn(move || {
///     let mut request = FileReader::new(there)?;
///     let mut answer = FileWriter::new(request.return_channel()?)?;
///     answer.put_be32(request.get_be32()? + 1)?;
///     answer.close()
/// });
/// request.put_be32(41)?;
/// request.flush()?;
/// assert_eq!(answer.get_be32()?, 42);
/// request.close()?;
/// # worker.join().unwrap()?;
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
pub fn pair(capacity: usize) -> Result<(PairEnd, PairEnd), Error> {
    let lanes = [Lane::new(capacity.max(1))?, Lane::new(capacity.max(1))?];
    let handles = [AtomicUsize::new(1), AtomicUsize::new(1)];
    let link = Shared::new(Link { lanes, handles })?;
    let other = link.share()?;
    Ok((
        PairEnd { link, side: 0, blocking: true },
        PairEnd { link: other, side: 1, blocking: true },
    ))
}

/// One end of a connection inside the process.
///
/// Dropping the last handle of an end closes the connection: the other end can still read what was
/// written, and then finds the end of the data.
pub struct PairEnd {
    link: Shared<Link>,
    side: usize,
    /// Of this handle only.
    blocking: bool,
}

struct Link {
    /// Lane `n` is written by side `n`.
    lanes: [Lane; 2],
    /// Handles of each side.
    handles: [AtomicUsize; 2],
}

struct Lane {
    content: Mutex<Content>,
    changed: Condvar,
    capacity: usize,
}

struct Content {
    bytes: VecDeque<u8>,
    closed: bool,
}

impl Lane {
    fn new(capacity: usize) -> Result<Self, Error> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(capacity).map_err(|_| Error::NoMemory)?;
        let content = Mutex::new(Content { bytes, closed: false });
        Ok(Self { content, changed: Condvar::new(), capacity })
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Nothing panics while the content is locked.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the content as soon as it is `ready` or closed.
    fn lock_when(
        &self,
        ready: impl Fn(&Content) -> bool,
        blocking: bool,
    ) -> Result<MutexGuard<'_, Content>, ChannelError> {
        let mut content = self.lock();
        while !ready(&content) && !content.closed {
            if !blocking {
                return Err(ChannelError::WouldBlock);
            }
            content = self.changed.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(content)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl PairEnd {
    fn outgoing(&self) -> &Lane {
        let [first, second] = &self.link.lanes;
        if self.side == 0 { first } else { second }
    }

    fn incoming(&self) -> &Lane {
        let [first, second] = &self.link.lanes;
        if self.side == 0 { second } else { first }
    }

    fn handles(&self) -> &AtomicUsize {
        let [first, second] = &self.link.handles;
        if self.side == 0 { first } else { second }
    }
}

impl Channel for PairEnd {
    fn features(&self) -> Features {
        Features::SHUTDOWN
    }

    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        self.blocking = blocking;
        Ok(())
    }

    fn shutdown(&self) -> Result<(), ChannelError> {
        self.outgoing().close();
        self.incoming().close();
        Ok(())
    }
}

impl ReadChannel for PairEnd {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.read_pieces(as_pieces(&[KVec::from(into)]))
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        let lane = self.incoming();
        let mut content = lane.lock_when(|content| !content.bytes.is_empty(), self.blocking)?;
        let mut read = 0_usize;
        for mut piece in into.iter().copied() {
            let (front, back) = content.bytes.as_slices();
            let first = piece.take(KVec::from(front).copy_to(piece)).len();
            let second = KVec::from(back).copy_to(piece);
            let len = first.saturating_add(second).min(content.bytes.len());
            content.bytes.drain(..len);
            read = read.saturating_add(len);
        }
        lane.changed.notify_all();
        Ok(read)
    }
}

impl WriteChannel for PairEnd {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        self.write_with(|content| write_copies(from, |bytes| Ok(content.push(bytes))))
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        self.write_with(|content| {
            let pushed = from.iter().map(|segment| content.push(segment.as_slice()));
            Ok(pushed.fold(0, usize::saturating_add))
        })
    }
}

impl PairEnd {
    /// Writes when there is room.
    fn write_with(
        &mut self,
        write: impl FnOnce(&mut Room<'_>) -> Result<usize, ChannelError>,
    ) -> Result<usize, ChannelError> {
        let lane = self.outgoing();
        let has_room = |content: &Content| content.bytes.len() < lane.capacity;
        let mut content = lane.lock_when(has_room, self.blocking)?;
        if content.closed {
            return Err(ChannelError::Os(EPIPE));
        }
        let written = write(&mut Room { bytes: &mut content.bytes, capacity: lane.capacity });
        lane.changed.notify_all();
        written
    }
}

/// The bytes on their way, and how many they may become.
struct Room<'r> {
    bytes: &'r mut VecDeque<u8>,
    capacity: usize,
}

impl Room<'_> {
    /// Appends the front of `bytes`, as far as there is room; returns how many.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let left = self.capacity.saturating_sub(self.bytes.len());
        let bytes = bytes.get(..left).unwrap_or(bytes);
        // There is room for `capacity` bytes, so this does not allocate.
        self.bytes.extend(bytes);
        bytes.len()
    }
}

/// What writing returns when nobody can read any more.
const EPIPE: i32 = 32;

impl Duplex for PairEnd {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        let link = self.link.share().map_err(|_| ChannelError::NoMemory)?;
        self.handles().fetch_add(1, Ordering::Relaxed);
        Ok(Self { link, side: self.side, blocking: self.blocking })
    }
}

impl Drop for PairEnd {
    fn drop(&mut self) {
        if self.handles().fetch_sub(1, Ordering::AcqRel) == 1 {
            self.outgoing().close();
            self.incoming().close();
        }
    }
}

impl core::fmt::Debug for PairEnd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PairEnd")
            .field("side", &self.side)
            .field("blocking", &self.blocking)
            .finish_non_exhaustive()
    }
}
