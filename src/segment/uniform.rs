//! Lists whose segments are known to be equally long.

use super::{Position, Segment, Segments};

/// A segment list in which every place is found by a division instead of a walk.
///
/// ```text
///   ┌─────┬──────────┬──────────┬──────────┬───────┐
///   │first│   each   │   each   │   each   │ ≤ each│
///   └─────┴──────────┴──────────┴──────────┴───────┘
/// ```
///
/// A buffer that was registered once has this shape: all segments but the first and the last
/// cover whole pages or folios of one size. Checking it costs one walk; from then on advancing to
/// the end of a gigabyte costs what advancing by a page costs.
///
/// ```
/// use iov_iter::{IoVec, Uniform};
///
/// let pages = [IoVec::new(0x1e00, 0x200), IoVec::new(0x5000, 0x1000), IoVec::new(0x9000, 7)];
/// assert!(Uniform::new(&pages).is_some());
/// let ragged = [IoVec::new(0x1000, 8), IoVec::new(0x5000, 3), IoVec::new(0x9000, 7)];
/// assert!(Uniform::new(&ragged).is_none());
/// ```
#[doc(alias = "io_import_reg_buf")]
#[doc(alias = "io_import_reg_vec")]
#[derive(Debug)]
pub struct Uniform<'a, S> {
    segments: &'a [S],
    first: usize,
    each: usize,
    total: usize,
}

impl<S> Clone for Uniform<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Uniform<'_, S> {}

impl<'a, S: Segment> Uniform<'a, S> {
    /// Checks that `segments` has the shape, in one walk.
    ///
    /// `None` if a segment between the first and the last differs from its neighbours, if the
    /// last is longer than those, if any but the first is empty, or if the sum overflows.
    #[must_use]
    pub fn new(segments: &'a [S]) -> Option<Self> {
        let first = segments.first().map_or(0, Segment::len);
        let each = segments.get(1).map_or(1, Segment::len);
        let mut total = first;
        let mut short = false;
        for segment in segments.get(1..).unwrap_or_default() {
            let len = segment.len();
            // Only the last one may be short.
            if short || len == 0 || len > each {
                return None;
            }
            short = len < each;
            total = total.checked_add(len)?;
        }
        Some(Self { segments, first, each, total })
    }

    /// The segments.
    #[must_use]
    pub const fn segments(&self) -> &'a [S] {
        self.segments
    }

    /// Bytes from the start of the list to `at`.
    fn distance(&self, at: Position) -> usize {
        match at.index.checked_sub(1) {
            None => at.offset,
            Some(after_first) => after_first
                .saturating_mul(self.each)
                .saturating_add(self.first)
                .saturating_add(at.offset)
                .min(self.total),
        }
    }

    /// The place `distance` bytes after the start of the list.
    fn place(&self, distance: usize) -> Position {
        if distance >= self.total {
            return Position { index: self.segments.len(), offset: 0 };
        }
        match distance.checked_sub(self.first) {
            None => Position { index: 0, offset: distance },
            Some(after_first) => Position {
                // `each` is not 0: an empty second segment was refused.
                index: after_first.checked_div(self.each).unwrap_or(0).saturating_add(1),
                offset: after_first.checked_rem(self.each).unwrap_or(0),
            },
        }
    }
}

impl<S: Segment> Segments for Uniform<'_, S> {
    type Segment = S;
    type Node = ();

    #[inline]
    fn as_slice(&self) -> &[S] {
        self.segments
    }

    fn forward(&self, from: Position, n: usize) -> Position {
        self.place(self.distance(from).saturating_add(n))
    }

    fn back(&self, from: Position, n: usize) -> Option<Position> {
        // Reverting to the end of a segment lands on the start of the next one: the same byte.
        self.distance(from).checked_sub(n).map(|distance| self.place(distance))
    }

    fn total(&self) -> usize {
        self.total
    }

    fn holds(&self, count: usize) -> bool {
        self.total >= count
    }

    fn is_same(&self, other: &Self) -> bool {
        core::ptr::eq(self.segments, other.segments)
    }
}
