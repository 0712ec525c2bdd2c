//! Files and sockets as transports for whole vectors, and segments as `std::io` slices.
//!
//! | Transport | Calls | For |
//! |---|---|---|
//! | [`Stream`] | `readv`; `sendmsg`, or `writev` for what is no socket | `TcpStream`, `UnixStream`, pipes, files at their own position |
//! | [`Socket`] | `recvmsg`, `sendmsg` | the same sockets, with flags |
//! | [`FileAt`] | `preadv`, `pwritev` | files and block devices at a given offset |
//!
//! All of them read and write the segments in place, whether their memory is initialised or not.
//!
//! A view of up to 1024 pieces is one datagram of a datagram socket; see
//! [`View::receive_once`](crate::iov::View::receive_once) for receiving one.
//!
//! # Peers that are gone
//!
//! Writing to a socket whose peer is gone returns `EPIPE`, also in a process that does not ignore
//! `SIGPIPE`. A pipe is different: writing to one without a reader ends such a process, because
//! `writev` has no flag against it. Programs in Rust ignore the signal from the start; a library
//! inside another program has to ask for that.
//!
//! ```
//! use std::os::unix::net::UnixStream;
//!
//! use iov_iter::iov::{Stop, View};
//! use iov_iter::{KVec, os::io::Stream};
//!
//! let (here, there) = UnixStream::pair().unwrap();
//! let segments = [KVec::from(b"scat"), KVec::from(b"tered")];
//! let sent = View::new(&segments).send(&mut Stream(&here));
//! assert_eq!(sent.finished().unwrap(), 9);
//!
//! drop(here);
//! let (mut head, mut tail) = ([0; 3], [0; 20]);
//! let segments = [KVec::from(&mut head), KVec::from(&mut tail)];
//! let received = View::new(&segments).receive(&mut Stream(&there));
//! assert!(matches!(received.stop, Stop::Closed));
//! assert_eq!((received.moved, &head, &tail[..6]), (9, b"sca", &b"ttered"[..]));
//! # Ok::<(), iov_iter::iov::Error>(())
//! ```

use core::ffi::c_int;
use core::mem;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

// Where `off_t` may have 32 bits, these have 64.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
use libc::{off_t, preadv, pwritev};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use libc::{off64_t as off_t, preadv64 as preadv, pwritev64 as pwritev};

use crate::direction::{Dest, Direction, Source};
use crate::iov::{CallError, VectoredRead, VectoredWrite};
use crate::memory::Piece;
use crate::segment::{KVec, MAX_SEGMENTS, SharedVec};

/// The segments as slices for [`write_vectored`](io::Write::write_vectored), without conversion.
///
/// ```
/// use std::io::Write;
///
/// use iov_iter::{KVec, os::io::as_io_slices};
///
/// let segments = [KVec::from(b"no "), KVec::from(b"copy")];
/// let mut out = Vec::new();
/// assert_eq!(out.write_vectored(as_io_slices(&segments)).unwrap(), 7);
/// assert_eq!(out, b"no copy");
/// ```
#[must_use]
pub const fn as_io_slices<'s, 'a>(segments: &'s [KVec<'a, Source>]) -> &'s [IoSlice<'a>] {
    // SAFETY: on Unix an `IoSlice` is ABI compatible with `struct iovec`, as a segment is (see
    // `layout` below). Both are a `&'a [u8]`: a source is valid for reads of initialised bytes
    // that nothing writes, and its address is not null.
    unsafe { core::slice::from_raw_parts(segments.as_ptr().cast(), segments.len()) }
}

/// The segments as slices for [`read_vectored`](io::Read::read_vectored), without conversion.
///
/// [`Stream`] and [`FileAt`] ask for no promise and are usually what is wanted.
///
/// # Safety
///
/// Every byte of every segment must be initialised, and no byte may belong to two of them or be
/// accessed through anything else while the slices are in use.
#[must_use]
pub const unsafe fn as_io_slices_mut<'s, 'a>(
    segments: &'s mut [KVec<'a, Dest>],
) -> &'s mut [IoSliceMut<'a>] {
    // SAFETY: on Unix an `IoSliceMut` is ABI compatible with `struct iovec`, as a segment is (see
    // `layout` below). Both own an exclusive borrow of valid bytes for 'a at an address that is not
    // null; that the bytes are initialised and exclusive is the caller's promise. Whatever a caller
    // puts in place of a slice is a segment as well.
    unsafe { core::slice::from_raw_parts_mut(segments.as_mut_ptr().cast(), segments.len()) }
}

/// Slices that [`write_vectored`](io::Write::write_vectored) takes as segments, without conversion.
///
/// ```
/// use std::io::IoSlice;
///
/// use iov_iter::{iov::View, os::io::from_io_slices};
///
/// let slices = [IoSlice::new(b"no "), IoSlice::new(b"copy")];
/// assert_eq!(View::new(from_io_slices(&slices)), b"no copy");
/// ```
#[must_use]
pub const fn from_io_slices<'s, 'a>(slices: &'s [IoSlice<'a>]) -> &'s [KVec<'a, Source>] {
    // SAFETY: as in `as_io_slices`, the other way: both are a `&'a [u8]`.
    unsafe { core::slice::from_raw_parts(slices.as_ptr().cast(), slices.len()) }
}

/// Slices that [`read_vectored`](io::Read::read_vectored) takes as segments, without conversion.
///
/// ```
/// use std::io::IoSliceMut;
///
/// use iov_iter::{iov::View, os::io::from_io_slices_mut};
///
/// let (mut head, mut tail) = ([0; 2], [0; 4]);
/// let mut slices = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
/// View::new(from_io_slices_mut(&mut slices)).write_all_at(0, b"gather")?;
/// assert_eq!((&head, &tail), (b"ga", b"ther"));
/// # Ok::<(), iov_iter::iov::Error>(())
/// ```
#[must_use]
pub const fn from_io_slices_mut<'s>(slices: &'s mut [IoSliceMut<'_>]) -> &'s [KVec<'s, Dest>] {
    // SAFETY: both have the layout of `struct iovec` (see `layout` below). The slices own exclusive borrows
    // of initialised bytes and are themselves borrowed exclusively for 's. No segment can be put in place
    // of another through the shared slice, and only initialised bytes are ever written.
    unsafe { core::slice::from_raw_parts(slices.as_ptr().cast(), slices.len()) }
}

/// The array of a C caller as segments, without conversion.
///
/// # Safety
///
/// Each element must fulfil what [`SharedVec::from_raw_parts`] asks, for the whole of `'a`.
///
/// ```
/// use iov_iter::{SharedVec, Source, iov::View, os::io::from_iovecs};
///
/// let bytes = *b"from C";
/// let list = [libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }];
/// // SAFETY: the bytes outlive the segments, and nothing writes them.
/// let segments: &[SharedVec<Source>] = unsafe { from_iovecs(&list) };
/// assert_eq!(View::new(segments), b"from C");
/// ```
#[must_use]
pub const unsafe fn from_iovecs<'a, D: Direction>(
    list: &'a [libc::iovec],
) -> &'a [SharedVec<'a, D>] {
    // SAFETY: a segment is laid out as `struct iovec` (see `layout` below), and its contents are the
    // caller's promise. The address of an empty one may be null: no byte of it is accessed, and no slice is
    // made of a shared one.
    unsafe { core::slice::from_raw_parts(list.as_ptr().cast(), list.len()) }
}

/// Anything with a file descriptor, read and written at its own position.
///
/// A reference will do: `Stream(&socket)`. Whether it is a socket is found out by each write.
#[derive(Clone, Copy, Debug)]
pub struct Stream<F>(
    /// The file, socket or pipe.
    pub F,
);

impl<F: AsFd> VectoredWrite for Stream<F> {
    type Error = io::Error;

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<io::Error>> {
        match send(&self.0, segments, 0) {
            Err(CallError::Failed(error)) if error.raw_os_error() == Some(libc::ENOTSOCK) => {}
            sent => return sent,
        }
        write(&self.0, segments)
    }

    fn keeps_messages(&self) -> bool {
        true
    }
}

impl<F: AsFd> VectoredRead for Stream<F> {
    type Error = io::Error;

    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<io::Error>> {
        let fd = self.0.as_fd().as_raw_fd();
        let (list, count) = list(segments);
        // SAFETY: the list has `count` segments that may be written.
        moved(unsafe { libc::readv(fd, list, count) })
    }

    fn keeps_messages(&self) -> bool {
        true
    }
}

/// A socket whose every call gets flags, such as `MSG_DONTWAIT`.
///
/// Writing adds `MSG_NOSIGNAL` where the system has it.
#[doc(alias = "iov_send_recv_with_flags")]
#[derive(Clone, Copy, Debug)]
pub struct Socket<F> {
    /// The socket.
    pub socket: F,
    /// The flags of `sendmsg` and `recvmsg`: any of `MSG_DONTWAIT`, `MSG_NOSIGNAL`, `MSG_WAITALL`,
    /// `MSG_OOB`, `MSG_DONTROUTE`, `MSG_EOR` and, on Linux, `MSG_MORE` and `MSG_CONFIRM`.
    ///
    /// Calls with any other flag fail with [`InvalidInput`](io::ErrorKind::InvalidInput) and move nothing,
    /// because their count could mislead. `MSG_TRUNC` counts bytes that were not received, `MSG_PROBE` bytes
    /// that were not sent, and `MSG_ZEROCOPY` bytes that the system reads later; `MSG_ERRQUEUE` receives
    /// what was sent, and the same bytes come again with `MSG_PEEK`, which [`peek`](Self::peek) is for.
    pub flags: i32,
}

/// The flags with which a call reads, or writes, as many new bytes as it returns before it returns.
const EXACT_FLAGS: c_int = libc::MSG_DONTWAIT
    | libc::MSG_NOSIGNAL
    | libc::MSG_WAITALL
    | libc::MSG_OOB
    | libc::MSG_DONTROUTE
    | libc::MSG_EOR
    | LINUX_FLAGS;
#[cfg(any(target_os = "linux", target_os = "android"))]
const LINUX_FLAGS: c_int = libc::MSG_MORE | libc::MSG_CONFIRM;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LINUX_FLAGS: c_int = 0;

impl<F: AsFd> Socket<F> {
    /// Writes the bytes that come next to the start of `segments`, in order, leaves them in the socket, and
    /// returns their number; 0 at the end of the data.
    ///
    /// One call, with `MSG_PEEK`, for the first [`MAX_SEGMENTS`] segments at most. The next call starts with
    /// the same bytes.
    ///
    /// # Errors
    ///
    /// Those of a single [receiving](VectoredRead::read_vectored) call; nothing was written then.
    pub fn peek(&self, segments: &[Piece<'_, Dest>]) -> Result<usize, CallError<io::Error>> {
        self.receive(segments, libc::MSG_PEEK)
    }

    /// Receives with the flags of the socket and `more`.
    fn receive(
        &self,
        segments: &[Piece<'_, Dest>],
        more: c_int,
    ) -> Result<usize, CallError<io::Error>> {
        let flags = self.exact_flags()? | more;
        let fd = self.socket.as_fd().as_raw_fd();
        let mut message = message(segments);
        // SAFETY: the message has no room for an address or control data, and a list of segments
        // that may be written.
        moved(unsafe { libc::recvmsg(fd, &mut message, flags) })
    }

    /// The flags, if the count of a call with them can be relied on.
    fn exact_flags(&self) -> Result<c_int, CallError<io::Error>> {
        match self.flags & !EXACT_FLAGS {
            0 => Ok(self.flags),
            _ => Err(CallError::Failed(io::ErrorKind::InvalidInput.into())),
        }
    }
}

impl<F: AsFd> VectoredWrite for Socket<F> {
    type Error = io::Error;

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<io::Error>> {
        send(&self.socket, segments, self.exact_flags()?)
    }

    fn keeps_messages(&self) -> bool {
        true
    }
}

impl<F: AsFd> VectoredRead for Socket<F> {
    type Error = io::Error;

    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<io::Error>> {
        self.receive(segments, 0)
    }

    fn keeps_messages(&self) -> bool {
        true
    }
}

/// A file or block device, read and written at an offset that moves on with the bytes.
///
/// The file's own position is neither used nor changed.
#[derive(Clone, Copy, Debug)]
pub struct FileAt<F> {
    /// The file.
    pub file: F,
    /// Where in the file the next byte is, in bytes from its start.
    pub offset: u64,
}

impl<F: AsFd> FileAt<F> {
    fn call(
        &mut self,
        call: impl FnOnce(c_int, off_t) -> libc::ssize_t,
    ) -> Result<usize, CallError<io::Error>> {
        let offset = off_t::try_from(self.offset)
            .map_err(|_| CallError::Failed(io::ErrorKind::InvalidInput.into()))?;
        let moved = moved(call(self.file.as_fd().as_raw_fd(), offset))?;
        self.offset = self.offset.saturating_add(moved as u64);
        Ok(moved)
    }
}

impl<F: AsFd> VectoredWrite for FileAt<F> {
    type Error = io::Error;

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<io::Error>> {
        let (list, count) = list(segments);
        // SAFETY: the list has `count` segments that may be read.
        self.call(|fd, offset| unsafe { pwritev(fd, list, count, offset) })
    }
}

impl<F: AsFd> VectoredRead for FileAt<F> {
    type Error = io::Error;

    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<io::Error>> {
        let (list, count) = list(segments);
        // SAFETY: the list has `count` segments that may be written.
        self.call(|fd, offset| unsafe { preadv(fd, list, count, offset) })
    }
}

/// Makes a peer that is gone an error, and not a signal. On Apple's systems an option of the socket does
/// that, which the standard library sets.
const NOSIGNAL: c_int = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// Writes once, at the position of the file.
pub(super) fn write(
    file: &impl AsFd,
    segments: &[Piece<'_, Source>],
) -> Result<usize, CallError<io::Error>> {
    let (list, count) = list(segments);
    // SAFETY: the list has `count` segments that may be read.
    moved(unsafe { libc::writev(file.as_fd().as_raw_fd(), list, count) })
}

/// Writes to a socket once.
fn send(
    socket: &impl AsFd,
    segments: &[Piece<'_, Source>],
    flags: c_int,
) -> Result<usize, CallError<io::Error>> {
    let message = message(segments);
    // SAFETY: the message has no address, no control data and a list of segments that may be read.
    moved(unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &message, flags | NOSIGNAL) })
}

/// The segments as the system takes them, no more than it takes in one call.
fn list<D: Direction>(segments: &[Piece<'_, D>]) -> (*const libc::iovec, c_int) {
    // At most 1024.
    (segments.as_ptr().cast(), segments.len().min(MAX_SEGMENTS) as c_int)
}

/// A message of segments, without an address and control data.
fn message<D: Direction>(segments: &[Piece<'_, D>]) -> libc::msghdr {
    let (list, count) = list(segments);
    // SAFETY: null pointers and zero lengths are what an empty message consists of.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = list.cast_mut();
    message.msg_iovlen = count as _;
    message
}

/// What a call returned: bytes, or -1 and the error of this thread.
fn moved(returned: libc::ssize_t) -> Result<usize, CallError<io::Error>> {
    usize::try_from(returned).map_err(|_| {
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => CallError::Interrupted,
            io::ErrorKind::WouldBlock => CallError::WouldBlock,
            _ => CallError::Failed(error),
        }
    })
}

mod layout {
    use super::*;
    use core::mem::offset_of;
    use static_assertions::*;

    // A segment is laid out as `IoVec`, whose fields are in this order (see `KVec`).
    assert_eq_size!(KVec<'static, Source>, IoSlice<'static>, libc::iovec);
    assert_eq_align!(KVec<'static, Source>, IoSlice<'static>, libc::iovec);
    assert_eq_size!(KVec<'static, Dest>, IoSliceMut<'static>, libc::iovec);
    assert_eq_align!(KVec<'static, Dest>, IoSliceMut<'static>, libc::iovec);
    const_assert_eq!(offset_of!(libc::iovec, iov_base), offset_of!(crate::IoVec, base));
    const_assert_eq!(offset_of!(libc::iovec, iov_len), offset_of!(crate::IoVec, len));
}
