//! A firmware that copies to and from addressable memory, and skips some: nothing else.

#![no_std]

use core::ffi::c_void;
use core::panic::PanicInfo;

use iov_iter::{Dest, IovIter, Source};

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}

/// Copies into the segments of an iterator.
///
/// # Safety
///
/// `iter` must point to an `IovIter<Dest>`, and `len` bytes at `src` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn firmware_copy_to(iter: *mut c_void, src: *const u8, len: usize) -> usize {
    // SAFETY: as the caller promises.
    let (iter, src) =
        unsafe { (&mut *iter.cast::<IovIter<'_, Dest>>(), core::slice::from_raw_parts(src, len)) };
    iter.copy_to_iter(src)
}

/// Copies out of the segments of an iterator.
///
/// # Safety
///
/// `iter` must point to an `IovIter<Source>`, and `dst` to `len` initialised bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn firmware_copy_from(iter: *mut c_void, dst: *mut u8, len: usize) -> usize {
    // SAFETY: as the caller promises.
    let (iter, dst) = unsafe {
        (&mut *iter.cast::<IovIter<'_, Source>>(), core::slice::from_raw_parts_mut(dst, len))
    };
    iter.copy_from_iter(dst)
}

/// Skips bytes of an iterator.
///
/// # Safety
///
/// `iter` must point to an `IovIter<Source>`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn firmware_skip(iter: *mut c_void, len: usize) -> usize {
    // SAFETY: as the caller promises.
    unsafe { &mut *iter.cast::<IovIter<'_, Source>>() }.advance(len)
}
