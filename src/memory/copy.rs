//! Moving bytes: small pieces in line, others by the `memcpy`, `memmove` and `memset` of the target.
//!
//! A call costs more than moving a few words, and `rep movsb` in a kernel far more. A small piece is
//! one read for its front and one for its back, which overlap unless it is as long as both.

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
const SMALLER: usize = if SMALL > 32 { 33 } else { SMALL };

/// Whether the target reads words at any address, in one instruction.
pub const UNALIGNED: bool = cfg!(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "s390x",
    target_arch = "powerpc64",
    // Firmware may run without an MMU, where memory must be accessed aligned.
    all(target_arch = "aarch64", not(any(target_os = "none", target_os = "uefi"))),
));

/// Copies `len` bytes.
///
/// # Safety
///
/// `src` must be valid for reads of `len` initialised bytes and `dst` for writes. They must not
/// overlap unless `OVERLAP`.
// Where speed counts the compiler puts it in line; where size does, all copies share it, which a hint
// would prevent.
pub unsafe fn copy<const OVERLAP: bool>(src: *const u8, dst: *mut u8, len: usize) {
    // SAFETY: the caller's promise; everything in line is at most `len` bytes long, starts at the
    // front or ends at `len`, and if they may overlap reads all before it writes any.
    unsafe {
        match len {
            SMALLER.. if len > SMALL && OVERLAP => src.copy_to(dst, len),
            SMALLER.. if len > SMALL => src.copy_to_nonoverlapping(dst, len),
            33.. if OVERLAP => {
                unlikely();
                // Not two reads of 32 bytes: they would go through the stack.
                let (end, dst_end) = (src.add(len), dst.add(len));
                let front: [u128; 2] = [load(src), load(src.add(16))];
                let back: [u128; 2] = [load(end.sub(32)), load(end.sub(16))];
                store(dst, front[0]);
                store(dst.add(16), front[1]);
                store(dst_end.sub(32), back[0]);
                store(dst_end.sub(16), back[1]);
            }
            33.. => {
                unlikely();
                // The front last: two ways that end alike would be made to share their ends, by a jump.
                ends::<u128>(src.add(len).sub(32), dst.add(len).sub(32), 32);
                ends::<u128>(src, dst, 32);
            }
            // What is behind the copy follows this one directly, the others stand aside: a jump weighs most
            // where there is least to copy.
            16.. => ends::<u128>(src, dst, len),
            _ => {
                unlikely();
                match len {
                    8.. => ends::<u64>(src, dst, len),
                    4.. => ends::<u32>(src, dst, len),
                    // Up to 3 bytes: first, middle, last.
                    1.. => {
                        let middle: u8 = load(src.add(len >> 1));
                        ends::<u8>(src, dst, len);
                        store(dst.add(len >> 1), middle);
                    }
                    0 => {}
                }
            }
        }
    }
}

/// Copies the first and the last bytes, as many as a `T` has.
#[inline(always)]
unsafe fn ends<T>(src: *const u8, dst: *mut u8, len: usize) {
    // SAFETY: both are at least as long as a `T`, which is an integer.
    unsafe {
        let (front, back): (T, T) = (load(src), load(src.add(len).sub(size_of::<T>())));
        store(dst, front);
        store(dst.add(len).sub(size_of::<T>()), back);
    }
}

/// Reads an integer at any address.
#[inline(always)]
unsafe fn load<T>(src: *const u8) -> T {
    // SAFETY: the callers read initialised bytes of theirs.
    unsafe { src.cast::<T>().read_unaligned() }
}

/// Writes an integer at any address.
#[inline(always)]
unsafe fn store<T>(dst: *mut u8, value: T) {
    // SAFETY: the callers write bytes of theirs.
    unsafe { dst.cast::<T>().write_unaligned(value) }
}

/// Sets `len` bytes to `value`.
///
/// # Safety
///
/// `dst` must be valid for writes of `len` bytes.
#[inline(always)]
pub unsafe fn fill(dst: *mut u8, value: u8, len: usize) {
    // SAFETY: as for `copy`.
    unsafe {
        match len {
            SMALLER.. if len > SMALL => dst.write_bytes(value, len),
            33.. => fill_ends(dst, [value; 32], len),
            16.. => fill_ends(dst, [value; 16], len),
            8.. => fill_ends(dst, [value; 8], len),
            4.. => fill_ends(dst, [value; 4], len),
            1.. => {
                store(dst.add(len >> 1), value);
                fill_ends(dst, value, len);
            }
            0 => {}
        }
    }
}

/// Sets the first and the last bytes, as many as `bytes` has, to those.
#[inline(always)]
unsafe fn fill_ends<T: Copy>(dst: *mut u8, bytes: T, len: usize) {
    // SAFETY: `dst` is at least as long as a `T`.
    unsafe {
        store(dst, bytes);
        store(dst.add(len).sub(size_of::<T>()), bytes);
    }
}
