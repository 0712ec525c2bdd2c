//! The walk: what copies, fills, compares and sums run on.
//!
//! A walk takes an [`Extent`] along, for example the caller's buffer, and cuts both lists of bytes at the same
//! places. The step gets two ranges and copies one to the other:
//!
//! ```text
//!   copy_to_iter, read_at, ...   what the user calls: wraps the buffer as an extent
//!     walk_with                  chooses the kind of segment, once a call
//!       walk_segments            the loop: the rest of a segment, and as much of the extent
//!         step(tail, part)       one copy: memory to memory, the host's user copy, or a mapped page
//!
//!   segments  [    seg 0    ][ seg 1 ][     seg 2     ]
//!                  ├ tail 0 ┤├ tail 1┤├─ tail 2 ─┤
//!   extent         ├ part 0 ┤├ part 1┤├─ part 2 ─┤
//! ```
//!
//! **A tail and its part have the same length**, in each step. Unsafe code relies on it: a copy that was told
//! the length of one of them stays within the other. The loop establishes it: a step gets the shorter of
//! the two whole, and a prefix of the longer.
//!
//! Empty segments change no result. A walk stops at the first of them; each query that depends on
//! the place skips them ([`Cursor::position`]). So the walk, which copies run, does not pay for it.

use super::Cursor;
use super::ranges::{SegmentRange, next_segment};
use crate::direction::Direction;
use crate::host::Page;
use crate::memory::{Access, Extent, Piece, unlikely};
use crate::segment::{BioVec, MemVec, Position, Segment, Segments};

impl<L: Segments> Cursor<L, L::Node> {
    /// Calls `step` for each contiguous range of the next `n` bytes and advances by what the steps report as
    /// handled.
    ///
    /// `n` is cut to [`remaining`](Self::remaining). `step` gets a range of a segment, which is never empty,
    /// and the number of bytes handled so far. It returns the number of bytes of the range that it handled;
    /// fewer than the range has end the walk there. Returns the bytes handled in all.
    #[inline]
    #[doc(alias = "iterate_iovec")]
    #[doc(alias = "iterate_kvec")]
    #[doc(alias = "iterate_bvec")]
    #[doc(alias = "iterate_ubuf")]
    pub fn walk(
        &mut self,
        n: usize,
        mut step: impl FnMut(SegmentRange<'_, L::Segment>, usize) -> usize,
    ) -> usize {
        self.walk_segments(0..n, SegmentRange::tail, |range, part| match range.len {
            0 => 0,
            _ => step(range, part.start),
        })
    }

    /// The engine; see the picture at the top of this file.
    ///
    /// `tail` gives all of a segment from an offset on. `step` gets the front of that and the part of `extent`
    /// with the same length, and returns the number of bytes that it handled. Both are empty where the
    /// segment or `extent` is.
    #[inline(always)]
    pub(crate) fn walk_segments<'s, T: Extent, E: Extent>(
        &'s mut self,
        extent: E,
        tail: impl Fn(&'s L::Segment, usize) -> T,
        mut step: impl FnMut(T, E) -> usize,
    ) -> usize {
        let Self { list, node, at, count, .. } = self;
        let list = &*list;
        let mut segments = list.segments_at(*node);
        let mut index = at.index;
        let mut left = extent.prefix(if L::EXISTS { *count } else { 0 });
        let wanted = left.len();
        if !L::EXISTS {
            return 0;
        }
        // No test for a walk of no bytes, which is rare: its only step is an empty one.
        let mut segment = match segments.get(index) {
            Some(segment) => segment,
            // What was appended since: the place was the end of the chain, and its offset is 0.
            None => match next_segment(list, node, &mut index, &mut segments) {
                Some(segment) => segment,
                None => {
                    unlikely();
                    at.index = index;
                    return 0;
                }
            },
        };
        let mut rest = tail(segment, at.offset);
        // Each of the numbers stays below a length or a count: nothing wraps, unless a segment changes its
        // length, which gives a nonsensical position. `step` has two call sites so that the common case, a
        // whole segment, costs one compare and no minimum. The other ways out of the loop are cold: the
        // inliner takes the last piece for cold if all are alike, and then calls its step, which most copies
        // run only once. See `copy to bvec` in the table of `examples/kernel-module`.
        let (here, unhandled) = loop {
            let (rest_len, left_len) = (rest.len(), left.len());
            let skipped = || segment.len().wrapping_sub(rest_len);
            if left_len <= rest_len {
                // The last piece.
                let handled = step(rest.prefix(left_len), left).min(left_len);
                if handled == rest_len {
                    index = index.wrapping_add(1);
                    break (0, 0);
                }
                break (skipped().wrapping_add(handled), left_len.wrapping_sub(handled));
            }
            let handled = step(rest, left.prefix(rest_len)).min(rest_len);
            if handled < rest_len {
                unlikely();
                break (skipped().wrapping_add(handled), left_len.wrapping_sub(handled));
            }
            index = index.wrapping_add(1);
            left = left.suffix(rest_len);
            segment = match segments.get(index) {
                Some(next) => next,
                None => match next_segment(list, node, &mut index, &mut segments) {
                    Some(next) => next,
                    None => {
                        unlikely();
                        break (0, left.len());
                    }
                },
            };
            rest = tail(segment, 0);
        };
        let done = wanted.wrapping_sub(unhandled);
        *at = Position { index, offset: here };
        *count = count.wrapping_sub(done);
        done
    }

    /// Folds the addresses and lengths of the ranges left. The cursor stays.
    ///
    /// The walk of [`ranges`](Self::ranges), in fewer instructions: all that goes from one piece to the
    /// next is in registers, and only the last piece is cut, as the walk ends there.
    #[inline]
    pub(crate) fn fold_ranges<A>(&self, init: A, mut f: impl FnMut(A, usize, usize) -> A) -> A {
        let mut folded = init;
        let mut left = self.remaining();
        if left == 0 {
            return folded;
        }
        let Position { mut index, offset } = self.at;
        let mut node = self.node;
        let mut segments = self.list.segments_at(node);
        let segment = match segments.get(index) {
            Some(segment) => segment,
            None => match next_segment(&self.list, &mut node, &mut index, &mut segments) {
                Some(segment) => segment,
                None => return folded,
            },
        };
        let mut address = segment.address().wrapping_add(offset);
        // A position is never past the end of its segment.
        let mut rest = segment.len().wrapping_sub(offset);
        while rest < left {
            if rest > 0 {
                folded = f(folded, address, rest);
            }
            left = left.wrapping_sub(rest);
            index = index.wrapping_add(1);
            let next = match segments.get(index) {
                Some(next) => next,
                None => match next_segment(&self.list, &mut node, &mut index, &mut segments) {
                    Some(next) => next,
                    None => return folded,
                },
            };
            (address, rest) = (next.address(), next.len());
        }
        f(folded, address, left)
    }
}

impl<'a, D: Direction, A: Access, L: Segments<Segment = MemVec<'a, D, A>>> Cursor<L, L::Node> {
    /// As [`walk`](Self::walk), with the pieces themselves, also those of empty segments, and the part of
    /// `extent` that corresponds to each.
    #[inline(always)]
    pub(crate) fn walk_pieces<E: Extent>(
        &mut self,
        extent: E,
        step: impl FnMut(Piece<'_, D, A>, E) -> usize,
    ) -> usize {
        self.walk_segments(extent, MemVec::tail, step)
    }
}

impl<P: Page, L: Segments<Segment = BioVec<P>>> Cursor<L, L::Node> {
    /// As [`walk`](Self::walk), with pieces of the pages, mapped for the step, and the part of `extent` that
    /// corresponds to each.
    #[inline(always)]
    pub(crate) fn walk_pages<D: Direction, E: Extent>(
        &mut self,
        extent: E,
        mut step: impl FnMut(Piece<'_, D>, E) -> usize,
    ) -> usize {
        self.walk_segments(extent, BioVec::tail, |bytes, part| bytes.pages(part, &mut step))
    }
}
