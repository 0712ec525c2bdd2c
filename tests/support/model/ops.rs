//! Operations on a source and a destination, and their encoding in bytes.

use super::scene::{P, Scene, Shape};

/// Which of the two iterators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Source,
    Dest,
}

/// What an iterator of either direction can do.
#[derive(Clone, Debug)]
pub enum Move {
    Advance(usize),
    Revert(usize),
    Truncate(usize),
    /// To so many bytes more than are left.
    Reexpand(usize),
    Save,
    Restore,
    FaultIn(usize),
    /// A walk over so many bytes whose step stops after the second number.
    Walk(usize, usize),
    Dup,
    GetPages(usize, usize),
    ExtractPages(usize, usize),
    Scatter(usize, usize),
    /// At most so many bytes and segments, and the alignment mask.
    Segments(usize, usize, usize),
}

/// How to copy out of an iterator.
#[derive(Clone, Copy, Debug)]
pub enum Out {
    Plain,
    Full,
    Raw,
    Nocache,
    FullNocache,
    Flushcache,
    Checksum,
    FullChecksum,
}

/// How to copy into an iterator.
#[derive(Clone, Copy, Debug)]
pub enum In {
    Plain,
    Full,
    Hash,
    Zero,
    Checksum,
    /// With poison after so many bytes.
    MachineCheck(usize),
    /// From so many bytes into a buffer.
    FromBuffer(usize),
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    Move(Which, Move),
    CopyOut(Out, usize),
    CopyIn(In, usize),
    /// Offset in a folio, length, and whether page faults are disabled.
    PageOut(usize, usize, bool),
    PageIn(usize, usize, bool),
    /// Width in bytes and whether big-endian.
    ReadInteger(usize, bool),
    WriteInteger(usize, bool),
    NextChunk,
    Transfer(usize),
}

impl Op {
    /// The operation that four small numbers mean.
    pub fn new(code: u8, a: u8, b: u8, c: u8) -> Self {
        let (n, m) = (usize::from(a), usize::from(b));
        let which = if c & 1 == 0 { Which::Source } else { Which::Dest };
        let yes = c & 2 != 0;
        let width = 1 << (a % 5);
        let moved = |moved| Self::Move(which, moved);
        match code % 36 {
            0 => moved(Move::Advance(n)),
            1 => moved(Move::Revert(n % 32)),
            2 => moved(Move::Revert(n)),
            3 => moved(Move::Truncate(n)),
            4 => moved(Move::Reexpand(n)),
            5 => moved(Move::Save),
            6 => moved(Move::Restore),
            7 => moved(Move::FaultIn(n)),
            8 => moved(Move::Walk(n, m)),
            9 => moved(Move::Dup),
            10 => moved(Move::GetPages(n, m % 8)),
            11 => moved(Move::ExtractPages(n, m % 8)),
            12 => moved(Move::Scatter(n, m % 10)),
            13 => Self::CopyOut(Out::Plain, n),
            14 => Self::CopyOut(Out::Full, n % 64),
            15 => Self::CopyOut(Out::Raw, n),
            16 => Self::CopyOut(Out::Nocache, n),
            17 => Self::CopyOut(Out::FullNocache, n % 64),
            18 => Self::CopyOut(Out::Flushcache, n),
            19 => Self::CopyOut(Out::Checksum, n),
            20 => Self::CopyOut(Out::FullChecksum, n % 64),
            21 => Self::CopyIn(In::Plain, n),
            22 => Self::CopyIn(In::Full, n % 64),
            23 => Self::CopyIn(In::Hash, n),
            24 => Self::CopyIn(In::Zero, n),
            25 => Self::CopyIn(In::Checksum, n),
            26 => Self::CopyIn(In::MachineCheck(m), n),
            27 => Self::CopyIn(In::FromBuffer(m), n),
            28 => Self::PageOut(m % 50, n % 50, yes),
            29 => Self::PageIn(m % 50, n % 50, yes),
            30 => Self::ReadInteger(width, yes),
            31 => Self::WriteInteger(width, yes),
            32 => Self::NextChunk,
            33 => Self::Transfer(n % 40),
            34 => moved(Move::Segments(n, m % 10, [0, 1, 3, P - 1][usize::from(c >> 2) % 4])),
            _ => Self::Transfer(n),
        }
    }
}

/// Two layouts, and what to do.
#[derive(Clone, Debug)]
pub struct Case {
    pub source: Scene,
    pub dest: Scene,
    pub ops: Vec<Op>,
}

impl Case {
    /// The case that any string of bytes means.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut bytes = bytes.iter().copied();
        let source = Scene::from_bytes(&mut bytes, Shape::SOURCES);
        let dest = Scene::from_bytes(&mut bytes, &Shape::ALL);
        let mut ops = Vec::new();
        while let Some(code) = bytes.next() {
            let mut more = || bytes.next().unwrap_or(0);
            ops.push(Op::new(code, more(), more(), more()));
        }
        // More of them find no more, and each costs a look at everything.
        ops.truncate(28);
        Self { source, dest, ops }
    }
}

impl Scene {
    /// The layout, of one of these shapes, that the next bytes mean.
    pub fn from_bytes(bytes: &mut impl Iterator<Item = u8>, shapes: &[Shape]) -> Self {
        let mut next = || usize::from(bytes.next().unwrap_or(0));
        let shape = shapes[next() % shapes.len()];
        let segments = (0..next() % 9).map(|_| (next() % 40, next() % 64)).collect();
        let spare = next().saturating_sub(200);
        let bad = (0..next() % 4).map(|_| next()).collect();
        let absent = (0..next() % 6).map(|_| next()).collect();
        Self { shape, segments, spare, bad, absent }
    }
}
