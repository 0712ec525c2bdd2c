//! Where an iterator stands: the bytes left, moving, hiding the end, and going back to a saved place.

use core::fmt;

use super::{Chained, IovIter, UserCursor, on_cursor};
use crate::direction::Direction;
use crate::error::Error;
use crate::host::{Host, KernelOnly};

/// Where an [`IovIter`] stood when it was [saved](IovIter::save).
#[doc(alias = "iov_iter_state")]
pub struct State<'a, D: Direction, H: Host = KernelOnly>(IovIter<'a, D, H>);

// A derived form would ask the host for the same.
impl<D: Direction, H: Host> Clone for State<'_, D, H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Direction, H: Host> fmt::Debug for State<'_, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0).finish()
    }
}

/// # Position and length
impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Bytes left.
    ///
    /// User memory may fault before they are used up.
    #[inline]
    #[must_use]
    #[doc(alias = "iov_iter_count")]
    #[doc(alias = "len")]
    pub fn remaining(&self) -> usize {
        on_cursor!(self, cursor => cursor.remaining())
    }

    /// Whether no byte is left.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Moves forward by `n` bytes, or to the end if fewer are left; returns the bytes passed.
    #[doc(alias = "iov_iter_advance")]
    pub fn advance(&mut self, n: usize) -> usize {
        match self {
            Self::UserBuf(inner) => inner.advance_apart(n),
            Self::IoVec(inner) => inner.advance_apart(n),
            Self::KVec(cursor) => cursor.advance_apart(n),
            Self::Shared(cursor) => cursor.advance_apart(n),
            Self::BVec(cursor) => cursor.advance_apart(n),
            Self::Uniform(cursor) => cursor.advance_apart(n),
            Self::Discard(cursor) => cursor.advance_apart(n),
            Self::Chain(chained) => chained.advance_apart(n),
            Self::Lookup(cursor) => cursor.advance(n),
        }
    }

    /// Moves back by `n` bytes. Data, references and pins stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::RevertPastStart`] if that would pass the first byte of the segments; the iterator
    /// has not moved then.
    #[doc(alias = "iov_iter_revert")]
    pub fn revert(&mut self, n: usize) -> Result<(), Error> {
        on_cursor!(self, cursor => cursor.revert(n))
    }

    /// Hides all but the next `limit` bytes, until [`reexpand`](Self::reexpand). A larger limit
    /// changes nothing.
    #[doc(alias = "iov_iter_truncate")]
    pub fn truncate(&mut self, limit: u64) {
        on_cursor!(self, cursor => cursor.truncate(limit));
    }

    /// Makes `count` bytes the number left, giving back what truncation hid.
    ///
    /// # Errors
    ///
    /// [`Error::ExpandPastEnd`] if truncation hid fewer; nothing has changed then.
    #[doc(alias = "iov_iter_reexpand")]
    pub fn reexpand(&mut self, count: usize) -> Result<(), Error> {
        on_cursor!(self, cursor => cursor.reexpand(count))
    }

    /// Remembers position, length and truncation.
    #[must_use]
    #[doc(alias = "iov_iter_save_state")]
    pub fn save(&self) -> State<'a, D, H> {
        State(self.clone())
    }

    /// Goes back to where the iterator was saved, after any amount of copying, moving and
    /// truncating. [Page flags](Self::set_page_flags) stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignState`] if an iterator over other segments was saved; nothing has changed
    /// then.
    ///
    /// ```
    /// # use iov_iter::{Dest, IovIter};
    /// let mut iter = IovIter::<Dest>::discard(10);
    /// let start = iter.save();
    /// iter.advance(6);
    /// iter.truncate(1);
    /// iter.restore(&start).unwrap();
    /// assert_eq!(iter.remaining(), 10);
    /// ```
    #[doc(alias = "iov_iter_restore")]
    pub fn restore(&mut self, state: &State<'a, D, H>) -> Result<(), Error> {
        match (self, &state.0) {
            (Self::UserBuf(now), Self::UserBuf(then)) => now.cursor.restore(&then.cursor),
            (Self::IoVec(now), Self::IoVec(then)) => now.cursor.restore(&then.cursor),
            (Self::KVec(now), Self::KVec(then)) => now.restore(then),
            (Self::Shared(now), Self::Shared(then)) => now.restore(then),
            (Self::BVec(now), Self::BVec(then)) => now.restore(then),
            (Self::Uniform(now), Self::Uniform(then)) => now.restore(then),
            (Self::Discard(now), Self::Discard(then)) => now.restore(then),
            (Self::Chain(now), Self::Chain(then)) => now.restore(then),
            (Self::Lookup(now), Self::Lookup(then)) => now.restore(then),
            (
                Self::UserBuf(_) | Self::IoVec(_) | Self::KVec(_) | Self::Shared(_) | Self::BVec(_),
                _,
            )
            | (Self::Uniform(_) | Self::Discard(_) | Self::Chain(_) | Self::Lookup(_), _) => {
                Err(Error::ForeignState)
            }
        }
    }
}
