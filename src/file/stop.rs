//! Stopping a file that another thread is using, on targets with atomic counters.

use super::channel::Channel;
use super::control::Control;
use super::error::Error;
use super::status::shut_down;

/// Stops a file from any thread, even while the file waits for its channel.
///
/// Made by [`FileReader::stopper`](super::FileReader::stopper) and
/// [`FileWriter::stopper`](super::FileWriter::stopper). Targets whose atomics cannot count
/// (`target_has_atomic = "ptr"` is not set, such as `thumbv6m-none-eabi`) do not have it.
#[derive(Debug)]
pub struct Stopper<C> {
    control: Control,
    channel: C,
}

impl<C: Channel> Stopper<C> {
    pub(super) const fn new(control: Control, channel: C) -> Self {
        Self { control, channel }
    }

    /// The handle of the file, for what needs no channel.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
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
        self.control.stop();
        shut_down(&self.channel)
    }
}
