//! Single accesses to memory that others write: one instruction each.
//!
//! Inline assembly is outside what the compiler may assume: it cannot tear, repeat or invent such an
//! access, and a race with it is not undefined behaviour of this program. Each rule below is one
//! instruction with one memory operand, or a loop of such; [`Shared`](super::Shared) says what follows
//! from them.
//!
//! | target | 1, 2, 4, 8 bytes | 16 bytes | many |
//! |---|---|---|---|
//! | x86-64 | `mov` | `movups`; two `mov` without vector registers | `rep movsb`, `rep movsq`, `rep stosb`, `rep stosq`; `vmovups` and `vxorps` of 32 bytes in a loop |
//! | AArch64 | `ldrb`, `ldrh`, `ldr` and `strb`, `strh`, `str` | `ldp`, `stp` | – |
//! | RISC-V, 64-bit | `lbu`, `lhu`, `lwu`, `ld` and `sb`, `sh`, `sw`, `sd` | two of 8 bytes | – |
//! | others, and Miri | relaxed atomics, up to the width of a pointer | words | – |

/// Makes words of types: for each the class of registers that it goes in, and the instructions that read
/// and write it.
#[allow(unused_macros, reason = "targets without assembly make their words of atomics")]
macro_rules! words {
    ($($type:ty, $class:ident, $load:literal, $store:literal;)*) => {$(
        impl super::Word for $type {
            #[inline(always)]
            unsafe fn load(src: *const u8) -> Self {
                let value;
                // SAFETY: the instruction reads the bytes that the caller lends, and nothing else.
                unsafe {
                    core::arch::asm!($load, out($class) value, src = in(reg) src,
                        options(readonly, nostack, preserves_flags));
                }
                value
            }

            #[inline(always)]
            unsafe fn store(self, dst: *mut u8) {
                // SAFETY: the instruction writes the bytes that the caller lends, and nothing else.
                unsafe {
                    core::arch::asm!($store, in($class) self, dst = in(reg) dst,
                        options(nostack, preserves_flags));
                }
            }
        }
    )*};
}

#[cfg(all(target_arch = "aarch64", target_endian = "little", not(miri)))]
#[path = "aarch64.rs"]
mod target;
#[cfg(all(target_arch = "riscv64", not(miri)))]
#[path = "riscv64.rs"]
mod target;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64", not(miri)))]
#[path = "x86_64.rs"]
mod target;
#[cfg(any(
    miri,
    not(any(
        all(target_arch = "aarch64", target_endian = "little"),
        target_arch = "riscv64",
        all(target_arch = "x86_64", target_pointer_width = "64"),
    ))
))]
#[path = "atomics.rs"]
mod target;

pub use target::{ASSEMBLY, Wide};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64", not(miri)))]
pub use target::{copy_string, equal_front, fill_string, zero_front};

/// What one access reads or writes: an integer, or a [`Wide`] register.
pub trait Word: Copy {
    /// Reads the word at `src`.
    ///
    /// # Safety
    ///
    /// `src` must be valid for reads of an initialised `Self`, and aligned unless
    /// [`Shared::UNALIGNED`](super::access::Sealed::UNALIGNED).
    unsafe fn load(src: *const u8) -> Self;

    /// Writes the word to `dst`.
    ///
    /// # Safety
    ///
    /// `dst` must be valid for writes of a `Self`, and aligned unless
    /// [`Shared::UNALIGNED`](super::access::Sealed::UNALIGNED).
    unsafe fn store(self, dst: *mut u8);
}

/// 16 bytes without a register of that size.
#[cfg(not(all(target_arch = "aarch64", target_endian = "little", not(miri))))]
impl Word for u128 {
    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: both halves are the caller's; two integers of 8 bytes are one of 16, in the order of
        // memory.
        unsafe { core::mem::transmute([u64::load(src), u64::load(src.add(8))]) }
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: an integer of 16 bytes is two of 8, in the order of memory.
        let [front, back]: [u64; 2] = unsafe { core::mem::transmute(self) };
        // SAFETY: both halves are the caller's.
        unsafe {
            front.store(dst);
            back.store(dst.add(8));
        }
    }
}

/// Copies by string instructions, which other targets do not have.
///
/// # Safety
///
/// None here.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64", not(miri))))]
#[inline(always)]
pub const unsafe fn copy_string(_src: *const u8, _dst: *mut u8, _len: usize) -> bool {
    false
}

/// Fills by string instructions, which other targets do not have.
///
/// # Safety
///
/// None here.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64", not(miri))))]
#[inline(always)]
pub const unsafe fn fill_string(_dst: *mut u8, _value: u8, _len: usize) -> bool {
    false
}

/// Compares by registers that other targets do not have.
///
/// # Safety
///
/// None here.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64", not(miri))))]
#[inline(always)]
pub const unsafe fn equal_front(_left: *const u8, _right: *const u8, _len: usize) -> usize {
    0
}

/// Looks at nothing, and returns 0.
///
/// # Safety
///
/// None here.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64", not(miri))))]
#[inline(always)]
pub const unsafe fn zero_front(_base: *const u8, _len: usize) -> usize {
    0
}
