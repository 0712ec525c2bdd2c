//! The instructions that an operation takes, in the crate and in the kernel.
//!
//! Meant for a machine whose time stamp counter counts instructions, as QEMU's does with
//! `-icount shift=0`. Of an instruction that repeats, every repetition counts there.

use core::arch::x86_64::_rdtsc;
use core::fmt;
use core::hint::black_box;

use iov_iter::{BioVec, Checksum, Dest, InlineVec, IoVec, IovIter, KVec, List, Page, Source};

use crate::compare::{Arena, Run};
use crate::host::{CurrentTask, Kernel, KernelPage};
use crate::kernel::{KernelIter, has_partial_checksums, without_interrupts};
use crate::log;

const SEGMENTS: [usize; 3] = [1, 4, 64];
const LENGTHS: [usize; 4] = [16, 64, 512, 4096];
const MOST: usize = 64;
const PAGE: usize = KernelPage::SIZE;

const COLUMNS: [&str; 9] = [
    "copy to kvec",
    "copy to bvec",
    "copy to iovec",
    "copy from kvec",
    "copy from iovec",
    "zero kvec",
    "checksum to kvec",
    "advance kvec",
    "npages kvec",
];

/// Instructions of the crate and of the kernel.
#[derive(Clone, Copy)]
struct Pair {
    ours: u64,
    /// `None` if it does not have the function.
    kernel: Option<u64>,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kernel {
            Some(kernel) => write!(f, "{} / {kernel}", self.ours),
            None => write!(f, "{} / -", self.ours),
        }
    }
}

/// The instructions of the crate over several rows, the kernel's being 100.
#[derive(Clone, Copy)]
struct Mean(Option<u64>);

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(percent) => percent.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// The cells of a row.
struct Cells<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Cells<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|cell| write!(f, " {cell} |"))
    }
}

/// Logs a table of "crate / kernel"; `None` without memory.
pub fn table(arena: &Arena) -> Option<()> {
    let bench = Bench { run: Run::new(6)?, flat: Run::new(6)?, user: arena.base as usize };
    let mut permille = [Some(0); COLUMNS.len()];
    log::line!("| Segments |{}", Cells(&COLUMNS));
    log::line!("|---|{}", Cells(&COLUMNS.map(|_| "---")));
    for count in SEGMENTS {
        for len in LENGTHS {
            let row = bench.row(count, len)?;
            for (sum, pair) in permille.iter_mut().zip(&row) {
                *sum = sum.zip(pair.kernel).map(|(sum, kernel)| sum + pair.ours * 1000 / kernel);
            }
            log::line!("| {count} of {len} |{}", Cells(&row));
        }
    }
    let rows = (SEGMENTS.len() * LENGTHS.len()) as u64;
    let percent = permille.map(|sum| Mean(sum.map(|sum| (sum / rows + 5) / 10)));
    log::line!("| mean, the kernel being 100 |{}", Cells(&percent));
    Some(())
}

/// The memory that both work on.
struct Bench {
    /// That of the segments, in the kernel: one page for each.
    run: Run,
    /// That on the other side of a copy.
    flat: Run,
    /// That of the segments, in the process: one page for each, all resident.
    user: usize,
}

impl Bench {
    /// Measures all columns with `count` segments of `len` bytes.
    fn row(&self, count: usize, len: usize) -> Option<[Pair; COLUMNS.len()]> {
        let total = count * len;
        let mut iovecs = InlineVec::<IoVec, MOST>::new();
        let mut users = InlineVec::<IoVec, MOST>::new();
        let mut into = InlineVec::<KVec<'_, Dest>, MOST>::new();
        let mut from = InlineVec::<KVec<'_, Source>, MOST>::new();
        let mut pages = InlineVec::<BioVec<KernelPage>, MOST>::new();
        for i in 0..count {
            let at = i * PAGE;
            // SAFETY: the range lies in the run; each measurement uses it in one way only.
            let (to, of) = unsafe {
                let start = self.run.start().add(at);
                (KVec::from_raw_parts(start, len), KVec::from_raw_parts(start, len))
            };
            let page = BioVec::new(self.run.page.nth(i)?, 0, len as u32).ok()?;
            iovecs.try_push(IoVec::new(self.run.address() + at, len)).ok()?;
            users.try_push(IoVec::new(self.user + at, len)).ok()?;
            into.try_push(to).ok()?;
            from.try_push(of).ok()?;
            pages.try_push(page).ok()?;
        }
        // SAFETY: the run has so many bytes, which nothing writes while this is used.
        let src = unsafe { core::slice::from_raw_parts(self.flat.start(), total) };
        // SAFETY: as above; nothing else uses them while this is used.
        let dst = || unsafe { core::slice::from_raw_parts_mut(self.flat.start(), total) };

        // SAFETY: the ranges lie in the run.
        let kvec = |dest| unsafe { KernelIter::kvec(dest, &iovecs, total) };
        let bvec = KernelIter::bvec(true, &pages, total);
        let user = |dest| KernelIter::iovec(dest, &users, total);
        let task = CurrentTask::new();
        let to_kvec = IovIter::<Dest, Kernel>::kvec(&into, total).ok()?;
        let to_bvec = IovIter::<Dest, Kernel>::bvec(&pages, total).ok()?;
        let to_user = IovIter::<Dest, Kernel>::iovec(task, &users, total).ok()?;
        let of_kvec = IovIter::<Source, Kernel>::kvec(&from, total).ok()?;
        let of_user = IovIter::<Source, Kernel>::iovec(task, &users, total).ok()?;

        let copy_to = |ours, kernel: &KernelIter<'_>| Pair {
            ours: least(ours, |iter| copy_to_iter(iter, src)),
            kernel: Some(least(kernel, |iter| iter.copy_to(src))),
        };
        let copy_from = |ours, kernel: &KernelIter<'_>| Pair {
            ours: least(ours, |iter| copy_from_iter(iter, dst())),
            kernel: Some(least(kernel, |iter| iter.copy_from(dst()))),
        };
        Some([
            copy_to(&to_kvec, &kvec(true)),
            copy_to(&to_bvec, &bvec),
            copy_to(&to_user, &user(true)),
            copy_from(&of_kvec, &kvec(false)),
            copy_from(&of_user, &user(false)),
            Pair {
                ours: least(&to_kvec, |iter| zero(iter, total)),
                kernel: Some(least(&kvec(true), |iter| iter.zero(total))),
            },
            Pair {
                ours: least(&to_kvec, |iter| checksum(iter, src)),
                kernel: has_partial_checksums()
                    .then(|| least(&kvec(true), |iter| iter.csum_to(src, &mut 0))),
            },
            Pair {
                ours: least(&of_kvec, |iter| iter.advance(total)),
                kernel: Some(least(&kvec(false), |iter| iter.advance(total))),
            },
            Pair {
                ours: least(&of_kvec, |iter| iter.npages(usize::MAX)),
                kernel: Some(least(&kvec(false), |iter| iter.npages(i32::MAX))),
            },
        ])
    }
}

/// The fewest instructions that `operation` took, of several tries on copies of `iter`.
fn least<I: Clone, R>(iter: &I, mut operation: impl FnMut(&mut I) -> R) -> u64 {
    let mut measure = |work: bool| {
        let mut iter = iter.clone();
        without_interrupts(|| {
            // SAFETY: every machine of this kind has the counter.
            let start = unsafe { _rdtsc() };
            if black_box(work) {
                black_box(operation(black_box(&mut iter)));
            }
            // SAFETY: as above.
            unsafe { _rdtsc() - start }
        })
    };
    let (mut work, mut nothing) = (u64::MAX, u64::MAX);
    for _ in 0..5 {
        work = work.min(measure(true));
        nothing = nothing.min(measure(false));
    }
    work - nothing
}

// Functions of their own, as the kernel's are: for every kind of segment, and called.

#[inline(never)]
fn copy_to_iter(iter: &mut IovIter<'_, Dest, Kernel>, src: &[u8]) -> usize {
    iter.copy_to_iter(src)
}

#[inline(never)]
fn copy_from_iter(iter: &mut IovIter<'_, Source, Kernel>, dst: &mut [u8]) -> usize {
    iter.copy_from_iter(dst)
}

#[inline(never)]
fn zero(iter: &mut IovIter<'_, Dest, Kernel>, len: usize) -> usize {
    iter.zero(len)
}

#[inline(never)]
fn checksum(iter: &mut IovIter<'_, Dest, Kernel>, src: &[u8]) -> (usize, u16) {
    let mut sum = Checksum::new();
    (iter.csum_and_copy_to_iter(src, &mut sum), sum.folded())
}
