//! Looking at bytes many at a time: a block of machine words, which the compiler turns into vector
//! registers where there are any, then single words, then bytes.
//!
//! ```text
//!   words lie anywhere    ├─ block ─┼─ block ─┼ word ┤
//!                                              ├ word ┤ the last one ends with the last byte
//!   words are aligned     ├ bytes ┼─ block ─┼ word ┼ bytes ┤
//! ```
//!
//! A block is read once, so that what is said of memory that others write is true of what was read.

use core::ffi::{c_int, c_void};

use super::access::{Access, Exclusive, Sealed as _};
use super::defined::{Wide, equal_front, zero_front};
use super::unlikely;

/// Words in a block: a cache line on 64-bit machines.
const BLOCK: usize = 8;
const WORD: usize = size_of::<usize>();
const TWO_WORDS: usize = 2 * WORD;
/// Bytes from which on looking for others than 0 is a call.
const LONG: usize = 128;

/// Whether `memcmp` is asked about more than two words: a C library has one made for the processor it
/// finds. That of a kernel, a firmware or no system at all goes byte by byte.
const ASKS_MEMCMP: bool =
    !cfg!(any(target_os = "none", target_os = "uefi", target_os = "unknown", miri));

unsafe extern "C" {
    fn memcmp(left: *const c_void, right: *const c_void, len: usize) -> c_int;
}

/// Whether `len` bytes at `base` are 0.
///
/// # Safety
///
/// They must be valid for reads and initialised. What is `Exclusive` must not be written meanwhile.
#[inline]
pub unsafe fn is_zero<A: Access>(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match len < LONG {
            true => by_words::<A>(base, len),
            false => long_is_zero::<A>(base, len),
        }
    }
}

/// As [`is_zero`], of many bytes, which pay for a call.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn long_is_zero<A: Access>(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise; the front is at most `len` bytes.
    unsafe {
        let front = zero_front(base, len);
        front == len || by_words::<A>(base.add(front), len.wrapping_sub(front))
    }
}

/// As [`is_zero`], by the words of this target.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn by_words<A: Access>(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match A::UNALIGNED {
            true => every_zero::<A, true>(base, len),
            false => every_zero::<A, false>(base, len),
        }
    }
}

/// As [`is_zero`], in words that lie anywhere, or are aligned.
///
/// # Safety
///
/// As there.
#[inline]
unsafe fn every_zero<A: Access, const ANYWHERE: bool>(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise, for the same bytes: every offset that is asked for ends at `len` at
    // most, and is aligned unless words may lie anywhere.
    unsafe {
        no_bit::<ANYWHERE>(
            bytes_to_word::<ANYWHERE>(base, len),
            len,
            |at| block::<A>(base.add(at)),
            |at| A::load(base.add(at)),
            |at| A::load(base.add(at)),
        )
    }
}

/// Whether no bit is set in `len` bytes, which are read in blocks and words that lie anywhere, or in
/// words from the offset `front` on.
#[inline(always)]
fn no_bit<const ANYWHERE: bool>(
    front: usize,
    len: usize,
    block: impl Fn(usize) -> [usize; BLOCK],
    word: impl Fn(usize) -> usize,
    byte: impl Fn(usize) -> u8,
) -> bool {
    let byte_is_zero = |at| byte(at) == 0;
    let mut at = front;
    if !(0..at).all(byte_is_zero) {
        return false;
    }
    while let Some(end) = inner::<BLOCK, ANYWHERE>(at, len) {
        if any(block(at)) {
            return false;
        }
        at = end;
    }
    if let Some(last) = last::<BLOCK, ANYWHERE>(len) {
        return !any(block(last));
    }
    while let Some(end) = inner::<1, ANYWHERE>(at, len) {
        if word(at) != 0 {
            return false;
        }
        at = end;
    }
    match last::<1, ANYWHERE>(len) {
        Some(last) => word(last) == 0,
        None => (at..len).all(byte_is_zero),
    }
}

/// The first of `len` bytes that is not the same at `left` and at `right`.
///
/// # Safety
///
/// Both must be valid for reads of `len` initialised bytes. What is `Exclusive` must not be written
/// meanwhile.
#[inline]
pub unsafe fn mismatch<A: Access, B: Access>(
    left: *const u8,
    right: *const u8,
    len: usize,
) -> Option<usize> {
    // SAFETY: the caller's promise, for both; the first and the last word are those of a word and more.
    unsafe {
        if asks_memcmp::<A, B>() {
            if equal(left, right, len) {
                return None;
            }
            return known_difference::<A, B>(left, right, len);
        }
        if A::UNALIGNED && B::UNALIGNED && matches!(len, WORD..=TWO_WORDS) {
            return [0, len.wrapping_sub(WORD)].into_iter().find_map(|at| {
                first_bit(at, A::load::<usize>(left.add(at)) ^ B::load::<usize>(right.add(at)))
            });
        }
        difference::<A, B>(left, right, len)
    }
}

/// Whether the `len` bytes at `left` and `right` are the same.
///
/// # Safety
///
/// As for [`mismatch`], and nothing writes them meanwhile.
#[inline]
unsafe fn equal(left: *const u8, right: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise, for both; without bytes nothing is asked about pointers that may be
    // null. From 8 to 16 bytes are those of a first and a last word.
    unsafe {
        match len {
            0 => true,
            8..=16 if Exclusive::UNALIGNED => {
                // Cold, so that the code after the call of memcmp follows it without a jump.
                unlikely();
                let word = |at: *const u8| Exclusive::load::<u64>(at);
                [0, len.wrapping_sub(8)]
                    .into_iter()
                    .all(|at| word(left.add(at)) == word(right.add(at)))
            }
            _ => memcmp(left.cast(), right.cast(), len) == 0,
        }
    }
}

/// Whether `memcmp` is asked about memory of these kinds: only of what nobody writes meanwhile.
#[inline(always)]
const fn asks_memcmp<A: Access, B: Access>() -> bool {
    ASKS_MEMCMP && A::PLAIN && B::PLAIN
}

/// As [`difference`], by a call: what is to be found once takes no registers from a loop over equal bytes, whose
/// count it kept on the stack.
///
/// # Safety
///
/// As there.
#[cold]
#[inline(never)]
unsafe fn known_difference<A: Access, B: Access>(
    left: *const u8,
    right: *const u8,
    len: usize,
) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { difference::<A, B>(left, right, len) }
}

/// As [`mismatch`], by the words of this target.
///
/// # Safety
///
/// As there.
#[inline]
unsafe fn difference<A: Access, B: Access>(
    left: *const u8,
    right: *const u8,
    len: usize,
) -> Option<usize> {
    // SAFETY: the caller's promise; the first `equal` of these bytes are the same.
    unsafe {
        if !(A::UNALIGNED && B::UNALIGNED) {
            return first_difference::<A, B, false>(left, right, len);
        }
        let equal = if asks_memcmp::<A, B>() { 0 } else { equal_front(left, right, len) };
        let rest = len.wrapping_sub(equal);
        first_difference::<A, B, true>(left.add(equal), right.add(equal), rest)
            .map(|at| equal.wrapping_add(at))
    }
}

/// As [`mismatch`], in blocks and words that lie anywhere, or are aligned on the left side. On the right
/// side only words of exclusive memory may lie otherwise; else the two are compared by bytes.
///
/// # Safety
///
/// As there.
unsafe fn first_difference<A: Access, B: Access, const ANYWHERE: bool>(
    left: *const u8,
    right: *const u8,
    len: usize,
) -> Option<usize> {
    // SAFETY: the caller's promise, for the same bytes: every read ends at `len` at most, and is
    // aligned unless words may lie anywhere.
    unsafe {
        let word = |at: usize| {
            first_bit(at, A::load::<usize>(left.add(at)) ^ B::load::<usize>(right.add(at)))
        };
        let byte = |at: &usize| A::load::<u8>(left.add(*at)) != B::load::<u8>(right.add(*at));
        let alike = ANYWHERE || B::PLAIN || left.align_offset(WORD) == right.align_offset(WORD);
        let mut at = if alike { bytes_to_word::<ANYWHERE>(left, len) } else { len };
        if let Some(found) = (0..at).find(byte) {
            return Some(found);
        }
        while let Some(end) = end::<BLOCK>(at, len) {
            let differing = differing::<A, B>(left.add(at), right.add(at));
            if any(differing) {
                // A copy, so that the loop keeps its own in vector registers.
                return first_bit_of(at, differing.map(|word| word));
            }
            at = end;
        }
        while let Some(end) = end::<1>(at, len) {
            if let Some(found) = word(at) {
                return Some(found);
            }
            at = end;
        }
        match last::<1, ANYWHERE>(len) {
            Some(last) if at < len => word(last),
            _ => (at..len).find(byte),
        }
    }
}

/// The offset of the first byte that has a set bit, in a word at offset `at`.
#[inline]
const fn first_bit(at: usize, bits: usize) -> Option<usize> {
    if bits == 0 {
        return None;
    }
    let same =
        if cfg!(target_endian = "little") { bits.trailing_zeros() } else { bits.leading_zeros() };
    // At most the last byte of the word.
    Some(at.wrapping_add((same >> 3) as usize))
}

/// The offset of the first byte that has a set bit, in a block at offset `at`.
#[cold]
#[inline(never)]
fn first_bit_of(at: usize, block: [usize; BLOCK]) -> Option<usize> {
    let mut words = block.into_iter().enumerate();
    words.find_map(|(index, bits)| first_bit(at.wrapping_add(index.wrapping_mul(WORD)), bits))
}

/// Reads two blocks; the bits that differ.
#[inline(always)]
unsafe fn differing<A: Access, B: Access>(left: *const u8, right: *const u8) -> [usize; BLOCK] {
    // SAFETY: the callers read blocks of theirs.
    let (mut bits, right) = unsafe { (block::<A>(left), block::<B>(right)) };
    bits.iter_mut().zip(right).for_each(|(word, other)| *word ^= other);
    bits
}

/// Reads a block of words, by registers as wide as fill it.
#[inline(always)]
unsafe fn block<A: Access>(at: *const u8) -> [usize; BLOCK] {
    const WIDES: usize = BLOCK * WORD / size_of::<Wide>();
    // SAFETY: the callers read blocks of theirs. So many wide words are as long as a block, and any
    // bytes make integers.
    unsafe {
        if A::PLAIN || !A::UNALIGNED {
            return core::array::from_fn(|word| A::load(at.add(word.wrapping_mul(WORD))));
        }
        let wides: [Wide; WIDES] =
            core::array::from_fn(|wide| A::load(at.add(wide.wrapping_mul(size_of::<Wide>()))));
        core::mem::transmute::<[Wide; WIDES], [usize; BLOCK]>(wides)
    }
}

/// The end of the next `WORDS` words from `at` on, if that is at most `len`.
#[inline]
fn end<const WORDS: usize>(at: usize, len: usize) -> Option<usize> {
    // No memory reaches the end of the address space, so this does not wrap.
    let end = at.wrapping_add(const { WORDS * WORD });
    (end <= len).then_some(end)
}

/// As [`end`], but nothing where those are what [`last`] finds.
#[inline]
fn inner<const WORDS: usize, const ANYWHERE: bool>(at: usize, len: usize) -> Option<usize> {
    end::<WORDS>(at, len).filter(|end| !ANYWHERE || *end < len)
}

/// Where the last `WORDS` words of `len` bytes begin, if `len` holds them and they may lie anywhere.
#[inline]
fn last<const WORDS: usize, const ANYWHERE: bool>(len: usize) -> Option<usize> {
    len.checked_sub(const { WORDS * WORD }).filter(|_| ANYWHERE)
}

/// Bytes at `base` before the first word that can be read at once, at most `len`.
#[inline]
fn bytes_to_word<const ANYWHERE: bool>(base: *const u8, len: usize) -> usize {
    match ANYWHERE {
        true => 0,
        false => base.align_offset(WORD).min(len),
    }
}

/// Whether any bit is set. A branch for each word would keep the words apart.
#[inline]
fn any(block: [usize; BLOCK]) -> bool {
    block.iter().fold(0, |bits, word| bits | word) != 0
}

/// Both ways; each machine takes one. Neither uses `memcmp` here.
#[cfg(test)]
mod tests {
    use super::super::access::Shared;
    use super::*;

    const LONGEST: usize = if cfg!(miri) { 80 } else { 300 };

    /// Each length at each distance from a word, with each of its bytes, or some.
    fn each(mut check: impl FnMut(usize, usize, usize)) {
        for (len, offset) in (0..LONGEST).flat_map(|len| (0..WORD).map(move |offset| (len, offset)))
        {
            (0..=len)
                .step_by(if cfg!(miri) { 40 } else { 1 })
                .for_each(|at| check(offset, len, at));
        }
    }

    #[test]
    fn zeros() {
        let mut bytes = [1; LONGEST + WORD + 1];
        each(|offset, len, at| {
            bytes[offset..][..len].fill(0);
            let base = bytes[offset..].as_ptr();
            // SAFETY: the array has `len` bytes from the offset on.
            assert!(unsafe { every_zero::<Exclusive, true>(base, len) });
            // SAFETY: as above.
            assert!(unsafe { every_zero::<Exclusive, false>(base, len) });
            // SAFETY: as above.
            assert!(unsafe { is_zero::<Shared>(base, len) });
            bytes[offset + at] = 1;
            let base = bytes[offset..].as_ptr();
            // SAFETY: as above.
            let zero = unsafe {
                [
                    every_zero::<Exclusive, true>(base, len),
                    every_zero::<Exclusive, false>(base, len),
                    is_zero::<Shared>(base, len),
                ]
            };
            assert_eq!(zero, [at == len; 3], "{len} bytes at {offset}, not zero at {at}");
            bytes[offset..][..len].fill(1);
        });
    }

    #[test]
    fn differences() {
        let (mut bytes, zeros) = ([0; LONGEST + WORD + 1], [0; LONGEST + 1]);
        each(|offset, len, at| {
            bytes[offset + at] = 1;
            let (left, right) = (bytes[offset..].as_ptr(), zeros.as_ptr());
            let expected = Some(at).filter(|at| *at < len);
            // SAFETY: both arrays have `len` bytes from the pointers on.
            let found = unsafe {
                [
                    first_difference::<Exclusive, Exclusive, true>(left, right, len),
                    first_difference::<Exclusive, Exclusive, false>(left, right, len),
                    difference::<Shared, Shared>(left, right, len),
                    difference::<Shared, Exclusive>(left, right, len),
                    difference::<Exclusive, Shared>(left, right, len),
                ]
            };
            assert_eq!(found, [expected; 5], "{len} bytes at {offset}, other at {at}");
            bytes[offset + at] = 0;
        });
    }
}
