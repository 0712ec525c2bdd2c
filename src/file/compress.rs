//! Compressed blocks: a length in 4 bytes, most significant first, and so many bytes.
//!
//! The codec is a trait; feature `zlib` brings one ([`zlib`](super::zlib)).

use super::channel::{ReadChannel, WriteChannel};
use super::error::Error;
use super::{BUFFER_SIZE, FileReader, FileWriter};

/// Bytes of the length in front of a block.
const PREFIX: usize = 4;

/// Something that compresses blocks.
pub trait Compress {
    /// The most bytes that `len` bytes can be compressed to; `None` if that is no `usize`.
    fn bound(&self, len: usize) -> Option<usize>;

    /// Compresses all of `from` into the front of `into` and returns how many bytes that took.
    ///
    /// `None` if it failed, which it must not for want of space if `into` is as long as the
    /// [bound](Self::bound).
    fn compress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize>;
}

/// Something that decompresses blocks.
pub trait Decompress {
    /// Decompresses all of `from` into the front of `into` and returns how many bytes that gave.
    ///
    /// `None` if `from` is damaged, ends early, goes on behind its end, or gives more than fits.
    fn decompress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize>;
}

/// Putting compressed blocks.
impl<C: WriteChannel> FileWriter<'_, C> {
    /// Compresses `bytes` into the buffer, behind their compressed length, and returns how many
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

/// Getting compressed blocks.
impl<C: ReadChannel> FileReader<C> {
    /// Gets a block, decompresses it into the front of `into`, and returns how many bytes it gave.
    ///
    /// # Errors
    ///
    /// [`Error::Decompress`] if the block is damaged, longer than any that
    /// [`put_compressed`](FileWriter::put_compressed) puts, or gives more than fits; it was not
    /// consumed then, and the error does not stick. See also
    /// [errors of getting](Self#errors-of-getting).
    pub fn get_compressed(
        &mut self,
        codec: &mut (impl Decompress + ?Sized),
        into: &mut [u8],
    ) -> Result<usize, Error> {
        self.need(PREFIX)?;
        let Some((prefix, _)) = self.buffer.window().split_first_chunk::<PREFIX>() else {
            return Err(Error::Decompress);
        };
        let len = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        let block = len.checked_add(PREFIX).filter(|block| *block <= BUFFER_SIZE);
        let block = block.ok_or(Error::Decompress)?;
        self.need(block)?;
        let payload = self.buffer.window().get(PREFIX..block).unwrap_or_default();
        let room = into.len();
        let got = codec.decompress(payload, into).filter(|got| *got <= room);
        let got = got.ok_or(Error::Decompress)?;
        self.skip_buffered(block)?;
        Ok(got)
    }
}
