//! The boot file on its way from the disk to the memory it will run in.
//!
//! ```text
//!   disk      [ run ]      [ run ][ run ]          clusters, as they lie
//!                │            │      │             chains of descriptors
//!   parts     ▒▒▒ ▒ ▒▒▒▒▒▒▒ ▒▒ ...                 IovIter<Source>
//!                │                                 copied, and summed on the way
//!   image     ████████████ hole █████████████      IovIter<Dest>
//! ```

use iov_iter::{Checksum, IovIterDest, IovIterSource};

use crate::disk;
use crate::fat::{File, Volume};
use crate::gpt::CRC_32;
use crate::reader::Reader;
use crate::scattered::Scattered;

/// Why a file is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Disk(#[from] disk::Error),
    #[error("{size} bytes, but the memory for it has {memory}")]
    TooLarge { size: u32, memory: usize },
    #[error("{0} bytes of it did not arrive")]
    Incomplete(usize),
}

/// What was loaded.
pub struct Loaded {
    /// Runs of clusters that the file consists of.
    pub runs: usize,
    /// The sum of the bytes that were copied.
    pub copied: Checksum,
    /// The CRC-32 of the bytes that arrived in memory.
    pub arrived: u32,
}

/// Copies a file from the disk into `image`.
pub fn load<const N: usize>(
    reader: &mut Reader,
    volume: &Volume,
    file: &File,
    image: &mut Scattered<'_, N>,
) -> Result<Loaded, Error> {
    let (size, memory) = (file.size, image.size());
    if size as usize > memory {
        return Err(Error::TooLarge { size, memory });
    }
    let mut runs = 0;
    let mut copied = Checksum::new();
    let segments = image.dest();
    let mut to = IovIterDest::from(segments.as_slice());
    to.truncate(size.into());
    for run in volume.runs(file) {
        runs += 1;
        reader.read(run, |from| {
            for chunk in from.chunks() {
                // Past the end of the file `to` takes no more.
                let _ = to.csum_and_copy_to_iter(chunk, &mut copied);
            }
            Ok::<_, Error>(())
        })?;
    }
    if !to.is_empty() {
        return Err(Error::Incomplete(to.remaining()));
    }

    let mut arrived = CRC_32.digest();
    let segments = image.source();
    let mut bytes = IovIterSource::from(segments.as_slice());
    bytes.truncate(size.into());
    bytes.chunks().for_each(|chunk| arrived.update(chunk));
    Ok(Loaded { runs, copied, arrived: arrived.finalize() })
}
