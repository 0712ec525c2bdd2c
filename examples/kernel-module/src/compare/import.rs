//! `import_iovec`: arrays of segments in user memory, sound or not, imported by both.

use iov_iter::{Abi, Dest, InlineVec, IoVec, IovIter, Source};

use super::Tally;
use super::memory::{Arena, user};
use super::operation::{or_errno, state};
use crate::host::{CurrentTask, Kernel};
use crate::kernel::{KernelIter, State};
use crate::log;
use crate::random::Random;

/// The most segments that are written; the crate gets room for so many, and allocates nothing.
const MOST: usize = 20;
const MAX_COUNT: usize = IovIter::<Source, Kernel>::MAX_COUNT;
const EFAULT: isize = 14;
const EINVAL: isize = 22;

/// Rounds over arrays in an arena of the calling process.
pub fn imports(arena: &Arena, seed: u64, rounds: u64) -> Tally {
    let mut tally = Tally::default();
    let mut random = Random::new(seed);
    for _ in 0..rounds {
        let seed = random.next();
        if !one(arena, seed, &mut tally) {
            tally.failed += 1;
            log::line!("FAILED: import seed {seed}");
        }
    }
    tally
}

fn one(arena: &Arena, seed: u64, tally: &mut Tally) -> bool {
    let mut random = Random::new(seed);
    let count = match random.below(20) {
        0 => 0,
        1 => 1024 + 1 + random.below(2),
        2..8 => 1,
        _ => random.below(MOST + 1),
    };
    let address = arena.base as usize + random.below(arena.pages as usize * 4096);
    let readable = arena.reach(address, count * size_of::<IoVec>(), false);
    let sound = random.chance(60);
    for index in 0..count.min(MOST) {
        let segment = random_segment(&mut random, arena, sound);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&segment.base.to_ne_bytes());
        bytes[8..].copy_from_slice(&segment.len.to_ne_bytes());
        // What does not fit in front of a hole is not there: the import will find out.
        let _ = user::<Dest>(address + index * 16, bytes.len()).copy_to_iter(&bytes);
    }

    let by = random.below(1 << 13);
    let (theirs, mut stands) = KernelIter::import(true, address, count as u32, by);
    let mut storage = InlineVec::<IoVec, MOST>::new();
    let imported = IovIter::<Dest, Kernel>::import_iovec(
        CurrentTask::new(),
        address,
        count,
        Abi::Native,
        &mut storage,
    );
    let mut ours_stands = State::default();
    let own = or_errno(imported.map(|mut iter| {
        let total = iter.remaining();
        iter.advance(by);
        ours_stands = state(&iter);
        total
    })) as isize;

    tally.operations += 1;
    tally.short += usize::from(own < 0);
    if count == 1 {
        // The crate makes a single range of it, and has but one position to tell.
        (stands, ours_stands) = (
            State { count: stands.count, ..State::default() },
            State { count: ours_stands.count, ..State::default() },
        );
    }
    if own == theirs && stands == ours_stands {
        return true;
    }
    // A single segment that is too long is cut before its range is checked, as later kernels do.
    let cut_first = count == 1 && own == MAX_COUNT as isize && theirs == -EFAULT;
    // Of two errors the crate reports the one of the first segment that has any, as later kernels do;
    // this one reads the whole array before it looks at a length.
    let first_error = theirs == -EFAULT && own == -EINVAL && readable < count * 16;
    if !cut_first && !first_error {
        log::line!("  {count} segments, {readable} bytes of them readable");
        log::line!("  kernel {theirs} {stands:?}");
        log::line!("  crate  {own} {ours_stands:?}");
    }
    cut_first || first_error
}

/// A segment in or near the arena; an unsound one is too long, negative, or not the user's.
fn random_segment(random: &mut Random, arena: &Arena, sound: bool) -> IoVec {
    let base = arena.base as usize + random.below(arena.pages as usize * 4096);
    let len = random.below(6000);
    if sound || random.chance(70) {
        return match random.below(8) {
            0 => IoVec::new(base, 0),
            1 => IoVec::new(base, 0x7fff_0000 + random.below(1 << 17)),
            _ => IoVec::new(base, len),
        };
    }
    match random.below(4) {
        0 => IoVec::new(base, isize::MIN as usize | len),
        1 => IoVec::new(base, isize::MAX as usize - len),
        2 => IoVec::new(isize::MIN as usize | base, len),
        _ => IoVec::new(base, 0x7fff_ffff_f000 - base + random.below(3) * 0x1000),
    }
}
