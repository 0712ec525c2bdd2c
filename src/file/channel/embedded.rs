//! Readers and writers of `embedded-io` as channels.

use embedded_io::{ErrorKind, Read, Write};

use super::{Channel, ChannelError, ReadChannel, SeekFrom, WriteChannel, write_copies};
use crate::direction::Source;
use crate::memory::Piece;
use crate::segment::{KVec, Segments};

/// Any [`Read`] or [`Write`] as a channel.
///
/// Segments are written one by one, memory that others may write by copies of at most 1 KiB, and a flush of the file's queue ends with a flush of the
/// writer.
///
/// ```
/// use iov_iter::file::{EmbeddedChannel, FileReader, FileWriter};
///
/// let mut wire = [0; 8];
/// let mut writer = FileWriter::new(EmbeddedChannel::new(&mut wire[..]))?;
/// writer.put_be32(7)?;
/// writer.close()?;
/// let mut reader = FileReader::new(EmbeddedChannel::new(&wire[..]))?;
/// assert_eq!(reader.get_be32()?, 7);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedChannel<T> {
    inner: T,
}

impl<T> EmbeddedChannel<T> {
    /// Wraps a reader or a writer.
    pub const fn new(inner: T) -> Self {
        Self { inner }
    }

    /// The wrapped reader or writer.
    pub const fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The wrapped reader or writer.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Unwraps the reader or writer.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T> Channel for EmbeddedChannel<T> {}

impl<T: Read> ReadChannel for EmbeddedChannel<T> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        retry(|| self.inner.read(into))
    }
}

impl<T: Write> WriteChannel for EmbeddedChannel<T> {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        let all = from.total();
        let written = write_copies(from, |bytes| retry(|| self.inner.write(bytes)))?;
        if written == all {
            retry(|| self.inner.flush())?;
        }
        Ok(written)
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        let mut written = 0_usize;
        for segment in from.iter().filter(|segment| !segment.is_empty()) {
            let bytes = segment.as_slice();
            let len = match retry(|| self.inner.write(bytes)) {
                Ok(len) => len.min(bytes.len()),
                // What was written before is told first; the failure will come again.
                Err(_) if written > 0 => return Ok(written),
                Err(error) => return Err(error),
            };
            written = written.saturating_add(len);
            if len < bytes.len() {
                return Ok(written);
            }
        }
        retry(|| self.inner.flush())?;
        Ok(written)
    }
}

fn retry<T, E: embedded_io::Error>(
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<T, ChannelError> {
    loop {
        match operation().map_err(|error| error.kind()) {
            Err(ErrorKind::Interrupted) => {}
            result => return result.map_err(ChannelError::from),
        }
    }
}

impl From<embedded_io::SeekFrom> for SeekFrom {
    fn from(to: embedded_io::SeekFrom) -> Self {
        match to {
            embedded_io::SeekFrom::Start(position) => Self::Start(position),
            embedded_io::SeekFrom::End(distance) => Self::End(distance),
            embedded_io::SeekFrom::Current(distance) => Self::Current(distance),
        }
    }
}

impl From<ErrorKind> for ChannelError {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::Os(2),
            ErrorKind::PermissionDenied => Self::Os(13),
            ErrorKind::ConnectionRefused => Self::Os(111),
            ErrorKind::ConnectionReset => Self::Os(104),
            ErrorKind::ConnectionAborted => Self::Os(103),
            ErrorKind::NotConnected => Self::Os(107),
            ErrorKind::AddrInUse => Self::Os(98),
            ErrorKind::AddrNotAvailable => Self::Os(99),
            ErrorKind::BrokenPipe => Self::Os(32),
            ErrorKind::AlreadyExists => Self::Os(17),
            ErrorKind::InvalidInput => Self::Os(22),
            ErrorKind::InvalidData => Self::Other("invalid data"),
            ErrorKind::TimedOut => Self::Os(110),
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::OutOfMemory => Self::NoMemory,
            ErrorKind::WriteZero => Self::Other("the writer takes no more data"),
            _ => Self::Other("input or output error"),
        }
    }
}
