//! One operation on an iterator, as the kernel does it and as the crate does it.

use iov_iter::{
    Checksum, Dest, Direction, DupStorage, Error, HeldPage, InlineVec, IovIter, PageRange, Piece,
    Position, Segments, Source,
};

use super::memory::{Memory, Run};
use super::shape::Shape;
use crate::host::{Kernel, KernelPage, STRUCT_PAGE};
use crate::kernel::{KernelIter, State};
use crate::random::{Digest, Random};

/// What to do with an iterator. Lengths are in bytes; a page operation works on the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    // On a destination.
    CopyTo(usize),
    CopyMcTo(usize),
    Zero(usize),
    CsumTo(usize),
    PageTo(usize, usize),
    FaultInWriteable(usize),
    // On a source.
    CopyFrom(usize),
    CopyFromFull(usize),
    CopyFromNocache(usize),
    CopyFromFlushcache(usize),
    CsumFrom(usize),
    CsumFromFull(usize),
    PageFrom(usize, usize),
    PageFromAtomic(usize, usize),
    FaultInReadable(usize),
    // On either.
    Advance(usize),
    /// By this many bytes modulo those that can be taken back.
    Revert(usize),
    Truncate(usize),
    /// By this many bytes modulo those that are hidden.
    Reexpand(usize),
    Npages(usize),
    Alignment,
    IsAligned(u32, u32),
    GapAlignment,
    SingleSegment,
    GetPages(usize, usize),
    ExtractPages(usize, usize),
    /// Where a duplicate stands that has been advanced.
    Duplicate(usize),
}

use Operation as Op;

impl Operation {
    /// Any operation for that direction, on some of about `total` bytes.
    pub fn random(random: &mut Random, dest: bool, total: usize) -> Self {
        let len = length(random, total);
        let at = random.below(DESK);
        let in_desk = (at, len.min(DESK - at));
        // More copies than anything else.
        let choices = if random.chance(60) { 9 } else { 23 };
        match random.below(choices) {
            0 | 1 if dest => Op::CopyTo(len),
            2 if dest => Op::CopyMcTo(len),
            3 | 4 if dest => Op::Zero(len),
            5 | 6 if dest => Op::CsumTo(len),
            7 if dest => Op::PageTo(in_desk.0, in_desk.1),
            8 if dest => Op::FaultInWriteable(len),
            0 => Op::CopyFrom(len),
            1 => Op::CopyFromFull(len),
            2 => Op::CopyFromNocache(len),
            3 => Op::CopyFromFlushcache(len),
            4 => Op::CsumFrom(len),
            5 => Op::CsumFromFull(len),
            6 => Op::PageFrom(in_desk.0, in_desk.1),
            7 => Op::PageFromAtomic(in_desk.0, in_desk.1),
            8 => Op::FaultInReadable(len),
            9 | 10 => Op::Advance(len),
            11 | 12 => Op::Revert(len),
            13 => Op::Truncate(len),
            14 => Op::Reexpand(len),
            15 => Op::Npages(random.below(20)),
            16 => Op::Alignment,
            17 => Op::IsAligned(mask(random), mask(random)),
            18 => Op::GapAlignment,
            19 => Op::SingleSegment,
            20 => Op::GetPages(len, random.below(8)),
            21 => Op::ExtractPages(len, random.below(8)),
            _ => Op::Duplicate(len),
        }
    }

    /// The bytes to be copied, for those that copy exactly up to a fault.
    pub fn exact_len(self) -> Option<usize> {
        match self {
            Op::CopyTo(len) | Op::CopyMcTo(len) | Op::Zero(len) | Op::PageTo(_, len) => Some(len),
            Op::CopyFrom(len) | Op::CopyFromNocache(len) | Op::CopyFromFlushcache(len) => Some(len),
            Op::PageFrom(_, len) | Op::PageFromAtomic(_, len) => Some(len),
            _ => None,
        }
    }
}

/// Bytes on the desk, and so the most that one operation copies.
pub const DESK: usize = 8192;

fn length(random: &mut Random, total: usize) -> usize {
    let limit = match random.below(6) {
        0 => 3,
        1 => 40,
        2 => 700,
        3 => return random.below(total + 10).min(DESK),
        4 => return (4094 + random.below(5)).min(DESK),
        _ => DESK,
    };
    random.below(limit)
}

fn mask(random: &mut Random) -> u32 {
    (1 << random.below(13)) - 1
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number that it returned.
    pub result: isize,
    /// A fingerprint of what it put on the desk, of the sum or of the pages.
    pub found: Digest,
    pub state: State,
    /// Where a duplicate stands.
    pub copy: Option<State>,
}

/// The buffer that operations copy from and to, and what must be known to go back.
pub struct Desk {
    run: Run,
    seed: u64,
    total: usize,
    hidden: usize,
}

impl Desk {
    pub fn new() -> Option<Self> {
        Some(Self { run: Run::new(1)?, seed: 0, total: 0, hidden: 0 })
    }

    /// Prepares it for an iterator over `total` bytes.
    pub fn clear(&mut self, seed: u64, total: usize) {
        (self.seed, self.total, self.hidden) = (seed, total, 0);
        self.run.fill(seed);
    }

    fn bytes(&mut self, len: usize) -> &mut [u8] {
        self.run.bytes().get_mut(..len).unwrap_or_default()
    }

    fn fingerprint(&mut self) -> Digest {
        self.run.digest()
    }

    /// What a checked sum over the first `copied` bytes leaves; the bytes behind are unspecified, and
    /// wiped. The two forms of zero that a ones' complement sum has are one.
    fn summed(&mut self, copied: usize, sum: u16) -> Digest {
        let mut digest = Digest::new();
        digest.number(u64::from(if sum == 0xffff { 0 } else { sum }));
        digest.bytes(self.bytes(copied));
        self.run.fill(self.seed);
        digest
    }

    /// How far an iterator with `count` bytes left can be reverted.
    fn consumed(&self, count: usize) -> usize {
        self.total - self.hidden - count
    }

    fn truncated(&mut self, count: usize, limit: usize) {
        self.hidden += count.saturating_sub(limit);
    }

    /// The count to expand to.
    fn expanded(&mut self, count: usize, by: usize) -> usize {
        let by = by % (self.hidden + 1);
        self.hidden -= by;
        count + by
    }
}

/// Has the kernel do it.
pub fn by_kernel(
    iter: &mut KernelIter<'_>,
    shape: &Shape<'_>,
    operation: Operation,
    desk: &mut Desk,
) -> Outcome {
    let (mut found, mut copy) = (Digest::new(), None);
    let count = iter.state().count;
    let result = match operation {
        Op::CopyTo(len) => iter.copy_to(desk.bytes(len)),
        Op::CopyMcTo(len) => iter.copy_mc_to(desk.bytes(len)),
        Op::Zero(len) => iter.zero(len),
        Op::CsumTo(len) => {
            let mut sum = 0;
            let copied = iter.csum_to(desk.bytes(len), &mut sum);
            found = desk.summed(copied, sum);
            copied
        }
        Op::PageTo(at, len) => iter.page_to(&desk.run.page, at, len),
        Op::FaultInWriteable(len) => iter.fault_in_writeable(len),
        Op::CopyFrom(len) => iter.copy_from(desk.bytes(len)),
        Op::CopyFromFull(len) => {
            let all = iter.copy_from_full(desk.bytes(len));
            found = desk.summed(if all { len } else { 0 }, 0);
            usize::from(all)
        }
        Op::CopyFromNocache(len) => iter.copy_from_nocache(desk.bytes(len)),
        Op::CopyFromFlushcache(len) => iter.copy_from_flushcache(desk.bytes(len)),
        Op::CsumFrom(len) => {
            let mut sum = 0;
            let copied = iter.csum_from(desk.bytes(len), &mut sum);
            found = desk.summed(copied, sum);
            copied
        }
        Op::CsumFromFull(len) => {
            let mut sum = 0;
            let all = iter.csum_from_full(desk.bytes(len), &mut sum);
            found = if all { desk.summed(len, sum) } else { desk.summed(0, 0) };
            usize::from(all)
        }
        Op::PageFrom(at, len) => iter.page_from(&desk.run.page, at, len),
        Op::PageFromAtomic(at, len) => iter.page_from_atomic(&desk.run.page, at, len),
        Op::FaultInReadable(len) => iter.fault_in_readable(len),
        Op::Advance(len) => {
            iter.advance(len);
            0
        }
        Op::Revert(len) => {
            iter.revert(len % (desk.consumed(count) + 1));
            0
        }
        Op::Truncate(limit) => {
            desk.truncated(count, limit);
            iter.truncate(limit as u64);
            0
        }
        Op::Reexpand(by) => {
            iter.reexpand(desk.expanded(count, by));
            0
        }
        Op::Npages(max) => iter.npages(max as i32) as usize,
        Op::Alignment => iter.alignment(),
        Op::IsAligned(address, len) => usize::from(iter.is_aligned(address, len)),
        Op::GapAlignment => iter.gap_alignment(),
        Op::SingleSegment => iter.first_segment_len(),
        Op::GetPages(size, max) => {
            let (result, start) = iter.get_pages(size, max, |page| found.number(page as u64));
            if result > 0 {
                found.number(start as u64);
            }
            result as usize
        }
        Op::ExtractPages(size, max) => {
            let pinned = shape.kind.is_user_backed();
            let (result, start) =
                iter.extract_pages(size, max, pinned, |page| found.number(page as u64));
            if result > 0 {
                found.number(start as u64);
            }
            result as usize
        }
        Op::Duplicate(len) => {
            copy = Some(iter.state_of_duplicate(len));
            0
        }
    };
    if copies_from(operation) {
        found = desk.fingerprint();
    }
    Outcome { result: result as isize, found, state: iter.state(), copy }
}

/// Whether the whole desk is to be looked at: what is behind the bytes copied must be untouched.
fn copies_from(operation: Operation) -> bool {
    use Operation::*;
    matches!(
        operation,
        CopyFrom(_)
            | CopyFromNocache(_)
            | CopyFromFlushcache(_)
            | PageFrom(..)
            | PageFromAtomic(..)
    )
}

/// A direction in which the crate's iterators do operations.
pub trait Way: Direction + Sized {
    /// What only this direction has.
    fn transfer(
        iter: &mut IovIter<'_, Self, Kernel>,
        operation: Operation,
        desk: &mut Desk,
        found: &mut Digest,
    ) -> usize;
}

impl Way for Dest {
    fn transfer(
        iter: &mut IovIter<'_, Self, Kernel>,
        operation: Operation,
        desk: &mut Desk,
        found: &mut Digest,
    ) -> usize {
        match operation {
            Op::CopyTo(len) => iter.copy_to_iter(desk.bytes(len)),
            Op::CopyMcTo(len) => iter.copy_mc_to_iter(Piece::from(&*desk.bytes(len))),
            Op::Zero(len) => iter.zero(len),
            Op::CsumTo(len) => {
                let mut sum = Checksum::new();
                let copied = iter.csum_and_copy_to_iter(desk.bytes(len), &mut sum);
                *found = desk.summed(copied, sum.folded());
                copied
            }
            Op::PageTo(at, len) => or_errno(iter.copy_page_to_iter(&desk.run.page, at, len)),
            Op::FaultInWriteable(len) => iter.fault_in_writeable(len),
            _ => usize::MAX,
        }
    }
}

impl Way for Source {
    fn transfer(
        iter: &mut IovIter<'_, Self, Kernel>,
        operation: Operation,
        desk: &mut Desk,
        found: &mut Digest,
    ) -> usize {
        match operation {
            Op::CopyFrom(len) => iter.copy_from_iter(desk.bytes(len)),
            Op::CopyFromFull(len) => {
                let all = iter.copy_from_iter_full(desk.bytes(len)).is_ok();
                *found = desk.summed(if all { len } else { 0 }, 0);
                usize::from(all)
            }
            Op::CopyFromNocache(len) => iter.copy_from_iter_nocache(desk.bytes(len)),
            Op::CopyFromFlushcache(len) => iter.copy_from_iter_flushcache(desk.bytes(len)),
            Op::CsumFrom(len) => {
                let mut sum = Checksum::new();
                let copied = iter.csum_and_copy_from_iter(desk.bytes(len), &mut sum);
                *found = desk.summed(copied, sum.folded());
                copied
            }
            Op::CsumFromFull(len) => {
                let mut sum = Checksum::new();
                let all = iter.csum_and_copy_from_iter_full(desk.bytes(len), &mut sum).is_ok();
                *found = if all { desk.summed(len, sum.folded()) } else { desk.summed(0, 0) };
                usize::from(all)
            }
            Op::PageFrom(at, len) => or_errno(iter.copy_page_from_iter(&desk.run.page, at, len)),
            Op::PageFromAtomic(at, len) => {
                or_errno(iter.copy_page_from_iter_atomic(&desk.run.page, at, len))
            }
            Op::FaultInReadable(len) => iter.fault_in_readable(len),
            _ => usize::MAX,
        }
    }
}

/// Has the crate do it.
pub fn by_crate<D: Way>(
    iter: &mut IovIter<'_, D, Kernel>,
    operation: Operation,
    desk: &mut Desk,
) -> Outcome {
    let (mut found, mut copy) = (Digest::new(), None);
    let count = iter.remaining();
    let result = match operation {
        Op::Advance(len) => {
            iter.advance(len);
            0
        }
        Op::Revert(len) => or_errno(iter.revert(len % (desk.consumed(count) + 1)).map(|()| 0)),
        Op::Truncate(limit) => {
            desk.truncated(count, limit);
            iter.truncate(limit as u64);
            0
        }
        Op::Reexpand(by) => or_errno(iter.reexpand(desk.expanded(count, by)).map(|()| 0)),
        Op::Npages(max) => iter.npages(max),
        Op::Alignment => iter.alignment(),
        Op::IsAligned(address, len) => usize::from(iter.is_aligned(address as usize, len as usize)),
        Op::GapAlignment => iter.gap_alignment(),
        Op::SingleSegment => iter.first_segment_len(),
        Op::GetPages(size, max) => {
            let mut pages = InlineVec::<HeldPage<'_, KernelPage>, 16>::new();
            let range = iter.get_pages(size, max, &mut pages);
            for (page, _) in pages.iter().filter_map(HeldPage::page) {
                found.number(page.as_ptr() as u64);
            }
            if let Ok(PageRange { offset, len: 1.., .. }) = range {
                found.number(offset as u64);
            }
            or_errno(range.map(|range| range.len))
        }
        Op::ExtractPages(size, max) => {
            // The kernel ends with the segment. The crate goes on in the next where page follows page.
            let size = match iter {
                IovIter::BVec(_) => size.min(iter.first_segment_len()),
                _ => size,
            };
            let mut pages = InlineVec::<HeldPage<'_, KernelPage>, 16>::new();
            let range = iter.extract_pages(size, max, &mut pages);
            for page in pages.iter() {
                // The kernel tells the `struct page`, also of memory that is no page here.
                let raw = match page.page() {
                    Some((run, index)) => run.as_ptr().wrapping_byte_add(index * STRUCT_PAGE),
                    None => page.map(KernelPage::under).unwrap_or_default(),
                };
                found.number(raw as u64);
            }
            if let Ok(PageRange { offset, len: 1.., .. }) = range {
                found.number(offset as u64);
            }
            or_errno(range.map(|range| range.len))
        }
        Op::Duplicate(len) => {
            let mut storage = DupStorage::<D, Kernel, 16>::new();
            match iter.dup(&mut storage) {
                Ok(mut duplicate) => {
                    duplicate.advance(len);
                    copy = Some(state(&duplicate));
                    0
                }
                Err(error) => or_errno(Err(error)),
            }
        }
        _ => D::transfer(iter, operation, desk, &mut found),
    };
    if copies_from(operation) {
        found = desk.fingerprint();
    }
    Outcome { result: result as isize, found, state: state(iter), copy }
}

/// The number, or the negative errno, as a kernel function returns either.
pub fn or_errno(result: Result<usize, Error>) -> usize {
    result.unwrap_or_else(|error| -(error.errno() as isize) as usize)
}

/// Where an iterator stands, as the kernel would put it.
pub fn state<D: Direction>(iter: &IovIter<'_, D, Kernel>) -> State {
    let (at, listed) = match iter {
        IovIter::KVec(cursor) => (cursor.position(), cursor.list().as_slice().len()),
        IovIter::BVec(cursor) => (cursor.position(), cursor.list().len()),
        IovIter::IoVec(user) => (user.cursor().position(), user.cursor().list().len()),
        IovIter::UserBuf(user) => (user.cursor().position(), 1),
        _ => (Position::default(), 1),
    };
    State { offset: at.offset, count: iter.remaining(), segments: listed - at.index }
}
