//! AArch64: `ldr` and `str` for integers, pairs of 64-bit registers for 16 bytes.

use core::arch::asm;

use super::Word;

/// Whether accesses are assembly.
pub const ASSEMBLY: bool = true;

/// 16 bytes.
pub type Wide = u128;

words! {
    u8, reg, "ldrb {0:w}, [{src}]", "strb {0:w}, [{dst}]";
    u16, reg, "ldrh {0:w}, [{src}]", "strh {0:w}, [{dst}]";
    u32, reg, "ldr {0:w}, [{src}]", "str {0:w}, [{dst}]";
    u64, reg, "ldr {0:x}, [{src}]", "str {0:x}, [{dst}]";
    usize, reg, "ldr {0:x}, [{src}]", "str {0:x}, [{dst}]";
}

impl Word for Wide {
    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        let (low, high): (u64, u64);
        // SAFETY: the instruction reads the bytes that the caller lends, and nothing else.
        unsafe {
            asm!("ldp {0}, {1}, [{src}]", out(reg) low, out(reg) high, src = in(reg) src,
                options(readonly, nostack, preserves_flags));
        }
        u128::from(high) << 64 | u128::from(low)
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        let (low, high) = (self as u64, (self >> 64) as u64);
        // SAFETY: the instruction writes the bytes that the caller lends, and nothing else.
        unsafe {
            asm!("stp {0}, {1}, [{dst}]", in(reg) low, in(reg) high, dst = in(reg) dst,
                options(nostack, preserves_flags));
        }
    }
}
