//! Sending and receiving.

use iov_iter::iov::{CallError, Stop, VectoredRead, VectoredWrite};

use super::*;

struct Socket {
    descriptor: c_int,
    flags: c_int,
}

impl Socket {
    fn call<D: Direction>(
        &self,
        list: &[Piece<'_, D>],
        call: impl Fn(c_int, *mut libc::msghdr, c_int) -> isize,
    ) -> Result<usize, CallError<c_int>> {
        // SAFETY: all zeros is a message without an address and without control data.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        // A piece is a `struct iovec`.
        message.msg_iov = list.as_ptr().cast_mut().cast();
        message.msg_iovlen = list.len() as _;
        let moved = call(self.descriptor, &raw mut message, self.flags);
        // SAFETY: errno is there.
        usize::try_from(moved).map_err(|_| match unsafe { *libc::__errno_location() } {
            libc::EINTR => CallError::Interrupted,
            libc::EAGAIN => CallError::WouldBlock,
            error => CallError::Failed(error),
        })
    }
}

impl VectoredWrite for Socket {
    type Error = c_int;

    fn write_vectored(&mut self, list: &[Piece<'_, Source>]) -> Result<usize, CallError<c_int>> {
        // SAFETY: the message describes memory that is valid for reads.
        self.call(list, |socket, message, flags| unsafe { libc::sendmsg(socket, message, flags) })
    }
}

impl VectoredRead for Socket {
    type Error = c_int;

    fn read_vectored(&mut self, list: &[Piece<'_, Dest>]) -> Result<usize, CallError<c_int>> {
        // SAFETY: the message describes memory that is valid for writes.
        self.call(list, |socket, message, flags| unsafe { libc::recvmsg(socket, message, flags) })
    }
}

/// The bytes of the range, which must lie within the vector.
fn range<D: Direction>(
    whole: View<'_, D, iov_iter::Shared>,
    offset: usize,
    bytes: usize,
) -> View<'_, D, iov_iter::Shared> {
    match whole.slice(offset, bytes) {
        Ok(range) => range,
        Err(_) => fail(c"the bytes to send or receive exceed the vector"),
    }
}

/// As of QEMU 8.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_send_recv_with_flags(
    sockfd: c_int,
    sockflags: c_int,
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    bytes: usize,
    do_send: bool,
) -> isize {
    if bytes == 0 {
        return 0;
    }
    let mut socket = Socket { descriptor: sockfd, flags: sockflags };
    // SAFETY: C's contract.
    let transfer = unsafe {
        if do_send {
            range(view::<Source>(iov, iov_cnt as usize), offset, bytes).send(&mut socket)
        } else {
            range(view::<Dest>(iov, iov_cnt as usize), offset, bytes).receive(&mut socket)
        }
    };
    let error = match transfer.stop {
        Stop::Failed(error) => error,
        Stop::WouldBlock if transfer.moved == 0 => libc::EAGAIN,
        // At most what an element array of C describes.
        _ => return transfer.moved as isize,
    };
    // SAFETY: errno is there.
    unsafe { *libc::__errno_location() = error };
    -1
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_send_recv(
    sockfd: c_int,
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    bytes: usize,
    do_send: bool,
) -> isize {
    // SAFETY: C's contract.
    unsafe { iov_send_recv_with_flags(sockfd, 0, iov, iov_cnt, offset, bytes, do_send) }
}
