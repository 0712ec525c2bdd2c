//! Segment lists: what the rules must know of them, and random ones in memory of the kernel.

use iov_iter::IoVec;

use super::memory::Run;
use crate::kernel::State;
use crate::random::Random;

/// The most segments of a list.
pub const MOST: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    UserBuf,
    IoVec,
    KVec,
    BVec,
    FolioQueue,
    XArray,
    Discard,
}

impl Kind {
    pub fn is_user_backed(self) -> bool {
        matches!(self, Self::UserBuf | Self::IoVec)
    }
}

/// A segment list: addresses and lengths; for pages, offsets in the run.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    pub kind: Kind,
    pub segments: &'a [IoVec],
    pub count: usize,
}

impl<'a> Shape<'a> {
    /// The segments from the current one on, and the bytes of that which are used up.
    pub fn rest(&self, state: State) -> (&'a [IoVec], usize) {
        match self.kind {
            Kind::UserBuf => (self.segments, state.offset),
            _ => {
                let index = self.segments.len().saturating_sub(state.segments);
                (self.segments.get(index..).unwrap_or_default(), state.offset)
            }
        }
    }

    /// The same place, behind all empty segments.
    pub fn canonical(&self, state: State) -> State {
        let empties = self.rest(state).0.iter().take_while(|segment| segment.len == 0).count();
        State { segments: state.segments - empties, ..state }
    }

    /// The same place in a list without the empty segments.
    pub fn dense(&self, state: State) -> State {
        State { segments: state.segments - self.empties(state).count(), ..state }
    }

    /// The empty segments from the current one on.
    pub fn empties(&self, state: State) -> impl Iterator<Item = &'a IoVec> {
        self.rest(state).0.iter().filter(|segment| segment.len == 0)
    }

    /// The piece that comes next, of `len` bytes at most.
    pub fn next(&self, state: State, len: usize) -> IoVec {
        let (segments, offset) = self.rest(state);
        let mut pieces = segments.iter().enumerate().map(|(index, segment)| {
            let skip = if index == 0 { offset } else { 0 };
            IoVec::new(segment.base.wrapping_add(skip), segment.len.saturating_sub(skip).min(len))
        });
        pieces.find(|piece| piece.len > 0).unwrap_or_default()
    }
}

/// Ranges of a run that do not overlap, in any order: with gaps or without, empty or over the
/// bounds of pages, ending just before them or behind. Returns how many it put into `ranges`, whose
/// bases are offsets in the run.
pub fn random_ranges(random: &mut Random, run: &Run, ranges: &mut [IoVec; MOST]) -> usize {
    let most = random.below(MOST + 1);
    let (mut at, mut made) = (0, 0);
    for range in ranges.iter_mut().take(most) {
        at += match random.below(4) {
            0 => 0,
            1 => random.below(100),
            // Close to the next page.
            2 => (4096 - at % 4096 + random.below(5)).saturating_sub(2),
            _ => random.below(3) * 512,
        };
        let len = match random.below(6) {
            0 => 0,
            1 => 1 + random.below(3),
            2 => random.below(64),
            3 => random.below(700),
            4 => 4096 - at % 4096,
            _ => random.below(5000),
        };
        let len = len.min(run.len().saturating_sub(at));
        at = at.min(run.len());
        *range = IoVec::new(at, len);
        at += len;
        made += 1;
    }
    for index in (1..made).rev() {
        ranges.swap(index, random.below(index + 1));
    }
    made
}
