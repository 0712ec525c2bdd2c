//! Summing 16-bit words with end-around carry, while they are copied or by themselves.
//!
//! A 64-bit word is worth its four 16-bit words modulo 65535, so wide words are added. Their upper
//! halves are added a second time, by themselves: what is left of the whole without those is the sum
//! of the lower halves, and no addition waits for a carry.

/// Words that are added side by side.
const LANES: usize = if VECTORS { 8 } else { 2 };
const BLOCK: usize = LANES * size_of::<u64>();
/// Whether there are vector registers for them, as there are not in most kernels.
const VECTORS: bool = cfg!(any(target_feature = "sse2", target_feature = "neon"));
/// Bytes whose halves of words do not overflow 64 bits, whole blocks.
const MANY: usize = 1 << 30;

/// The folded sum of the native-endian 16-bit words in `len` bytes at `src`, the last one padded with
/// a zero byte; copies them to `dst` if `COPY`.
///
/// # Safety
///
/// `src` must be valid for reads of `len` initialised bytes; if `COPY`, `dst` must be valid for
/// writes, and must not overlap them.
#[inline]
pub unsafe fn sum<const COPY: bool>(src: *const u8, dst: *mut u8, len: usize) -> u16 {
    // SAFETY: the caller's promise, for parts of the bytes. Where nothing is copied, `dst` is not used.
    unsafe {
        let mut sum = sum_many::<COPY>(src, dst, len.min(MANY));
        let mut at = MANY;
        while at < len {
            let many = len.wrapping_sub(at).min(MANY);
            let next = sum_many::<COPY>(src.add(at), dst.wrapping_add(at), many);
            sum = halves(sum).wrapping_add(next);
            at = at.saturating_add(MANY);
        }
        fold(sum)
    }
}

/// The sum of up to [`MANY`] bytes, in 34 bits.
///
/// # Safety
///
/// As for [`sum`].
#[inline]
unsafe fn sum_many<const COPY: bool>(src: *const u8, dst: *mut u8, len: usize) -> u64 {
    let (mut whole, mut upper) = (0u64, 0u64);
    let mut at = 0usize;
    // SAFETY: the caller's promise; each word ends at `len` at most.
    unsafe {
        if len >= 2 * BLOCK {
            let (mut wholes, mut uppers) = ([0u64; LANES], [0u64; LANES]);
            for _ in 0..len / BLOCK {
                let words: [u64; LANES] = take::<COPY, _>(src, dst, &mut at);
                for ((whole, upper), word) in wholes.iter_mut().zip(&mut uppers).zip(words) {
                    *whole = whole.wrapping_add(word);
                    *upper = upper.wrapping_add(word >> 32);
                }
            }
            whole = wholes.into_iter().fold(0, u64::wrapping_add);
            upper = uppers.into_iter().fold(0, u64::wrapping_add);
        }
        let rest = len.wrapping_sub(at);
        for _ in 0..rest >> 3 {
            let word = take::<COPY, u64>(src, dst, &mut at);
            whole = whole.wrapping_add(word);
            upper = upper.wrapping_add(word >> 32);
        }
        // Each of these begins at an even distance from the start.
        if rest & 4 != 0 {
            whole = whole.wrapping_add(u64::from(take::<COPY, u32>(src, dst, &mut at)));
        }
        if rest & 2 != 0 {
            whole = whole.wrapping_add(u64::from(take::<COPY, u16>(src, dst, &mut at)));
        }
        if rest & 1 != 0 {
            let last = [take::<COPY, u8>(src, dst, &mut at), 0];
            whole = whole.wrapping_add(u64::from(u16::from_ne_bytes(last)));
        }
    }
    halves(whole.wrapping_sub(upper << 32)).wrapping_add(halves(upper))
}

/// Reads the integers at `at`, writes them too if `COPY`, and moves behind them.
#[inline(always)]
unsafe fn take<const COPY: bool, T: Copy>(src: *const u8, dst: *mut u8, at: &mut usize) -> T {
    // SAFETY: the caller takes what lies in front of the end.
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
    // 33, 18 and 17 bits, and then no more than 16.
    let sum = halves(sum);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    (sum >> 16).wrapping_add(sum & 0xffff) as u16
}
