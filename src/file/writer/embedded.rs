//! A writing file as a writer of `embedded-io`.

use embedded_io::{ErrorType, Seek, Write};

use super::FileWriter;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;

impl<C: WriteChannel> ErrorType for FileWriter<'_, C> {
    type Error = Error;
}

impl<C: WriteChannel> Write for FileWriter<'_, C> {
    fn write(&mut self, from: &[u8]) -> Result<usize, Error> {
        self.put_available(from)
    }

    // The provided form indexes and asserts, which can panic.
    fn write_all(&mut self, from: &[u8]) -> Result<(), Error> {
        self.put_buffer(from)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Self::flush(self)
    }
}

/// Sends what is pending, and moves the channel.
impl<C: WriteChannel> Seek for FileWriter<'_, C> {
    fn seek(&mut self, to: embedded_io::SeekFrom) -> Result<u64, Error> {
        Self::seek(self, to.into())
    }
}
