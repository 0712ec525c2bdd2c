//! Negative errno values, the errors of the interface. The numbers are Linux's on every target.

use core::ffi::c_int;

/// An errno value, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

/// An address that is not memory.
pub(crate) const EFAULT: Errno = Errno(14);
/// An argument out of its range.
pub(crate) const EINVAL: Errno = Errno(22);

/// A count of bytes, or a negative errno.
pub(crate) fn count(result: Result<usize, Errno>) -> isize {
    match result {
        // No object is longer.
        Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
        Err(Errno(errno)) => (errno as isize).wrapping_neg(),
    }
}
