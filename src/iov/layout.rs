//! Laying a vector out in a buffer of its own.
//!
//! ```text
//!   model, at its addresses     ├─── a ───┤                 ├─ c ─┤
//!                                    ├─── b ───┤
//!   copy, in the buffer         ├─── a ───┤
//!                                    ├─── b ───┼─ c ─┤
//! ```
//!
//! The addresses at which pieces start are visited upwards, [`BATCH`] of them in each pass over the
//! pieces. That takes 2 KiB of stack and no other memory. The time still grows with the square of
//! the number of pieces, which a guest may choose: so that number has a limit.

use super::vector::reserve;
use super::view::add;
use super::{Error, IoVector, View};
use crate::direction::Direction;
use crate::list::List;
use crate::memory::Access;
use crate::segment::{MAX_SEGMENTS, MemVec};

impl<D: Direction, A: Access> View<'_, D, A> {
    /// The number of different bytes of memory in view: less than the length if pieces overlap.
    ///
    /// It is the length of the buffer that [`IoVector::add_layout_of`] needs. Takes 2 KiB of stack and
    /// no other memory.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySegments`] if there are more than [`MAX_SEGMENTS`] pieces.
    pub fn footprint(&self) -> Result<usize, Error> {
        let segments = self.segment_count();
        if segments > MAX_SEGMENTS {
            return Err(Error::TooManySegments { segments, limit: MAX_SEGMENTS });
        }
        Ok(for_each_batch(self, |_| {}))
    }
}

impl<'b, D: Direction, const N: usize, A: Access> IoVector<'b, D, N, A> {
    /// Appends segments within `buffer` that are laid out as the pieces of `model` are, and returns
    /// how many bytes of the buffer they take. No data is copied.
    ///
    /// Every segment is as long as its piece, and two segments overlap exactly as the two pieces
    /// do; gaps between pieces are closed. So the same request can be served twice and the results
    /// compared. Only here destinations may overlap; what is written to the later one stays.
    ///
    /// # Errors
    ///
    /// - [`Error::TooManySegments`] if `model` has more than [`MAX_SEGMENTS`] pieces,
    /// - [`Error::BufferTooSmall`] if the buffer is shorter than [`View::footprint`],
    /// - [`Error::NotGrowable`], [`Error::LengthOverflow`] and [`Error::NoMemory`] as
    ///   [`try_push`](Self::try_push).
    ///
    /// The vector is what it was then.
    ///
    /// ```
    /// use iov_iter::{Dest, KVec, iov::{IoVector, View}};
    ///
    /// let bytes = *b"overlap";
    /// let model = [KVec::from(&bytes[4..]), KVec::from(&bytes[..5])];
    /// let mut space = [b'.'; 8];
    /// let buffer = KVec::from(&mut space);
    /// let mut vector = IoVector::<Dest>::new();
    /// assert_eq!(vector.add_layout_of(View::new(&model), &buffer)?, 7);
    /// vector.view().write_at(0, b"abcdefgh")?;
    /// drop(vector);
    /// assert_eq!(&space, b"defghbc.");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "qemu_iovec_clone")]
    #[doc(alias = "IOVectorSortElem")]
    #[doc(alias = "sortelem_cmp_src_base")]
    #[doc(alias = "sortelem_cmp_src_index")]
    pub fn add_layout_of<M: Direction, B: Access>(
        &mut self,
        model: View<'_, M, B>,
        buffer: &'b MemVec<'b, D, A>,
    ) -> Result<usize, Error> {
        let (segments, size) = self.growable()?;
        let sum = add(*size, model.exact_len()?)?;
        let needed = model.footprint()?;
        if needed > buffer.len() {
            return Err(Error::BufferTooSmall { needed, available: buffer.len() });
        }
        reserve(segments, model.segment_count())?;

        let known = segments.len();
        for piece in model.pieces() {
            // SAFETY: a vector of destinations is not `Send` and gives no segment away.
            let segment = unsafe { place(buffer, 0, piece.len()) };
            // There is room.
            segments.try_push(segment).map_err(|_| Error::NoMemory)?;
        }
        let added = segments.get_mut(known..).unwrap_or_default();
        for_each_batch(&model, |starts| {
            for (segment, piece) in added.iter_mut().zip(model.pieces()) {
                let at = find(starts, piece.as_ptr().addr()).ok();
                if let Some(start) = at.and_then(|at| starts.get(at)) {
                    // SAFETY: as above.
                    *segment = unsafe { place(buffer, start.offset, piece.len()) };
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
/// That of an exclusive destination must not reach another thread than the buffer.
unsafe fn place<'b, D: Direction, A: Access>(
    buffer: &'b MemVec<'b, D, A>,
    offset: usize,
    len: usize,
) -> MemVec<'b, D, A> {
    let piece = buffer.piece(offset, len);
    // SAFETY: the piece lies in a segment that is borrowed for 'b, under the conditions that a
    // segment asks for, but for this alias of it, which stays on the thread of the borrow as the
    // caller promises.
    unsafe { MemVec::new(piece.as_ptr().cast_mut(), piece.len()) }
}

/// Starts that one pass over the pieces finds.
const BATCH: usize = 64;

/// An address at which pieces start.
struct Start {
    address: usize,
    /// Where the longest of them ends.
    end: usize,
    /// Where they start in the copy.
    offset: usize,
}

/// The start at `address`, or where it would be inserted, among starts in ascending order.
fn find(starts: &[Start], address: usize) -> Result<usize, usize> {
    let at = starts.partition_point(|start| start.address < address);
    match starts.get(at) {
        Some(start) if start.address == address => Ok(at),
        _ => Err(at),
    }
}

/// Calls `each` with batch after batch of starts, in ascending order; returns the number of bytes
/// that the pieces cover.
fn for_each_batch<D: Direction, A: Access>(
    view: &View<'_, D, A>,
    mut each: impl FnMut(&[Start]),
) -> usize {
    let mut from = 0_usize;
    let (mut covered, mut covered_to) = (0_usize, 0_usize);
    loop {
        let mut starts = lowest(view, from);
        for start in &mut starts {
            // What lies below a start is covered by pieces that start below it.
            start.offset = covered.saturating_sub(covered_to.saturating_sub(start.address));
            let fresh = start.end.saturating_sub(covered_to.max(start.address));
            covered = covered.saturating_add(fresh);
            covered_to = covered_to.max(start.end);
        }
        each(&starts);
        match starts.last() {
            Some(highest) if starts.is_full() => from = highest.address.saturating_add(1),
            _ => return covered,
        }
    }
}

/// The lowest starts from the address `from` on, in ascending order.
fn lowest<D: Direction, A: Access>(
    view: &View<'_, D, A>,
    from: usize,
) -> heapless::Vec<Start, BATCH> {
    let mut starts = heapless::Vec::<Start, BATCH>::new();
    for piece in view.pieces() {
        let address = piece.as_ptr().addr();
        let highest = starts.last().filter(|_| starts.is_full());
        if address < from || highest.is_some_and(|highest| highest.address < address) {
            continue;
        }
        let end = address.saturating_add(piece.len());
        match find(&starts, address) {
            Ok(at) => {
                let same = starts.get_mut(at);
                same.into_iter().for_each(|start| start.end = start.end.max(end));
            }
            Err(at) => {
                let mut moved = Start { address, end, offset: 0 };
                for start in starts.iter_mut().skip(at) {
                    core::mem::swap(start, &mut moved);
                }
                // Without room the highest start is left to a later batch.
                let _ = starts.push(moved);
            }
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::Source;
    use crate::segment::KVec;

    const PIECES: usize = if cfg!(miri) { 2 * BATCH } else { MAX_SEGMENTS };

    /// A guest chooses the pieces. With a pass for each run of addresses it could make this slow.
    #[test]
    fn one_pass_over_the_pieces_places_as_many_as_a_batch_holds() {
        let memory = [0; 2 * PIECES];
        let piece = |at: usize| KVec::<Source>::from(memory.get(2 * at..=2 * at).unwrap());
        let orders: [fn(usize) -> usize; 3] =
            [|at| at, |at| PIECES - 1 - at, |at| at * 401 % PIECES];
        for order in orders {
            let segments: [_; PIECES] = core::array::from_fn(|at| piece(order(at)));
            let (mut passes, mut starts) = (0, 0);
            let covered = for_each_batch(&View::new(&segments), |batch| {
                passes += 1;
                starts += batch.len();
            });
            // The last pass finds that nothing is left.
            assert_eq!((covered, starts), (PIECES, PIECES));
            assert_eq!(passes, PIECES / BATCH + 1);
        }
    }
}
