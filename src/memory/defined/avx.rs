//! Copies, fills and looking at bytes by the 32-byte registers of AVX, where the processor is known to have them.
//!
//! A block is four registers. Writes are aligned: those that cross cache lines take twice as long.
//! `vzeroupper` also clears the upper halves of registers that are not named. Nothing is in them: the
//! functions that these are in line in are always called, and a call keeps no such half.

use core::arch::asm;
#[cfg(not(target_feature = "avx"))]
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Bytes in a block; the least that are moved here.
const BLOCK: usize = 128;

#[cfg(not(target_feature = "avx"))]
const YES: u8 = 1;
#[cfg(not(target_feature = "avx"))]
const NO: u8 = 2;

/// Whether the processor has AVX: `YES`, `NO`, or 0 if it has not been asked.
// The macro of `std` in its place would have registers saved around its call on the way of every copy.
#[cfg(not(target_feature = "avx"))]
static AVX: AtomicU8 = AtomicU8::new(0);

#[cfg(not(target_feature = "avx"))]
#[cold]
fn ask_processor() {
    AVX.store(if std::is_x86_feature_detected!("avx") { YES } else { NO }, Relaxed);
}

/// Whether the processor has AVX. The first time it is asked, and the answer is no.
#[inline(always)]
fn has_avx() -> bool {
    #[cfg(not(target_feature = "avx"))]
    match AVX.load(Relaxed) {
        YES => {}
        NO => return false,
        _ => {
            ask_processor();
            return false;
        }
    }
    true
}

/// Returns from a copy or a fill unless the processor has AVX: with false, or, the first time, with true, when
/// the processor was asked and `otherwise` did the work with the arguments.
// A closure in its place would have a frame on the stack made for it on the way of every copy.
macro_rules! need_avx {
    ($otherwise:path, $($argument:ident: $type:ty),*) => {
        #[cfg(not(target_feature = "avx"))]
        {
            /// Asks the processor, and does without AVX.
            #[cold]
            #[inline(never)]
            unsafe fn ask($($argument: $type),*) {
                ask_processor();
                // SAFETY: the caller's promise.
                unsafe { $otherwise($($argument),*) };
            }
            match AVX.load(Relaxed) {
                YES => {}
                NO => return false,
                _ => {
                    // SAFETY: the caller's promise.
                    unsafe { ask($($argument),*) };
                    return true;
                }
            }
        }
    };
}

/// Copies `len` bytes where that pays; elsewhere false, and nothing has moved.
///
/// # Safety
///
/// As for [`copy_string`](super::copy_string).
#[inline(always)]
pub unsafe fn copy(src: *const u8, dst: *mut u8, len: usize) -> bool {
    if len < BLOCK {
        return false;
    }
    need_avx!(super::move_string, src: *const u8, dst: *mut u8, len: usize);
    // SAFETY: the processor has AVX. The instructions read and write the bytes that the caller lends: two
    // blocks, the first and the one that ends the copy, or, if these are not all, the first 32 bytes and
    // blocks from the first aligned byte of `dst` on, before the one that ends the copy. That one and the
    // first 32 bytes are read before any of them can have been overwritten, and written last.
    unsafe {
        asm!(
            "vmovups ymm4, ymmword ptr [{src} + {tail}]",
            "vmovups ymm5, ymmword ptr [{src} + {tail} + 32]",
            "vmovups ymm6, ymmword ptr [{src} + {tail} + 64]",
            "vmovups ymm7, ymmword ptr [{src} + {tail} + 96]",
            "cmp {tail}, 128",
            "jbe 3f",
            "vmovups ymm8, ymmword ptr [{src}]",
            "2:",
            "vmovups ymm0, ymmword ptr [{src} + {at}]",
            "vmovups ymm1, ymmword ptr [{src} + {at} + 32]",
            "vmovups ymm2, ymmword ptr [{src} + {at} + 64]",
            "vmovups ymm3, ymmword ptr [{src} + {at} + 96]",
            "vmovups ymmword ptr [{dst} + {at}], ymm0",
            "vmovups ymmword ptr [{dst} + {at} + 32], ymm1",
            "vmovups ymmword ptr [{dst} + {at} + 64], ymm2",
            "vmovups ymmword ptr [{dst} + {at} + 96], ymm3",
            "sub {at}, -128",
            "cmp {at}, {tail}",
            "jb 2b",
            "vmovups ymmword ptr [{dst}], ymm8",
            "jmp 4f",
            "3:",
            "vmovups ymm0, ymmword ptr [{src}]",
            "vmovups ymm1, ymmword ptr [{src} + 32]",
            "vmovups ymm2, ymmword ptr [{src} + 64]",
            "vmovups ymm3, ymmword ptr [{src} + 96]",
            "vmovups ymmword ptr [{dst}], ymm0",
            "vmovups ymmword ptr [{dst} + 32], ymm1",
            "vmovups ymmword ptr [{dst} + 64], ymm2",
            "vmovups ymmword ptr [{dst} + 96], ymm3",
            "4:",
            "vmovups ymmword ptr [{dst} + {tail}], ymm4",
            "vmovups ymmword ptr [{dst} + {tail} + 32], ymm5",
            "vmovups ymmword ptr [{dst} + {tail} + 64], ymm6",
            "vmovups ymmword ptr [{dst} + {tail} + 96], ymm7",
            "vzeroupper",
            src = in(reg) src,
            dst = in(reg) dst,
            tail = in(reg) len.wrapping_sub(BLOCK),
            at = inout(reg) dst.addr().wrapping_neg() & 31 => _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
            out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _,
            options(nostack),
        );
    }
    true
}

/// Sets `len` bytes where that pays; elsewhere false, and nothing has changed.
///
/// # Safety
///
/// As for [`fill_string`](super::fill_string).
#[inline(always)]
pub unsafe fn fill(dst: *mut u8, value: u8, len: usize) -> bool {
    if len < BLOCK {
        return false;
    }
    need_avx!(super::set_string, dst: *mut u8, value: u8, len: usize);
    // SAFETY: the processor has AVX. The instructions write the bytes that the caller lends, in the blocks
    // of `copy`.
    unsafe {
        asm!(
            "vmovq xmm0, {word}",
            "vpunpcklqdq xmm0, xmm0, xmm0",
            "vinsertf128 ymm0, ymm0, xmm0, 1",
            "vmovups ymmword ptr [{dst}], ymm0",
            "cmp {tail}, 128",
            "jbe 3f",
            "2:",
            "vmovups ymmword ptr [{dst} + {at}], ymm0",
            "vmovups ymmword ptr [{dst} + {at} + 32], ymm0",
            "vmovups ymmword ptr [{dst} + {at} + 64], ymm0",
            "vmovups ymmword ptr [{dst} + {at} + 96], ymm0",
            "sub {at}, -128",
            "cmp {at}, {tail}",
            "jb 2b",
            "jmp 4f",
            "3:",
            "vmovups ymmword ptr [{dst} + 32], ymm0",
            "vmovups ymmword ptr [{dst} + 64], ymm0",
            "vmovups ymmword ptr [{dst} + 96], ymm0",
            "4:",
            "vmovups ymmword ptr [{dst} + {tail}], ymm0",
            "vmovups ymmword ptr [{dst} + {tail} + 32], ymm0",
            "vmovups ymmword ptr [{dst} + {tail} + 64], ymm0",
            "vmovups ymmword ptr [{dst} + {tail} + 96], ymm0",
            "vzeroupper",
            word = in(reg) u64::from_ne_bytes([value; 8]),
            dst = in(reg) dst,
            tail = in(reg) len.wrapping_sub(BLOCK),
            at = inout(reg) dst.addr().wrapping_neg() & 31 => _,
            out("xmm0") _,
            options(nostack),
        );
    }
    true
}

/// The number of bytes at the front that are the same at `left` and `right`: whole blocks, up to the first
/// that differs. 0 where comparing by blocks does not pay.
///
/// # Safety
///
/// Both must be valid for reads of `len` initialised bytes.
#[inline(always)]
pub unsafe fn equal_front(left: *const u8, right: *const u8, len: usize) -> usize {
    if len < BLOCK {
        return 0;
    }
    if !has_avx() {
        return 0;
    }
    let mut at = 0_usize;
    // SAFETY: the processor has AVX. The instructions read blocks that end at `len` at most.
    unsafe {
        asm!(
            "2:",
            "vmovups ymm0, ymmword ptr [{left} + {at}]",
            "vmovups ymm1, ymmword ptr [{left} + {at} + 32]",
            "vmovups ymm2, ymmword ptr [{left} + {at} + 64]",
            "vmovups ymm3, ymmword ptr [{left} + {at} + 96]",
            "vxorps ymm0, ymm0, ymmword ptr [{right} + {at}]",
            "vxorps ymm1, ymm1, ymmword ptr [{right} + {at} + 32]",
            "vxorps ymm2, ymm2, ymmword ptr [{right} + {at} + 64]",
            "vxorps ymm3, ymm3, ymmword ptr [{right} + {at} + 96]",
            "vorps ymm0, ymm0, ymm1",
            "vorps ymm2, ymm2, ymm3",
            "vorps ymm0, ymm0, ymm2",
            "vptest ymm0, ymm0",
            "jnz 3f",
            "sub {at}, -128",
            "cmp {at}, {last}",
            "jbe 2b",
            "3:",
            "vzeroupper",
            left = in(reg) left,
            right = in(reg) right,
            last = in(reg) len.wrapping_sub(BLOCK),
            at = inout(reg) at,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            options(readonly, nostack),
        );
    }
    at
}

/// The number of bytes at the front that are 0: whole blocks, up to the first that has others. 0 where looking at
/// blocks does not pay.
///
/// # Safety
///
/// `len` bytes at `base` must be valid for reads and initialised.
#[inline(always)]
pub unsafe fn zero_front(base: *const u8, len: usize) -> usize {
    if len < BLOCK || !has_avx() {
        return 0;
    }
    let mut at = 0_usize;
    // SAFETY: the processor has AVX. The instructions read blocks that end at `len` at most.
    unsafe {
        asm!(
            "2:",
            "vmovups ymm0, ymmword ptr [{base} + {at}]",
            "vmovups ymm1, ymmword ptr [{base} + {at} + 32]",
            "vorps ymm0, ymm0, ymmword ptr [{base} + {at} + 64]",
            "vorps ymm1, ymm1, ymmword ptr [{base} + {at} + 96]",
            "vorps ymm0, ymm0, ymm1",
            "vptest ymm0, ymm0",
            "jnz 3f",
            "sub {at}, -128",
            "cmp {at}, {last}",
            "jbe 2b",
            "3:",
            "vzeroupper",
            base = in(reg) base,
            last = in(reg) len.wrapping_sub(BLOCK),
            at = inout(reg) at,
            out("xmm0") _, out("xmm1") _,
            options(readonly, nostack),
        );
    }
    at
}
