//! Errors of the interface: negative errno values. The numbers are Linux's on every target.

use core::ffi::c_int;

use iov_iter::file;

/// An errno value, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

impl Errno {
    /// The call would have to wait.
    #[cfg(feature = "std")]
    pub(crate) const AGAIN: Self = Self(11);
    /// No memory left.
    pub(crate) const NOMEM: Self = Self(12);
    /// An address that is not memory.
    pub(crate) const FAULT: Self = Self(14);
    /// An argument out of its range.
    pub(crate) const INVAL: Self = Self(22);
    /// No room in a buffer.
    #[cfg(feature = "zlib")]
    pub(crate) const NOSPC: Self = Self(28);
    /// There is no such byte: the data has ended.
    pub(crate) const NODATA: Self = Self(61);
    /// A number that does not fit.
    pub(crate) const OVERFLOW: Self = Self(75);
}

impl From<file::Error> for Errno {
    #[cold]
    #[inline(never)]
    fn from(error: file::Error) -> Self {
        Self(error.errno())
    }
}

impl From<file::ChannelError> for Errno {
    #[cold]
    #[inline(never)]
    fn from(error: file::ChannelError) -> Self {
        Self(error.errno())
    }
}

/// What a C function returns.
pub(crate) trait Answer: Sized {
    /// The negative errno.
    fn error(errno: Errno) -> Self;
}

macro_rules! answers {
    ($($integer:ty)*) => {$(
        impl Answer for $integer {
            fn error(Errno(errno): Errno) -> Self {
                (errno as $integer).wrapping_neg()
            }
        }
    )*};
}
answers!(c_int isize i64);

/// 0, or a negative errno.
pub(crate) fn status<E: Into<Errno>>(result: Result<(), E>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => Answer::error(error.into()),
    }
}

/// 1 or 0, or a negative errno.
pub(crate) fn truth<E: Into<Errno>>(result: Result<bool, E>) -> c_int {
    match result {
        Ok(is) => c_int::from(is),
        Err(error) => Answer::error(error.into()),
    }
}

/// A number of bytes, or a negative errno.
pub(crate) fn count<E: Into<Errno>>(result: Result<usize, E>) -> isize {
    match result {
        // No memory has more.
        Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
        Err(error) => Answer::error(error.into()),
    }
}

/// A position in bytes, or a negative errno.
pub(crate) fn position<E: Into<Errno>>(result: Result<u64, E>) -> i64 {
    match result.map_err(E::into).map(i64::try_from) {
        Ok(Ok(position)) => position,
        Ok(Err(_)) => Answer::error(Errno::OVERFLOW),
        Err(errno) => Answer::error(errno),
    }
}
