//! Duplicates that own a copy of the segments that are left.

use core::fmt;
use core::marker::PhantomData;

use super::{Chained, IovIter, UserCursor};
use crate::cursor::Cursor;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{Host, KernelOnly};
use crate::list::{InlineVec, List};
use crate::segment::{
    BioVec, IoVec, KVec, KernelList, Segment, Segments, SharedList, SharedVec, Uniform,
};

/// Storage for the segments of a [duplicate](IovIter::dup): `N` inside itself, more on the heap
/// with feature `alloc`.
pub struct DupStorage<'a, D: Direction, H: Host = KernelOnly, const N: usize = 8> {
    segments: Copied<'a, D, H, N>,
    // Two segments for one destination must stay on one thread: neither `Send` nor `Sync` then.
    _shared: PhantomData<&'a KVec<'a, D>>,
}

enum Copied<'a, D: Direction, H: Host, const N: usize> {
    None,
    IoVec(InlineVec<IoVec, N>),
    KVec(InlineVec<KVec<'a, D>, N>),
    Shared(InlineVec<SharedVec<'a, D>, N>),
    BVec(InlineVec<BioVec<H::Page>, N>),
}

static_assertions::assert_impl_all!(DupStorage<'static, Source>: Send, Sync);
static_assertions::assert_not_impl_any!(DupStorage<'static, Dest>: Send, Sync);

impl<D: Direction, H: Host, const N: usize> DupStorage<'_, D, H, N> {
    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        Self { segments: Copied::None, _shared: PhantomData }
    }
}

impl<D: Direction, H: Host, const N: usize> Default for DupStorage<'_, D, H, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Direction, H: Host, const N: usize> fmt::Debug for DupStorage<'_, D, H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segments = match &self.segments {
            Copied::None => 0,
            Copied::IoVec(list) => list.len(),
            Copied::KVec(list) => list.len(),
            Copied::Shared(list) => list.len(),
            Copied::BVec(list) => list.len(),
        };
        f.debug_struct("DupStorage").field("segments", &segments).finish()
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// Copies the iterator, and the segments left from the current one on into `storage`.
    ///
    /// Empty segments are not copied and need no room.
    /// The duplicate starts at the same byte and moves on its own. Its first segment is the current
    /// one, so it cannot be reverted further back than that. Pages are referenced, and released with
    /// the storage. Where the segments themselves stay, [`clone`](Clone::clone)
    /// does without storage; for a duplicate that outlives a list of user segments, see
    /// [`Cursor::dup`].
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if `storage` has not enough room.
    ///
    /// ```
    /// use iov_iter::{DupStorage, IovIterSource, KVec, Source};
    ///
    /// let segments = [KVec::from(b"ab"), KVec::from(b"cdef")];
    /// let mut iter = IovIterSource::from(&segments);
    /// iter.advance(3);
    ///
    /// let mut storage = DupStorage::<Source>::new();
    /// let mut copy = iter.dup(&mut storage).unwrap();
    /// assert_eq!(copy.next_chunk(), Some(&b"def"[..]));
    /// assert_eq!((iter.remaining(), copy.remaining()), (3, 0));
    /// assert!(copy.revert(5).is_err());
    /// ```
    #[doc(alias = "dup_iter")]
    pub fn dup<'s, const N: usize>(
        &self,
        storage: &'s mut DupStorage<'a, D, H, N>,
    ) -> Result<IovIter<'s, D, H>, Error> {
        let segments = &mut storage.segments;
        // The duplicate of a chain is a list.
        Ok(match self {
            Self::UserBuf(user) => IovIter::UserBuf(user.clone()),
            Self::Discard(cursor) => IovIter::Discard(*cursor),
            Self::Lookup(cursor) => IovIter::Lookup(*cursor),
            Self::IoVec(user) => dup_user(user, segments)?,
            Self::Chain(Chained::IoVec(user)) => dup_user(user, segments)?,
            Self::KVec(cursor) => dup_kernel(cursor, segments)?,
            Self::Chain(Chained::KVec(cursor)) => dup_kernel(cursor, segments)?,
            Self::Shared(cursor) => dup_shared(cursor, segments)?,
            Self::Chain(Chained::Shared(cursor)) => dup_shared(cursor, segments)?,
            Self::BVec(cursor) => dup_pages(cursor, segments)?,
            Self::Chain(Chained::BVec(cursor)) => dup_pages(cursor, segments)?,
            Self::Uniform(cursor) => {
                *segments = Copied::BVec(cursor.copy_rest(Clone::clone)?);
                let Copied::BVec(list) = segments else { return Err(Error::NoMemory) };
                match Uniform::new(list) {
                    Some(uniform) => IovIter::Uniform(cursor.rebased(uniform)),
                    None => IovIter::BVec(cursor.rebased(&**list)),
                }
            }
        })
    }
}

/// A duplicate of what was copied.
type Dup<'s, D, H> = Result<IovIter<'s, D, H>, Error>;

fn dup_user<'s, D: Direction, H: Host, L: Segments<Segment = IoVec>, const N: usize>(
    user: &UserCursor<H::User, L, L::Node>,
    segments: &'s mut Copied<'_, D, H, N>,
) -> Dup<'s, D, H> {
    *segments = Copied::IoVec(user.cursor.copy_rest(Clone::clone)?);
    let Copied::IoVec(list) = segments else { return Err(Error::NoMemory) };
    Ok(IovIter::IoVec(UserCursor {
        memory: user.memory.clone(),
        cursor: user.cursor.rebased(&**list),
        page_flags: user.page_flags,
    }))
}

fn dup_kernel<'s, 'a, D: Direction, H: Host, L: Segments<Segment = KVec<'a, D>>, const N: usize>(
    cursor: &Cursor<L, L::Node>,
    segments: &'s mut Copied<'a, D, H, N>,
) -> Dup<'s, D, H> {
    // SAFETY: the storage hands out no segments, and it is bound to this thread unless they are sources.
    let alias = |segment: &KVec<'a, D>| unsafe { segment.alias() };
    *segments = Copied::KVec(cursor.copy_rest(alias)?);
    let Copied::KVec(list) = segments else { return Err(Error::NoMemory) };
    Ok(IovIter::KVec(cursor.rebased(KernelList::new(list))))
}

fn dup_shared<
    's,
    'a,
    D: Direction,
    H: Host,
    L: Segments<Segment = SharedVec<'a, D>>,
    const N: usize,
>(
    cursor: &Cursor<L, L::Node>,
    segments: &'s mut Copied<'a, D, H, N>,
) -> Dup<'s, D, H> {
    *segments = Copied::Shared(cursor.copy_rest(Clone::clone)?);
    let Copied::Shared(list) = segments else { return Err(Error::NoMemory) };
    Ok(IovIter::Shared(cursor.rebased(SharedList::of_same_host(list))))
}

fn dup_pages<'s, D: Direction, H: Host, L: Segments<Segment = BioVec<H::Page>>, const N: usize>(
    cursor: &Cursor<L, L::Node>,
    segments: &'s mut Copied<'_, D, H, N>,
) -> Dup<'s, D, H> {
    *segments = Copied::BVec(cursor.copy_rest(Clone::clone)?);
    let Copied::BVec(list) = segments else { return Err(Error::NoMemory) };
    Ok(IovIter::BVec(cursor.rebased(&**list)))
}

impl<L: Segments> Cursor<L, L::Node> {
    /// Copies the cursor, and the segments left from the current one on into `storage`.
    ///
    /// The duplicate of a cursor over user segments or pages does not depend on the original list
    /// and may outlive it:
    ///
    /// ```
    /// use iov_iter::{Cursor, InlineVec, IoVec};
    ///
    /// let mut storage = InlineVec::<IoVec, 8>::new();
    /// let copy = {
    ///     let segments = [IoVec::new(0x1000, 4), IoVec::new(0x5000, 8)];
    ///     let mut cursor = Cursor::new(&segments[..]);
    ///     cursor.advance(6);
    ///     cursor.dup(&mut storage).unwrap()
    /// };
    /// assert_eq!((copy.remaining(), copy.position().offset), (6, 2));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if `storage` has not enough room.
    pub fn dup<'s, const N: usize>(
        &self,
        storage: &'s mut InlineVec<L::Segment, N>,
    ) -> Result<Cursor<&'s [L::Segment]>, Error>
    where
        L::Segment: Clone,
    {
        *storage = self.copy_rest(Clone::clone)?;
        Ok(self.rebased(&**storage))
    }

    /// The segments from the current one on that are not empty.
    fn copy_rest<const N: usize>(
        &self,
        copy: impl Fn(&L::Segment) -> L::Segment,
    ) -> Result<InlineVec<L::Segment, N>, Error> {
        let wanted = self.segment_count();
        let mut copied = InlineVec::new();
        if copied.try_reserve(wanted)? < wanted {
            return Err(Error::NoMemory);
        }
        for segment in self.rest().filter(|segment| !segment.is_empty()) {
            copied.try_push(copy(segment)).map_err(|_| Error::NoMemory)?;
        }
        Ok(copied)
    }
}
