//! Stopping a file that another thread is using, on targets with atomic counters.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use super::channel::Channel;
use super::error::Error;
use super::shared::Shared;
use super::status::shut_down;

/// Stops a file from any thread, even while the file waits for its channel.
///
/// Made by [`FileReader::stopper`](super::FileReader::stopper) and
/// [`FileWriter::stopper`](super::FileWriter::stopper). Targets whose atomics cannot count
/// (`target_has_atomic = "ptr"` is not set, such as `thumbv6m-none-eabi`) do not have it.
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

/// A flag that a file and its stoppers share.
pub(super) struct StopFlag(Shared<AtomicBool>);

impl StopFlag {
    pub(super) fn new() -> Result<Self, Error> {
        Shared::new(AtomicBool::new(false)).map(Self)
    }

    /// The same flag once more.
    pub(super) fn share(&self) -> Result<Self, Error> {
        self.0.share().map(Self)
    }

    fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl fmt::Debug for StopFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopFlag").field(&self.is_raised()).finish()
    }
}
