//! Requests that are under way at the same time, by io_uring.
//!
//! The kernel gets the segments of a request as they are, and moves the data between them and the disk. It
//! gets a buffer for data that is scattered in small pieces.
//! Requests may be done in any order, and are completed in that in which they were taken.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode, squeue};
use iov_iter::iov::View;
use iov_iter::{Direction, IoVec, Shared};

use crate::device::Device;
use crate::queue::Taken;
use crate::request::{self, Buffer, Chain, Memory, Status, Work};

/// How many requests of a queue are under way at most.
const DEPTH: usize = 256;

/// A ring of the kernel's, and the requests that it has.
pub struct Uring {
    ring: IoUring,
    slots: Box<[Slot]>,
    /// Slots that are in use, in the order in which their requests were taken.
    order: VecDeque<usize>,
    free: Vec<usize>,
    /// Requests that the kernel has.
    pending: usize,
    /// What the requests from now on are in.
    memory: Arc<Memory>,
}

/// A request.
struct Slot {
    chain: Chain,
    head: u16,
    state: State,
    /// What the kernel gets: the segments that are left to move.
    segments: Vec<IoVec>,
    /// Where scattered data moves through.
    buffer: Buffer,
}

enum State {
    /// The kernel does the work. The number counts the bytes that earlier calls moved.
    Pending(Work, usize),
    /// The work is done. The number goes into the used ring: the bytes written to the guest.
    Done(u32),
}

impl Uring {
    pub fn new(memory: &Arc<Memory>) -> io::Result<Self> {
        let slot = |_| Slot {
            chain: Chain::new(Arc::clone(memory)),
            head: 0,
            state: State::Done(0),
            segments: Vec::with_capacity(request::INLINE),
            buffer: request::buffer(),
        };
        Ok(Self {
            ring: IoUring::new(DEPTH as u32)?,
            slots: (0..DEPTH).map(slot).collect(),
            order: VecDeque::with_capacity(DEPTH),
            free: (0..DEPTH).collect(),
            pending: 0,
            memory: Arc::clone(memory),
        })
    }

    /// Becomes readable when requests are done.
    pub fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Whether no more requests can be started now.
    pub fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Takes the memory for the requests from now on. Those under way keep theirs.
    pub fn replace_memory(&mut self, memory: &Arc<Memory>) {
        self.memory = Arc::clone(memory);
        for index in &self.free {
            self.slots[*index].chain.replace_memory(Arc::clone(memory));
        }
    }

    /// Has `take` take a request, and starts it. Returns whether there was one, and room for it.
    ///
    /// The kernel sees it with the next [`collect`](Self::collect).
    pub fn start<E>(
        &mut self,
        device: &Device,
        take: impl FnOnce(&mut Chain) -> Result<Option<Taken>, E>,
    ) -> Result<bool, E> {
        let Some(&index) = self.free.last() else { return Ok(false) };
        let slot = &mut self.slots[index];
        let Some(taken) = take(&mut slot.chain)? else { return Ok(false) };
        self.free.pop();
        self.order.push_back(index);
        slot.head = taken.head;
        if !device.counters.count(&taken) {
            slot.state = State::Done(0);
            return Ok(true);
        }
        match request::parse(&slot.chain, &device.disk) {
            Ok(work @ (Work::Read { .. } | Work::Write { .. } | Work::Flush)) => {
                self.submit(index, work, 0, device);
            }
            // The others are rare, and quick.
            Ok(work) => {
                let status = request::serve(&slot.chain, &mut slot.buffer, work, &device.disk);
                slot.finish(work, status, device);
            }
            Err(status) => slot.answer(status, device),
        }
        Ok(true)
    }

    /// Gives a request to the kernel, without the first `moved` bytes of its data.
    fn submit(&mut self, index: usize, work: Work, moved: usize, device: &Device) {
        let slot = &mut self.slots[index];
        let disk = Fd(device.disk.file.as_raw_fd());
        let Slot { chain, segments, buffer, .. } = slot;
        let entry = match work {
            Work::Read { offset } => {
                describe(request::data_in(chain), moved, segments, buffer);
                opcode::Readv::new(disk, segments.as_ptr().cast(), segments.len() as u32)
                    .offset(offset + moved as u64)
                    .build()
            }
            Work::Write { offset } => {
                let data = request::data_out(chain);
                if request::is_scattered(data) {
                    // It has room for all of them.
                    let _ = data.read_at(0, &mut buffer[..]);
                }
                describe(data, moved, segments, buffer);
                opcode::Writev::new(disk, segments.as_ptr().cast(), segments.len() as u32)
                    .offset(offset + moved as u64)
                    .build()
            }
            _ => opcode::Fsync::new(disk).flags(FsyncFlags::DATASYNC).build(),
        };
        slot.state = State::Pending(work, moved);
        self.push(&entry.user_data(index as u64));
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: the segments are in memory that the slot keeps mapped, or in its buffer, and their list is in
        // the slot. The slot is left alone until the kernel is done with the request, and dropped after that only.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            // There is an entry for each slot, unless the kernel has not yet taken those of before.
            let _ = self.ring.submit();
        }
        self.pending += 1;
    }

    /// Lets the kernel begin what was started, waits until `wanted` requests are done, and collects those
    /// that are.
    pub fn collect(&mut self, device: &Device, wanted: usize) {
        if self.pending == 0 {
            return;
        }
        // What the kernel does not take now, for want of memory, it takes the next time.
        let _ = self.ring.submit_and_wait(wanted);
        while let Some(entry) = { self.ring.completion().next() } {
            self.pending -= 1;
            self.collect_one(entry.user_data() as usize, entry.result(), device);
        }
        // Requests that go on.
        if !self.ring.submission().is_empty() {
            let _ = self.ring.submit();
        }
    }

    /// Waits for all requests under way.
    pub fn collect_all(&mut self, device: &Device) {
        while self.pending > 0 {
            self.collect(device, 1);
        }
    }

    /// Collects a request, or lets the kernel go on with it. `result` is what the call would have returned.
    fn collect_one(&mut self, index: usize, result: i32, device: &Device) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let State::Pending(work, before) = slot.state else { return };
        let size = match work {
            Work::Read { .. } => request::data_in(&slot.chain).len(),
            Work::Write { .. } => request::data_out(&slot.chain).len(),
            _ => 0,
        };
        let status = match usize::try_from(result) {
            Ok(now) if before + now >= size => slot.distribute(work).into(),
            Ok(now @ 1..) => return self.submit(index, work, before + now, device),
            Err(_) if [-libc::EINTR, -libc::EAGAIN].contains(&result) => {
                return self.submit(index, work, before, device);
            }
            // The file has ended, or the call failed.
            Ok(0) | Err(_) => Status::IoError,
        };
        slot.finish(work, status, device);
    }

    /// The next request in order if it is done: its number in the ring, and the bytes that the guest is told
    /// of.
    pub fn next_completed(&mut self) -> Option<(u16, u32)> {
        let index = *self.order.front()?;
        let slot = &mut self.slots[index];
        let State::Done(len) = slot.state else { return None };
        self.order.pop_front();
        if !Arc::ptr_eq(slot.chain.memory(), &self.memory) {
            slot.chain.replace_memory(Arc::clone(&self.memory));
        }
        self.free.push(index);
        Some((slot.head, len))
    }

    /// Collects requests that nobody is told of.
    pub fn forget_completed(&mut self, device: &Device) {
        self.collect(device, 0);
        while self.next_completed().is_some() {}
    }
}

impl Slot {
    /// Copies what was read from the buffer to the guest, if it went there.
    fn distribute(&self, work: Work) -> io::Result<()> {
        let data = request::data_in(&self.chain);
        if matches!(work, Work::Read { .. }) && request::is_scattered(data) {
            data.write_all_at(0, &self.buffer[..data.len()]).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn finish(&mut self, work: Work, status: Status, device: &Device) {
        self.answer(device.settle(work, status), device);
    }

    fn answer(&mut self, status: Status, device: &Device) {
        self.state = State::Done(request::finish(&self.chain, status, || device.logs()));
    }
}

/// Lists the segments of a view after its first `skip` bytes, or those of the buffer that stand for them.
fn describe<D: Direction>(
    mut view: View<'_, D, Shared>,
    skip: usize,
    segments: &mut Vec<IoVec>,
    buffer: &mut Buffer,
) {
    segments.clear();
    if request::is_scattered(view) {
        let rest = &mut buffer[skip..view.len()];
        segments.push(IoVec::new(rest.as_mut_ptr().expose_provenance(), rest.len()));
    } else {
        view.discard_front(skip);
        segments.extend(
            view.pieces().map(|piece| IoVec::new(piece.as_ptr().expose_provenance(), piece.len())),
        );
    }
}

impl Drop for Uring {
    /// Waits until the kernel has done with the memory.
    fn drop(&mut self) {
        while self.pending > 0 {
            if let Err(error) = self.ring.submit_and_wait(1)
                && error.kind() != io::ErrorKind::Interrupted
            {
                // Without the kernel's word the memory cannot be given back.
                eprintln!("io_uring fails, so this ends here: {error}");
                std::process::abort();
            }
            self.pending -= self.ring.completion().count();
        }
    }
}
