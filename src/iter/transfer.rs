//! Copies from one iterator to another.

use core::mem::MaybeUninit;

use super::{IovIter, UserPiece, for_both};
use crate::direction::{Dest, Source};
use crate::host::{CopyFlags, Host, UserMemory};
use crate::memory::Piece;

/// Copies `len` bytes from `src` to `dst`, advances both by the bytes copied and returns their number.
///
/// ```text
///              dst addressable      dst user memory
///   src addr.  one copy             one copy by the host
///   src user   one copy by the host through a small buffer on the stack
/// ```
///
/// Fewer than `len` if either side ends or faults; both then stand on the first byte that did not
/// arrive. Bytes for a [discarding](IovIter::discard) destination are not read.
///
/// ```
/// use iov_iter::{IovIterDest, IovIterSource, KVec, copy_iter_to_iter};
///
/// let from = [KVec::from(b"abc"), KVec::from(b"defgh")];
/// let (mut x, mut y) = ([0; 5], [0; 2]);
/// let to = [KVec::from(&mut x), KVec::from(&mut y)];
///
/// let mut src = IovIterSource::from(&from[..]);
/// let mut dst = IovIterDest::from(&to[..]);
/// assert_eq!(copy_iter_to_iter(&mut src, &mut dst, 100), 7);
/// assert_eq!((src.remaining(), dst.remaining()), (1, 0));
/// assert_eq!((&x, &y), (b"abcde", b"fg"));
/// ```
#[must_use = "fewer bytes than asked may have been copied"]
pub fn copy_iter_to_iter<S: Host, T: Host>(
    src: &mut IovIter<'_, Source, S>,
    dst: &mut IovIter<'_, Dest, T>,
    len: usize,
) -> usize {
    let none = CopyFlags::empty();
    src.walk_with(
        len,
        dst,
        |dst, from, _| {
            dst.iterate_and_advance(
                from.len(),
                &mut (),
                |(), to, at| bounce(&from, at, &to),
                |(), to, at| from.read(at, to, none),
            )
        },
        for_both!(|dst, from, _| dst.copy_in(from, none)),
    )
}

/// Copies between two pieces of user memory; `at` bytes of `from` have been copied before.
fn bounce<S: UserMemory, T: UserMemory>(
    from: &UserPiece<'_, S, Source>,
    at: usize,
    to: &UserPiece<'_, T, Dest>,
) -> usize {
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut done = 0usize;
    while done < to.len() {
        let wanted = buffer.len().min(to.len().saturating_sub(done));
        let space = Piece::<Dest>::from(&mut buffer[..]).slice(0, wanted);
        let read = from.read(at.saturating_add(done), space, CopyFlags::empty());
        // SAFETY: `UserMemory::read` has initialised the first `read` bytes of the buffer, which
        // lives until the end of this iteration and is not written meanwhile.
        let bytes = unsafe { Piece::<_>::from_raw_parts(buffer.as_mut_ptr().cast(), read) };
        let written = to.write(done, bytes, CopyFlags::empty());
        done = done.saturating_add(written);
        if written < wanted {
            break;
        }
    }
    done
}
