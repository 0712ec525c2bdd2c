//! Stopping a file that another thread is using.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use super::channel::Channel;
use super::error::Error;

/// Stops a file from any thread, even while the file waits for its channel.
///
/// Made by [`FileReader::stopper`](super::FileReader::stopper) and
/// [`FileWriter::stopper`](super::FileWriter::stopper).
#[derive(Debug)]
pub struct Stopper<C> {
    flag: StopFlag,
    channel: C,
}

impl<C: Channel> Stopper<C> {
    pub(super) const fn new(flag: StopFlag, channel: C) -> Self {
        Self { flag, channel }
    }

    /// Puts the file into the error [`Error::Stopped`], then shuts the channel down.
    ///
    /// The order matters: whoever wakes up from reading because the channel has ended already
    /// finds the error, and does not mistake the end for the end of the data. An error that the
    /// file had before stays.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] or [`Error::Shutdown`] if the channel was not shut down. The file
    /// is stopped even then.
    #[doc(alias = "qemu_file_shutdown")]
    pub fn stop(&self) -> Result<(), Error> {
        self.flag.raise();
        shut_down(&self.channel)
    }
}

/// Shuts the channel down, with the error that a file reports.
pub(super) fn shut_down(channel: &impl Channel) -> Result<(), Error> {
    use super::channel::ChannelError::Unsupported;
    channel.shutdown().map_err(|error| match error {
        Unsupported => Error::Unsupported,
        error => Error::Shutdown(error),
    })
}

/// A flag that several threads share; the last one frees it.
///
/// It does what an `Arc<AtomicBool>` does, except that running out of memory is an error.
pub(super) struct StopFlag {
    shared: NonNull<Shared>,
}

struct Shared {
    owners: AtomicUsize,
    raised: AtomicBool,
}

/// More owners than could ever be, and far from an overflow of the count.
const MAX_OWNERS: usize = usize::MAX / 2;

// SAFETY: the shared memory is only touched through atomics, and lives until the last owner, on
// whichever thread, is dropped.
unsafe impl Send for StopFlag {}
// SAFETY: as above.
unsafe impl Sync for StopFlag {}

impl StopFlag {
    pub(super) fn new() -> Result<Self, Error> {
        let layout = Layout::new::<Shared>();
        // SAFETY: the size of `Shared` is not 0.
        let memory = unsafe { alloc(layout) };
        let shared = NonNull::new(memory.cast::<Shared>()).ok_or(Error::NoMemory)?;
        let value = Shared { owners: AtomicUsize::new(1), raised: AtomicBool::new(false) };
        // SAFETY: the memory was just allocated with the layout of `Shared`, and nobody else has it.
        unsafe { shared.write(value) };
        Ok(Self { shared })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the memory was initialised by `new` and is freed by the last owner only; `self`
        // is one. Nobody makes a mutable reference to it.
        unsafe { self.shared.as_ref() }
    }

    /// Another owner of the same flag; an error if there are absurdly many.
    pub(super) fn share(&self) -> Result<Self, Error> {
        // An owner exists, so the memory cannot go away meanwhile: no ordering is needed.
        let others = self.shared().owners.fetch_add(1, Ordering::Relaxed);
        let another = Self { shared: self.shared };
        // When refused, `another` is dropped, and with it its count.
        if others > MAX_OWNERS { Err(Error::NoMemory) } else { Ok(another) }
    }

    pub(super) fn raise(&self) {
        self.shared().raised.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        self.shared().raised.load(Ordering::Acquire)
    }
}

impl Drop for StopFlag {
    fn drop(&mut self) {
        // Everything this owner did with the memory comes before the count goes down ...
        if self.shared().owners.fetch_sub(1, Ordering::Release) == 1 {
            // ... and before it is freed by the one who saw the last count.
            fence(Ordering::Acquire);
            // SAFETY: the count was 1, so this was the last owner. The memory came from `alloc`
            // with this layout, and `Shared` has nothing to drop.
            unsafe { dealloc(self.shared.as_ptr().cast(), Layout::new::<Shared>()) };
        }
    }
}

impl fmt::Debug for StopFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopFlag").field(&self.is_raised()).finish()
    }
}
