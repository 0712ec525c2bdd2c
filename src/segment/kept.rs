//! Lists of addressable memory that an iterator keeps: a borrowed slice, or one segment by value.

use core::fmt;
use core::marker::PhantomData;

use super::{KVec, MemVec, Segments, SharedVec};
use crate::direction::{Direction, Source};
use crate::host::Host;
use crate::memory::{Access, Exclusive, Piece, Shared};

/// The segments of a list.
enum Kept<'a, D: Direction, A: Access> {
    Slice(&'a [MemVec<'a, D, A>]),
    One(One<'a, D, A>),
}

/// One segment, copied with its list.
///
/// The copies of an exclusive destination stay on one thread: [`Kept`] also holds a reference to such a
/// segment, and so is neither `Send` nor `Sync`.
struct One<'a, D: Direction, A: Access>(Piece<'a, D, A>);

// SAFETY: the piece was made of a segment that may go to any thread, and copies of that are allowed.
unsafe impl Send for One<'_, Source, Exclusive> {}
// SAFETY: as above.
unsafe impl Sync for One<'_, Source, Exclusive> {}
// SAFETY: as above.
unsafe impl<D: Direction> Send for One<'_, D, Shared> {}
// SAFETY: as above.
unsafe impl<D: Direction> Sync for One<'_, D, Shared> {}

impl<D: Direction, A: Access> Clone for One<'_, D, A> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction, A: Access> Copy for One<'_, D, A> {}

impl<D: Direction, A: Access> Clone for Kept<'_, D, A> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction, A: Access> Copy for Kept<'_, D, A> {}

impl<'a, D: Direction, A: Access> Kept<'a, D, A> {
    #[inline]
    const fn as_slice(&self) -> &[MemVec<'a, D, A>] {
        match self {
            Self::Slice(segments) => segments,
            // SAFETY: the piece was made of a segment, a segment is a piece (`repr(transparent)`), and the
            // copies of an exclusive destination stay on one thread.
            Self::One(One(piece)) => unsafe {
                core::slice::from_raw_parts(core::ptr::from_ref(piece).cast(), 1)
            },
        }
    }

    #[inline]
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Slice(here), Self::Slice(there)) => core::ptr::eq(*here, *there),
            (Self::One(One(here)), Self::One(One(there))) => {
                here.as_ptr() == there.as_ptr() && here.len() == there.len()
            }
            (Self::Slice(_), Self::One(_)) | (Self::One(_), Self::Slice(_)) => false,
        }
    }
}

/// Borrowed memory of an [`IovIter`](crate::IovIter): a slice of segments, or one segment by value.
pub struct KernelList<'a, D: Direction>(Kept<'a, D, Exclusive>);

impl<'a, D: Direction> KernelList<'a, D> {
    /// A list of `segments`.
    #[inline]
    pub(crate) const fn new(segments: &'a [KVec<'a, D>]) -> Self {
        Self(Kept::Slice(segments))
    }

    /// A list of one segment.
    #[inline]
    pub(crate) const fn one(segment: KVec<'a, D>) -> Self {
        Self(Kept::One(One(segment.into_piece())))
    }
}

impl<D: Direction> Clone for KernelList<'_, D> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction> Copy for KernelList<'_, D> {}

impl<D: Direction> fmt::Debug for KernelList<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KernelList").field(&self.0.as_slice()).finish()
    }
}

impl<'a, D: Direction> Segments for KernelList<'a, D> {
    type Segment = KVec<'a, D>;
    type Node = ();

    #[inline]
    fn as_slice(&self) -> &[KVec<'a, D>] {
        self.0.as_slice()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

/// Shared memory of an [`IovIter`](crate::IovIter) of a host that [has it](Host::SHARED): a slice of
/// segments, or one segment by value.
///
/// For a host without shared memory there is no such list, and no machine code for walking it.
pub struct SharedList<'a, D: Direction, H> {
    segments: Kept<'a, D, Shared>,
    _host: PhantomData<fn() -> H>,
}

impl<'a, D: Direction, H: Host> SharedList<'a, D, H> {
    /// A list of `segments`. A host without shared memory does not compile.
    #[inline]
    pub(crate) const fn new(segments: &'a [SharedVec<'a, D>]) -> Self {
        Self::kept(Kept::Slice(segments))
    }

    /// A list of one segment. A host without shared memory does not compile.
    #[inline]
    pub(crate) const fn one(segment: SharedVec<'a, D>) -> Self {
        Self::kept(Kept::One(One(segment.into_piece())))
    }

    const fn kept(segments: Kept<'a, D, Shared>) -> Self {
        const { assert!(H::SHARED, "this host has no shared memory: see `Host::SHARED`") }
        Self { segments, _host: PhantomData }
    }

    /// A list for a host that has other segments of this kind, if any.
    pub(crate) const fn of_same_host(segments: &'a [SharedVec<'a, D>]) -> Self {
        Self { segments: Kept::Slice(segments), _host: PhantomData }
    }

    /// The same list for another host, which has shared memory too.
    pub(crate) const fn with_host<G: Host>(self) -> SharedList<'a, D, G> {
        SharedList::kept(self.segments)
    }
}

impl<D: Direction, H> Clone for SharedList<'_, D, H> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction, H> Copy for SharedList<'_, D, H> {}

impl<D: Direction, H> fmt::Debug for SharedList<'_, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedList").field(&self.segments.as_slice()).finish()
    }
}

impl<'a, D: Direction, H: Host> Segments for SharedList<'a, D, H> {
    type Segment = SharedVec<'a, D>;
    type Node = ();

    const EXISTS: bool = H::SHARED;

    #[inline]
    fn as_slice(&self) -> &[SharedVec<'a, D>] {
        self.segments.as_slice()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.segments.is_same(&other.segments)
    }
}
