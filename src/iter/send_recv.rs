//! Moving what an iterator has left over a transport that takes many segments in one call.

use core::fmt;

use super::{Chained, IovIter, UserCursor};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{Host, UserMemory};
use crate::iov::{
    BATCH, CallError, Limits, MAX_BYTES, Transfer, VectoredRead, VectoredWrite, View, call_pieces,
    one_call, transfer,
};
use crate::memory::Piece;
use crate::segment::{IoVec, MAX_SEGMENTS, Segments};

/// Why a transfer of an [`IovIter`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferError<E> {
    /// The next byte of the iterator cannot be reached: [`Error::Fault`], or [`Error::NoMapping`] where
    /// the host does not map.
    Memory(Error),
    /// The transport failed.
    Transport(E),
}

impl<E: fmt::Display> fmt::Display for TransferError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for TransferError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Memory(error) => error.source(),
            Self::Transport(error) => error.source(),
        }
    }
}

/// What one call came to.
type Called<E> = Result<usize, CallError<TransferError<E>>>;

const fn memory<E>(error: Error) -> CallError<TransferError<E>> {
    CallError::Failed(TransferError::Memory(error))
}

fn transport<E>(error: CallError<E>) -> CallError<TransferError<E>> {
    match error {
        CallError::Interrupted => CallError::Interrupted,
        CallError::WouldBlock => CallError::WouldBlock,
        CallError::Failed(error) => CallError::Failed(TransferError::Transport(error)),
    }
}

/// # Transports
impl<H: Host> IovIter<'_, Source, H> {
    /// Sends the bytes left, and advances by exactly those that moved.
    ///
    /// Interrupted calls are repeated. Addressable memory is given to the transport as a
    /// [`View`] gives it, and so is user memory that the host [maps](UserMemory::map): up to 64 pieces a
    /// call, or [`MAX_SEGMENTS`] for a transport that [keeps messages](VectoredWrite::keeps_messages).
    /// Pages are mapped one at a time, and each call takes one, or a run that is
    /// [mapped as a whole](crate::Page::CONTIGUOUS).
    ///
    /// The transfer fails with [`TransferError::Memory`] at the first byte that cannot be reached, when all
    /// before it have moved. A transport that keeps messages is not called at all for a message that cannot
    /// be reached as a whole.
    ///
    /// ```
    /// use iov_iter::{IovIter, KVec, Source, iov::Stop};
    /// # use iov_iter::{Piece, iov::{CallError, VectoredWrite}};
    /// # struct Wire(Vec<u8>);
    /// # impl VectoredWrite for Wire {
    /// #     type Error = ();
    /// #     fn write_vectored(&mut self, list: &[Piece<'_, Source>]) -> Result<usize, CallError<()>> {
    /// #         let mut bytes = [0; 4];
    /// #         let len = list[0].copy_to(Piece::from(&mut bytes[..]));
    /// #         self.0.extend(&bytes[..len]);
    /// #         Ok(len)
    /// #     }
    /// # }
    ///
    /// let segments = [KVec::from(b"head"), KVec::from(b"body")];
    /// let mut iter = IovIter::<Source>::kvec(&segments, 6).unwrap();
    /// iter.advance(1);
    /// let mut wire = Wire(vec![]);
    /// let sent = iter.send(&mut wire);
    /// assert_eq!((sent.moved, sent.stop), (5, Stop::Finished));
    /// assert_eq!((iter.remaining(), &wire.0[..]), (0, &b"eadbo"[..]));
    /// ```
    pub fn send<T: VectoredWrite + ?Sized>(
        &mut self,
        to: &mut T,
    ) -> Transfer<TransferError<T::Error>> {
        let limits = Limits::new(to.max_segments(), to.keeps_messages());
        transfer(self.remaining(), || {
            self.call_once(limits, &mut |list| to.write_vectored(list).map_err(transport))
        })
    }
}

/// # Transports
impl<H: Host> IovIter<'_, Dest, H> {
    /// Receives until no byte is left, and advances by exactly those that moved.
    ///
    /// Bytes of user memory that were received are [announced](UserMemory::mark_written) to the host. A
    /// [discarding](Self::discard) iterator receives into a buffer on the stack. Otherwise as
    /// [`send`](IovIter::send).
    ///
    /// ```
    /// use iov_iter::{Dest, IovIterDest, KVec, iov::Stop};
    /// # use iov_iter::{Piece, iov::{CallError, VectoredRead}};
    /// # struct Wire<'w>(&'w [u8]);
    /// # impl VectoredRead for Wire<'_> {
    /// #     type Error = ();
    /// #     fn read_vectored(&mut self, list: &[Piece<'_, Dest>]) -> Result<usize, CallError<()>> {
    /// #         let len = list[0].copy_from(Piece::from(self.0));
    /// #         self.0 = &self.0[len..];
    /// #         Ok(len)
    /// #     }
    /// # }
    ///
    /// let (mut head, mut body) = ([0; 4], [0; 8]);
    /// let segments = [KVec::from(&mut head), KVec::from(&mut body)];
    /// let mut iter = IovIterDest::from(&segments);
    /// let received = iter.receive(&mut Wire(b"headbody"));
    /// assert_eq!((received.moved, received.stop), (8, Stop::Closed));
    /// assert_eq!((iter.remaining(), &body), (4, b"body\0\0\0\0"));
    /// ```
    pub fn receive<T: VectoredRead + ?Sized>(
        &mut self,
        from: &mut T,
    ) -> Transfer<TransferError<T::Error>> {
        let limits = Limits::new(from.max_segments(), from.keeps_messages());
        transfer(self.remaining(), || {
            self.call_once(limits, &mut |list| from.read_vectored(list).map_err(transport))
        })
    }
}

impl<H: Host> IovIter<'_, Source, H> {
    /// Sends in one call: one datagram or packet, or what a stream takes now. Advances by the bytes sent and
    /// returns them.
    ///
    /// Interrupted calls are repeated. An iterator without bytes makes no call. What one call is given is
    /// the same as for [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// [`CallError::WouldBlock`] or [`CallError::Failed`]. Nothing was sent.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", unix))] {
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// use iov_iter::{IovIterDest, IovIterSource, KVec, os::io::Stream};
    ///
    /// let (here, there) = UnixDatagram::pair().unwrap();
    /// let packet = [KVec::from(b"head"), KVec::from(b"body")];
    /// assert_eq!(IovIterSource::from(&packet).send_once(&mut Stream(&here)).unwrap(), 8);
    /// let mut buffer = [0; 100];
    /// assert_eq!(IovIterDest::from(&mut buffer).receive_once(&mut Stream(&there)).unwrap(), 8);
    /// # }
    /// ```
    pub fn send_once<T: VectoredWrite + ?Sized>(
        &mut self,
        to: &mut T,
    ) -> Result<usize, CallError<TransferError<T::Error>>> {
        let limits = Limits::new(to.max_segments(), to.keeps_messages());
        self.call_through(limits, &mut |list| to.write_vectored(list).map_err(transport))
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Receives in one call: one datagram or packet, or what has come of a stream. Advances by the bytes
    /// received and returns them.
    ///
    /// 0 is an empty datagram or the end of the data. Interrupted calls are repeated. An iterator without
    /// bytes makes no call. Of a datagram that is longer than the iterator a socket drops the rest.
    ///
    /// # Errors
    ///
    /// [`CallError::WouldBlock`] or [`CallError::Failed`]. Nothing was received.
    pub fn receive_once<T: VectoredRead + ?Sized>(
        &mut self,
        from: &mut T,
    ) -> Result<usize, CallError<TransferError<T::Error>>> {
        let limits = Limits::new(from.max_segments(), from.keeps_messages());
        self.call_through(limits, &mut |list| from.read_vectored(list).map_err(transport))
    }
}

impl<D: Direction, H: Host> IovIter<'_, D, H> {
    /// Makes one call that is not interrupted, unless no byte is left.
    fn call_through<E>(
        &mut self,
        limits: Limits,
        call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
    ) -> Called<E> {
        if self.is_empty() {
            return Ok(0);
        }
        loop {
            match self.call_once(limits, call) {
                Err(CallError::Interrupted) => {}
                result => return result,
            }
        }
    }

    /// Calls `call` once, with the first pieces of what is left, and advances by the bytes it moved.
    fn call_once<E>(
        &mut self,
        limits: Limits,
        call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
    ) -> Called<E> {
        let moved = match self {
            Self::UserBuf(user) => call_user(user, limits, call)?,
            Self::IoVec(user) => call_user(user, limits, call)?,
            Self::KVec(cursor) => one_call(&View::over(cursor.borrowed()), limits, call)?,
            Self::Shared(cursor) => one_call(&View::over(cursor.borrowed()), limits, call)?,
            Self::BVec(cursor) => {
                let mut cursor = *cursor;
                call_page(cursor.remaining(), limits, call, |n, step| cursor.walk_pages(n, step))?
            }
            Self::Uniform(cursor) => {
                let mut cursor = *cursor;
                call_page(cursor.remaining(), limits, call, |n, step| cursor.walk_pages(n, step))?
            }
            Self::Lookup(cursor) => {
                let mut cursor = *cursor;
                call_page(cursor.remaining(), limits, call, |n, step| cursor.walk_pages(n, step))?
            }
            Self::Discard(cursor) => call_nothing(cursor.remaining(), limits, call)?,
            Self::Chain(chained) => {
                // The rest of a message may be still to come, or all that is left.
                let needed = if limits.messages { chained.remaining() } else { 1 };
                if chained.there(needed) < needed {
                    return Err(memory(Error::Exhausted));
                }
                match chained {
                    Chained::IoVec(user) => call_user(user, limits, call)?,
                    Chained::KVec(cursor) => call_pieces(|| cursor.pieces(), limits, call)?,
                    Chained::Shared(cursor) => call_pieces(|| cursor.pieces(), limits, call)?,
                    Chained::BVec(cursor) => {
                        let mut cursor = *cursor;
                        let left = cursor.remaining();
                        call_page(left, limits, call, |n, step| cursor.walk_pages(n, step))?
                    }
                }
            }
        };
        self.advance(moved);
        Ok(moved)
    }
}

/// Calls `call` once, with the first pieces that `user` maps, and announces what was written.
fn call_user<U: UserMemory, L: Segments<Segment = IoVec>, D: Direction, E>(
    user: &UserCursor<U, L, L::Node>,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
) -> Called<E> {
    let moved = match call_mapped::<BATCH, _, _, _, _>(user, limits, call) {
        Some(called) => called?,
        None => call_with_many(user, limits, call)?,
    };
    if D::IS_DEST {
        user.mark_written(moved);
    }
    Ok(moved)
}

/// As [`call_mapped`], with a large list in a frame of its own.
#[cold]
#[inline(never)]
fn call_with_many<U: UserMemory, L: Segments<Segment = IoVec>, D: Direction, E>(
    user: &UserCursor<U, L, L::Node>,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
) -> Called<E> {
    let limits = Limits { segments: limits.segments.min(MAX_SEGMENTS), ..limits };
    call_mapped::<MAX_SEGMENTS, _, _, _, _>(user, limits, call).unwrap_or(Ok(0))
}

/// Calls `call` once, with a list of the first `N` pieces that `user` maps. `None` if those are not all of a
/// message, which a larger list might hold.
fn call_mapped<const N: usize, U: UserMemory, L: Segments<Segment = IoVec>, D: Direction, E>(
    user: &UserCursor<U, L, L::Node>,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
) -> Option<Called<E>> {
    let mut list = heapless::Vec::<Piece<'_, D>, N>::new();
    let (mapped, ended) = user.map(&mut list, limits.segments, MAX_BYTES);
    match ended {
        Some(error) if mapped == 0 || limits.messages => return Some(Err(memory(error))),
        _ => {}
    }
    if limits.messages && limits.segments > N && mapped < user.cursor.remaining().min(MAX_BYTES) {
        return None;
    }
    Some(call(&list).map(|moved| moved.min(mapped)))
}

/// Calls `call` once, with the first piece of the pages that `walk` walks over.
fn call_page<D: Direction, E>(
    remaining: usize,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
    walk: impl FnOnce(usize, &mut dyn FnMut(Piece<'_, D>, usize) -> usize) -> usize,
) -> Called<E> {
    let left = remaining.min(MAX_BYTES);
    let mut called = Err(memory(Error::Fault));
    // Handling nothing ends the walk.
    walk(left, &mut |piece, _| {
        called = match piece.len() {
            len if len < left && limits.messages => Err(memory(Error::NoMapping)),
            len => call(&[piece]).map(|moved| moved.min(len)),
        };
        0
    });
    called
}

/// Calls `call` once, with pieces of a buffer that nobody looks at, for at most `left` bytes.
fn call_nothing<D: Direction, E>(
    left: usize,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Called<E>,
) -> Called<E> {
    // A datagram of any size is received as a whole: this, `BATCH` times.
    let mut buffer = [0_u8; 1024];
    let len = buffer.len();
    // SAFETY: the buffer is initialised, outlives the list and is used through pieces only.
    let piece = unsafe { Piece::<D>::from_raw_parts(buffer.as_mut_ptr(), len) };
    let mut list = heapless::Vec::<_, BATCH>::new();
    let mut rest = left;
    while rest > 0 && list.len() < limits.segments && list.push(piece.slice(0, rest)).is_ok() {
        rest = rest.saturating_sub(len);
    }
    call(&list).map(|moved| moved.min(left.saturating_sub(rest)))
}
