//! The Internet checksum, computed while copying.

use super::{IovIter, for_both};
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host};
use crate::memory::{self, Access, Exclusive, Piece};
use crate::segment::KVec;

/// A running 16-bit ones'-complement sum, as IP, TCP and UDP use it.
///
/// It remembers how many bytes it has seen, so a sum may be continued at an odd byte, and no result
/// depends on how the bytes are split.
///
/// ```
/// use iov_iter::Checksum;
///
/// let mut whole = Checksum::new();
/// whole.update(&[1, 2, 3, 4, 5]);
/// let mut split = Checksum::new();
/// split.update(&[1, 2, 3]);
/// split.update(&[4, 5]);
/// assert_eq!(whole.folded(), split.folded());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "csum_state")]
pub struct Checksum {
    sum: u32,
    offset: usize,
}

impl Checksum {
    /// The sum of no bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: 0, offset: 0 }
    }

    /// Continues from a sum over an even number of bytes, such as that of a pseudo-header.
    #[must_use]
    pub const fn with_sum(sum: u32) -> Self {
        Self { sum, offset: 0 }
    }

    /// The sum in 32 bits, not folded; how the bytes were split shows in the upper half.
    #[must_use]
    pub const fn sum(&self) -> u32 {
        self.sum
    }

    /// The bytes summed so far, from which the parity of the next one follows.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The sum in 16 bits, in native byte order. Protocols store its complement.
    #[must_use]
    #[doc(alias = "csum_fold")]
    pub const fn folded(&self) -> u16 {
        memory::fold(self.sum as u64)
    }

    /// Adds bytes.
    #[doc(alias = "csum_partial")]
    #[doc(alias = "csum_block_add")]
    pub fn update(&mut self, bytes: &[u8]) {
        self.add(KVec::from(bytes).into_piece().sum(), bytes.len());
    }

    /// Adds the folded sum of `len` bytes.
    fn add(&mut self, sum: u16, len: usize) {
        let mut sum = u32::from(sum);
        if self.offset & 1 == 1 {
            // The first byte is the second half of a word that began before.
            sum = sum.rotate_right(8);
        }
        let (sum, carry) = self.sum.overflowing_add(sum);
        self.sum = sum.wrapping_add(u32::from(carry));
        self.offset = self.offset.wrapping_add(len);
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Copies `src` into the iterator, adds the bytes copied to `checksum` and returns their
    /// number.
    ///
    /// Exact to the segment: a segment that faults is not counted at all, though bytes before the
    /// fault have been written. Discarded bytes are summed as well.
    #[must_use = "fewer bytes than asked may have been copied"]
    pub fn csum_and_copy_to_iter(&mut self, src: &[u8], checksum: &mut Checksum) -> usize {
        if self.is_discarding() {
            let discarded = self.advance(src.len());
            checksum.update(src.get(..discarded).unwrap_or(src));
            return discarded;
        }
        self.walk_with(
            KVec::from(src),
            checksum,
            |checksum, user, part| {
                let bytes = part.into_piece();
                let written = user.write(0, bytes.into_shared(), CopyFlags::empty());
                whole_piece(checksum, bytes.slice(0, written), bytes.len())
            },
            for_both!(|checksum, piece, part| {
                let (copied, sum) = part.copy_to_summing(piece);
                checksum.add(sum, copied);
                copied
            }),
        )
    }
}

impl<H: Host> IovIter<'_, Source, H> {
    /// Copies from the iterator into `dst`, adds the bytes copied to `checksum` and returns their
    /// number.
    ///
    /// Exact to the segment: a segment that faults is not counted at all, though bytes of `dst` past
    /// the result may have changed.
    #[must_use = "fewer bytes than asked may have been copied"]
    pub fn csum_and_copy_from_iter(&mut self, dst: &mut [u8], checksum: &mut Checksum) -> usize {
        self.walk_with(
            KVec::from(dst),
            checksum,
            |checksum, user, part| {
                let space = part.into_piece();
                let read = user.read(0, space.into_shared(), CopyFlags::empty());
                // SAFETY: `UserMemory::read` has initialised `read` bytes of the buffer, and
                // nothing writes them until they are summed.
                let bytes = unsafe { Piece::<_, Exclusive>::new(space.as_mut_ptr(), read) };
                whole_piece(checksum, bytes, space.len())
            },
            for_both!(|checksum, piece, part| {
                let (copied, sum) = part.copy_from_summing(piece);
                checksum.add(sum, copied);
                copied
            }),
        )
    }

    /// As [`csum_and_copy_from_iter`](Self::csum_and_copy_from_iter) for all of `dst`, or the
    /// iterator does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if fewer bytes are left; nothing has changed then. [`Error::Fault`] if
    /// user memory faults: iterator and checksum stand where they stood, but the front of `dst` has
    /// changed.
    pub fn csum_and_copy_from_iter_full(
        &mut self,
        dst: &mut [u8],
        checksum: &mut Checksum,
    ) -> Result<(), Error> {
        let mut sum = *checksum;
        self.all_or_nothing(dst.len(), |iter| iter.csum_and_copy_from_iter(dst, &mut sum))?;
        *checksum = sum;
        Ok(())
    }
}

/// Counts and sums a piece of `len` bytes that moved as a whole; one that did not counts nothing.
fn whole_piece(
    checksum: &mut Checksum,
    moved: Piece<'_, Source, impl Access>,
    len: usize,
) -> usize {
    if moved.len() < len {
        return 0;
    }
    checksum.add(moved.sum(), len);
    len
}
