//! A transport that follows a script.
#![allow(dead_code, reason = "no test needs all of it")]

use std::collections::VecDeque;

use iov_iter::iov::{CallError, Stop, Transfer, VectoredRead, VectoredWrite};
use iov_iter::{Dest, Piece, Source};

/// What the next call does.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Move(usize),
    Interrupt,
    Block,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenPipe;

/// Moves what its script says; past the end of the script it moves nothing.
pub struct Scripted {
    pub script: VecDeque<Step>,
    pub limit: usize,
    pub messages: bool,
    /// The lengths that each call described.
    pub calls: Vec<Vec<usize>>,
    /// What was sent, or what is to be received.
    pub data: VecDeque<u8>,
}

impl Scripted {
    pub fn new(script: &[Step]) -> Self {
        let script = script.iter().copied().collect();
        Self { script, limit: 1024, messages: false, calls: vec![], data: VecDeque::new() }
    }

    /// The bytes that the next call moves, at most.
    fn next(&mut self, lengths: Vec<usize>) -> Result<usize, CallError<BrokenPipe>> {
        assert!(!lengths.is_empty() && lengths.len() <= self.limit);
        assert!(lengths.iter().sum::<usize>() > 0);
        self.calls.push(lengths);
        match self.script.pop_front() {
            Some(Step::Move(most)) => Ok(most),
            Some(Step::Interrupt) => Err(CallError::Interrupted),
            Some(Step::Block) => Err(CallError::WouldBlock),
            Some(Step::Fail) => Err(CallError::Failed(BrokenPipe)),
            None => Ok(0),
        }
    }
}

/// How far a transfer came, and why it ended.
pub fn ended<E>(transfer: Transfer<E>) -> (usize, Stop<E>) {
    (transfer.moved, transfer.stop)
}

/// A copy of the bytes of a piece.
pub fn bytes(piece: &Piece<'_, Source>) -> Vec<u8> {
    let mut bytes = vec![0; piece.len()];
    piece.copy_to(Piece::from(&mut bytes[..]));
    bytes
}

impl VectoredWrite for Scripted {
    type Error = BrokenPipe;

    fn max_segments(&self) -> usize {
        self.limit
    }

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<BrokenPipe>> {
        let most = self.next(segments.iter().map(|segment| segment.len()).collect())?;
        let before = self.data.len();
        self.data.extend(segments.iter().flat_map(bytes).take(most));
        Ok(self.data.len() - before)
    }

    fn keeps_messages(&self) -> bool {
        self.messages
    }
}

impl VectoredRead for Scripted {
    type Error = BrokenPipe;

    fn max_segments(&self) -> usize {
        self.limit
    }

    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<BrokenPipe>> {
        let mut left = self.next(segments.iter().map(|segment| segment.len()).collect())?;
        let mut moved = 0;
        for segment in segments {
            let len = segment.len().min(left).min(self.data.len());
            let bytes: Vec<u8> = self.data.drain(..len).collect();
            moved += segment.slice(0, len).copy_from(Piece::from(&bytes[..]));
            left -= len;
        }
        Ok(moved)
    }

    fn keeps_messages(&self) -> bool {
        self.messages
    }
}

/// What a script moves of the range of elements of these lengths, and why it stops, if a call is
/// given at most `limit` elements.
pub fn expected(
    script: &[Step],
    lengths: &[usize],
    (offset, len): (usize, usize),
    limit: usize,
) -> (usize, Stop<BrokenPipe>) {
    let full = lengths.iter().filter(|len| **len > 0);
    let ends: Vec<usize> = full
        .scan(0, |end, len| {
            *end += len;
            Some(*end)
        })
        .collect();
    // How many bytes the call that starts after `moved` bytes can describe.
    let per_call = |moved: usize| {
        let at = offset + moved;
        let last = ends.iter().filter(|end| **end > at).nth(limit - 1);
        last.map_or(offset + len, |end| (*end).min(offset + len)) - at
    };
    let mut moved = 0;
    let mut script = script.iter();
    while moved < len {
        match script.next() {
            Some(Step::Move(most)) => moved += (*most).min(per_call(moved)),
            Some(Step::Interrupt) => {}
            Some(Step::Block) => return (moved, Stop::WouldBlock),
            Some(Step::Fail) => return (moved, Stop::Failed(BrokenPipe)),
            None => return (moved, Stop::Closed),
        }
    }
    (moved, Stop::Finished)
}
