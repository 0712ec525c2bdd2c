//! How what was put reaches the channel.

use super::queue::Queue;
use super::{Bytes, FileWriter};
use crate::file::channel::{ChannelError, Ready, WriteChannel};
use crate::file::error::Error;

impl<'buf, C: WriteChannel> FileWriter<'buf, C> {
    /// Sends everything that is pending.
    ///
    /// With nothing pending the channel is not called.
    ///
    /// # Errors
    ///
    /// The sticky error; nothing is sent after one, ever. Or [`Error::WouldBlock`]: what the
    /// channel did not take is still pending.
    #[doc(alias = "qemu_fflush")]
    pub fn flush(&mut self) -> Result<(), Error> {
        self.check()?;
        self.send()
    }

    /// Sends if the buffer or the list of entries is full. If the channel would block the bytes
    /// just wait.
    pub(in crate::file) fn send_if_due(&mut self) -> Result<(), Error> {
        if !self.queue.is_due() {
            return Ok(());
        }
        match self.send() {
            Err(Error::WouldBlock) => Ok(()),
            result => result,
        }
    }

    /// Sends unless there is `room` for what is to be put. If the channel blocks after there is, that is no
    /// error.
    pub(in crate::file) fn send_unless(
        &mut self,
        room: impl Fn(&Queue<'buf>) -> bool,
    ) -> Result<(), Error> {
        if room(&self.queue) {
            return Ok(());
        }
        match self.send() {
            Err(Error::WouldBlock) if room(&self.queue) => Ok(()),
            result => result,
        }
    }

    pub(in crate::file) fn send(&mut self) -> Result<(), Error> {
        while self.queue.pending() > 0 {
            self.check()?;
            let answer = self.offer_pending();
            self.take_answer(answer)?;
        }
        self.queue.finish();
        Ok(())
    }

    /// Sends `block`, which fills the buffer, from where it lies while nothing is pending: the same
    /// write as if it had been copied. What the channel does not take at once is copied then.
    pub(in crate::file) fn send_through(&mut self, block: Bytes<'_>) -> Result<(), Error> {
        let answer = match self.check() {
            Ok(()) => {
                self.finished = true;
                let answer = block.write_to(&mut self.channel);
                self.finished = false;
                answer
            }
            // Something stopped the file after it was looked at; the block was put before.
            Err(error) => {
                self.queue.copy(block);
                return Err(error);
            }
        };
        if answer.is_ok_and(|taken| taken >= block.len()) {
            self.queue.count_bypassed(block.len());
            self.count(block.len());
            return Ok(());
        }
        self.queue.copy(block);
        match self.take_answer(answer) {
            Err(Error::WouldBlock) => Ok(()),
            result => result.and_then(|()| self.send_if_due()),
        }
    }

    /// Handles the answer of the channel to the pending bytes.
    fn take_answer(&mut self, answer: Result<usize, ChannelError>) -> Result<(), Error> {
        match answer {
            Ok(0) => Err(self.fail(Error::WriteZero)),
            Ok(taken) => {
                self.queue.advance(taken as u64);
                self.count(taken);
                Ok(())
            }
            Err(ChannelError::WouldBlock) => match self.channel.wait(Ready::Write) {
                Ok(()) => Ok(()),
                Err(ChannelError::WouldBlock) => {
                    self.queue.compact();
                    Err(Error::WouldBlock)
                }
                Err(error) => Err(self.fail(Error::Write(error))),
            },
            Err(error) => Err(self.fail(Error::Write(error))),
        }
    }

    /// Counts bytes of the stream that the channel took.
    pub(crate) fn count(&mut self, flushed: usize) {
        self.flushed = self.flushed.saturating_add(flushed as u64);
    }

    /// Offers all pending bytes to the channel once.
    fn offer_pending(&mut self) -> Result<usize, ChannelError> {
        let offered = usize::try_from(self.queue.pending()).unwrap_or(usize::MAX);
        // If the channel panics, a drop must not offer the bytes once more.
        self.finished = true;
        let answer = self.queue.write_to(&mut self.channel);
        self.finished = false;
        answer.map(|taken| taken.min(offered))
    }
}

impl<C: WriteChannel> Drop for FileWriter<'_, C> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        while self.queue.pending() > 0 && self.is_healthy() {
            match self.offer_pending() {
                Ok(taken @ 1..) => self.queue.advance(taken as u64),
                _ => break,
            }
        }
        match self.queue.pending() {
            0 => self.queue.finish(),
            unsent => self.channel.abandoned(unsent),
        }
    }
}
