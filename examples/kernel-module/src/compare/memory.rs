//! The memory that both iterators work on, one after the other: filled alike, compared afterwards.

use core::ptr::NonNull;
use core::slice;

use iov_iter::{Dest, Direction, FoundPages, IovIter, Page, PageLookup, Source};

use crate::host::{CurrentTask, Kernel, KernelPage};
use crate::random::{Digest, Random};

const PAGE: usize = KernelPage::SIZE;

/// Memory that segments lie in.
pub trait Memory {
    /// Fills it with bytes that follow from the seed.
    fn fill(&mut self, seed: u64);
    /// A fingerprint of all bytes that can be read.
    fn digest(&mut self) -> Digest;
}

/// A run of pages of the kernel, which are mapped for good on this machine.
pub struct Run {
    pub page: KernelPage,
    start: NonNull<u8>,
    len: usize,
}

impl Run {
    /// `1 << order` pages; `None` if there is no memory.
    pub fn new(order: u32) -> Option<Self> {
        let page = KernelPage::alloc(order)?;
        // SAFETY: a run has a first page, and its pages stay mapped: the address is good for all of them.
        let start = unsafe { page.map(0, |start| start) }?;
        Some(Self { page, start, len: PAGE << order })
    }

    pub fn address(&self) -> usize {
        self.start.addr().get()
    }

    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the run has so many bytes as long as its handle lives, and whoever else uses them
        // borrows the run.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Memory for Run {
    fn fill(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        for word in self.bytes().as_chunks_mut::<8>().0 {
            *word = random.next().to_ne_bytes();
        }
    }

    fn digest(&mut self) -> Digest {
        let mut digest = Digest::new();
        digest.bytes(self.bytes());
        digest
    }
}

/// Folios of several sizes; each begins at a multiple of its own size.
pub struct Folios(pub [Run; Self::COUNT]);

impl Folios {
    pub const COUNT: usize = 8;

    /// `None` if there is no memory.
    pub fn new() -> Option<Self> {
        let run = Run::new;
        Some(Self([run(1)?, run(0)?, run(0)?, run(2)?, run(1)?, run(0)?, run(0)?, run(0)?]))
    }

    /// The folios as a file.
    pub fn file(&self) -> File {
        let mut start = File::START;
        File(self.0.each_ref().map(|run| {
            let found = FoundPages { start, pages: run.page.clone() };
            start += run.len() as u64;
            found
        }))
    }
}

impl Memory for Folios {
    fn fill(&mut self, seed: u64) {
        for (run, at) in self.0.iter_mut().zip(0..) {
            run.fill(seed ^ at);
        }
    }

    fn digest(&mut self) -> Digest {
        let mut digest = Digest::new();
        for run in &mut self.0 {
            digest.bytes(run.bytes());
        }
        digest
    }
}

/// [`Folios`] as pages of a file, one after the other.
pub struct File([FoundPages<KernelPage>; Folios::COUNT]);

// SAFETY: each round makes one, which stays on its thread.
unsafe impl Sync for File {}

impl File {
    /// The page of the file that the first folio begins with: the size of the largest divides it.
    pub const FIRST_PAGE: usize = 12;
    /// The position of the first byte.
    pub const START: u64 = (Self::FIRST_PAGE * PAGE) as u64;

    /// The first page of each folio.
    pub fn pages(&self) -> [&KernelPage; Folios::COUNT] {
        self.0.each_ref().map(|found| &found.pages)
    }
}

impl PageLookup<KernelPage> for File {
    fn find(&self, position: u64) -> Option<FoundPages<KernelPage>> {
        self.0.iter().rev().find(|found| found.start <= position).cloned()
    }
}

/// `len` bytes at `address` of the calling process.
pub fn user<D: Direction>(address: usize, len: usize) -> IovIter<'static, D, Kernel> {
    IovIter::ubuf(CurrentTask::new(), address, len)
}

/// Memory of the calling process, in which pages may be missing or not writable: `struct
/// ioviter_arena`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Arena {
    pub base: u64,
    pub pages: u64,
    readable: u64,
    writable: u64,
}

impl Arena {
    /// How many of `len` bytes at `address` can be accessed in front of the first that cannot.
    pub fn reach(&self, address: usize, len: usize, write: bool) -> usize {
        let mask = if write { self.writable } else { self.readable };
        let mut done = 0;
        while done < len {
            let at = address.wrapping_add(done);
            let page = at.wrapping_sub(self.base as usize) / PAGE;
            if page >= self.pages as usize || mask >> page & 1 == 0 {
                break;
            }
            done += PAGE - at % PAGE;
        }
        done.min(len)
    }

    /// The addresses of the pages in a mask.
    fn in_mask(self, mask: u64) -> impl Iterator<Item = usize> {
        let pages = (0..self.pages).filter(move |page| mask >> page & 1 == 1);
        pages.map(move |page| self.base as usize + page as usize * PAGE)
    }
}

impl Memory for Arena {
    fn fill(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        let mut chunk = [0; 512];
        for page in self.in_mask(self.writable) {
            for at in (page..page + PAGE).step_by(chunk.len()) {
                for word in chunk.as_chunks_mut::<8>().0 {
                    *word = random.next().to_ne_bytes();
                }
                // The pages of the mask are there.
                let _ = user::<Dest>(at, chunk.len()).copy_to_iter(&chunk);
            }
        }
    }

    fn digest(&mut self) -> Digest {
        let mut digest = Digest::new();
        let mut chunk = [0; 512];
        for page in self.in_mask(self.readable) {
            for at in (page..page + PAGE).step_by(chunk.len()) {
                let _ = user::<Source>(at, chunk.len()).copy_from_iter(&mut chunk);
                digest.bytes(&chunk);
            }
        }
        digest
    }
}
