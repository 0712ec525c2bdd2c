//! Guests of `vm-memory`: regions, borders, holes, dirty pages, and memory that is replaced.
#![cfg(all(feature = "vm-memory-v0.18", not(miri)))]

mod chain;
mod ram;

use vm_memory::bitmap::{AtomicBitmap, Bitmap};
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, MmapRegion,
};

type Memory = GuestMemoryMmap<AtomicBitmap>;

const PAGE: usize = 0x1000;

/// Two regions that touch, a hole of a page, and one more region; pages 0 to 7 without 5.
fn memory() -> Memory {
    let regions = [(0, 2 * PAGE), (2 * PAGE, 3 * PAGE), (6 * PAGE, 2 * PAGE)]
        .map(|(start, len)| (GuestAddress(start as u64), len));
    let memory = Memory::from_ranges(&regions).unwrap();
    for (start, len) in regions {
        let bytes: Vec<u8> = (0..len).map(|at| pattern(start.0 as usize + at)).collect();
        memory.write_slice(&bytes, start).unwrap();
    }
    clean(&memory);
    memory
}

/// The byte at an address before anything is written.
fn pattern(address: usize) -> u8 {
    (address % 251) as u8
}

fn bytes(memory: &Memory, address: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    memory.read_slice(&mut bytes, GuestAddress(address as u64)).unwrap();
    bytes
}

fn clean(memory: &Memory) {
    memory.iter().for_each(|region| MmapRegion::bitmap(region).reset());
}

/// The numbers of the pages that are marked.
fn dirty(memory: &Memory) -> Vec<usize> {
    let pages = memory.iter().flat_map(|region| {
        let start = region.start_addr().0 as usize;
        (0..region.len() as usize)
            .step_by(PAGE)
            .filter(|at| region.bitmap().dirty_at(*at))
            .map(move |at| (start + at) / PAGE)
    });
    pages.collect()
}
