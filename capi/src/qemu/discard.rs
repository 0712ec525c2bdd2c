//! Taking elements and parts of elements off an array, and undoing it.

use super::*;

/// `IOVDiscardUndo`: the one element that a discard may have changed, as it was.
#[repr(C)]
pub struct Undo {
    /// Null if there is none.
    modified: *mut Element,
    original: Element,
}

/// Notes in `undo`, if C code wants that, what `modified` is.
///
/// # Safety
///
/// Both are null or valid.
#[inline]
unsafe fn note(undo: *mut Undo, modified: *mut Element) {
    if undo.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        (&raw mut (*undo).modified).write(modified);
        if !modified.is_null() {
            (&raw mut (*undo).original).write(modified.read());
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_discard_front_undoable(
    iov: *mut *mut Element,
    iov_cnt: *mut c_uint,
    bytes: usize,
    undo: *mut Undo,
) -> usize {
    // SAFETY: C's contract. No reference to an element lives on where one is changed.
    unsafe {
        let (mut first, mut count) = (*iov, *iov_cnt);
        let mut left = bytes;
        while count > 0 {
            let Some(rest) = left.checked_sub((*first).len()) else {
                let rest = element((*first).piece(left, usize::MAX));
                (*iov, *iov_cnt) = (first, count);
                note(undo, first);
                first.write(rest);
                return bytes;
            };
            left = rest;
            first = first.add(1);
            count = count.wrapping_sub(1);
        }
        (*iov, *iov_cnt) = (first, count);
        note(undo, core::ptr::null_mut());
        bytes.wrapping_sub(left)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_discard_front(
    iov: *mut *mut Element,
    iov_cnt: *mut c_uint,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe { iov_discard_front_undoable(iov, iov_cnt, bytes, core::ptr::null_mut()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_discard_back_undoable(
    iov: *mut Element,
    iov_cnt: *mut c_uint,
    bytes: usize,
    undo: *mut Undo,
) -> usize {
    // SAFETY: as in `iov_discard_front_undoable`.
    unsafe {
        let mut count = *iov_cnt;
        let mut left = bytes;
        while count > 0 {
            let last = iov.add(count as usize).sub(1);
            let len = (*last).len();
            let Some(rest) = left.checked_sub(len) else {
                let rest = element((*last).piece(0, len.wrapping_sub(left)));
                *iov_cnt = count;
                note(undo, last);
                last.write(rest);
                return bytes;
            };
            left = rest;
            count = count.wrapping_sub(1);
        }
        *iov_cnt = count;
        note(undo, core::ptr::null_mut());
        bytes.wrapping_sub(left)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_discard_back(
    iov: *mut Element,
    iov_cnt: *mut c_uint,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe { iov_discard_back_undoable(iov, iov_cnt, bytes, core::ptr::null_mut()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_discard_undo(undo: *const Undo) {
    // SAFETY: C's contract: a discard has filled the record, and the array is where it was.
    unsafe {
        if !(*undo).modified.is_null() {
            (*undo).modified.write((&raw const (*undo).original).read());
        }
    }
}
