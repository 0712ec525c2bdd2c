//! Descriptor chains: the room inside, and the heap.
#![cfg(all(feature = "vm-memory-v0.18", not(miri)))]

use crate::allocator::with_allocations;
use iov_iter::Error;
use iov_iter::guest::{Chain, Descriptor};
use vm_memory::{GuestAddress, GuestMemoryMmap};

#[test]
fn a_chain_allocates_past_its_room_only_and_once() {
    let memory = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
    let both = [true, false].map(|writable| Descriptor { address: 8, len: 8, writable });
    let mut chain = Chain::<_, 4>::new(&memory);
    let four = || both.into_iter().cycle().take(8);
    assert_eq!(with_allocations(0, || chain.append(four())), (Ok(()), 0));
    assert_eq!(chain.readable().segment_count(), 4);

    // Whichever allocation fails, the chain is as before.
    for allocations in 0.. {
        let (result, asked) = with_allocations(allocations, || chain.append(four()));
        if result.is_ok() {
            assert!(asked > 0);
            break;
        }
        assert_eq!(result, Err(Error::NoMemory));
        assert_eq!((chain.readable().len(), chain.writable().len()), (32, 32));
        chain.mark_written(0, usize::MAX);
    }
    assert_eq!((chain.readable().len(), chain.writable().len()), (64, 64));

    // The room stays.
    chain.clear();
    let (result, asked) = with_allocations(0, || chain.append(four().chain(four())));
    assert_eq!((result, asked), (Ok(()), 0));
}
