//! Files, pipes and sockets of the standard library as channels.
//!
//! | Type | reads | writes | seeks | return path, shutdown |
//! |---|---|---|---|---|
//! | [`File`] | yes | yes | yes | – |
//! | [`PipeReader`], [`Stdin`], [`ChildStdout`] | yes | – | – | – |
//! | [`PipeWriter`], [`Stdout`], [`ChildStdin`] | – | yes | – | – |
//! | [`TcpStream`], `UnixStream` | yes | yes | – | yes |
//! | [`IoChannel`] over any reader or writer | yes | yes | – | – |
//!
//! Writing to a socket whose peer is gone is the error `EPIPE` on Unix, for a [`File`] that is a socket
//! as well. For pipes and for [`IoChannel`] it is so only in processes that ignore `SIGPIPE`.

use std::fs::File;
use std::io::{
    self, ErrorKind, IoSlice, PipeReader, PipeWriter, Read, Seek, Stdin, StdinLock, Stdout,
    StdoutLock, Write,
};
use std::net::{self, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

#[cfg(unix)]
use crate::direction::Dest;
use crate::direction::Source;
use crate::file::{
    Channel, ChannelError, Duplex, Features, MAX_ENTRIES, ReadChannel, SeekFrom, WriteChannel,
    write_copies,
};
#[cfg(unix)]
use crate::iov::{CallError, VectoredRead, VectoredWrite};
use crate::memory::Piece;
#[cfg(unix)]
use crate::os::io::FileAt;
use crate::segment::KVec;

/// Any [`Read`] or [`Write`] as a channel.
///
/// Memory that others may write is copied to the stack first, at most 1 KiB at a time. Every write is
/// followed by a flush of the writer. The writer may have a buffer or be non-blocking, but not both.
///
/// ```
/// use iov_iter::file::FileReader;
/// use iov_iter::os::IoChannel;
///
/// let compound = std::io::Read::chain(&b"\x12"[..], &b"\x34"[..]);
/// let mut reader = FileReader::new(IoChannel::new(compound))?;
/// assert_eq!(reader.get_be16()?, 0x1234);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct IoChannel<T> {
    inner: T,
    error: Option<io::Error>,
}

impl<T> IoChannel<T> {
    /// Wraps a reader or a writer.
    pub const fn new(inner: T) -> Self {
        Self { inner, error: None }
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

    /// Takes the last error of the reader or writer that was neither an errno nor without words.
    ///
    /// The error of a file holds an errno or a few words. This is what it was made of, with its source.
    ///
    /// ```
    /// use std::io::{self, Read};
    ///
    /// use iov_iter::file::FileReader;
    /// use iov_iter::os::IoChannel;
    ///
    /// struct Damaged;
    ///
    /// impl Read for Damaged {
    ///     fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
    ///         Err(io::Error::new(io::ErrorKind::InvalidData, "block 7 is damaged"))
    ///     }
    /// }
    ///
    /// let mut reader = FileReader::new(IoChannel::new(Damaged))?;
    /// assert!(reader.get_byte().is_err());
    /// let error = reader.channel_mut().take_error().unwrap();
    /// assert_eq!(error.to_string(), "block 7 is damaged");
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    pub const fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// The reader or writer, which keeps its errors.
    const fn keeping(&mut self) -> Keeping<'_, T> {
        Keeping { inner: &mut self.inner, error: &mut self.error }
    }
}

/// A reader or writer whose errors with a source of their own are kept.
struct Keeping<'c, T> {
    inner: &'c mut T,
    error: &'c mut Option<io::Error>,
}

impl<T> Keeping<'_, T> {
    fn keep<R>(&mut self, result: io::Result<R>) -> io::Result<R> {
        result.map_err(|error| {
            let kind = error.kind();
            if error.get_ref().is_some() {
                *self.error = Some(error);
                return kind.into();
            }
            error
        })
    }
}

impl<T: Read> Read for Keeping<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(into);
        self.keep(result)
    }
}

impl<T: Write> Write for Keeping<'_, T> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(from);
        self.keep(result)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.inner.write_vectored(from);
        self.keep(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.keep(result)
    }
}

impl<T> Channel for IoChannel<T> {}

impl<T: Read> ReadChannel for IoChannel<T> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        read(&mut self.keeping(), into)
    }
}

impl<T: Write> WriteChannel for IoChannel<T> {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        write_through(&mut self.keeping(), |inner| write_copied(inner, from))
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        write_through(&mut self.keeping(), |inner| write_slices(inner, from))
    }
}

/// Reads once, not counting interruptions.
fn read(reader: &mut impl Read, into: &mut [u8]) -> Result<usize, ChannelError> {
    retry(|| reader.read(into))
}

/// Writes once, not counting interruptions.
fn write_slices(writer: &mut impl Write, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
    let mut slices = heapless::Vec::<IoSlice<'_>, MAX_ENTRIES>::new();
    for segment in from {
        // A longer list is written in part.
        if slices.push(IoSlice::new(segment.as_slice())).is_err() {
            break;
        }
    }
    retry(|| writer.write_vectored(&slices))
}

/// Writes copies of memory that others may write, until the writer takes less than it is offered.
fn write_copied(
    writer: &mut impl Write,
    from: &[Piece<'_, Source>],
) -> Result<usize, ChannelError> {
    write_copies(from, |bytes| retry(|| writer.write(bytes)))
}

/// Reads once, straight into pieces.
#[cfg(unix)]
fn read_scattered(
    end: &impl std::os::fd::AsFd,
    into: &[Piece<'_, Dest>],
) -> Result<usize, ChannelError> {
    retry_vectored(|| super::io::Stream(end).read_vectored(into))
}

/// Writes once to a socket, or to a file that may be one. No signal tells that its peer is gone.
#[cfg(unix)]
fn write_to_socket(
    end: &impl std::os::fd::AsFd,
    from: &[Piece<'_, Source>],
) -> Result<usize, ChannelError> {
    retry_vectored(|| super::io::Stream(end).write_vectored(from))
}

/// Writes once to what is no socket.
#[cfg(unix)]
fn write_to_pipe(
    end: &impl std::os::fd::AsFd,
    from: &[Piece<'_, Source>],
) -> Result<usize, ChannelError> {
    retry_vectored(|| super::io::write(end, from))
}

#[cfg(unix)]
fn retry_vectored(
    mut call: impl FnMut() -> Result<usize, CallError<io::Error>>,
) -> Result<usize, ChannelError> {
    loop {
        match call() {
            Ok(moved) => return Ok(moved),
            Err(CallError::Interrupted) => {}
            Err(CallError::WouldBlock) => return Err(ChannelError::WouldBlock),
            Err(CallError::Failed(error)) => return Err(ChannelError::from(&error)),
        }
    }
}

/// Writes to a writer that may have a buffer of its own, and empties that.
///
/// If that fails, what was written is not counted; it is a failure even if the writer would only
/// block, because the bytes must not be written again.
fn write_through<W: Write>(
    writer: &mut W,
    write: impl FnOnce(&mut W) -> Result<usize, ChannelError>,
) -> Result<usize, ChannelError> {
    let written = write(writer)?;
    match retry(|| writer.flush()) {
        Ok(()) => Ok(written),
        Err(ChannelError::WouldBlock) => Err(ChannelError::Os(ChannelError::WouldBlock.errno())),
        Err(error) => Err(error),
    }
}

fn retry<T>(mut operation: impl FnMut() -> io::Result<T>) -> Result<T, ChannelError> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.map_err(|error| ChannelError::from(&error)),
        }
    }
}

/// Changes the mode of a descriptor and all its duplicates.
#[cfg(unix)]
fn set_blocking(end: &impl std::os::fd::AsFd, blocking: bool) -> Result<(), ChannelError> {
    rustix::io::ioctl_fionbio(end, !blocking)
        .map_err(|errno| ChannelError::Os(errno.raw_os_error()))
}

impl From<&io::Error> for ChannelError {
    fn from(error: &io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::WouldBlock, _) => Self::WouldBlock,
            (_, Some(errno)) => Self::Os(errno),
            (ErrorKind::Unsupported, _) => Self::Unsupported,
            (ErrorKind::OutOfMemory, _) => Self::NoMemory,
            (ErrorKind::UnexpectedEof, _) => Self::Other("unexpected end of the data"),
            (ErrorKind::InvalidData, _) => Self::Other("invalid data"),
            (ErrorKind::InvalidInput, _) => Self::Os(22),
            (ErrorKind::BrokenPipe, _) => Self::Other("broken pipe"),
            _ => Self::Other("input or output error"),
        }
    }
}

impl From<io::SeekFrom> for SeekFrom {
    fn from(to: io::SeekFrom) -> Self {
        match to {
            io::SeekFrom::Start(position) => Self::Start(position),
            io::SeekFrom::End(distance) => Self::End(distance),
            io::SeekFrom::Current(distance) => Self::Current(distance),
        }
    }
}

impl From<SeekFrom> for io::SeekFrom {
    fn from(to: SeekFrom) -> Self {
        match to {
            SeekFrom::Start(position) => Self::Start(position),
            SeekFrom::End(distance) => Self::End(distance),
            SeekFrom::Current(distance) => Self::Current(distance),
        }
    }
}

/// The writing methods of a descriptor, which takes pieces; elsewhere a writer takes slices.
macro_rules! vectored {
    ($write:ident) => {
        #[cfg(unix)]
        fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
            $write(self, from)
        }

        #[cfg(not(unix))]
        fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
            write_copied(self, from)
        }

        #[cfg(not(unix))]
        fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
            write_slices(self, from)
        }
    };
}

/// The reading method of a descriptor, which takes pieces.
macro_rules! scattered {
    () => {
        #[cfg(unix)]
        fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
            read_scattered(self, into)
        }
    };
}

impl Channel for File {
    /// A pipe or a terminal that was opened as a file cannot seek.
    fn features(&self) -> Features {
        match (&mut &*self).stream_position() {
            Ok(_) => Features::SEEKABLE,
            Err(_) => Features::empty(),
        }
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        retry(|| Seek::seek(self, to.into()))
    }

    #[cfg(unix)]
    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        set_blocking(self, blocking)
    }
}

impl ReadChannel for File {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        read(self, into)
    }

    scattered!();

    #[cfg(unix)]
    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        retry_vectored(|| FileAt { file: &*self, offset: position }.read_vectored(into))
    }
}

impl WriteChannel for File {
    vectored!(write_to_socket);

    #[cfg(unix)]
    fn write_at(
        &mut self,
        from: &[Piece<'_, Source>],
        position: u64,
    ) -> Result<usize, ChannelError> {
        retry_vectored(|| FileAt { file: &*self, offset: position }.write_vectored(from))
    }
}

macro_rules! socket {
    ($socket:ty) => {
        /// Closing a handle leaves the connection open for its clones.
        impl Channel for $socket {
            fn features(&self) -> Features {
                Features::SHUTDOWN
            }

            fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
                retry(|| self.set_nonblocking(!blocking))
            }

            fn shutdown(&self) -> Result<(), ChannelError> {
                retry(|| self.shutdown(net::Shutdown::Both))
            }
        }

        impl Duplex for $socket {
            fn try_clone(&self) -> Result<Self, ChannelError> {
                retry(|| self.try_clone())
            }
        }

        readable!($socket, scattered);
        writable!($socket, write_to_socket);
    };
}

macro_rules! readable {
    ($reader:ty $(, $scattered:ident)?) => {
        impl ReadChannel for $reader {
            fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
                read(self, into)
            }

            $($scattered!();)?
        }
    };
}

macro_rules! writable {
    ($writer:ty, $write:ident) => {
        impl WriteChannel for $writer {
            vectored!($write);
        }
    };
}

/// A writer with a buffer of its own.
macro_rules! buffered {
    ($writer:ty) => {
        impl WriteChannel for $writer {
            fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
                write_through(self, |writer| write_copied(writer, from))
            }

            fn write_exclusive(
                &mut self,
                from: &[KVec<'_, Source>],
            ) -> Result<usize, ChannelError> {
                write_through(self, |writer| write_slices(writer, from))
            }
        }
    };
}

macro_rules! pipe {
    ($($end:ty),*) => {
        $(impl Channel for $end {
            #[cfg(unix)]
            fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
                set_blocking(self, blocking)
            }
        })*
    };
}

/// The blocking mode of the standard streams is not changed: they belong to other processes as well.
macro_rules! standard_stream {
    ($($stream:ty),*) => {
        $(impl Channel for $stream {})*
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

pipe!(PipeReader, PipeWriter, ChildStdin, ChildStdout, ChildStderr);
standard_stream!(Stdin, StdinLock<'_>, Stdout, StdoutLock<'_>);
readable!(PipeReader, scattered);
readable!(ChildStdout, scattered);
readable!(ChildStderr, scattered);
readable!(Stdin);
readable!(StdinLock<'_>);
writable!(PipeWriter, write_to_pipe);
writable!(ChildStdin, write_to_pipe);
buffered!(Stdout);
buffered!(StdoutLock<'_>);
