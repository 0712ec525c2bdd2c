//! What the tests compare with: a naive model of an iterator, and a simulated machine.
//!
//! The model ([`flat`]) is one string of bytes and a position. Memory that can fault, pages that are
//! counted, and poison are in [`page`] and [`user`]; [`scene`] lays memory out at random, and [`run`]
//! runs the operations of [`ops`] on iterators and on the model.
#![allow(dead_code, unused_imports, reason = "every test uses another part")]
#![allow(missing_debug_implementations, reason = "a simulated machine is not printed")]

pub mod flat;
pub mod ops;
pub mod page;
#[path = "../pattern.rs"]
mod pattern;
pub mod run;
pub mod scene;
pub mod user;

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use iov_iter::{
    Chained, Dest, Direction, HeldPage, Host, IovIter, PageRange, Piece, Position, ScatterEntry,
    Source,
};

pub use page::{Poison, TestPage};
pub use pattern::pattern;
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
    /// Bytes before the place in that segment.
    pub off: usize,
    /// Segments from the current one to the end of the list that are not empty.
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
    let Position { index, offset, .. } = match iter {
        IovIter::UserBuf(user) => user.cursor().position(),
        IovIter::IoVec(user) => user.cursor().position(),
        IovIter::KVec(cursor) => cursor.position(),
        IovIter::Shared(cursor) => cursor.position(),
        IovIter::BVec(cursor) => cursor.position(),
        IovIter::Uniform(cursor) => cursor.position(),
        IovIter::Discard(cursor) => cursor.position(),
        IovIter::Lookup(_) => panic!("a file has no segments"),
        IovIter::Chain(Chained::IoVec(user)) => user.cursor().position(),
        IovIter::Chain(Chained::KVec(cursor)) => cursor.position(),
        IovIter::Chain(Chained::Shared(cursor)) => cursor.position(),
        IovIter::Chain(Chained::BVec(cursor)) => cursor.position(),
        _ => panic!("unknown kind"),
    };
    at(index, offset, iter.segment_count(), iter.remaining())
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

/// The bytes that a list of held pages stands for.
pub fn held_bytes<const P: usize>(
    pages: &[HeldPage<'_, TestPage<P>>],
    range: PageRange,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(range.len);
    let mut offset = range.offset;
    for page in pages {
        let len = (P - offset).min(range.len - bytes.len());
        bytes.extend(mapped_bytes(page, offset, len));
        offset = 0;
    }
    assert_eq!(bytes.len(), range.len, "the pages do not cover what was claimed");
    bytes
}

/// The bytes that an entry of a scatter list stands for.
pub fn entry_bytes<const P: usize>(entry: &ScatterEntry<'_, TestPage<P>>) -> Vec<u8> {
    match entry.page.page() {
        // An entry of pages may go on into the pages that follow.
        Some((run, index)) => run.bytes(index * P + entry.offset, entry.len),
        None => mapped_bytes(&entry.page, entry.offset, entry.len),
    }
}

pub fn mapped_bytes<const P: usize>(
    page: &HeldPage<'_, TestPage<P>>,
    offset: usize,
    len: usize,
) -> Vec<u8> {
    assert!(offset + len <= P, "not inside the page");
    page.map(|start| {
        let mut bytes = vec![0; len];
        // SAFETY: the page was listed for these bytes, so they can be read.
        unsafe { start.as_ptr().wrapping_add(offset).copy_to(bytes.as_mut_ptr(), len) };
        bytes
    })
    .expect("a held page can be mapped")
}

/// A buffer of `pages` whole pages, aligned to a page.
pub struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub fn new(pages: usize) -> Self {
        let (size, len) = (4096, pages * 4096);
        let bytes = vec![0; len + size];
        let start = bytes.as_ptr().addr().wrapping_neg() & (size - 1);
        Self { bytes, start, len }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}
