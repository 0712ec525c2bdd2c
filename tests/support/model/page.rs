//! Pages of the simulated machine: runs of page frames, counted, guarded, and poison.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;

use iov_iter::Page;

/// Bytes on either side of a frame that nobody may touch.
const GUARD: usize = 32;
const GUARD_BYTE: u8 = 0xa5;

/// One page frame. Every frame is an allocation of its own, so no mapping reaches the next one.
struct Frame {
    memory: Box<[UnsafeCell<u8>]>,
    references: Cell<usize>,
    pins: Cell<usize>,
    unmappable: Cell<bool>,
    /// The device whose memory it is.
    device: Cell<u8>,
}

impl Frame {
    fn new(size: usize) -> Self {
        let mut memory = vec![GUARD_BYTE; size + 2 * GUARD].into_boxed_slice();
        memory[GUARD..GUARD + size].fill(0);
        // SAFETY: an `UnsafeCell<u8>` is laid out as a `u8`, and the box is handed on whole.
        let memory = unsafe { Box::from_raw(Box::into_raw(memory) as *mut [UnsafeCell<u8>]) };
        Self {
            memory,
            references: Cell::new(0),
            pins: Cell::new(0),
            unmappable: Cell::new(false),
            device: Cell::new(0),
        }
    }

    fn start(&self) -> *mut u8 {
        // An `UnsafeCell` may be written through a shared reference.
        self.memory.as_ptr().cast::<u8>().cast_mut().wrapping_add(GUARD)
    }

    fn assert_guards(&self) {
        let size = self.memory.len() - 2 * GUARD;
        let guards = [self.start().wrapping_sub(GUARD), self.start().wrapping_add(size)];
        for guard in guards {
            // SAFETY: the allocation has `GUARD` bytes on either side of the frame, and nothing
            // else accesses them now.
            let bytes = unsafe { guard.cast::<[u8; GUARD]>().read() };
            assert_eq!(bytes, [GUARD_BYTE; GUARD], "the bytes around a page were overwritten");
        }
    }
}

enum Hold {
    Reference,
    Pin,
}

/// A handle to a page in a run of contiguous ones; counts references and pins.
pub struct TestPage<const P: usize = 4096> {
    run: Rc<Vec<Frame>>,
    index: usize,
    hold: Hold,
}

impl<const P: usize> TestPage<P> {
    /// A run of `pages` zeroed pages.
    pub fn run(pages: usize) -> Self {
        let run = Rc::new((0..pages).map(|_| Frame::new(P)).collect::<Vec<_>>());
        Self::hold(run, 0, Hold::Reference)
    }

    /// A run that begins with `bytes`.
    pub fn with_bytes(bytes: &[u8]) -> Self {
        let page = Self::run(bytes.len().div_ceil(P).max(1));
        page.fill(0, bytes);
        page
    }

    fn hold(run: Rc<Vec<Frame>>, index: usize, hold: Hold) -> Self {
        let frame = &run[index];
        match hold {
            Hold::Reference => frame.references.set(frame.references.get() + 1),
            Hold::Pin => frame.pins.set(frame.pins.get() + 1),
        }
        Self { run, index, hold }
    }

    fn frame(&self) -> &Frame {
        &self.run[self.index]
    }

    /// A pin for this page.
    pub fn pin(&self) -> TestPin<P> {
        TestPin(Self::hold(self.run.clone(), self.index, Hold::Pin))
    }

    /// References to this page.
    pub fn references(&self) -> usize {
        self.frame().references.get()
    }

    /// Pins of this page.
    pub fn pins(&self) -> usize {
        self.frame().pins.get()
    }

    /// References to, and pins of, all pages of the run from this one on.
    pub fn held(&self) -> (usize, usize) {
        let frames = self.run[self.index..].iter();
        frames.fold((0, 0), |sum, frame| (sum.0 + frame.references.get(), sum.1 + frame.pins.get()))
    }

    /// From now on the page cannot be mapped.
    pub fn make_unmappable(&self) {
        self.frame().unmappable.set(true);
    }

    /// From now on the page is memory of this device.
    pub fn move_to_device(&self, device: u8) {
        self.frame().device.set(device);
    }

    /// Whether both handles mean the same page frame.
    pub fn is(&self, other: &Self, index: usize) -> bool {
        Rc::ptr_eq(&self.run, &other.run) && self.index == other.index + index
    }

    /// The address of the byte `offset` bytes into the run, which must be in the run.
    pub fn address(&self, offset: usize) -> *mut u8 {
        self.run[self.index + offset / P].start().wrapping_add(offset % P)
    }

    /// Stores `bytes` at `offset` in the run.
    pub fn fill(&self, offset: usize, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done;
            let len = (P - at % P).min(bytes.len() - done);
            // SAFETY: `address` is inside a frame (it panics otherwise) that has `len` more bytes,
            // and nothing else accesses it now.
            unsafe { self.address(at).copy_from(bytes[done..].as_ptr(), len) }
            done += len;
        }
    }

    /// Loads `len` bytes at `offset` in the run.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes);
        bytes
    }

    /// Loads bytes at `offset` in the run.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done;
            let len = (P - at % P).min(bytes.len() - done);
            // SAFETY: as in `fill`.
            unsafe { self.address(at).copy_to(bytes[done..].as_mut_ptr(), len) }
            done += len;
        }
    }

    /// The bytes of the whole run.
    pub fn all_bytes(&self) -> Vec<u8> {
        self.run.iter().for_each(Frame::assert_guards);
        self.bytes(0, (self.run.len() - self.index) * P)
    }
}

impl<const P: usize> Clone for TestPage<P> {
    fn clone(&self) -> Self {
        Self::hold(self.run.clone(), self.index, Hold::Reference)
    }
}

impl<const P: usize> Drop for TestPage<P> {
    fn drop(&mut self) {
        let counter = match self.hold {
            Hold::Reference => &self.frame().references,
            Hold::Pin => &self.frame().pins,
        };
        counter.set(counter.get().checked_sub(1).expect("given back more often than taken"));
    }
}

/// A pinned page.
pub struct TestPin<const P: usize>(TestPage<P>);

impl<const P: usize> AsRef<TestPage<P>> for TestPin<P> {
    fn as_ref(&self) -> &TestPage<P> {
        &self.0
    }
}

// SAFETY: `map` gives the start of a frame of `P` initialised bytes, kept alive by the handle and
// only ever accessed through raw pointers. Handles share a run that never changes, and stay on their thread.
unsafe impl<const P: usize> Page for TestPage<P> {
    const SIZE: usize = P;
    type Pin = TestPin<P>;

    fn run_length(&self) -> usize {
        self.run.len() - self.index
    }

    fn nth(&self, index: usize) -> Option<Self> {
        let index = self.index.checked_add(index).filter(|index| *index < self.run.len())?;
        Some(Self::hold(self.run.clone(), index, Hold::Reference))
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        next.is(self, 1)
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.frame().device.get() == other.frame().device.get()
    }

    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        assert!(index < self.run_length(), "a page outside the run is mapped");
        let frame = &self.run[self.index + index];
        if frame.unmappable.get() {
            return None;
        }
        let result = f(NonNull::new(frame.start())?);
        frame.assert_guards();
        Some(result)
    }
}

thread_local! {
    static POISON: RefCell<Vec<Range<usize>>> = const { RefCell::new(Vec::new()) };
}

/// Memory that a machine check guards, until this is dropped.
pub struct Poison(());

impl Poison {
    /// Poisons `len` bytes at `start`.
    pub fn new(start: *const u8, len: usize) -> Self {
        POISON.with_borrow_mut(|ranges| ranges.push(start.addr()..start.addr() + len));
        Self(())
    }
}

impl Drop for Poison {
    fn drop(&mut self) {
        POISON.with_borrow_mut(Vec::clear);
    }
}

/// How many of `len` bytes at `start` lie before the first poisoned one.
pub fn clean_prefix(start: *const u8, len: usize) -> usize {
    let (start, end) = (start.addr(), start.addr() + len);
    POISON.with_borrow(|ranges| {
        let hits = ranges.iter().filter(|range| range.start < end && range.end > start);
        hits.map(|range| range.start.saturating_sub(start)).min().unwrap_or(len)
    })
}
