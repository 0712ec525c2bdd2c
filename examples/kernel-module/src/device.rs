//! A device whose contents are memory, read and written from user space.

use iov_iter::{Dest, Error, IovIter, Source};

use crate::host::Kernel;

const ENOSPC: isize = 28;

/// Serves a read at `position`: copies what is there and moves the position behind it.
///
/// Returns the bytes copied, 0 at the end, or the negative errno.
pub fn read(iter: &mut IovIter<'_, Dest, Kernel>, contents: &[u8], position: &mut i64) -> isize {
    let there = contents.get(*position as usize..).unwrap_or_default();
    if there.is_empty() || iter.is_empty() {
        return 0;
    }
    done(iter.copy_to_iter(there), position)
}

/// Serves a write at `position`; otherwise as [`read`].
pub fn write(
    iter: &mut IovIter<'_, Source, Kernel>,
    contents: &mut [u8],
    position: &mut i64,
) -> isize {
    if iter.is_empty() {
        return 0;
    }
    let room = contents.get_mut(*position as usize..).unwrap_or_default();
    if room.is_empty() {
        return -ENOSPC;
    }
    done(iter.copy_from_iter(room), position)
}

/// The result of a copy that had something to do: a fault at the first byte is an error.
fn done(copied: usize, position: &mut i64) -> isize {
    if copied == 0 {
        return -(Error::Fault.errno() as isize);
    }
    *position += copied as i64;
    copied as isize
}
