//! The writing file.

mod bytes;
mod compressed;
mod counters;
#[cfg(feature = "embedded-io-v0.7")]
mod embedded;
mod integers;
mod into_inner;
mod owned;
mod position;
mod put;
mod queue;
mod region;
mod save_hooks;
mod send;

pub(in crate::file) use bytes::Bytes;
pub use into_inner::IntoInnerError;
pub use region::{Region, Release};
pub use save_hooks::{PageSaved, SaveHooks};

use core::fmt;
use core::mem::ManuallyDrop;

use crate::file::channel::{ChannelError, Duplex, Features, WriteChannel};
use crate::file::error::Error;
use crate::file::rate::RateLimit;
use crate::file::status::{Status, shut_down};
#[cfg(target_has_atomic = "ptr")]
use crate::file::{control::Control, stop::Stopper};
use queue::Queue;

/// A buffered stream of bytes into a channel.
///
/// Small data is copied into a buffer of [`BUFFER_SIZE`](crate::file::BUFFER_SIZE) bytes, large data can
/// be queued where it lies, for as long as `'buf` lasts. Both are sent together, in the order in
/// which they were put, when the buffer is full, when
/// [`MAX_ENTRIES`](crate::file::MAX_ENTRIES) ranges are waiting, on [`flush`](Self::flush) and on
/// [`close`](Self::close).
///
/// # Errors of putting
///
/// The first failure of the channel sticks: everything put later returns it and leaves no trace.
/// [`Error::WouldBlock`] does not stick. It puts no byte of an integer, of a string or of a range of a
/// region. Of a longer buffer it puts a part: [`tell`](Self::tell) has grown by the length of that part.
///
/// ```
/// use iov_iter::file::FileWriter;
///
/// let page = [0x5a; 4096];
/// let mut sent = Vec::new();
/// let mut writer = FileWriter::new(&mut sent)?;
/// writer.put_be32(0x5145_564d)?;
/// writer.put_counted_string(b"ram")?;
/// writer.put_borrowed(&page)?;
/// assert_eq!(writer.tell(), 4 + 4 + 4096);
/// writer.close()?;
/// assert_eq!(&sent[..8], b"QEVM\x03ram");
/// assert_eq!(sent[8..], page);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
///
/// # Dropping
///
/// A file that is dropped sends what is pending, as `std::io::BufWriter` does, unless it has an error. It
/// does not [wait](crate::file::Channel::wait) for a channel that would block, and does not close the
/// channel. If bytes are left the channel is told how many
/// ([`Channel::abandoned`](crate::file::Channel::abandoned)). [`close`](Self::close) and
/// [`into_inner`](Self::into_inner) report errors instead.
///
/// What is queued must live until it was sent, so it is declared before the writer:
///
/// ```compile_fail,E0597
/// # use iov_iter::file::FileWriter;
/// let mut sent = Vec::new();
/// let mut writer = FileWriter::new(&mut sent).unwrap();
/// {
///     let page = [0; 4096];
///     writer.put_borrowed(&page).unwrap();
/// }
/// writer.close().unwrap();
/// ```
///
/// and a writing file cannot be read:
///
/// ```compile_fail,E0599
/// # use iov_iter::file::FileWriter;
/// FileWriter::new(Vec::new()).unwrap().get_byte();
/// ```
#[doc(alias = "QEMUFile")]
#[doc(alias = "qemu_file_is_writable")]
pub struct FileWriter<'buf, C: WriteChannel> {
    pub(in crate::file) channel: C,
    pub(in crate::file) queue: Queue<'buf>,
    status: Status,
    /// The rate window, in which the first `rated` bytes put are counted, of all ever put.
    rate: RateLimit,
    rated: u64,
    /// Everything is copied into the buffer.
    pub(in crate::file) linear: bool,
    /// Bytes that the channel took, and those credited.
    pub(in crate::file) flushed: u64,
    /// Bytes that the channel took at positions, beside the stream.
    pub(in crate::file) aside: u64,
    /// A drop sends nothing: the file was closed, or the channel panicked and may have taken anything.
    finished: bool,
}

/// Opening, closing, control.
impl<'buf, C: WriteChannel> FileWriter<'buf, C> {
    /// Opens a channel for writing.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if there is none for the buffer. The channel is dropped then; `&mut` of a
    /// channel, which is a channel as well, keeps it.
    #[doc(alias = "qemu_file_new_output")]
    #[doc(alias = "qemu_fopen_ops")]
    pub fn new(channel: C) -> Result<Self, Error> {
        Ok(Self {
            queue: Queue::new()?,
            channel,
            status: Status::default(),
            rate: RateLimit::default(),
            rated: 0,
            linear: false,
            flushed: 0,
            aside: 0,
            finished: false,
        })
    }

    /// Opens a channel that is given one contiguous range at a time, never several.
    ///
    /// Borrowed bytes, ranges of regions and buffers that are handed over are copied as well. They are not
    /// [released](crate::file::Release) or exchanged. If the channel would block, a part of them may have been
    /// put.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn linear(channel: C) -> Result<Self, Error> {
        let mut writer = Self::new(channel)?;
        writer.linear = true;
        writer.queue.force_slow_ranges();
        Ok(writer)
    }

    /// Sends what is pending, closes the channel and returns the first error of the file's life.
    ///
    /// The channel is closed in any case: if it would block, what is pending is lost, unless a
    /// [`flush`](Self::flush) has succeeded before. A file that is dropped instead also sends what is
    /// pending, but reports no error and does not close the channel.
    ///
    /// # Errors
    ///
    /// The sticky error if there is one, else what the last flush returned, else
    /// [`Error::Close`].
    #[doc(alias = "qemu_fclose")]
    pub fn close(mut self) -> Result<(), Error> {
        let flushed = self.flush();
        self.finished = true;
        let closed = self.channel.close().map_err(Error::Close);
        flushed.and(closed)
    }

    /// Sends what is pending and returns the channel, which stays open.
    ///
    /// # Errors
    ///
    /// The file, and the error of its [`flush`](Self::flush): the sticky one, or [`Error::WouldBlock`],
    /// after which the same call may succeed later.
    ///
    /// ```
    /// use iov_iter::file::FileWriter;
    ///
    /// let mut writer = FileWriter::new(Vec::new())?;
    /// writer.put_be16(0x0102)?;
    /// assert_eq!(writer.into_inner()?, [1, 2]);
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[allow(
        clippy::result_large_err,
        reason = "it holds the file, which cannot be boxed without memory"
    )]
    pub fn into_inner(mut self) -> Result<C, IntoInnerError<Self>> {
        if let Err(error) = self.flush() {
            return Err(IntoInnerError::new(self, error));
        }
        let mut file = ManuallyDrop::new(self);
        let Self { channel, queue, status, .. } = &mut *file;
        // SAFETY: the file is not used or dropped after this. Its channel is moved out, and the other two
        // of its fields that need it are dropped in place, each once.
        unsafe {
            core::ptr::drop_in_place(queue);
            core::ptr::drop_in_place(status);
            Ok(core::ptr::read(channel))
        }
    }

    /// The channel.
    #[doc(alias = "qemu_file_get_ioc")]
    #[doc(alias = "qemu_get_fd")]
    #[must_use]
    pub const fn channel(&self) -> &C {
        &self.channel
    }

    /// The channel, for what only it can do. Bytes moved there bypass the order of the stream.
    pub const fn channel_mut(&mut self) -> &mut C {
        &mut self.channel
    }

    /// Sends what is pending and lends the channel: the bytes put so far are in it.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush).
    #[doc(alias = "qemu_buf_get")]
    pub fn flushed_channel(&mut self) -> Result<&mut C, Error> {
        self.flush()?;
        Ok(&mut self.channel)
    }

    /// Returns another handle of the channel, for a file in the other direction.
    ///
    /// The other file has a buffer, errors and positions of its own:
    /// `FileReader::new(file.return_channel()?)`.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] with what kept the channel from giving another handle. This file is not affected.
    #[doc(alias = "qemu_file_get_return_path")]
    pub fn return_channel(&self) -> Result<C, Error>
    where
        C: Duplex,
    {
        self.channel.try_clone().map_err(Error::Write)
    }

    /// Returns a handle of this file for other threads: to make it fail, to read its error, to limit its rate.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`]. This file is not affected.
    #[cfg(target_has_atomic = "ptr")]
    #[cfg_attr(docsrs, doc(cfg(target_has_atomic = "ptr")))]
    pub fn control(&mut self) -> Result<Control, Error> {
        let control = self.status.control()?;
        // Every put has to look at the shared state now.
        self.queue.guard();
        Ok(control)
    }

    /// A handle that stops this file from another thread.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] with what kept the channel from giving another handle, and
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
    /// down in both directions.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] or [`Error::Shutdown`] if the channel was not shut down. The file
    /// is stopped even then.
    #[doc(alias = "qemu_file_shutdown")]
    pub fn shutdown(&mut self) -> Result<(), Error> {
        self.fail(Error::Stopped);
        shut_down(&self.channel)
    }

    /// Makes the channel wait, or report [`Error::WouldBlock`] instead.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the channel has no such mode, [`Error::Write`] if it failed to
    /// change it. Neither sticks.
    #[doc(alias = "qemu_file_set_blocking")]
    pub fn set_blocking(&mut self, blocking: bool) -> Result<(), Error> {
        self.channel.set_blocking(blocking).map_err(|error| match error {
            ChannelError::Unsupported => Error::Unsupported,
            error => Error::Write(error),
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
        self.fail(error);
        self.error()
    }

    /// Whether there is no error.
    #[inline]
    pub(in crate::file) fn is_healthy(&self) -> bool {
        self.status.is_healthy()
    }

    /// `Err` with the first error, if there was one.
    #[inline]
    pub(in crate::file) fn check(&self) -> Result<(), Error> {
        self.status.check()
    }

    /// Keeps `error` if it sticks and is the first; returns the error to report.
    #[cold]
    pub(in crate::file) fn fail(&mut self, error: Error) -> Error {
        let error = self.status.fail(error);
        if self.error().is_some() {
            self.queue.guard();
        }
        error
    }

    /// The bytes of the current rate window, and their limit.
    ///
    /// [`is_rate_exceeded`](Self::is_rate_exceeded) also looks at the state of the file.
    #[must_use]
    pub fn rate(&self) -> RateLimit {
        // Putting does not count, so that it is quick.
        let mut rate = self.rate;
        rate.account(self.queue.put().wrapping_sub(self.rated));
        self.status.limit().iter().for_each(|limit| rate.set_limit(*limit));
        rate
    }

    /// The rate limit, for changing it.
    pub fn rate_mut(&mut self) -> &mut RateLimit {
        self.rate = self.rate();
        // It is in `rate` now, where the caller may change it.
        self.status.take_limit();
        self.rated = self.queue.put();
        &mut self.rate
    }

    /// Whether to pause: the window's limit is exceeded, or the file has an error.
    #[doc(alias = "qemu_file_rate_limit")]
    #[doc(alias = "migration_rate_exceeded")]
    #[must_use]
    pub fn is_rate_exceeded(&self) -> bool {
        self.error().is_some() || self.rate().is_exceeded()
    }
}

impl<C: WriteChannel> fmt::Debug for FileWriter<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter")
            .field("flushed", &self.flushed)
            .field("pending", &self.queue.pending())
            .field("entries", &self.queue.entries())
            .field("error", &self.error())
            .finish_non_exhaustive()
    }
}
