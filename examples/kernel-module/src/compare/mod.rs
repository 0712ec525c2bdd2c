//! The crate beside the kernel: random operations on random segments, done by both.
//!
//! ```text
//!              fill            operations            fill            operations
//!   memory   ───────►  kernel  ──────────►  digest  ───────►  crate  ──────────►  digest
//!                        result, state, bytes   ══ must agree ══   result, state, bytes
//! ```

mod import;
mod memory;
mod operation;
mod rules;
mod shape;

use iov_iter::segment::{Chain, ChainNode};
use iov_iter::{BioVec, Dest, InlineVec, IoVec, IovIter, KVec, List, Source};

pub use import::imports;
pub use memory::{Arena, Run};
use memory::{File, Folios, Memory};
use operation::{Desk, Operation, Outcome, Way, by_crate, by_kernel};
use shape::{Kind, MOST, Shape, random_ranges};

use crate::host::Kernel;
use crate::kernel::{FolioQueue, KernelIter, State, XArray, has_folio_queue};
use crate::log;
use crate::random::Random;

/// What was compared: `struct ioviter_tally`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Operations.
    pub operations: usize,
    /// Those that came to less than was asked for, or to an error.
    pub short: usize,
    /// Rounds that ended where the kernel counted fewer zeros than it wrote.
    pub words: usize,
    /// Rounds that ended with a difference.
    pub failed: usize,
}

/// One round: both iterators over the same memory.
struct Round<'a, D: Way> {
    shape: Shape<'a>,
    kernel: KernelIter<'a>,
    ours: IovIter<'a, D, Kernel>,
    seed: u64,
}

impl<D: Way> Round<'_, D> {
    /// Has both do the same, and compares.
    fn run(mut self, memory: &mut impl Ground, desk: &mut Desk, tally: &mut Tally) {
        const STEPS: usize = 10;
        let mut random = Random::new(self.seed);
        let steps =
            [(); STEPS].map(|()| Operation::random(&mut random, D::IS_DEST, self.shape.count));
        let steps = &steps[..1 + random.below(STEPS)];

        memory.fill(self.seed);
        desk.clear(!self.seed, self.shape.count);
        let mut theirs = [None; STEPS];
        for (operation, outcome) in steps.iter().zip(&mut theirs) {
            let before = self.kernel.state();
            if rules::can_ask(&self.shape, *operation, before) {
                let after = by_kernel(&mut self.kernel, &self.shape, *operation, desk);
                self.wipe(memory, *operation, before, &after);
                *outcome = Some((before, after));
            }
        }
        let found = memory.digest();

        memory.fill(self.seed);
        desk.clear(!self.seed, self.shape.count);
        for (operation, (before, kernel)) in
            steps.iter().zip(&theirs).filter_map(|(op, outcome)| Some((*op, (*outcome)?)))
        {
            let ours = by_crate(&mut self.ours, operation, desk);
            self.wipe(memory, operation, before, &ours);
            tally.operations += 1;
            let wanted = operation.exact_len().map_or(0, |len| len.min(before.count));
            tally.short += usize::from((ours.result as usize) < wanted);
            let agree = rules::agree(&self.shape, operation, before, &kernel, &ours);
            let exact = memory.is_exact(&self.shape, D::IS_DEST, operation, before, &ours);
            if !agree && exact && rules::counts_words(operation, &kernel, &ours) {
                // From here on they stand on different bytes.
                tally.words += 1;
                return;
            }
            if !agree || !exact {
                tally.failed += 1;
                log::line!("FAILED: {:?} seed {}: {operation:?}", self.shape.kind, self.seed);
                log::line!("  from {before:?}");
                log::line!("  kernel {kernel:?}");
                log::line!("  crate  {ours:?}");
                return;
            }
        }
        if memory.digest() != found {
            tally.failed += 1;
            log::line!("FAILED: {:?} seed {}: memory differs", self.shape.kind, self.seed);
        }
    }

    /// Where a checksum ends with a fault, nothing is said of the bytes behind: makes them alike.
    fn wipe(&self, memory: &mut impl Ground, operation: Operation, before: State, after: &Outcome) {
        if let Operation::CsumTo(len) = operation {
            let left = len.min(before.count).saturating_sub(after.result as usize);
            memory.wipe(self.shape.next(after.state, left));
        }
    }
}

/// Memory that can fault, or cannot.
trait Ground: Memory {
    fn wipe(&mut self, _range: IoVec) {}

    fn is_exact(
        &self,
        _: &Shape<'_>,
        _write: bool,
        _: Operation,
        _before: State,
        _: &Outcome,
    ) -> bool {
        true
    }
}

impl Ground for Run {}

impl Ground for Folios {}

impl Ground for Arena {
    fn wipe(&mut self, range: IoVec) {
        let mut iter =
            IovIter::<Dest, Kernel>::ubuf(crate::host::CurrentTask::new(), range.base, range.len);
        let _ = iter.zero(range.len);
    }

    fn is_exact(
        &self,
        shape: &Shape<'_>,
        write: bool,
        operation: Operation,
        before: State,
        ours: &Outcome,
    ) -> bool {
        rules::is_exact(shape, self, write, operation, before, ours)
    }
}

/// Rounds over memory of the kernel; the tally of each kind, or `None` without memory.
pub fn kernel_memory(seed: u64, rounds: u64) -> Option<[(&'static str, Tally); 5]> {
    let (mut run, mut desk, mut folios) = (Run::new(2)?, Desk::new()?, Folios::new()?);
    let mut tallies =
        ["kvec", "bvec", "discard", "xarray", "folio queue"].map(|kind| (kind, Tally::default()));
    let mut random = Random::new(seed);
    for _ in 0..rounds {
        for (kind, (_, tally)) in
            [Kind::KVec, Kind::BVec, Kind::Discard].into_iter().zip(&mut tallies)
        {
            let seed = random.next();
            if kind == Kind::Discard || seed.is_multiple_of(2) {
                one::<Dest>(kind, seed, &mut run, &mut desk, tally);
            } else {
                one::<Source>(kind, seed, &mut run, &mut desk, tally);
            }
        }
        let (seed, tally) = (random.next(), &mut tallies[3].1);
        match seed.is_multiple_of(2) {
            true => file::<Dest>(seed, &mut folios, &mut desk, tally)?,
            false => file::<Source>(seed, &mut folios, &mut desk, tally)?,
        }
        let seed = random.next();
        if has_folio_queue() {
            let tally = &mut tallies[4].1;
            match seed.is_multiple_of(2) {
                true => queue::<Dest>(seed, &mut folios, &mut desk, tally)?,
                false => queue::<Source>(seed, &mut folios, &mut desk, tally)?,
            }
        }
    }
    Some(tallies)
}

/// One round over memory of the kernel.
fn one<D: Way>(kind: Kind, seed: u64, run: &mut Run, desk: &mut Desk, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let mut ranges = [IoVec::default(); MOST];
    let made = random_ranges(&mut random, run, &mut ranges);
    let ranges = &mut ranges[..made];
    let total = ranges.iter().map(|range| range.len).sum();
    let count = if random.chance(70) { total } else { random.below(total + 1) };

    match kind {
        Kind::KVec => {
            let mut kvecs = InlineVec::<KVec<'_, D>, MOST>::new();
            for range in ranges.iter_mut() {
                // SAFETY: the ranges lie in the run and do not overlap. Both iterators use them, one
                // after the other.
                let kvec = unsafe { KVec::from_raw_parts(run.start().add(range.base), range.len) };
                let _ = kvecs.try_push(kvec);
                range.base += run.address();
            }
            let shape = Shape { kind, segments: ranges, count };
            // SAFETY: the ranges lie in the run, which outlives the round.
            let kernel = unsafe { KernelIter::kvec(D::IS_DEST, ranges, count) };
            let Ok(ours) = IovIter::kvec(&kvecs, count) else { return refused(tally) };
            Round { shape, kernel, ours, seed }.run(run, desk, tally);
        }
        Kind::BVec => {
            let mut bvecs = InlineVec::<BioVec<_>, MOST>::new();
            for range in ranges.iter_mut() {
                // From the head of the run, or from a page nearer to the segment.
                let pages = random.below(range.base.min(run.len() - 1) / 4096 + 1);
                let page = iov_iter::Page::nth(&run.page, pages);
                range.base -= pages * 4096;
                let bvec = page.map(|page| BioVec::new(page, range.base as u32, range.len as u32));
                let Some(Ok(bvec)) = bvec else { return refused(tally) };
                let _ = bvecs.try_push(bvec);
            }
            let shape = Shape { kind, segments: ranges, count };
            let kernel = KernelIter::bvec(D::IS_DEST, &bvecs, count);
            let Ok(ours) = IovIter::<D, _>::bvec(&bvecs, count) else { return refused(tally) };
            Round { shape, kernel, ours, seed }.run(run, desk, tally);
        }
        _ => {
            let shape = Shape { kind: Kind::Discard, segments: &[], count };
            let (kernel, ours) = (KernelIter::discard(count), IovIter::discard(count));
            Round::<Dest> { shape, kernel, ours, seed }.run(run, desk, tally);
        }
    }
}

/// One round over folios that are looked up by their position in a file; `None` without memory.
fn file<D: Way>(seed: u64, folios: &mut Folios, desk: &mut Desk, tally: &mut Tally) -> Option<()> {
    let mut random = Random::new(seed);
    let size = folios.0.iter().map(Run::len).sum::<usize>();
    let before = random.below(size);
    let left = size - before;
    let count = if random.chance(70) { left } else { random.below(left + 1) };

    let file = folios.file();
    let array = XArray::new(file.pages(), File::FIRST_PAGE)?;
    let position = File::START + before as u64;
    let kernel = KernelIter::xarray(D::IS_DEST, &array, position, count);
    let ours = IovIter::<D, Kernel>::lookup(&file, position, count);
    let only = [IoVec::new(before, count)];
    let shape = Shape { kind: Kind::XArray, segments: &only, count };
    Round { shape, kernel, ours, seed }.run(folios, desk, tally);
    Some(())
}

/// One round over a queue of folios, which for the crate is a chain of two nodes; `None` without memory.
fn queue<D: Way>(seed: u64, folios: &mut Folios, desk: &mut Desk, tally: &mut Tally) -> Option<()> {
    const IN_FIRST: usize = Folios::COUNT / 2;
    let mut random = Random::new(seed);
    let mut ranges = [IoVec::default(); Folios::COUNT];
    let mut bvecs = InlineVec::<BioVec<_>, { Folios::COUNT }>::new();
    for (range, run) in ranges.iter_mut().zip(&folios.0) {
        *range = IoVec::new(run.address(), run.len());
        let _ = bvecs.try_push(BioVec::new(run.page.clone(), 0, run.len() as u32).ok()?);
    }
    // Anywhere in the first node.
    let index = random.below(IN_FIRST);
    let offset = random.below(folios.0[index].len());
    let before = offset + ranges[..index].iter().map(|range| range.len).sum::<usize>();
    let left = ranges.iter().map(|range| range.len).sum::<usize>() - before;
    let count = if random.chance(70) { left } else { random.below(left + 1) };

    let pages = folios.0.each_ref().map(|run| run.page.clone());
    let nodes = FolioQueue::new(pages.each_ref(), IN_FIRST)?;
    let kernel = KernelIter::folio_queue(D::IS_DEST, &nodes, index, offset, count);
    let (first, second) = bvecs.split_at(IN_FIRST);
    let mut nodes = [ChainNode::new(&first[index..]), ChainNode::new(second)];
    let (chain, _) = Chain::of_nodes(&mut nodes)?;
    let mut ours = IovIter::<D, Kernel>::bvec_chain(chain, offset + count);
    ours.advance(offset);
    let shape = Shape { kind: Kind::FolioQueue, segments: &ranges[index..], count };
    Round { shape, kernel, ours, seed }.run(folios, desk, tally);
    Some(())
}

/// A constructor refused what it should have taken.
fn refused(tally: &mut Tally) {
    tally.failed += 1;
    log::line!("FAILED: an iterator could not be made");
}

/// One round over the memory of the calling process, whose segments the kernel has imported.
pub fn user_memory<D: Way>(
    kernel: KernelIter<'_>,
    ours: IovIter<'_, D, Kernel>,
    segments: Option<&[IoVec]>,
    base: usize,
    mut arena: Arena,
    seed: u64,
    tally: &mut Tally,
) {
    let Some(mut desk) = Desk::new() else { return refused(tally) };
    let count = ours.remaining();
    let only = [IoVec::new(base, count)];
    let (kind, segments) = segments.map_or((Kind::UserBuf, &only[..]), |all| (Kind::IoVec, all));
    let shape = Shape { kind, segments, count };
    Round { shape, kernel, ours, seed }.run(&mut arena, &mut desk, tally);
}
