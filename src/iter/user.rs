//! User memory under a cursor: every range is checked once, every fault counted.

use core::fmt;
use core::marker::PhantomData;

use crate::cursor::{Cursor, SegmentRange};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{CopyFlags, PageFlags, UserMemory};
use crate::memory::{Extent, Piece, unlikely};
use crate::segment::{Exists, IoVec, Segments};

/// A cursor over user addresses, and the memory that gives them a meaning.
#[derive(Clone)]
pub struct UserCursor<U, L, N = ()> {
    pub(super) memory: U,
    pub(super) cursor: Cursor<L, N>,
    pub(super) page_flags: PageFlags,
}

impl<U: UserMemory, L: Segments<Segment = IoVec>> UserCursor<U, L, L::Node> {
    /// Whether there can be one: a host without user memory has none, and no machine code for walking it.
    pub(super) const EXISTS: bool = Exists::of::<U>().0;

    /// A cursor over addresses in `memory`.
    #[inline]
    pub const fn new(memory: U, cursor: Cursor<L, L::Node>) -> Self {
        Self { memory, cursor, page_flags: PageFlags::empty() }
    }

    /// The memory.
    #[inline]
    pub const fn memory(&self) -> &U {
        &self.memory
    }

    /// The cursor over the addresses.
    #[inline]
    pub const fn cursor(&self) -> &Cursor<L, L::Node> {
        &self.cursor
    }

    /// As [`Cursor::advance_apart`].
    #[inline(always)]
    pub(super) fn advance_apart(&mut self, n: usize) -> usize {
        if Self::EXISTS { self.cursor.advance_apart(n) } else { 0 }
    }

    /// As [`Cursor::walk`], with the part of `extent` that corresponds to each piece. Empty segments give a
    /// piece as well: a copy finds out by itself that there is nothing to do.
    #[inline]
    pub(super) fn walk_with<D: Direction, E: Extent>(
        &mut self,
        extent: E,
        mut step: impl FnMut(UserPiece<'_, U, D>, E) -> usize,
    ) -> usize {
        if !Self::EXISTS {
            return 0;
        }
        let memory = &self.memory;
        accepted(memory, &mut self.cursor, extent, |address, part| {
            let len = part.len();
            step(UserPiece { memory, address, len, _direction: PhantomData }, part)
        })
    }

    /// Maps the next bytes, at most `max_bytes`, and appends the pieces to `list` until it has `limit`.
    ///
    /// Returns the bytes mapped, and what ended them early: neither a full list nor `max_bytes` is that.
    pub(super) fn map<'m, D: Direction, const N: usize>(
        &'m self,
        list: &mut heapless::Vec<Piece<'m, D>, N>,
        limit: usize,
        max_bytes: usize,
    ) -> (usize, Option<Error>) {
        let (memory, mut cursor) = (&self.memory, self.cursor);
        let (wanted, limit) = (cursor.remaining().min(max_bytes), limit.min(N));
        // Also where a range is not accepted.
        let mut error = Error::Fault;
        let mapped = accepted(memory, &mut cursor, wanted, |address, len| {
            let mut done = 0_usize;
            while done < len && list.len() < limit {
                let (Some(at), rest) = (address.checked_add(done), len.saturating_sub(done)) else {
                    break;
                };
                // SAFETY: a part of the range that was accepted.
                match unsafe { memory.map(at, rest) } {
                    Ok(piece) if !piece.is_empty() => {
                        let piece = piece.slice(0, rest);
                        done = done.saturating_add(piece.len());
                        // There is room.
                        let _ = list.push(piece);
                    }
                    Ok(_) => break,
                    Err(why) => {
                        error = why;
                        break;
                    }
                }
            }
            done
        });
        (mapped, (mapped < wanted && list.len() < limit).then_some(error))
    }

    /// Announces that the next `len` bytes were written through mapped pieces.
    pub(super) fn mark_written(&self, len: usize) {
        let mut cursor = self.cursor;
        accepted(&self.memory, &mut cursor, len, |address, len| {
            if len > 0 {
                self.memory.mark_written(address, len);
            }
            len
        });
    }
}

/// Calls `step` with range after range of user addresses that `memory` accepts, and the part of `extent`
/// that corresponds to each. Like [`Cursor::walk`], but empty segments give a range as well.
#[inline(always)]
fn accepted<U: UserMemory, L: Segments<Segment = IoVec>, E: Extent>(
    memory: &U,
    cursor: &mut Cursor<L, L::Node>,
    extent: E,
    mut step: impl FnMut(usize, E) -> usize,
) -> usize {
    cursor.walk_segments(extent, SegmentRange::tail, |range, part| {
        // A segment that wraps around the address space ends where it wraps.
        let Some(address) = range.segment.base.checked_add(range.offset) else { return 0 };
        if !memory.access_ok(address, part.len()) {
            unlikely();
            return 0;
        }
        step(address, part)
    })
}

impl<U, L: Segments> fmt::Debug for UserCursor<U, L, L::Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCursor")
            .field("cursor", &self.cursor)
            .field("page_flags", &self.page_flags)
            .finish_non_exhaustive()
    }
}

/// A contiguous range of user memory, as a walk hands it to its step.
///
/// The whole range lies in the user's part of the address space: the walk has checked it with
/// [`UserMemory::access_ok`], and ends before a range that does not.
pub struct UserPiece<'m, U, D: Direction> {
    // It has accepted `address` and `len`, once and for all.
    memory: &'m U,
    address: usize,
    len: usize,
    _direction: PhantomData<fn() -> D>,
}

impl<'m, U: UserMemory, D: Direction> UserPiece<'m, U, D> {
    /// The user address of the first byte.
    #[inline]
    #[must_use]
    pub const fn address(&self) -> usize {
        self.address
    }

    /// The length in bytes, never 0.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a piece is never empty")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The memory that the address belongs to.
    #[inline]
    #[must_use]
    pub const fn memory(&self) -> &'m U {
        self.memory
    }

    /// The address after the first `offset` bytes, and the bytes from there on; `None` if there are fewer.
    #[inline]
    fn rest(&self, offset: usize) -> Option<(usize, usize)> {
        Some((self.address.checked_add(offset)?, self.len.checked_sub(offset)?))
    }
}

impl<U: UserMemory> UserPiece<'_, U, Source> {
    /// Reads the bytes after the first `offset` into the front of `dst` and returns how many
    /// moved before a fault, or before either side ended.
    #[inline]
    pub fn read(&self, offset: usize, dst: Piece<'_, Dest>, flags: CopyFlags) -> usize {
        let Some((address, rest)) = self.rest(offset) else { return 0 };
        let dst = dst.slice(0, rest);
        // SAFETY: a part of the range that was accepted.
        unsafe { self.memory.read(address, dst, flags) }.min(dst.len())
    }
}

impl<U: UserMemory> UserPiece<'_, U, Dest> {
    /// Writes `src` after the first `offset` bytes and returns how many moved before a fault, or
    /// before either side ended.
    #[inline]
    pub fn write(&self, offset: usize, src: Piece<'_, Source>, flags: CopyFlags) -> usize {
        let Some((address, rest)) = self.rest(offset) else { return 0 };
        let src = src.slice(0, rest);
        // SAFETY: a part of the range that was accepted.
        unsafe { self.memory.write(address, src, flags) }.min(src.len())
    }

    /// Writes zeros and returns how many before a fault.
    #[inline]
    pub fn zero(&self) -> usize {
        // SAFETY: the range that was accepted.
        unsafe { self.memory.zero(self.address, self.len) }.min(self.len)
    }
}

impl<U, D: Direction> fmt::Debug for UserPiece<'_, U, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserPiece")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
