//! Moving a vector over a transport that takes many segments in one call.
//!
//! One call may move less than it was given. What follows repeats calls, each for exactly the
//! bytes that have not moved yet, until all have moved or something other than an interruption
//! stops it; the result tells both how far it came and why it stopped.

use core::error::Error;
use core::fmt;

use super::View;
use crate::direction::{Dest, Direction, Source};
use crate::memory::{Access, Piece};
use crate::segment::{MAX_SEGMENTS, MemVec, Segments, as_pieces};

/// Why a single call of a transport moved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// A signal came first (`EINTR`). The call is repeated.
    Interrupted,
    /// The call would have to wait (`EAGAIN`).
    WouldBlock,
    /// Anything else.
    Failed(E),
}

/// A transport that takes data out of many segments in one call, as `writev` does.
pub trait VectoredWrite {
    /// What can go wrong.
    type Error;

    /// Segments that one call takes at most; 0 counts as 1.
    fn max_segments(&self) -> usize {
        MAX_SEGMENTS
    }

    /// Whether the bytes of one call are one message, as they are for a datagram socket.
    ///
    /// If so, a call is given up to [`MAX_SEGMENTS`] pieces of a view. More than 64 pieces that are
    /// not whole segments in a row need a list of 16 KiB on the stack. If not, a call may be given 64
    /// pieces, and the next call the others. The default is `false`.
    fn keeps_messages(&self) -> bool {
        false
    }

    /// Takes data out of `segments`, in order, and returns how many bytes; 0 if it never will take
    /// any.
    ///
    /// There is at least one segment and no more than [`max_segments`](Self::max_segments), with
    /// at most `isize::MAX` bytes together. A slice of pieces is laid out as an array of `struct iovec`.
    /// Others may access the memory meanwhile.
    ///
    /// # Errors
    ///
    /// Nothing was taken.
    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<Self::Error>>;
}

/// A transport that puts data into many segments in one call, as `readv` does.
pub trait VectoredRead {
    /// What can go wrong.
    type Error;

    /// Segments that one call takes at most; 0 counts as 1.
    fn max_segments(&self) -> usize {
        MAX_SEGMENTS
    }

    /// Whether the bytes of one call are one message, as they are for a datagram socket.
    ///
    /// If so, a call is given up to [`MAX_SEGMENTS`] pieces of a view. More than 64 pieces that are
    /// not whole segments in a row need a list of 16 KiB on the stack. If not, a call may be given 64
    /// pieces, and the next call the others. The default is `false`.
    fn keeps_messages(&self) -> bool {
        false
    }

    /// Puts data into `segments`, in order, and returns how many bytes; 0 at the end of the data.
    ///
    /// There is at least one segment and no more than [`max_segments`](Self::max_segments), with
    /// at most `isize::MAX` bytes together. A slice of pieces is laid out as an array of `struct iovec`.
    /// Others may access the memory meanwhile.
    ///
    /// # Errors
    ///
    /// Nothing was put.
    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<Self::Error>>;
}

/// How far a transfer came, and why it ended there.
#[must_use = "a transfer may have moved less than all"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer<E> {
    /// Bytes moved, counted from the start of the view, or from where the iterator was.
    ///
    /// The sum of what the transport reported, each report cut to what the call was given. Transports are
    /// safe to implement and may lie, so unsafe code must not conclude from the number that this memory is
    /// initialised, unless it knows the transport.
    pub moved: usize,
    /// Why no more were moved.
    pub stop: Stop<E>,
}

/// Why a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop<E> {
    /// All bytes have moved.
    Finished,
    /// The next call would have to wait.
    WouldBlock,
    /// A call moved no byte: the data or the file has ended, the peer has closed, or it takes
    /// nothing any more.
    Closed,
    /// The transport failed.
    Failed(E),
}

impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "the call was interrupted",
            Self::WouldBlock => "the call would have to wait",
            Self::Failed(_) => "the call failed",
        })
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Interrupted | Self::WouldBlock => None,
        }
    }
}

impl<E> fmt::Display for Transfer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.stop {
            Stop::Finished => "all there were",
            Stop::WouldBlock => "then the next call would have to wait",
            Stop::Closed => "then the data ended or the peer had closed",
            Stop::Failed(_) => "then the transport failed",
        };
        write!(f, "{} bytes moved, {why}", self.moved)
    }
}

/// The error of a transfer that [stopped early](Transfer::finished).
impl<E: Error + 'static> Error for Transfer<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.stop {
            Stop::Failed(error) => Some(error),
            Stop::Finished | Stop::WouldBlock | Stop::Closed => None,
        }
    }
}

impl<E> Transfer<E> {
    /// The bytes moved, if those are all.
    ///
    /// # Errors
    ///
    /// The transfer itself if it stopped early.
    pub fn finished(self) -> Result<usize, Self> {
        match self.stop {
            Stop::Finished => Ok(self.moved),
            _ => Err(self),
        }
    }
}

impl<A: Access> View<'_, Source, A> {
    /// Sends the bytes in view.
    ///
    /// Interrupted calls are repeated. A view without bytes makes no call. A datagram socket sends one
    /// datagram if the view has at most [`MAX_SEGMENTS`] pieces, and one for each `MAX_SEGMENTS` pieces
    /// otherwise.
    ///
    /// ```
    /// use iov_iter::{KVec, Piece, Source, iov};
    ///
    /// /// Takes three bytes at a time.
    /// struct Slow(Vec<u8>);
    ///
    /// impl iov::VectoredWrite for Slow {
    ///     type Error = ();
    ///     fn write_vectored(
    ///         &mut self,
    ///         segments: &[Piece<'_, Source>],
    ///     ) -> Result<usize, iov::CallError<()>> {
    ///         // The first segment, which others may be writing.
    ///         let mut bytes = [0; 3];
    ///         let len = segments[0].copy_to(Piece::from(&mut bytes[..]));
    ///         self.0.extend(&bytes[..len]);
    ///         Ok(len)
    ///     }
    /// }
    ///
    /// let segments = [KVec::from(b"scat"), KVec::from(b"tered")];
    /// let mut wire = Slow(Vec::new());
    /// let sent = iov::View::new(&segments).slice(1, 7)?.send(&mut wire);
    /// assert_eq!((sent.moved, sent.stop), (7, iov::Stop::Finished));
    /// assert_eq!(wire.0, b"cattere");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "iov_send")]
    #[doc(alias = "iov_send_recv")]
    #[doc(alias = "do_send_recv")]
    pub fn send<T: VectoredWrite + ?Sized>(&self, transport: &mut T) -> Transfer<T::Error> {
        let limits = Limits::new(transport.max_segments(), transport.keeps_messages());
        let mut left = *self;
        transfer(self.len(), || {
            let moved = one_call(&left, limits, &mut |list| transport.write_vectored(list))?;
            left.discard_front(moved);
            Ok(moved)
        })
    }
}

impl<A: Access> View<'_, Source, A> {
    /// Sends in one call: one datagram or packet, or what a stream takes now. Returns the bytes sent.
    ///
    /// Interrupted calls are repeated. A view without bytes makes no call. A transport that
    /// [keeps messages](VectoredWrite::keeps_messages) is given the first [`MAX_SEGMENTS`] pieces; the
    /// packet is complete if the result is the [length](Self::len).
    ///
    /// # Errors
    ///
    /// [`CallError::WouldBlock`] or [`CallError::Failed`]. Nothing was sent.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", unix))] {
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// use iov_iter::{KVec, iov::View, os::io::Stream};
    ///
    /// let (here, there) = UnixDatagram::pair().unwrap();
    /// let packet = [KVec::from(b"head"), KVec::from(b"body")];
    /// assert_eq!(View::new(&packet).send_once(&mut Stream(&here)).unwrap(), 8);
    /// let mut buffer = [0; 100];
    /// assert_eq!(there.recv(&mut buffer).unwrap(), 8);
    /// # }
    /// ```
    pub fn send_once<T: VectoredWrite + ?Sized>(
        &self,
        transport: &mut T,
    ) -> Result<usize, CallError<T::Error>> {
        let limits = Limits::new(transport.max_segments(), transport.keeps_messages());
        once(self, limits, &mut |segments| transport.write_vectored(segments))
    }
}

impl<A: Access> View<'_, Dest, A> {
    /// Receives until the view is full. Bytes after those that moved are not written.
    ///
    /// Interrupted calls are repeated. A view without bytes makes no call. From a datagram socket it
    /// receives datagram after datagram, one directly after the other, and an empty one ends it as if
    /// the peer had closed: use [`receive_once`](Self::receive_once) there.
    #[doc(alias = "iov_recv")]
    #[doc(alias = "iov_send_recv")]
    #[doc(alias = "do_send_recv")]
    pub fn receive<T: VectoredRead + ?Sized>(&self, transport: &mut T) -> Transfer<T::Error> {
        let limits = Limits::new(transport.max_segments(), transport.keeps_messages());
        let mut left = *self;
        transfer(self.len(), || {
            let moved = one_call(&left, limits, &mut |list| transport.read_vectored(list))?;
            left.discard_front(moved);
            Ok(moved)
        })
    }

    /// Receives in one call: one datagram, or what has come of a stream. Returns its length in bytes.
    ///
    /// 0 is an empty datagram or the end of the data. Interrupted calls are repeated. A view without
    /// bytes makes no call. Of a datagram that is longer than the view, or than its first
    /// [`MAX_SEGMENTS`] pieces, a socket drops the rest.
    ///
    /// # Errors
    ///
    /// [`CallError::WouldBlock`] or [`CallError::Failed`]. Nothing was received.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", unix))] {
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// use iov_iter::{KVec, iov::View, os::io::Stream};
    ///
    /// let (here, there) = UnixDatagram::pair().unwrap();
    /// here.send(b"one").unwrap();
    /// here.send(b"another").unwrap();
    /// let mut buffer = [0; 100];
    /// let segments = [KVec::from(&mut buffer)];
    /// let view = View::new(&segments);
    /// assert_eq!(view.receive_once(&mut Stream(&there)).unwrap(), 3);
    /// assert_eq!(view.receive_once(&mut Stream(&there)).unwrap(), 7);
    /// # }
    /// ```
    pub fn receive_once<T: VectoredRead + ?Sized>(
        &self,
        transport: &mut T,
    ) -> Result<usize, CallError<T::Error>> {
        let limits = Limits::new(transport.max_segments(), transport.keeps_messages());
        once(self, limits, &mut |segments| transport.read_vectored(segments))
    }
}

/// Makes one call that is not interrupted, unless there are no bytes in view.
fn once<D: Direction, A: Access, E>(
    view: &View<'_, D, A>,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Result<usize, CallError<E>>,
) -> Result<usize, CallError<E>> {
    if view.is_empty() {
        return Ok(0);
    }
    loop {
        match one_call(view, limits, call) {
            Err(CallError::Interrupted) => {}
            result => return result,
        }
    }
}

/// What a transport takes in one call.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Segments, at least 1.
    pub(crate) segments: usize,
    /// As many pieces as possible go into each call.
    pub(crate) messages: bool,
}

impl Limits {
    pub(crate) fn new(segments: usize, messages: bool) -> Self {
        Self { segments: segments.max(1), messages }
    }
}

/// Repeats `call` until it has moved `size` bytes in all, or must stop.
pub(crate) fn transfer<E>(
    size: usize,
    mut call: impl FnMut() -> Result<usize, CallError<E>>,
) -> Transfer<E> {
    let mut moved = 0_usize;
    let stop = loop {
        if moved >= size {
            break Stop::Finished;
        }
        match call() {
            Ok(0) => break Stop::Closed,
            Ok(more) => moved = moved.saturating_add(more),
            Err(CallError::Interrupted) => {}
            Err(CallError::WouldBlock) => break Stop::WouldBlock,
            Err(CallError::Failed(error)) => break Stop::Failed(error),
        }
    };
    Transfer { moved, stop }
}

/// Segments that a call is given from the stack. A call for more is given those of the vector.
pub(crate) const BATCH: usize = 64;

/// Bytes that a call is given at most.
pub(crate) const MAX_BYTES: usize = isize::MAX.unsigned_abs();

/// Calls `call` once, with the first segments of `view`, and returns the bytes it moved.
pub(crate) fn one_call<D: Direction, A: Access, E>(
    view: &View<'_, D, A>,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Result<usize, E>,
) -> Result<usize, E> {
    let limit = limits.segments;
    let view = &View { front: view.first(), ..*view };
    let (segments, size) = whole_segments(view, limit);
    if segments.len() > BATCH {
        let next = view.front.index.saturating_add(segments.len());
        let are_all = segments.len() == limit || next == view.back.index && view.back.offset == 0;
        if are_all || !limits.messages {
            return call(as_pieces(segments)).map(|moved| moved.min(size));
        }
    }
    call_pieces(|| view.pieces().map(Piece::into_shared), limits, call)
}

/// Calls `call` once, with the first of these pieces, and returns the bytes it moved.
pub(crate) fn call_pieces<'p, D: Direction, I: Iterator<Item = Piece<'p, D>>, E>(
    pieces: impl Fn() -> I,
    limits: Limits,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Result<usize, E>,
) -> Result<usize, E> {
    let limit = limits.segments;
    if limits.messages && limit > BATCH && pieces().nth(BATCH).is_some() {
        return call_with_many(pieces(), limit, call);
    }
    call_from_stack::<BATCH, D, E>(pieces(), limit, call)
}

/// As [`call_from_stack`], with a large list in a frame of its own.
#[cold]
#[inline(never)]
fn call_with_many<'p, D: Direction, E>(
    pieces: impl Iterator<Item = Piece<'p, D>>,
    limit: usize,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Result<usize, E>,
) -> Result<usize, E> {
    call_from_stack::<MAX_SEGMENTS, D, E>(pieces, limit, call)
}

/// Calls `call` once, with a list of the first `N` pieces, or `limit` if that is less.
#[inline]
fn call_from_stack<'p, const N: usize, D: Direction, E>(
    pieces: impl Iterator<Item = Piece<'p, D>>,
    limit: usize,
    call: &mut impl FnMut(&[Piece<'_, D>]) -> Result<usize, E>,
) -> Result<usize, E> {
    let (mut budget, mut list) = (MAX_BYTES, heapless::Vec::<Piece<'p, D>, N>::new());
    for piece in pieces.take(limit) {
        let piece = piece.slice(0, budget);
        budget = budget.saturating_sub(piece.len());
        if piece.is_empty() || list.push(piece).is_err() {
            break;
        }
    }
    call(&list).map(|moved| moved.min(list.as_slice().total()))
}

/// The segments of the vector that the front of `view` covers completely, no more than `limit`
/// and up to the first without bytes; and their bytes.
fn whole_segments<'v, D: Direction, A: Access>(
    view: &View<'v, D, A>,
    limit: usize,
) -> (&'v [MemVec<'v, D, A>], usize) {
    let segments = match view.front.offset {
        0 => view.segments.get(view.front.index..view.back.index).unwrap_or_default(),
        _ => &[],
    };
    let (mut count, mut size) = (0_usize, 0_usize);
    for segment in segments.iter().take(limit).take_while(|segment| !segment.is_empty()) {
        let with = size.saturating_add(segment.len());
        if with > MAX_BYTES {
            break;
        }
        size = with;
        count = count.saturating_add(1);
    }
    (segments.get(..count).unwrap_or_default(), size)
}
