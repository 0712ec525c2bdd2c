//! Hosts that answer oddly: too much, too little, or an error after half of the work. Results stay
//! within what was asked, and nothing is leaked.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::model::{Iter, TestPage, UserSpace, at, pattern, place};
use heapless::Vec as Fixed;
use iov_iter::host::{NoPage, NoUser};
use iov_iter::iov::{IoVector, View};
use iov_iter::{
    Abi, BioVec, Checksum, CopyFlags, Cursor, Dest, Direction, DupStorage, Error, HeldPage, Host,
    InlineVec, IoVec, IovIter, KVec, List, Page, PageFlags, PageRange, PageSegment, Piece,
    Retention, Segment, Source, UserMemory, UserPiece, copy_iter_to_iter,
};

/// User memory that takes everything and always claims to have done more than was asked.
#[derive(Clone, Copy)]
struct Boastful<'p> {
    page: &'p TestPage,
    /// Pages it gives, whatever was asked.
    gives: usize,
    /// What it returns then.
    says: Result<usize, Error>,
}

// SAFETY: `read` initialises what it returns: nothing. There is no memory to race for.
unsafe impl UserMemory for Boastful<'_> {
    type Page = TestPage;

    fn access_ok(&self, _: usize, _: usize) -> bool {
        true
    }

    unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
        0
    }

    unsafe fn write(&self, _: usize, _: Piece<'_, Source>, _: CopyFlags) -> usize {
        usize::MAX
    }

    fn fault_in_readable(&self, _: usize, _: usize) -> usize {
        usize::MAX
    }

    fn fault_in_writeable(&self, _: usize, _: usize) -> usize {
        usize::MAX
    }

    fn get_pages(
        &self,
        _: usize,
        _: usize,
        _: PageFlags,
        mut sink: impl FnMut(TestPage),
    ) -> Result<usize, Error> {
        (0..self.gives).for_each(|_| sink(self.page.clone()));
        self.says
    }

    fn pin_pages(
        &self,
        _: usize,
        _: usize,
        _: PageFlags,
        mut sink: impl FnMut(<TestPage as Page>::Pin),
    ) -> Result<usize, Error> {
        (0..self.gives).for_each(|_| sink(self.page.pin()));
        self.says
    }
}

struct BoastfulHost<'p>(PhantomData<&'p ()>);

impl<'p> Host for BoastfulHost<'p> {
    type Page = TestPage;
    type User = Boastful<'p>;

    fn copy_machine_check(_: Piece<'_, Source>, _: Piece<'_, Dest>) -> usize {
        usize::MAX
    }
}

type OddIter<'a, D> = IovIter<'a, D, BoastfulHost<'a>>;

/// Writes 9 bytes twice into the 12 of an iterator.
fn written(mut iter: OddIter<'_, Dest>, mut write: impl FnMut(&mut OddIter<'_, Dest>) -> usize) {
    assert_eq!(write(&mut iter), 9);
    assert_eq!(place(&iter), at(2, 4, 1, 3));
    assert_eq!(write(&mut iter), 3);
}

#[test]
fn claims_of_too_much_are_cut() {
    let page = TestPage::run(1);
    let memory = Boastful { page: &page, gives: 0, says: Ok(0) };
    let segments = [IoVec::new(0x1000, 5), IoVec::new(0, 0), IoVec::new(0x2000, 7)];
    let new = || OddIter::<Dest>::iovec(memory, &segments, 12).unwrap();
    let data = pattern(20);
    written(new(), |iter| iter.copy_to_iter(&data[..9]));
    written(new(), |iter| iter.copy_mc_to_iter(Piece::from(&data[..9])));
    written(new(), |iter| iter.csum_and_copy_to_iter(&data[..9], &mut Checksum::new()));
    written(new(), |iter| iter.zero(9));
    written(new(), |iter| iter.copy_page_to_iter(&page, 0, 9).unwrap());
    assert_eq!(new().fault_in_writeable(9), 0);
    assert_eq!(new().fault_in_writeable(20), 8);

    // A copy with machine checks that claims too much.
    let mut bytes = [0; 4];
    let list = [KVec::from(&mut bytes[..])];
    let mut iter = OddIter::<Dest>::kvec(&list, 4).unwrap();
    assert_eq!(iter.copy_mc_to_iter(Piece::from(&data[..3])), 3);
    assert_eq!(place(&iter), at(0, 3, 1, 1));
}

#[test]
fn pages_that_nobody_asked_for_are_given_back() {
    let page = TestPage::run(1);
    for extract in [false, true] {
        for (gives, says) in [(9, Ok(9)), (9, Ok(2)), (2, Ok(9)), (9, Ok(usize::MAX))] {
            let memory = Boastful { page: &page, gives, says };
            let mut iter = OddIter::<Source>::ubuf(memory, 0x10ff0, 0x2020);
            let mut list = Fixed::<HeldPage<'_, TestPage>, 16>::new();
            let range = match extract {
                false => iter.get_pages(0x2020, 3, &mut list),
                true => iter.extract_pages(0x2020, 3, &mut list),
            };
            // What counts is what was handed over, and no more than was asked.
            let pages = gives.min(3);
            let len = (pages * 0x1000 - 0xff0).min(0x2020);
            assert_eq!(range, Ok(PageRange::new(0xff0, len)));
            assert_eq!((list.len(), iter.remaining()), (pages, 0x2020 - len));
            assert_eq!(page.references() + page.pins(), 1 + pages);
        }
        assert_eq!((page.references(), page.pins()), (1, 0));
    }
}

#[test]
fn error_behind_some_pages_gives_them_back() {
    let page = TestPage::run(1);
    let memory = Boastful { page: &page, gives: 2, says: Err(Error::NoMemory) };
    let segments = [BioVec::new(page.clone(), 0, 1).unwrap()];
    let mut list = Fixed::<HeldPage<'_, TestPage>, 16>::new();
    OddIter::<Source>::bvec(&segments, 1).unwrap().get_pages(1, 1, &mut list).unwrap();
    let mut iter = OddIter::<Dest>::ubuf(memory, 0x10ff0, 0x2020);
    assert_eq!(iter.get_pages(0x2020, 9, &mut list), Err(Error::NoMemory));
    assert_eq!(iter.extract_pages(0x2020, 9, &mut list), Err(Error::NoMemory));
    let mut entries = Fixed::<_, 16>::new();
    let scattered = iter.extract_to_scatter_list(0x2020, 9, &mut entries);
    assert_eq!((scattered, entries.len()), (Err(Error::NoMemory), 0));
    let mut described = Fixed::<PageSegment, 16>::new();
    let extracted = iter.extract_to_segments(0x2020, 9, 0, &mut list, &mut described);
    assert_eq!((extracted, described.len()), (Err(Error::NoMemory), 0));
    assert_eq!(iter.remaining(), 0x2020);
    assert_eq!((list.len(), list[0].retention()), (1, Retention::Referenced));
    assert_eq!((page.references(), page.pins()), (3, 0));
}

/// A run of pages from address 0 on. Those from the second on are given together with an error.
#[derive(Clone, Copy)]
struct Late<'p>(&'p TestPage);

// SAFETY: `read` initialises what it returns: nothing. There is no memory to race for.
unsafe impl UserMemory for Late<'_> {
    type Page = TestPage;

    fn access_ok(&self, _: usize, _: usize) -> bool {
        true
    }

    unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
        0
    }

    unsafe fn write(&self, _: usize, _: Piece<'_, Source>, _: CopyFlags) -> usize {
        0
    }

    fn fault_in_readable(&self, _: usize, _: usize) -> usize {
        0
    }

    fn fault_in_writeable(&self, _: usize, _: usize) -> usize {
        0
    }

    fn pin_pages(
        &self,
        addr: usize,
        count: usize,
        _: PageFlags,
        mut sink: impl FnMut(<TestPage as Page>::Pin),
    ) -> Result<usize, Error> {
        let first = addr / TestPage::<4096>::SIZE;
        (first..first + count).for_each(|index| sink(self.0.nth(index).unwrap().pin()));
        if first == 0 { Ok(count) } else { Err(Error::NoMemory) }
    }
}

struct LateHost<'p>(PhantomData<&'p ()>);

impl<'p> Host for LateHost<'p> {
    type Page = TestPage;
    type User = Late<'p>;
}

#[test]
fn an_error_takes_the_pages_that_came_with_it_out_of_the_segment_they_joined() {
    let run = TestPage::run(4);
    let iovecs = [IoVec::new(0x10, 0xff0), IoVec::new(0x1000, 0x2000)];
    let mut iter = IovIter::<Source, LateHost<'_>>::iovec(Late(&run), &iovecs, 0x2ff0).unwrap();
    let mut pages = Fixed::<HeldPage<'_, TestPage>, 8>::new();
    let mut segments = Fixed::<PageSegment, 8>::new();
    let extracted = iter.extract_to_segments(usize::MAX, 8, 0, &mut pages, &mut segments);
    assert_eq!((extracted, iter.remaining()), (Ok(0xff0), 0x2000));
    assert_eq!((pages.len(), segments.len()), (1, 1));
    let PageSegment { first, pages, offset, len, .. } = segments[0];
    assert_eq!((first, pages, offset, len), (0, 1, 0x10, 0xff0));
    assert_eq!(run.pins(), 1);
}

#[test]
fn host_that_gives_no_pages_and_no_error_is_a_fault() {
    let page = TestPage::run(1);
    let memory = Boastful { page: &page, gives: 0, says: Ok(0) };
    let mut iter = OddIter::<Dest>::ubuf(memory, 0x10ff0, 0x20);
    let mut entries = Fixed::<_, 4>::new();
    assert_eq!(iter.extract_to_scatter_list(0x20, 4, &mut entries), Err(Error::Fault));
    assert_eq!((entries.len(), iter.remaining()), (0, 0x20));
    let mut pages = Fixed::<HeldPage<'_, TestPage>, 4>::new();
    let mut described = Fixed::<PageSegment, 4>::new();
    let extracted = iter.extract_to_segments(0x20, 4, 0, &mut pages, &mut described);
    assert_eq!((extracted, pages.len(), described.len()), (Err(Error::Fault), 0, 0));
}

/// User memory of which one byte is out of reach.
#[derive(Clone, Copy)]
struct Hole<'m> {
    bytes: &'m [u8],
    at: usize,
}

// SAFETY: `read` returns what it copied to the start of `dst`, which are bytes that nobody writes.
unsafe impl UserMemory for Hole<'_> {
    type Page = TestPage;

    fn access_ok(&self, _: usize, _: usize) -> bool {
        true
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        let end = if addr <= self.at { self.at } else { self.bytes.len() };
        dst.copy_from(Piece::from(self.bytes.get(addr..end).unwrap_or_default()))
    }

    unsafe fn write(&self, _: usize, _: Piece<'_, Source>, _: CopyFlags) -> usize {
        0
    }

    fn fault_in_readable(&self, _: usize, len: usize) -> usize {
        len
    }

    fn fault_in_writeable(&self, _: usize, len: usize) -> usize {
        len
    }
}

struct HoleHost<'m>(PhantomData<&'m ()>);

impl<'m> Host for HoleHost<'m> {
    type Page = TestPage;
    type User = Hole<'m>;
}

#[test]
fn missing_byte_of_an_element_is_a_fault_whatever_its_length_says() {
    let field = size_of::<usize>();
    for (count, length) in [(1, -1), (1, isize::MIN), (3, -1), (3, isize::MIN), (3, 8)] {
        let mut fields = vec![8; 2 * count];
        fields[2 * count - 1] = length;
        let array: Vec<u8> = fields.iter().flat_map(|field: &isize| field.to_ne_bytes()).collect();
        let import = |at| {
            let (memory, mut storage) = (Hole { bytes: &array, at }, InlineVec::<IoVec, 4>::new());
            let storage = &mut storage;
            IovIter::<Source, HoleHost<'_>>::import_iovec(memory, 0, count, Abi::Native, storage)
                .map(|iter| iter.remaining())
        };
        for at in 0..2 * count * field {
            assert_eq!(import(at), Err(Error::Fault), "byte {at} of {count} elements is missing");
        }
        let whole = if length < 0 { Err(Error::NegativeLength) } else { Ok(8 * count) };
        assert_eq!(import(2 * count * field), whole);
    }
}

#[test]
fn host_that_has_no_pages_to_give_says_so() {
    /// User memory with the provided functions only.
    #[derive(Clone, Copy)]
    struct Plain;

    // SAFETY: `read` initialises what it returns: nothing. There is no memory to race for.
    unsafe impl UserMemory for Plain {
        type Page = TestPage;
        fn access_ok(&self, _: usize, _: usize) -> bool {
            true
        }
        unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
            0
        }
        unsafe fn write(&self, _: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
            src.len().min(100)
        }
        fn fault_in_readable(&self, _: usize, len: usize) -> usize {
            len
        }
        fn fault_in_writeable(&self, _: usize, len: usize) -> usize {
            len
        }
    }

    enum PlainHost {}
    impl Host for PlainHost {
        type Page = TestPage;
        type User = Plain;
    }

    let mut iter = IovIter::<Dest, PlainHost>::ubuf(Plain, 0x1000, 300);
    let mut list = Fixed::<HeldPage<'_, TestPage>, 4>::new();
    assert_eq!(iter.get_pages(8, 8, &mut list), Err(Error::NoPages));
    assert_eq!(iter.extract_pages(8, 8, &mut list), Err(Error::NoPages));
    // The provided `zero` writes zeros, and stops where writing stops.
    assert_eq!((iter.zero(300), iter.remaining()), (100, 200));
}

#[test]
fn empty_segments_may_lie_out_of_reach() {
    let (space, nowhere) = (UserSpace::<4096>::resident(&[0x1000]), IoVec::new(usize::MAX, 0));
    let segments =
        [nowhere, IoVec::new(0x1000, 3), nowhere, nowhere, IoVec::new(0x1008, 2), nowhere];
    let mut to = Iter::<Dest>::iovec(&space, &segments, 5).unwrap();
    assert_eq!((to.copy_to_iter(b"scatter"), place(&to)), (5, at(6, 0, 0, 0)));
    let mut from = Iter::<Source>::iovec(&space, &segments, 5).unwrap();
    let mut bytes = [0; 5];
    assert_eq!((from.copy_from_iter(&mut bytes), &bytes), (5, b"scatt"));
    let mut seen = Vec::new();
    let mut from = Iter::<Source>::iovec(&space, &segments, 5).unwrap();
    let each = |seen: &mut Vec<_>, piece: UserPiece<_, _>, _: usize| {
        seen.push((piece.address(), piece.len()));
        piece.len()
    };
    assert_eq!(from.iterate_and_advance(5, &mut seen, each, |_, _, _| 0), 5);
    assert_eq!(seen, [(0x1000, 3), (0x1008, 2)]);
}

#[test]
fn page_that_cannot_be_mapped_ends_a_copy_in_front_of_it() {
    let run = TestPage::with_bytes(&pattern(0x3000));
    run.nth(1).unwrap().make_unmappable();
    let segments = [BioVec::new(run.clone(), 0xff0, 0x1020).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 0x1020).unwrap();
    let mut bytes = [0xee; 0x1020];
    assert_eq!(iter.copy_from_iter(&mut bytes), 0x10);
    assert_eq!((&bytes[..0x10], bytes[0x10]), (&pattern(0x3000)[0xff0..0x1000], 0xee));
    assert_eq!(place(&iter), at(0, 0x10, 1, 0x1010));
    assert_eq!(iter.copy_from_iter_full(&mut bytes[..0x20]), Err(Error::Fault));
    iter.advance(0x1000);
    assert_eq!(iter.copy_from_iter(&mut bytes), 0x10);
    assert_eq!(bytes[..0x10], pattern(0x3000)[0x2000..0x2010]);

    // As the folio of a page copy.
    let mut iter = Iter::<Dest>::discard(0x1020);
    assert_eq!(iter.copy_page_to_iter(&run, 0xff0, 0x1020), Ok(0x10));
    assert_eq!(iter.remaining(), 0x1010);
}

/// A run of two pages in one piece of memory, of which a clone of the handle is the last page only.
struct Shrinking {
    memory: Rc<UnsafeCell<[u8; 64]>>,
    first: usize,
}

impl Clone for Shrinking {
    fn clone(&self) -> Self {
        Self { memory: self.memory.clone(), first: 1 }
    }
}

impl AsRef<Self> for Shrinking {
    fn as_ref(&self) -> &Self {
        self
    }
}

// SAFETY: not sound. `clone` breaks the contract, which `BioVec` is to notice. All else is as it must be: one
// array, initialised, kept alive by each handle, and only accessed through mappings of one thread.
unsafe impl Page for Shrinking {
    const SIZE: usize = 32;
    const CONTIGUOUS: bool = true;
    type Pin = Self;

    fn run_length(&self) -> usize {
        2 - self.first
    }

    fn nth(&self, index: usize) -> Option<Self> {
        (index < self.run_length())
            .then(|| Self { memory: self.memory.clone(), first: self.first + index })
    }

    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        let start = self.memory.get().cast::<u8>();
        NonNull::new(start.wrapping_add((self.first + index) * Self::SIZE)).map(f)
    }
}

#[test]
fn page_that_tells_nothing_of_others_is_followed_by_none_and_goes_with_all() {
    let page = |byte| Shrinking { memory: Rc::new(UnsafeCell::new([byte; 64])), first: 0 };
    let (one, other) = (page(1), page(2));
    assert!(!one.is_followed_by(&other) && !one.is_followed_by(&one));
    assert!(one.goes_with(&other));
}

#[test]
fn segment_whose_cloned_handle_has_a_shorter_run_has_no_bytes() {
    enum ShrinkingHost {}
    impl Host for ShrinkingHost {
        type Page = Shrinking;
        type User = NoUser<Shrinking>;
    }

    let memory = Rc::new(UnsafeCell::new([7; 64]));
    let segments = [BioVec::new(Shrinking { memory, first: 0 }, 0, 64).unwrap()];
    let cloned = segments.clone();
    assert_eq!((segments[0].len(), cloned[0].len()), (64, 0));
    let mut bytes = [0; 64];
    let mut iter = IovIter::<Source, ShrinkingHost>::bvec(&segments, 64).unwrap();
    assert_eq!(iter.clone().copy_from_iter(&mut bytes), 64);
    assert_eq!(bytes, [7; 64]);
    let mut storage = DupStorage::<Source, ShrinkingHost>::new();
    assert_eq!(iter.dup(&mut storage).unwrap().copy_from_iter(&mut bytes), 0);
    // What lies in the shorter run is kept.
    iter = IovIter::bvec(&segments, 0).unwrap();
    assert!(
        iter.is_empty()
            && BioVec::new(segments[0].page().clone(), 0, 32).unwrap().clone().len() == 32
    );
}

/// User memory that remembers what it accepted, and what was accessed.
#[derive(Clone, Copy)]
struct Watched<'m> {
    accepted: &'m RefCell<Vec<Range<usize>>>,
    accesses: &'m Cell<usize>,
}

impl Watched<'_> {
    fn access(&self, addr: usize, len: usize) -> usize {
        let holds = |range: &Range<usize>| range.start <= addr && addr + len <= range.end;
        assert!(self.accepted.borrow().iter().any(holds), "{addr:#x}, {len:#x} was not checked");
        self.accesses.set(self.accesses.get() + 1);
        len
    }
}

// SAFETY: `read` fills all of `dst` with zeros. There is no memory to race for.
unsafe impl UserMemory for Watched<'_> {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        let accepted = addr + len <= 0x10000;
        if accepted {
            self.accepted.borrow_mut().push(addr..addr + len);
        }
        accepted
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        self.access(addr, dst.fill(0))
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        self.access(addr, src.len())
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        self.access(addr, len)
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        self.access(addr, len)
    }
}

struct WatchedHost<'m>(PhantomData<Watched<'m>>);

impl<'m> Host for WatchedHost<'m> {
    type Page = NoPage;
    type User = Watched<'m>;
}

#[test]
fn each_piece_of_user_memory_is_checked_once_before_it_is_accessed() {
    let (accepted, accesses) = (RefCell::new(Vec::new()), Cell::new(0));
    let memory = Watched { accepted: &accepted, accesses: &accesses };
    let segments = [IoVec::new(0x1000, 5), IoVec::new(0x2000, 0), IoVec::new(0x3000, 2000)];
    let from = || IovIter::<Source, WatchedHost<'_>>::iovec(memory, &segments, 2005).unwrap();
    let to = || IovIter::<Dest, WatchedHost<'_>>::iovec(memory, &segments, 2005).unwrap();
    // The pieces with bytes that were checked, and how often the memory was accessed.
    let seen = || {
        let mut pieces = accepted.take();
        pieces.retain(|piece| !piece.is_empty());
        (pieces, accesses.take())
    };
    let both = vec![0x1000..0x1005, 0x3000..0x37d0];
    let mut bytes = [0; 3000];

    type Access<'f> = &'f mut dyn FnMut(&mut [u8]) -> usize;
    let whole: [Access<'_>; 5] = [
        &mut |bytes| from().copy_from_iter(bytes),
        &mut |bytes| to().copy_to_iter(bytes),
        &mut |bytes| from().csum_and_copy_from_iter(bytes, &mut Checksum::new()),
        &mut |bytes| to().csum_and_copy_to_iter(bytes, &mut Checksum::new()),
        &mut |bytes| bytes.len() - from().fault_in_readable(bytes.len()),
    ];
    for access in whole {
        assert_eq!(access(&mut bytes), 2005);
        assert_eq!(seen().0, both);
    }
    // Zeros are written in portions.
    assert_eq!(to().zero(3000), 2005);
    assert_eq!(seen(), (both.clone(), 1 + 2000usize.div_ceil(256)));
    // So are bytes from user memory to user memory. The shorter of two pieces is what both copy.
    let single = [IoVec::new(0x8000, 2000)];
    let mut single = IovIter::<Dest, WatchedHost<'_>>::iovec(memory, &single, 2000).unwrap();
    let mut long = from();
    long.advance(5);
    assert_eq!(copy_iter_to_iter(&mut long, &mut single, 2000), 2000);
    let (pieces, accesses) = seen();
    assert_eq!((pieces, accesses), (vec![0x3000..0x37d0, 0x8000..0x87d0], 8));
}

#[test]
fn piece_outside_user_space_ends_a_walk_and_is_not_handed_over() {
    let (accepted, accesses) = (RefCell::new(Vec::new()), Cell::new(0));
    let memory = Watched { accepted: &accepted, accesses: &accesses };
    let segments = [IoVec::new(0xfff0, 0x10), IoVec::new(0xfff0, 0x11), IoVec::new(0x1000, 1)];
    let mut iter = IovIter::<Source, WatchedHost<'_>>::iovec(memory, &segments, 0x22).unwrap();
    let mut seen = Vec::new();
    let walked = iter.iterate_and_advance(
        0x22,
        &mut seen,
        |seen, piece, _| {
            seen.push((piece.address(), piece.len()));
            piece.len()
        },
        |_, _, _| 0,
    );
    assert_eq!((walked, iter.remaining(), seen), (0x10, 0x12, vec![(0xfff0, 0x10)]));
}

/// What a caller that is generic in the direction may need of a refused segment.
fn refusal<D: Direction>(segment: KVec<'_, D>) -> String {
    let mut vector = IoVector::<D>::borrowed(View::default());
    format!("{:?}", vector.try_push(segment).unwrap_err())
}

#[test]
fn printing_and_cloning_ask_nothing_of_the_host() {
    // Neither the host nor its page can be cloned or printed.
    let page = TestPage::run(1);
    let segments = [BioVec::new(page, 0, 8).unwrap()];
    let mut iter = OddIter::<Source>::bvec(&segments, 8).unwrap();
    let state = iter.save().clone();
    assert_eq!(format!("{state:?}"), format!("State({iter:?})"));

    let mut entries = Fixed::<_, 1>::new();
    assert_eq!(iter.extract_to_scatter_list(8, 1, &mut entries), Ok(8));
    let printed = format!("{:?}", entries[0]);
    assert_eq!(printed, "ScatterEntry { page: HeldPage(None), offset: 0, len: 8 }");
    assert!(iter.is_empty() && iter.restore(&state).is_ok() && iter.remaining() == 8);

    assert!(refusal(KVec::from(&b"kept"[..])).contains("NotGrowable"));
}

#[test]
fn segment_that_changes_its_length_breaks_nothing() {
    /// Longer every time it is asked.
    struct Growing(Cell<usize>);

    impl Segment for Growing {
        fn len(&self) -> usize {
            self.0.replace(self.0.get() + 7)
        }

        fn address(&self) -> usize {
            0
        }
    }

    for first in 0..20 {
        for n in 0..40 {
            let list = [0, first].map(|len| Growing(Cell::new(len)));
            let mut cursor = Cursor::new(&list[..]);
            let passed = cursor.advance(n);
            assert!(passed <= n && cursor.position().index <= 2);
            let _ = cursor.revert(n);
            assert!(cursor.ranges().map(|range| range.len).sum::<usize>() <= cursor.remaining());
            assert!(cursor.walk(n, |range, _| range.len) <= n);
        }
    }
}
