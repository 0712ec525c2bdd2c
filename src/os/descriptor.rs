//! Descriptors that travel in a stream over a Unix socket, on Linux.
//!
//! A descriptor rides on one byte, a space. It arrives with that byte at the latest, and is taken
//! in the order of arrival when the reader gets to the byte. The system drops descriptors for which
//! the receiving process has no room; the reader gets an error at the byte, and reads on.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::direction::Source;
use crate::file::{
    Channel, ChannelError, Duplex, Error, Features, FileReader, FileWriter, ReadChannel,
    WriteChannel,
};
use crate::memory::Piece;

/// The byte that a descriptor rides on.
const CARRIER: u8 = b' ';

/// The most descriptors that one read can take along.
const MAX_DESCRIPTORS: usize = 16;

/// From this many descriptors on that nobody has asked for, nothing more is read.
const MAX_UNCLAIMED: usize = 1024;

/// A Unix socket that also carries descriptors.
///
/// ```
/// use std::io::{Read, Seek, Write};
/// use iov_iter::file::{FileReader, FileWriter};
/// use iov_iter::os::DescriptorChannel;
///
/// let (here, there) = std::os::unix::net::UnixStream::pair()?;
/// let (mut pipe_end, other_end) = std::io::pipe()?;
/// let mut writer = FileWriter::new(DescriptorChannel::new(here))?;
/// writer.put_descriptor(&other_end)?;
/// drop(other_end);
///
/// let mut reader = FileReader::new(DescriptorChannel::new(there))?;
/// let mut received = std::io::PipeWriter::from(reader.get_descriptor()?);
/// received.write_all(b"through it")?;
/// drop(received);
/// let mut text = String::new();
/// pipe_end.read_to_string(&mut text)?;
/// assert_eq!(text, "through it");
/// # writer.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DescriptorChannel {
    socket: UnixStream,
    /// Arrived and not yet asked for, oldest first. An error stands for what was lost on arrival.
    received: VecDeque<Result<OwnedFd, ChannelError>>,
}

impl DescriptorChannel {
    /// A channel over `socket`.
    #[must_use]
    pub const fn new(socket: UnixStream) -> Self {
        Self { socket, received: VecDeque::new() }
    }

    /// The socket.
    #[must_use]
    pub const fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Takes the oldest descriptor that has arrived; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Why the descriptor was lost on arrival: `EMFILE` where the table of descriptors was full. The
    /// next call returns the next descriptor.
    pub fn take_descriptor(&mut self) -> Option<Result<OwnedFd, ChannelError>> {
        self.received.pop_front()
    }

    /// Why the system dropped a descriptor of a message that brought `arrived` others.
    fn reason_of_loss(&self, arrived: usize) -> ChannelError {
        if arrived >= MAX_DESCRIPTORS {
            return ChannelError::Other("more descriptors at one place than can be taken");
        }
        // The system does not tell. A full table also has no room for a duplicate.
        match fcntl_dupfd_cloexec(&self.socket, 0) {
            Err(errno) => failure(errno),
            Ok(_) => ChannelError::Other("a descriptor was lost on arrival"),
        }
    }

    fn send(&mut self, descriptor: BorrowedFd<'_>) -> Result<usize, ChannelError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [descriptor];
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(ChannelError::NoMemory);
        }
        let byte = [CARRIER];
        let sent = retry_on_intr(|| {
            sendmsg(&self.socket, &[IoSlice::new(&byte)], &mut control, SendFlags::NOSIGNAL)
        });
        sent.map_err(failure)
    }
}

impl AsFd for DescriptorChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn failure(errno: Errno) -> ChannelError {
    match errno {
        Errno::AGAIN => ChannelError::WouldBlock,
        errno => ChannelError::Os(errno.raw_os_error()),
    }
}

impl Channel for DescriptorChannel {
    fn features(&self) -> Features {
        Features::SHUTDOWN | Features::DESCRIPTORS
    }

    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        self.socket.set_blocking(blocking)
    }

    fn shutdown(&self) -> Result<(), ChannelError> {
        Channel::shutdown(&self.socket)
    }

    /// Descriptors that nobody has asked for are closed, and an error.
    fn close(&mut self) -> Result<(), ChannelError> {
        if self.received.is_empty() {
            return Ok(());
        }
        let lost = self.received.drain(..).find_map(Result::err);
        Err(lost.unwrap_or(ChannelError::Other("descriptors have arrived that nobody asked for")))
    }
}

impl ReadChannel for DescriptorChannel {
    /// A descriptor that is lost on arrival takes its place among the others; the bytes are read.
    ///
    /// # Errors
    ///
    /// An error in words while there are 1024 descriptors that nobody has asked for.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let before = self.received.len();
        if before >= MAX_UNCLAIMED {
            return Err(ChannelError::Other("too many descriptors that nobody asked for"));
        }
        let room = MAX_DESCRIPTORS.saturating_add(1);
        self.received.try_reserve(room).map_err(|_| ChannelError::NoMemory)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = retry_on_intr(|| {
            let mut into = [IoSliceMut::new(into)];
            recvmsg(&self.socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let message = message.map_err(failure)?;
        for ancillary in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = ancillary {
                // There is room for all that fit into `space`.
                self.received.extend(descriptors.take(MAX_DESCRIPTORS).map(Ok));
            }
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            let arrived = self.received.len().saturating_sub(before);
            self.received.push_back(Err(self.reason_of_loss(arrived)));
        }
        Ok(message.bytes)
    }
}

impl WriteChannel for DescriptorChannel {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        WriteChannel::write(&mut self.socket, from)
    }
}

/// The other handle has its own list of descriptors: only one of them should be read.
impl Duplex for DescriptorChannel {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Duplex::try_clone(&self.socket).map(Self::new)
    }
}

/// Putting descriptors.
impl FileWriter<'_, DescriptorChannel> {
    /// Sends what is pending, then a descriptor on a byte of its own.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush); [`Error::WouldBlock`], after which the descriptor was not
    /// sent; other failures stick.
    #[doc(alias = "qemu_file_put_fd")]
    pub fn put_descriptor(&mut self, descriptor: impl AsFd) -> Result<(), Error> {
        self.flush()?;
        match self.channel_mut().send(descriptor.as_fd()) {
            Ok(sent) => {
                self.count(sent);
                self.rate_mut().account(sent as u64);
                Ok(())
            }
            Err(ChannelError::WouldBlock) => Err(Error::WouldBlock),
            Err(error) => {
                let error = Error::Write(error);
                Err(self.set_error(error).unwrap_or(error))
            }
        }
    }
}

/// Getting descriptors.
impl FileReader<DescriptorChannel> {
    /// Gets the descriptor that rides on the next byte.
    ///
    /// # Errors
    ///
    /// [`Error::NoDescriptor`] if the next byte is no carrier or none has arrived with it, which
    /// consumes nothing. [`Error::Read`] if the descriptor was lost on arrival, with the reason, which
    /// is `EMFILE` where the table of descriptors was full: it consumes the byte and does not stick.
    /// See also [errors of getting](Self#errors-of-getting).
    #[doc(alias = "qemu_file_get_fd")]
    pub fn get_descriptor(&mut self) -> Result<OwnedFd, Error> {
        match self.peek_byte(0)? {
            Some(CARRIER) => {}
            Some(_) => return Err(Error::NoDescriptor),
            None => return self.get_byte().and(Err(Error::NoDescriptor)),
        }
        let descriptor = self.channel_mut().take_descriptor().ok_or(Error::NoDescriptor)?;
        self.skip_buffered(1)?;
        descriptor.map_err(Error::Read)
    }
}
