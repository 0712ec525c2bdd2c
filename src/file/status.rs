//! The first error of a file, and whether somebody stopped it.

use super::channel::{Channel, ChannelError};
use super::error::Error;
#[cfg(target_has_atomic = "ptr")]
use super::stop::StopFlag;

/// Where no flag can be shared, nobody stops a file from elsewhere.
#[cfg(not(target_has_atomic = "ptr"))]
#[derive(Debug)]
enum StopFlag {}

#[cfg(not(target_has_atomic = "ptr"))]
impl StopFlag {
    fn is_raised(&self) -> bool {
        match *self {}
    }
}

/// What both kinds of file know about their own health.
#[derive(Debug, Default)]
pub(super) struct Status {
    error: Option<Error>,
    flag: Option<StopFlag>,
}

impl Status {
    /// The first error; being stopped counts as one.
    #[inline]
    pub(super) fn error(&self) -> Option<Error> {
        match (self.error, &self.flag) {
            (Some(error), _) => Some(error),
            (None, Some(flag)) if flag.is_raised() => Some(Error::Stopped),
            _ => None,
        }
    }

    /// Whether there is no error.
    #[inline]
    pub(super) fn is_healthy(&self) -> bool {
        self.error.is_none() && self.flag.as_ref().is_none_or(|flag| !flag.is_raised())
    }

    /// `Err` with the first error, if there was one.
    #[inline]
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_healthy() { Ok(()) } else { self.error().map_or(Ok(()), Err) }
    }

    /// Keeps `error` if it sticks and is the first; returns the error to report.
    ///
    /// A stop by another thread may be the cause of `error` and therefore comes first.
    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> Error {
        if !error.is_sticky() {
            return error;
        }
        let first = self.error().unwrap_or(error);
        self.error = Some(first);
        first
    }

    /// The flag that stops this file from elsewhere.
    #[cfg(target_has_atomic = "ptr")]
    pub(super) fn flag(&mut self) -> Result<StopFlag, Error> {
        if self.flag.is_none() {
            self.flag = Some(StopFlag::new()?);
        }
        self.flag.as_ref().ok_or(Error::NoMemory)?.share()
    }
}

/// Shuts the channel down, with the error that a file reports.
pub(super) fn shut_down(channel: &impl Channel) -> Result<(), Error> {
    channel.shutdown().map_err(|error| match error {
        ChannelError::Unsupported => Error::Unsupported,
        error => Error::Shutdown(error),
    })
}
