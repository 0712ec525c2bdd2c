//! [`IoVector`]: a list of segments that a device model builds.

use core::fmt;

use super::view::add;
use super::{Error, View};
use crate::direction::{Dest, Direction, Source};
use crate::list::{InlineVec, List};
use crate::memory::{Access, Exclusive, Shared};
use crate::segment::{KVec, MAX_SEGMENTS, MemVec};

/// A vector of segments together with the sum of their lengths.
///
/// | Storage | Made by | Can grow |
/// |---|---|---|
/// | inline: `N` segments within the vector itself | [`new`](Self::new) and all others | up to `N` |
/// | on the heap, with feature `alloc` | a vector that outgrows `N` | until memory runs out |
/// | borrowed: a view of someone else's segments | [`borrowed`](Self::borrowed) | no |
///
/// Bytes are moved, compared and sent through the [`view`](Self::view). Growth never aborts, and
/// when it fails the vector is what it was before.
///
/// A vector of destinations may hold several segments for the same memory, such as a
/// [layout](Self::add_layout_of) with its overlaps; therefore it stays on its thread, and no
/// segment can be taken out of it.
///
/// ```
/// use iov_iter::{KVec, Source, iov::{IoVector, View}};
///
/// let guest = [KVec::from(b"abcd"), KVec::from(b"efghij")];
/// let mut vector = IoVector::<Source>::new();
/// vector.try_push(KVec::from(b"<"))?;
/// vector.concat(View::new(&guest).slice(3, 4)?)?;
/// vector.try_push(KVec::from(b">"))?;
///
/// let mut text = [0; 6];
/// assert_eq!(vector.view().read_at(0, &mut text)?, 6);
/// assert_eq!((&text, vector.segment_count()), (b"<defg>", 4));
/// # Ok::<(), iov_iter::iov::Error>(())
/// ```
#[doc(alias = "QEMUIOVector")]
#[doc(alias = "qemu_iovec_destroy")]
pub struct IoVector<'a, D: Direction, const N: usize = 8, A: Access = Exclusive> {
    storage: Storage<'a, D, N, A>,
}

type Segments<'a, D, const N: usize, A> = InlineVec<MemVec<'a, D, A>, N>;

enum Storage<'a, D: Direction, const N: usize, A: Access> {
    /// The segments and the sum of their lengths.
    Owned(Segments<'a, D, N, A>, usize),
    Borrowed(View<'a, D, A>),
}

impl<'a, D: Direction, const N: usize, A: Access> From<View<'a, D, A>> for IoVector<'a, D, N, A> {
    /// A vector that [borrows](Self::borrowed) its segments.
    fn from(view: View<'a, D, A>) -> Self {
        Self::borrowed(view)
    }
}

impl<'a, D: Direction, const N: usize, A: Access> From<&'a [MemVec<'a, D, A>]>
    for IoVector<'a, D, N, A>
{
    /// A vector that [borrows](Self::borrowed) its segments.
    fn from(segments: &'a [MemVec<'a, D, A>]) -> Self {
        Self::borrowed(segments.into())
    }
}

impl<'a, D: Direction, const N: usize, A: Access, const M: usize> From<&'a [MemVec<'a, D, A>; M]>
    for IoVector<'a, D, N, A>
{
    /// A vector that [borrows](Self::borrowed) its segments.
    fn from(segments: &'a [MemVec<'a, D, A>; M]) -> Self {
        Self::borrowed(segments.into())
    }
}

#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
impl<'a, D: Direction, const N: usize, A: Access> From<&'a alloc::vec::Vec<MemVec<'a, D, A>>>
    for IoVector<'a, D, N, A>
{
    /// A vector that [borrows](Self::borrowed) its segments.
    fn from(segments: &'a alloc::vec::Vec<MemVec<'a, D, A>>) -> Self {
        Self::borrowed(segments.into())
    }
}

impl<'a, D: Direction, const N: usize, A: Access> From<MemVec<'a, D, A>> for IoVector<'a, D, N, A> {
    /// A vector of one segment, which it owns. It must have room for one inside: `N` is not 0.
    fn from(segment: MemVec<'a, D, A>) -> Self {
        match segment.len() {
            // Segments without bytes leave no trace.
            0 => Self::new(),
            len => Self { storage: Storage::Owned(InlineVec::one(segment), len) },
        }
    }
}

impl<'a, const N: usize> From<&'a [u8]> for IoVector<'a, Source, N> {
    /// A vector of one segment.
    fn from(bytes: &'a [u8]) -> Self {
        KVec::from(bytes).into()
    }
}

impl<'a, const N: usize> From<&'a mut [u8]> for IoVector<'a, Dest, N> {
    /// A vector of one segment.
    fn from(bytes: &'a mut [u8]) -> Self {
        KVec::from(bytes).into()
    }
}

/// A segment that could not be added to a vector, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused<'a, D: Direction, A: Access = Exclusive> {
    /// The segment, handed back.
    pub segment: MemVec<'a, D, A>,
    /// Why it was refused.
    pub error: Error,
}

impl<D: Direction, A: Access> fmt::Display for Refused<'_, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<D: Direction, A: Access> core::error::Error for Refused<'_, D, A> {}

impl<D: Direction, A: Access> From<Refused<'_, D, A>> for Error {
    fn from(refused: Refused<'_, D, A>) -> Self {
        refused.error
    }
}

impl<'a, D: Direction, const N: usize, A: Access> IoVector<'a, D, N, A> {
    /// An empty vector.
    #[must_use]
    #[doc(alias = "qemu_iovec_init")]
    pub const fn new() -> Self {
        Self { storage: Storage::Owned(InlineVec::new(), 0) }
    }

    /// An empty vector with room for `segments` segments.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if there is no such room.
    #[doc(alias = "qemu_iovec_init")]
    pub fn try_with_capacity(segments: usize) -> Result<Self, Error> {
        let mut list = InlineVec::new();
        reserve(&mut list, segments)?;
        Ok(Self { storage: Storage::Owned(list, 0) })
    }

    /// A vector of one segment.
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push).
    #[doc(alias = "qemu_iovec_init_buf")]
    #[doc(alias = "QEMU_IOVEC_INIT_BUF")]
    pub fn single(segment: MemVec<'a, D, A>) -> Result<Self, Refused<'a, D, A>> {
        let mut vector = Self::new();
        vector.try_push(segment)?;
        Ok(vector)
    }

    /// A vector of the bytes in `view`, whose segments stay where they are.
    #[must_use]
    #[doc(alias = "qemu_iovec_init_external")]
    #[doc(alias = "qemu_iovec_init_slice")]
    pub const fn borrowed(view: View<'a, D, A>) -> Self {
        Self { storage: Storage::Borrowed(view) }
    }

    /// A vector of the bytes in `head`, `middle` and `tail`.
    ///
    /// A driver pads a request to whole blocks this way. Segments without bytes leave no trace.
    ///
    /// # Errors
    ///
    /// - [`Error::LengthOverflow`] if the three are more than `usize::MAX` bytes,
    /// - [`Error::TooManySegments`] if they have more than [`MAX_SEGMENTS`] pieces,
    /// - [`Error::NoMemory`] if those do not fit.
    ///
    /// ```
    /// use iov_iter::{KVec, Source, iov::{IoVector, View}};
    ///
    /// let guest = [KVec::from(b"unaligned")];
    /// let zeros = KVec::from(&[0; 3][..]);
    /// let none = KVec::from(&[][..]);
    /// let padded = IoVector::<Source>::extended(&zeros, View::new(&guest).slice(2, 5)?, &none)?;
    /// assert_eq!((padded.len(), padded.segment_count()), (8, 2));
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "qemu_iovec_init_extended")]
    pub fn extended(
        head: &'a MemVec<'a, D, A>,
        middle: View<'a, D, A>,
        tail: &'a MemVec<'a, D, A>,
    ) -> Result<Self, Error> {
        let [head, tail] = [head, tail].map(core::slice::from_ref).map(View::new);
        let parts = [head, middle, tail];
        let mut segments = 0_usize;
        let mut size = 0;
        for part in &parts {
            segments = segments.saturating_add(part.segment_count());
            size = add(size, part.exact_len()?)?;
        }
        if segments > MAX_SEGMENTS {
            return Err(Error::TooManySegments { segments, limit: MAX_SEGMENTS });
        }
        let mut vector = Self::try_with_capacity(segments)?;
        for part in parts {
            vector.concat(part)?;
        }
        Ok(vector)
    }

    /// The bytes of the vector.
    #[must_use]
    pub fn view(&self) -> View<'_, D, A> {
        match &self.storage {
            Storage::Owned(segments, _) => View::new(segments),
            Storage::Borrowed(view) => *view,
        }
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Owned(_, size) => *size,
            Storage::Borrowed(view) => view.len(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of segments. None of them is empty.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        match &self.storage {
            Storage::Owned(segments, _) => segments.len(),
            Storage::Borrowed(view) => view.segment_count(),
        }
    }

    /// Segments that there is room for without growing; 0 if the vector borrows its segments.
    #[must_use]
    pub fn capacity(&self) -> usize {
        match &self.storage {
            Storage::Owned(segments, _) => segments.capacity(),
            Storage::Borrowed(_) => 0,
        }
    }

    /// Appends a segment. An empty one leaves no trace and needs no room; QEMU keeps it.
    ///
    /// # Errors
    ///
    /// Hands the segment back with [`Error::NotGrowable`] if the vector borrows its segments,
    /// [`Error::LengthOverflow`] if the length would exceed `usize::MAX`, or [`Error::NoMemory`].
    #[doc(alias = "qemu_iovec_add")]
    #[inline]
    pub fn try_push(&mut self, segment: MemVec<'a, D, A>) -> Result<(), Refused<'a, D, A>> {
        let Storage::Owned(segments, size) = &mut self.storage else {
            return Err(Refused { segment, error: Error::NotGrowable });
        };
        match add(*size, segment.len()) {
            Err(error) => Err(Refused { segment, error }),
            Ok(_) if segment.is_empty() => Ok(()),
            Ok(sum) => {
                segments
                    .try_push(segment)
                    .map_err(|segment| Refused { segment, error: Error::NoMemory })?;
                *size = sum;
                Ok(())
            }
        }
    }

    /// Appends the pieces in `source` and returns the bytes appended. No data is copied.
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push); the vector is what it was then.
    #[doc(alias = "qemu_iovec_concat")]
    #[doc(alias = "qemu_iovec_concat_iov")]
    pub fn concat(&mut self, source: View<'a, D, A>) -> Result<usize, Error> {
        let (segments, size) = self.growable()?;
        let added = source.exact_len()?;
        let sum = add(*size, added)?;
        // SAFETY: a vector of destinations is not `Send` and gives no segment away, so these
        // stay on the thread of the view.
        let appended = unsafe { source.append_segments(segments) }?;
        if appended.bytes < added {
            segments.truncate(segments.len().saturating_sub(appended.pieces));
            return Err(Error::NoMemory);
        }
        *size = sum;
        Ok(added)
    }

    /// Drops all segments and keeps the room for them.
    ///
    /// # Errors
    ///
    /// [`Error::NotGrowable`] if the vector borrows its segments.
    #[doc(alias = "qemu_iovec_reset")]
    pub fn clear(&mut self) -> Result<(), Error> {
        let (segments, size) = self.growable()?;
        segments.clear();
        *size = 0;
        Ok(())
    }

    /// Takes `bytes` off the back for good.
    ///
    /// Segments after the last byte left are dropped. Borrowed segments are not changed.
    ///
    /// # Errors
    ///
    /// [`Error::RangeOutOfRange`] if there are fewer bytes; none is taken then.
    #[doc(alias = "qemu_iovec_discard_back")]
    pub fn discard_back(&mut self, bytes: usize) -> Result<(), Error> {
        let size = self.len();
        let Some(left) = size.checked_sub(bytes) else {
            return Err(Error::RangeOutOfRange { offset: 0, len: bytes, size });
        };
        match &mut self.storage {
            Storage::Owned(segments, size) => {
                cut(segments, left);
                *size = left;
            }
            Storage::Borrowed(view) => {
                view.discard_back(bytes);
            }
        }
        Ok(())
    }

    /// Takes `bytes` off the front for good.
    ///
    /// Segments before the first byte left are dropped, and the others move up. Borrowed segments are not
    /// changed.
    ///
    /// # Errors
    ///
    /// [`Error::RangeOutOfRange`] if there are fewer bytes; none is taken then.
    ///
    /// ```
    /// use iov_iter::{KVec, Source, iov::IoVector};
    ///
    /// let mut queue = IoVector::<Source>::new();
    /// queue.try_push(KVec::from(b"head"))?;
    /// queue.try_push(KVec::from(b"body"))?;
    /// queue.discard_front(5)?;
    /// assert_eq!((queue.len(), queue.segment_count()), (3, 1));
    /// assert_eq!(queue.view(), b"ody");
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    pub fn discard_front(&mut self, bytes: usize) -> Result<(), Error> {
        let size = self.len();
        let Some(left) = size.checked_sub(bytes) else {
            return Err(Error::RangeOutOfRange { offset: 0, len: bytes, size });
        };
        match &mut self.storage {
            Storage::Owned(segments, size) => {
                let (mut count, mut skip) = (0_usize, bytes);
                for segment in segments.iter_mut() {
                    if skip < segment.len() {
                        segment.advance(skip);
                        break;
                    }
                    skip = skip.wrapping_sub(segment.len());
                    count = count.wrapping_add(1);
                }
                drop_front(segments, count);
                *size = left;
            }
            Storage::Borrowed(view) => {
                view.discard_front(bytes);
            }
        }
        Ok(())
    }

    /// Drops the first `count` segments, or all if there are fewer, and returns the bytes they held.
    pub fn discard_front_segments(&mut self, count: usize) -> usize {
        match &mut self.storage {
            Storage::Owned(segments, size) => {
                let dropped = segments.iter().take(count);
                let bytes = dropped.fold(0_usize, |bytes, one| bytes.wrapping_add(one.len()));
                drop_front(segments, count);
                // The sum of all lengths does not overflow.
                *size = size.wrapping_sub(bytes);
                bytes
            }
            Storage::Borrowed(view) => {
                let dropped = view.pieces().take(count);
                let bytes = dropped.fold(0_usize, |bytes, one| bytes.saturating_add(one.len()));
                view.discard_front(bytes)
            }
        }
    }

    /// The segments. None of them is empty.
    ///
    /// Returns `None` if the vector borrows them, because only a part of the first and of the last may be in
    /// view.
    #[must_use]
    pub fn segments(&self) -> Option<&[MemVec<'a, D, A>]> {
        match &self.storage {
            Storage::Owned(segments, _) => Some(segments),
            Storage::Borrowed(_) => None,
        }
    }

    /// An empty vector of another lifetime, with the room that this one has on the heap.
    ///
    /// A device that serves request after request allocates once this way, although each request borrows
    /// other memory.
    ///
    /// ```
    /// use iov_iter::{KVec, Source, iov::IoVector};
    ///
    /// let mut spare = IoVector::<Source, 1>::new();
    /// for request in [*b"one", *b"two"] {
    ///     let mut vector = spare.recycle();
    ///     for bytes in request.chunks(1) {
    ///         if vector.try_push(KVec::from(bytes)).is_err() {
    ///             break; // Without the feature `alloc`.
    ///         }
    ///     }
    ///     spare = vector.recycle();
    /// }
    /// assert_eq!(spare.capacity() >= 3, cfg!(feature = "alloc"));
    /// ```
    #[must_use]
    pub fn recycle<'b>(self) -> IoVector<'b, D, N, A> {
        let list = match self.storage {
            Storage::Owned(segments, _) => segments.recycle(),
            Storage::Borrowed(_) => InlineVec::new(),
        };
        IoVector { storage: Storage::Owned(list, 0) }
    }

    /// The own segments and the sum of their lengths.
    pub(super) const fn growable(
        &mut self,
    ) -> Result<(&mut Segments<'a, D, N, A>, &mut usize), Error> {
        match &mut self.storage {
            Storage::Owned(segments, size) => Ok((segments, size)),
            Storage::Borrowed(_) => Err(Error::NotGrowable),
        }
    }
}

/// Makes room for `more` segments.
pub(super) fn reserve<T, const N: usize>(
    list: &mut InlineVec<T, N>,
    more: usize,
) -> Result<(), Error> {
    match list.try_reserve(more) {
        Ok(room) if room >= more => Ok(()),
        _ => Err(Error::NoMemory),
    }
}

/// Drops the first `count` segments and moves the others up.
fn drop_front<T, const N: usize>(segments: &mut InlineVec<T, N>, count: usize) {
    let len = segments.len();
    for at in count..len {
        // They are two, unless none is dropped.
        if let Ok([to, from]) = segments.get_disjoint_mut([at.wrapping_sub(count), at]) {
            core::mem::swap(to, from);
        }
    }
    segments.truncate(len.saturating_sub(count));
}

/// Cuts a list of segments to its first `size` bytes.
fn cut<D: Direction, A: Access, const N: usize>(
    segments: &mut InlineVec<MemVec<'_, D, A>, N>,
    size: usize,
) {
    let mut left = size;
    let mut count = 0_usize;
    for segment in segments.iter_mut() {
        if left == 0 {
            break;
        }
        count = count.saturating_add(1);
        segment.truncate(left);
        left = left.saturating_sub(segment.len());
    }
    segments.truncate(count);
}

impl<D: Direction, const N: usize, A: Access> Default for IoVector<'_, D, N, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Direction, const N: usize, A: Access> fmt::Debug for IoVector<'_, D, N, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoVector")
            .field("direction", &format_args!("{}", D::NAME))
            .field("len", &self.len())
            .field("segment_count", &self.segment_count())
            .finish_non_exhaustive()
    }
}

static_assertions::assert_impl_all!(IoVector<'static, Source>: Send, Sync);
static_assertions::assert_impl_all!(IoVector<'static, Dest, 8, Shared>: Send, Sync);
static_assertions::assert_impl_all!(View<'static, Dest, Shared>: Send, Sync);
// What keeps segments for the same memory, which `concat` makes, on one thread.
static_assertions::assert_not_impl_any!(IoVector<'static, Dest>: Send, Sync, Clone);
static_assertions::assert_not_impl_any!(View<'static, Dest>: Send, Sync);
