//! The one engine: a cursor that walks, advances and reverts over any list of segments.
//!
//! ```text
//!   list     [ seg 0 ][ seg 1    ][ ][ seg 3  ]      the whole list, borrowed
//!                          ▲
//!   position     index 1 ──┘ offset 3
//!   count                  ├── bytes left ──┤
//!   cut                                     ├─┤      hidden by truncation
//! ```
//!
//! A list is one slice of segments, or a chain of nodes with a slice each: the loop goes on with the next
//! slice where one ends ([`onward`](ranges::onward)). For the other lists there is none, and no machine code for it.
//!
//! The cursor keeps the whole list, so it can go back to the first byte and not one further. It
//! never holds a place past the end of a segment: after its last byte it points at the next one.
//!
//! What copies, fills, compares and sums run on is [`walk`]; iterators over the bytes left are in [`ranges`].

mod ranges;
mod walk;

pub(crate) use ranges::Ranges;
pub use ranges::SegmentRange;

use core::fmt;

use crate::error::Error;
use crate::segment::{Position, Segment, Segments};
use ranges::onward;

/// A position in a segment list, and the number of bytes left.
///
/// ```
/// use iov_iter::{Cursor, KVec};
///
/// let segments = [KVec::from(b"scatter"), KVec::from(b" gather")];
/// let mut cursor = Cursor::new(&segments[..]);
/// let mut seen = Vec::new();
/// let walked = cursor.walk(9, |range, _progress| {
///     seen.extend_from_slice(&range.segment.as_slice()[range.offset..][..range.len]);
///     range.len
/// });
/// assert_eq!((walked, &seen[..]), (9, &b"scatter g"[..]));
/// assert_eq!((cursor.position().index, cursor.position().offset), (1, 2));
///
/// cursor.revert(9).unwrap();
/// assert_eq!(cursor.remaining(), 14);
/// ```
#[derive(Clone, Copy)]
pub struct Cursor<L, N = ()> {
    list: L,
    /// The slice of segments that `at` is in: an `L::Node`, but a parameter, as an associated type would
    /// forbid to shorten the lifetime of the list.
    node: N,
    /// Perhaps in an empty segment; never past the end of one.
    at: Position,
    count: usize,
    cut: usize,
}

impl<L: Segments> Cursor<L, L::Node> {
    /// A cursor over the whole of `list`: at most `usize::MAX` bytes of it.
    #[inline]
    #[must_use]
    pub fn new(list: L) -> Self {
        Self::known(list, Position::default(), list.total())
    }

    /// A cursor over the first `count` bytes of `list`.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the segments hold fewer.
    #[inline]
    pub fn with_count(list: L, count: usize) -> Result<Self, Error> {
        if !list.holds(count) {
            return Err(Error::CountExceedsSegments);
        }
        Ok(Self::known(list, Position::default(), count))
    }

    /// A cursor over the first `count` bytes of `list`, or all if there are fewer.
    #[inline]
    #[must_use]
    pub fn clamped(list: L, count: usize) -> Self {
        let whole = Self::new(list);
        Self { count: whole.count.min(count), ..whole }
    }

    /// A cursor over `len` bytes from `offset` bytes into `list` on. It finds its place and checks the
    /// length in one walk, which ends with the last of these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if they leave the segments.
    ///
    /// ```
    /// use iov_iter::{Cursor, IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"scatter"), KVec::from(b" gather")];
    /// let cursor = Cursor::range(&segments[..], 5, 4)?;
    /// let mut bytes = [0; 4];
    /// assert_eq!(IovIterSource::from(cursor).copy_from_iter(&mut bytes), 4);
    /// assert_eq!(&bytes, b"er g");
    /// assert!(Cursor::range(&segments[..], 5, 10).is_err());
    /// # Ok::<(), iov_iter::Error>(())
    /// ```
    #[inline]
    pub fn range(list: L, offset: usize, len: usize) -> Result<Self, Error> {
        if L::CHAINED {
            let mut cursor = Self::known(list, Position::default(), usize::MAX);
            return match cursor.advance(offset) == offset {
                true => Ok(Self { count: len, ..cursor }),
                false => Err(Error::CountExceedsSegments),
            };
        }
        let segments = list.as_slice();
        let mut at = Position { index: 0, offset };
        while let Some(segment) = segments.get(at.index) {
            match at.offset.checked_sub(segment.len()) {
                Some(rest) => at = Position { index: at.index.wrapping_add(1), offset: rest },
                None => break,
            }
        }
        Self::resumed(list, at, len)
    }

    /// A cursor over `count` bytes from the place `at` on, such as the [position](Self::position) of a
    /// cursor before.
    ///
    /// The owner of a list cannot keep a cursor over it beside it, but can keep a position.
    ///
    /// # Errors
    ///
    /// [`Error::CountExceedsSegments`] if the place is not in the list, or the segments hold fewer
    /// bytes from there on.
    ///
    /// ```
    /// use iov_iter::{Cursor, KVec};
    ///
    /// let segments = [KVec::from(b"scatter"), KVec::from(b" gather")];
    /// let mut cursor = Cursor::new(&segments[..]);
    /// cursor.advance(9);
    /// let kept = cursor.position();
    /// let resumed = Cursor::resumed(&segments[..], kept, cursor.remaining())?;
    /// assert_eq!((resumed.position(), resumed.remaining()), (kept, 5));
    /// # Ok::<(), iov_iter::Error>(())
    /// ```
    #[inline]
    pub fn resumed(list: L, at: Position, count: usize) -> Result<Self, Error> {
        if L::CHAINED {
            return Self::resumed_in_chain(list, at, count);
        }
        // Headers lie in one segment, nearly always.
        if let Some(segment) = list.as_slice().get(at.index)
            && let Some(here @ 1..) = segment.len().checked_sub(at.offset)
            && count <= here
            && L::EXISTS
        {
            return Ok(Self::known(list, at, count));
        }
        Self::resumed_over(list, at, count)
    }

    /// As [`resumed`](Self::resumed), over any number of segments.
    fn resumed_over(list: L, at: Position, count: usize) -> Result<Self, Error> {
        let rest = list.as_slice().get(at.index..).ok_or(Error::CountExceedsSegments)?;
        let mut missing = count;
        let mut skip = at.offset;
        for segment in rest {
            let here = segment.len().checked_sub(skip).ok_or(Error::CountExceedsSegments)?;
            missing = missing.saturating_sub(here);
            skip = 0;
            if missing == 0 {
                break;
            }
        }
        if missing > 0 || skip > 0 || !L::EXISTS && count > 0 {
            return Err(Error::CountExceedsSegments);
        }
        // The engine never keeps a place at the end of a segment.
        let at = list.forward(at, 0);
        Ok(Self::known(list, at, count))
    }

    /// As [`resumed`](Self::resumed), over a chain: the bytes may be still to come.
    fn resumed_in_chain(list: L, at: Position, count: usize) -> Result<Self, Error> {
        let mut node = L::Node::default();
        let mut index = at.index;
        loop {
            let segments = list.segments_at(node);
            if let Some(segment) = segments.get(index) {
                if at.offset > 0 && at.offset >= segment.len() {
                    return Err(Error::CountExceedsSegments);
                }
                break;
            }
            let Some((next, first)) = list.after(node, segments.len()) else {
                if index == segments.len() && at.offset == 0 {
                    break;
                }
                return Err(Error::CountExceedsSegments);
            };
            // The same node, if it has grown: then the index stays.
            if first == 0 {
                index = index.wrapping_sub(segments.len());
            }
            node = next;
        }
        let at = Position { index, offset: at.offset };
        Ok(Self { node, ..Self::known(list, at, if L::EXISTS { count } else { 0 }) })
    }

    /// A cursor over the `count` bytes from `at` on, which the caller knows to be there.
    #[inline]
    pub(crate) fn known(list: L, at: Position, count: usize) -> Self {
        Self { list, node: L::Node::default(), at, count, cut: 0 }
    }

    /// The same cursor over a list that begins with the segment of the next byte.
    pub(crate) fn rebased<M: Segments>(&self, list: M) -> Cursor<M, M::Node> {
        let at = Position { index: 0, offset: self.at.offset };
        let (mut count, mut cut) = (self.count, self.cut);
        if L::CHAINED {
            // Not what is still to come.
            let there = list.total().saturating_sub(at.offset);
            count = count.min(there);
            cut = cut.min(there.saturating_sub(count));
        }
        Cursor { cut, ..Cursor::known(list, at, count) }
    }

    /// The same cursor over another handle of the same segments.
    pub(crate) const fn with_list<M: Segments<Segment = L::Segment, Node = L::Node>>(
        &self,
        list: M,
    ) -> Cursor<M, L::Node> {
        Cursor { list, node: self.node, at: self.at, count: self.count, cut: self.cut }
    }

    /// The same cursor over the segments themselves.
    ///
    /// Not of a chain, which is several slices.
    pub(crate) fn borrowed(&self) -> Cursor<&[L::Segment]> {
        let (at, count) = (self.at, self.remaining());
        Cursor { list: self.list.as_slice(), node: (), at, count, cut: self.cut }
    }

    /// The list that the cursor walks.
    #[inline]
    #[must_use]
    pub const fn list(&self) -> L {
        self.list
    }

    /// Bytes left.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> usize {
        if L::EXISTS { self.count } else { 0 }
    }

    /// Whether there are `len` bytes. Of a chain not all of those left need be there.
    #[inline]
    pub(crate) fn has(&self, len: usize) -> bool {
        len <= self.remaining() && (!L::CHAINED || len <= self.span(0, len, usize::MAX))
    }

    /// The segment and the byte in it that come next; the end of the list if no byte does.
    ///
    /// The segment is never empty.
    #[inline]
    #[must_use]
    pub fn position(&self) -> Position {
        if !L::CHAINED {
            return self.list.forward(self.at, 0);
        }
        let (mut node, Position { mut index, mut offset }) = (self.node, self.at);
        let mut segments = self.list.segments_at(node).get(index..).unwrap_or_default();
        loop {
            match segments.split_first() {
                Some((segment, _)) if segment.len() > offset => break,
                Some((_, others)) => {
                    index = index.wrapping_add(1);
                    segments = others;
                }
                None => match onward(&self.list, &mut node, &mut index) {
                    Some(others) => segments = others,
                    None => break,
                },
            }
            offset = 0;
        }
        Position { index: self.list.index_of(node).wrapping_add(index), offset }
    }

    /// Segments from the current one to the end of the list that are not empty.
    ///
    /// Truncation hides bytes, not segments. Looks at each of the segments.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        let full = self.rest().filter(|segment| !segment.is_empty());
        // Not `count`, whose sum is checked for overflow and can panic.
        full.fold(0, |count, _| count.saturating_add(1))
    }

    /// Moves forward by `n` bytes, or to the end if fewer are left; returns the bytes passed.
    ///
    /// The end of a chain may come before.
    pub fn advance(&mut self, n: usize) -> usize {
        if L::CHAINED {
            return self.walk_segments(n, SegmentRange::tail, |_, part| part);
        }
        let n = n.min(self.remaining());
        if L::EXISTS {
            self.at = self.list.forward(self.at, n);
            self.count = self.count.wrapping_sub(n);
        }
        n
    }

    /// As [`advance`](Self::advance).
    // Never in line: together, the moves over all kinds of segments save registers that no single one needs;
    // see the table of costs in `examples/kernel-module`.
    #[inline(always)]
    pub(crate) fn advance_apart(&mut self, n: usize) -> usize {
        #[inline(never)]
        fn apart<L: Segments>(cursor: &mut Cursor<L, L::Node>, n: usize) -> usize {
            cursor.advance(n)
        }
        if L::EXISTS { apart(self, n) } else { 0 }
    }

    /// Moves back by `n` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::RevertPastStart`] if that would pass the first byte of the list, and
    /// [`Error::OutOfRange`] if more than `usize::MAX` bytes would be left, which only segments
    /// that change their length can bring about. The cursor has not
    /// moved then.
    pub fn revert(&mut self, n: usize) -> Result<(), Error> {
        let (node, at) = self.back(n).ok_or(Error::RevertPastStart)?;
        let count = self.count.checked_add(n).ok_or(Error::OutOfRange)?;
        // The bytes that truncation hides follow these.
        count.checked_add(self.cut).ok_or(Error::OutOfRange)?;
        self.node = node;
        self.at = at;
        self.count = count;
        Ok(())
    }

    /// The place `n` bytes before this one; `None` if that is before the first segment.
    #[inline]
    fn back(&self, n: usize) -> Option<(L::Node, Position)> {
        if !L::CHAINED {
            return self.list.back(self.at, n).map(|at| (self.node, at));
        }
        let (mut node, mut at, mut left) = (self.node, self.at, n);
        loop {
            let segments = self.list.segments_at(node);
            if let Some(at) = segments.back(at, left) {
                return Some((node, at));
            }
            // Fewer than are left.
            let passed = segments.iter().take(at.index);
            let passed = passed.fold(at.offset, |sum, segment| sum.wrapping_add(segment.len()));
            left = left.wrapping_sub(passed);
            node = self.list.before(node)?;
            at = Position { index: self.list.segments_at(node).len(), offset: 0 };
        }
    }

    /// Hides all but the next `limit` bytes. A larger limit changes nothing.
    pub fn truncate(&mut self, limit: u64) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let hidden = self.count.saturating_sub(limit);
        self.count = self.count.wrapping_sub(hidden);
        // The sum never exceeds the count that the cursor had when it was made.
        self.cut = self.cut.saturating_add(hidden);
    }

    /// Makes `count` bytes the number left, giving back what truncation hid.
    ///
    /// A smaller count than before truncates.
    ///
    /// # Errors
    ///
    /// [`Error::ExpandPastEnd`] if truncation hid fewer; nothing has changed then.
    pub fn reexpand(&mut self, count: usize) -> Result<(), Error> {
        let whole = self.count.saturating_add(self.cut);
        self.cut = whole.checked_sub(count).ok_or(Error::ExpandPastEnd)?;
        self.count = count;
        Ok(())
    }

    /// Goes back, or forward, to where the copy `then` of this cursor stands.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignState`] if `then` walks another list; nothing has changed then.
    pub fn restore(&mut self, then: &Self) -> Result<(), Error> {
        if !self.list.is_same(&then.list) {
            return Err(Error::ForeignState);
        }
        *self = *then;
        Ok(())
    }

    /// The bytes from `start` bytes ahead on that lie in `max_segments` segments, at most `max_bytes`.
    ///
    /// Looks at no segment after the last of these bytes. The cursor stays.
    #[must_use]
    pub fn span(&self, start: usize, max_bytes: usize, max_segments: usize) -> usize {
        let mut window = *self;
        window.advance(start);
        window.truncate(max_bytes as u64);
        let ranges = window.ranges().take(max_segments);
        ranges.fold(0, |bytes, range| bytes.saturating_add(range.len))
    }

    /// The address and length of the next range; `None` at the end.
    #[inline]
    pub(crate) fn first_range(&self) -> Option<(usize, usize)> {
        let range = self.ranges().next()?;
        Some((range.segment.address().wrapping_add(range.offset), range.len))
    }
}

impl<L: Segments> fmt::Debug for Cursor<L, L::Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("remaining", &self.remaining())
            .field("segment_count", &self.segment_count())
            .field("offset", &self.at.offset)
            .field("truncated", &self.cut)
            .finish_non_exhaustive()
    }
}
