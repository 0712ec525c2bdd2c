//! Never reading more from a pipe than the file being written has room for.
//!
//! Whoever writes into a pipe, and closes it, believes that all has arrived, although its last bytes
//! are still in the pipe. If the disk is found to be full then, they are lost. So room is reserved
//! on the disk before it is needed, for what is read and for what the pipe can hold. Where that
//! fails the reader stops while the writer still waits, and the writer sees a broken pipe.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use rustix::process::{Resource, getrlimit};

/// What is reserved at a time.
const STEP: u64 = 16 << 20;
/// What a disk gives at least.
const PAGE: u64 = 4096;
/// How much is on the way at most, if it cannot be found out.
const UNKNOWN_CAPACITY: u64 = 1 << 20;
/// How long somebody who has written everything may take to close the pipe.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Set when reading was given up because there is no more room.
pub type Full = Rc<Cell<bool>>;

/// Standard input.
#[derive(Debug)]
pub struct Pipe {
    input: File,
    /// How many bytes the pipe could hold before it was made narrow.
    size: Option<usize>,
}

impl Pipe {
    /// Standard input.
    pub fn standard_input() -> io::Result<Self> {
        Ok(Self::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    /// An input that is no ordinary file.
    ///
    /// If it is a pipe it is made as small as it can be until it is read: should the output not open,
    /// its writer notices that the sooner.
    pub fn new(input: File) -> Self {
        let size = fcntl_getpipe_size(&input).ok();
        if size.is_some() {
            // This fails if it holds more already.
            let _ = fcntl_setpipe_size(&input, 1);
        }
        Self { input, size }
    }

    /// All that the pipe holds, if nobody writes into it any more. Else whoever does will notice that
    /// nobody reads.
    pub fn last_bytes(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if is_closed(&self.input)? {
            self.input.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Reads without regard to any room.
    pub fn ungated(self) -> File {
        if let Some(size) = self.size {
            // A small pipe is slower, nothing else.
            let _ = fcntl_setpipe_size(&self.input, size);
        }
        self.input
    }

    /// Reads what `output` has room for; sets `full` where it stops because there is no more.
    pub fn gated(self, output: &File, full: &Full) -> io::Result<Gate> {
        let input = self.ungated();
        let capacity = fcntl_getpipe_size(&input).map_or(UNKNOWN_CAPACITY, |size| size as u64);
        let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        let (output, full) = (output.try_clone()?, full.clone());
        Ok(Gate { input, output, read: 0, reserved: 0, limit, capacity, full })
    }
}

/// Reads from `input` what `output` has room for.
#[derive(Debug)]
pub struct Gate {
    input: File,
    output: File,
    /// The bytes read, all of which are written at some time.
    read: u64,
    /// The bytes that `output` has room for.
    reserved: u64,
    /// How long a file may become.
    limit: u64,
    /// How many bytes `input` may hold that were not read.
    capacity: u64,
    /// Set when there is no more room.
    full: Full,
}

impl Gate {
    /// How many of `len` bytes may be read now, at least one.
    fn admit(&mut self, len: u64) -> io::Result<u64> {
        let needed = self.read.saturating_add(len).saturating_add(self.capacity);
        if needed <= self.reserved {
            return Ok(len);
        }
        // Near the end of the disk as much as there is, page by page.
        let least = self.read.saturating_add(self.capacity).saturating_add(PAGE);
        let reserved = self
            .reserve(needed.saturating_add(STEP))
            .or_else(|_| self.reserve(needed))
            .or_else(|_| self.reserve(least));
        let room = self.reserved.saturating_sub(self.read);
        let spare = room.saturating_sub(self.capacity);
        if spare > 0 {
            return Ok(spare.min(len));
        }
        let Err(error) = reserved else { return Ok(len) };
        // The room that is left is enough if nothing else is written into the pipe.
        if is_closed(&self.input)? && ioctl_fionread(&self.input)? <= room {
            return Ok(len);
        }
        self.full.set(true);
        Err(error.into())
    }

    /// Reserves room for `total` bytes.
    fn reserve(&mut self, total: u64) -> Result<(), Errno> {
        if total <= self.reserved {
            return Ok(());
        }
        if total > self.limit {
            return Err(Errno::FBIG);
        }
        let (from, more) = (self.reserved, total.saturating_sub(self.reserved));
        match retry_on_intr(|| fallocate(&self.output, FallocateFlags::KEEP_SIZE, from, more)) {
            Ok(()) => self.reserved = total,
            // The file system cannot reserve.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.reserved = self.limit,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Whether nobody writes into `input` any more, or stops within a while.
fn is_closed(input: &File) -> io::Result<bool> {
    let mut inputs = [PollFd::new(input, PollFlags::empty())];
    poll(&mut inputs, Some(&PATIENCE))?;
    Ok(inputs.iter().any(|input| input.revents().contains(PollFlags::HUP)))
}

impl Read for Gate {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let admitted = self.admit(into.len() as u64)?;
        let admitted = usize::try_from(admitted).unwrap_or(usize::MAX);
        let into = into.get_mut(..admitted).unwrap_or_default();
        let got = self.input.read(into)?;
        self.read = self.read.saturating_add(got as u64);
        Ok(got)
    }
}
