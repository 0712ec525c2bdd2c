//! The errors of the core as errors of the operating system.

use std::io;

use crate::TransferError;
use crate::iov::{CallError, Stop, Transfer};

/// The error with the same [`errno`](crate::Error::errno). Allocates nothing.
impl From<crate::Error> for io::Error {
    fn from(error: crate::Error) -> Self {
        Self::from_raw_os_error(error.errno())
    }
}

/// The error with the same [`errno`](crate::iov::Error::errno). Allocates nothing.
impl From<crate::iov::Error> for io::Error {
    fn from(error: crate::iov::Error) -> Self {
        Self::from_raw_os_error(error.errno())
    }
}

/// The error of the transport, or one of kind `WouldBlock` or `UnexpectedEof`. The number of bytes moved is
/// lost. Allocates nothing.
///
/// ```
/// use std::io;
/// use std::os::unix::net::UnixStream;
///
/// use iov_iter::{KVec, iov::View, os::io::Stream};
///
/// fn receive(from: &UnixStream, into: &mut [u8]) -> io::Result<usize> {
///     let segments = [KVec::from(into)];
///     Ok(View::new(&segments).receive(&mut Stream(from)).finished()?)
/// }
///
/// let (_, closed) = UnixStream::pair()?;
/// assert_eq!(receive(&closed, &mut [0; 4]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
/// # Ok::<(), io::Error>(())
/// ```
impl<E: Into<io::Error>> From<Transfer<E>> for io::Error {
    fn from(transfer: Transfer<E>) -> Self {
        match transfer.stop {
            Stop::Failed(error) => error.into(),
            Stop::WouldBlock => io::ErrorKind::WouldBlock.into(),
            Stop::Closed | Stop::Finished => io::ErrorKind::UnexpectedEof.into(),
        }
    }
}

/// The error of the transport, or one of kind `Interrupted` or `WouldBlock`. Allocates nothing.
impl<E: Into<io::Error>> From<CallError<E>> for io::Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Failed(error) => error.into(),
            CallError::Interrupted => io::ErrorKind::Interrupted.into(),
            CallError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        }
    }
}

/// The error of the transport, or the one with the [`errno`](crate::Error::errno) of the memory. Allocates
/// nothing.
impl<E: Into<io::Error>> From<TransferError<E>> for io::Error {
    fn from(error: TransferError<E>) -> Self {
        match error {
            TransferError::Memory(error) => error.into(),
            TransferError::Transport(error) => error.into(),
        }
    }
}
