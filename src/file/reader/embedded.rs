//! A reading file as a reader of `embedded-io`.

use embedded_io::{BufRead, ErrorType, Read, ReadExactError, Seek};

use super::FileReader;
use crate::file::channel::ReadChannel;
use crate::file::error::Error;

impl<C> ErrorType for FileReader<C> {
    type Error = Error;
}

/// Returns 0 where the data ends.
impl<C: ReadChannel> Read for FileReader<C> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.get_available(into)
    }

    // The provided form indexes, which can panic.
    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), ReadExactError<Error>> {
        self.get_exact(into).map_err(|error| match error {
            Error::UnexpectedEof => ReadExactError::UnexpectedEof,
            error => ReadExactError::Other(error),
        })
    }
}

impl<C: ReadChannel> BufRead for FileReader<C> {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        self.available()
    }

    fn consume(&mut self, len: usize) {
        self.consume_available(len);
    }
}

/// Moves the channel, and drops what is buffered.
impl<C: ReadChannel> Seek for FileReader<C> {
    fn seek(&mut self, to: embedded_io::SeekFrom) -> Result<u64, Error> {
        Self::seek(self, to.into())
    }
}
