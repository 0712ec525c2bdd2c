//! Laying a vector out in a buffer of its own.
//!
//! ```text
//!   model, at its addresses     ├─── a ───┤                 ├─ c ─┤
//!                                    ├─── b ───┤
//!   copy, in the buffer         ├─── a ───┤
//!                                    ├─── b ───┼─ c ─┤
//! ```
//!
//! Addresses are visited upwards, run by run. That takes no memory, but a pass over the pieces for
//! each run of addresses without a gap.

use super::vector::make_room;
use super::view::add;
use super::{Error, IoVector, View};
use crate::direction::Direction;
use crate::list::List;
use crate::memory::Piece;
use crate::segment::KVec;

impl<D: Direction> View<'_, D> {
    /// The number of different bytes of memory in view: less than the size if pieces overlap.
    ///
    /// A buffer for [`IoVector::add_layout_of`] needs that many.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let mut sum = 0_usize;
        for_each_run(self, |run| sum = run.packed.saturating_add(run.len()));
        sum
    }
}

impl<'b, D: Direction, const N: usize> IoVector<'b, D, N> {
    /// Appends segments within `buffer` that are laid out as the pieces of `model` are, and returns
    /// how many bytes of the buffer they take. No data is copied.
    ///
    /// Every segment is as long as its piece, and two segments overlap exactly as the two pieces
    /// do; gaps between pieces are closed. So the same request can be served twice and the results
    /// compared. Only here destinations may overlap; what is written to the later one stays.
    ///
    /// # Errors
    ///
    /// - [`Error::BufferTooSmall`] if the buffer is shorter than [`View::footprint`],
    /// - [`Error::NotGrowable`], [`Error::LengthOverflow`] and [`Error::NoMemory`] as
    ///   [`add`](Self::add).
    ///
    /// The vector is what it was then.
    ///
    /// ```
    /// use iov_iter::{Dest, KVec, iov::{IoVector, View}};
    ///
    /// let bytes = *b"overlap";
    /// let model = [KVec::from(&bytes[4..]), KVec::from(&bytes[..5])];
    /// let mut space = [b'.'; 8];
    /// let buffer = KVec::from(&mut space[..]);
    /// let mut vector = IoVector::<Dest>::new();
    /// assert_eq!(vector.add_layout_of(View::new(&model)?, &buffer)?, 7);
    /// vector.view().from_buf(0, b"abcdefgh")?;
    /// drop(vector);
    /// assert_eq!(&space, b"defghbc.");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "qemu_iovec_clone")]
    #[doc(alias = "IOVectorSortElem")]
    #[doc(alias = "sortelem_cmp_src_base")]
    #[doc(alias = "sortelem_cmp_src_index")]
    pub fn add_layout_of<M: Direction>(
        &mut self,
        model: View<'_, M>,
        buffer: &'b KVec<'b, D>,
    ) -> Result<usize, Error> {
        let (segments, size) = self.growable()?;
        let sum = add(*size, model.size())?;
        let needed = model.footprint();
        if needed > buffer.len() {
            return Err(Error::BufferTooSmall { needed, available: buffer.len() });
        }
        make_room(segments, model.piece_count())?;

        let known = segments.len();
        for piece in model.pieces() {
            // SAFETY: a vector of destinations is not `Send` and gives no segment away.
            let segment = unsafe { place(buffer, 0, piece.len()) };
            // There is room.
            segments.try_push(segment).map_err(|_| Error::NoMemory)?;
        }
        let added = segments.get_mut(known..).unwrap_or_default();
        for_each_run(&model, |run| {
            for (segment, piece) in added.iter_mut().zip(model.pieces()) {
                if let Some(inside) = run.offset_of(&piece) {
                    let offset = run.packed.saturating_add(inside);
                    // SAFETY: as above.
                    *segment = unsafe { place(buffer, offset, piece.len()) };
                }
            }
        });
        *size = sum;
        Ok(needed)
    }
}

/// The segment for `len` bytes from `offset` on in `buffer`.
///
/// # Safety
///
/// That of a destination must not reach another thread than the buffer.
unsafe fn place<'b, D: Direction>(
    buffer: &'b KVec<'b, D>,
    offset: usize,
    len: usize,
) -> KVec<'b, D> {
    let piece = buffer.piece(offset, len);
    // SAFETY: the piece lies in a segment that is borrowed for 'b, under the conditions that a
    // segment asks for, but for this alias of it, which stays on the thread of the borrow as the
    // caller promises.
    unsafe { KVec::from_raw_parts(piece.as_ptr().cast_mut(), piece.len()) }
}

/// Addresses that pieces cover without a gap.
struct Run {
    start: usize,
    end: usize,
    /// Bytes in the runs below.
    packed: usize,
}

impl Run {
    const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Where in the run a piece starts, if it does.
    fn offset_of<D: Direction>(&self, piece: &Piece<'_, D>) -> Option<usize> {
        let start = piece.as_ptr().addr();
        (start < self.end).then(|| start.checked_sub(self.start)).flatten()
    }
}

/// Calls `each` with run after run, from the lowest address upwards.
///
/// A pass over the pieces either makes the run longer, or finds the next one.
fn for_each_run<D: Direction>(view: &View<'_, D>, mut each: impl FnMut(&Run)) {
    let mut run = Run { start: 0, end: 0, packed: 0 };
    loop {
        let mut grown = run.end;
        let mut next: Option<(usize, usize)> = None;
        for piece in view.pieces() {
            let start = piece.as_ptr().addr();
            let end = start.saturating_add(piece.len());
            if start > grown {
                if next.is_none_or(|(lowest, _)| start < lowest) {
                    next = Some((start, end));
                }
            } else if start >= run.start {
                grown = grown.max(end);
            }
        }
        if grown > run.end {
            run.end = grown;
            continue;
        }
        each(&run);
        let Some((start, end)) = next else { return };
        run = Run { start, end, packed: run.packed.saturating_add(run.len()) };
    }
}
