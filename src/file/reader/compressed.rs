//! Getting compressed blocks.

use super::FileReader;
use crate::file::BUFFER_SIZE;
use crate::file::channel::ReadChannel;
use crate::file::compress::{Decompress, PREFIX};
use crate::file::error::Error;

/// Getting compressed blocks.
impl<C: ReadChannel> FileReader<C> {
    /// Gets a block, decompresses it into the front of `into`, and returns how many bytes it gave.
    ///
    /// # Errors
    ///
    /// [`Error::Decompress`] if the block is damaged, longer than any that
    /// [`put_compressed`](crate::file::FileWriter::put_compressed) puts, or gives more than fits; it was not
    /// consumed then, and the error does not stick. See also
    /// [errors of getting](Self#errors-of-getting).
    pub fn get_compressed(
        &mut self,
        codec: &mut (impl Decompress + ?Sized),
        into: &mut [u8],
    ) -> Result<usize, Error> {
        self.buffer_at_least(PREFIX)?;
        let Some((prefix, _)) = self.buffer.window().split_first_chunk::<PREFIX>() else {
            return Err(Error::Decompress);
        };
        let len = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        let block = len.checked_add(PREFIX).filter(|block| *block <= BUFFER_SIZE);
        let block = block.ok_or(Error::Decompress)?;
        self.buffer_at_least(block)?;
        let payload = self.buffer.window().get(PREFIX..block).unwrap_or_default();
        let room = into.len();
        let got = codec.decompress(payload, into).filter(|got| *got <= room);
        let got = got.ok_or(Error::Decompress)?;
        self.skip_buffered(block)?;
        Ok(got)
    }
}
