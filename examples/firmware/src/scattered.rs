//! Memory in parts, as it is where no allocator joins it.

use iov_iter::{Dest, KVec, Source};

/// Parts of memory that take data one after the other.
///
/// ```text
///   memory   █████████·██··████████████████·█████·   between the parts lies something else
///            part 0   1    2               3
/// ```
pub struct Scattered<'m, const N: usize> {
    parts: [&'m mut [u8]; N],
}

impl<'m, const N: usize> Scattered<'m, N> {
    pub const fn new(parts: [&'m mut [u8]; N]) -> Self {
        Self { parts }
    }

    /// Cuts parts of these lengths from `memory`, with `gap` bytes between them; shorter ones where
    /// it ends.
    pub fn cut(mut memory: &'m mut [u8], lengths: [usize; N], gap: usize) -> Self {
        Self::new(lengths.map(|length| {
            let length = length.min(memory.len());
            let part = memory.split_off_mut(..length).unwrap_or_default();
            memory = core::mem::take(&mut memory).get_mut(gap..).unwrap_or_default();
            part
        }))
    }

    /// The bytes that all parts hold together.
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// The parts as segments to read from.
    pub fn source(&self) -> [KVec<'_, Source>; N] {
        self.parts.each_ref().map(|part| KVec::from(&**part))
    }

    /// The parts as segments to write to.
    pub fn dest(&mut self) -> [KVec<'_, Dest>; N] {
        self.parts.each_mut().map(|part| KVec::from(&mut **part))
    }
}
