//! The reading file.

use alloc::vec::Vec;
use core::fmt;

use super::channel::{ChannelError, Duplex, Features, ReadChannel, Ready, WriteChannel};
use super::error::Error;
use super::status::Status;
use super::stop::{Stopper, shut_down};
use super::{BUFFER_SIZE, FileWriter};
use crate::cursor::Cursor;
use crate::direction::Dest;
use crate::memory::Piece;
use crate::segment::KVec;

/// A buffered stream of bytes out of a channel.
///
/// # Errors of getting
///
/// Up to [`BUFFER_SIZE`](super::BUFFER_SIZE) bytes are got entirely or not at all: after an error
/// the position is where it was. The first failure of the channel sticks, and so does
/// [`Error::UnexpectedEof`]; the channel is not called again, but bytes that are in the buffer
/// can still be got. [`Error::WouldBlock`] does not stick: nothing was consumed, try again later.
///
/// ```
/// use iov_iter::file::{Error, FileReader};
///
/// let mut reader = FileReader::new(&b"QEVM\0\0\0\x03\x03ram"[..])?;
/// assert_eq!(reader.get_be32()?, 0x5145_564d);
/// assert_eq!(reader.get_be32()?, 3);
/// assert_eq!(reader.get_counted_string()?, b"ram");
/// assert!(reader.is_at_end()?);
/// assert_eq!(reader.get_byte(), Err(Error::UnexpectedEof));
/// assert_eq!(reader.position(), 12);
/// # Ok::<(), Error>(())
/// ```
///
/// A reading file cannot be written:
///
/// ```compile_fail,E0599
/// # use iov_iter::file::FileReader;
/// FileReader::new(&b""[..]).unwrap().put_byte(0);
/// ```
#[doc(alias = "QEMUFile")]
pub struct FileReader<C> {
    channel: C,
    /// Always [`BUFFER_SIZE`] bytes, of which `start..end` are waiting to be got.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    status: Status,
    /// Bytes that the channel gave.
    fetched: u64,
    /// The channel has said that there are no more.
    ended: bool,
}

/// Opening, closing, control.
impl<C: ReadChannel> FileReader<C> {
    /// Opens a channel for reading.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if there is none for the buffer.
    #[doc(alias = "qemu_file_new_input")]
    #[doc(alias = "qemu_fopen_ops")]
    pub fn new(channel: C) -> Result<Self, Error> {
        Ok(Self {
            buffer: super::new_buffer()?,
            channel,
            start: 0,
            end: 0,
            status: Status::default(),
            fetched: 0,
            ended: false,
        })
    }

    /// Closes the channel and returns the first error of the file's life.
    ///
    /// Having read all bytes is not an error; having asked for more than there were is.
    ///
    /// # Errors
    ///
    /// The sticky error if there is one, else [`Error::Close`].
    #[doc(alias = "qemu_fclose")]
    pub fn close(mut self) -> Result<(), Error> {
        let healthy = self.status.check();
        let closed = self.channel.close().map_err(Error::Close);
        healthy.and(closed)
    }

    /// The channel.
    #[doc(alias = "qemu_file_get_ioc")]
    #[doc(alias = "qemu_get_fd")]
    #[must_use]
    pub const fn channel(&self) -> &C {
        &self.channel
    }

    /// The channel, for what only it can do. It is ahead of [`position`](Self::position) by the
    /// bytes that are [buffered](Self::buffered).
    pub const fn channel_mut(&mut self) -> &mut C {
        &mut self.channel
    }

    /// A writing file over the other direction of the channel, with its own buffer and errors.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] with what kept the channel from giving another handle, and
    /// [`Error::NoMemory`]. This file is not affected.
    #[doc(alias = "qemu_file_get_return_path")]
    pub fn return_path<'buf>(&self) -> Result<FileWriter<'buf, C>, Error>
    where
        C: Duplex + WriteChannel,
    {
        FileWriter::new(self.channel.try_clone().map_err(Error::Read)?)
    }

    /// A handle that stops this file from another thread.
    ///
    /// # Errors
    ///
    /// As for [`return_path`](Self::return_path).
    pub fn stopper(&mut self) -> Result<Stopper<C>, Error>
    where
        C: Duplex,
    {
        let flag = self.status.flag()?;
        Ok(Stopper::new(flag, self.channel.try_clone().map_err(Error::Read)?))
    }

    /// Puts the file into the error [`Error::Stopped`], unless it has one, and shuts the channel
    /// down in both directions. What is buffered can still be got.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] or [`Error::Shutdown`] if the channel was not shut down. The file
    /// is stopped even then.
    #[doc(alias = "qemu_file_shutdown")]
    pub fn shutdown(&mut self) -> Result<(), Error> {
        self.status.fail(Error::Stopped);
        shut_down(&self.channel)
    }

    /// Makes the channel wait, or report [`Error::WouldBlock`] instead.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the channel has no such mode, [`Error::Read`] if it failed to
    /// change it. Neither sticks.
    #[doc(alias = "qemu_file_set_blocking")]
    pub fn set_blocking(&mut self, blocking: bool) -> Result<(), Error> {
        self.channel.set_blocking(blocking).map_err(|error| match error {
            ChannelError::Unsupported => Error::Unsupported,
            error => Error::Read(error),
        })
    }

    /// Whether the channel has positions to move to.
    #[doc(alias = "qemu_file_is_seekable")]
    #[must_use]
    pub fn is_seekable(&self) -> bool {
        self.channel.features().contains(Features::SEEKABLE)
    }

    /// The first error.
    ///
    /// For the first error of two files: `one.error().or(other.error())`.
    #[doc(alias = "qemu_file_get_error")]
    #[doc(alias = "qemu_file_get_error_obj")]
    #[doc(alias = "qemu_file_get_error_obj_any")]
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.status.error()
    }

    /// Makes the file fail with `error`, unless it has an error already.
    ///
    /// Errors that do not [stick](Error::is_sticky) change nothing. Returns the file's error.
    #[doc(alias = "qemu_file_set_error")]
    #[doc(alias = "qemu_file_set_error_obj")]
    pub fn set_error(&mut self, error: Error) -> Option<Error> {
        self.status.fail(error);
        self.error()
    }

    pub(super) const fn status_mut(&mut self) -> &mut Status {
        &mut self.status
    }

    /// Forgets the buffered bytes, and that the data has ended: the channel was moved.
    pub(super) const fn forget_buffered(&mut self) {
        // They were never got, so the position does not move.
        self.fetched = self.position();
        (self.start, self.end, self.ended) = (0, 0, false);
    }
}

/// Filling the buffer.
impl<C: ReadChannel> FileReader<C> {
    /// Reads once, for more bytes behind the buffered ones, which move to the front.
    ///
    /// At least one byte was added if it returns `Ok`. The end of the data is reported, but does
    /// not stick by itself.
    #[doc(alias = "qemu_fill_buffer")]
    fn fill(&mut self) -> Result<(), Error> {
        self.status.check()?;
        if self.ended {
            return Err(Error::UnexpectedEof);
        }
        if self.start > 0 && self.start <= self.end && self.end <= self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Err(Error::PeekOutOfRange);
        }
        let got = loop {
            match self.channel.read(free) {
                Ok(got) => break got.min(free.len()),
                Err(ChannelError::WouldBlock) => match self.channel.wait(Ready::Read) {
                    Ok(()) => self.status.check()?,
                    Err(ChannelError::WouldBlock) => return Err(Error::WouldBlock),
                    Err(error) => return Err(self.status.fail(Error::Read(error))),
                },
                Err(error) => return Err(self.status.fail(Error::Read(error))),
            }
        };
        if got == 0 {
            // Whoever shut the channel down has stopped the file before.
            self.status.check()?;
            self.ended = true;
            return Err(Error::UnexpectedEof);
        }
        self.end = self.end.saturating_add(got);
        self.fetched = self.fetched.saturating_add(got as u64);
        Ok(())
    }

    /// Sees to it that `len` bytes are buffered.
    #[inline]
    pub(super) fn need(&mut self, len: usize) -> Result<(), Error> {
        if len <= self.buffered() {
            return Ok(());
        }
        self.need_more(len)
    }

    #[cold]
    fn need_more(&mut self, len: usize) -> Result<(), Error> {
        if len > BUFFER_SIZE {
            return Err(Error::PeekOutOfRange);
        }
        while self.buffered() < len {
            self.fill().map_err(|error| self.status.fail(error))?;
        }
        Ok(())
    }

    /// The buffered bytes.
    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Consumes `len` buffered bytes and returns them.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        let from = self.start;
        self.start = from.saturating_add(len).min(self.end);
        self.buffer.get(from..self.start).unwrap_or_default()
    }
}

/// Getting bytes.
impl<C: ReadChannel> FileReader<C> {
    /// Gets one byte.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting).
    #[doc(alias = "qemu_get_byte")]
    #[doc(alias = "qemu_get_ubyte")]
    #[doc(alias = "qemu_get_8s")]
    #[inline]
    pub fn get_byte(&mut self) -> Result<u8, Error> {
        self.get_array().map(|[byte]| byte)
    }

    /// Gets `N` bytes, at most as many as the buffer holds.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if the buffer cannot hold `N` bytes; see also
    /// [errors of getting](Self#errors-of-getting).
    #[inline]
    pub fn get_array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.need(N)?;
        let mut array = [0; N];
        Piece::<Dest>::from(&mut array[..]).copy_from(Piece::from(self.take(N)));
        Ok(array)
    }

    /// Gets the next `into.len()` bytes, any number of them.
    ///
    /// Returns how many were got. They are fewer only if an error came after the first one; it is
    /// returned when the next bytes are asked for.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    #[doc(alias = "qemu_get_buffer")]
    pub fn get_buffer(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.get_segments(&[KVec::from(into)])
    }

    /// Gets the next bytes into scattered memory, which need not be initialised.
    ///
    /// Returns how many were got, as [`get_buffer`](Self::get_buffer) does.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    pub fn get_segments(&mut self, into: &[KVec<'_, Dest>]) -> Result<usize, Error> {
        let mut into = Cursor::new(into);
        let mut got = 0_usize;
        while into.remaining() > 0 {
            let wanted = into.remaining().min(BUFFER_SIZE);
            let complete = self.need(wanted);
            let source = Piece::from(self.waiting());
            let len = into.walk(source.len(), |segment, offset, len, done| {
                segment.piece(offset, len).copy_from(source.slice(done, len))
            });
            self.take(len);
            got = got.saturating_add(len);
            match complete {
                Err(error) if got == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        Ok(got)
    }

    /// Gets exactly `into.len()` bytes.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting). If `into` is larger than the buffer, a
    /// part of it may have been consumed; [`position`](Self::position) tells how much.
    pub fn get_exact(&mut self, into: &mut [u8]) -> Result<(), Error> {
        let mut rest = Piece::<Dest>::from(into);
        while !rest.is_empty() {
            let len = rest.len().min(BUFFER_SIZE);
            self.need(len)?;
            rest.copy_from(Piece::from(self.take(len)));
            rest = rest.slice(len, usize::MAX);
        }
        Ok(())
    }

    /// Gets `len` bytes, at most [`BUFFER_SIZE`](super::BUFFER_SIZE), where they lie in the
    /// buffer.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if the buffer cannot hold them; see also
    /// [errors of getting](Self#errors-of-getting).
    pub fn get_slice(&mut self, len: usize) -> Result<&[u8], Error> {
        self.need(len)?;
        Ok(self.take(len))
    }

    /// Gets `scratch.len()` bytes, where they lie in the buffer if they fit, else copied to
    /// `scratch`.
    ///
    /// The slice is shorter only if an error came after the first byte, as with
    /// [`get_buffer`](Self::get_buffer).
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    #[doc(alias = "qemu_get_buffer_in_place")]
    pub fn get_buffer_in_place<'a>(&'a mut self, scratch: &'a mut [u8]) -> Result<&'a [u8], Error> {
        if scratch.len() < BUFFER_SIZE && self.need(scratch.len()).is_ok() {
            return Ok(self.take(scratch.len()));
        }
        let got = self.get_buffer(scratch)?;
        Ok(scratch.get(..got).unwrap_or_default())
    }

    /// Gets a length byte and the bytes that it announces, 0 to 255, where they lie in the buffer.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting): a string that is cut short leaves its
    /// length byte in the stream.
    #[doc(alias = "qemu_get_counted_string")]
    pub fn get_counted_string(&mut self) -> Result<&[u8], Error> {
        self.need(1)?;
        let len = usize::from(self.waiting().first().copied().unwrap_or_default());
        self.need(len.saturating_add(1))?;
        self.take(1);
        Ok(self.take(len))
    }
}

/// Looking ahead, and passing bytes.
impl<C: ReadChannel> FileReader<C> {
    /// Looks at `len` bytes that come `offset` bytes after the next one, and consumes nothing.
    ///
    /// The slice is shorter, or empty, only where the data ends or a failure keeps more from being
    /// read. The end of the data does not become an error of the file.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if `offset` + `len` is more than
    /// [`BUFFER_SIZE`](super::BUFFER_SIZE); [`Error::WouldBlock`] if the bytes have not arrived;
    /// the error of the file if there is one and no byte to look at.
    #[doc(alias = "qemu_peek_buffer")]
    pub fn peek(&mut self, len: usize, offset: usize) -> Result<&[u8], Error> {
        let wanted = offset.checked_add(len).filter(|end| *end <= BUFFER_SIZE);
        let wanted = wanted.ok_or(Error::PeekOutOfRange)?;
        while self.buffered() < wanted {
            match self.fill() {
                Ok(()) => {}
                Err(Error::UnexpectedEof) => break,
                Err(Error::WouldBlock) => return Err(Error::WouldBlock),
                Err(error) if self.buffered() <= offset => return Err(error),
                Err(_) => break,
            }
        }
        let ahead = self.waiting().get(offset..).unwrap_or_default();
        Ok(ahead.get(..len).unwrap_or(ahead))
    }

    /// Looks at the byte that comes `offset` bytes after the next one; `None` if the data ends
    /// before it.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek).
    #[doc(alias = "qemu_peek_byte")]
    #[inline]
    pub fn peek_byte(&mut self, offset: usize) -> Result<Option<u8>, Error> {
        Ok(self.peek(1, offset)?.first().copied())
    }

    /// Whether all bytes were got and the data has ended; waits for more data to find out.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek).
    pub fn is_at_end(&mut self) -> Result<bool, Error> {
        Ok(self.peek_byte(0)?.is_none())
    }

    /// Passes `len` bytes, reading them if they are not buffered.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting). If `len` is larger than the buffer, a
    /// part of the bytes may have been passed; [`position`](Self::position) tells how many.
    pub fn skip(&mut self, len: u64) -> Result<(), Error> {
        let mut rest = len;
        while rest > 0 {
            let part = usize::try_from(rest).unwrap_or(BUFFER_SIZE).min(BUFFER_SIZE);
            self.need(part)?;
            self.take(part);
            rest = rest.saturating_sub(part as u64);
        }
        Ok(())
    }

    /// Passes `len` bytes that are buffered, such as those just [peeked](Self::peek) at.
    ///
    /// # Errors
    ///
    /// [`Error::SkipOutOfRange`] if fewer are buffered; nothing is passed then.
    #[doc(alias = "qemu_file_skip")]
    pub fn skip_buffered(&mut self, len: usize) -> Result<(), Error> {
        if len > self.buffered() {
            return Err(Error::SkipOutOfRange);
        }
        self.take(len);
        Ok(())
    }
}

/// Positions, in bytes since the file was opened.
impl<C> FileReader<C> {
    /// The bytes got or passed so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.fetched.saturating_sub(self.buffered() as u64)
    }

    /// The bytes that the channel has given, without those that a [`seek`](Self::seek) dropped: ahead
    /// of [`position`](Self::position) by those [buffered](Self::buffered).
    #[doc(alias = "qemu_ftell")]
    #[doc(alias = "qemu_file_total_transferred")]
    #[must_use]
    pub const fn fetched(&self) -> u64 {
        self.fetched
    }

    /// The bytes that can be got without reading from the channel.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

impl<C> fmt::Debug for FileReader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("position", &self.position())
            .field("buffered", &self.buffered())
            .field("ended", &self.ended)
            .field("error", &self.status.error())
            .finish_non_exhaustive()
    }
}
