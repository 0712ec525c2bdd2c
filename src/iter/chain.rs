//! Iterators over chains of segment lists.

use core::fmt;

use super::{IovIter, UserCursor, UserPiece};
use crate::cursor::Cursor;
use crate::direction::Direction;
use crate::error::Error;
use crate::host::Host;
use crate::memory::{Exclusive, Extent, Piece};
use crate::segment::{BioVec, Chain, ChainPlace, HostChain, IoVec, KVec, SharedVec};

/// A cursor over a chain.
type ChainCursor<'a, S, H> = Cursor<HostChain<'a, S, H>, ChainPlace<'a, S>>;
/// A cursor over a chain of user addresses.
type ChainUser<'a, H> =
    UserCursor<<H as Host>::User, HostChain<'a, IoVec, H>, ChainPlace<'a, IoVec>>;

/// What an [`IovIter`] over a [`Chain`] walks.
#[non_exhaustive]
pub enum Chained<'a, D: Direction, H: Host> {
    /// Ranges of user memory.
    IoVec(ChainUser<'a, H>),
    /// Addressable memory, borrowed.
    KVec(ChainCursor<'a, KVec<'a, D>, H>),
    /// Addressable memory that others may write.
    Shared(ChainCursor<'a, SharedVec<'a, D>, H>),
    /// Pages.
    BVec(ChainCursor<'a, BioVec<H::Page>, H>),
}

/// Evaluates an expression on the cursor of any kind of chain.
macro_rules! on_chain {
    ($chained:expr, $cursor:ident => $body:expr) => {
        match $chained {
            Chained::IoVec(UserCursor { cursor: $cursor, .. }) => $body,
            Chained::KVec($cursor) => $body,
            Chained::Shared($cursor) => $body,
            Chained::BVec($cursor) => $body,
        }
    };
}

impl<'a, D: Direction, H: Host> Chained<'a, D, H> {
    pub(super) const fn user(&self) -> Option<&ChainUser<'a, H>> {
        match self {
            Self::IoVec(user) => Some(user),
            Self::KVec(_) | Self::Shared(_) | Self::BVec(_) => None,
        }
    }

    pub(super) fn remaining(&self) -> usize {
        on_chain!(self, cursor => cursor.remaining())
    }

    /// How many of the next `len` bytes are there.
    pub(super) fn there(&self, len: usize) -> usize {
        on_chain!(self, cursor => cursor.span(0, len, usize::MAX))
    }

    /// As [`Cursor::advance_apart`].
    #[inline(always)]
    pub(super) fn advance_apart(&mut self, n: usize) -> usize {
        match self {
            Self::IoVec(inner) => inner.advance_apart(n),
            Self::KVec(cursor) => cursor.advance_apart(n),
            Self::Shared(cursor) => cursor.advance_apart(n),
            Self::BVec(cursor) => cursor.advance_apart(n),
        }
    }

    pub(super) fn restore(&mut self, then: &Self) -> Result<(), Error> {
        match (self, then) {
            (Self::IoVec(now), Self::IoVec(then)) => now.cursor.restore(&then.cursor),
            (Self::KVec(now), Self::KVec(then)) => now.restore(then),
            (Self::Shared(now), Self::Shared(then)) => now.restore(then),
            (Self::BVec(now), Self::BVec(then)) => now.restore(then),
            (Self::IoVec(_) | Self::KVec(_) | Self::Shared(_) | Self::BVec(_), _) => {
                Err(Error::ForeignState)
            }
        }
    }

    /// As [`IovIter::walk_with`].
    // Never in line: together with the other kinds the loops would save more registers than each needs.
    #[inline(never)]
    pub(super) fn walk_with<S: ?Sized, E: Extent>(
        &mut self,
        extent: E,
        state: &mut S,
        user: &mut impl FnMut(&mut S, UserPiece<'_, H::User, D>, E) -> usize,
        exclusive: &mut impl FnMut(&mut S, Piece<'_, D, Exclusive>, E) -> usize,
        shared: &mut impl FnMut(&mut S, Piece<'_, D>, E) -> usize,
    ) -> usize {
        match self {
            Self::IoVec(inner) => inner.walk_with(extent, |piece, part| user(state, piece, part)),
            Self::KVec(cursor) => {
                cursor.walk_pieces(extent, |piece, part| exclusive(state, piece, part))
            }
            Self::Shared(cursor) => {
                cursor.walk_pieces(extent, |piece, part| shared(state, piece, part))
            }
            Self::BVec(cursor) => {
                cursor.walk_pages(extent, |piece, part| shared(state, piece, part))
            }
        }
    }
}

impl<D: Direction, H: Host> fmt::Debug for Chained<'_, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        on_chain!(self, cursor => cursor.fmt(f))
    }
}

impl<D: Direction, H: Host> Clone for Chained<'_, D, H> {
    fn clone(&self) -> Self {
        match self {
            Self::IoVec(inner) => Self::IoVec(inner.clone()),
            Self::KVec(cursor) => Self::KVec(*cursor),
            Self::Shared(cursor) => Self::Shared(*cursor),
            Self::BVec(cursor) => Self::BVec(*cursor),
        }
    }
}

/// # Chains
///
/// The host must [have](Host::CHAINS) chains, or it does not compile. `count` is the number of bytes that the
/// iterator has; they may be appended to the chain later. Where the chain ends before, copies and moves
/// are short, all-or-nothing operations fail with [`Error::Exhausted`], and both may be tried again.
impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Iterates over `count` bytes of user memory in a chain.
    ///
    /// Addresses are checked when they are used, as for [`iovec`](Self::iovec).
    #[must_use]
    pub fn iovec_chain(memory: H::User, chain: Chain<'a, IoVec>, count: usize) -> Self {
        Self::Chain(Chained::IoVec(UserCursor::new(memory, cursor(chain, count))))
    }

    /// Iterates over `count` bytes of addressable memory in a chain.
    ///
    /// ```
    /// use iov_iter::{Dest, IovIter, KVec, host::SharedOnly, segment::{Chain, ChainNode}};
    ///
    /// let (mut header, mut body) = ([0; 3], [0; 5]);
    /// let lists = ([KVec::from(&mut header)], [KVec::empty(), KVec::from(&mut body)]);
    /// let mut nodes = [ChainNode::new(&lists.0), ChainNode::new(&[]), ChainNode::new(&lists.1)];
    /// let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    /// let mut iter = IovIter::<Dest, SharedOnly>::kvec_chain(chain, 8);
    /// assert_eq!(iter.copy_to_iter(b"headbody"), 8);
    /// iter.revert(6).unwrap();
    /// assert_eq!(iter.copy_to_iter(b"AD"), 2);
    /// assert_eq!((&header, &body), (b"heA", b"Dbody"));
    /// ```
    #[must_use]
    pub fn kvec_chain(chain: Chain<'a, KVec<'a, D>>, count: usize) -> Self {
        Self::Chain(Chained::KVec(cursor(chain, count)))
    }

    /// Iterates over `count` bytes of memory that others may write in a chain.
    #[must_use]
    pub fn shared_chain(chain: Chain<'a, SharedVec<'a, D>>, count: usize) -> Self {
        Self::Chain(Chained::Shared(cursor(chain, count)))
    }

    /// Iterates over `count` bytes of pages in a chain.
    #[must_use]
    #[doc(alias = "iov_iter_bvec_queue")]
    #[doc(alias = "iov_iter_folio_queue")]
    pub fn bvec_chain(chain: Chain<'a, BioVec<H::Page>>, count: usize) -> Self {
        Self::Chain(Chained::BVec(cursor(chain, count)))
    }
}

/// A cursor over `count` bytes, which may be still to come.
fn cursor<'a, S: crate::Segment, H: Host>(
    chain: Chain<'a, S>,
    count: usize,
) -> ChainCursor<'a, S, H> {
    Cursor::known(HostChain::new(chain), crate::Position::default(), count)
}
