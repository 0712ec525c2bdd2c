//! Memory laid out for a test: segments of any kind, gaps between them, faults in them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use iov_iter::segment::{Chain, ChainNode};
use iov_iter::{
    BioVec, Dest, Direction, FoundPages, IoVec, KVec, Page, PageLookup, SharedVec, Source, Uniform,
};

use super::flat::{Byte, Flat, Nature};
use super::{Iter, TestPage, UserSpace};

/// The page size: small, so that borders are everywhere.
pub const P: usize = 16;
/// What gaps are filled with.
const FILLER: u8 = 0xee;
/// Where user memory begins.
pub const BASE: usize = 0x1000;
/// Pages of user memory in one physical run.
pub const USER_RUN: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    UserBuf,
    IoVec,
    KVec,
    BVec,
    Uniform,
    Shared,
    IoVecChain,
    KVecChain,
    SharedChain,
    BVecChain,
    Lookup,
    Discard,
}

impl Shape {
    pub const ALL: [Self; 12] = [
        Self::UserBuf,
        Self::IoVec,
        Self::KVec,
        Self::BVec,
        Self::Uniform,
        Self::Shared,
        Self::IoVecChain,
        Self::KVecChain,
        Self::SharedChain,
        Self::BVecChain,
        Self::Lookup,
        Self::Discard,
    ];
    /// What a source can be.
    pub const SOURCES: &[Self] = Self::ALL.split_at(11).0;

    /// Lists in which any segment may be empty.
    pub const WITH_EMPTY: &[Self] = &[
        Self::IoVec,
        Self::KVec,
        Self::Shared,
        Self::BVec,
        Self::IoVecChain,
        Self::KVecChain,
        Self::SharedChain,
        Self::BVecChain,
    ];

    const fn is_addressable(self) -> bool {
        matches!(self.of_segments(), Self::KVec | Self::Shared)
    }

    /// The shape of a list of the same segments.
    const fn of_segments(self) -> Self {
        match self {
            Self::IoVecChain => Self::IoVec,
            Self::KVecChain => Self::KVec,
            Self::SharedChain => Self::Shared,
            Self::BVecChain => Self::BVec,
            list => list,
        }
    }
}

/// A layout.
#[derive(Clone, Debug)]
pub struct Scene {
    pub shape: Shape,
    /// Gap before each segment, and its length.
    pub segments: Vec<(usize, usize)>,
    /// Bytes at the end of the segments that the count leaves out.
    pub spare: usize,
    /// Flat positions that fault, for user memory.
    pub bad: Vec<usize>,
    /// User pages, counted from the first, that are not resident.
    pub absent: Vec<usize>,
}

/// Segments of addressable memory, of which the shape takes one kind.
pub struct Lists<'a, D: Direction> {
    kvecs: Vec<KVec<'a, D>>,
    shared: Vec<SharedVec<'a, D>>,
}

impl<'a, D: Direction> Lists<'a, D> {
    fn new(shape: Shape, segments: impl Iterator<Item = KVec<'a, D>>) -> Self {
        let (mut kvecs, mut shared) = (Vec::new(), Vec::new());
        match shape.of_segments() {
            Shape::Shared => shared.extend(segments.map(SharedVec::from)),
            _ => kvecs.extend(segments),
        }
        Self { kvecs, shared }
    }
}

/// The address of the segments that a chain is of, its first node, and all nodes.
type Nodes = (usize, *const (), *mut [ChainNode<'static, ()>]);

/// The chains of a memory.
///
/// Chains borrow their nodes, and are made again for the same segments.
#[derive(Default)]
struct Chains(RefCell<Vec<Nodes>>);

/// Runs of pages, one after the other in a file from a page border far inside on.
#[derive(Default)]
struct TestFile {
    runs: Vec<FoundPages<TestPage<P>>>,
    /// Where the first byte of the segments is.
    start: u64,
}

// SAFETY: tests with pages have one thread.
unsafe impl Sync for TestFile {}

impl TestFile {
    /// Appends a run, of which the segments begin `gap` bytes in.
    fn start(&mut self, run: &TestPage<P>, gap: usize) {
        let end =
            |last: &FoundPages<TestPage<P>>| last.start + (last.pages.run_length() * P) as u64;
        let start = self.runs.last().map_or(1 << 40, end);
        if self.runs.is_empty() {
            self.start = start + gap as u64;
        }
        self.runs.push(FoundPages { start, pages: run.clone() });
    }
}

impl PageLookup<TestPage<P>> for TestFile {
    fn find(&self, position: u64) -> Option<FoundPages<TestPage<P>>> {
        // The last one that begins before also where it is too short: the caller must see that.
        self.runs.iter().rfind(|run| run.start <= position).cloned()
    }
}

/// The memory of a scene.
pub struct Memory {
    pub space: UserSpace<P>,
    pub runs: Vec<TestPage<P>>,
    pub iovecs: Vec<IoVec>,
    pub bvecs: Vec<BioVec<TestPage<P>>>,
    shape: Shape,
    count: usize,
    /// Pages of user memory.
    pages: usize,
    /// For each flat byte, where it is in the image.
    places: Vec<usize>,
    chains: Chains,
    lookup: TestFile,
}

impl Scene {
    /// The scene's segments as its shape allows them.
    fn shaped(&self) -> Vec<(usize, usize)> {
        let mut segments = self.segments.clone();
        match self.shape {
            Shape::UserBuf | Shape::Discard => {
                let gap = segments.first().map_or(0, |(gap, _)| *gap);
                let len = segments.iter().map(|(_, len)| len).sum::<usize>();
                // The count is the length of the only segment.
                segments = vec![(gap, len.saturating_sub(self.spare))];
            }
            Shape::Lookup => {
                // Each run is used up to its end, and the next one begins with its first byte.
                let last = segments.len().saturating_sub(1);
                for (index, (gap, len)) in segments.iter_mut().enumerate() {
                    *gap = if index == 0 { *gap % P } else { 0 };
                    *len = match index {
                        _ if index == last => (*len).max(1),
                        _ => (*gap + *len).div_ceil(P).max(1) * P - *gap,
                    };
                }
                // What the count leaves out is not told from what is not there.
                let mut spare = self.spare;
                while let Some((_, len)) = segments.last_mut() {
                    if spare < *len {
                        *len -= spare;
                        break;
                    }
                    spare -= *len;
                    segments.pop();
                }
            }
            Shape::Uniform => {
                let each = segments.get(1).map_or(1, |(_, len)| (*len).max(1));
                let last = segments.len().saturating_sub(1);
                for (index, (_, len)) in segments.iter_mut().enumerate().skip(1) {
                    *len = if index < last { each } else { (*len).clamp(1, each) };
                }
            }
            _ => {}
        }
        segments
    }

    /// Lays the memory out; the buffer is for addressable memory only.
    pub fn build(&self) -> (Memory, Vec<u8>, Flat) {
        let segments = self.shaped();
        let total = segments.iter().map(|(_, len)| len).sum::<usize>();
        let count = match self.shape {
            Shape::UserBuf | Shape::Discard | Shape::Lookup => total,
            _ => total.saturating_sub(self.spare),
        };
        let mut memory = Memory {
            space: UserSpace::new(),
            runs: Vec::new(),
            iovecs: Vec::new(),
            bvecs: Vec::new(),
            shape: self.shape,
            count,
            pages: 0,
            places: Vec::new(),
            chains: Chains::default(),
            lookup: TestFile::default(),
        };
        let end = segments.iter().map(|(gap, len)| gap + len).sum::<usize>();
        let mut buffer = Vec::new();
        if self.shape.is_addressable() {
            buffer = vec![0; end + 8];
        }
        let (mut bytes, mut filled) = (Vec::with_capacity(total), Vec::new());
        let mut image = 0;
        for (segment, (gap, len)) in segments.iter().copied().enumerate() {
            let first = match self.shape.of_segments() {
                Shape::UserBuf | Shape::IoVec => {
                    memory.iovecs.push(IoVec::new(BASE + image + gap, len));
                    BASE + image + gap
                }
                Shape::BVec | Shape::Uniform => {
                    let run = TestPage::run((gap + len) / P + 1);
                    memory.bvecs.push(BioVec::new(run.clone(), gap as u32, len as u32).unwrap());
                    memory.runs.push(run);
                    gap
                }
                Shape::Lookup => {
                    let run = TestPage::run((gap + len).div_ceil(P));
                    memory.lookup.start(&run, gap);
                    memory.runs.push(run);
                    gap
                }
                Shape::KVec | Shape::Shared => buffer.as_ptr().addr() + image + gap,
                _ => 0,
            };
            if len > 0 {
                filled.push(bytes.len()..bytes.len() + len);
            }
            for at in 0..len {
                memory.places.push(image + gap + at);
                let value = Some((bytes.len() * 7 + 1) as u8);
                bytes.push(Byte { value, address: first + at, segment, bad: false });
            }
            image += match self.shape.of_segments() {
                Shape::BVec | Shape::Uniform | Shape::Lookup => {
                    memory.runs[segment].run_length() * P
                }
                _ => gap + len,
            };
        }
        let mut flat = Flat {
            bytes,
            segments: filled,
            nature: match self.shape.of_segments() {
                Shape::UserBuf | Shape::IoVec => Nature::User,
                Shape::KVec | Shape::Shared => Nature::Kernel,
                Shape::BVec | Shape::Uniform | Shape::Lookup => Nature::Pages,
                _ => Nature::Nothing,
            },
            page: P,
            absent: BTreeSet::new(),
            at: 0,
            count,
            cut: 0,
        };
        if flat.nature == Nature::User {
            memory.pages = end / P + 2;
            for first in (0..memory.pages).step_by(USER_RUN) {
                let pages = USER_RUN.min(memory.pages - first);
                memory.space.add_run(BASE + first * P, pages);
            }
            for bad in self.bad.iter().filter(|_| total > 0) {
                let byte = &mut flat.bytes[bad % total];
                byte.bad = true;
                memory.space.make_bad(byte.address..byte.address + 1);
            }
            for absent in &self.absent {
                memory.space.set_resident(BASE + absent % memory.pages * P, false);
            }
            flat.absent = memory.space.absent();
        }
        memory.set_image(&mut buffer, &flat);
        (memory, buffer, flat)
    }
}

impl Memory {
    /// Stores what the model says, and the filler in the gaps.
    fn set_image(&self, buffer: &mut [u8], flat: &Flat) {
        let len = match flat.nature {
            Nature::User => self.pages * P,
            Nature::Kernel => buffer.len(),
            Nature::Pages => self.runs.iter().map(|run| run.run_length() * P).sum(),
            Nature::Nothing => return,
        };
        let mut image = vec![FILLER; len];
        for (place, byte) in self.places.iter().zip(&flat.bytes) {
            image[*place] = byte.value.unwrap();
        }
        match flat.nature {
            Nature::User => self.space.poke(BASE, &image),
            Nature::Kernel => buffer.copy_from_slice(&image),
            _ => {
                let mut rest = &image[..];
                for run in &self.runs {
                    let (bytes, others) = rest.split_at(run.run_length() * P);
                    run.fill(0, bytes);
                    rest = others;
                }
            }
        }
    }

    /// Checks that memory holds what the model says, and that the gaps are untouched.
    pub fn check_image(&self, buffer: &[u8], flat: &Flat) {
        let image = match flat.nature {
            Nature::User => self.space.peek(BASE, self.pages * P),
            Nature::Kernel => buffer.to_vec(),
            Nature::Pages => self.runs.iter().flat_map(TestPage::all_bytes).collect(),
            Nature::Nothing => return,
        };
        let mut expected = vec![FILLER; image.len()];
        for (place, byte) in self.places.iter().zip(&flat.bytes) {
            expected[*place] = byte.value.unwrap_or(image[*place]);
        }
        assert_eq!(image, expected, "memory differs from the model");
    }

    /// References and pins that others hold.
    pub fn held(&self) -> (usize, usize) {
        let mut held = self.space.held();
        for run in &self.runs {
            let (references, pins) = run.held();
            // The list of runs and the segment hold the first page.
            held = (held.0 + references - 2, held.1 + pins);
        }
        held
    }

    /// Addressable segments to read.
    pub fn sources<'a>(&self, buffer: &'a [u8], flat: &Flat, scene: &Scene) -> Lists<'a, Source> {
        let ranges = self.ranges(flat, scene);
        Lists::new(self.shape, ranges.map(|range| KVec::from(&buffer[range])))
    }

    /// Addressable segments to write.
    pub fn dests<'a>(&self, buffer: &'a mut [u8], flat: &Flat, scene: &Scene) -> Lists<'a, Dest> {
        let mut rest = buffer;
        let mut taken = 0;
        let mut segments = Vec::new();
        for range in self.ranges(flat, scene) {
            let (_, after) = rest.split_at_mut(range.start - taken);
            let (segment, after) = after.split_at_mut(range.len());
            (rest, taken) = (after, range.end);
            segments.push(KVec::from(segment));
        }
        Lists::new(self.shape, segments.into_iter())
    }

    fn ranges(&self, flat: &Flat, scene: &Scene) -> impl Iterator<Item = std::ops::Range<usize>> {
        let segments = match flat.nature {
            Nature::Kernel => scene.segments.clone(),
            _ => Vec::new(),
        };
        let mut at = 0;
        segments.into_iter().map(move |(gap, len)| {
            at += gap + len;
            at - len..at
        })
    }

    /// The iterator for reading.
    pub fn source<'a>(&'a self, lists: &'a Lists<'a, Source>) -> Iter<'a, Source, P> {
        match self.shape {
            Shape::KVec => Iter::kvec(&lists.kvecs, self.count).unwrap(),
            Shape::Shared => Iter::shared(&lists.shared, self.count).unwrap(),
            Shape::KVecChain => Iter::kvec_chain(self.chain(&lists.kvecs), self.count),
            Shape::SharedChain => Iter::shared_chain(self.chain(&lists.shared), self.count),
            _ => self.user_or_pages().expect("nothing cannot be read"),
        }
    }

    /// The iterator for writing.
    pub fn dest<'a>(&'a self, lists: &'a Lists<'a, Dest>) -> Iter<'a, Dest, P> {
        match self.shape {
            Shape::KVec => Iter::kvec(&lists.kvecs, self.count).unwrap(),
            Shape::Shared => Iter::shared(&lists.shared, self.count).unwrap(),
            Shape::KVecChain => Iter::kvec_chain(self.chain(&lists.kvecs), self.count),
            Shape::SharedChain => Iter::shared_chain(self.chain(&lists.shared), self.count),
            Shape::Discard => Iter::discard(self.count),
            _ => self.user_or_pages().expect("user memory or pages"),
        }
    }

    fn user_or_pages<D: iov_iter::Direction>(&self) -> Option<Iter<'_, D, P>> {
        Some(match self.shape {
            Shape::UserBuf => {
                let IoVec { base, .. } = self.iovecs[0];
                Iter::ubuf(&self.space, base, self.count)
            }
            Shape::IoVec => Iter::iovec(&self.space, &self.iovecs, self.count).unwrap(),
            Shape::BVec => Iter::bvec(&self.bvecs, self.count).unwrap(),
            Shape::Uniform => {
                let uniform = Uniform::new(&self.bvecs).expect("laid out to be uniform");
                Iter::uniform(uniform, self.count).unwrap()
            }
            Shape::IoVecChain => {
                Iter::iovec_chain(&self.space, self.chain(&self.iovecs), self.count)
            }
            Shape::Lookup => Iter::lookup(&self.lookup, self.lookup.start, self.count),
            Shape::BVecChain => Iter::bvec_chain(self.chain(&self.bvecs), self.count),
            _ => return None,
        })
    }

    /// The same chain of nodes of these segments each time, with nodes of none between them.
    fn chain<'a, S>(&'a self, segments: &'a [S]) -> Chain<'a, S> {
        let key = segments.as_ptr().addr();
        let known = self.chains.borrow().iter().find(|(of, _, _)| *of == key).map(|found| found.1);
        let chain = known.unwrap_or_else(|| {
            let takes = [0, 2, 1, 0, 0, 3, 1, 1, 2, 99, 0];
            let mut nodes = Vec::with_capacity(takes.len());
            let mut rest = segments;
            for take in takes {
                let (these, others) = rest.split_at(rest.len().min(take));
                nodes.push(ChainNode::new(these));
                rest = others;
            }
            let nodes = Box::leak(nodes.into_boxed_slice());
            let allocation = core::ptr::from_mut(nodes) as *mut [ChainNode<'static, ()>];
            let (chain, _tail) = Chain::of_nodes(nodes).unwrap();
            // SAFETY: a chain is a reference to its first node, of which only the address is kept.
            let address = unsafe { core::mem::transmute_copy::<Chain<'a, S>, *const ()>(&chain) };
            self.chains.borrow_mut().push((key, address, allocation));
            address
        });
        // SAFETY: made of the same segments, above, and kept as long as this memory is.
        unsafe { core::mem::transmute_copy::<*const (), Chain<'a, S>>(&chain) }
    }
}

impl Drop for Chains {
    fn drop(&mut self) {
        for (_, _, nodes) in self.0.get_mut() {
            // SAFETY: leaked above; a node is as large whatever its segments are, and drops nothing.
            drop(unsafe { Box::from_raw(*nodes) });
        }
    }
}

impl std::ops::Deref for Chains {
    type Target = RefCell<Vec<Nodes>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
