//! A channel that waits for its descriptor instead of reporting that it would block.

use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::{mem::MaybeUninit, os::fd::OwnedFd, thread, time::Duration};

#[cfg(target_os = "linux")]
use rustix::event::epoll;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};

use crate::file::{Channel, ChannelError, Duplex, ReadChannel, Ready, WriteChannel, forward};

/// A channel over a non-blocking descriptor whose files wait nevertheless.
///
/// It is for descriptors that others have made non-blocking, such as an inherited standard input.
///
/// On Linux it also waits where `poll` returns at once and nothing can be moved. This is so while the
/// error queue of a socket holds a report that nobody has read, for example about a zero-copy send, and
/// for a terminal whose other side is closed. Waiting takes one more descriptor then.
#[derive(Debug)]
pub struct WaitingChannel<C> {
    inner: C,
    /// Reports each change of the descriptor once. Made when `poll` has returned without need.
    #[cfg(target_os = "linux")]
    changes: Option<OwnedFd>,
}

impl<C> WaitingChannel<C> {
    /// Wraps a channel.
    pub const fn new(inner: C) -> Self {
        Self {
            inner,
            #[cfg(target_os = "linux")]
            changes: None,
        }
    }

    /// The wrapped channel.
    pub const fn get_ref(&self) -> &C {
        &self.inner
    }

    const fn inner_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Unwraps the channel.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl<C: AsFd> WaitingChannel<C> {
    /// Waits for one of `events`, or for whatever else may let the next call move something.
    #[cfg(target_os = "linux")]
    fn wait_for(&mut self, events: PollFlags) -> Result<(), Errno> {
        const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut polled = [PollFd::new(&self.inner, events)];
        retry_on_intr(|| poll(&mut polled, self.changes.as_ref().map(|_| &NOW)))?;
        if polled.iter().any(|fd| fd.revents().intersects(events)) {
            return Ok(());
        }
        // `poll` returns for an error or a hang-up again and again, even if the calls after it do not
        // report them.
        if let Some(changes) = &self.changes {
            return wait_for_change(changes, events);
        }
        let changes = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&changes, &self.inner, epoll::EventData::new_u64(0), flags)?;
        // From here on no change is missed, so one more call shows whether there is anything to move.
        self.changes = Some(changes);
        Ok(())
    }

    /// Waits for one of `events`, or for whatever else `poll` returns for.
    #[cfg(not(target_os = "linux"))]
    fn wait_for(&mut self, events: PollFlags) -> Result<(), Errno> {
        let mut polled = [PollFd::new(&self.inner, events)];
        retry_on_intr(|| poll(&mut polled, None::<&Timespec>)).map(drop)
    }
}

/// Waits for the next change, one of `events` or any other.
#[cfg(target_os = "linux")]
fn wait_for_change(changes: &OwnedFd, events: PollFlags) -> Result<(), Errno> {
    let wanted = match events {
        PollFlags::IN => epoll::EventFlags::IN,
        _ => epoll::EventFlags::OUT,
    };
    let mut change = [MaybeUninit::uninit()];
    let is_wanted = retry_on_intr(|| {
        let (change, _) = epoll::wait(changes, &mut change[..], None)?;
        Ok(change.iter().any(|change| { change.flags }.intersects(wanted)))
    })?;
    if !is_wanted {
        // A terminal whose other side nobody has open reports its hang-up anew after each call that
        // moves nothing.
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl<C: Channel + AsFd> Channel for WaitingChannel<C> {
    forward!(Channel: get_ref, inner_mut);

    fn wait(&mut self, ready: Ready) -> Result<(), ChannelError> {
        let events = match ready {
            Ready::Read => PollFlags::IN,
            Ready::Write => PollFlags::OUT,
        };
        self.wait_for(events).map_err(|errno| ChannelError::Os(errno.raw_os_error()))
    }
}

impl<C: ReadChannel + AsFd> ReadChannel for WaitingChannel<C> {
    forward!(ReadChannel: inner_mut);
}

impl<C: WriteChannel + AsFd> WriteChannel for WaitingChannel<C> {
    forward!(WriteChannel: inner_mut);
}

impl<C: Duplex + AsFd> Duplex for WaitingChannel<C> {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        self.inner.try_clone().map(Self::new)
    }
}
