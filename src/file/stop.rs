//! Stopping a file that another thread is using.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use super::channel::{Channel, ChannelError};
use super::error::Error;
use super::shared::Shared;

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
    channel.shutdown().map_err(|error| match error {
        ChannelError::Unsupported => Error::Unsupported,
        error => Error::Shutdown(error),
    })
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
