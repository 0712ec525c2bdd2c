//! Iterators as readers and writers of the standard library.
//!
//! They do not implement [`Seek`](std::io::Seek): an iterator knows the bytes that are left, and finds its
//! distance from the start by adding up the segments before. [`IovIter::save`], [`IovIter::revert`] and
//! [`IovIter::advance`] move it without that.

use std::io::{BufRead, IoSlice, Read, Result, Write};

use super::IovIter;
use crate::direction::{Dest, Source};
use crate::error::Error;
use crate::host::{Host, KernelOnly};

/// Reads what is left; 0 bytes at the end.
///
/// A fault after bytes that moved is reported by the next call.
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
impl<H: Host> Read for IovIter<'_, Source, H> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        match self.copy_from_iter(into) {
            0 if !into.is_empty() && !self.is_empty() => Err(Error::Fault.into()),
            read => Ok(read),
        }
    }
}

/// Borrows the bytes up to the end of each segment.
///
/// ```
/// use std::io::BufRead;
/// use iov_iter::{IovIterSource, KVec};
///
/// let segments = [KVec::from(b"GET / HT"), KVec::from(b"TP/1.1\r\nHost")];
/// let mut line = String::new();
/// IovIterSource::from(&segments).read_line(&mut line)?;
/// assert_eq!(line, "GET / HTTP/1.1\r\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
impl BufRead for IovIter<'_, Source, KernelOnly> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        Ok(self.chunks().next().unwrap_or_default())
    }

    /// Consumes at most the bytes that are left.
    fn consume(&mut self, len: usize) {
        self.advance(len);
    }
}

/// Writes while there is room; 0 bytes at the end, which `write_all` reports as
/// [`WriteZero`](std::io::ErrorKind::WriteZero).
///
/// A fault after bytes that moved is reported by the next call.
///
/// ```
/// use std::io::{Read, Write};
/// use iov_iter::{IovIterDest, IovIterSource, KVec};
///
/// let (mut head, mut body) = ([0; 4], [0; 8]);
/// let segments = [KVec::from(&mut head), KVec::from(&mut body)];
/// write!(IovIterDest::from(&segments), "{}-{}", 1000, 4000)?;
///
/// let segments = [KVec::from(&head), KVec::from(&body)];
/// let mut text = String::new();
/// IovIterSource::from(&segments).take(9).read_to_string(&mut text)?;
/// assert_eq!(text, "1000-4000");
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
impl<H: Host> Write for IovIter<'_, Dest, H> {
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        match self.copy_to_iter(from) {
            0 if !from.is_empty() && !self.is_empty() => Err(Error::Fault.into()),
            written => Ok(written),
        }
    }

    /// Does nothing: no bytes are held back.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<'a> IovIter<'a, Source, KernelOnly> {
    /// The bytes left as slices for [`write_vectored`](Write::write_vectored), one for each segment that has
    /// any. The iterator stays.
    ///
    /// [`pieces`](Self::pieces) is the form for memory that others write.
    ///
    /// ```
    /// use std::io::Write;
    /// use iov_iter::{IovIterSource, KVec};
    ///
    /// let segments = [KVec::from(b"scatter"), KVec::from(b" gather")];
    /// let mut iter = IovIterSource::from(&segments);
    /// iter.advance(5);
    /// let slices: Vec<_> = iter.io_slices().collect();
    /// let mut file = Vec::new();
    /// iter.advance(file.write_vectored(&slices)?);
    /// assert_eq!((&file[..], iter.remaining()), (&b"er gather"[..], 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "std")))]
    pub fn io_slices(&self) -> impl Iterator<Item = IoSlice<'a>> + use<'a> {
        self.chunks().map(IoSlice::new)
    }
}
