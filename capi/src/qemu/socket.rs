//! Sending and receiving.

use iov_iter::iov::Stop;

use super::*;
use crate::errno::Errno;
use crate::socket::Socket;

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
        Stop::Failed(Errno(error)) => error,
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
