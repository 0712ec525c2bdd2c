//! This kernel as a [`Host`]: the memory of the current task, and `struct page`.

use core::marker::PhantomData;
use core::ptr::NonNull;

use iov_iter::{CopyFlags, Dest, Error, Host, Page, PageFlags, Piece, Source, UserMemory};

/// `struct page`, of which Rust only knows addresses.
#[repr(C)]
pub struct RawPage {
    _opaque: [u8; 0],
}

// c/host.c; those that take user addresses return the bytes they did not handle.
unsafe extern "C" {
    static ioviter_user_limit: usize;
    fn ioviter_read_user(to: *mut u8, from: usize, len: usize) -> usize;
    fn ioviter_read_user_uncached(to: *mut u8, from: usize, len: usize) -> usize;
    fn ioviter_write_user(to: usize, from: *const u8, len: usize) -> usize;
    fn ioviter_zero_user(to: usize, len: usize) -> usize;
    safe fn ioviter_pagefault_disable();
    safe fn ioviter_pagefault_enable();
    fn ioviter_get_page(page: NonNull<RawPage>);
    fn ioviter_put_page(page: NonNull<RawPage>);
    fn ioviter_unpin_page(page: NonNull<RawPage>);
    fn ioviter_page_run(page: NonNull<RawPage>) -> usize;
    safe fn ioviter_alloc_pages(order: u32) -> Option<NonNull<RawPage>>;
}

// The kernel's own, exported functions. The prefaults return the bytes they did not reach.
unsafe extern "C" {
    fn fault_in_readable(address: usize, len: usize) -> usize;
    fn fault_in_safe_writeable(address: usize, len: usize) -> usize;
    fn copy_mc_to_kernel(to: *mut u8, from: *const u8, len: usize) -> usize;
    fn get_user_pages_fast(start: usize, count: i32, flags: u32, pages: *mut *mut RawPage) -> i32;
    fn pin_user_pages_fast(start: usize, count: i32, flags: u32, pages: *mut *mut RawPage) -> i32;
}

// Also exported: where the list of all `struct page` begins, and the memory that it describes.
unsafe extern "C" {
    static vmemmap_base: usize;
    static page_offset_base: usize;
}

/// The size of a `struct page`; c/host.c checks it.
pub const STRUCT_PAGE: usize = 64;

/// This kernel.
pub enum Kernel {}

impl Host for Kernel {
    type Page = KernelPage;
    type User = CurrentTask;

    /// The kernel's iterators know no such kind.
    const SHARED: bool = false;

    fn copy_machine_check(src: Piece<'_, Source>, dst: Piece<'_, Dest>) -> usize {
        let len = src.len().min(dst.len());
        // SAFETY: the pieces are valid for reads and writes of `len` bytes; poison is what the
        // function is made for.
        len - unsafe { copy_mc_to_kernel(dst.as_mut_ptr(), src.as_ptr(), len) }
    }
}

/// The memory of the process that called into the kernel.
///
/// It means another process on another thread, so it stays on this one.
#[derive(Clone, Copy)]
pub struct CurrentTask(PhantomData<*const ()>);

impl CurrentTask {
    /// The current one; to be used until the call from user space returns.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Takes hold of pages, in portions that fit on the stack.
    fn hold(
        start: usize,
        count: usize,
        flags: PageFlags,
        take: unsafe extern "C" fn(usize, i32, u32, *mut *mut RawPage) -> i32,
        mut sink: impl FnMut(KernelPage),
    ) -> Result<usize, Error> {
        const PORTION: usize = 16;
        let mut done = 0;
        while done < count {
            let wanted = PORTION.min(count - done);
            let mut pages = [core::ptr::null_mut(); PORTION];
            let address = start + done * KernelPage::SIZE;
            // SAFETY: the kernel writes at most `wanted` pointers, for which there is room, and
            // checks the range.
            let held =
                unsafe { take(address, wanted as i32, gup_flags(flags), pages.as_mut_ptr()) };
            if held < 0 && done == 0 {
                return Err(Error::Fault);
            }
            let held = held.max(0) as usize;
            pages.iter().take(held).copied().filter_map(NonNull::new).for_each(|page| {
                // The reference, or the pin, that the kernel took is the handle's from here on.
                sink(KernelPage(page));
            });
            done += held;
            if held < wanted {
                break;
            }
        }
        Ok(done)
    }
}

/// The bytes that a copy of `len` moved, of which it left so many.
#[inline(always)]
fn moved(len: usize, left: usize) -> usize {
    if left > 0 {
        fault();
        return len - left;
    }
    len
}

/// Marks the branch that is rarely taken.
#[cold]
#[inline]
fn fault() {}

/// Runs a copy that is out of the ordinary, perhaps without faulting pages in; what it left.
#[inline(never)]
fn special(flags: CopyFlags, copy: impl FnOnce() -> usize) -> usize {
    if !flags.contains(CopyFlags::NOFAULT) {
        return copy();
    }
    ioviter_pagefault_disable();
    let left = copy();
    ioviter_pagefault_enable();
    left
}

/// The kernel's numbers for page flags.
fn gup_flags(flags: PageFlags) -> u32 {
    const FOLL_WRITE: u32 = 0x01;
    const FOLL_NOFAULT: u32 = 0x80;
    let write = if flags.contains(PageFlags::WRITE) { FOLL_WRITE } else { 0 };
    let nofault = if flags.contains(PageFlags::NOFAULT) { FOLL_NOFAULT } else { 0 };
    write | nofault
}

// SAFETY: the kernel's copies return the bytes they did not copy, write all that are in front of those, and
// nothing but bytes they have read. Handles stay on their thread; user space, which may write at the same
// time, is accessed by the kernel's assembly. Like the kernel's own iterator, this keeps no processor from
// speculating past the range check.
unsafe impl UserMemory for CurrentTask {
    type Page = KernelPage;

    #[inline(always)]
    fn access_ok(&self, address: usize, len: usize) -> bool {
        // SAFETY: it is set when the module is loaded, and never again.
        let limit = unsafe { ioviter_user_limit };
        // Two branches that are never taken cost fewer instructions than a sum that saturates.
        let end = address.wrapping_add(len);
        if end > limit {
            fault();
            return false;
        }
        end >= address
    }

    #[inline(always)]
    unsafe fn read(&self, address: usize, dst: Piece<'_, Dest>, flags: CopyFlags) -> usize {
        let (to, len) = (dst.as_mut_ptr(), dst.len());
        if flags.is_empty() {
            // SAFETY: the destination has room for `len` bytes, and the range is the user's.
            return moved(len, unsafe { ioviter_read_user(to, address, len) });
        }
        let uncached = flags.contains(CopyFlags::NON_TEMPORAL);
        len - special(flags, || match uncached {
            // SAFETY: as above.
            true => unsafe { ioviter_read_user_uncached(to, address, len) },
            // SAFETY: as above.
            false => unsafe { ioviter_read_user(to, address, len) },
        })
    }

    /// Poisoned memory is not survived here: the kernel does not export its `copy_mc_to_user`.
    #[inline(always)]
    unsafe fn write(&self, address: usize, src: Piece<'_, Source>, flags: CopyFlags) -> usize {
        let (from, len) = (src.as_ptr(), src.len());
        if flags.is_empty() {
            // SAFETY: the source has `len` bytes, and the range is the user's.
            return moved(len, unsafe { ioviter_write_user(address, from, len) });
        }
        // SAFETY: as above.
        len - special(flags, || unsafe { ioviter_write_user(address, from, len) })
    }

    unsafe fn zero(&self, address: usize, len: usize) -> usize {
        static ZEROS: [u8; 64] = [0; 64];
        // SAFETY: the range is the user's.
        let mut done = len - unsafe { ioviter_zero_user(address, len) };
        // The kernel counts words here, of which the last may have begun in front of the fault.
        while done < len {
            let zeros = Piece::from(&ZEROS[..]).slice(0, len - done);
            // SAFETY: as above.
            match unsafe { self.write(address + done, zeros, CopyFlags::empty()) } {
                0 => break,
                written => done += written,
            }
        }
        done
    }

    fn fault_in_readable(&self, address: usize, len: usize) -> usize {
        // SAFETY: it probes and copes with any address.
        len - unsafe { fault_in_readable(address, len) }
    }

    fn fault_in_writeable(&self, address: usize, len: usize) -> usize {
        // SAFETY: as above; the safe form writes nothing.
        len - unsafe { fault_in_safe_writeable(address, len) }
    }

    fn get_pages(
        &self,
        address: usize,
        count: usize,
        flags: PageFlags,
        sink: impl FnMut(KernelPage),
    ) -> Result<usize, Error> {
        Self::hold(address, count, flags, get_user_pages_fast, sink)
    }

    fn pin_pages(
        &self,
        address: usize,
        count: usize,
        flags: PageFlags,
        mut sink: impl FnMut(PinnedPage),
    ) -> Result<usize, Error> {
        Self::hold(address, count, flags, pin_user_pages_fast, |page| {
            sink(PinnedPage(core::mem::ManuallyDrop::new(page)));
        })
    }
}

/// A reference to a `struct page`, in the layout of a pointer: a [`BioVec`](iov_iter::BioVec) of it
/// is a `struct bio_vec`.
#[repr(transparent)]
pub struct KernelPage(NonNull<RawPage>);

impl KernelPage {
    /// New pages, `1 << order` of them in one run; `None` if there is no memory.
    pub fn alloc(order: u32) -> Option<Self> {
        ioviter_alloc_pages(order).map(Self)
    }

    /// Takes over a reference that the kernel gave; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// The reference must be the caller's to give away.
    pub unsafe fn from_raw(page: *mut RawPage) -> Option<Self> {
        NonNull::new(page).map(Self)
    }

    /// Takes another reference for a handle that has none of its own yet.
    fn reference(self) -> Self {
        // SAFETY: the page is alive: it belongs to a run to which there is a handle.
        unsafe { ioviter_get_page(self.0) };
        self
    }

    /// The address at which the kernel has mapped the page: its `page_address()`.
    #[inline]
    fn address(&self) -> *mut u8 {
        // SAFETY: the kernel sets them when it starts, and never again.
        let (pages, memory) = unsafe { (vmemmap_base, page_offset_base) };
        let number = (self.0.addr().get() - pages) / STRUCT_PAGE;
        core::ptr::with_exposed_provenance_mut(memory + number * Self::SIZE)
    }

    /// The address of the `struct page`.
    pub fn as_ptr(&self) -> *mut RawPage {
        self.0.as_ptr()
    }

    /// The `struct page` under an address that the kernel has mapped for good: its `virt_to_page()`.
    pub fn under(address: NonNull<u8>) -> *mut RawPage {
        // SAFETY: the kernel sets them when it starts, and never again.
        let (pages, memory) = unsafe { (vmemmap_base, page_offset_base) };
        let number = (address.addr().get() - memory) / Self::SIZE;
        core::ptr::without_provenance_mut(pages + number * STRUCT_PAGE)
    }
}

impl Clone for KernelPage {
    fn clone(&self) -> Self {
        Self(self.0).reference()
    }
}

impl Drop for KernelPage {
    fn drop(&mut self) {
        // SAFETY: the reference is this handle's to give back.
        unsafe { ioviter_put_page(self.0) };
    }
}

impl AsRef<Self> for KernelPage {
    fn as_ref(&self) -> &Self {
        self
    }
}

// SAFETY: the kernel keeps all its memory mapped, and a page stays its owner's while a reference or a
// pin is held. Handles stay on their thread.
unsafe impl Page for KernelPage {
    const SIZE: usize = 4096;
    /// Without high memory every page is mapped for good, and those of a run one behind the other.
    const CONTIGUOUS: bool = true;
    type Pin = PinnedPage;

    fn run_length(&self) -> usize {
        // SAFETY: the page is alive.
        unsafe { ioviter_page_run(self.0) }
    }

    fn nth(&self, index: usize) -> Option<Self> {
        if index >= self.run_length() {
            return None;
        }
        let page = self.0.as_ptr().wrapping_byte_add(index * STRUCT_PAGE);
        // The reference is the new handle's.
        NonNull::new(page).map(|page| Self(page).reference())
    }

    #[inline]
    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        NonNull::new(self.address().wrapping_add(index * Self::SIZE)).map(f)
    }
}

/// A pinned page of user memory.
pub struct PinnedPage(core::mem::ManuallyDrop<KernelPage>);

impl PinnedPage {
    /// Takes over a pin that the kernel gave; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// The pin must be the caller's to give away.
    pub unsafe fn from_raw(page: *mut RawPage) -> Option<Self> {
        NonNull::new(page).map(|page| Self(core::mem::ManuallyDrop::new(KernelPage(page))))
    }
}

impl AsRef<KernelPage> for PinnedPage {
    fn as_ref(&self) -> &KernelPage {
        &self.0
    }
}

impl Drop for PinnedPage {
    fn drop(&mut self) {
        // SAFETY: the pin is this handle's to give back, and a pin is no reference to be put.
        unsafe { ioviter_unpin_page(self.0.0) };
    }
}
