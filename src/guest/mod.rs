//! Guests of `vm-memory`: their memory as a host, and descriptor chains as segments.
//!
//! ```text
//!   guest addresses     ─►  IovIter over IoVec, host Vm<T>     copies, sends and receives by address
//!   descriptor chains   ─►  Chain: two lists of SharedVec      views, preadv, io_uring
//! ```
//!
//! Both take any `GuestMemory` of `vm-memory`, with as many regions as it has, keep its dirty bitmap, and
//! return an error where an address is not mapped. What they hold is a snapshot of the memory, such as the
//! `Arc` of a `GuestMemoryAtomic`: a request that is in flight while the memory is replaced ends on the old
//! one, which stays mapped until then.
//!
//! `vm-memory` needs the standard library, so this module does, too; the rest of the crate does not.

mod chain;
mod ram;

pub use chain::{Chain, Descriptor, Snapshot};
pub use ram::{Ram, Vm};

use vm_memory::bitmap::BitmapSlice;
use vm_memory::volatile_memory::{PtrGuard, VolatileSlice};

/// Whether a pointer into guest memory is valid for as long as the slice that it is from.
///
/// With its feature `xen`, `vm-memory` maps some memory for no longer than a guard lives. A guard
/// then holds more than a pointer and a length.
const STAYS_MAPPED: bool = size_of::<PtrGuard>() == size_of::<(*mut u8, usize)>();

/// The first bytes of guest memory, at most `len`, and their number.
fn first_bytes<B: BitmapSlice>(slice: &VolatileSlice<'_, B>, len: usize) -> (*mut u8, usize) {
    let guard = slice.ptr_guard_mut();
    (guard.as_ptr(), guard.len().min(len))
}
