//! [`IovIter`]: one iterator over every kind of segment.

#[cfg(feature = "bytes")]
mod buf;
mod chain;
mod checksum;
mod chunks;
mod copy;
mod dup;
#[cfg(feature = "embedded-io-v0.7")]
mod embedded_io;
mod extensible;
mod extract;
mod fault;
mod from;
mod import;
mod integer;
mod lookup;
#[cfg(feature = "zerocopy-v0.8")]
mod object;
mod page_copy;
mod pages;
mod position;
mod query;
mod scatter;
mod send_recv;
#[cfg(feature = "std")]
mod std_io;
mod transfer;
mod user;
mod walk;

#[cfg(feature = "bytes")]
pub use buf::SpaceMut;
pub use chain::Chained;
pub use checksum::Checksum;
pub use chunks::Chunks;
pub use dup::DupStorage;
pub use extract::PageSegment;
pub use import::Abi;
pub use integer::Integer;
pub use lookup::{FoundPages, LookupCursor, PageLookup};
pub use pages::{HeldPage, PageRange, Retention};
pub use position::State;
pub use query::Kind;
pub use scatter::ScatterEntry;
pub use send_recv::TransferError;
pub use transfer::copy_iter_to_iter;
pub use user::{UserCursor, UserPiece};
pub use walk::{Chunk, Interrupted};

use core::fmt;

use crate::cursor::Cursor;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{Host, KernelOnly};
use crate::memory::{Exclusive, Extent, Piece};
use crate::segment::{
    BioVec, Discarded, IoVec, KVec, KernelList, SharedList, SharedVec, Single, Uniform,
};

/// A cursor over a list of memory segments; every copy consumes the bytes it moved.
///
/// Data flows out of a [`Source`] and into a [`Dest`]; the other way does not compile. `H` is the
/// [`Host`] that provides user memory and pages; without one, segments of addressable memory
/// ([`KVec`]) and, for a destination, [discarding](Self::discard) remain.
///
/// Copies return the number of bytes that moved. It is less than asked only if the bytes ran out
/// or a fault stopped the copy; the iterator then points at the first byte that did not move. Its name
/// in the kernel is `struct iov_iter`.
///
/// ```text
///                 IovIter<'a, D, H>
///   ┌─────────┬───────┬───────┬────────┬────────────────┬─────────┐
///   │ UserBuf │ IoVec │ KVec  │ Shared │ BVec / Uniform │ Discard │   kind, or a Chain of such lists
///   ├─────────┴───────┼───────┼────────┼────────────────┼─────────┤
///   │     H::User     │       │        │    H::Page     │    –    │   asked of the host
///   ├─────────────────┼───────┼────────┴────────────────┼─────────┤
///   │  of the host    │ plain │         defined         │    –    │   copies
///   ├─────────────────┴───────┴─────────────────────────┴─────────┤
///   │                           Cursor                            │   the engine
///   └─────────────────────────────────────────────────────────────┘
/// ```
///
/// | | returns the bytes copied | all or nothing | into uninitialised memory |
/// |---|---|---|---|
/// | buffer to [`Dest`] | [`copy_to_iter`](IovIter::copy_to_iter) | [`copy_to_iter_full`](IovIter::copy_to_iter_full) | – |
/// | [`Source`] to buffer | [`copy_from_iter`](IovIter::copy_from_iter) | [`copy_from_iter_full`](IovIter::copy_from_iter_full) | [`copy_from_iter_raw`](IovIter::copy_from_iter_raw) |
/// | iterator to iterator | [`copy_iter_to_iter`] | – | – |
///
/// An iterator is made by `From`, of segments (an array, a slice or a `Vec` of [`KVec`] or [`SharedVec`]),
/// of one segment, of bytes, or of a [`View`](crate::iov::View). The host follows from what it is made of.
/// [`with_host`](IovIter::with_host) names another one, and the functions named after a kind take what only
/// a host has.
///
/// ```
/// use iov_iter::{IovIterDest, IovIterSource, KVec};
///
/// let (mut header, mut body) = ([0; 4], [0; 8]);
/// let segments = [KVec::from(&mut header), KVec::from(&mut body)];
/// let mut iter = IovIterDest::from(&segments);
///
/// assert_eq!(iter.copy_to_iter(b"headbo"), 6);
/// assert_eq!(iter.remaining(), 6);
/// iter.revert(1).unwrap();
/// assert_eq!(iter.copy_to_iter(b"ody and more"), 7);
/// assert_eq!((&header, &body), (b"head", b"body and"));
///
/// // A single buffer needs no list of segments.
/// assert_eq!(IovIterSource::from(&body).read_be(), Ok(0x626f_6479_u32));
/// ```
#[doc(alias = "iov_iter")]
#[doc(alias = "vringh_iov")]
#[doc(alias = "vringh_kiov")]
#[non_exhaustive]
pub enum IovIter<'a, D: Direction, H: Host = KernelOnly> {
    // The first is told from the others by the fewest compares.
    /// Addressable memory, borrowed.
    #[doc(alias = "ITER_KVEC")]
    KVec(Cursor<KernelList<'a, D>>),
    /// Ranges of user memory.
    #[doc(alias = "ITER_IOVEC")]
    IoVec(UserCursor<H::User, &'a [IoVec]>),
    /// One range of user memory.
    #[doc(alias = "ITER_UBUF")]
    UserBuf(UserCursor<H::User, Single<IoVec>>),
    /// Addressable memory that others may write.
    Shared(Cursor<SharedList<'a, D, H>>),
    /// Pages.
    #[doc(alias = "ITER_BVEC")]
    BVec(Cursor<&'a [BioVec<H::Page>]>),
    /// Pages in segments that are known to be equally long.
    Uniform(Cursor<Uniform<'a, BioVec<H::Page>>>),
    /// Nothing: data vanishes.
    #[doc(alias = "ITER_DISCARD")]
    #[doc(alias = "iterate_discard")]
    Discard(Cursor<Single<Discarded<D>>>),
    /// A chain of nodes with segments of one of these kinds.
    #[doc(alias = "ITER_BVECQ")]
    #[doc(alias = "ITER_FOLIOQ")]
    #[doc(alias = "iterate_bvecq")]
    #[doc(alias = "iterate_folioq")]
    Chain(Chained<'a, D, H>),
    /// Pages that are looked up by their position in a file.
    #[doc(alias = "ITER_XARRAY")]
    #[doc(alias = "iterate_xarray")]
    Lookup(LookupCursor<'a, H::Page>),
}

/// An [`IovIter`] that data flows out of.
pub type IovIterSource<'a, H = KernelOnly> = IovIter<'a, Source, H>;

/// An [`IovIter`] that data flows into.
pub type IovIterDest<'a, H = KernelOnly> = IovIter<'a, Dest, H>;

/// Evaluates an expression on the cursor of any kind.
macro_rules! on_cursor {
    ($iter:expr, $cursor:ident => $body:expr) => {
        match $iter {
            IovIter::UserBuf(UserCursor { cursor: $cursor, .. }) => $body,
            IovIter::IoVec(UserCursor { cursor: $cursor, .. }) => $body,
            IovIter::KVec($cursor) => $body,
            IovIter::Shared($cursor) => $body,
            IovIter::BVec($cursor) => $body,
            IovIter::Uniform($cursor) => $body,
            IovIter::Discard($cursor) => $body,
            IovIter::Chain(Chained::IoVec(UserCursor { cursor: $cursor, .. })) => $body,
            IovIter::Chain(Chained::KVec($cursor)) => $body,
            IovIter::Chain(Chained::Shared($cursor)) => $body,
            IovIter::Chain(Chained::BVec($cursor)) => $body,
            IovIter::Lookup($cursor) => $body,
        }
    };
}
use on_cursor;

/// A step of [`IovIter::walk_with`] for exclusive memory, and the same for shared memory.
macro_rules! for_both {
    (|$state:pat_param, $piece:pat_param, $part:pat_param| $body:expr) => {
        (|$state, $piece, $part| $body, |$state, $piece, $part| $body)
    };
}
use for_both;

/// # Construction
///
/// A count that is larger than the segments is refused. `IovIter::from(Cursor::clamped(segments, count))`
/// cuts it to what the segments hold.
impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Iterates over `count` bytes of addressable memory.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    ///
    /// ```
    /// # use iov_iter::{Error, IovIter, KVec, Source};
    /// let segments = [KVec::from(b"abcd")];
    /// assert_eq!(IovIter::<Source>::kvec(&segments, 2).unwrap().remaining(), 2);
    /// assert_eq!(IovIter::<Source>::kvec(&segments, 5).unwrap_err(), Error::CountExceedsSegments);
    /// ```
    #[inline]
    #[doc(alias = "iov_iter_kvec")]
    pub fn kvec(segments: &'a [KVec<'a, D>], count: usize) -> Result<Self, Error> {
        Cursor::with_count(KernelList::new(segments), count).map(Self::KVec)
    }

    /// Iterates over `count` bytes of memory that others may write.
    ///
    /// The host must [have](Host::SHARED) such memory, or it does not compile.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    ///
    /// ```
    /// use std::sync::atomic::AtomicU8;
    /// use iov_iter::{Dest, IovIter, SharedVec, host::SharedOnly};
    ///
    /// let ring: [AtomicU8; 8] = Default::default();
    /// let segments = [SharedVec::from(&ring[..4]), SharedVec::from(&ring[6..])];
    /// let mut iter = IovIter::<Dest, SharedOnly>::shared(&segments, 5).unwrap();
    /// assert_eq!(iter.copy_to_iter(b"guests"), 5);
    /// assert_eq!(ring.map(AtomicU8::into_inner), *b"gues\0\0t\0");
    /// ```
    #[inline]
    pub fn shared(segments: &'a [SharedVec<'a, D>], count: usize) -> Result<Self, Error> {
        Cursor::with_count(SharedList::new(segments), count).map(Self::Shared)
    }

    /// Iterates over `count` bytes of pages.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    #[inline]
    #[doc(alias = "iov_iter_bvec")]
    pub fn bvec(segments: &'a [BioVec<H::Page>], count: usize) -> Result<Self, Error> {
        Cursor::with_count(segments, count).map(Self::BVec)
    }

    /// Iterates over `count` bytes of pages in segments that are known to be equally long, so that
    /// moving by any distance takes constant time.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    #[inline]
    pub fn uniform(segments: Uniform<'a, BioVec<H::Page>>, count: usize) -> Result<Self, Error> {
        Cursor::with_count(segments, count).map(Self::Uniform)
    }

    /// Iterates over `count` bytes of user memory.
    ///
    /// Addresses are checked when they are used, not here; [`import_iovec`](Self::import_iovec)
    /// is for segments that come from user space themselves.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    #[inline]
    #[doc(alias = "iov_iter_init")]
    pub fn iovec(memory: H::User, segments: &'a [IoVec], count: usize) -> Result<Self, Error> {
        let cursor = Cursor::with_count(segments, count)?;
        Ok(Self::IoVec(UserCursor::new(memory, cursor)))
    }

    /// Iterates over `len` bytes of user memory at `base`.
    ///
    /// Addresses are checked when they are used, not here; see
    /// [`import_ubuf`](Self::import_ubuf).
    #[inline]
    #[must_use]
    #[doc(alias = "iov_iter_ubuf")]
    pub fn ubuf(memory: H::User, base: usize, len: usize) -> Self {
        let cursor = Cursor::new(Single(IoVec::new(base, len)));
        Self::UserBuf(UserCursor::new(memory, cursor))
    }
}

impl<'a, H: Host> IovIter<'a, Dest, H> {
    /// Swallows `count` bytes.
    ///
    /// There is no such source:
    ///
    /// ```compile_fail,E0599
    /// # use iov_iter::{IovIter, Source};
    /// let _ = IovIter::<Source>::discard(1);
    /// ```
    #[inline]
    #[must_use]
    #[doc(alias = "iov_iter_discard")]
    pub fn discard(count: usize) -> Self {
        Self::Discard(Cursor::new(Single(Discarded::new(count))))
    }
}

/// # Walking
impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Calls a step for each contiguous piece of the next `n` bytes and advances by what the steps handled.
    ///
    /// Every copy is built on this, and so can be a DMA mapping, a hash or a cipher. `n` is cut to
    /// [`remaining`](Self::remaining). Pieces of user memory go to `user`, addressable ones to
    /// `kernel`; pages are handed over one at a time, or a run of them at once if it is
    /// [mapped as a whole](crate::Page::CONTIGUOUS), mapped for the call. Both steps share `state`;
    /// their last argument is the number of bytes handled so far, their result the number handled
    /// now, and fewer than the piece ends the walk there. So does a piece outside the user's part of the
    /// address space, which is not handed over. Pieces are never empty, and a
    /// [discarding](Self::discard) iterator moves without any.
    ///
    /// Returns the bytes handled in all.
    ///
    /// ```
    /// use iov_iter::{IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"ab"), KVec::from(b"cde")];
    /// let mut iter = IovIterSource::from(&segments);
    /// let mut lengths = vec![];
    /// let handled = iter.iterate_and_advance(
    ///     4,
    ///     &mut lengths,
    ///     |_, _user, _progress| unreachable!("this host has no user memory"),
    ///     |lengths, piece, progress| {
    ///         lengths.push((progress, piece.len()));
    ///         piece.len()
    ///     },
    /// );
    /// assert_eq!((handled, iter.remaining()), (4, 1));
    /// assert_eq!(lengths, [(0, 2), (2, 2)]);
    /// ```
    #[inline]
    #[doc(alias = "iterate_and_advance2")]
    #[doc(alias = "iov_step_f")]
    #[doc(alias = "iov_ustep_f")]
    #[doc(alias = "iterate_and_advance_kernel")]
    pub fn iterate_and_advance<S: ?Sized>(
        &mut self,
        n: usize,
        state: &mut S,
        mut user: impl FnMut(&mut S, UserPiece<'_, H::User, D>, usize) -> usize,
        kernel: impl FnMut(&mut S, Piece<'_, D>, usize) -> usize,
    ) -> usize {
        self.walk_with(
            0..n,
            &mut (state, kernel),
            |(state, _), piece, part| match piece.len() {
                0 => 0,
                _ => user(state, piece, part.start),
            },
            for_both!(|(state, kernel), piece, part| match piece.len() {
                0 => 0,
                _ => kernel(state, piece.into_shared(), part.start),
            }),
        )
    }

    /// Calls a step for each piece of the next bytes, with the part of `extent` that corresponds to it.
    ///
    /// Like [`iterate_and_advance`](Self::iterate_and_advance), but the steps get empty pieces as well, and
    /// exclusive and shared memory have a step each: [`for_both!`] makes both of one text.
    #[inline(always)]
    fn walk_with<S: ?Sized, E: Extent>(
        &mut self,
        extent: E,
        state: &mut S,
        mut user: impl FnMut(&mut S, UserPiece<'_, H::User, D>, E) -> usize,
        (mut exclusive, mut shared): (
            impl FnMut(&mut S, Piece<'_, D, Exclusive>, E) -> usize,
            impl FnMut(&mut S, Piece<'_, D>, E) -> usize,
        ),
    ) -> usize {
        match self {
            Self::UserBuf(inner) => inner.walk_with(extent, |piece, part| user(state, piece, part)),
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
            Self::Uniform(cursor) => {
                cursor.walk_pages(extent, |piece, part| shared(state, piece, part))
            }
            Self::Discard(cursor) => cursor.advance(extent.len()),
            Self::Chain(_) if !H::CHAINS => 0,
            Self::Chain(chained) => {
                chained.walk_with(extent, state, &mut user, &mut exclusive, &mut shared)
            }
            Self::Lookup(cursor) => {
                cursor.walk_pages(extent, |piece, part| shared(state, piece, part))
            }
        }
    }

    /// As [`iterate_and_advance`](Self::iterate_and_advance), but the iterator stays where it is.
    #[inline]
    #[doc(alias = "iterate_all_kinds")]
    pub fn iterate<S: ?Sized>(
        &self,
        n: usize,
        state: &mut S,
        user: impl FnMut(&mut S, UserPiece<'_, H::User, D>, usize) -> usize,
        kernel: impl FnMut(&mut S, Piece<'_, D>, usize) -> usize,
    ) -> usize {
        self.clone().iterate_and_advance(n, state, user, kernel)
    }

    /// Runs an operation on `len` bytes; if it does not handle all, the iterator stands again where
    /// it stood.
    #[inline]
    fn all_or_nothing(
        &mut self,
        len: usize,
        operation: impl FnOnce(&mut Self) -> usize,
    ) -> Result<(), Error> {
        if !on_cursor!(self, cursor => cursor.has(len)) {
            return Err(Error::Exhausted);
        }
        let moved = operation(self);
        if moved < len {
            // Over the bytes that it has just passed.
            let _ = self.revert(moved);
            return Err(Error::Fault);
        }
        Ok(())
    }
}

// Two iterators may write the same destination, but not from two threads.
static_assertions::assert_impl_all!(IovIter<'static, Source>: Send, Sync);
static_assertions::assert_not_impl_any!(IovIter<'static, Dest>: Send, Sync);

/// An iterator may be taken for one over segments that live shorter.
const _: () = {
    const fn _shortened<'s, D: Direction, H: Host>(
        iter: &'s IovIter<'static, D, H>,
    ) -> &'s IovIter<'s, D, H> {
        iter
    }
};

impl<D: Direction, H: Host> Clone for IovIter<'_, D, H> {
    /// An independent iterator over the same segments, standing at the same byte.
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::UserBuf(inner) => Self::UserBuf(inner.clone()),
            Self::IoVec(inner) => Self::IoVec(inner.clone()),
            Self::KVec(cursor) => Self::KVec(*cursor),
            Self::Shared(cursor) => Self::Shared(*cursor),
            Self::BVec(cursor) => Self::BVec(*cursor),
            Self::Uniform(cursor) => Self::Uniform(*cursor),
            Self::Discard(cursor) => Self::Discard(*cursor),
            Self::Chain(chained) => Self::Chain(chained.clone()),
            Self::Lookup(cursor) => Self::Lookup(*cursor),
        }
    }
}

impl<D: Direction, H: Host> fmt::Debug for IovIter<'_, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (position, segments) = on_cursor!(self, c => (c.position(), c.segment_count()));
        f.debug_struct("IovIter")
            .field("direction", &format_args!("{}", D::NAME))
            .field("kind", &self.kind())
            .field("remaining", &self.remaining())
            .field("segment_count", &segments)
            .field("offset", &position.offset)
            .finish()
    }
}
