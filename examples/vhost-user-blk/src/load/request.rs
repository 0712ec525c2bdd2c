//! Requests in any layout, and what the disk should hold after each.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use virtio_bindings::{
    virtio_blk::{
        VIRTIO_BLK_S_OK, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
        VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES,
    },
    virtio_ring::VRING_DESC_F_WRITE,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// Bytes of a sector, in which the device counts.
pub const SECTOR: usize = 512;
const HEADER: usize = 16;
const ID: usize = 20;
const PAGE: u64 = 4096;

/// SplitMix64: the same seed gives the same requests, on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How a request differs from the usual one: a descriptor for the header, some for data, one for the status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Oddity {
    /// The header in two descriptors
    SplitHeader,
    /// The header and the first data in one descriptor
    JoinedHeader,
    /// The status and the last data in one descriptor
    JoinedStatus,
    /// The header and the ends of the data in descriptors of one byte
    Bytes,
    /// Descriptors without any byte between the others
    Empty,
    /// A table of the request's own
    Indirect,
    /// A descriptor that lies on both sides of a border between regions of memory
    Border,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Read,
    Write,
    Flush,
    Id,
    Discard,
    Zero,
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Self::Read => VIRTIO_BLK_T_IN,
            Self::Write => VIRTIO_BLK_T_OUT,
            Self::Flush => VIRTIO_BLK_T_FLUSH,
            Self::Id => VIRTIO_BLK_T_GET_ID,
            Self::Discard => VIRTIO_BLK_T_DISCARD,
            Self::Zero => VIRTIO_BLK_T_WRITE_ZEROES,
        }
    }
}

/// Memory of one request.
#[derive(Clone, Copy)]
pub struct Arena {
    start: u64,
    /// Bytes of each third of it: one for a table and what lies anywhere, two around a border.
    third: u64,
    border: Option<u64>,
}

impl Arena {
    /// Bytes that requests of `size` bytes in `pieces` descriptors need.
    pub fn len(size: usize, pieces: usize) -> u64 {
        3 * Self::third(size, pieces)
    }

    fn third(size: usize, pieces: usize) -> u64 {
        (size as u64 + PAGE * (pieces as u64 + 8)).next_multiple_of(PAGE)
    }

    pub fn new(start: u64, size: usize, pieces: usize) -> Self {
        Self { start, third: Self::third(size, pieces), border: None }
    }

    /// The border that this arena wants, as an address.
    pub fn border_place(&self) -> u64 {
        self.start + 2 * self.third
    }

    pub fn has_border(&mut self) {
        self.border = Some(self.border_place());
    }

    pub fn table(&self) -> GuestAddress {
        GuestAddress(self.start)
    }
}

/// A request as descriptors, `(address, length, flags)` each.
#[derive(Default)]
pub struct Request {
    pub chain: Vec<(u64, u32, u16)>,
    readable: Vec<(u64, usize)>,
    writable: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

/// Descriptors that a request of `pieces` data descriptors can have.
pub fn longest_chain(pieces: usize, oddities: &[Oddity]) -> usize {
    let usual = pieces + 2;
    let bytes = if oddities.contains(&Oddity::Bytes) { HEADER + 2 } else { 1 };
    let empty = if oddities.contains(&Oddity::Empty) { 4 } else { 0 };
    usual + bytes + empty
}

impl Request {
    /// Lays out a request: `data` bytes in `pieces` descriptors, beside the header and the status.
    pub fn lay_out(
        &mut self,
        kind: Kind,
        data: usize,
        pieces: usize,
        oddities: &[Oddity],
        arena: &Arena,
        random: &mut Random,
    ) {
        let has = |oddity| oddities.contains(&oddity);
        // The ends of the descriptors in each half, as offsets in its bytes.
        let (mut readable, mut writable) = (vec![], vec![]);
        let (into, base) = match kind {
            Kind::Read | Kind::Id => (&mut writable, 0),
            _ => (&mut readable, HEADER),
        };
        for piece in 1..=pieces {
            into.push(base + data * piece / pieces);
        }
        if has(Oddity::Bytes) && data > 1 {
            into.extend([base + 1, base + data - 1]);
        }
        readable.push(HEADER);
        if base == HEADER && data > 0 && has(Oddity::JoinedHeader) {
            readable.retain(|&end| end != HEADER);
        }
        let writable_data = if base == 0 { data } else { 0 };
        if has(Oddity::JoinedStatus) {
            writable.retain(|&end| end != writable_data);
        }
        writable.push(writable_data + 1);
        if has(Oddity::SplitHeader) {
            readable.push(1 + random.below(HEADER as u64 - 1) as usize);
        }
        if has(Oddity::Bytes) {
            readable.extend(1..HEADER);
        }
        for half in [&mut readable, &mut writable] {
            half.sort_unstable();
            half.retain(|&end| end != 0);
            half.dedup();
            if has(Oddity::Empty) {
                for _ in 0..random.below(3) {
                    // The last one is the status, which has its byte.
                    let place = random.below(half.len() as u64) as usize;
                    half.insert(place, if place == 0 { 0 } else { half[place - 1] });
                }
            }
        }
        self.place(&readable, &writable, has(Oddity::Border), arena, random);
    }

    /// Chooses an address for each descriptor.
    fn place(
        &mut self,
        readable: &[usize],
        writable: &[usize],
        border: bool,
        arena: &Arena,
        random: &mut Random,
    ) {
        self.chain.clear();
        self.readable.clear();
        self.writable.clear();
        let lens = |ends: &[usize], list: &mut Vec<(u64, usize)>| {
            let mut start = 0;
            for &end in ends {
                list.push((0, end - start));
                start = end;
            }
        };
        lens(readable, &mut self.readable);
        lens(writable, &mut self.writable);
        let count = self.readable.len() + self.writable.len();
        let crossing = arena.border.filter(|_| border).map(|at| (at, random.below(count as u64)));
        // The first page is for a table. Backwards, so that no two descriptors continue each other.
        let mut free = arena.start + PAGE;
        let pieces = self.readable.iter_mut().chain(&mut self.writable);
        for (piece, number) in pieces.rev().zip((0..count).rev()) {
            let len = piece.1 as u64;
            piece.0 = match crossing {
                Some((at, chosen)) if chosen == number as u64 && len > 1 => {
                    at - 1 - random.below(len - 1)
                }
                _ => {
                    if len >= PAGE && !border {
                        free = free.next_multiple_of(PAGE);
                    }
                    let here = free;
                    free += len + 16;
                    here
                }
            };
        }
        let write = VRING_DESC_F_WRITE as u16;
        self.chain.extend(self.readable.iter().map(|&(at, len)| (at, len as u32, 0)));
        self.chain.extend(self.writable.iter().map(|&(at, len)| (at, len as u32, write)));
    }

    /// Bytes that the device may write.
    pub fn writable_len(&self) -> usize {
        self.writable.iter().map(|piece| piece.1).sum()
    }

    /// Fills the bytes that the device reads: the header, and `data` after it.
    pub fn write_out(
        &mut self,
        memory: &GuestMemoryMmap,
        kind: Kind,
        sector: u64,
        data: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend(kind.number().to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(sector.to_le_bytes());
        data(&mut self.bytes);
        let mut rest = &self.bytes[..];
        for &(at, len) in &self.readable {
            // Without check of data just the header is written.
            let (piece, after) = rest.split_at(len.min(rest.len()));
            memory.write_slice(piece, GuestAddress(at))?;
            rest = after;
        }
        let &(at, len) = self.writable.last().expect("a status");
        Ok(memory.write_obj(0xff_u8, GuestAddress(at + len as u64 - 1))?)
    }

    /// Reads the status.
    pub fn status(&self, memory: &GuestMemoryMmap) -> Result<u8> {
        let &(at, len) = self.writable.last().expect("a status");
        Ok(memory.read_obj(GuestAddress(at + len as u64 - 1))?)
    }

    /// Reads what the device wrote, without the status.
    pub fn read_in(&mut self, memory: &GuestMemoryMmap) -> Result<&[u8]> {
        self.bytes.resize(self.writable_len(), 0);
        let mut rest = &mut self.bytes[..];
        for &(at, len) in &self.writable {
            let (piece, after) = rest.split_at_mut(len);
            memory.read_slice(piece, GuestAddress(at))?;
            rest = after;
        }
        Ok(&self.bytes[..self.bytes.len() - 1])
    }
}

/// What is known of a sector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sector {
    Unknown,
    Zero,
    Written(u64),
}

/// A part of the disk that belongs to one request at a time.
pub struct Area {
    first: u64,
    sectors: Vec<Sector>,
    generation: u64,
}

/// The 64-bit word at `offset` of the disk in this generation.
fn word(offset: u64, generation: u64) -> u64 {
    (offset ^ generation.wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn sector_bytes(sector: u64, generation: u64) -> impl Iterator<Item = [u8; 8]> {
    let offset = sector * SECTOR as u64;
    (0..SECTOR as u64 / 8).map(move |index| word(offset + 8 * index, generation).to_le_bytes())
}

impl Area {
    pub fn new(first: u64, sectors: usize) -> Self {
        Self { first, sectors: vec![Sector::Unknown; sectors], generation: 0 }
    }

    /// A random range: its first sector.
    pub fn choose(&self, sectors: usize, random: &mut Random) -> u64 {
        self.first + random.below((self.sectors.len() - sectors + 1) as u64)
    }

    fn range(&mut self, sector: u64, count: usize) -> &mut [Sector] {
        let start = (sector - self.first) as usize;
        &mut self.sectors[start..start + count]
    }

    /// Data of a write, new in each of its words; the sectors hold it from now on.
    pub fn renew(&mut self, sector: u64, count: usize, into: &mut Vec<u8>) {
        self.generation += 1;
        let generation = self.generation;
        self.range(sector, count).fill(Sector::Written(generation));
        for number in sector..sector + count as u64 {
            into.extend(sector_bytes(number, generation).flatten());
        }
    }

    pub fn zero(&mut self, sector: u64, count: usize) {
        self.range(sector, count).fill(Sector::Zero);
    }

    /// The content is the device's choice until the next write.
    pub fn discard(&mut self, sector: u64, count: usize) {
        self.range(sector, count).fill(Sector::Unknown);
    }

    /// Compares what was read with what the sectors should hold.
    pub fn compare(&mut self, sector: u64, bytes: &[u8]) -> Result<()> {
        let states = self.range(sector, bytes.len() / SECTOR).iter();
        for ((number, bytes), state) in (sector..).zip(bytes.chunks_exact(SECTOR)).zip(states) {
            let words = bytes.chunks_exact(8);
            let good = match *state {
                Sector::Unknown => true,
                Sector::Zero => bytes.iter().all(|&byte| byte == 0),
                Sector::Written(generation) => words.eq(sector_bytes(number, generation)),
            };
            ensure!(good, "sector {number} does not hold what it should: {state:?}");
        }
        Ok(())
    }
}

/// The bytes of a request of this kind that are neither header nor status.
pub fn data_len(kind: Kind, size: usize) -> usize {
    match kind {
        Kind::Read | Kind::Write => size,
        Kind::Flush => 0,
        Kind::Id => ID,
        Kind::Discard | Kind::Zero => 16,
    }
}

/// The only element of a discard or a write of zeroes.
pub fn range_element(sector: u64, count: usize, into: &mut Vec<u8>) {
    into.extend(sector.to_le_bytes());
    into.extend((count as u32).to_le_bytes());
    into.extend([0; 4]);
}

pub fn is_ok(status: u8) -> bool {
    u32::from(status) == VIRTIO_BLK_S_OK
}
