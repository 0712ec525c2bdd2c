//! Channels for tests: they do as a script says and remember what was asked of them.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iov_iter::file::{Channel, ChannelError, Features, ReadChannel, Ready, WriteChannel};
use iov_iter::{Dest, Piece, Source};

/// One answer of a scripted channel.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Moves at most so many bytes.
    Move(usize),
    /// Fails.
    Fail(ChannelError),
}

pub const EIO: ChannelError = ChannelError::Os(5);
pub const BLOCK: Step = Step::Fail(ChannelError::WouldBlock);

/// Takes what is written as the script says; everything when the script has ended.
#[derive(Debug, Default)]
pub struct Recorder {
    pub steps: VecDeque<Step>,
    /// The segment lengths of every call, failed ones included.
    pub calls: Vec<Vec<usize>>,
    /// The bytes taken.
    pub bytes: Vec<u8>,
    /// What `wait` answers; `WouldBlock` if it may not wait.
    pub waits: VecDeque<Result<(), ChannelError>>,
    pub waited: usize,
    pub closed: usize,
    pub close_result: Option<ChannelError>,
    pub abandoned: Option<u64>,
}

/// A copy of the bytes of a piece.
pub fn copied(piece: Piece<'_, Source>) -> Vec<u8> {
    let mut bytes = vec![0; piece.len()];
    assert_eq!(piece.copy_to(Piece::from(&mut bytes[..])), bytes.len());
    bytes
}

impl Recorder {
    pub fn scripted(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// The bytes offered in every call.
    pub fn offered(&self) -> Vec<usize> {
        self.calls.iter().map(|call| call.iter().sum()).collect()
    }
}

impl Channel for Recorder {
    fn wait(&mut self, _ready: Ready) -> Result<(), ChannelError> {
        self.waited += 1;
        self.waits.pop_front().unwrap_or(Err(ChannelError::WouldBlock))
    }

    fn close(&mut self) -> Result<(), ChannelError> {
        self.closed += 1;
        self.close_result.map_or(Ok(()), Err)
    }

    fn abandoned(&mut self, unsent: u64) {
        self.abandoned = Some(unsent);
    }
}

impl WriteChannel for Recorder {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        assert!((1..=64).contains(&from.len()), "1 to 64 segments");
        assert!(from.iter().all(|segment| !segment.is_empty()), "none is empty");
        self.calls.push(from.iter().map(Piece::len).collect());
        let mut left = match self.steps.pop_front() {
            None => usize::MAX,
            Some(Step::Move(len)) => len,
            Some(Step::Fail(error)) => return Err(error),
        };
        let before = self.bytes.len();
        for piece in from {
            let piece = piece.slice(0, left);
            self.bytes.extend_from_slice(&copied(piece));
            left -= piece.len();
        }
        Ok(self.bytes.len() - before)
    }
}

/// Gives the bytes 0, 1, 2, ... as the script says; the end of the data when it has ended.
#[derive(Debug, Default)]
pub struct Feeder {
    pub steps: VecDeque<Step>,
    /// How much room every call had.
    pub asked: Vec<usize>,
    pub given: usize,
    pub waits: VecDeque<Result<(), ChannelError>>,
    pub waited: usize,
    pub closed: usize,
    pub close_result: Option<ChannelError>,
}

impl Feeder {
    pub fn new(lens: impl IntoIterator<Item = usize>) -> Self {
        Self::scripted(lens.into_iter().map(Step::Move))
    }

    pub fn scripted(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }
}

/// The byte at `position` of the data that a [`Feeder`] gives.
pub fn byte_at(position: usize) -> u8 {
    (position % 256) as u8
}

/// `len` bytes from `position` on of the data that a [`Feeder`] gives.
pub fn bytes_at(position: usize, len: usize) -> Vec<u8> {
    (position..position + len).map(byte_at).collect()
}

impl Channel for Feeder {
    fn features(&self) -> Features {
        Features::empty()
    }

    fn wait(&mut self, _ready: Ready) -> Result<(), ChannelError> {
        self.waited += 1;
        self.waits.pop_front().unwrap_or(Err(ChannelError::WouldBlock))
    }

    fn close(&mut self) -> Result<(), ChannelError> {
        self.closed += 1;
        self.close_result.map_or(Ok(()), Err)
    }
}

impl ReadChannel for Feeder {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        assert!(!into.is_empty(), "never called without room");
        self.asked.push(into.len());
        let len = match self.steps.pop_front() {
            None => 0,
            Some(Step::Move(len)) => {
                if len > into.len() {
                    self.steps.push_front(Step::Move(len - into.len()));
                }
                len.min(into.len())
            }
            Some(Step::Fail(error)) => return Err(error),
        };
        for byte in &mut into[..len] {
            *byte = byte_at(self.given);
            self.given += 1;
        }
        Ok(len)
    }
}

/// A channel that moves data in given portions, over and over, blocks between them, and may fail.
#[derive(Debug, Default)]
pub struct Fickle {
    /// The size of each portion; `None` blocks once.
    pub portions: Vec<Option<usize>>,
    next: usize,
    /// Fails when so many bytes were moved.
    pub fails_at: Option<usize>,
    /// What was written, or is to be read.
    pub bytes: Vec<u8>,
    /// Reads straight into scattered memory.
    pub scattered: bool,
    /// Bytes moved, for others to see.
    pub moved: Arc<AtomicUsize>,
    pub calls: usize,
}

impl Fickle {
    pub fn new(portions: &[Option<usize>], fails_at: Option<usize>) -> Self {
        Self { portions: portions.to_vec(), fails_at, ..Self::default() }
    }

    fn portion(&mut self) -> Result<usize, ChannelError> {
        self.calls += 1;
        let moved = self.moved.load(Ordering::SeqCst);
        let left = self.fails_at.map_or(usize::MAX, |at| at - moved);
        if left == 0 {
            return Err(EIO);
        }
        let portion = self.portions[self.next % self.portions.len()];
        self.next += 1;
        portion.map(|len| len.min(left)).ok_or(ChannelError::WouldBlock)
    }
}

impl Channel for Fickle {}

impl WriteChannel for Fickle {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        assert!((1..=64).contains(&from.len()) && from.iter().all(|segment| !segment.is_empty()));
        let mut left = self.portion()?;
        let before = self.bytes.len();
        for piece in from {
            let piece = piece.slice(0, left);
            let at = self.bytes.len();
            self.bytes.resize(at + piece.len(), 0);
            assert_eq!(piece.copy_to(Piece::from(&mut self.bytes[at..])), piece.len());
            left -= piece.len();
        }
        self.moved.store(self.bytes.len(), Ordering::SeqCst);
        Ok(self.bytes.len() - before)
    }
}

impl ReadChannel for Fickle {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let portion = self.portion()?;
        let moved = self.moved.load(Ordering::SeqCst);
        let rest = &self.bytes[moved..];
        let len = portion.min(rest.len()).min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.moved.store(moved + len, Ordering::SeqCst);
        Ok(len)
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        if !self.scattered {
            return Err(ChannelError::Unsupported);
        }
        assert!((1..=64).contains(&into.len()) && into.iter().all(|piece| !piece.is_empty()));
        let portion = self.portion()?;
        let moved = self.moved.load(Ordering::SeqCst);
        let rest = &self.bytes[moved..];
        let mut left = &rest[..portion.min(rest.len())];
        let given = left.len();
        for piece in into {
            left = &left[piece.copy_from(Piece::from(left))..];
        }
        self.moved.store(moved + given - left.len(), Ordering::SeqCst);
        Ok(given - left.len())
    }
}
