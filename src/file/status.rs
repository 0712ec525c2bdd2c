//! The first error of a file, and whether somebody stopped it.

use super::channel::{Channel, ChannelError};
#[cfg(target_has_atomic = "ptr")]
use super::control::Control;
use super::error::Error;

/// Where no counter can be shared, no other thread has a handle of a file.
#[cfg(not(target_has_atomic = "ptr"))]
#[derive(Debug)]
enum Control {}

#[cfg(not(target_has_atomic = "ptr"))]
impl Control {
    fn is_failed(&self) -> bool {
        match *self {}
    }

    fn error(&self) -> Option<Error> {
        match *self {}
    }

    fn set_error(&self, _: Error) -> Option<Error> {
        match *self {}
    }

    fn limit(&self) -> Option<u64> {
        match *self {}
    }

    fn take_limit(&self) -> Option<u64> {
        match *self {}
    }
}

/// What both kinds of file know about their own health.
///
/// The error is also in the handle, if there is one; the first one there is the first one of the file.
#[derive(Debug, Default)]
pub(super) struct Status {
    error: Option<Error>,
    control: Option<Control>,
}

impl Status {
    /// The first error; that of another thread counts as well.
    #[inline]
    pub(super) fn error(&self) -> Option<Error> {
        self.error.or_else(|| self.control.as_ref()?.error())
    }

    /// Whether there is no error.
    #[inline]
    pub(super) fn is_healthy(&self) -> bool {
        self.error.is_none() && self.control.as_ref().is_none_or(|control| !control.is_failed())
    }

    /// `Err` with the first error, if there was one.
    #[inline]
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_healthy() { Ok(()) } else { self.error().map_or(Ok(()), Err) }
    }

    /// Keeps `error` if it sticks and is the first; returns the error to report.
    ///
    /// That of another thread may be the cause of `error` and therefore comes first.
    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> Error {
        if !error.is_sticky() {
            return error;
        }
        let shared = self.control.as_ref().and_then(|control| control.set_error(error));
        let first = self.error.or(shared).unwrap_or(error);
        self.error = Some(first);
        first
    }

    /// A handle of this file for other threads.
    #[cfg(target_has_atomic = "ptr")]
    pub(super) fn control(&mut self) -> Result<Control, Error> {
        if self.control.is_none() {
            let control = Control::new()?;
            self.error.map(|error| control.set_error(error));
            self.control = Some(control);
        }
        self.control.as_ref().ok_or(Error::NoMemory)?.try_clone()
    }

    /// The rate limit that another thread has set since it was taken.
    pub(super) fn limit(&self) -> Option<u64> {
        self.control.as_ref()?.limit()
    }

    /// Returns the rate limit that another thread has set, once.
    pub(super) fn take_limit(&mut self) -> Option<u64> {
        self.control.as_ref()?.take_limit()
    }
}

/// Shuts the channel down, with the error that a file reports.
pub(super) fn shut_down(channel: &impl Channel) -> Result<(), Error> {
    channel.shutdown().map_err(|error| match error {
        ChannelError::Unsupported => Error::Unsupported,
        error => Error::Shutdown(error),
    })
}
