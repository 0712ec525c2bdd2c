//! x86-64: `mov` for integers, `movups` for 16 bytes, string instructions for many.
//!
//! The string instructions go upward: the direction flag is clear where Rust code runs.

use core::arch::asm;

#[cfg(all(
    target_feature = "sse2",
    not(iov_iter_no_vectors),
    any(feature = "std", target_feature = "avx")
))]
#[path = "avx.rs"]
mod avx;
#[cfg(not(all(
    target_feature = "sse2",
    not(iov_iter_no_vectors),
    any(feature = "std", target_feature = "avx")
)))]
#[path = "no_avx.rs"]
mod avx;
pub use avx::{equal_front, zero_front};

use super::Word;

/// Whether accesses are assembly.
pub const ASSEMBLY: bool = true;

/// Whether there are vector registers. Kernels and firmware are compiled without; a program that asks for
/// their form with `--cfg iov_iter_no_vectors` gets it, so that its tests can run.
const VECTORS: bool = cfg!(all(target_feature = "sse2", not(iov_iter_no_vectors)));

/// Bytes from which on a string instruction is not slower than registers in a loop.
const STRING: usize = if VECTORS { 2048 } else { 256 };

/// 16 bytes.
#[cfg(all(target_feature = "sse2", not(iov_iter_no_vectors)))]
pub type Wide = core::arch::x86_64::__m128i;
/// 16 bytes.
#[cfg(any(not(target_feature = "sse2"), iov_iter_no_vectors))]
pub type Wide = u128;

words! {
    u8, reg_byte, "mov {0}, byte ptr [{src}]", "mov byte ptr [{dst}], {0}";
    u16, reg, "mov {0:x}, word ptr [{src}]", "mov word ptr [{dst}], {0:x}";
    u32, reg, "mov {0:e}, dword ptr [{src}]", "mov dword ptr [{dst}], {0:e}";
    u64, reg, "mov {0}, qword ptr [{src}]", "mov qword ptr [{dst}], {0}";
    usize, reg, "mov {0}, qword ptr [{src}]", "mov qword ptr [{dst}], {0}";
}
// In functions compiled for AVX the form of SSE would wait for the upper halves of the registers.
#[cfg(all(target_feature = "sse2", not(target_feature = "avx"), not(iov_iter_no_vectors)))]
words! { Wide, xmm_reg, "movups {0}, xmmword ptr [{src}]", "movups xmmword ptr [{dst}], {0}"; }
#[cfg(all(target_feature = "avx", not(iov_iter_no_vectors)))]
words! { Wide, xmm_reg, "vmovups {0}, xmmword ptr [{src}]", "vmovups xmmword ptr [{dst}], {0}"; }

/// Copies `len` bytes by a string instruction, or by AVX, where that pays; elsewhere false, and nothing
/// has moved.
///
/// # Safety
///
/// `src` must be valid for reads of `len` initialised bytes and `dst` for writes; `dst` must not begin
/// within the bytes at `src`, unless it begins with them.
#[inline(always)]
pub unsafe fn copy_string(src: *const u8, dst: *mut u8, len: usize) -> bool {
    if len < STRING {
        // SAFETY: the caller's promise.
        return unsafe { avx::copy(src, dst, len) };
    }
    // SAFETY: the caller's promise.
    unsafe { move_string(src, dst, len) };
    true
}

/// As [`copy_string`], in any case; at least 8 bytes.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn move_string(src: *const u8, dst: *mut u8, len: usize) {
    // SAFETY: the instructions read and write the bytes that the caller lends, upward. The last word
    // is read before any of it can have been overwritten, and written last.
    unsafe {
        if VECTORS {
            asm!("rep movsb", inout("rcx") len => _, inout("rsi") src => _, inout("rdi") dst => _,
                options(nostack, preserves_flags));
        } else {
            // By eight bytes: processors and emulators without fast byte strings have fast words.
            let last = u64::load(src.add(len).sub(8));
            asm!("rep movsq", inout("rcx") len >> 3 => _, inout("rsi") src => _, inout("rdi") dst => _,
                options(nostack, preserves_flags));
            last.store(dst.add(len).sub(8));
        }
    }
}

/// Sets `len` bytes by a string instruction, or by AVX, where that pays; elsewhere false, and nothing
/// has changed.
///
/// # Safety
///
/// `dst` must be valid for writes of `len` bytes.
#[inline(always)]
pub unsafe fn fill_string(dst: *mut u8, value: u8, len: usize) -> bool {
    if len < STRING {
        // SAFETY: the caller's promise.
        return unsafe { avx::fill(dst, value, len) };
    }
    // SAFETY: the caller's promise.
    unsafe { set_string(dst, value, len) };
    true
}

/// As [`fill_string`], in any case; at least 8 bytes.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn set_string(dst: *mut u8, value: u8, len: usize) {
    let word = u64::from_ne_bytes([value; 8]);
    // SAFETY: the instructions write the bytes that the caller lends, upward.
    unsafe {
        if VECTORS {
            asm!("rep stosb", inout("rcx") len => _, inout("rdi") dst => _, in("al") value,
                options(nostack, preserves_flags));
        } else {
            asm!("rep stosq", inout("rcx") len >> 3 => _, inout("rdi") dst => _, in("rax") word,
                options(nostack, preserves_flags));
            word.store(dst.add(len).sub(8));
        }
    }
}
