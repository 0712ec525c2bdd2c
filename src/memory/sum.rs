//! Summing 16-bit words with end-around carry, while they are copied or by themselves.
//!
//! A 64-bit word is worth its four 16-bit words modulo 65535, so wide words are added. With vector
//! registers their upper halves are added a second time, by themselves: what is left of the whole
//! without those is the sum of the lower halves, and no addition waits for a carry. Without, the carry
//! of each addition goes into the next one.
//!
//! Memory that others may access is summed in a copy that nobody else accesses, block by block, so that
//! what is summed is what was copied: where it was copied to, or else on the stack.

use super::access::{Access, Exclusive};
use super::copy::copy;

/// Words that are added in a row.
const WORDS: usize = 8;
const BLOCK: usize = WORDS * size_of::<u64>();
/// Words that are added side by side: they fill four registers. Of what fills fewer of 512 bits, compilers
/// make shuffles.
const LANES: usize = match () {
    _ if cfg!(target_feature = "avx512f") => 32,
    _ if cfg!(target_feature = "avx2") => LANES_OF_AVX2,
    _ => 8,
};
const LANES_OF_AVX2: usize = 16;
/// The length in bytes, two blocks of the narrowest vector registers, from which adding up the lanes in the
/// end pays.
const LONG: usize = 128;
/// The length in bytes from which aligning what a copy by whole registers writes pays.
const WORTH_ALIGNING: usize = 1024;
/// Whether there are vector registers, as there are not in most kernels.
const VECTORS: bool = cfg!(any(target_feature = "sse2", target_feature = "neon"));
/// Bytes whose halves of words do not overflow 64 bits, whole blocks of any [`LANES`].
const MANY: usize = 1 << 30;

/// Bytes of memory that others may access which are copied before they are summed; even, so that a
/// block begins with the first byte of a word.
const COPIED: usize = 512;

/// Bytes that are summed where they were copied to, while the nearest cache holds them; even.
const IN_CACHE: usize = 4096;

/// Space for [`COPIED`] bytes.
#[repr(C, align(64))]
struct Block([u8; COPIED]);

/// The folded sum of the native-endian 16-bit words in `len` bytes at `src`, the last one padded with
/// a zero byte; copies them to `dst` if `COPY`.
///
/// # Safety
///
/// `src` must be valid for reads of `len` initialised bytes; if `COPY`, `dst` must be valid for
/// writes, and must not overlap them. What is `Exclusive` must not be accessed by others meanwhile.
#[inline]
pub unsafe fn sum<S: Access, D: Access, const COPY: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> u16 {
    // SAFETY: the caller's promise.
    unsafe {
        match S::PLAIN && D::PLAIN {
            true => sum_exclusive::<COPY>(src, dst, len),
            false => sum_copied::<S, D, COPY>(src, dst, len),
        }
    }
}

/// As [`sum`], of a copy: the one that nobody else accesses of `src`, `dst` and a block on the stack.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn sum_copied<S: Access, D: Access, const COPY: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> u16 {
    let in_place = const { COPY && D::PLAIN };
    let mut space = core::mem::MaybeUninit::<Block>::uninit();
    let (mut sum, mut at) = (0u64, 0usize);
    while at < len {
        let part = len.wrapping_sub(at).min(if in_place { IN_CACHE } else { COPIED });
        // SAFETY: the caller's promise for this part of the bytes; the block has room for them, and
        // nobody else accesses it.
        unsafe {
            let (src, dst) = (src.add(at), dst.add(at));
            let block = if in_place { dst } else { space.as_mut_ptr().cast() };
            copy::<S, Exclusive, false>(src, block, part);
            sum = add(sum, sum_exclusive::<false>(block, block, part).into());
            if COPY && !in_place {
                copy::<Exclusive, D, false>(block, dst, part);
            }
        }
        at = at.wrapping_add(part);
    }
    fold(sum)
}

/// As [`sum`], of memory that nobody else accesses.
///
/// # Safety
///
/// As there.
#[inline]
unsafe fn sum_exclusive<const COPY: bool>(src: *const u8, dst: *mut u8, len: usize) -> u16 {
    // SAFETY: the caller's promise.
    unsafe {
        if VECTORS && len >= LONG {
            return long::<COPY>(src, dst, len);
        }
        tail::<COPY>(src, dst, len, 0, 0)
    }
}

/// As [`sum`], for many bytes, with the vector registers of the target, or by AVX2 where this machine has it.
///
/// # Safety
///
/// As there.
// Not inlined: its calls need registers saved, and short lengths would pay for that.
#[inline(never)]
unsafe fn long<const COPY: bool>(src: *const u8, dst: *mut u8, len: usize) -> u16 {
    #[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2; and the caller's promise.
        return unsafe { with_avx2::<COPY>(src, dst, len) };
    }
    // SAFETY: the caller's promise.
    unsafe { by_lanes::<COPY, LANES>(src, dst, len) }
}

/// As [`by_lanes`], compiled for AVX2.
///
/// # Safety
///
/// As there, on a machine that has it.
#[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2<const COPY: bool>(src: *const u8, dst: *mut u8, len: usize) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { by_lanes::<COPY, LANES_OF_AVX2>(src, dst, len) }
}

/// As [`sum`], as far as possible in blocks of `N` words.
///
/// # Safety
///
/// As there.
// In line, as all below, so that it is compiled for the registers of its caller.
#[inline(always)]
unsafe fn by_lanes<const COPY: bool, const N: usize>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> u16 {
    let (block, register) = const { (N * size_of::<u64>(), N * size_of::<u64>() / 4) };
    let (mut sum, mut at) = (0u64, 0usize);
    // SAFETY: the caller's promise; what lies before an aligned register is shorter than one, and no
    // block ends past `len`.
    unsafe {
        // Writes that cross cache lines take twice as long.
        let front = dst.addr().wrapping_neg() & register.wrapping_sub(1);
        // After an odd number of bytes the halves of each word would be swapped.
        if COPY && len >= WORTH_ALIGNING && front & 1 == 0 {
            sum = tail::<COPY>(src, dst, front, 0, 0).into();
            at = front;
        }
        while len.wrapping_sub(at) >= block {
            let blocks = len.wrapping_sub(at).min(MANY).checked_div(block).unwrap_or(0);
            sum = add(sum, side_by_side::<COPY, N>(src, dst, &mut at, blocks));
        }
        tail::<COPY>(src, dst, len, sum, at)
    }
}

/// The folded sum of `sum` and the words from `at` on, by words.
///
/// # Safety
///
/// As for [`sum`]; `at` is at most `len`.
#[inline(always)]
unsafe fn tail<const COPY: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
    mut sum: u64,
    mut at: usize,
) -> u16 {
    // SAFETY: the caller's promise; each word ends at `len` at most. Where nothing is copied, `dst` is
    // not used.
    unsafe {
        while len.wrapping_sub(at) >= BLOCK {
            sum = in_a_row::<COPY, WORDS>(src, dst, &mut at, sum);
        }
        // Each of these begins at an even distance from the start.
        let rest = len.wrapping_sub(at);
        if rest & 32 != 0 {
            sum = in_a_row::<COPY, 4>(src, dst, &mut at, sum);
        }
        if rest & 16 != 0 {
            sum = in_a_row::<COPY, 2>(src, dst, &mut at, sum);
        }
        if rest & 8 != 0 {
            sum = add(sum, take::<COPY, u64>(src, dst, &mut at));
        }
        if rest & 4 != 0 {
            sum = add(sum, take::<COPY, u32>(src, dst, &mut at).into());
        }
        if rest & 2 != 0 {
            sum = add(sum, take::<COPY, u16>(src, dst, &mut at).into());
        }
        if rest & 1 != 0 {
            let last = [take::<COPY, u8>(src, dst, &mut at), 0];
            sum = add(sum, u16::from_ne_bytes(last).into());
        }
    }
    fold(sum)
}

/// The sum of `sum` and `N` words from `at` on.
///
/// # Safety
///
/// As for [`sum`].
#[inline(always)]
unsafe fn in_a_row<const COPY: bool, const N: usize>(
    src: *const u8,
    dst: *mut u8,
    at: &mut usize,
    mut sum: u64,
) -> u64 {
    // SAFETY: the words are the caller's.
    let words: [u64; N] = unsafe { take::<COPY, _>(src, dst, at) };
    let mut carry = false;
    for word in words {
        (sum, carry) = carrying_add(sum, word, carry);
    }
    add(sum, carry.into())
}

/// The sum of the words in `blocks` blocks of `N` from `at` on, [`MANY`] bytes at most.
///
/// # Safety
///
/// As for [`sum`].
#[inline(always)]
unsafe fn side_by_side<const COPY: bool, const N: usize>(
    src: *const u8,
    dst: *mut u8,
    at: &mut usize,
    blocks: usize,
) -> u64 {
    if !COPY {
        // LLVM makes vectors of a loop that only reads, and scalars of unrolled lanes that nothing stores.
        let (mut whole, mut upper) = (0u64, 0u64);
        for _ in 0..blocks.wrapping_mul(N) {
            // SAFETY: the blocks are the caller's.
            let word: u64 = unsafe { take::<COPY, _>(src, dst, at) };
            whole = whole.wrapping_add(word);
            upper = upper.wrapping_add(word >> 32);
        }
        return halves(whole.wrapping_sub(upper << 32)).wrapping_add(halves(upper));
    }
    let (mut wholes, mut uppers) = ([0u64; N], [0u64; N]);
    for _ in 0..blocks {
        // SAFETY: the blocks are the caller's.
        let words: [u64; N] = unsafe { take::<COPY, _>(src, dst, at) };
        for ((whole, upper), word) in wholes.iter_mut().zip(&mut uppers).zip(words) {
            *whole = whole.wrapping_add(word);
            *upper = upper.wrapping_add(word >> 32);
        }
    }
    let whole = wholes.into_iter().fold(0, u64::wrapping_add);
    let upper = uppers.into_iter().fold(0, u64::wrapping_add);
    halves(whole.wrapping_sub(upper << 32)).wrapping_add(halves(upper))
}

/// Adds with end-around carry.
#[inline(always)]
const fn add(sum: u64, word: u64) -> u64 {
    let (sum, carry) = sum.overflowing_add(word);
    // What carried is too small to carry again.
    sum.wrapping_add(carry as u64)
}

/// Adds with a carry from the addition before, and returns the one for the next.
#[inline(always)]
const fn carrying_add(sum: u64, word: u64, carry: bool) -> (u64, bool) {
    let (sum, one) = sum.overflowing_add(word);
    let (sum, other) = sum.overflowing_add(carry as u64);
    (sum, one | other)
}

/// Reads the integers at `at`, writes them as well if `COPY`, and advances `at` past them.
#[inline(always)]
unsafe fn take<const COPY: bool, T: Copy>(src: *const u8, dst: *mut u8, at: &mut usize) -> T {
    // SAFETY: the caller takes what lies before the end.
    unsafe {
        let word = src.add(*at).cast::<T>().read_unaligned();
        if COPY {
            dst.add(*at).cast::<T>().write_unaligned(word);
        }
        *at = at.wrapping_add(size_of::<T>());
        word
    }
}

/// The sum of both halves, worth the same modulo 65535.
#[inline(always)]
const fn halves(sum: u64) -> u64 {
    (sum >> 32).wrapping_add(sum & 0xffff_ffff)
}

/// Folds a sum to 16 bits with end-around carry.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    // Both halves are in each half of the addend, so the carry of the lower one arrives in the upper one.
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 3 * 256;

    /// Sums, and copies, as many blocks of `N` words as there are; and sums them by themselves.
    fn lanes<const N: usize>(bytes: &[u8]) -> u16 {
        let (mut copy, mut at) = ([0; LONGEST], 0);
        let blocks = bytes.len() / (8 * N);
        // SAFETY: both have this number of bytes.
        let sum =
            unsafe { side_by_side::<true, N>(bytes.as_ptr(), copy.as_mut_ptr(), &mut at, blocks) };
        assert_eq!((at, &copy[..at]), (bytes.len(), bytes));
        let (dst, mut at) = (core::ptr::null_mut(), 0);
        // SAFETY: as above, and nothing is written.
        let alone = unsafe { side_by_side::<false, N>(bytes.as_ptr(), dst, &mut at, blocks) };
        assert_eq!((at, fold(alone)), (bytes.len(), fold(sum)));
        fold(sum)
    }

    #[test]
    fn lanes_of_every_target() {
        let bytes: [u8; LONGEST] = core::array::from_fn(|at| (at * at / 3) as u8);
        for bytes in [&bytes[..], &[0xff; 512], &[0; 256]] {
            let words = bytes.chunks_exact(2).map(|word| u16::from_ne_bytes([word[0], word[1]]));
            let sum = fold(words.map(u64::from).sum());
            assert_eq!([lanes::<8>(bytes), lanes::<16>(bytes), lanes::<32>(bytes)], [sum; 3]);
        }
    }

    #[test]
    fn folding_keeps_the_remainder() {
        assert_eq!(fold(0), 0);
        let corners = [1, 0xffff, 0x1_0000, 0xffff_ffff, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX];
        let others = (1..100).map(|part| u64::MAX / 101 * part).chain((0..63).map(|bit| 3 << bit));
        for sum in corners.into_iter().chain(others) {
            assert_eq!(u64::from(fold(sum)), (sum - 1) % 0xffff + 1, "{sum:#x}");
        }
    }
}
