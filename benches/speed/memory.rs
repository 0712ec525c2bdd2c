//! Memory that all variants of a case share, and the lists of its parts.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::io::{IoSlice, IoSliceMut};

use buf_list::BufList;
use bytes::Bytes;
use iov_iter::{Direction, IoVec, KVec, SharedVec};
use vm_memory::mmap::MmapRegion;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap, VolatileSlice};

pub const PAGE: usize = 4096;

/// Page-aligned memory, accessed through raw pointers only.
pub struct Memory {
    start: *mut u8,
    layout: Layout,
}

impl Memory {
    /// `len` bytes that look random.
    pub fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len.max(1), PAGE).unwrap();
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        let memory = Self { start, layout };
        let mut random = Random(len as u64);
        for at in (0..memory.len()).step_by(8) {
            let bytes = random.next().to_ne_bytes();
            let len = bytes.len().min(memory.len() - at);
            // SAFETY: `at + len` is at most the length of the memory.
            unsafe { start.add(at).copy_from_nonoverlapping(bytes.as_ptr(), len) };
        }
        memory
    }

    pub const fn len(&self) -> usize {
        self.layout.size()
    }

    /// The address of the byte `at`.
    pub fn at(&self, at: usize) -> *mut u8 {
        assert!(at <= self.len());
        self.start.wrapping_add(at)
    }

    /// `len` bytes from `at` on.
    pub fn part(&self, at: usize, len: usize) -> Part {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len()));
        Part { base: self.at(at), len }
    }

    /// The same memory as that of a guest, from address 0 on.
    pub fn guest(&self) -> GuestMemoryMmap<()> {
        // SAFETY: the memory of a case outlives its variants; the region does not unmap it.
        let region = unsafe { MmapRegion::build_raw(self.start, self.len(), 3, 0) };
        let region = GuestRegionMmap::new(region.unwrap(), GuestAddress(0)).unwrap();
        GuestMemoryMmap::from_regions(vec![region]).unwrap()
    }

    pub fn fill(&self, value: u8) {
        // SAFETY: the memory is that long.
        unsafe { self.start.write_bytes(value, self.len()) };
    }

    /// A number that other contents would hardly have.
    pub fn digest(&self) -> u64 {
        // SAFETY: the memory is that long, initialised, and nothing writes it meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.len()) };
        bytes.chunks(8).fold(0, |digest: u64, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (digest.rotate_left(5) ^ u64::from_ne_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// Numbers that look random, and are the same each time.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One segment, laid out as `struct iovec`: so one list in memory serves all variants.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Part {
    pub base: *mut u8,
    pub len: usize,
}

/// Bytes of all parts.
pub fn total(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.len).sum()
}

/// The parts as segments of this crate.
///
/// # Safety
///
/// The memory must live for `'a`, and no Rust reference into it may be used.
pub const unsafe fn kvecs<'a, D: Direction>(parts: &'a [Part]) -> &'a [KVec<'a, D>] {
    // SAFETY: `KVec` is laid out as `struct iovec`; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
}

/// The parts as segments that others may write.
///
/// # Safety
///
/// As for [`kvecs`].
pub const unsafe fn shared_vecs<'a, D: Direction>(parts: &'a [Part]) -> &'a [SharedVec<'a, D>] {
    // SAFETY: `SharedVec` is laid out as `struct iovec`; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
}

/// The parts as the standard library wants them for writing.
///
/// # Safety
///
/// The memory must live for `'a`, and nothing may write it meanwhile.
pub const unsafe fn io_slices<'a>(parts: &'a [Part]) -> &'a [IoSlice<'a>] {
    // SAFETY: `IoSlice` is laid out as `struct iovec`; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
}

/// The parts as the standard library wants them for reading.
///
/// # Safety
///
/// The memory must live for `'a`, and nothing else may access it meanwhile.
pub const unsafe fn io_slices_mut<'a>(parts: &'a mut [Part]) -> &'a mut [IoSliceMut<'a>] {
    // SAFETY: `IoSliceMut` is laid out as `struct iovec`; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(parts.as_mut_ptr().cast(), parts.len()) }
}

/// The part as a slice.
///
/// # Safety
///
/// The memory must live for `'a`, and nothing may write it meanwhile.
pub const unsafe fn slice<'a>(part: Part) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(part.base, part.len) }
}

/// The part as a slice that can be written.
///
/// # Safety
///
/// The memory must live for `'a`, and nothing else may access it meanwhile.
pub const unsafe fn slice_mut<'a>(part: Part) -> &'a mut [u8] {
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts_mut(part.base, part.len) }
}

/// The parts as a hypervisor holds them.
pub fn volatile_slices<'a>(parts: &[Part]) -> Vec<VolatileSlice<'a>> {
    // SAFETY: the memory of a case outlives its variants.
    parts.iter().map(|part| unsafe { VolatileSlice::new(part.base, part.len) }).collect()
}

/// The parts as a list of reference-counted buffers.
pub fn buf_list(parts: &[Part]) -> BufList {
    // SAFETY: the memory of a case outlives its variants, and nothing writes a source.
    parts.iter().map(|part| Bytes::from_static(unsafe { slice(*part) })).collect()
}

/// The parts as addresses of user memory that begins at `start`.
pub fn iovecs(parts: &[Part], start: *mut u8) -> Vec<IoVec> {
    parts.iter().map(|part| IoVec::new(part.base as usize - start as usize, part.len)).collect()
}
