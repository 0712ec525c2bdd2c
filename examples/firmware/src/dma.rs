//! Memory that the device shares: addresses are what they are, since virtual is physical.

use core::ptr::NonNull;

use static_cell::ConstStaticCell;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// A page for the rings of a queue.
#[repr(C, align(4096))]
struct Page([u8; PAGE_SIZE]);

/// One page for descriptors and requests, one for answers: what the queue of one disk takes.
static PAGES: [ConstStaticCell<Page>; 2] =
    [const { ConstStaticCell::new(Page([0; PAGE_SIZE])) }; 2];

/// A machine whose devices see memory where the processor does.
pub struct Identity;

// SAFETY: each static page is aligned, zero, and handed out once and for good. The tables in
// `boot` map all addresses to themselves.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let page = PAGES.iter().filter(|_| pages == 1).find_map(ConstStaticCell::try_take);
        // Address 0 says that there is none left.
        page.map_or((0, NonNull::dangling()), |page| {
            let page = NonNull::from(page).cast::<u8>();
            (address(page), page)
        })
    }

    unsafe fn dma_dealloc(_address: PhysAddr, _page: NonNull<u8>, _pages: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(_address: PhysAddr, _size: usize) -> NonNull<u8> {
        unreachable!("only devices on a PCI bus have registers that must be mapped")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        address(buffer.cast())
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

/// The address under which a device finds the memory, and may change it from now on.
fn address(memory: NonNull<u8>) -> PhysAddr {
    memory.as_ptr().expose_provenance() as PhysAddr
}
