//! Files as readers and writers of the standard library.

use std::io::{self, BufRead, ErrorKind, Read, Seek, Write};

use crate::file::{Error, FileReader, FileWriter, ReadChannel, WriteChannel};

/// Returns 0 where the data ends.
impl<C: ReadChannel> Read for FileReader<C> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.get_available(into)?)
    }
}

impl<C: ReadChannel> BufRead for FileReader<C> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.available()?)
    }

    fn consume(&mut self, len: usize) {
        self.consume_available(len);
    }
}

/// Moves the channel, and drops what is buffered.
impl<C: ReadChannel> Seek for FileReader<C> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        Ok(Self::seek(self, to.into())?)
    }
}

/// Sends what is pending, and moves the channel.
impl<C: WriteChannel> Seek for FileWriter<'_, C> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        Ok(Self::seek(self, to.into())?)
    }
}

impl<C: WriteChannel> Write for FileWriter<'_, C> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(self.put_available(from)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Self::flush(self)?)
    }
}

impl From<Error> for io::Error {
    /// Keeps the error as the inner one, except that memory is never allocated for lack of memory.
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoMemory => return ErrorKind::OutOfMemory.into(),
            Error::WouldBlock => return ErrorKind::WouldBlock.into(),
            Error::UnexpectedEof => ErrorKind::UnexpectedEof,
            Error::WriteZero => ErrorKind::WriteZero,
            Error::Unsupported => ErrorKind::Unsupported,
            Error::Decompress => ErrorKind::InvalidData,
            error => io::Error::from_raw_os_error(error.errno()).kind(),
        };
        Self::new(kind, error)
    }
}
