//! A writing file as a writer of `embedded-io`.

use embedded_io::{ErrorType, Write};

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

    fn flush(&mut self) -> Result<(), Error> {
        Self::flush(self)
    }
}
