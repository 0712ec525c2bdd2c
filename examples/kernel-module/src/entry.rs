//! What C calls: pointers become references here, and nowhere else.

use core::ffi::c_void;
use core::slice;

use iov_iter::{Dest, Direction, IoVec, IovIter, Source};

use crate::compare::{Arena, Tally};
use crate::host::{CurrentTask, Kernel};
use crate::kernel::KernelIter;
use crate::{compare, cost, device, log, selftest};

/// User memory as `read_iter()` and `write_iter()` get it: `struct user_segments` in c/shim.h.
#[repr(C)]
pub struct UserSegments {
    segments: *const IoVec,
    nr_segs: usize,
    base: usize,
    offset: usize,
    count: usize,
}

impl UserSegments {
    /// The segments; `None` if it is a single range.
    ///
    /// # Safety
    ///
    /// They must stay as they are during `'a`.
    unsafe fn segments<'a>(&self) -> Option<&'a [IoVec]> {
        if self.segments.is_null() {
            return None;
        }
        // SAFETY: the caller's promise; so many are left in the array.
        Some(unsafe { slice::from_raw_parts(self.segments, self.nr_segs) })
    }

    /// An iterator over the memory.
    ///
    /// # Safety
    ///
    /// The segments must stay as they are during `'a`, which must end with the call from user space.
    pub unsafe fn iter<'a, D: Direction>(&self) -> IovIter<'a, D, Kernel> {
        let task = CurrentTask::new();
        let end = self.offset.saturating_add(self.count);
        // SAFETY: the caller's promise.
        let mut iter = match unsafe { self.segments() } {
            None => IovIter::ubuf(task, self.base, end),
            // The count of a kernel iterator never exceeds its segments.
            Some(segments) => {
                IovIter::iovec(task, segments, end).unwrap_or_else(|_| IovIter::ubuf(task, 0, 0))
            }
        };
        if self.offset > 0 {
            iter.advance(self.offset);
        }
        iter
    }
}

/// # Safety
///
/// `to` describes the memory of the calling process; `contents` has `size` bytes that nobody else
/// uses during the call.
#[unsafe(no_mangle)]
unsafe extern "C" fn ioviter_device_read(
    to: &UserSegments,
    contents: *const u8,
    size: usize,
    position: &mut i64,
) -> isize {
    // SAFETY: the caller's promise.
    let (mut iter, contents) = unsafe { (to.iter(), slice::from_raw_parts(contents, size)) };
    device::read(&mut iter, contents, position)
}

/// # Safety
///
/// As for [`ioviter_device_read`].
#[unsafe(no_mangle)]
unsafe extern "C" fn ioviter_device_write(
    from: &UserSegments,
    contents: *mut u8,
    size: usize,
    position: &mut i64,
) -> isize {
    // SAFETY: the caller's promise.
    let (mut iter, contents) = unsafe { (from.iter(), slice::from_raw_parts_mut(contents, size)) };
    device::write(&mut iter, contents, position)
}
#[unsafe(no_mangle)]
extern "C" fn ioviter_selftest() -> usize {
    let checks = selftest::run();
    log::line!("selftest: {} checks, {} failed", checks.made, checks.failed);
    checks.failed
}

#[unsafe(no_mangle)]
extern "C" fn ioviter_compare(seed: u64, rounds: u64) -> usize {
    let Some(tallies) = compare::kernel_memory(seed, rounds) else { return 1 };
    for (kind, tally) in tallies {
        match tally {
            Tally { operations: 0, failed: 0, .. } => log::line!("{kind}: not in this kernel"),
            Tally { operations, failed, .. } => log::line!(
                "{kind}: {rounds} rounds, {operations} operations compared, {failed} failed"
            ),
        }
    }
    tallies.iter().map(|(_, tally)| tally.failed).sum()
}

/// # Safety
///
/// `kernel` points to the `struct iov_iter` that the kernel made for a system call, `ours` describes
/// the same memory, and `arena` the memory of the calling process.
#[unsafe(no_mangle)]
unsafe extern "C" fn ioviter_compare_user(
    kernel: *const c_void,
    ours: &UserSegments,
    dest: bool,
    arena: &Arena,
    seed: u64,
    tally: &mut Tally,
) {
    // SAFETY: the caller's promise; segments live until the system call ends.
    let (kernel, segments) = unsafe { (KernelIter::copy_of(kernel), ours.segments()) };
    let (base, arena) = (ours.base, *arena);
    // SAFETY: as above.
    unsafe {
        if dest {
            compare::user_memory::<Dest>(kernel, ours.iter(), segments, base, arena, seed, tally);
        } else {
            compare::user_memory::<Source>(kernel, ours.iter(), segments, base, arena, seed, tally);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn ioviter_compare_import(arena: &Arena, seed: u64, rounds: u64) -> usize {
    let Tally { operations, short, failed, .. } = compare::imports(arena, seed, rounds);
    log::line!("import: {operations} arrays compared, {short} of them refused, {failed} failed");
    failed
}

#[unsafe(no_mangle)]
extern "C" fn ioviter_cost(arena: &Arena) -> usize {
    usize::from(cost::table(arena).is_none())
}
