//! Channels whose operations are C functions.

use core::ffi::{c_int, c_void};
use core::ops::Range;

use iov_iter::file::{
    Channel, ChannelError, Duplex, Features, ReadChannel, Ready, Release, SeekFrom, WriteChannel,
};
use iov_iter::{Dest, Direction, IoVec, Piece, Source};

use crate::errno::Errno;
use crate::handle::Shared;

type Move = unsafe extern "C" fn(*mut c_void, *const IoVec, usize) -> isize;
type MoveAt = unsafe extern "C" fn(*mut c_void, *const IoVec, usize, u64) -> isize;

/// `struct ioviter_channel_ops`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Ops {
    pub(crate) size: usize,
    readv: Option<Move>,
    writev: Option<Move>,
    wait: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int>,
    set_blocking: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int>,
    shutdown: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    seek: Option<unsafe extern "C" fn(*mut c_void, i64, c_int) -> i64>,
    preadv: Option<MoveAt>,
    pwritev: Option<MoveAt>,
    release: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, usize)>,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl Ops {
    pub(crate) const LAST: usize = core::mem::offset_of!(Self, free);

    /// The operations that the caller's structure has, by its size.
    ///
    /// # Safety
    ///
    /// As for [`CChannel::new`].
    unsafe fn copied(ops: *const Self) -> Result<Self, Errno> {
        if ops.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's promise.
        let size = unsafe { ops.cast::<usize>().read() };
        if size < size_of::<usize>() {
            return Err(Errno::INVAL);
        }
        let mut mine = Ops::default();
        let known = size.min(size_of::<Ops>());
        // Half an entry is none.
        let known = known.wrapping_sub(known.checked_rem(size_of::<usize>()).unwrap_or(0));
        // SAFETY: both have `known` bytes. All zeros and every function of C is a value of the entries.
        unsafe {
            core::ptr::copy_nonoverlapping(ops.cast::<u8>(), (&raw mut mine).cast(), known);
        }
        Ok(mine)
    }
}

/// The operations and the pointer that they get.
struct Target {
    ops: Ops,
    opaque: *mut c_void,
}

/// A handle of a channel of C: the file's, or that of a control of the file.
pub struct CChannel(Shared<Target>);

// SAFETY: the header asks that operations may be called from whatever thread uses the handle, `shutdown`
// and `free` from any.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl CChannel {
    /// Takes the operations that the caller's structure has, by its size.
    ///
    /// # Safety
    ///
    /// `ops` is null or points to `ops.size` bytes, at least to the size itself, whose functions do what
    /// the header says with `opaque`.
    pub(crate) unsafe fn new(ops: *const Ops, opaque: *mut c_void) -> Result<Self, Errno> {
        // SAFETY: the caller's promise.
        let mine = unsafe { Ops::copied(ops) }?;
        Ok(Self(Shared::new(Target { ops: mine, opaque })?))
    }

    /// A channel for one call, at whose end nothing is closed or freed.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new).
    pub(crate) unsafe fn borrowed(ops: *const Ops, opaque: *mut c_void) -> Result<Self, Errno> {
        // SAFETY: the caller's promise.
        let mine = unsafe { Ops::copied(ops) }?;
        Ok(Self(Shared::new(Target { ops: Ops { free: None, ..mine }, opaque })?))
    }

    /// What releases bytes by their addresses.
    ///
    /// # Safety
    ///
    /// The channel must outlive the use of the reference.
    pub(crate) unsafe fn releaser<'a>(&self) -> &'a (dyn Release + Sync) {
        // SAFETY: the caller's promise.
        unsafe { self.0.value() }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(free) = self.ops.free {
            // SAFETY: nothing else has the pointer any more, and nobody called it before.
            unsafe { free(self.opaque) }
        }
    }
}

/// Asks an operation, again if a signal interrupted it.
fn ask(call: impl Fn() -> i64) -> Result<i64, ChannelError> {
    loop {
        match call() {
            INTERRUPTED => {}
            result => return answer(result),
        }
    }
}

const INTERRUPTED: i64 = -4;

/// What an operation's result means.
fn answer(result: i64) -> Result<i64, ChannelError> {
    match result {
        0.. => Ok(result),
        -11 => Err(ChannelError::WouldBlock),
        -38 => Err(ChannelError::Unsupported),
        error => Err(ChannelError::Os(i32::try_from(error.saturating_neg()).unwrap_or(i32::MAX))),
    }
}

/// An operation that there may not be.
fn ability<F>(operation: Option<F>) -> Result<F, ChannelError> {
    operation.ok_or(ChannelError::Unsupported)
}

fn bytes(moved: i64) -> usize {
    usize::try_from(moved).unwrap_or(usize::MAX)
}

fn move_bytes<D: Direction>(
    target: &Target,
    operation: Option<Move>,
    list: &[Piece<'_, D>],
) -> Result<usize, ChannelError> {
    let operation = ability(operation)?;
    let iov = list.as_ptr().cast();
    // SAFETY: the operation does what the header says. A piece has the layout of `struct iovec`.
    ask(|| unsafe { operation(target.opaque, iov, list.len()) } as i64).map(bytes)
}

fn move_bytes_at<D: Direction>(
    target: &Target,
    operation: Option<MoveAt>,
    list: &[Piece<'_, D>],
    position: u64,
) -> Result<usize, ChannelError> {
    let operation = ability(operation)?;
    let iov = list.as_ptr().cast();
    // SAFETY: as in `move_bytes`.
    ask(|| unsafe { operation(target.opaque, iov, list.len(), position) } as i64).map(bytes)
}

impl Channel for CChannel {
    fn features(&self) -> Features {
        let mut features = Features::empty();
        features.set(Features::SEEKABLE, self.0.ops.seek.is_some());
        features.set(Features::SHUTDOWN, self.0.ops.shutdown.is_some());
        features
    }

    fn wait(&mut self, ready: Ready) -> Result<(), ChannelError> {
        let wait = self.0.ops.wait.ok_or(ChannelError::WouldBlock)?;
        let direction = c_int::from(ready == Ready::Write);
        // SAFETY: the operation does what the header says.
        ask(|| unsafe { wait(self.0.opaque, direction) }.into()).map(drop)
    }

    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        let set_blocking = ability(self.0.ops.set_blocking)?;
        // SAFETY: as in `wait`.
        ask(|| unsafe { set_blocking(self.0.opaque, blocking.into()) }.into()).map(drop)
    }

    fn shutdown(&self) -> Result<(), ChannelError> {
        let shutdown = ability(self.0.ops.shutdown)?;
        // SAFETY: as in `wait`.
        ask(|| unsafe { shutdown(self.0.opaque) }.into()).map(drop)
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        let seek = ability(self.0.ops.seek)?;
        let (distance, whence) = match to {
            SeekFrom::Start(position) => (i64::try_from(position), 0),
            SeekFrom::Current(distance) => (Ok(distance), 1),
            SeekFrom::End(distance) => (Ok(distance), 2),
        };
        let distance = distance.map_err(|_| ChannelError::Os(Errno::OVERFLOW.0))?;
        // SAFETY: as in `wait`.
        ask(|| unsafe { seek(self.0.opaque, distance, whence) }).map(i64::unsigned_abs)
    }

    fn close(&mut self) -> Result<(), ChannelError> {
        let Some(close) = self.0.ops.close else { return Ok(()) };
        // Whatever it returns, it is called once.
        // SAFETY: as in `wait`.
        answer(unsafe { close(self.0.opaque) }.into()).map(drop)
    }

    fn abandoned(&mut self, _: u64) {}
}

impl ReadChannel for CChannel {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.read_pieces(&[Piece::from(into)])
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        move_bytes(&self.0, self.0.ops.readv, into)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        move_bytes_at(&self.0, self.0.ops.preadv, into, position)
    }
}

impl WriteChannel for CChannel {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        move_bytes(&self.0, self.0.ops.writev, from)
    }

    fn write_at(
        &mut self,
        from: &[Piece<'_, Source>],
        position: u64,
    ) -> Result<usize, ChannelError> {
        move_bytes_at(&self.0, self.0.ops.pwritev, from, position)
    }
}

impl Duplex for CChannel {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(Self(self.0.share()))
    }
}

impl Release for Target {
    fn release(&self, range: Range<usize>) {
        if let Some(release) = self.ops.release {
            let start = core::ptr::with_exposed_provenance_mut(range.start);
            // SAFETY: the operation does what the header says.
            unsafe { release(self.opaque, start, range.end.saturating_sub(range.start)) }
        }
    }
}
