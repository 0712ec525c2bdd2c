//! Moving bytes: small pieces in line, others by the `memcpy`, `memmove` and `memset` of the target, or, where
//! others may access the memory, by registers in a loop.
//!
//! A call costs more than moving a few words, and `rep movsb` in a kernel far more. A small piece is
//! one read for its front and one for its back, which overlap unless it is as long as both.
//!
//! | length | one `UNALIGNED` read takes | elsewhere |
//! |---|---|---|
//! | 0 to 64 | front and back, in line | by the rows below |
//! | more, both exclusive | `memcpy`, `memmove` | `memcpy`, `memmove` |
//! | more, one shared | blocks of registers, or a string instruction | words where both lie alike, else bytes |

use super::access::{Access, Exclusive, Sealed};
use super::defined::{self, Wide, Word};
use super::unlikely;

/// The most bytes moved in line; 0 where words must be aligned, which only the callee sorts out.
const SMALL: usize = match (UNALIGNED, usize::BITS) {
    (false, _) => 0,
    // As long as twice, or four times, the widest type below that the registers hold.
    (true, 64) => 64,
    (true, _) => 16,
};

/// More than one pair of words holds, or [`SMALL`]. This test comes first, so that the smallest pieces
/// pass one less.
const SMALLER: usize = match SMALL {
    64 => 33,
    small => small,
};

/// Bytes that [`by_registers`] moves at once.
const BLOCK: usize = 4 * size_of::<Wide>();

/// Whether the target reads words at any address, in one instruction.
pub const UNALIGNED: bool = cfg!(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "s390x",
    target_arch = "powerpc64",
    // Firmware may run without an MMU, where memory must be accessed aligned.
    all(target_arch = "aarch64", not(any(target_os = "none", target_os = "uefi"))),
));

/// Whether words are moved between memory of these kinds at any address.
const fn unaligned<S: Access, D: Access>() -> bool {
    S::UNALIGNED && D::UNALIGNED
}

/// Copies `len` bytes.
///
/// # Safety
///
/// `src` must be valid for reads of `len` initialised bytes and `dst` for writes. They must not
/// overlap unless `OVERLAP`. What is `Exclusive` must not be accessed by others meanwhile.
// Where speed counts the compiler puts it in line; where size does, all copies share it, which a hint
// would prevent.
pub unsafe fn copy<S: Access, D: Access, const OVERLAP: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise; everything in line is at most `len` bytes long, starts at the
    // front or ends at `len`, and if they may overlap reads all before it writes any.
    unsafe {
        if UNALIGNED && !const { unaligned::<S, D>() } {
            return many::<S, D, OVERLAP>(src, dst, len);
        }
        match len {
            SMALLER.. if len > SMALL => many::<S, D, OVERLAP>(src, dst, len),
            33.. if OVERLAP => {
                unlikely();
                // Not two reads of 32 bytes: they would go through the stack.
                let (end, dst_end) = (src.add(len), dst.add(len));
                let front: [Wide; 2] = [S::load(src), S::load(src.add(16))];
                let back: [Wide; 2] = [S::load(end.sub(32)), S::load(end.sub(16))];
                D::store(dst, front[0]);
                D::store(dst.add(16), front[1]);
                D::store(dst_end.sub(32), back[0]);
                D::store(dst_end.sub(16), back[1]);
            }
            33.. => {
                unlikely();
                // The front last: two ways that end alike would be made to share their ends, by a jump.
                ends::<S, D, Wide>(src.add(len).sub(32), dst.add(len).sub(32), 32);
                ends::<S, D, Wide>(src, dst, 32);
            }
            // The code after the copy follows this case without a jump, the others are cold: a jump weighs
            // most where there is least to copy.
            16.. => ends::<S, D, Wide>(src, dst, len),
            _ => {
                unlikely();
                match len {
                    8.. => ends::<S, D, u64>(src, dst, len),
                    4.. => ends::<S, D, u32>(src, dst, len),
                    2.. if !const { plain::<S, D>() } => ends::<S, D, u16>(src, dst, len),
                    1 if !const { plain::<S, D>() } => ends::<S, D, u8>(src, dst, len),
                    // Up to 3 bytes: first, middle, last.
                    1.. => {
                        let middle: u8 = S::load(src.add(len >> 1));
                        ends::<S, D, u8>(src, dst, len);
                        D::store(dst.add(len >> 1), middle);
                    }
                    0 => {}
                }
            }
        }
    }
}

/// Whether nobody else accesses memory of either kind.
const fn plain<S: Access, D: Access>() -> bool {
    S::PLAIN && D::PLAIN
}

/// Copies the first and the last `size_of::<T>()` bytes; a single `T` by one access.
#[inline(always)]
unsafe fn ends<S: Access, D: Access, T: Word>(src: *const u8, dst: *mut u8, len: usize) {
    // SAFETY: both are at least as long as a `T`.
    unsafe {
        let front: T = S::load(src);
        if !const { plain::<S, D>() } && len == size_of::<T>() {
            return D::store(dst, front);
        }
        let back: T = S::load(src.add(len).sub(size_of::<T>()));
        D::store(dst, front);
        D::store(dst.add(len).sub(size_of::<T>()), back);
    }
}

/// As [`copy`], for as many bytes as are not moved in line.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn many<S: Access, D: Access, const OVERLAP: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match const { (plain::<S, D>(), unaligned::<S, D>()) } {
            (true, _) if OVERLAP => src.copy_to(dst, len),
            (true, _) => src.copy_to_nonoverlapping(dst, len),
            (false, true) => by_registers::<S, D, OVERLAP>(src, dst, len),
            (false, false) => by_words::<S, D, OVERLAP>(src, dst, len),
        }
    }
}

/// Whether `dst` lies within the bytes at `src` and not at their start: a copy must go downward.
#[inline]
fn goes_downward(src: *const u8, dst: *const u8, len: usize) -> bool {
    let distance = dst.addr().wrapping_sub(src.addr());
    0 < distance && distance < len
}

/// Copies more than [`SMALL`] bytes by blocks of registers, which may lie anywhere.
///
/// # Safety
///
/// As for [`copy`].
// Not in line: a loop of assembly, which a caller's registers would only be in the way of.
#[inline(never)]
unsafe fn by_registers<S: Access, D: Access, const OVERLAP: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise. Each block lies within `len` bytes. The one that ends the copy is
    // read before anything that it overlaps can have been written, and written last.
    unsafe {
        if OVERLAP && goes_downward(src, dst, len) {
            unlikely();
            let first: [Wide; 4] = load_block::<S>(src);
            let mut end = len;
            while end > BLOCK {
                end = end.wrapping_sub(BLOCK);
                store_block::<D>(dst.add(end), load_block::<S>(src.add(end)));
            }
            return store_block::<D>(dst, first);
        }
        if defined::copy_string(src, dst, len) {
            return;
        }
        let tail = len.wrapping_sub(BLOCK);
        let last: [Wide; 4] = load_block::<S>(src.add(tail));
        let mut at = 0;
        while at < tail {
            store_block::<D>(dst.add(at), load_block::<S>(src.add(at)));
            at = at.wrapping_add(BLOCK);
        }
        store_block::<D>(dst.add(tail), last);
    }
}

/// Reads a [`BLOCK`].
#[inline(always)]
unsafe fn load_block<S: Access>(src: *const u8) -> [Wide; 4] {
    // SAFETY: the callers read blocks of theirs.
    unsafe { [S::load(src), S::load(src.add(16)), S::load(src.add(32)), S::load(src.add(48))] }
}

/// Writes a [`BLOCK`].
#[inline(always)]
unsafe fn store_block<D: Access>(dst: *mut u8, [a, b, c, d]: [Wide; 4]) {
    // SAFETY: the callers write blocks of theirs.
    unsafe {
        D::store(dst, a);
        D::store(dst.add(16), b);
        D::store(dst.add(32), c);
        D::store(dst.add(48), d);
    }
}

/// Copies by words where both sides lie alike, and by bytes elsewhere; an aligned integer by one
/// access.
///
/// # Safety
///
/// As for [`copy`].
unsafe fn by_words<S: Access, D: Access, const OVERLAP: bool>(
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise. Every byte and word lies within `len` bytes, words are aligned on
    // both sides, and each is read before it is overwritten, as the direction takes care of.
    unsafe {
        match len {
            8 if size_of::<usize>() == 8 => return integer::<S, D, u64, 8>(src, dst),
            4 => return integer::<S, D, u32, 4>(src, dst),
            2 => return integer::<S, D, u16, 2>(src, dst),
            _ => {}
        }
        let byte = |at: usize| D::store::<u8>(dst.add(at), S::load(src.add(at)));
        let word = |at: usize| D::store::<usize>(dst.add(at), S::load(src.add(at)));
        let front = src.align_offset(WORD);
        let front = if dst.align_offset(WORD) == front { front.min(len) } else { len };
        let words = len.wrapping_sub(front) & WORD.wrapping_neg();
        let back = front.wrapping_add(words);
        if OVERLAP && goes_downward(src, dst, len) {
            (back..len).rev().for_each(byte);
            (front..back).step_by(WORD).rev().for_each(word);
            (0..front).rev().for_each(byte);
        } else {
            (0..front).for_each(byte);
            (front..back).step_by(WORD).for_each(word);
            (back..len).for_each(byte);
        }
    }
}

const WORD: usize = size_of::<usize>();

/// Copies an integer of `N` bytes by one access on each side where it lies aligned.
#[inline]
unsafe fn integer<S: Access, D: Access, T: Word, const N: usize>(src: *const u8, dst: *mut u8) {
    // SAFETY: both sides have `N` bytes, the size of a `T`, and so has the array, which nobody else
    // accesses.
    unsafe {
        let mut bytes = [0u8; N];
        if src.align_offset(N) == 0 {
            Exclusive::store::<T>(bytes.as_mut_ptr(), S::load(src));
        } else {
            bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = S::load(src.add(at)));
        }
        if dst.align_offset(N) == 0 {
            D::store::<T>(dst, Exclusive::load(bytes.as_ptr()));
        } else {
            bytes.iter().enumerate().for_each(|(at, &byte)| D::store(dst.add(at), byte));
        }
    }
}

/// Sets `len` bytes to `value`.
///
/// # Safety
///
/// `dst` must be valid for writes of `len` bytes. What is `Exclusive` must not be accessed by others
/// meanwhile.
#[inline(always)]
pub unsafe fn fill<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: as for `copy`.
    unsafe {
        if UNALIGNED && !D::UNALIGNED {
            return fill_many::<D>(dst, value, len);
        }
        match len {
            SMALLER.. if len > SMALL => fill_many::<D>(dst, value, len),
            33.. => {
                let wide = splat(value);
                fill_ends::<D, Wide>(dst, wide, 32);
                fill_ends::<D, Wide>(dst.add(len).sub(32), wide, 32);
            }
            16.. => fill_ends::<D, Wide>(dst, splat(value), len),
            _ if const { D::PLAIN } => fill_short::<D>(dst, value, len),
            _ => fill_short_called::<D>(dst, value, len),
        }
    }
}

/// As [`fill`], for less than 16 bytes.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn fill_short<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            8.. => fill_ends::<D, u64>(dst, u64::from_ne_bytes([value; 8]), len),
            4.. => fill_ends::<D, u32>(dst, u32::from_ne_bytes([value; 4]), len),
            2.. => fill_ends::<D, u16>(dst, u16::from_ne_bytes([value; 2]), len),
            1 => D::store(dst, value),
            0 => {}
        }
    }
}

/// As [`fill_short`], by a call: with as much assembly in line, loops of fills are not put in line themselves,
/// and a call is made for every length.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn fill_short_called<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { fill_short::<D>(dst, value, len) };
}

/// Sixteen bytes of one value.
#[inline(always)]
fn splat(value: u8) -> Wide {
    // SAFETY: a `Wide` is 16 bytes, which the array has.
    unsafe { Exclusive::load([value; 16].as_ptr()) }
}

/// Sets the first and the last `size_of::<T>()` bytes to `word`; a single integer by one access.
#[inline(always)]
unsafe fn fill_ends<D: Access, T: Word>(dst: *mut u8, word: T, len: usize) {
    // SAFETY: `dst` is at least as long as a `T`.
    unsafe {
        D::store(dst, word);
        if D::PLAIN || size_of::<T>() == size_of::<Wide>() || len > size_of::<T>() {
            D::store(dst.add(len).sub(size_of::<T>()), word);
        }
    }
}

/// As [`fill`], for as many bytes as are not set in line.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn fill_many<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if D::PLAIN {
            dst.write_bytes(value, len);
        } else if D::UNALIGNED {
            fill_by_registers::<D>(dst, value, len);
        } else {
            fill_by_words::<D>(dst, value, len);
        }
    }
}

/// Sets more than [`SMALL`] bytes by blocks of registers.
///
/// # Safety
///
/// As for [`fill`].
#[inline(never)]
unsafe fn fill_by_registers<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: the caller's promise; each block lies within `len` bytes.
    unsafe {
        if defined::fill_string(dst, value, len) {
            return;
        }
        let (block, tail) = ([splat(value); 4], len.wrapping_sub(BLOCK));
        let mut at = 0;
        while at < tail {
            store_block::<D>(dst.add(at), block);
            at = at.wrapping_add(BLOCK);
        }
        store_block::<D>(dst.add(tail), block);
    }
}

/// Sets bytes by aligned words; an aligned integer by one access.
///
/// # Safety
///
/// As for [`fill`].
unsafe fn fill_by_words<D: Access>(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: the caller's promise. Every byte and word lies within `len` bytes, words are aligned.
    unsafe {
        match len {
            4 if dst.align_offset(4) == 0 => return D::store(dst, u32::from_ne_bytes([value; 4])),
            2 if dst.align_offset(2) == 0 => return D::store(dst, u16::from_ne_bytes([value; 2])),
            _ => {}
        }
        let word = usize::from_ne_bytes([value; WORD]);
        let front = dst.align_offset(WORD).min(len);
        let words = len.wrapping_sub(front) & WORD.wrapping_neg();
        let back = front.wrapping_add(words);
        (0..front).for_each(|at| D::store(dst.add(at), value));
        (front..back).step_by(WORD).for_each(|at| D::store(dst.add(at), word));
        (back..len).for_each(|at| D::store(dst.add(at), value));
    }
}

/// The way of targets whose words must be aligned, on any target.
#[cfg(test)]
mod tests {
    use super::super::access::Shared;
    use super::*;

    const LENGTHS: usize = 40;

    /// Each length at each place of a source and a destination in a word, and both memories.
    fn each(mut check: impl FnMut(usize, usize, usize, &mut [u8], &mut [u8])) {
        for len in (0..LENGTHS).filter(|len| !cfg!(miri) || [2, 3, 8, 23].contains(len)) {
            for (from, to) in (0..WORD).flat_map(|from| (0..2 * WORD).map(move |to| (from, to))) {
                let mut memory: [u8; LENGTHS + 3 * WORD] = core::array::from_fn(|at| at as u8);
                let mut model = memory;
                check(from, to, len, &mut memory, &mut model);
                assert_eq!(memory, model, "{len} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    fn copies_by_words_write_their_bytes_and_no_other() {
        each(|from, to, len, memory, model| {
            model.copy_within(from..from + len, to);
            let base = memory.as_mut_ptr();
            // SAFETY: both have `len` bytes at their offsets.
            unsafe { by_words::<Shared, Shared, true>(base.add(from), base.add(to), len) };
        });
    }

    #[test]
    fn fills_by_words_write_their_bytes_and_no_other() {
        each(|_, to, len, memory, model| {
            model[to..][..len].fill(0xa5);
            // SAFETY: there are `len` bytes at the offset.
            unsafe { fill_by_words::<Shared>(memory.as_mut_ptr().add(to), 0xa5, len) };
        });
    }

    /// Bytes around each copy, which must not change.
    const ROOM: usize = 150;
    const LONGEST: usize = if cfg!(miri) { 70 } else { 2200 };

    /// Lengths around those from which on a copy goes another way.
    fn lens() -> impl Iterator<Item = usize> {
        let (step, all) = if cfg!(miri) { (23, 30) } else { (149, 420) };
        let far = (all..LONGEST).step_by(step);
        (0..all).chain(far).chain((LONGEST > 2048).then_some(2047..2050).into_iter().flatten())
    }

    #[test]
    fn shared_memory_is_copied_at_every_length_wherever_it_overlaps() {
        let bytes: [u8; 2 * ROOM + LONGEST] = core::array::from_fn(|at| (at * at / 7) as u8);
        for len in lens() {
            for to in [0, 1, 31, 33, 63, 64, 97, 99, 100, 101, 117, 127, 132, 150] {
                let mut expected = bytes;
                expected.copy_within(100..100 + len, to);
                let mut copied = bytes;
                let base = copied.as_mut_ptr();
                // SAFETY: both parts lie in the array, which has that much room.
                unsafe { copy::<Shared, Shared, true>(base.add(100), base.add(to), len) };
                assert!(copied == expected, "{len} bytes from 100 to {to}");

                let mut apart = [0; 2 * ROOM + LONGEST];
                let mut expected = apart;
                expected[to..to + len].copy_from_slice(&bytes[to / 2..][..len]);
                let (src, dst) = (bytes.as_ptr(), apart.as_mut_ptr());
                // SAFETY: as above, in two arrays.
                unsafe { copy::<Shared, Exclusive, false>(src.add(to / 2), dst.add(to), len) };
                assert!(apart == expected, "{len} bytes to {to} of another array");
            }
        }
    }

    #[test]
    fn shared_memory_is_filled_at_every_length() {
        for len in lens() {
            for to in [0, 1, 31, 33, 64, 97] {
                let mut filled = [1; 2 * ROOM + LONGEST];
                let mut expected = filled;
                expected[to..to + len].fill(0xa7);
                // SAFETY: the part lies in the array.
                unsafe { fill::<Shared>(filled.as_mut_ptr().add(to), 0xa7, len) };
                assert!(filled == expected, "{len} bytes at {to}");
            }
        }
    }
}
