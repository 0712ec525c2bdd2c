//! The reading file.

mod compressed;
#[cfg(feature = "embedded-io-v0.7")]
mod embedded;
mod get;
mod integers;
mod load_hooks;
mod position;

pub use load_hooks::{LoadHooks, Loaded};

use core::fmt;

use crate::direction::Dest;
use crate::file::buffer::Buffer;
use crate::file::channel::{ChannelError, Duplex, Features, ReadChannel, Ready};
use crate::file::error::Error;
use crate::file::status::{Status, shut_down};
use crate::file::{BUFFER_SIZE, MAX_ENTRIES};
#[cfg(target_has_atomic = "ptr")]
use crate::file::{control::Control, stop::Stopper};
use crate::iov::{Limits, View, one_call};
use crate::memory::Access;

/// A buffered stream of bytes out of a channel.
///
/// # Errors of getting
///
/// Up to [`BUFFER_SIZE`](crate::file::BUFFER_SIZE) bytes are got entirely or not at all: after an error
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
    pub(in crate::file) channel: C,
    /// Its window are the bytes that wait to be got.
    pub(in crate::file) buffer: Buffer,
    pub(in crate::file) status: Status,
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
    /// [`Error::NoMemory`] if there is none for the buffer. The channel is dropped then; `&mut` of a
    /// channel, which is a channel as well, keeps it.
    #[doc(alias = "qemu_file_new_input")]
    #[doc(alias = "qemu_fopen_ops")]
    pub fn new(channel: C) -> Result<Self, Error> {
        Ok(Self {
            buffer: Buffer::new()?,
            channel,
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

    /// Returns the channel, which stays open.
    ///
    /// It is ahead of [`position`](Self::position) by the bytes that are [buffered](Self::buffered); these
    /// are lost.
    #[must_use]
    pub fn into_inner(self) -> C {
        self.channel
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

    /// Returns another handle of the channel, for a file in the other direction.
    ///
    /// The other file has a buffer, errors and positions of its own:
    /// `FileWriter::new(file.return_channel()?)`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] with what kept the channel from giving another handle. This file is not affected.
    #[doc(alias = "qemu_file_get_return_path")]
    pub fn return_channel(&self) -> Result<C, Error>
    where
        C: Duplex,
    {
        self.channel.try_clone().map_err(Error::Read)
    }

    /// Returns a handle of this file for other threads: to make it fail, to read its error.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`]. This file is not affected.
    #[cfg(target_has_atomic = "ptr")]
    #[cfg_attr(docsrs, doc(cfg(target_has_atomic = "ptr")))]
    pub fn control(&mut self) -> Result<Control, Error> {
        self.status.control()
    }

    /// A handle that stops this file from another thread.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] with what kept the channel from giving another handle, and
    /// [`Error::NoMemory`]. This file is not affected.
    #[cfg(target_has_atomic = "ptr")]
    #[cfg_attr(docsrs, doc(cfg(target_has_atomic = "ptr")))]
    pub fn stopper(&mut self) -> Result<Stopper<C>, Error>
    where
        C: Duplex,
    {
        let control = self.control()?;
        Ok(Stopper::new(control, self.return_channel()?))
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

    /// Forgets the buffered bytes, and that the data has ended: the channel was moved.
    pub(in crate::file) fn forget_buffered(&mut self) {
        // They were never got, so the position does not move.
        self.fetched = self.position();
        self.buffer.empty();
        self.ended = false;
    }
}

/// Filling the buffer.
impl<C: ReadChannel> FileReader<C> {
    /// Reads once, for more bytes after the buffered ones, which move to the start of the buffer.
    ///
    /// At least one byte was added if it returns `Ok`. The end of the data is reported, but does
    /// not stick by itself.
    pub(in crate::file) fn fill(&mut self) -> Result<(), Error> {
        self.check_readable()?;
        self.buffer.compact();
        let got = loop {
            let free = self.buffer.room();
            if free.is_empty() {
                return Err(Error::PeekOutOfRange);
            }
            let room = free.len();
            let answer = self.channel.read(free);
            if let Some(got) = self.take_answer(answer)? {
                break got.min(room);
            }
        };
        self.buffer.extend(got);
        self.fetched = self.fetched.saturating_add(got as u64);
        Ok(())
    }

    /// Reads once, straight into `into`, while nothing is buffered; returns how many bytes, at
    /// least one.
    ///
    /// `into` is not empty.
    pub(in crate::file) fn read_through(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.check_readable()?;
        let got = loop {
            let answer = self.channel.read(into);
            if let Some(got) = self.take_answer(answer)? {
                break got.min(into.len());
            }
        };
        self.fetched = self.fetched.saturating_add(got as u64);
        Ok(got)
    }

    /// As [`read_through`](Self::read_through), into the front of scattered memory; `None` if the channel
    /// cannot.
    pub(super) fn read_segments<A: Access>(
        &mut self,
        into: &View<'_, Dest, A>,
    ) -> Result<Option<usize>, Error> {
        self.check_readable()?;
        let limits = Limits::new(MAX_ENTRIES, false);
        let got = loop {
            let answer = one_call(into, limits, &mut |list| self.channel.read_pieces(list));
            if answer == Err(ChannelError::Unsupported) {
                return Ok(None);
            }
            if let Some(got) = self.take_answer(answer)? {
                break got;
            }
        };
        self.fetched = self.fetched.saturating_add(got as u64);
        Ok(Some(got))
    }

    fn check_readable(&self) -> Result<(), Error> {
        self.status.check()?;
        if self.ended { Err(Error::UnexpectedEof) } else { Ok(()) }
    }

    /// Handles the answer of the channel. Returns how many bytes it gave, at least one, or `None` if it is to
    /// be asked again.
    fn take_answer(&mut self, answer: Result<usize, ChannelError>) -> Result<Option<usize>, Error> {
        match answer {
            Ok(0) => {
                // Whoever shut the channel down has stopped the file before.
                self.status.check()?;
                self.ended = true;
                Err(Error::UnexpectedEof)
            }
            Ok(got) => Ok(Some(got)),
            Err(ChannelError::WouldBlock) => match self.channel.wait(Ready::Read) {
                Ok(()) => self.status.check().map(|()| None),
                Err(ChannelError::WouldBlock) => Err(Error::WouldBlock),
                Err(error) => Err(self.status.fail(Error::Read(error))),
            },
            Err(error) => Err(self.status.fail(Error::Read(error))),
        }
    }

    /// Ensures that at least `len` bytes are buffered.
    #[inline]
    pub(in crate::file) fn buffer_at_least(&mut self, len: usize) -> Result<(), Error> {
        if len <= self.buffered() {
            return Ok(());
        }
        self.buffer_more(len)
    }

    #[cold]
    #[inline(never)]
    pub(in crate::file) fn buffer_more(&mut self, len: usize) -> Result<(), Error> {
        if len > BUFFER_SIZE {
            return Err(Error::PeekOutOfRange);
        }
        while self.buffered() < len {
            self.fill().map_err(|error| self.status.fail(error))?;
        }
        Ok(())
    }

    /// Consumes `len` buffered bytes, or all of them if they are fewer, and returns them.
    #[inline]
    pub(in crate::file) fn consume(&mut self, len: usize) -> &[u8] {
        let len = len.min(self.buffered());
        self.buffer.take_slice(len).unwrap_or_default()
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
        self.buffer.len()
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
