//! Integers across segment borders, big- and little-endian.

use super::IovIter;
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::Host;

mod sealed {
    pub trait Sealed: Copy {
        type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
        fn to_be(self) -> Self::Bytes;
        fn to_le(self) -> Self::Bytes;
        fn from_be(bytes: Self::Bytes) -> Self;
        fn from_le(bytes: Self::Bytes) -> Self;
    }
}
use sealed::Sealed;

/// An integer of fixed size: `u8` to `u128` and `i8` to `i128`.
pub trait Integer: Sealed {}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Sealed for $int {
            type Bytes = [u8; size_of::<$int>()];
            fn to_be(self) -> Self::Bytes {
                self.to_be_bytes()
            }
            fn to_le(self) -> Self::Bytes {
                self.to_le_bytes()
            }
            fn from_be(bytes: Self::Bytes) -> Self {
                Self::from_be_bytes(bytes)
            }
            fn from_le(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }
        }
        impl Integer for $int {}
    )*};
}
integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

impl<H: Host> IovIter<'_, Source, H> {
    /// Reads a big-endian integer, or does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] or [`Error::Fault`] if not all of its bytes can be read.
    ///
    /// ```
    /// # use iov_iter::{Error, IovIterSource, KVec};
    /// let segments = [KVec::from(&[0x12][..]), KVec::from(&[0x34, 0x56][..])];
    /// let mut iter = IovIterSource::from(&segments);
    /// assert_eq!(iter.read_be::<u16>(), Ok(0x1234));
    /// assert_eq!(iter.read_be::<u16>(), Err(Error::Exhausted));
    /// assert_eq!(iter.read_be::<u8>(), Ok(0x56));
    /// ```
    #[inline]
    pub fn read_be<T: Integer>(&mut self) -> Result<T, Error> {
        self.read_bytes().map(T::from_be)
    }

    /// Reads a little-endian integer, or does not move.
    ///
    /// # Errors
    ///
    /// As [`read_be`](Self::read_be).
    #[inline]
    pub fn read_le<T: Integer>(&mut self) -> Result<T, Error> {
        self.read_bytes().map(T::from_le)
    }

    #[inline]
    fn read_bytes<B: AsMut<[u8]> + Default>(&mut self) -> Result<B, Error> {
        let mut bytes = B::default();
        self.copy_from_iter_full(bytes.as_mut())?;
        Ok(bytes)
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Writes a big-endian integer, or does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] or [`Error::Fault`] if not all of its bytes can be written.
    #[inline]
    pub fn write_be<T: Integer>(&mut self, value: T) -> Result<(), Error> {
        self.copy_to_iter_full(value.to_be().as_ref())
    }

    /// Writes a little-endian integer, or does not move.
    ///
    /// # Errors
    ///
    /// As [`write_be`](Self::write_be).
    #[inline]
    pub fn write_le<T: Integer>(&mut self, value: T) -> Result<(), Error> {
        self.copy_to_iter_full(value.to_le().as_ref())
    }
}
