//! A channel that waits for its descriptor instead of reporting that it would block.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::direction::Source;
use crate::file::{
    Channel, ChannelError, Duplex, Features, ReadChannel, Ready, SeekFrom, WriteChannel,
};
use crate::segment::KVec;

/// A channel over a non-blocking descriptor whose files wait nevertheless.
///
/// It is for descriptors that others have made non-blocking, such as an inherited standard input.
#[derive(Clone, Copy, Debug)]
pub struct WaitingChannel<C> {
    inner: C,
}

impl<C> WaitingChannel<C> {
    /// Wraps a channel.
    pub const fn new(inner: C) -> Self {
        Self { inner }
    }

    /// The wrapped channel.
    pub const fn get_ref(&self) -> &C {
        &self.inner
    }

    /// Unwraps the channel.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl<C: Channel + AsFd> Channel for WaitingChannel<C> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn wait(&mut self, ready: Ready) -> Result<(), ChannelError> {
        let events = match ready {
            Ready::Read => PollFlags::IN,
            Ready::Write => PollFlags::OUT,
        };
        loop {
            match poll(&mut [PollFd::new(&self.inner, events)], None) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(ChannelError::Os(errno.raw_os_error())),
            }
        }
    }

    fn set_blocking(&mut self, blocking: bool) -> Result<(), ChannelError> {
        self.inner.set_blocking(blocking)
    }

    fn shutdown(&self) -> Result<(), ChannelError> {
        self.inner.shutdown()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        self.inner.seek(to)
    }

    fn close(&mut self) -> Result<(), ChannelError> {
        self.inner.close()
    }

    fn abandoned(&mut self, unsent: u64) {
        self.inner.abandoned(unsent);
    }
}

impl<C: ReadChannel + AsFd> ReadChannel for WaitingChannel<C> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.inner.read(into)
    }

    fn read_at(&mut self, into: &mut [u8], position: u64) -> Result<usize, ChannelError> {
        self.inner.read_at(into, position)
    }
}

impl<C: WriteChannel + AsFd> WriteChannel for WaitingChannel<C> {
    fn write(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        self.inner.write(from)
    }

    fn write_at(&mut self, from: &[u8], position: u64) -> Result<usize, ChannelError> {
        self.inner.write_at(from, position)
    }
}

impl<C: Duplex + AsFd> Duplex for WaitingChannel<C> {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        self.inner.try_clone().map(Self::new)
    }
}
