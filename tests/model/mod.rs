//! What the tests compare with: a naive model of an iterator, and a simulated machine.
//!
//! The model knows no segments while it moves: it is one string of bytes and a position. Memory
//! that can fault, pages that are counted, and poison are in [`page`] and [`user`].
#![allow(dead_code, unused_imports, reason = "every test uses another part")]
#![allow(missing_debug_implementations, reason = "a simulated machine is not printed")]

pub mod page;
pub mod user;

use std::marker::PhantomData;

use iov_iter::{Dest, Direction, Host, IovIter, Piece, Position, Source};

pub use page::{Poison, TestPage};
pub use user::{LIMIT, UserSpace};

/// The host of all tests: user memory that faults, and counted pages of `P` bytes.
pub struct TestHost<'m, const P: usize = 4096>(PhantomData<&'m ()>);

impl<'m, const P: usize> Host for TestHost<'m, P> {
    type Page = TestPage<P>;
    type User = &'m UserSpace<P>;

    fn copy_machine_check(src: Piece<'_, Source>, dst: Piece<'_, Dest>) -> usize {
        src.slice(0, page::clean_prefix(src.as_ptr(), src.len())).copy_to(dst)
    }
}

/// An iterator over memory of the test machine.
pub type Iter<'a, D, const P: usize = 4096> = IovIter<'a, D, TestHost<'a, P>>;

/// Where an iterator stands: `<seg, off, nr, count>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Index of the current segment.
    pub seg: usize,
    /// Bytes in front of the place in that segment.
    pub off: usize,
    /// Segments from the current one to the end of the list.
    pub nr: usize,
    /// Bytes left.
    pub count: usize,
}

/// `<seg, off, nr, count>`.
pub const fn at(seg: usize, off: usize, nr: usize, count: usize) -> At {
    At { seg, off, nr, count }
}

/// Where `iter` stands.
pub fn place<D: Direction, H: Host>(iter: &IovIter<'_, D, H>) -> At {
    let Position { index, offset } = match iter {
        IovIter::UserBuf(user) => user.cursor().position(),
        IovIter::IoVec(user) => user.cursor().position(),
        IovIter::KVec(cursor) => cursor.position(),
        IovIter::BVec(cursor) => cursor.position(),
        IovIter::Registered(cursor) => cursor.position(),
        IovIter::Discard(cursor) => cursor.position(),
        _ => panic!("unknown kind"),
    };
    at(index, offset, iter.segments_left(), iter.remaining())
}

/// `len` bytes in which every neighbourhood is different.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 256);
    let mut block = 0u32;
    while bytes.len() < len {
        // Blocks of 251 bytes: no power of two is a period.
        let stamp = block.to_le_bytes();
        bytes.extend((0..251u8).map(|at| at ^ stamp[usize::from(at) % 2]));
        block += 1;
    }
    bytes.truncate(len);
    bytes
}

/// The 16-bit ones'-complement sum of `bytes` in native byte order, word by word.
pub fn naive_checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| match word {
        [a, b] => u64::from(u16::from_ne_bytes([*a, *b])),
        [a] => u64::from(u16::from_ne_bytes([*a, 0])),
        _ => 0,
    });
    let mut sum = words.sum::<u64>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
