//! The errors of the core as errors of the operating system.

use std::io;

/// The error with the same [`errno`](crate::Error::errno). Allocates nothing.
impl From<crate::Error> for io::Error {
    fn from(error: crate::Error) -> Self {
        Self::from_raw_os_error(error.errno())
    }
}

/// The error with the same [`errno`](crate::iov::Error::errno). Allocates nothing.
impl From<crate::iov::Error> for io::Error {
    fn from(error: crate::iov::Error) -> Self {
        Self::from_raw_os_error(error.errno())
    }
}
