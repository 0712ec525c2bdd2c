//! Descriptor chains.

use std::sync::Arc;

use iov_iter::guest::{Chain, Descriptor};
use iov_iter::{Dest, Error, MAX_SEGMENTS, Source};
use vm_memory::bitmap::BS;
use vm_memory::guest_memory::{GuestMemorySliceIterator, Result as MemoryResult};
use vm_memory::{GuestAddressSpace, GuestMemory, GuestMemoryAtomic, Permissions};

use super::*;

fn readable(address: usize, len: usize) -> Descriptor {
    Descriptor { address: address as u64, len: len as u32, writable: false }
}

fn writable(address: usize, len: usize) -> Descriptor {
    Descriptor { writable: true, ..readable(address, len) }
}

/// The lengths of the segments of a chain.
fn lengths<const N: usize>(chain: &Chain<&Memory, N>) -> (Vec<usize>, Vec<usize>) {
    let readable = chain.readable().pieces().map(|piece| piece.len()).collect();
    (readable, chain.writable().pieces().map(|piece| piece.len()).collect())
}

#[test]
fn a_descriptor_over_a_border_becomes_two_segments() {
    let memory = memory();
    let mut chain = Chain::<_, 4>::new(&memory);
    chain
        .append([
            readable(2 * PAGE - 10, 16),
            readable(6 * PAGE, 0),
            writable(2 * PAGE - 1, 2),
            readable(7, 1),
            writable(6 * PAGE, 2 * PAGE),
        ])
        .unwrap();
    assert_eq!(lengths(&chain), (vec![10, 6, 1], vec![1, 1, 2 * PAGE]));
    let mut header = [0; 17];
    assert_eq!(chain.readable().read_at(0, &mut header), Ok(17));
    let addresses = (2 * PAGE - 10..2 * PAGE + 6).chain([7]);
    assert_eq!(header.to_vec(), addresses.map(pattern).collect::<Vec<_>>());
    assert_eq!(chain.writable().write_at(0, &[1, 2, 3]), Ok(3));
    assert_eq!(bytes(&memory, 2 * PAGE - 1, 2), [1, 2]);
    assert_eq!(bytes(&memory, 6 * PAGE, 1), [3]);
}

#[test]
fn an_error_leaves_the_chain_as_it_was() {
    let memory = memory();
    let mut chain = Chain::<_, 4>::new(&memory);
    let good = [readable(0, 5), writable(2 * PAGE - 1, 2)];
    chain.append(good).unwrap();
    let before = lengths(&chain);
    for (bad, error) in [
        (readable(5 * PAGE, 1), Error::Fault),
        (readable(5 * PAGE - 1, 2), Error::Fault),
        (writable(8 * PAGE - 1, 2), Error::Fault),
        (writable(4 * PAGE, 3 * PAGE), Error::Fault),
        (readable(usize::MAX, 1), Error::OutOfRange),
        (readable(usize::MAX - 7, u32::MAX as usize), Error::OutOfRange),
        (writable(usize::MAX - 7, 7), Error::Fault),
    ] {
        let all = [readable(9, 1), writable(2 * PAGE - 3, 6), bad, readable(1, 1)];
        assert_eq!(chain.append(all), Err(error), "{bad:?}");
        assert_eq!(lengths(&chain), before, "{bad:?}");
        assert_eq!(chain.push(bad), Err(error), "{bad:?}");
        assert_eq!(lengths(&chain), before, "{bad:?}");
    }
    // The ranges for the bitmap are those of the descriptors that are left.
    chain.push(writable(7 * PAGE, 1)).unwrap();
    chain.mark_written(2, 1);
    assert_eq!(dirty(&memory), [7]);
}

/// Memory whose addresses are translated: they begin a page later. The guest may only read the page 3.
struct Translated(Memory);

impl GuestMemory for Translated {
    type PhysicalMemory = Memory;
    type Bitmap = AtomicBitmap;

    fn check_range(&self, _: GuestAddress, _: usize, _: Permissions) -> bool {
        panic!("a chain asks for slices, not for this")
    }

    fn get_slices<'a>(
        &'a self,
        address: GuestAddress,
        len: usize,
        access: Permissions,
    ) -> MemoryResult<impl GuestMemorySliceIterator<'a, BS<'a, AtomicBitmap>>> {
        let refused = address.0 as usize / PAGE == 3 && access == Permissions::Write;
        // The page 5 is a hole.
        let address = if refused { 5 * PAGE as u64 } else { address.0 - PAGE as u64 };
        GuestMemory::get_slices(&self.0, GuestAddress(address), len, Permissions::No)
    }
}

#[test]
fn each_range_of_memory_with_translated_addresses_is_asked_for() {
    let memory = Translated(memory());
    let mut chain = Chain::<_, 4>::new(&memory);
    chain.append([readable(PAGE, 1), readable(3 * PAGE - 1, 3), writable(2 * PAGE, 1)]).unwrap();
    let mut header = [0; 4];
    assert_eq!(chain.readable().read_at(0, &mut header), Ok(4));
    assert_eq!(header, [0, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 1].map(pattern));
    let error = chain.append([readable(3 * PAGE, 1), writable(3 * PAGE, 1)]);
    assert_eq!(error, Err(Error::Fault));
    assert_eq!([chain.readable().len(), chain.writable().len()], [4, 1]);
}

/// Memory that gives a byte less than it is asked for.
struct Short(Memory);

impl GuestMemory for Short {
    type PhysicalMemory = Memory;
    type Bitmap = AtomicBitmap;

    fn check_range(&self, _: GuestAddress, _: usize, _: Permissions) -> bool {
        true
    }

    fn get_slices<'a>(
        &'a self,
        address: GuestAddress,
        len: usize,
        access: Permissions,
    ) -> MemoryResult<impl GuestMemorySliceIterator<'a, BS<'a, AtomicBitmap>>> {
        GuestMemory::get_slices(&self.0, address, len - 1, access)
    }
}

#[test]
fn a_range_of_which_the_memory_gives_a_part_is_a_fault() {
    let memory = Short(memory());
    let mut chain = Chain::<_, 4>::new(&memory);
    for len in [1, 2, PAGE] {
        assert_eq!(chain.append([readable(PAGE, len)]), Err(Error::Fault));
        assert_eq!(chain.append([writable(2 * PAGE - 1, len)]), Err(Error::Fault));
    }
    assert_eq!([chain.readable().len(), chain.writable().len()], [0, 0]);
}

#[test]
fn a_chain_has_no_more_segments_than_a_system_call_takes() {
    let memory = memory();
    let mut chain = Chain::<_, 1>::new(&memory);
    // Those without bytes are not counted.
    let most = (0..MAX_SEGMENTS).flat_map(|at| [readable(at, 1), writable(at, 0)]);
    chain.append(most).unwrap();
    for more in [readable(0, 1), readable(2 * PAGE - 1, 2)] {
        assert_eq!(chain.push(more), Err(Error::TooManySegments));
        assert_eq!(chain.append([writable(0, 1), more]), Err(Error::TooManySegments));
    }
    let counts = (chain.readable().segment_count(), chain.writable().segment_count());
    assert_eq!(counts, (MAX_SEGMENTS, 0));
    chain.push(writable(2 * PAGE - 1, 2)).unwrap();
    // A range over a border is one segment too many.
    chain.append((2..MAX_SEGMENTS - 1).map(|_| writable(0, 1))).unwrap();
    assert_eq!(chain.push(writable(2 * PAGE - 1, 2)), Err(Error::TooManySegments));
    assert_eq!(chain.writable().segment_count(), MAX_SEGMENTS - 1);
}

#[test]
fn written_bytes_are_marked_to_the_page() {
    let ranges =
        [writable(2 * PAGE - 1, 2), writable(0, 1), writable(0, 0), writable(6 * PAGE, 2 * PAGE)];
    for (offset, len, pages) in [
        (0, 0, &[][..]),
        (0, 1, &[1]),
        (1, 1, &[2]),
        (0, 2, &[1, 2]),
        (1, 2, &[0, 2]),
        (2, 1, &[0]),
        (2, 2, &[0, 6]),
        (3, PAGE, &[6]),
        (3, PAGE + 1, &[6, 7]),
        (2 + PAGE, 2, &[6, 7]),
        (3 + 2 * PAGE - 1, 1, &[7]),
        (3 + 2 * PAGE - 1, usize::MAX, &[7]),
        (3 + 2 * PAGE, 1, &[]),
        (usize::MAX, usize::MAX, &[]),
        (0, usize::MAX, &[0, 1, 2, 6, 7]),
    ] {
        let memory = memory();
        let mut chain = Chain::<_, 1>::new(&memory);
        chain.append(ranges).unwrap();
        assert_eq!(chain.writable().fill_at(0, 9, usize::MAX), Ok(3 + 2 * PAGE));
        assert!(dirty(&memory).is_empty(), "a view marks nothing");
        chain.mark_written(offset, len);
        assert_eq!(dirty(&memory), pages, "{offset}+{len}");
    }
}

#[test]
fn a_request_in_flight_keeps_the_memory_that_is_replaced() {
    let (old, new) = (memory(), memory());
    let kept = old.clone();
    let atomic = GuestMemoryAtomic::new(old);
    let mut chain = Chain::<_, 2>::new(atomic.memory().into_inner());
    chain.append([readable(PAGE, 3), writable(2 * PAGE - 1, 2)]).unwrap();
    atomic.lock().unwrap().replace(new);

    assert_eq!(chain.writable().write_at(0, &[8, 9]), Ok(2));
    chain.mark_written(0, 2);
    assert_eq!((bytes(&kept, 2 * PAGE - 1, 2), dirty(&kept)), (vec![8, 9], vec![1, 2]));
    let now = atomic.memory();
    assert_eq!((bytes(&now, 2 * PAGE - 1, 1)[0], dirty(&now)), (pattern(2 * PAGE - 1), vec![]));

    // The chain lets go of the old memory, and nobody else has it.
    drop(kept);
    let old = chain.replace_memory(now.into_inner());
    assert_eq!(Arc::strong_count(&old), 1);
    assert_eq!((chain.readable().len(), chain.writable().len()), (0, 0));
    chain.push(writable(2 * PAGE - 1, 2)).unwrap();
    assert_eq!(chain.writable().write_at(0, &[8, 9]), Ok(2));
    assert_eq!(bytes(&atomic.memory(), 2 * PAGE - 1, 2), [8, 9]);
}

#[test]
fn another_thread_serves_a_chain() {
    let memory = Arc::new(memory());
    let mut chain = Chain::<_, 2>::new(memory.clone());
    chain.append([readable(0, 2), writable(4, 2)]).unwrap();
    let worker = std::thread::spawn(move || {
        let mut bytes = [0; 2];
        chain.readable().read_exact_at(0, &mut bytes).unwrap();
        chain.writable().write_all_at(0, &bytes).unwrap();
        chain.mark_written(0, 2);
    });
    worker.join().unwrap();
    assert_eq!((bytes(&memory, 4, 2), dirty(&memory)), (vec![pattern(0), pattern(1)], vec![0]));
}

#[test]
fn views_of_both_directions_are_what_io_calls_take() {
    let memory = memory();
    let mut chain = Chain::<_, 2>::new(&memory);
    chain.append([readable(0, 2), writable(4, 2)]).unwrap();
    let source: iov_iter::iov::View<'_, Source, iov_iter::Shared> = chain.readable();
    let dest: iov_iter::iov::View<'_, Dest, iov_iter::Shared> = chain.writable();
    let address = |at: u64| memory.get_host_address(GuestAddress(at)).unwrap().cast_const();
    assert_eq!(source.as_piece().unwrap().as_ptr(), address(0));
    assert_eq!(dest.as_piece().unwrap().as_ptr(), address(4));
}
