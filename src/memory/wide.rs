//! Looking at bytes many at a time: a block of machine words, which the compiler turns into vector
//! registers where there are any, then single words, then bytes.
//!
//! Where words may lie anywhere, the last block or word ends with the last byte, and overlaps the one
//! in front of it; elsewhere the bytes around the aligned words are looked at one by one.

use core::ffi::{c_int, c_void};

use super::copy::UNALIGNED;
use super::unlikely;

/// Words in a block: a cache line on 64-bit machines.
const BLOCK: usize = 8;
const WORD: usize = size_of::<usize>();

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
/// They must be valid for reads and initialised.
#[inline]
pub unsafe fn is_zero(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { every_zero::<UNALIGNED>(base, len) }
}

/// As [`is_zero`], in words that lie anywhere, or are aligned.
///
/// # Safety
///
/// As there.
#[inline]
unsafe fn every_zero<const ANYWHERE: bool>(base: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise, for the same bytes: every read ends at `len` at most.
    unsafe {
        let byte_is_zero = |at| base.add(at).read() == 0;
        let mut at = bytes_to_word::<ANYWHERE>(base, len);
        if !(0..at).all(byte_is_zero) {
            return false;
        }
        while let Some(end) = inner::<BLOCK, ANYWHERE>(at, len) {
            if any(read::<[usize; BLOCK], ANYWHERE>(base.add(at))) {
                return false;
            }
            at = end;
        }
        if let Some(last) = last::<BLOCK, ANYWHERE>(len) {
            return !any(read::<[usize; BLOCK], ANYWHERE>(base.add(last)));
        }
        while let Some(end) = inner::<1, ANYWHERE>(at, len) {
            if read::<usize, ANYWHERE>(base.add(at)) != 0 {
                return false;
            }
            at = end;
        }
        match last::<1, ANYWHERE>(len) {
            Some(last) => read::<usize, ANYWHERE>(base.add(last)) == 0,
            None => (at..len).all(byte_is_zero),
        }
    }
}

/// The first of `len` bytes that is not the same at `left` and at `right`.
///
/// # Safety
///
/// Both must be valid for reads of `len` initialised bytes.
#[inline]
pub unsafe fn mismatch(left: *const u8, right: *const u8, len: usize) -> Option<usize> {
    // SAFETY: the caller's promise, for both.
    unsafe {
        if ASKS_MEMCMP && equal(left, right, len) {
            return None;
        }
        first_difference::<UNALIGNED>(left, right, len)
    }
}

/// Whether the `len` bytes at `left` and `right` are the same.
///
/// # Safety
///
/// As for [`mismatch`].
#[inline]
pub unsafe fn equal(left: *const u8, right: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise, for both; without bytes nothing is asked about pointers that may be
    // null. From 8 to 16 bytes are those of a first and a last word.
    unsafe {
        match len {
            0 => true,
            8..=16 if UNALIGNED => {
                // What is behind the call of memcmp follows it directly.
                unlikely();
                [0, len.wrapping_sub(8)]
                    .into_iter()
                    .all(|at| read::<u64, true>(left.add(at)) == read::<u64, true>(right.add(at)))
            }
            _ if ASKS_MEMCMP => memcmp(left.cast(), right.cast(), len) == 0,
            _ => first_difference::<UNALIGNED>(left, right, len).is_none(),
        }
    }
}

/// As [`mismatch`], in blocks and words, of which those at `left` lie anywhere, or are aligned.
///
/// # Safety
///
/// As there.
unsafe fn first_difference<const ANYWHERE: bool>(
    left: *const u8,
    right: *const u8,
    len: usize,
) -> Option<usize> {
    // SAFETY: the caller's promise, for the same bytes: every read ends at `len` at most. Only
    // `left` is aligned.
    unsafe {
        let differs = |at: &usize| left.add(*at).read() != right.add(*at).read();
        let word_differs = |at: usize| {
            read::<usize, ANYWHERE>(left.add(at)) != right.add(at).cast::<usize>().read_unaligned()
        };
        let mut at = bytes_to_word::<ANYWHERE>(left, len);
        if let Some(found) = (0..at).find(differs) {
            return Some(found);
        }
        while let Some(end) = end::<BLOCK>(at, len) {
            let mut block = read::<[usize; BLOCK], ANYWHERE>(left.add(at));
            let other = right.add(at).cast::<[usize; BLOCK]>().read_unaligned();
            block.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
            if any(block) {
                break;
            }
            at = end;
        }
        while let Some(end) = end::<1>(at, len) {
            if word_differs(at) {
                return (at..end).find(differs);
            }
            at = end;
        }
        match last::<1, ANYWHERE>(len) {
            Some(last) if !word_differs(last) => None,
            _ => (at..len).find(differs),
        }
    }
}

/// Reads words that lie `ANYWHERE`, or are aligned.
#[inline(always)]
unsafe fn read<T, const ANYWHERE: bool>(at: *const u8) -> T {
    // SAFETY: the callers read initialised bytes of theirs, made into integers.
    unsafe {
        match ANYWHERE {
            true => at.cast::<T>().read_unaligned(),
            false => at.cast::<T>().read(),
        }
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

/// Where the last `WORDS` words of `len` bytes begin, if there are so many and they may lie anywhere.
#[inline]
fn last<const WORDS: usize, const ANYWHERE: bool>(len: usize) -> Option<usize> {
    len.checked_sub(const { WORDS * WORD }).filter(|_| ANYWHERE)
}

/// Bytes at `base` in front of the first word that can be read at once, at most `len`.
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

/// Both ways, of which each machine takes one, and neither of them behind `memcmp`.
#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = if cfg!(miri) { 80 } else { 200 };

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
            // SAFETY: the array has so many bytes behind the offset.
            assert!(unsafe { every_zero::<true>(base, len) && every_zero::<false>(base, len) });
            bytes[offset + at] = 1;
            let base = bytes[offset..].as_ptr();
            // SAFETY: as above.
            let zero = unsafe { (every_zero::<true>(base, len), every_zero::<false>(base, len)) };
            assert_eq!(zero, (at == len, at == len), "{len} bytes at {offset}, not zero at {at}");
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
            // SAFETY: both arrays have so many bytes behind the pointers.
            let found = unsafe {
                (
                    first_difference::<true>(left, right, len),
                    first_difference::<false>(left, right, len),
                )
            };
            assert_eq!(found, (expected, expected), "{len} bytes at {offset}, other at {at}");
            bytes[offset + at] = 0;
        });
    }
}
