//! An allocator that counts what a thread asks for, and refuses when told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread that may still succeed; nothing is counted if `None`.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Allocations of this thread while it was counting.
    static SEEN: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts, and fails when told to. While it counts it has no piece of a
/// gibibyte.
struct Counting;

impl Counting {
    fn refuses(size: usize) -> bool {
        let Some(now) = LEFT.get() else { return false };
        SEEN.set(SEEN.get() + 1);
        LEFT.set(Some(now.saturating_sub(1)));
        now == 0 || size >= 1 << 30
    }
}

// SAFETY: everything is left to the system's allocator, or refused.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if Self::refuses(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(start, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `operation` with only so many allocations to succeed; its result, and how many it asked for.
pub fn with_allocations<R>(allowed: usize, operation: impl FnOnce() -> R) -> (R, usize) {
    SEEN.set(0);
    LEFT.set(Some(allowed));
    let result = operation();
    LEFT.set(None);
    (result, SEEN.get())
}
