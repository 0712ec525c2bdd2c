//! Guest memory as the user memory of a host.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

use vm_memory::bitmap::{BS, Bitmap};
use vm_memory::{GuestAddress, GuestMemory, Permissions, VolatileSlice};

use super::{STAYS_MAPPED, first_bytes};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host, NoPage, UserMemory};
use crate::memory::Piece;

/// The memory of a guest, reached by guest addresses.
///
/// `T` is a reference to any `GuestMemory`, or an `Arc` of it. Copies and transfers mark the pages that
/// they wrote in its dirty bitmap, after the bytes are written.
///
/// ```
/// use iov_iter::guest::{Ram, Vm};
/// use iov_iter::{Dest, IoVec, IovIter, Source};
/// use vm_memory::bitmap::{AtomicBitmap, Bitmap};
/// use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};
///
/// // Two regions that touch, and a hole after them.
/// let regions = [(GuestAddress(0), 0x4000), (GuestAddress(0x4000), 0x4000)];
/// let memory = GuestMemoryMmap::<AtomicBitmap>::from_ranges(&regions).unwrap();
///
/// let segments = [IoVec::new(0x3ffe, 4), IoVec::new(0x7ffe, 4)];
/// let mut iter = IovIter::<Dest, Vm<_>>::iovec(Ram(&memory), &segments, 8)?;
/// assert_eq!(iter.copy_to_iter(b"borders"), 6);
/// assert_eq!(iter.remaining(), 2);
///
/// let mut bytes = [0; 4];
/// let mut iter = IovIter::<Source, Vm<_>>::ubuf(Ram(&memory), 0x3ffe, 4);
/// iter.copy_from_iter_full(&mut bytes)?;
/// assert_eq!(&bytes, b"bord");
///
/// let dirty = |at| memory.iter().nth(1).unwrap().bitmap().dirty_at(at);
/// assert_eq!([dirty(0), dirty(0x1000), dirty(0x3fff)], [true, false, true]);
/// # Ok::<(), iov_iter::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Ram<T>(
    /// The memory.
    pub T,
);

/// The host whose user memory is a guest's.
///
/// `T` is what [`Ram`] holds.
pub struct Vm<T>(PhantomData<fn() -> T>);

impl<T: Clone + Deref<Target: GuestMemory>> Host for Vm<T> {
    type Page = NoPage;
    type User = Ram<T>;
}

impl<T> fmt::Debug for Vm<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vm")
    }
}

impl<T> fmt::Debug for Ram<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ram").finish_non_exhaustive()
    }
}

/// A part of a guest's memory that is contiguous here.
type Slice<'m, M> = VolatileSlice<'m, BS<'m, <M as GuestMemory>::Bitmap>>;

impl<T: Deref<Target: GuestMemory>> Ram<T> {
    /// Calls `step` for each contiguous part of the `len` bytes at `addr` with the bytes before it and its
    /// length. Returns the sum of what the steps report, up to the first that reports less than its part.
    fn walk(
        &self,
        addr: usize,
        len: usize,
        access: Permissions,
        mut step: impl FnMut(&Slice<'_, T::Target>, usize, usize) -> usize,
    ) -> usize {
        let Ok(slices) = self.0.get_slices(GuestAddress(addr as u64), len, access) else {
            return 0;
        };
        let mut done = 0_usize;
        for slice in slices {
            let Ok(slice) = slice else { break };
            let part = slice.len().min(len.saturating_sub(done));
            let moved = step(&slice, done, part).min(part);
            done = done.saturating_add(moved);
            if moved < part || part == 0 {
                break;
            }
        }
        done
    }

    /// As [`walk`](Self::walk), over memory that the steps write, which is marked as dirty after each.
    fn walk_writing(
        &self,
        addr: usize,
        len: usize,
        mut step: impl FnMut(Piece<'_, Dest>, usize) -> usize,
    ) -> usize {
        self.walk(addr, len, Permissions::Write, |slice, done, part| {
            let guard = slice.ptr_guard_mut();
            // SAFETY: `part` bytes of guest memory, which is mapped for as long as the guard lives, and which
            // no reference points into.
            let piece = unsafe { Piece::from_raw_parts(guard.as_ptr(), part) };
            let written = step(piece, done).min(part);
            slice.bitmap().mark_dirty(0, written);
            written
        })
    }
}

// SAFETY: `read` returns the number of bytes that it copied to the start of `dst`, and copies nothing else.
// All accesses are by pieces of shared memory, which are no data race; the bitmap is one for several threads.
unsafe impl<T: Clone + Deref<Target: GuestMemory>> UserMemory for Ram<T> {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        // The memory checks each access itself.
        addr.checked_add(len).is_some()
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        self.walk(addr, dst.len(), Permissions::Read, |slice, done, part| {
            let guard = slice.ptr_guard();
            // SAFETY: `part` bytes of guest memory, which is mapped for as long as the guard lives, and which
            // no reference points into.
            let piece = unsafe { Piece::from_raw_parts(guard.as_ptr().cast_mut(), part) };
            dst.slice(done, part).copy_from(piece)
        })
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        self.walk_writing(addr, src.len(), |piece, done| {
            piece.copy_from(src.slice(done, piece.len()))
        })
    }

    unsafe fn zero(&self, addr: usize, len: usize) -> usize {
        self.walk_writing(addr, len, |piece, _| piece.fill(0))
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        self.walk(addr, len, Permissions::Read, |_, _, part| part)
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        self.walk(addr, len, Permissions::Write, |_, _, part| part)
    }

    unsafe fn map<D: Direction>(&self, addr: usize, len: usize) -> Result<Piece<'_, D>, Error> {
        if !STAYS_MAPPED {
            return Err(Error::NoMapping);
        }
        let access = if D::IS_DEST { Permissions::Write } else { Permissions::Read };
        let mut slices =
            self.0.get_slices(GuestAddress(addr as u64), len, access).map_err(|_| Error::Fault)?;
        match slices.next() {
            Some(Ok(slice)) => {
                let (start, len) = first_bytes(&slice, len);
                // SAFETY: `len` bytes of guest memory that no reference points into. They stay mapped for as
                // long as the memory is borrowed, which is as long as this handle is.
                Ok(unsafe { Piece::from_raw_parts(start, len) })
            }
            Some(Err(_)) | None => Err(Error::Fault),
        }
    }

    fn mark_written(&self, addr: usize, len: usize) {
        self.walk(addr, len, Permissions::Write, |slice, _, part| {
            slice.bitmap().mark_dirty(0, part);
            part
        });
    }
}
