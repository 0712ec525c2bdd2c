//! Peeling bytes off a view, and putting them back.
//!
//! The segments stay as they are; only the edges of the view move. Undoing moves an edge outwards
//! and never inwards, so whatever the order in which tokens are given back, the view ends where it
//! stood before the oldest of them.
//!
//! A view is `Copy`, so `let before = view; ...; view = before` undoes a discard as well. Use that where all
//! code between both lines is your own. A token is for discards that other code takes back: it may come back
//! in any order, while a copy would overwrite what an older token has undone, and a token of another vector is
//! refused. A scope undoes on every way out, `?` included.
//!
//! ```text
//!   start              ├────────────────────────────┤
//!   discard_front(4)   │····├───────────────────────┤    token 1
//!   discard_back(1)    │····├─────────────────────┤·│    token 2
//!   undo(token 1)      ├────────────────────────────┤    undoes token 2, made later, as well
//!   undo(token 2)      ├────────────────────────────┤    nothing to do
//! ```

use core::fmt;
use core::ops::{Deref, DerefMut};

use super::{Error, View};
use crate::direction::Direction;
use crate::memory::{Access, Exclusive};
use crate::segment::Position;

/// What takes a discard back: the edges that a view had before.
///
/// It can be used once.
///
/// ```compile_fail,E0382
/// # use iov_iter::{KVec, iov::View};
/// let segments = [KVec::from(b"payload")];
/// let mut view = View::new(&segments);
/// let undo = view.discard_front_undoable(3);
/// view.undo(undo);
/// view.undo(undo);
/// ```
#[must_use = "without its token a discard cannot be undone"]
#[doc(alias = "IOVDiscardUndo")]
pub struct Undo<'v, D: Direction, A: Access = Exclusive> {
    before: View<'v, D, A>,
    discarded: usize,
}

impl<D: Direction, A: Access> Undo<'_, D, A> {
    /// The bytes that the discard took away: the number asked for, or all that were left.
    #[must_use]
    pub const fn discarded(&self) -> usize {
        self.discarded
    }
}

impl<D: Direction, A: Access> fmt::Debug for Undo<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undo")
            .field("before", &self.before)
            .field("discarded", &self.discarded)
            .finish()
    }
}

impl<'v, D: Direction, A: Access> View<'v, D, A> {
    /// Takes `bytes` off the front, or all that are left; returns how many.
    #[doc(alias = "iov_discard_front")]
    pub fn discard_front(&mut self, bytes: usize) -> usize {
        let discarded;
        (self.front, discarded) = self.forward(self.front, bytes);
        discarded
    }

    /// Takes `bytes` off the back, or all that are left; returns how many.
    #[doc(alias = "iov_discard_back")]
    pub fn discard_back(&mut self, bytes: usize) -> usize {
        let discarded;
        (self.back, discarded) = self.backward(bytes);
        discarded
    }

    /// As [`discard_front`](Self::discard_front), with a token to [`undo`](Self::undo) it.
    #[doc(alias = "iov_discard_front_undoable")]
    pub fn discard_front_undoable(&mut self, bytes: usize) -> Undo<'v, D, A> {
        Undo { before: *self, discarded: self.discard_front(bytes) }
    }

    /// As [`discard_back`](Self::discard_back), with a token to [`undo`](Self::undo) it.
    #[doc(alias = "iov_discard_back_undoable")]
    pub fn discard_back_undoable(&mut self, bytes: usize) -> Undo<'v, D, A> {
        Undo { before: *self, discarded: self.discard_back(bytes) }
    }

    /// Takes a discard back, and with it every later one.
    ///
    /// The view has both edges that it had before the discard. One that was undone already, with
    /// an older token, is not undone again. A token of another view of the same vector gives the
    /// edges of that view, where they are further out.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignUndo`] if the token was made by a view of another vector; nothing has
    /// changed then.
    #[doc(alias = "iov_discard_undo")]
    pub fn undo(&mut self, undo: Undo<'v, D, A>) -> Result<(), Error> {
        let before = undo.before;
        if !core::ptr::eq(self.segments, before.segments) {
            return Err(Error::ForeignUndo);
        }
        if number(before.front) < number(self.front) {
            self.front = before.front;
        }
        if number(before.back) > number(self.back) {
            self.back = before.back;
        }
        Ok(())
    }

    /// A guard under which the view may be changed at will: when it is dropped, the view is exactly
    /// what it is now, whatever was discarded, undone or assigned meanwhile.
    ///
    /// ```
    /// use iov_iter::{KVec, iov::View};
    ///
    /// let segments = [KVec::from(b"head"), KVec::from(b"body!")];
    /// let mut request = View::new(&segments);
    /// {
    ///     let mut peeled = request.scope();
    ///     peeled.discard_front(4);
    ///     peeled.discard_back(1);
    ///     assert_eq!(peeled.len(), 4);
    /// }
    /// assert_eq!(request.len(), 9);
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    pub fn scope(&mut self) -> Scope<'_, 'v, D, A> {
        Scope { before: *self, view: self }
    }
}

/// A place as one number: two words are compared in two instructions, and a position field by field in seven.
#[inline]
const fn number(at: Position) -> u128 {
    (at.index as u128) << usize::BITS | at.offset as u128
}

/// A view that is restored when this guard is dropped. Made by [`View::scope`].
pub struct Scope<'g, 'v, D: Direction, A: Access = Exclusive> {
    view: &'g mut View<'v, D, A>,
    before: View<'v, D, A>,
}

impl<D: Direction, A: Access> Scope<'_, '_, D, A> {
    /// Ends the guard without undoing anything.
    pub fn keep(mut self) {
        self.before = *self.view;
    }
}

impl<D: Direction, A: Access> Drop for Scope<'_, '_, D, A> {
    fn drop(&mut self) {
        *self.view = self.before;
    }
}

impl<'v, D: Direction, A: Access> Deref for Scope<'_, 'v, D, A> {
    type Target = View<'v, D, A>;

    fn deref(&self) -> &View<'v, D, A> {
        self.view
    }
}

impl<D: Direction, A: Access> DerefMut for Scope<'_, '_, D, A> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.view
    }
}

impl<D: Direction, A: Access> fmt::Debug for Scope<'_, '_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("view", &self.view).field("before", &self.before).finish()
    }
}
