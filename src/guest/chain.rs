//! Descriptor chains as lists of segments.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use vm_memory::{
    GuestAddress, GuestMemory, GuestMemoryBackend, GuestMemoryRegion, MemoryRegionAddress,
    Permissions,
};

use super::ram::Ram;
use super::{STAYS_MAPPED, first_bytes};
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::UserMemory;
use crate::iov::View;
use crate::list::{InlineVec, List};
use crate::segment::{MAX_SEGMENTS, SharedVec};

/// Guest memory that stays where it is for as long as this handle exists, wherever the handle is moved.
///
/// Handles are references, `Arc` and `Rc`. No other type can be one. A `GuestMemoryAtomic` gives an `Arc`:
/// `atomic.memory().into_inner()`.
///
/// # Safety
///
/// The handle must give the same object at each call, and the object must neither move nor be borrowed
/// exclusively while the handle exists.
pub unsafe trait Snapshot: Deref<Target: GuestMemory> + sealed::Sealed {}

mod sealed {
    use super::{Arc, Rc};

    pub trait Sealed {}
    impl<M> Sealed for &M {}
    impl<M> Sealed for Arc<M> {}
    impl<M> Sealed for Rc<M> {}
}

// SAFETY: the object is borrowed.
unsafe impl<M: GuestMemory> Snapshot for &M {}
// SAFETY: the object is on the heap, and shared by all handles.
unsafe impl<M: GuestMemory> Snapshot for Arc<M> {}
// SAFETY: as above.
unsafe impl<M: GuestMemory> Snapshot for Rc<M> {}

/// One descriptor of a chain: a range of guest memory, and who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The guest's address of the first byte.
    pub address: u64,
    /// The length in bytes. The guest may have chosen any.
    pub len: u32,
    /// Whether the device writes the memory; otherwise it reads it.
    pub writable: bool,
}

/// A request of a guest: a chain of descriptors as two lists of segments, with the memory that they are in.
///
/// The segments point into this program's memory, so both lists go to a [`View`], `preadv` or io_uring as
/// they are. A descriptor that spans regions becomes one segment for each.
/// `N` segments of either direction have room in the chain; more go to the heap, which the chain keeps
/// when it is [cleared](Self::clear). Whatever a guest sends, there are at most [`MAX_SEGMENTS`].
///
/// ```
/// use std::sync::Arc;
/// use iov_iter::guest::{Chain, Descriptor};
/// use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};
///
/// let regions = [(GuestAddress(0), 0x1000), (GuestAddress(0x1000), 0x1000)];
/// let memory = Arc::new(GuestMemoryMmap::<()>::from_ranges(&regions).unwrap());
/// memory.write_slice(b"a header", GuestAddress(0xffc)).unwrap();
///
/// let mut chain = Chain::<_, 8>::new(memory.clone());
/// chain.append([
///     Descriptor { address: 0xffc, len: 8, writable: false },
///     Descriptor { address: 0x200, len: 1, writable: true },
/// ])?;
/// assert_eq!(chain.readable().segment_count(), 2);
/// let mut header = [0; 8];
/// assert_eq!(chain.readable().read_at(0, &mut header), Ok(8));
/// assert_eq!(&header, b"a header");
///
/// assert_eq!(chain.writable().write_at(0, &[7]), Ok(1));
/// // For live migration: the bytes that the device wrote.
/// chain.mark_written(0, 1);
/// assert_eq!(memory.read_obj::<u8>(GuestAddress(0x200)).unwrap(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The descriptors of `virtio-queue`, with the type of this one:
///
/// ```text
/// let descriptors = chain.map(|d| Descriptor {
///     address: d.addr().0,
///     len: d.len(),
///     writable: d.is_write_only(),
/// });
/// ```
pub struct Chain<T, const N: usize> {
    // Segments of 'static stand for memory that is mapped for as long as `memory` exists. They leave the
    // chain with the lifetime of a borrow of it.
    readable: InlineVec<SharedVec<'static, Source>, N>,
    writable: InlineVec<SharedVec<'static, Dest>, N>,
    /// The writable ranges as guest addresses.
    written: InlineVec<Range, N>,
    memory: T,
}

/// A range of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    address: usize,
    len: usize,
}

impl<T: Snapshot, const N: usize> Chain<T, N> {
    /// A chain without descriptors.
    #[must_use]
    pub const fn new(memory: T) -> Self {
        Self {
            readable: InlineVec::new(),
            writable: InlineVec::new(),
            written: InlineVec::new(),
            memory,
        }
    }

    /// The memory that the descriptors are in.
    #[must_use]
    pub const fn memory(&self) -> &T {
        &self.memory
    }

    /// What the device reads.
    #[must_use]
    pub fn readable(&self) -> View<'_, Source, crate::Shared> {
        View::new(&self.readable)
    }

    /// What the device writes.
    ///
    /// Bytes that are written through the view are not yet in the dirty bitmap; see
    /// [`mark_written`](Self::mark_written).
    #[must_use]
    pub fn writable(&self) -> View<'_, Dest, crate::Shared> {
        View::new(&self.writable)
    }

    /// Appends the segments of a descriptor.
    ///
    /// A descriptor without bytes has no segments.
    ///
    /// # Errors
    ///
    /// The chain is left as it was:
    /// - [`Error::Fault`] if a byte is not mapped, or the memory refuses this direction;
    /// - [`Error::OutOfRange`] if the range wraps around the address space, or is out of this machine's reach;
    /// - [`Error::TooManySegments`] if there would be more than [`MAX_SEGMENTS`] of a direction;
    /// - [`Error::NoMemory`] if there are more than `N` segments and the heap has no room for them;
    /// - [`Error::NoMapping`] for memory that is mapped on demand (feature `xen` of `vm-memory`).
    pub fn push(&mut self, descriptor: Descriptor) -> Result<(), Error> {
        self.append([descriptor])
    }

    /// Appends the segments of all descriptors.
    ///
    /// Descriptors without bytes are not counted: a chain of a guest must end some time.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push). The chain is left as it was, without any of the descriptors.
    pub fn append(
        &mut self,
        descriptors: impl IntoIterator<Item = Descriptor>,
    ) -> Result<(), Error> {
        let before = (self.readable.len(), self.writable.len(), self.written.len());
        let mut region = None;
        let mut descriptors = descriptors.into_iter();
        let result = descriptors.try_for_each(|descriptor| self.add(descriptor, &mut region));
        if result.is_err() {
            let (readable, writable, written) = before;
            self.readable.truncate(readable);
            self.writable.truncate(writable);
            self.written.truncate(written);
        }
        result
    }

    /// Appends the segments of a descriptor, or some of them and an error. `region` is as for [`segments`].
    fn add(&mut self, descriptor: Descriptor, region: &mut Option<Region>) -> Result<(), Error> {
        let range = Range {
            address: usize::try_from(descriptor.address).map_err(|_| Error::OutOfRange)?,
            len: usize::try_from(descriptor.len).map_err(|_| Error::OutOfRange)?,
        };
        range.address.checked_add(range.len).ok_or(Error::OutOfRange)?;
        if range.len == 0 {
            return Ok(());
        }
        if descriptor.writable {
            segments(&self.memory, range, Permissions::Write, region, &mut self.writable)?;
            self.written.try_push(range).map_err(|_| Error::NoMemory)
        } else {
            segments(&self.memory, range, Permissions::Read, region, &mut self.readable)
        }
    }

    /// Marks `len` bytes from `offset` on of the [writable](Self::writable) ones as dirty, for live
    /// migration. Bytes past their end are ignored.
    ///
    /// Call it after the bytes were written: a page that is marked before may be copied before.
    pub fn mark_written(&self, offset: usize, len: usize) {
        let (mut skip, mut left) = (offset, len);
        for range in self.written.iter() {
            if left == 0 {
                break;
            }
            let here = range.len.saturating_sub(skip).min(left);
            if here > 0 {
                // The range does not wrap.
                Ram(&*self.memory).mark_written(range.address.saturating_add(skip), here);
            }
            skip = skip.saturating_sub(range.len);
            left = left.saturating_sub(here);
        }
    }

    /// Removes all descriptors. The room for segments stays, and so does the memory.
    pub fn clear(&mut self) {
        self.readable.clear();
        self.writable.clear();
        self.written.clear();
    }

    /// Removes all descriptors and takes `memory` for the next ones. The room for segments stays.
    ///
    /// Returns the memory of the descriptors before.
    pub fn replace_memory(&mut self, memory: T) -> T {
        self.clear();
        core::mem::replace(&mut self.memory, memory)
    }
}

/// A region of guest memory, as it is mapped here.
#[derive(Clone, Copy)]
struct Region {
    /// The guest's address of the first byte.
    address: usize,
    start: *mut u8,
    len: usize,
}

impl Region {
    /// The region that has `address`, if guest addresses are those of regions: an IOMMU translates them.
    fn with<M: GuestMemory + ?Sized>(memory: &M, address: usize) -> Option<Self> {
        let region = memory.physical_memory()?.find_region(GuestAddress(address as u64))?;
        let address = usize::try_from(region.start_addr().0).ok()?;
        let len = usize::try_from(region.len()).ok()?;
        let (start, len) = first_bytes(&region.get_slice(MemoryRegionAddress(0), len).ok()?, len);
        Some(Self { address, start, len })
    }

    /// Where `range` is mapped, if the region has all of it.
    fn find(&self, range: Range) -> Option<*mut u8> {
        let offset = range.address.checked_sub(self.address)?;
        let fits = range.len <= self.len.checked_sub(offset)?;
        fits.then(|| self.start.wrapping_add(offset))
    }
}

/// Appends the segments of `range` to `list`, or some of them and an error.
///
/// `region` is the one that an earlier range was in, of the same borrow of the memory. Most requests are in
/// one, so it is looked up once for all their descriptors.
fn segments<T: Snapshot, D: Direction, const N: usize>(
    memory: &T,
    range: Range,
    access: Permissions,
    region: &mut Option<Region>,
    list: &mut InlineVec<SharedVec<'static, D>, N>,
) -> Result<(), Error> {
    if !STAYS_MAPPED {
        return Err(Error::NoMapping);
    }
    let mut push = |start, len| {
        if list.len() >= MAX_SEGMENTS {
            return Err(Error::TooManySegments);
        }
        // SAFETY: `len` bytes of guest memory, by both calls below, that no reference points into. They stay
        // mapped for as long as `memory` is borrowed, which the chain may do for as long as it keeps the
        // handle.
        let segment = unsafe { SharedVec::from_raw_parts(start, len) };
        list.try_push(segment).map_err(|_| Error::NoMemory)
    };
    let Range { address, len } = range;
    let find = |region: &Option<Region>| region.as_ref()?.find(range);
    let start = find(region).or_else(|| {
        *region = Region::with(&**memory, address);
        find(region)
    });
    if let Some(start) = start {
        return push(start, len);
    }
    let slices =
        memory.get_slices(GuestAddress(address as u64), len, access).map_err(|_| Error::Fault)?;
    let mut left = len;
    for slice in slices {
        let (start, len) = first_bytes(&slice.map_err(|_| Error::Fault)?, left);
        if len == 0 {
            break;
        }
        left = left.saturating_sub(len);
        push(start, len)?;
    }
    if left > 0 { Err(Error::Fault) } else { Ok(()) }
}

impl<T, const N: usize> fmt::Debug for Chain<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("readable", &self.readable)
            .field("writable", &self.writable)
            .finish_non_exhaustive()
    }
}
