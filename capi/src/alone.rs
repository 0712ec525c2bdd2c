//! What the library needs where there is no operating system: the C program's allocator and a place to stop.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

struct Malloc;

/// What malloc aligns to, by the C standard.
const ALIGN: usize = align_of::<u64>();

// SAFETY: malloc gives memory of the size, aligned for every type of that alignment, or null. Larger
// alignments are refused.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            return core::ptr::null_mut();
        }
        // SAFETY: malloc takes any size.
        unsafe { malloc(layout.size()) }.cast()
    }

    // The compiler calls calloc where malloc and memset would do, so it is asked for.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            return core::ptr::null_mut();
        }
        // SAFETY: calloc takes any size.
        unsafe { calloc(1, layout.size()) }.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: the caller got it from `alloc`.
        unsafe { free(memory.cast()) }
    }
}

#[global_allocator]
static MALLOC: Malloc = Malloc;

/// Nothing panics; the language wants the function.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
