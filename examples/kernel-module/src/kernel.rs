//! The kernel's own `struct iov_iter`, to compare with.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use iov_iter::{BioVec, IoVec};

use crate::host::{KernelPage, PinnedPage, RawPage};

/// `struct iov_iter`; c/shim.h checks the size.
#[repr(C)]
#[derive(Clone, Copy)]
struct RawIter([u64; 5]);

/// Where an iterator stands: `struct iov_iter_state`.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct State {
    /// Bytes in front of it in the current segment.
    pub offset: usize,
    /// Bytes left.
    pub count: usize,
    /// Segments left, the current one included.
    pub segments: usize,
}

// Exported by the kernel. `copy_from_iter_full` and its like are not: they are inline.
unsafe extern "C" {
    fn iov_iter_kvec(i: *mut RawIter, dir: u32, segs: *const IoVec, nr: usize, count: usize);
    fn iov_iter_bvec(i: *mut RawIter, dir: u32, segs: *const c_void, nr: usize, count: usize);
    fn iov_iter_discard(i: *mut RawIter, dir: u32, count: usize);
    fn iov_iter_xarray(i: *mut RawIter, dir: u32, pages: NonNull<c_void>, start: i64, count: usize);
    fn iov_iter_init(i: *mut RawIter, dir: u32, segs: *const IoVec, nr: usize, count: usize);
    fn iov_iter_advance(i: *mut RawIter, len: usize);
    fn iov_iter_revert(i: *mut RawIter, len: usize);
    fn iov_iter_zero(len: usize, i: *mut RawIter) -> usize;
    fn iov_iter_npages(i: *const RawIter, max: i32) -> i32;
    fn iov_iter_alignment(i: *const RawIter) -> usize;
    fn iov_iter_gap_alignment(i: *const RawIter) -> usize;
    fn iov_iter_is_aligned(i: *const RawIter, address: u32, len: u32) -> bool;
    fn iov_iter_single_seg_count(i: *const RawIter) -> usize;
    fn iov_iter_get_pages2(
        i: *mut RawIter,
        pages: *mut *mut RawPage,
        size: usize,
        max: u32,
        start: *mut usize,
    ) -> isize;
    fn _copy_to_iter(from: *const u8, len: usize, i: *mut RawIter) -> usize;
    fn _copy_mc_to_iter(from: *const u8, len: usize, i: *mut RawIter) -> usize;
    fn _copy_from_iter(to: *mut u8, len: usize, i: *mut RawIter) -> usize;
    fn _copy_from_iter_nocache(to: *mut u8, len: usize, i: *mut RawIter) -> usize;
    fn _copy_from_iter_flushcache(to: *mut u8, len: usize, i: *mut RawIter) -> usize;
    fn copy_page_to_iter(p: *mut RawPage, at: usize, len: usize, i: *mut RawIter) -> usize;
    fn copy_page_from_iter(p: *mut RawPage, at: usize, len: usize, i: *mut RawIter) -> usize;
    fn copy_page_from_iter_atomic(p: *mut RawPage, at: usize, len: usize, i: *mut RawIter)
    -> usize;
    fn fault_in_iov_iter_readable(i: *const RawIter, len: usize) -> usize;
    fn fault_in_iov_iter_writeable(i: *const RawIter, len: usize) -> usize;
    fn dup_iter(new: *mut RawIter, old: *mut RawIter, gfp: u32) -> *const c_void;
    fn kfree(memory: *const c_void);
    fn import_iovec(
        dir: i32,
        array: usize,
        count: u32,
        fast: u32,
        storage: *mut *mut IoVec,
        i: *mut RawIter,
    ) -> isize;
}

// c/compare.c.
unsafe extern "C" {
    fn kernel_save_state(i: *const RawIter, state: *mut State);
    fn kernel_truncate(i: *mut RawIter, limit: u64);
    fn kernel_reexpand(i: *mut RawIter, count: usize);
    fn kernel_copy_from_iter_full(to: *mut u8, len: usize, i: *mut RawIter) -> bool;
    fn kernel_csum_and_copy_from_iter_full(
        to: *mut u8,
        len: usize,
        sum: *mut u32,
        i: *mut RawIter,
    ) -> bool;
    safe fn kernel_has_partial_checksums() -> bool;
    safe fn kernel_has_exact_uncached() -> bool;
    safe fn kernel_has_extract_pages() -> bool;
    safe fn kernel_has_folio_queue() -> bool;
    fn kernel_new_folio_queue(
        folios: *const *mut RawPage,
        nr: u32,
        in_first: u32,
    ) -> Option<NonNull<c_void>>;
    fn kernel_iter_folio_queue(
        i: *mut RawIter,
        dir: u32,
        nodes: NonNull<c_void>,
        in_first: u32,
        index: u32,
        offset: usize,
        count: usize,
    );
    fn kernel_new_xarray(
        folios: *const *mut RawPage,
        nr: u32,
        index: usize,
    ) -> Option<NonNull<c_void>>;
    fn kernel_free_xarray(array: NonNull<c_void>);
    fn kernel_extract_pages(
        i: *mut RawIter,
        pages: *mut *mut RawPage,
        size: usize,
        max: u32,
        start: *mut usize,
    ) -> isize;
    fn kernel_csum_and_copy_from_iter(
        to: *mut u8,
        len: usize,
        sum: *mut u32,
        i: *mut RawIter,
    ) -> usize;
    fn kernel_csum_and_copy_to_iter(
        from: *const u8,
        len: usize,
        folded: *mut u16,
        i: *mut RawIter,
    ) -> usize;
    safe fn kernel_csum_fold(sum: u32) -> u16;
    safe fn kernel_gfp_kernel() -> u32;
    safe fn kernel_irq_save() -> usize;
    safe fn kernel_irq_restore(flags: usize);
}

/// Whether the kernel has copies that return a sum even if they fall short.
pub fn has_partial_checksums() -> bool {
    kernel_has_partial_checksums()
}

/// Whether its non-temporal copies of user memory move every byte before a fault.
pub fn has_exact_uncached() -> bool {
    kernel_has_exact_uncached()
}

/// Whether it has `iov_iter_extract_pages()`.
pub fn has_extract_pages() -> bool {
    kernel_has_extract_pages()
}

/// Whether it has queues of folios.
pub fn has_folio_queue() -> bool {
    kernel_has_folio_queue()
}

/// The kernel's `struct folio_queue`: two nodes with folios in both.
pub struct FolioQueue<'a> {
    nodes: NonNull<c_void>,
    in_first: u32,
    _folios: PhantomData<&'a KernelPage>,
}

impl<'a> FolioQueue<'a> {
    /// A queue of these folios, so many of them in the first node; `None` without memory.
    pub fn new<const N: usize>(folios: [&'a KernelPage; N], in_first: usize) -> Option<Self> {
        let folios = folios.map(KernelPage::as_ptr);
        let in_first = in_first.min(N) as u32;
        // SAFETY: so many folios are in the array, and live for `'a`.
        let nodes = unsafe { kernel_new_folio_queue(folios.as_ptr(), N as u32, in_first) }?;
        Some(Self { nodes, in_first, _folios: PhantomData })
    }
}

impl Drop for FolioQueue<'_> {
    fn drop(&mut self) {
        // SAFETY: it was allocated, and iterators over it borrow it.
        unsafe { kfree(self.nodes.as_ptr()) };
    }
}

/// The kernel's `struct xarray`, with folios in it.
pub struct XArray<'a> {
    array: NonNull<c_void>,
    _folios: PhantomData<&'a KernelPage>,
}

impl<'a> XArray<'a> {
    /// These folios one after the other, from the page `index` of a file on, which the size of each divides;
    /// `None` without memory.
    pub fn new<const N: usize>(folios: [&'a KernelPage; N], index: usize) -> Option<Self> {
        let folios = folios.map(KernelPage::as_ptr);
        // SAFETY: so many folios are in the array, and live for `'a`.
        let array = unsafe { kernel_new_xarray(folios.as_ptr(), N as u32, index) }?;
        Some(Self { array, _folios: PhantomData })
    }
}

impl Drop for XArray<'_> {
    fn drop(&mut self) {
        // SAFETY: it was allocated, and iterators over it borrow it.
        unsafe { kernel_free_xarray(self.array) };
    }
}

/// Runs something with interrupts off.
pub fn without_interrupts<R>(f: impl FnOnce() -> R) -> R {
    let flags = kernel_irq_save();
    let result = f();
    kernel_irq_restore(flags);
    result
}

/// The kernel's iterator over segments that live for `'a`.
#[derive(Clone, Copy)]
pub struct KernelIter<'a> {
    raw: RawIter,
    _segments: PhantomData<&'a IoVec>,
}

/// The kernel's `ITER_DEST` and `ITER_SOURCE`.
fn direction(dest: bool) -> u32 {
    u32::from(!dest)
}

impl<'a> KernelIter<'a> {
    fn made(make: impl FnOnce(*mut RawIter)) -> Self {
        let mut raw = RawIter([0; 5]);
        make(&mut raw);
        Self { raw, _segments: PhantomData }
    }

    /// A copy of the iterator that the kernel made for a system call.
    ///
    /// # Safety
    ///
    /// `raw` must point to a `struct iov_iter` whose segments live for `'a`.
    pub unsafe fn copy_of(raw: *const c_void) -> Self {
        // SAFETY: the caller's promise; the size is checked in c/shim.h.
        Self { raw: unsafe { raw.cast::<RawIter>().read() }, _segments: PhantomData }
    }

    /// # Safety
    ///
    /// The segments must describe memory that may be read, or for `dest` written, during `'a`, and
    /// `count` must not exceed their sum.
    pub unsafe fn kvec(dest: bool, segments: &'a [IoVec], count: usize) -> Self {
        // SAFETY: segments outlive the iterator.
        Self::made(|i| unsafe {
            iov_iter_kvec(i, direction(dest), segments.as_ptr(), segments.len(), count)
        })
    }

    /// `count` must not exceed the sum of the segments.
    pub fn bvec(dest: bool, segments: &'a [BioVec<KernelPage>], count: usize) -> Self {
        // SAFETY: segments outlive the iterator, and are laid out as `struct bio_vec`.
        Self::made(|i| unsafe {
            iov_iter_bvec(i, direction(dest), segments.as_ptr().cast(), segments.len(), count)
        })
    }

    /// Iterates from `offset` of the folio `index` on: a byte of a folio of the first node. There are
    /// `count` bytes or more.
    pub fn folio_queue(
        dest: bool,
        queue: &'a FolioQueue<'_>,
        index: usize,
        offset: usize,
        count: usize,
    ) -> Self {
        let FolioQueue { nodes, in_first, .. } = *queue;
        // SAFETY: the queue outlives the iterator.
        Self::made(|i| unsafe {
            kernel_iter_folio_queue(
                i,
                direction(dest),
                nodes,
                in_first,
                index as u32,
                offset,
                count,
            )
        })
    }

    /// Iterates from a position in the file on. There are `count` bytes or more.
    pub fn xarray(dest: bool, pages: &'a XArray<'_>, position: u64, count: usize) -> Self {
        // SAFETY: the array outlives the iterator.
        Self::made(|i| unsafe {
            iov_iter_xarray(i, direction(dest), pages.array, position as i64, count)
        })
    }

    pub fn discard(count: usize) -> Self {
        // SAFETY: no memory is involved.
        Self::made(|i| unsafe { iov_iter_discard(i, direction(true), count) })
    }

    /// `count` must not exceed the sum of the segments.
    pub fn iovec(dest: bool, segments: &'a [IoVec], count: usize) -> Self {
        // SAFETY: segments outlive the iterator; copies check what they describe.
        Self::made(|i| unsafe {
            iov_iter_init(i, direction(dest), segments.as_ptr(), segments.len(), count)
        })
    }

    /// `import_iovec()` with room for 8 segments: what it returned, and on success where the iterator
    /// stands after an advance by `len`.
    pub fn import(dest: bool, array: usize, count: u32, len: usize) -> (isize, State) {
        let mut fast = [IoVec::default(); 8];
        let mut storage = fast.as_mut_ptr();
        let mut iter = Self::made(|_| ());
        let dir = direction(dest) as i32;
        // SAFETY: there is room for 8 segments, and the result is in `storage`; null is fine to free.
        unsafe {
            let total = import_iovec(dir, array, count, 8, &mut storage, &mut iter.raw);
            if total >= 0 {
                iter.advance(len);
            }
            let state = if total < 0 { State::default() } else { iter.state() };
            kfree(storage.cast());
            (total, state)
        }
    }

    pub fn state(&self) -> State {
        let mut state = State::default();
        // SAFETY: both are there.
        unsafe { kernel_save_state(&self.raw, &mut state) };
        state
    }
}

/// Forwards to a function of the kernel, whose iterator is made from segments that live.
macro_rules! forward {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $call:expr;)*) => {
        #[allow(clippy::undocumented_unsafe_blocks, reason = "what holds for all of them is said below")]
        impl KernelIter<'_> { $(
            $(#[$doc])*
            #[inline]
            pub fn $name(&mut self $(, $argument: $type)*) $(-> $result)? {
                let call: fn(*mut RawIter $(, $type)*) $(-> $result)? = $call;
                call(&mut self.raw $(, $argument)*)
            }
        )* }
    };
}

// SAFETY (each of them): the iterator is valid by construction, slices and pages are there.
forward! {
    advance(len: usize) = |i, len| unsafe { iov_iter_advance(i, len) };
    /// Not before the start: the kernel does not check that.
    revert(len: usize) = |i, len| unsafe { iov_iter_revert(i, len) };
    truncate(limit: u64) = |i, limit| unsafe { kernel_truncate(i, limit) };
    /// Not beyond what was truncated: the kernel does not check that.
    reexpand(count: usize) = |i, count| unsafe { kernel_reexpand(i, count) };
    zero(len: usize) -> usize = |i, len| unsafe { iov_iter_zero(len, i) };
    npages(max: i32) -> i32 = |i, max| unsafe { iov_iter_npages(i, max) };
    alignment() -> usize = |i| unsafe { iov_iter_alignment(i) };
    gap_alignment() -> usize = |i| unsafe { iov_iter_gap_alignment(i) };
    is_aligned(address: u32, len: u32) -> bool =
        |i, address, len| unsafe { iov_iter_is_aligned(i, address, len) };
    first_segment_len() -> usize = |i| unsafe { iov_iter_single_seg_count(i) };
    copy_to(from: &[u8]) -> usize =
        |i, from| unsafe { _copy_to_iter(from.as_ptr(), from.len(), i) };
    copy_mc_to(from: &[u8]) -> usize =
        |i, from| unsafe { _copy_mc_to_iter(from.as_ptr(), from.len(), i) };
    copy_from(to: &mut [u8]) -> usize =
        |i, to| unsafe { _copy_from_iter(to.as_mut_ptr(), to.len(), i) };
    copy_from_full(to: &mut [u8]) -> bool =
        |i, to| unsafe { kernel_copy_from_iter_full(to.as_mut_ptr(), to.len(), i) };
    copy_from_nocache(to: &mut [u8]) -> usize =
        |i, to| unsafe { _copy_from_iter_nocache(to.as_mut_ptr(), to.len(), i) };
    copy_from_flushcache(to: &mut [u8]) -> usize =
        |i, to| unsafe { _copy_from_iter_flushcache(to.as_mut_ptr(), to.len(), i) };
    page_to(page: &KernelPage, at: usize, len: usize) -> usize =
        |i, page, at, len| unsafe { copy_page_to_iter(page.as_ptr(), at, len, i) };
    page_from(page: &KernelPage, at: usize, len: usize) -> usize =
        |i, page, at, len| unsafe { copy_page_from_iter(page.as_ptr(), at, len, i) };
    page_from_atomic(page: &KernelPage, at: usize, len: usize) -> usize =
        |i, page, at, len| unsafe { copy_page_from_iter_atomic(page.as_ptr(), at, len, i) };
    /// The folded sum is added to what is there.
    csum_to(from: &[u8], sum: &mut u16) -> usize =
        |i, from, sum| unsafe { kernel_csum_and_copy_to_iter(from.as_ptr(), from.len(), sum, i) };
    csum_from(to: &mut [u8], sum: &mut u16) -> usize = |i, to, folded| {
        let mut sum = 0;
        let copied = unsafe { kernel_csum_and_copy_from_iter(to.as_mut_ptr(), to.len(), &mut sum, i) };
        *folded = kernel_csum_fold(sum);
        copied
    };
    csum_from_full(to: &mut [u8], sum: &mut u16) -> bool = |i, to, folded| {
        let (start, len, mut sum) = (to.as_mut_ptr(), to.len(), 0);
        let all = unsafe { kernel_csum_and_copy_from_iter_full(start, len, &mut sum, i) };
        *folded = kernel_csum_fold(sum);
        all
    };
    fault_in_readable(len: usize) -> usize = |i, len| unsafe { fault_in_iov_iter_readable(i, len) };
    fault_in_writeable(len: usize) -> usize =
        |i, len| unsafe { fault_in_iov_iter_writeable(i, len) };
}

impl KernelIter<'_> {
    /// `iov_iter_get_pages2()`: the result, and the offset in the first page. Each page that it
    /// gives is shown and given back.
    pub fn get_pages(
        &mut self,
        size: usize,
        max_pages: usize,
        mut show: impl FnMut(*mut RawPage),
    ) -> (isize, usize) {
        self.pages(iov_iter_get_pages2, size, max_pages, |page| {
            show(page);
            // SAFETY: the kernel took a reference to each page, which is given back here.
            drop(unsafe { KernelPage::from_raw(page) });
        })
    }

    /// `iov_iter_extract_pages()`, as [`get_pages`](Self::get_pages); pages are `pinned` if they are the
    /// user's.
    pub fn extract_pages(
        &mut self,
        size: usize,
        max_pages: usize,
        pinned: bool,
        mut show: impl FnMut(*mut RawPage),
    ) -> (isize, usize) {
        self.pages(kernel_extract_pages, size, max_pages, |page| {
            show(page);
            if pinned {
                // SAFETY: the kernel pinned each page, and the pin is given back here.
                drop(unsafe { PinnedPage::from_raw(page) });
            }
        })
    }

    /// Asks for pages, and hands over each.
    fn pages(
        &mut self,
        ask: unsafe extern "C" fn(*mut RawIter, *mut *mut RawPage, usize, u32, *mut usize) -> isize,
        size: usize,
        max_pages: usize,
        take: impl FnMut(*mut RawPage),
    ) -> (isize, usize) {
        let mut pages = [ptr::null_mut(); 16];
        let (max, mut start) = (max_pages.min(pages.len()), 0);
        // SAFETY: there is room for so many pages.
        let result =
            unsafe { ask(&mut self.raw, pages.as_mut_ptr(), size, max as u32, &mut start) };
        let held = match usize::try_from(result) {
            Ok(len) if len > 0 => (start + len).div_ceil(4096),
            _ => 0,
        };
        pages.into_iter().take(held).for_each(take);
        (result, start)
    }

    /// Where a duplicate stands after it has moved by `len`; the duplicate is freed.
    pub fn state_of_duplicate(&mut self, len: usize) -> State {
        let mut copy = Self::made(|_| ());
        // SAFETY: the iterator is valid; the array that the duplicate has is freed at the end.
        unsafe {
            let array = dup_iter(&mut copy.raw, &mut self.raw, kernel_gfp_kernel());
            copy.advance(len);
            let state = copy.state();
            kfree(array);
            state
        }
    }
}
