//! Iterators as `embedded_io` readers and writers.

use embedded_io::{ErrorKind, ErrorType, Read, ReadExactError, Write};

use super::IovIter;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::Host;

impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exhausted => ErrorKind::WriteZero,
            Self::NoMemory => ErrorKind::OutOfMemory,
            Self::NoPages | Self::NoMapping | Self::NoScatterList => ErrorKind::Unsupported,
            Self::Fault => ErrorKind::Other,
            _ => ErrorKind::InvalidInput,
        }
    }
}

impl<D: Direction, H: Host> ErrorType for IovIter<'_, D, H> {
    type Error = Error;
}

/// Reads what is left; 0 bytes at the end.
///
/// If bytes moved before a fault, the fault is reported by the next call, as [`Error::Fault`].
impl<H: Host> Read for IovIter<'_, Source, H> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        match self.copy_from_iter(buf) {
            0 if !buf.is_empty() && !self.is_empty() => Err(Error::Fault),
            read => Ok(read),
        }
    }

    /// Fills all of `buf`, or does not move; the provided form can panic.
    fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), ReadExactError<Error>> {
        self.copy_from_iter_full(buf).map_err(|error| match error {
            Error::Exhausted => ReadExactError::UnexpectedEof,
            error => ReadExactError::Other(error),
        })
    }
}

/// Writes while there is room; [`Error::Exhausted`] at the end.
///
/// If bytes moved before a fault, the fault is reported by the next call, as [`Error::Fault`].
impl<H: Host> Write for IovIter<'_, Dest, H> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Error> {
        match self.copy_to_iter(buf) {
            0 if buf.is_empty() => Ok(0),
            0 if self.is_empty() => Err(Error::Exhausted),
            0 => Err(Error::Fault),
            written => Ok(written),
        }
    }

    /// Writes all of `buf`, or does not move; the provided form can panic.
    fn write_all(&mut self, buf: &[u8]) -> Result<(), Error> {
        self.copy_to_iter_full(buf)
    }

    /// Nothing is ever held back.
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
