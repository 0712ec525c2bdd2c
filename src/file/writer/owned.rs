//! Buffers that are handed over to a writing file, and come back when they were sent.

use alloc::vec::Vec;

use super::FileWriter;
use super::queue::Queue;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;

/// Handing buffers over.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Puts the bytes of `buffer` without copying them: the file takes the buffer and keeps it
    /// until it was sent.
    ///
    /// In its place it leaves a buffer that was handed over before and has been sent, with its old
    /// contents, or an empty one if there is none. So a loop that fills one buffer after the other
    /// allocates at most [`MAX_ENTRIES`](crate::file::MAX_ENTRIES) of them and one more. An empty buffer is
    /// not taken, and a [linear](Self::linear) file takes none: it copies the bytes.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] and [`Error::WouldBlock`] leave the buffer as it is and do not stick;
    /// see also [errors of putting](Self#errors-of-putting).
    ///
    /// ```
    /// use iov_iter::file::FileWriter;
    ///
    /// let mut sent = Vec::new();
    /// let mut writer = FileWriter::new(&mut sent)?;
    /// let mut page = Vec::new();
    /// for number in 0..100 {
    ///     page.clear();
    ///     page.resize(4096, number);
    ///     writer.put_owned(&mut page)?;
    /// }
    /// writer.close()?;
    /// assert_eq!(sent.len(), 100 * 4096);
    /// assert_eq!(sent.last(), Some(&99));
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_put_buffer_async")]
    pub fn put_owned(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        if self.linear {
            return self.put_buffer(buffer);
        }
        self.check()?;
        self.queue.reserve_owned()?;
        self.send_unless(Queue::can_own)?;
        self.queue.own(buffer);
        self.send_if_due()
    }
}
