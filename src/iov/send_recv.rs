//! Moving a vector over a transport that takes many segments in one call.
//!
//! One call may move less than it was given. What follows repeats calls, each for exactly the
//! bytes that have not moved yet, until all have moved or something other than an interruption
//! stops it; the result tells both how far it came and why it stopped.

use super::View;
use crate::direction::{Dest, Direction, Source};
use crate::segment::{KVec, MAX_SEGMENTS, Segments};

/// Why a single call of a transport moved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Takes data out of `segments`, in order, and returns how many bytes; 0 if it never will take
    /// any.
    ///
    /// There is at least one segment and no more than [`max_segments`](Self::max_segments), with
    /// at most `isize::MAX` bytes together.
    ///
    /// # Errors
    ///
    /// Nothing was taken.
    fn write_vectored(
        &mut self,
        segments: &[KVec<'_, Source>],
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

    /// Puts data into `segments`, in order, and returns how many bytes; 0 at the end of the data.
    ///
    /// There is at least one segment and no more than [`max_segments`](Self::max_segments), with
    /// at most `isize::MAX` bytes together.
    ///
    /// # Errors
    ///
    /// Nothing was put.
    fn read_vectored(
        &mut self,
        segments: &[KVec<'_, Dest>],
    ) -> Result<usize, CallError<Self::Error>>;
}

/// How far a transfer came, and why it ended there.
#[must_use = "a transfer may have moved less than all"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer<E> {
    /// Bytes moved, counted from the start of the view.
    pub moved: usize,
    /// Why no more were moved.
    pub stop: Stop<E>,
}

/// Why a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl View<'_, Source> {
    /// Sends the bytes in view.
    ///
    /// Interrupted calls are repeated. A view without bytes makes no call.
    ///
    /// ```
    /// use iov_iter::{KVec, Source, iov};
    ///
    /// /// Takes three bytes at a time.
    /// struct Slow(Vec<u8>);
    ///
    /// impl iov::VectoredWrite for Slow {
    ///     type Error = ();
    ///     fn write_vectored(
    ///         &mut self,
    ///         segments: &[KVec<'_, Source>],
    ///     ) -> Result<usize, iov::CallError<()>> {
    ///         let bytes = segments.iter().flat_map(|segment| segment.as_slice());
    ///         let before = self.0.len();
    ///         self.0.extend(bytes.take(3));
    ///         Ok(self.0.len() - before)
    ///     }
    /// }
    ///
    /// let segments = [KVec::from(&b"scat"[..]), KVec::from(&b"tered"[..])];
    /// let mut wire = Slow(Vec::new());
    /// let sent = iov::View::new(&segments)?.slice(1, 7)?.send(&mut wire);
    /// assert_eq!((sent.moved, sent.stop), (7, iov::Stop::Finished));
    /// assert_eq!(wire.0, b"cattere");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "iov_send")]
    #[doc(alias = "iov_send_recv")]
    #[doc(alias = "do_send_recv")]
    pub fn send<T: VectoredWrite + ?Sized>(&self, transport: &mut T) -> Transfer<T::Error> {
        let limit = transport.max_segments();
        transfer(*self, limit, |segments| transport.write_vectored(segments))
    }
}

impl View<'_, Dest> {
    /// Receives into the bytes in view. Bytes behind those that moved are not written.
    ///
    /// Interrupted calls are repeated. A view without bytes makes no call.
    #[doc(alias = "iov_recv")]
    #[doc(alias = "iov_send_recv")]
    #[doc(alias = "do_send_recv")]
    pub fn receive<T: VectoredRead + ?Sized>(&self, transport: &mut T) -> Transfer<T::Error> {
        let limit = transport.max_segments();
        transfer(*self, limit, |segments| transport.read_vectored(segments))
    }
}

/// Calls `call` with segment after segment of `view` until all bytes have moved or it must stop.
fn transfer<D: Direction, E>(
    view: View<'_, D>,
    limit: usize,
    mut call: impl FnMut(&[KVec<'_, D>]) -> Result<usize, CallError<E>>,
) -> Transfer<E> {
    let limit = limit.max(1);
    let mut left = view;
    let stop = loop {
        if left.is_empty() {
            break Stop::Finished;
        }
        match one_call(&left, limit, &mut call) {
            Ok(0) => break Stop::Closed,
            Ok(moved) => {
                left.discard_front(moved);
            }
            Err(CallError::Interrupted) => {}
            Err(CallError::WouldBlock) => break Stop::WouldBlock,
            Err(CallError::Failed(error)) => break Stop::Failed(error),
        }
    };
    Transfer { moved: view.size().saturating_sub(left.size()), stop }
}

/// Segments that a call is given from the stack. A call for more is given those of the vector.
const BATCH: usize = 64;

/// Bytes that a call is given at most.
const MAX_BYTES: usize = isize::MAX.unsigned_abs();

/// Calls `call` once, with the first segments of `view`, and returns the bytes it moved.
fn one_call<D: Direction, E>(
    view: &View<'_, D>,
    limit: usize,
    call: &mut impl FnMut(&[KVec<'_, D>]) -> Result<usize, CallError<E>>,
) -> Result<usize, CallError<E>> {
    let (segments, size) = whole_segments(view, limit);
    if segments.len() > BATCH {
        return call(segments).map(|moved| moved.min(size));
    }
    let first = view.part(0, MAX_BYTES);
    let mut batch = heapless::Vec::<KVec<'_, D>, BATCH>::new();
    // SAFETY: the batch lives on this stack and is only lent by shared reference, which for a
    // destination does not leave the thread, and out of which no segment can be moved.
    batch.extend(unsafe { first.segments() }.take(limit.min(BATCH)));
    call(&batch).map(|moved| moved.min(batch.as_slice().total()))
}

/// The segments of the vector that the front of `view` covers completely, no more than `limit`
/// and up to the first without bytes; and their bytes.
fn whole_segments<'v, D: Direction>(
    view: &View<'v, D>,
    limit: usize,
) -> (&'v [KVec<'v, D>], usize) {
    let at = view.cursor.position();
    let budget = view.size().min(MAX_BYTES);
    let segments = match at.offset {
        0 => view.cursor.list().get(at.index..).unwrap_or_default(),
        _ => &[],
    };
    let (mut count, mut size) = (0_usize, 0_usize);
    for segment in segments.iter().take(limit).take_while(|segment| !segment.is_empty()) {
        let with = size.saturating_add(segment.len());
        if with > budget {
            break;
        }
        size = with;
        count = count.saturating_add(1);
    }
    (segments.get(..count).unwrap_or_default(), size)
}
