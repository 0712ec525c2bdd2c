//! What other threads may do to a file, on targets with atomic counters.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;
use super::shared::Shared;

/// A handle of a file for other threads: makes the file fail, reads its error, limits its rate.
///
/// Made by [`FileReader::control`](super::FileReader::control) and
/// [`FileWriter::control`](super::FileWriter::control). It never waits, and takes no lock. The file sees the
/// change in its next operation; to wake a file that waits for its channel, use a
/// [`Stopper`](super::Stopper). Targets whose atomics cannot count (`target_has_atomic = "ptr"` is not set,
/// such as `thumbv6m-none-eabi`) do not have it.
///
/// ```
/// use iov_iter::file::{Error, FileWriter};
///
/// let mut writer = FileWriter::new(Vec::new())?;
/// let control = writer.control()?;
/// let cancelled = Error::Reported(125, "cancelled");
/// std::thread::spawn(move || control.set_error(cancelled)).join().unwrap();
/// assert_eq!(writer.put_byte(1), Err(cancelled));
/// # Ok::<(), Error>(())
/// ```
pub struct Control(Shared<State>);

/// Errors that can be on their way at one time.
const SLOTS: usize = 4;
/// Values of `State::first`; the others are a slot's index + `FIRST_SLOT`.
const HEALTHY: usize = 0;
const STOPPED: usize = 1;
const FIRST_SLOT: usize = 2;
/// The value of `State::limit` while there is no new limit.
const NO_LIMIT: usize = usize::MAX;

/// What a file and its handles share.
///
/// A thread that fails the file claims a slot, writes its error there, and publishes the slot's number in
/// `first`, where the first one wins. So nobody ever waits for another thread.
struct State {
    first: AtomicUsize,
    /// Slots claimed, or more.
    claimed: AtomicUsize,
    slots: [UnsafeCell<Error>; SLOTS],
    limit: AtomicUsize,
}

// SAFETY: a slot is written only by the thread that claimed it, once, before it publishes the number with
// `Release`. It is read only by threads that found the number with `Acquire`. An `Error` is `Send` and `Sync`.
unsafe impl Sync for State {}

impl Control {
    pub(super) fn new() -> Result<Self, Error> {
        Shared::new(State {
            first: AtomicUsize::new(HEALTHY),
            claimed: AtomicUsize::new(0),
            slots: [const { UnsafeCell::new(Error::Stopped) }; SLOTS],
            limit: AtomicUsize::new(NO_LIMIT),
        })
        .map(Self)
    }

    /// Returns another handle of the same file.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if there are absurdly many.
    pub fn try_clone(&self) -> Result<Self, Error> {
        self.0.share().map(Self)
    }

    /// Makes the file fail with [`Error::Stopped`], unless it has an error already.
    ///
    /// Unlike [`Stopper::stop`](super::Stopper::stop) it does not shut the channel down.
    pub fn stop(&self) {
        self.publish(STOPPED);
    }

    /// Makes the file fail with `error`, unless it has an error already. Returns the file's error.
    ///
    /// Errors that do not [stick](Error::is_sticky) change nothing. If more than four threads fail a healthy
    /// file at the same instant, its error may become [`Error::Stopped`].
    #[doc(alias = "qemu_file_set_error")]
    pub fn set_error(&self, error: Error) -> Option<Error> {
        if error.is_sticky() && !self.is_failed() {
            self.set_first(error);
        }
        self.error()
    }

    fn set_first(&self, error: Error) {
        if error == Error::Stopped {
            return self.stop();
        }
        // Each call gets another number. There are no more calls than threads that found no error.
        let index = self.0.claimed.fetch_add(1, Ordering::Relaxed);
        match self.0.slots.get(index) {
            Some(slot) => {
                // SAFETY: no other call got this index, and nobody reads the slot before its number is
                // published, which is the next thing to happen.
                unsafe { *slot.get() = error };
                self.publish(index.saturating_add(FIRST_SLOT));
            }
            None => self.stop(),
        }
    }

    /// Makes `first` the state of a file that is healthy.
    fn publish(&self, first: usize) {
        // If another thread was first, its error stays.
        let _ = self.0.first.compare_exchange(HEALTHY, first, Ordering::Release, Ordering::Relaxed);
    }

    /// Returns the file's error; `None` if it is healthy.
    #[doc(alias = "qemu_file_get_error")]
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        match self.0.first.load(Ordering::Acquire) {
            HEALTHY => None,
            STOPPED => Some(Error::Stopped),
            number => {
                let slot = self.0.slots.get(number.wrapping_sub(FIRST_SLOT))?;
                // SAFETY: the number is published after the slot was written for the last time, and was
                // loaded with `Acquire`.
                Some(unsafe { *slot.get() })
            }
        }
    }

    /// Whether the file has an error.
    #[inline]
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.0.first.load(Ordering::Acquire) != HEALTHY
    }

    /// Allows a writing file `limit` bytes in one [rate window](super::RateLimit); 0 means any number.
    ///
    /// A limit beyond the address space counts as its size. The last limit set is the one that holds, here or by
    /// [`FileWriter::rate_mut`](super::FileWriter::rate_mut). A reading file has no limit.
    #[doc(alias = "qemu_file_set_rate_limit")]
    pub fn set_rate_limit(&self, limit: u64) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(NO_LIMIT.saturating_sub(1));
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// The limit set since the last [`take_limit`](Self::take_limit).
    pub(super) fn limit(&self) -> Option<u64> {
        set(self.0.limit.load(Ordering::Relaxed))
    }

    /// Returns the limit that was set, once.
    pub(super) fn take_limit(&self) -> Option<u64> {
        set(self.0.limit.swap(NO_LIMIT, Ordering::Relaxed))
    }
}

fn set(limit: usize) -> Option<u64> {
    (limit != NO_LIMIT).then_some(limit as u64)
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("error", &self.error()).finish_non_exhaustive()
    }
}
