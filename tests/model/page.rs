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
}

impl Frame {
    fn new(size: usize) -> Self {
        let guards = [GUARD_BYTE; GUARD].map(UnsafeCell::new);
        let mut memory = Vec::from(guards);
        memory.extend((0..size).map(|_| UnsafeCell::new(0)));
        memory.extend([GUARD_BYTE; GUARD].map(UnsafeCell::new));
        Self {
            memory: memory.into(),
            references: Cell::new(0),
            pins: Cell::new(0),
            unmappable: Cell::new(false),
        }
    }

    fn start(&self) -> *mut u8 {
        // An `UnsafeCell` may be written through a shared reference.
        self.memory.as_ptr().cast::<u8>().cast_mut().wrapping_add(GUARD)
    }

    fn assert_guards(&self) {
        let size = self.memory.len() - 2 * GUARD;
        for at in (0..GUARD).chain(GUARD + size..2 * GUARD + size) {
            // SAFETY: the index is inside the allocation, and nothing else accesses it now.
            let byte = unsafe { self.start().wrapping_sub(GUARD).wrapping_add(at).read() };
            assert_eq!(byte, GUARD_BYTE, "the bytes around a page were overwritten");
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

    /// From now on the page cannot be mapped.
    pub fn make_unmappable(&self) {
        self.frame().unmappable.set(true);
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
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: `address` is inside a frame (it panics otherwise), and nothing else
            // accesses it now.
            unsafe { self.address(offset + at).write(*byte) }
        }
    }

    /// Loads `len` bytes at `offset` in the run.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        // SAFETY: as in `fill`.
        (0..len).map(|at| unsafe { self.address(offset + at).read() }).collect()
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
// only ever accessed through raw pointers.
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

    fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        let frame = self.run.get(self.index.checked_add(index)?)?;
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

/// How many of `len` bytes at `start` lie in front of the first poisoned one.
pub fn clean_prefix(start: *const u8, len: usize) -> usize {
    let (start, end) = (start.addr(), start.addr() + len);
    POISON.with_borrow(|ranges| {
        let hits = ranges.iter().filter(|range| range.start < end && range.end > start);
        hits.map(|range| range.start.saturating_sub(start)).min().unwrap_or(len)
    })
}
