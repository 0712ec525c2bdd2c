//! The ranges of the bytes that a cursor has left.

use core::fmt;
use core::iter::Empty;

use super::Cursor;
use crate::direction::Direction;
use crate::host::Host;
use crate::memory::{Access, Extent, Piece};
use crate::segment::{ChainPlace, ChainSlices, HostChain, MemVec, Position, Segment, Segments};

impl<L: Segments> Cursor<L, L::Node> {
    /// The segments from the current one to the end of the list, empty ones included.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &L::Segment> {
        let (first, others) = self.slices();
        first.iter().skip(self.at.index).chain(others.flatten())
    }

    /// The slice of segments that the cursor is in, and those after it.
    fn slices(&self) -> (&[L::Segment], Slices<'_, L>) {
        let first = self.list.segments_at(self.node);
        (first, Slices { list: &self.list, node: self.node, seen: first.len() })
    }

    /// The ranges of the bytes left, segment by segment; none is empty. The cursor stays.
    #[doc(alias = "iov_for_each")]
    #[doc(alias = "for_each_mp_bvec")]
    pub fn ranges(&self) -> impl Iterator<Item = SegmentRange<'_, L::Segment>> {
        let (segments, others) = self.slices();
        Ranges { segments, others, at: self.at, left: self.remaining() }
    }
}

impl<'a, D: Direction, A: Access, L: Segments<Segment = MemVec<'a, D, A>>> Cursor<L, L::Node> {
    /// The pieces left; none is empty.
    pub(crate) fn pieces<'s>(&'s self) -> impl Iterator<Item = Piece<'s, D>>
    where
        'a: 's,
    {
        self.ranges().map(|range| range.segment.piece(range.offset, range.len).into_shared())
    }
}

/// The segments that follow the first `index` ones of `node`, with node and index of the first of them;
/// those of the end of the list if there are none.
#[inline]
pub(super) fn onward<'s, L: Segments>(
    list: &'s L,
    node: &mut L::Node,
    index: &mut usize,
) -> Option<&'s [L::Segment]> {
    loop {
        (*node, *index) = list.after(*node, *index)?;
        if let Some(segments @ [_, ..]) = list.segments_at(*node).get(*index..) {
            return Some(segments);
        }
    }
}

/// The segment that follows the first `index` ones of `node`, with its node, index and slice.
#[inline]
pub(super) fn next_segment<'s, L: Segments>(
    list: &'s L,
    node: &mut L::Node,
    index: &mut usize,
    segments: &mut &'s [L::Segment],
) -> Option<&'s L::Segment> {
    onward(list, node, index)?;
    *segments = list.segments_at(*node);
    segments.get(*index)
}

/// The slices of segments of a list after the first `seen` segments of a node.
pub(super) struct Slices<'s, L: Segments> {
    list: &'s L,
    node: L::Node,
    seen: usize,
}

impl<'s, L: Segments> Iterator for Slices<'s, L> {
    type Item = &'s [L::Segment];

    #[inline]
    fn next(&mut self) -> Option<&'s [L::Segment]> {
        let segments = onward(self.list, &mut self.node, &mut self.seen)?;
        self.seen = self.seen.wrapping_add(segments.len());
        Some(segments)
    }
}

/// A range of the bytes of one segment.
#[non_exhaustive]
pub struct SegmentRange<'s, S> {
    /// The segment.
    pub segment: &'s S,
    /// Bytes of the segment before the range.
    pub offset: usize,
    /// The length of the range in bytes.
    pub len: usize,
}

impl<S> Clone for SegmentRange<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for SegmentRange<'_, S> {}

impl<S> fmt::Debug for SegmentRange<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentRange")
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<'s, S: Segment> SegmentRange<'s, S> {
    /// All of a segment from `offset` on.
    #[inline]
    pub(crate) fn tail(segment: &'s S, offset: usize) -> Self {
        Self { segment, offset, len: segment.len().saturating_sub(offset) }
    }
}

impl<S> Extent for SegmentRange<'_, S> {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn prefix(&self, len: usize) -> Self {
        Self { len: len.min(self.len), ..*self }
    }

    #[inline]
    fn suffix(&self, len: usize) -> Self {
        Self { offset: self.offset.wrapping_add(len), len: self.len.wrapping_sub(len), ..*self }
    }
}

/// The ranges of some bytes of a list, segment by segment; none is empty.
pub(crate) struct Ranges<'s, S, I> {
    segments: &'s [S],
    /// The slices that follow.
    others: I,
    at: Position,
    left: usize,
}

impl<'s, S: Segment> Ranges<'s, S, Empty<&'s [S]>> {
    /// Those of `count` bytes from `at` on.
    #[inline]
    pub(crate) fn new(segments: &'s [S], at: Position, count: usize) -> Self {
        Self { segments, others: core::iter::empty(), at, left: count }
    }
}

impl<'a, S: Segment, H: Host> Cursor<HostChain<'a, S, H>, ChainPlace<'a, S>> {
    /// The ranges of at most `limit` of the bytes left, for as long as the chain is borrowed.
    pub(crate) fn ranges_of_chain(&self, limit: usize) -> Ranges<'a, S, ChainSlices<'a, S>> {
        let mut others = self.list.chain().slices_from(self.node);
        let segments = others.next().unwrap_or_default();
        Ranges { segments, others, at: self.at, left: self.remaining().min(limit) }
    }
}

impl<S, I: Clone> Clone for Ranges<'_, S, I> {
    fn clone(&self) -> Self {
        Self { others: self.others.clone(), ..*self }
    }
}

impl<'s, S: Segment, I: Iterator<Item = &'s [S]>> Iterator for Ranges<'s, S, I> {
    type Item = SegmentRange<'s, S>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let Position { index, offset } = self.at;
            let Some(segment) = self.segments.get(index) else {
                (self.segments, self.at) = (self.others.next()?, Position::default());
                continue;
            };
            self.at = Position { index: index.wrapping_add(1), offset: 0 };
            let rest = segment.len().saturating_sub(offset);
            let len = rest.min(self.left);
            // Subtract `rest`, not `len`: avoids a loop-carried dependency on the minimum.
            self.left = self.left.saturating_sub(rest);
            if len > 0 {
                return Some(SegmentRange { segment, offset, len });
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // No range is empty. The segments are no better bound: empty ones would show in it.
        (usize::from(self.left > 0), Some(self.left))
    }
}
