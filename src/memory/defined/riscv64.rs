//! RISC-V, 64-bit: one load or store for each integer, at aligned addresses.

use core::arch::asm;

use super::Word;

/// Whether accesses are assembly.
pub const ASSEMBLY: bool = true;

/// 16 bytes.
pub type Wide = u128;

macro_rules! words {
    ($($type:ty, $load:literal, $store:literal;)*) => {$(
        impl Word for $type {
            #[inline(always)]
            unsafe fn load(src: *const u8) -> Self {
                let value;
                // SAFETY: the instruction reads the bytes that the caller lends, and nothing else.
                unsafe {
                    asm!($load, out(reg) value, src = in(reg) src,
                        options(readonly, nostack, preserves_flags));
                }
                value
            }

            #[inline(always)]
            unsafe fn store(self, dst: *mut u8) {
                // SAFETY: the instruction writes the bytes that the caller lends, and nothing else.
                unsafe {
                    asm!($store, in(reg) self, dst = in(reg) dst, options(nostack, preserves_flags));
                }
            }
        }
    )*};
}
words! {
    u8, "lbu {0}, 0({src})", "sb {0}, 0({dst})";
    u16, "lhu {0}, 0({src})", "sh {0}, 0({dst})";
    u32, "lwu {0}, 0({src})", "sw {0}, 0({dst})";
    u64, "ld {0}, 0({src})", "sd {0}, 0({dst})";
    usize, "ld {0}, 0({src})", "sd {0}, 0({dst})";
}
