//! Every other target, and Miri: relaxed atomics, up to the width of a pointer.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

use super::Word;

/// Whether accesses are assembly.
pub const ASSEMBLY: bool = false;

/// 16 bytes.
pub type Wide = u128;

macro_rules! atomic_words {
    ($($type:ty, $atomic:ty;)*) => {$(
        impl Word for $type {
            #[inline(always)]
            unsafe fn load(src: *const u8) -> Self {
                // Miri holds a reference to an atomic for a right to write, which memory that is only
                // lent for reading does not give.
                #[cfg(miri)]
                // SAFETY: the caller lends aligned, initialised bytes.
                return unsafe {
                    use core::intrinsics::{AtomicOrdering, atomic_load};
                    atomic_load::<Self, { AtomicOrdering::Relaxed }>(src.cast())
                };
                #[cfg(not(miri))]
                // SAFETY: the caller lends aligned, initialised bytes. A relaxed load up to the width of
                // a pointer is a plain load, which memory that cannot be written allows.
                return unsafe { (*src.cast::<$atomic>()).load(Relaxed) };
            }

            #[inline(always)]
            unsafe fn store(self, dst: *mut u8) {
                // SAFETY: the caller lends aligned bytes for writing.
                unsafe { (*dst.cast::<$atomic>()).store(self, Relaxed) };
            }
        }
    )*};
}
atomic_words! {
    u8, AtomicU8;
    u16, AtomicU16;
    u32, AtomicU32;
    usize, core::sync::atomic::AtomicUsize;
}
#[cfg(target_pointer_width = "64")]
atomic_words! { u64, core::sync::atomic::AtomicU64; }

#[cfg(not(target_pointer_width = "64"))]
impl Word for u64 {
    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: both halves are the caller's.
        let halves = unsafe { [u32::load(src), u32::load(src.add(4))] };
        // SAFETY: two integers of 4 bytes are one of 8, in the order of memory.
        unsafe { core::mem::transmute(halves) }
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: an integer of 8 bytes is two of 4, in the order of memory.
        let [front, back]: [u32; 2] = unsafe { core::mem::transmute(self) };
        // SAFETY: both halves are the caller's.
        unsafe {
            front.store(dst);
            back.store(dst.add(4));
        }
    }
}
