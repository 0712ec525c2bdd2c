//! Iterators from whatever holds addressable memory; the host follows from what they are made of.

use core::mem::MaybeUninit;
use core::sync::atomic::AtomicU8;

use super::{Chained, IovIter};
use crate::cursor::Cursor;
use crate::direction::{Dest, Direction, Source};
use crate::host::{Host, KernelOnly, SharedOnly};
use crate::iov::View;
use crate::memory::Shared;
use crate::segment::{HostChain, KVec, KernelList, SharedList, SharedVec};

impl<'a, D: Direction> IovIter<'a, D, KernelOnly> {
    /// The same iterator for a host that has more kinds of memory, in the same place.
    ///
    /// A function that takes the iterators of one kernel takes borrowed bytes this way:
    ///
    /// ```
    /// use iov_iter::{Host, IovIterSource, host::SharedOnly};
    ///
    /// fn first_byte<H: Host>(mut iter: IovIterSource<'_, H>) -> Option<u8> {
    ///     iter.read_be().ok()
    /// }
    ///
    /// let iter = IovIterSource::from(b"bytes");
    /// assert_eq!(first_byte::<SharedOnly>(iter.with_host()), Some(b'b'));
    /// ```
    #[must_use]
    pub fn with_host<H: Host>(self) -> IovIter<'a, D, H> {
        match self {
            Self::KVec(cursor) => IovIter::KVec(cursor),
            Self::Discard(cursor) => IovIter::Discard(cursor),
            // This host has none of it: such an iterator has no byte.
            Self::UserBuf(_)
            | Self::IoVec(_)
            | Self::Shared(_)
            | Self::BVec(_)
            | Self::Uniform(_)
            | Self::Chain(_)
            | Self::Lookup(_) => IovIter::KVec(Cursor::new(KernelList::new(&[]))),
        }
    }
}

impl<'a, D: Direction> IovIter<'a, D, SharedOnly> {
    /// The same iterator for a host that has more kinds of memory, in the same place.
    ///
    /// The host must [have](Host::SHARED) shared memory, or it does not compile.
    #[must_use]
    pub fn with_host<H: Host>(self) -> IovIter<'a, D, H> {
        match self {
            Self::KVec(cursor) => IovIter::KVec(cursor),
            Self::Shared(cursor) => IovIter::Shared(cursor.with_list(cursor.list().with_host())),
            Self::Discard(cursor) => IovIter::Discard(cursor),
            Self::Chain(Chained::KVec(cursor)) => {
                let list = HostChain::new(cursor.list().chain());
                IovIter::Chain(Chained::KVec(cursor.with_list(list)))
            }
            Self::Chain(Chained::Shared(cursor)) => {
                let list = HostChain::new(cursor.list().chain());
                IovIter::Chain(Chained::Shared(cursor.with_list(list)))
            }
            // This host has none of it: such an iterator has no byte.
            Self::Chain(Chained::IoVec(_) | Chained::BVec(_))
            | Self::UserBuf(_)
            | Self::IoVec(_)
            | Self::BVec(_)
            | Self::Uniform(_)
            | Self::Lookup(_) => IovIter::KVec(Cursor::new(KernelList::new(&[]))),
        }
    }
}

/// Iterators over all bytes of segments, or over what a cursor or view has left of them.
macro_rules! from_segments {
    ($($segment:ident, $list:ident, $variant:ident, $host:ident, $view:ty;)*) => {$(
        impl<'a, D: Direction> From<&'a [$segment<'a, D>]> for IovIter<'a, D, $host> {
            #[inline]
            fn from(segments: &'a [$segment<'a, D>]) -> Self {
                Self::$variant(Cursor::new($list::new(segments)))
            }
        }

        impl<'a, D: Direction, const N: usize> From<&'a [$segment<'a, D>; N]>
            for IovIter<'a, D, $host>
        {
            #[inline]
            fn from(segments: &'a [$segment<'a, D>; N]) -> Self {
                Self::from(segments.as_slice())
            }
        }

        #[cfg(feature = "alloc")]
        #[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
        impl<'a, D: Direction> From<&'a alloc::vec::Vec<$segment<'a, D>>> for IovIter<'a, D, $host> {
            #[inline]
            fn from(segments: &'a alloc::vec::Vec<$segment<'a, D>>) -> Self {
                Self::from(segments.as_slice())
            }
        }

        impl<'a, D: Direction> From<$segment<'a, D>> for IovIter<'a, D, $host> {
            #[inline]
            fn from(segment: $segment<'a, D>) -> Self {
                Self::$variant(Cursor::new($list::one(segment)))
            }
        }

        impl<'a, D: Direction> From<Cursor<&'a [$segment<'a, D>]>> for IovIter<'a, D, $host> {
            #[inline]
            fn from(cursor: Cursor<&'a [$segment<'a, D>]>) -> Self {
                Self::$variant(cursor.with_list($list::new(cursor.list())))
            }
        }

        impl<'a, D: Direction> From<$view> for IovIter<'a, D, $host> {
            /// The bytes in view, as [`View::cursor`] gives them.
            fn from(view: $view) -> Self {
                Self::from(view.cursor())
            }
        }
    )*};
}
from_segments! {
    KVec, KernelList, KVec, KernelOnly, View<'a, D>;
    SharedVec, SharedList, Shared, SharedOnly, View<'a, D, Shared>;
}

/// Iterators over one buffer, which they hold themselves.
macro_rules! from_buffer {
    ($(($($generic:tt)*) $buffer:ty, $segment:ident, $direction:ty, $host:ident;)*) => {$(
        impl<'a, $($generic)*> From<$buffer> for IovIter<'a, $direction, $host> {
            #[inline]
            fn from(buffer: $buffer) -> Self {
                Self::from($segment::<$direction>::from(buffer))
            }
        }
    )*};
}
from_buffer! {
    () &'a [u8], KVec, Source, KernelOnly;
    (const N: usize) &'a [u8; N], KVec, Source, KernelOnly;
    () &'a mut [u8], KVec, Dest, KernelOnly;
    (const N: usize) &'a mut [u8; N], KVec, Dest, KernelOnly;
    () &'a mut [MaybeUninit<u8>], KVec, Dest, KernelOnly;
    (const N: usize) &'a mut [MaybeUninit<u8>; N], KVec, Dest, KernelOnly;
    () &'a [AtomicU8], SharedVec, Source, SharedOnly;
    () &'a [AtomicU8], SharedVec, Dest, SharedOnly;
    (const N: usize) &'a [AtomicU8; N], SharedVec, Source, SharedOnly;
    (const N: usize) &'a [AtomicU8; N], SharedVec, Dest, SharedOnly;
}
#[cfg(feature = "alloc")]
from_buffer! {
    () &'a alloc::vec::Vec<u8>, KVec, Source, KernelOnly;
}
