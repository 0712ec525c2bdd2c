//! Sockets of C programs as transports of vectors.

use core::ffi::c_int;

use iov_iter::iov::{CallError, VectoredRead, VectoredWrite};
use iov_iter::{Dest, Direction, Piece, Source};

use crate::errno::Errno;

/// A socket that the caller has opened, with the flags for each call.
pub(crate) struct Socket {
    pub(crate) descriptor: c_int,
    pub(crate) flags: c_int,
}

impl Socket {
    /// One system call over `list`.
    fn call<D: Direction>(
        &self,
        list: &[Piece<'_, D>],
        call: unsafe extern "C" fn(c_int, *mut libc::msghdr, c_int) -> isize,
    ) -> Result<usize, CallError<Errno>> {
        // SAFETY: all zeros are an empty message.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = list.as_ptr().cast_mut().cast();
        // At most 1024; its type differs between systems.
        message.msg_iovlen = list.len() as _;
        // SAFETY: the list is an array of `struct iovec` over memory of the caller.
        let moved = unsafe { call(self.descriptor, &raw mut message, self.flags) };
        usize::try_from(moved).map_err(|_| match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => CallError::Interrupted,
            Some(libc::EAGAIN) => CallError::WouldBlock,
            Some(errno) => CallError::Failed(Errno(errno)),
            None => CallError::Failed(Errno::INVAL),
        })
    }
}

unsafe extern "C" fn send(descriptor: c_int, message: *mut libc::msghdr, flags: c_int) -> isize {
    // SAFETY: the caller's promise.
    unsafe { libc::sendmsg(descriptor, message, flags) }
}

impl VectoredWrite for Socket {
    type Error = Errno;

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<Errno>> {
        self.call(segments, send)
    }
}

impl VectoredRead for Socket {
    type Error = Errno;

    fn read_vectored(&mut self, segments: &[Piece<'_, Dest>]) -> Result<usize, CallError<Errno>> {
        self.call(segments, libc::recvmsg)
    }
}
