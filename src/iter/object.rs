//! Typed objects across segment borders.

use core::mem::MaybeUninit;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::IovIter;
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::Host;

impl<H: Host> IovIter<'_, Source, H> {
    /// Reads an object, wherever segments end in it, or does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] or [`Error::Fault`] if not all of its bytes can be read.
    ///
    /// ```
    /// use iov_iter::{Error, IovIterSource, KVec};
    /// use zerocopy::{FromBytes, byteorder::little_endian::{U32, U64}};
    ///
    /// /// The header of a request to a virtio block device.
    /// #[derive(Debug, FromBytes)]
    /// #[repr(C)]
    /// struct Header {
    ///     kind: U32,
    ///     reserved: U32,
    ///     sector: U64,
    /// }
    ///
    /// let bytes = *b"\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0payload";
    /// let segments = [KVec::from(&bytes[..3]), KVec::from(&bytes[3..])];
    /// let mut iter = IovIterSource::from(&segments);
    /// let header: Header = iter.read_obj()?;
    /// assert_eq!((header.kind.get(), header.sector.get()), (1, 8));
    /// assert_eq!((iter.read_obj::<Header>().err(), iter.remaining()), (Some(Error::Exhausted), 7));
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "zerocopy-v0.8")))]
    pub fn read_obj<T: FromBytes>(&mut self) -> Result<T, Error> {
        let mut object = MaybeUninit::<T>::uninit();
        let len = size_of::<T>();
        // SAFETY: the object is borrowed exclusively, and its bytes need not be initialised.
        let bytes = unsafe {
            core::slice::from_raw_parts_mut(object.as_mut_ptr().cast::<MaybeUninit<u8>>(), len)
        };
        self.all_or_nothing(len, |iter| iter.copy_from_iter_raw(bytes).len())?;
        // SAFETY: all of its bytes are initialised, and `FromBytes` takes any.
        Ok(unsafe { object.assume_init() })
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Writes an object, wherever segments end in it, or does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if fewer bytes are left; nothing has been written then. [`Error::Fault`] if user
    /// memory faults: bytes before the fault have been written.
    ///
    /// ```
    /// use iov_iter::{IovIterDest, KVec};
    /// use zerocopy::byteorder::big_endian::U16;
    ///
    /// let (mut x, mut y) = ([0; 3], [0; 2]);
    /// let segments = [KVec::from(&mut x), KVec::from(&mut y)];
    /// IovIterDest::from(&segments).write_obj(&[U16::new(80), U16::new(0x1234)])?;
    /// assert_eq!((&x, &y), (&[0, 80, 0x12], &[0x34, 0]));
    /// # Ok::<(), iov_iter::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "zerocopy-v0.8")))]
    pub fn write_obj<T: IntoBytes + Immutable + ?Sized>(
        &mut self,
        object: &T,
    ) -> Result<(), Error> {
        self.copy_to_iter_full(object.as_bytes())
    }
}
