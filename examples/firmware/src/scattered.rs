//! Memory in parts, as it is where no allocator joins it.

use iov_iter::{Dest, KVec, Source};

/// What lies between the parts and must stay.
const GUARD: u8 = 0xa5;

/// Parts of memory that take data one after the other.
///
/// ```text
///   memory   █████████·██··████████████████·█████·   after each part lies a guard
///            part 0   1    2               3
/// ```
pub struct Scattered<'m, const N: usize> {
    parts: [Part<'m>; N],
}

struct Part<'m> {
    bytes: &'m mut [u8],
    guard: &'m mut [u8],
}

/// The bytes that parts of these lengths take, with guards of `guard` bytes.
pub const fn memory<const N: usize>(lengths: &[usize; N], guard: usize) -> usize {
    let mut bytes = N * guard;
    let mut part = 0;
    while part < N {
        bytes += lengths[part];
        part += 1;
    }
    bytes
}

impl<'m, const N: usize> Scattered<'m, N> {
    /// Cuts parts of these lengths from `memory`, with guards of `guard` bytes after them; shorter
    /// ones where it ends.
    pub fn cut(mut memory: &'m mut [u8], lengths: [usize; N], guard: usize) -> Self {
        let mut take =
            |len: usize| memory.split_off_mut(..len.min(memory.len())).unwrap_or_default();
        let parts = lengths.map(|length| Part { bytes: take(length), guard: take(guard) });
        let mut scattered = Self { parts };
        scattered.parts.iter_mut().for_each(|part| part.guard.fill(GUARD));
        scattered
    }

    /// The bytes that all parts hold together.
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    /// The parts as segments to read from.
    pub fn source(&self) -> [KVec<'_, Source>; N] {
        self.parts.each_ref().map(|part| KVec::from(&*part.bytes))
    }

    /// The parts as segments to write to.
    pub fn dest(&mut self) -> [KVec<'_, Dest>; N] {
        self.parts.each_mut().map(|part| KVec::from(&mut *part.bytes))
    }

    /// Whether nothing was written after a part.
    pub fn guards_hold(&self) -> bool {
        self.parts.iter().flat_map(|part| &*part.guard).all(|&byte| byte == GUARD)
    }
}
