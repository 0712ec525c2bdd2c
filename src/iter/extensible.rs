//! Objects that grew over the years: the sender may know more fields than the receiver, or fewer.

use super::IovIter;
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::Host;
use crate::memory::Piece;

impl<H: Host> IovIter<'_, Source, H> {
    /// Reads an extensible object: all bytes left into `object`, whose length may be another.
    ///
    /// A field that the sender does not know becomes zero. A field that is not known here must be zero. The
    /// bytes left are the size there: [`import_ubuf`](Self::import_ubuf) takes it from the caller of a system
    /// call, who should be refused more than a page.
    ///
    /// # Errors
    ///
    /// [`Error::Surplus`] if more bytes are left than `object` has, and not all of those are zero.
    /// [`Error::Fault`] if user memory faults, or [`Error::Exhausted`] where a chain ends; the start of
    /// `object` may have changed then. The iterator has not moved.
    ///
    /// ```
    /// use iov_iter::{Error, IovIterSource};
    ///
    /// let mut object = [9; 4];
    /// // From an older program, from a newer one, and from one that needs what is not known here.
    /// assert_eq!((IovIterSource::from(b"ab").read_extensible(&mut object), &object), (Ok(()), b"ab\0\0"));
    /// assert_eq!(IovIterSource::from(b"abcd\0\0").read_extensible(&mut object), Ok(()));
    /// assert_eq!(IovIterSource::from(b"abcd\0\x01").read_extensible(&mut object), Err(Error::Surplus));
    /// ```
    #[doc(alias = "copy_struct_from_user")]
    #[doc(alias = "check_zeroed_user")]
    pub fn read_extensible(&mut self, object: &mut [u8]) -> Result<(), Error> {
        let there = self.remaining();
        let Some((known, unknown)) = object.split_at_mut_checked(there.min(object.len())) else {
            return Err(Error::OutOfRange);
        };
        let mut surplus = self.clone();
        if surplus.advance(known.len()) < known.len() {
            return Err(Error::Exhausted);
        }
        let mut buffer = [0; 64];
        while !surplus.is_empty() {
            let Some(part) = buffer.get_mut(..surplus.remaining().min(64)) else { break };
            surplus.copy_from_iter_full(part)?;
            if !Piece::from(&*part).is_zero() {
                return Err(Error::Surplus);
            }
        }
        self.copy_from_iter_full(known)?;
        self.advance(there);
        unknown.fill(0);
        Ok(())
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Writes an extensible object over all bytes left, and tells whether the receiver gets all of it.
    ///
    /// What the receiver has room for beyond `object` becomes zero. False if bytes that are not zero had no
    /// room.
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] if user memory faults, or [`Error::Exhausted`] where a chain ends: the iterator has
    /// not moved, but bytes before the fault have been written.
    ///
    /// ```
    /// use iov_iter::IovIterDest;
    ///
    /// let mut there = [9; 6];
    /// assert_eq!(IovIterDest::from(&mut there).write_extensible(b"abcd"), Ok(true));
    /// assert_eq!(&there, b"abcd\0\0");
    /// assert_eq!(IovIterDest::from(&mut there[..2]).write_extensible(b"xyz\0"), Ok(false));
    /// ```
    #[doc(alias = "copy_struct_to_user")]
    pub fn write_extensible(&mut self, object: &[u8]) -> Result<bool, Error> {
        let there = self.remaining();
        let Some((known, unknown)) = object.split_at_checked(there.min(object.len())) else {
            return Err(Error::OutOfRange);
        };
        self.all_or_nothing(there, |iter| {
            let copied = iter.copy_to_iter(known);
            if copied < known.len() {
                return copied;
            }
            copied.saturating_add(iter.zero(there.saturating_sub(copied)))
        })?;
        Ok(Piece::from(unknown).is_zero())
    }
}
