//! The Internet checksum, computed while copying.

use super::IovIter;
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host};
use crate::memory::Piece;

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
        fold(self.sum as u64)
    }

    /// Adds bytes.
    #[doc(alias = "csum_partial")]
    #[doc(alias = "csum_block_add")]
    pub fn update(&mut self, bytes: &[u8]) {
        let mut sum = u32::from(sum_words(bytes));
        if self.offset & 1 == 1 {
            // The first byte is the second half of a word that began before.
            sum = sum.rotate_right(8);
        }
        let (sum, carry) = self.sum.overflowing_add(sum);
        self.sum = sum.wrapping_add(u32::from(carry));
        self.offset = self.offset.wrapping_add(bytes.len());
    }
}

/// The folded sum of native-endian 16-bit words, the last one padded with a zero byte.
fn sum_words(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    // A 64-bit sum of 32-bit words cannot overflow within a block of this size.
    for block in bytes.chunks(1 << 16) {
        let words = block.chunks_exact(4);
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        let words =
            words.map(|word| u64::from(word.first_chunk().map_or(0, |w| u32::from_ne_bytes(*w))));
        sum = words.fold(u64::from(fold(sum)), u64::wrapping_add);
        sum = sum.wrapping_add(u64::from(u32::from_ne_bytes(last)));
    }
    fold(sum)
}

/// Folds a sum to 16 bits with end-around carry.
const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16).wrapping_add(sum & 0xffff);
    }
    sum as u16
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Copies `src` into the iterator, adds the bytes copied to `checksum` and returns their
    /// number.
    ///
    /// Exact to the segment: one that faults is not counted at all, though bytes in front of the
    /// fault have been written. Discarded bytes are summed, too.
    #[must_use = "fewer bytes than asked may have been copied"]
    pub fn csum_and_copy_to_iter(&mut self, src: &[u8], checksum: &mut Checksum) -> usize {
        if matches!(self, Self::Discard(_)) {
            let discarded = self.advance(src.len());
            checksum.update(src.get(..discarded).unwrap_or(src));
            return discarded;
        }
        let part = |at: usize, len| src.get(at..).and_then(|rest| rest.get(..len));
        self.iterate_and_advance(
            src.len(),
            checksum,
            |checksum, user, at| {
                let bytes = part(at, user.len()).unwrap_or_default();
                let written = user.write(0, Piece::from(bytes), CopyFlags::empty());
                whole_piece(checksum, bytes, written)
            },
            |checksum, piece, at| {
                let bytes = part(at, piece.len()).unwrap_or_default();
                whole_piece(checksum, bytes, piece.copy_from(bytes.into()))
            },
        )
    }
}

impl<H: Host> IovIter<'_, Source, H> {
    /// Copies from the iterator into `dst`, adds the bytes copied to `checksum` and returns their
    /// number.
    ///
    /// Exact to the segment: one that faults is not counted at all, though bytes of `dst` behind
    /// the result may have changed.
    #[must_use = "fewer bytes than asked may have been copied"]
    pub fn csum_and_copy_from_iter(&mut self, dst: &mut [u8], checksum: &mut Checksum) -> usize {
        self.iterate_and_advance(
            dst.len(),
            &mut (dst, checksum),
            |(dst, checksum), user, at| {
                let bytes = part_mut(dst, at, user.len());
                let read = user.read(0, Piece::from(&mut *bytes), CopyFlags::empty());
                whole_piece(checksum, bytes, read)
            },
            |(dst, checksum), piece, at| {
                let bytes = part_mut(dst, at, piece.len());
                let read = piece.copy_to(Piece::from(&mut *bytes));
                whole_piece(checksum, bytes, read)
            },
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

/// Counts and sums a piece that moved as a whole; one that did not counts nothing.
fn whole_piece(checksum: &mut Checksum, bytes: &[u8], moved: usize) -> usize {
    if moved < bytes.len() {
        return 0;
    }
    checksum.update(bytes);
    moved
}

fn part_mut(bytes: &mut [u8], at: usize, len: usize) -> &mut [u8] {
    bytes.get_mut(at..).and_then(|rest| rest.get_mut(..len)).unwrap_or_default()
}
