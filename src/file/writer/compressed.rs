//! Putting compressed blocks.

use super::FileWriter;
use crate::file::channel::WriteChannel;
use crate::file::compress::{Compress, PREFIX};
use crate::file::error::Error;

/// Putting compressed blocks.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Compresses `bytes` into the buffer, after their compressed length, and returns how many
    /// bytes were put, length included.
    ///
    /// Nothing is sent before, so what was put already takes room from the block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] if the buffer's free part is smaller than the length and the codec's
    /// [bound](Compress::bound), [`Error::Compress`] if the codec fails. Nothing was put then, and
    /// neither sticks. See also [errors of putting](Self#errors-of-putting).
    #[doc(alias = "qemu_put_compression_data")]
    #[doc(alias = "qemu_compress_data")]
    pub fn put_compressed(
        &mut self,
        codec: &mut (impl Compress + ?Sized),
        bytes: &[u8],
    ) -> Result<usize, Error> {
        self.check()?;
        let bound = codec.bound(bytes.len()).ok_or(Error::NoSpace)?;
        let queue = &mut self.queue;
        if !queue.can_copy() {
            return Err(Error::NoSpace);
        }
        let Some((prefix, room)) = queue.free().split_first_chunk_mut::<PREFIX>() else {
            return Err(Error::NoSpace);
        };
        if room.len() < bound {
            return Err(Error::NoSpace);
        }
        let len = codec.compress(bytes, room).filter(|len| *len <= room.len());
        let len = len.ok_or(Error::Compress)?;
        *prefix = u32::try_from(len).map_err(|_| Error::Compress)?.to_be_bytes();
        let put = len.saturating_add(PREFIX);
        queue.commit(put);
        self.send_if_due()?;
        Ok(put)
    }

    /// As [`put_compressed`](Self::put_compressed), but sends what is pending if that makes the
    /// room.
    ///
    /// # Errors
    ///
    /// As for `put_compressed`; [`Error::NoSpace`] means that not even the empty buffer is large
    /// enough.
    #[doc(alias = "qemu_put_compression_data")]
    pub fn put_compressed_flushing(
        &mut self,
        codec: &mut (impl Compress + ?Sized),
        bytes: &[u8],
    ) -> Result<usize, Error> {
        match self.put_compressed(codec, bytes) {
            Err(Error::NoSpace) => {
                self.flush()?;
                self.put_compressed(codec, bytes)
            }
            result => result,
        }
    }
}
