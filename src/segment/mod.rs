//! Segments, and the lists of them that a cursor walks.
//!
//! | Kind | Describes | C layout |
//! |---|---|---|
//! | [`KVec`] | addressable memory, borrowed | `struct kvec`, `struct iovec` |
//! | [`SharedVec`] | addressable memory that others may write | `struct iovec` |
//! | [`IoVec`] | a range of somebody else's address space | `struct iovec` |
//! | [`BioVec`] | bytes in a run of pages | `struct bio_vec` |
//! | [`Discarded`] | nothing: data written to it vanishes | – |
//!
//! A list is a slice of segments, a single segment held by value, a [`Uniform`] list, whose segments are
//! known to be equally long, or a [`Chain`] of nodes with segments, which may grow while it is walked.

mod biovec;
mod chain;
mod iovec;
mod kept;
mod memvec;
mod shared;
mod uniform;

pub use biovec::BioVec;
#[doc(hidden)]
pub use chain::ChainPlace;
pub(crate) use chain::ChainSlices;
pub use chain::{Chain, ChainNode, ChainSlots, ChainTail, HostChain};
pub use iovec::IoVec;
pub use kept::{KernelList, SharedList};
pub use memvec::{KVec, MemVec, as_pieces};
pub use shared::SharedVec;
pub use uniform::Uniform;

use crate::direction::{Dest, Direction};

/// The most segments that one system call takes, or that are imported at once: 1024 on Linux.
#[doc(alias = "UIO_MAXIOV")]
#[doc(alias = "IOV_MAX")]
pub const MAX_SEGMENTS: usize = 1024;

mod exists {
    /// Whether there can be a segment. Nobody else can name this type, so nobody else can override the
    /// constant.
    #[derive(Clone, Copy, Debug)]
    pub struct Exists(pub(crate) bool);

    impl Exists {
        /// Whether there is a value of type `T`.
        pub(crate) const fn of<T>() -> Self {
            // Only `None` needs no byte to be told from what else there is.
            Self(size_of::<Option<T>>() > 0)
        }
    }
}
pub(crate) use exists::Exists;

/// One run of bytes in a segment list.
///
/// A [`Cursor`](crate::Cursor) walks a slice of any type that implements this trait. An
/// [`IovIter`](crate::IovIter) walks the segments of this crate only, because it knows how to copy them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a segment",
    note = "implement `Segment` for it, and walk a slice of it with a `Cursor`"
)]
pub trait Segment {
    /// Whether there can be such a segment at all. A host without pages has no segments of pages,
    /// and no machine code for walking them.
    #[doc(hidden)]
    const EXISTS: Exists = Exists(true);

    /// The length in bytes. It must not change while a cursor borrows the segment.
    fn len(&self) -> usize;

    /// Whether the segment has no bytes. Empty segments are invisible to every operation.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number whose low bits say how the first byte is aligned: an address, or for pages the
    /// offset in the first of them.
    fn address(&self) -> usize;
}

/// A place in a segment list: a byte of one segment, or the end of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// Index of the segment.
    pub index: usize,
    /// Bytes of that segment before the place; less than its length, or 0.
    pub offset: usize,
}

impl Position {
    /// The place of the byte `offset` of the segment `index`.
    #[inline]
    #[must_use]
    pub const fn new(index: usize, offset: usize) -> Self {
        Self { index, offset }
    }
}

mod sealed {
    /// Which lists there are is chosen by the crate.
    pub trait Sealed {}
    impl<S> Sealed for &[S] {}
    impl<S> Sealed for super::Single<S> {}
    impl<S> Sealed for super::Uniform<'_, S> {}
    impl<D: super::Direction, H> Sealed for super::SharedList<'_, D, H> {}
    impl<D: super::Direction> Sealed for super::KernelList<'_, D> {}
    impl<S> Sealed for super::Chain<'_, S> {}
    impl<S, H> Sealed for super::HostChain<'_, S, H> {}
}

/// A list of segments: a small handle that is copied into every cursor over the list.
///
/// A list is a slice of segments, of any type that implements [`Segment`], a [`Uniform`] list, a [`Chain`], or
/// one of those that iterators are made of, [`Single`], [`KernelList`], [`SharedList`] and [`HostChain`]. No
/// other type can be one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of segments",
    note = "a list is a slice `&[S]` with `S: Segment`, a `Uniform`, a `Chain`, a `Single` or a `SharedList`"
)]
pub trait Segments: Copy + sealed::Sealed {
    /// The kind of the segments.
    type Segment: Segment;

    /// Whether there can be such a list at all; see [`Segment::EXISTS`].
    #[doc(hidden)]
    const EXISTS: bool = <Self::Segment as Segment>::EXISTS.0;

    /// Which slice of segments is meant, if a list has several; its default is the first one.
    #[doc(hidden)]
    type Node: Copy + Default;

    /// Whether there can be several slices, and more of them later. A place is then known by its node and
    /// the index in its slice; what takes places without a node is not called.
    #[doc(hidden)]
    const CHAINED: bool = false;

    /// All segments, from the first one on; of a [`Chain`] those of its first node.
    fn as_slice(&self) -> &[Self::Segment];

    /// The segments of a node.
    #[doc(hidden)]
    #[inline]
    fn segments_at(&self, _node: Self::Node) -> &[Self::Segment] {
        self.as_slice()
    }

    /// Where the list goes on after the first `seen` segments of a node: a node, and an index in it.
    #[doc(hidden)]
    #[inline]
    fn after(&self, _node: Self::Node, _seen: usize) -> Option<(Self::Node, usize)> {
        None
    }

    /// The node before.
    #[doc(hidden)]
    #[inline]
    fn before(&self, _node: Self::Node) -> Option<Self::Node> {
        None
    }

    /// The number of segments in the nodes before.
    #[doc(hidden)]
    #[inline]
    fn index_of(&self, _node: Self::Node) -> usize {
        0
    }

    /// The place `n` bytes after `from`, past all empty segments there; the end of the list if
    /// `n` is too far.
    fn forward(&self, from: Position, n: usize) -> Position {
        let segments = self.as_slice();
        let end = Position { index: segments.len(), offset: 0 };
        let Some(first) = segments.get(from.index) else { return end };
        // Many short moves in one segment wait for nothing but the offset. It never exceeds the length.
        let here = first.len().wrapping_sub(from.offset);
        if n < here {
            return Position { index: from.index, offset: from.offset.wrapping_add(n) };
        }
        let next = from.index.wrapping_add(1);
        // Most lists have one segment.
        if next == segments.len() {
            return end;
        }
        let mut left = n.wrapping_sub(here);
        let Some(others) = segments.get(next..) else { return end };
        // The index follows from the segments left, so the loop counts nothing else.
        let mut rest = others.iter();
        while let Some(segment) = rest.next() {
            let len = segment.len();
            if left < len {
                let index = segments.len().wrapping_sub(rest.len()).wrapping_sub(1);
                return Position { index, offset: left };
            }
            left = left.wrapping_sub(len);
        }
        end
    }

    /// The place `n` bytes before `from`; `None` if that is before the first segment.
    fn back(&self, from: Position, n: usize) -> Option<Position> {
        if let Some(offset) = from.offset.checked_sub(n) {
            return Some(Position { index: from.index, offset });
        }
        let mut left = n.wrapping_sub(from.offset);
        let passed = self.as_slice().get(..from.index)?;
        for (index, segment) in passed.iter().enumerate().rev() {
            let len = segment.len();
            match len.checked_sub(left) {
                Some(offset) => return Some(Position { index, offset }),
                None => left = left.wrapping_sub(len),
            }
        }
        None
    }

    /// The bytes of all segments together; `usize::MAX` if there are more.
    #[doc(alias = "iov_length")]
    fn total(&self) -> usize {
        if !Self::EXISTS {
            return 0;
        }
        let segments = self.as_slice();
        let (mut total, mut bits) = (0usize, 0);
        for segment in segments {
            total = total.wrapping_add(segment.len());
            bits |= segment.len();
        }
        // So many lengths of so few bits do not overflow. A test at each would cost more than the sum.
        if bits.leading_zeros().saturating_add(segments.len().leading_zeros()) >= usize::BITS {
            return total;
        }
        segments.iter().fold(0, |total, segment| total.saturating_add(segment.len()))
    }

    /// Whether the segments have `count` bytes or more together.
    #[doc(hidden)]
    #[inline]
    fn holds(&self, count: usize) -> bool {
        // Lengths are added without regard to overflow. A sum that wrapped is less than the true one,
        // so that a "yes" is right; a "no" is looked at again.
        let segments = self.as_slice();
        // Most lists have one segment.
        if segments.first().is_some_and(|segment| segment.len() >= count) {
            return true;
        }
        let mut left = count;
        let mut chunks = segments.chunks_exact(8);
        for chunk in &mut chunks {
            let sum = chunk.iter().fold(0usize, |sum, segment| sum.wrapping_add(segment.len()));
            if sum >= left {
                return true;
            }
            left = left.wrapping_sub(sum);
        }
        for segment in chunks.remainder() {
            match left.checked_sub(segment.len()) {
                Some(rest) => left = rest,
                None => return true,
            }
        }
        left == 0 || self.holds_surely(count)
    }

    /// As [`holds`](Self::holds), for lengths whose sum may overflow.
    #[doc(hidden)]
    #[cold]
    fn holds_surely(&self, count: usize) -> bool {
        self.total() >= count
    }

    /// Whether `other` is this very list, not only an equal one.
    fn is_same(&self, other: &Self) -> bool;
}

impl<S: Segment> Segments for &[S] {
    type Segment = S;
    type Node = ();

    #[inline]
    fn as_slice(&self) -> &[S] {
        self
    }

    fn is_same(&self, other: &Self) -> bool {
        core::ptr::eq(*self, *other)
    }
}

/// A list of one segment, held by value.
#[derive(Clone, Copy, Debug)]
pub struct Single<S>(pub(crate) S);

impl<S: Segment + Copy + PartialEq> Segments for Single<S> {
    type Segment = S;
    type Node = ();

    #[inline]
    fn as_slice(&self) -> &[S] {
        core::slice::from_ref(&self.0)
    }

    fn forward(&self, from: Position, n: usize) -> Position {
        // An offset never exceeds the length.
        if from.index == 0 && n < self.0.len().wrapping_sub(from.offset) {
            return Position { index: 0, offset: from.offset.wrapping_add(n) };
        }
        Position { index: 1, offset: 0 }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A segment without memory: what is written to it vanishes. Only a destination can have one.
#[derive(Debug)]
pub struct Discarded<D: Direction> {
    len: usize,
    _allowed: D::Discardable,
}

impl<D: Direction> Clone for Discarded<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Direction> Copy for Discarded<D> {}

impl Discarded<Dest> {
    /// A hole that swallows `len` bytes.
    #[must_use]
    pub const fn new(len: usize) -> Self {
        Self { len, _allowed: () }
    }
}

impl<D: Direction> PartialEq for Discarded<D> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
    }
}

impl<D: Direction> Segment for Discarded<D> {
    const EXISTS: Exists = Exists::of::<D::Discardable>();

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn address(&self) -> usize {
        0
    }
}
