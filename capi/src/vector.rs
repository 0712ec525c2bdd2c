//! Arrays of `struct iovec`.

use crate::errno::{EINVAL, count};
use iov_iter::IoVec;

/// See the header.
///
/// # Safety
///
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_size(iov: *const IoVec, iov_count: usize) -> isize {
    if iov.is_null() || iov_count > isize::MAX as usize / size_of::<IoVec>() {
        return count(if iov_count == 0 { Ok(0) } else { Err(EINVAL) });
    }
    // SAFETY: the caller's array.
    let segments = unsafe { core::slice::from_raw_parts(iov, iov_count) };
    let sum = segments.iter().try_fold(0_usize, |sum, segment| sum.checked_add(segment.len));
    count(sum.ok_or(EINVAL))
}
