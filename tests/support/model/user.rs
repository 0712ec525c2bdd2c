//! A simulated user address space whose faults are exact to the byte.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use iov_iter::{CopyFlags, Dest, Error, Page, PageFlags, Piece, Source, UserMemory};

use super::page::{TestPage, clean_prefix};

/// The end of the user's part of the address space.
pub const LIMIT: usize = match size_of::<usize>() {
    8 => 0x7fff_ffff_f000u64 as usize,
    _ => 0xc000_0000,
};

struct UserPage<const P: usize> {
    resident: bool,
    page: TestPage<P>,
}

/// An address space: pages that are resident, or mappable by a sleeping fault; all other addresses
/// are bad, and so are byte ranges that are declared so.
///
/// Every access asserts that its range was inside the user's part, as a kernel's copy routine must
/// be able to rely on.
pub struct UserSpace<const P: usize = 4096> {
    pages: RefCell<BTreeMap<usize, UserPage<P>>>,
    bad: RefCell<Vec<Range<usize>>>,
    limit: usize,
    fault_ins: Cell<usize>,
    pages_at_most: Cell<usize>,
    bytes_at_most: Cell<usize>,
    seen_copy: Cell<Option<CopyFlags>>,
    seen_pages: Cell<Option<PageFlags>>,
    /// How often each byte was read, if that is watched, and whether its value changes then.
    reads: RefCell<Option<BTreeMap<usize, u32>>>,
    fickle: Cell<bool>,
}

impl<const P: usize> Default for UserSpace<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const P: usize> UserSpace<P> {
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    pub fn with_limit(limit: usize) -> Self {
        Self {
            pages: RefCell::default(),
            bad: RefCell::default(),
            limit,
            fault_ins: Cell::new(0),
            pages_at_most: Cell::new(usize::MAX),
            bytes_at_most: Cell::new(usize::MAX),
            seen_copy: Cell::new(None),
            seen_pages: Cell::new(None),
            reads: RefCell::new(None),
            fickle: Cell::new(false),
        }
    }

    /// A space in which the pages at `addresses` are resident.
    pub fn resident(addresses: &[usize]) -> Self {
        let space = Self::new();
        for address in addresses {
            space.add(*address, 1, true);
        }
        space
    }

    /// Adds the pages that `len` bytes at `address` touch, zeroed.
    pub fn add(&self, address: usize, len: usize, resident: bool) {
        for number in address / P..(address + len).div_ceil(P) {
            let page = || UserPage { resident, page: TestPage::run(1) };
            self.pages.borrow_mut().entry(number).or_insert_with(page);
        }
    }

    /// Adds `pages` pages from `address` on that are one run, zeroed.
    pub fn add_run(&self, address: usize, pages: usize) {
        let run = TestPage::run(pages);
        for index in 0..pages {
            let page = UserPage { resident: true, page: run.nth(index).unwrap() };
            assert!(self.pages.borrow_mut().insert(address / P + index, page).is_none());
        }
    }

    /// Adds pages and stores `bytes` there.
    pub fn store(&self, address: usize, bytes: &[u8]) {
        self.add(address, bytes.len(), true);
        self.poke(address, bytes);
    }

    /// Makes the page at `address` resident or only mappable.
    pub fn set_resident(&self, address: usize, resident: bool) {
        self.pages.borrow_mut().get_mut(&(address / P)).unwrap().resident = resident;
    }

    pub fn is_resident(&self, address: usize) -> bool {
        self.pages.borrow().get(&(address / P)).is_some_and(|page| page.resident)
    }

    /// The numbers of the pages that are not resident now.
    pub fn absent(&self) -> BTreeSet<usize> {
        let pages = self.pages.borrow();
        pages.iter().filter(|(_, page)| !page.resident).map(|(number, _)| *number).collect()
    }

    /// Whether the pages that are not resident now are these.
    pub fn is_absent(&self, numbers: &BTreeSet<usize>) -> bool {
        let pages = self.pages.borrow();
        let absent = pages.iter().filter(|(_, page)| !page.resident).map(|(number, _)| number);
        absent.eq(numbers)
    }

    /// Declares bytes bad, wherever their page is.
    pub fn make_bad(&self, range: Range<usize>) {
        self.bad.borrow_mut().push(range);
    }

    /// No more bad bytes; pages that do not exist stay bad.
    pub fn heal(&self) {
        self.bad.borrow_mut().clear();
    }

    /// Stores bytes without faults.
    pub fn poke(&self, address: usize, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = address + done;
            let rest = (P - at % P).min(bytes.len() - done);
            self.page(at).fill(at % P, &bytes[done..done + rest]);
            done += rest;
        }
    }

    /// Loads bytes without faults.
    pub fn peek(&self, address: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let at = address + done;
            let rest = (P - at % P).min(len - done);
            self.page(at).read(at % P, &mut bytes[done..done + rest]);
            done += rest;
        }
        bytes
    }

    /// The page at `address`, which must exist.
    pub fn page(&self, address: usize) -> TestPage<P> {
        self.pages.borrow()[&(address / P)].page.clone()
    }

    /// Sleeping faults so far.
    pub fn fault_ins(&self) -> usize {
        self.fault_ins.get()
    }

    /// References and pins that others hold on all pages.
    pub fn held(&self) -> (usize, usize) {
        let pages = self.pages.borrow();
        let held = pages.values().map(|user| (user.page.references() - 1, user.page.pins()));
        held.fold((0, 0), |sum, held| (sum.0 + held.0, sum.1 + held.1))
    }

    /// Hands out at most `count` pages per call.
    pub fn hand_out_at_most(&self, count: usize) {
        self.pages_at_most.set(count);
    }

    /// Copies at most `count` bytes per call, as if a fault came and went.
    pub fn copy_at_most(&self, count: usize) {
        self.bytes_at_most.set(count);
    }

    /// The flags of the last copy.
    pub fn copy_flags(&self) -> Option<CopyFlags> {
        self.seen_copy.take()
    }

    /// The flags with which pages were last taken hold of.
    pub fn page_flags(&self) -> Option<PageFlags> {
        self.seen_pages.take()
    }

    /// Counts reads per byte from now on; with `fickle` a byte has another value when it is read
    /// again.
    pub fn watch_reads(&self, fickle: bool) {
        self.reads.replace(Some(BTreeMap::new()));
        self.fickle.set(fickle);
    }

    /// How often each byte that was read was read.
    pub fn reads(&self) -> BTreeMap<usize, u32> {
        self.reads.borrow().clone().unwrap_or_default()
    }

    fn in_range(&self, address: usize, len: usize) -> bool {
        len <= self.limit && address <= self.limit - len
    }

    /// Bytes before the first bad one.
    fn good_prefix(&self, address: usize, len: usize) -> usize {
        let bad = self.bad.borrow();
        let hits = bad.iter().filter(|bad| bad.start < address + len && bad.end > address);
        hits.map(|bad| bad.start.saturating_sub(address)).min().unwrap_or(len)
    }

    /// The frame under `address`, made resident if it may be.
    fn frame(&self, address: usize, nofault: bool) -> Option<*mut u8> {
        let mut pages = self.pages.borrow_mut();
        let user = pages.get_mut(&(address / P))?;
        if !user.resident {
            if nofault {
                return None;
            }
            user.resident = true;
            self.fault_ins.set(self.fault_ins.get() + 1);
        }
        Some(user.page.address(address % P))
    }

    /// Calls `step` with piece after piece that can be accessed; the bytes in all.
    fn access(
        &self,
        address: usize,
        len: usize,
        flags: CopyFlags,
        mut step: impl FnMut(*mut u8, usize, usize),
    ) -> usize {
        assert!(self.in_range(address, len), "access outside user space: {address:#x}, {len:#x}");
        self.seen_copy.set(Some(flags));
        let len = len.min(self.bytes_at_most.get());
        let mut done = 0;
        while done < len {
            let at = address + done;
            let piece = (P - at % P).min(len - done);
            let good = self.good_prefix(at, piece);
            if good == 0 {
                break;
            }
            let Some(start) = self.frame(at, flags.contains(CopyFlags::NOFAULT)) else { break };
            step(start, done, good);
            done += good;
            if good < piece {
                break;
            }
        }
        done
    }

    fn watch(&self, address: usize, dst: *mut u8) {
        if let Some(reads) = self.reads.borrow_mut().as_mut() {
            let count = reads.entry(address).or_default();
            if *count > 0 && self.fickle.get() {
                // SAFETY: the caller has just written this byte.
                unsafe { dst.write(!dst.read()) }
            }
            *count += 1;
        }
    }

    fn probe(&self, address: usize, len: usize) -> usize {
        assert!(self.in_range(address, len), "probe outside user space: {address:#x}, {len:#x}");
        let mut at = address;
        while at < address + len {
            if self.good_prefix(at, 1) == 0 || self.frame(at, false).is_none() {
                return at - address;
            }
            at = (at / P + 1) * P;
        }
        len
    }

    fn hand_out(
        &self,
        address: usize,
        count: usize,
        flags: PageFlags,
        mut sink: impl FnMut(&TestPage<P>),
    ) -> Result<usize, Error> {
        self.seen_pages.set(Some(flags));
        let count = count.min(self.pages_at_most.get());
        for handed in 0..count {
            let at = address + handed * P;
            if self.frame(at, flags.contains(PageFlags::NOFAULT)).is_none() {
                return if handed == 0 { Err(Error::Fault) } else { Ok(handed) };
            }
            let pages = self.pages.borrow();
            sink(&pages[&(at / P)].page);
        }
        Ok(count)
    }
}

// SAFETY: `read` returns what `access` has stepped over, and the step initialises exactly that. Handles stay
// on their thread.
unsafe impl<const P: usize> UserMemory for &UserSpace<P> {
    type Page = TestPage<P>;

    fn access_ok(&self, address: usize, len: usize) -> bool {
        self.in_range(address, len)
    }

    unsafe fn read(&self, address: usize, dst: Piece<'_, Dest>, flags: CopyFlags) -> usize {
        self.access(address, dst.len(), flags, |from, done, len| {
            let to = dst.as_mut_ptr().wrapping_add(done);
            // SAFETY: `from` has `len` bytes in a frame, and `dst` has `done + len`.
            unsafe { from.copy_to(to, len) };
            if self.reads.borrow().is_some() {
                for at in 0..len {
                    self.watch(address + done + at, to.wrapping_add(at));
                }
            }
        })
    }

    unsafe fn write(&self, address: usize, src: Piece<'_, Source>, flags: CopyFlags) -> usize {
        let clean = match flags.contains(CopyFlags::MACHINE_CHECK) {
            true => clean_prefix(src.as_ptr(), src.len()),
            false => src.len(),
        };
        self.access(address, clean, flags, |to, done, len| {
            // SAFETY: `src` has `done + len` bytes, and `to` has `len` in a frame.
            unsafe { src.as_ptr().wrapping_add(done).copy_to(to, len) };
        })
    }

    fn fault_in_readable(&self, address: usize, len: usize) -> usize {
        self.probe(address, len)
    }

    fn fault_in_writeable(&self, address: usize, len: usize) -> usize {
        self.probe(address, len)
    }

    fn get_pages(
        &self,
        address: usize,
        count: usize,
        flags: PageFlags,
        mut sink: impl FnMut(TestPage<P>),
    ) -> Result<usize, Error> {
        self.hand_out(address, count, flags, |page| sink(page.clone()))
    }

    fn pin_pages(
        &self,
        address: usize,
        count: usize,
        flags: PageFlags,
        mut sink: impl FnMut(<Self::Page as Page>::Pin),
    ) -> Result<usize, Error> {
        self.hand_out(address, count, flags, |page| sink(page.pin()))
    }
}
