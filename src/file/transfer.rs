//! From file to file, and from a file to any sink.

use super::channel::{ChannelError, ReadChannel, Ready, WriteChannel};
use super::error::Error;
use super::writer::Bytes;
use super::{FileReader, FileWriter};
#[cfg(any(feature = "std", feature = "embedded-io-v0.7"))]
use crate::direction::Dest;
use crate::segment::KVec;

/// Copying to elsewhere.
impl<C: ReadChannel> FileReader<C> {
    /// Copies the next `len` bytes to `sink`.
    ///
    /// [`position`](Self::position) moves with every byte that the sink takes; what it does not
    /// take stays in the stream.
    ///
    /// # Errors
    ///
    /// Those of [getting](Self#errors-of-getting), if fewer than `len` bytes come. For the sink
    /// [`Error::Write`], [`Error::WriteZero`] and [`Error::WouldBlock`]; they do not stick to this
    /// file.
    ///
    /// ```
    /// use iov_iter::file::FileReader;
    ///
    /// let mut reader = FileReader::new(&b"0123456789"[..])?;
    /// let mut sink = Vec::new();
    /// reader.copy_to(&mut sink, 4)?;
    /// assert_eq!((&sink[..], reader.position()), (&b"0123"[..], 4));
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_file_get_to_fd")]
    pub fn copy_to(
        &mut self,
        sink: &mut (impl WriteChannel + ?Sized),
        len: u64,
    ) -> Result<(), Error> {
        let mut rest = len;
        while rest > 0 {
            let bytes = self.get_next(rest)?;
            let taken = match sink.write_exclusive(&[KVec::from(bytes)]) {
                Ok(0) => return Err(Error::WriteZero),
                Ok(taken) => taken.min(bytes.len()),
                Err(ChannelError::WouldBlock) => match sink.wait(Ready::Write) {
                    Ok(()) => continue,
                    Err(ChannelError::WouldBlock) => return Err(Error::WouldBlock),
                    Err(error) => return Err(Error::Write(error)),
                },
                Err(error) => return Err(Error::Write(error)),
            };
            self.skip_buffered(taken)?;
            rest = rest.saturating_sub(taken as u64);
        }
        Ok(())
    }

    /// At least one and at most `len` (at least 1) of the next bytes, not consumed.
    fn get_next(&mut self, len: u64) -> Result<&[u8], Error> {
        self.buffer_at_least(1)?;
        let waiting = self.buffer.window();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(waiting.get(..len).unwrap_or(waiting))
    }
}

/// What the reader traits of the standard library and of `embedded-io` need.
#[cfg(any(feature = "std", feature = "embedded-io-v0.7"))]
impl<C: ReadChannel> FileReader<C> {
    /// The buffered bytes, read if there are none; empty where the data ends.
    pub(crate) fn available(&mut self) -> Result<&[u8], Error> {
        self.peek(1, 0)?;
        Ok(self.buffer.window())
    }

    /// Gets buffered bytes until `into` is full, and reads first if none are buffered; 0 where the data ends.
    pub(crate) fn get_available(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        if into.is_empty() {
            return Ok(0);
        }
        let copied = KVec::<Dest>::from(into).copy_from_slice(self.available()?);
        self.skip_buffered(copied)?;
        Ok(copied)
    }

    /// Passes buffered bytes, at most `len`.
    pub(crate) fn consume_available(&mut self, len: usize) {
        self.consume(len);
    }
}

/// What the writer traits of the standard library and of `embedded-io` need.
#[cfg(any(feature = "std", feature = "embedded-io-v0.7"))]
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Puts as much of `bytes` as possible; an error only if that is nothing.
    pub(crate) fn put_available(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        match self.put_counting(bytes.into()) {
            (0, Err(error)) => Err(error),
            (put, _) => Ok(usize::try_from(put).unwrap_or(bytes.len())),
        }
    }
}

/// Putting what other files hold.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Puts a copy of the next `len` bytes of `reader`.
    ///
    /// The reader's position moves with every byte that was put.
    ///
    /// # Errors
    ///
    /// Those of [getting](FileReader#errors-of-getting) and of [putting](Self#errors-of-putting).
    pub fn put_from<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        len: u64,
    ) -> Result<(), Error> {
        let mut rest = len;
        while rest > 0 {
            let (put, result) = self.put_counting(reader.get_next(rest)?.into());
            reader.skip_buffered(usize::try_from(put).unwrap_or(usize::MAX))?;
            result?;
            rest = rest.saturating_sub(put);
        }
        Ok(())
    }

    /// Moves everything that is pending in `source` into this file, and returns how many bytes.
    ///
    /// The bytes are copied, also those that `source` had only borrowed; none is released. They
    /// count as flushed there. `source` is typically a scratch file (see [`Scratch`](super::Scratch)).
    ///
    /// # Errors
    ///
    /// See [errors of putting](Self#errors-of-putting). What was not put is still pending in
    /// `source`.
    ///
    /// ```
    /// use iov_iter::file::{FileWriter, Scratch};
    ///
    /// let mut section = FileWriter::new(Scratch)?;
    /// section.put_buffer(b"payload")?;
    /// let mut sent = Vec::new();
    /// let mut stream = FileWriter::new(&mut sent)?;
    /// stream.put_be32(section.pending() as u32)?;
    /// assert_eq!(stream.put_file(&mut section)?, 7);
    /// assert_eq!(section.pending(), 0);
    /// stream.close()?;
    /// assert_eq!(sent, b"\0\0\0\x07payload");
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_put_qemu_file")]
    pub fn put_file<S: WriteChannel>(
        &mut self,
        source: &mut FileWriter<'_, S>,
    ) -> Result<u64, Error> {
        let mut moved = 0_u64;
        self.check()?;
        while source.pending() > 0 {
            let Some(first) = source.queue.unsent().next() else { break };
            let (put, result) = self.put_counting(first);
            source.queue.forget_front(put);
            source.flushed = source.flushed.saturating_add(put);
            moved = moved.saturating_add(put);
            result?;
        }
        Ok(moved)
    }

    /// Puts a copy of `bytes` and tells how many of them were put, also on failure.
    fn put_counting(&mut self, bytes: Bytes<'_>) -> (u64, Result<(), Error>) {
        let before = self.queue.put();
        let result = self.put_bytes(bytes);
        (self.queue.put().wrapping_sub(before), result)
    }
}
