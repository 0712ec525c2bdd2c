//! Mistakes that other implementations made with pages, folios and scatter lists, one test each.
//!
//! Those about xarrays and folio queues are tested for what they say about the kinds here.

use crate::model::{Aligned, Iter, TestPage, UserSpace, entry_bytes, held_bytes, pattern, place};
use heapless::Vec as Fixed;
use iov_iter::{
    BioVec, Dest, Error, HeldPage, IoVec, KVec, List, Page, PageRange, Retention, ScatterEntry,
    Source,
};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Resident,
    Mappable,
    Bad,
}

#[test]
fn page_copy_equals_one_sleeping_copy_for_every_state_of_the_pages() {
    // CVE-2015-1805, CVE-2016-0774: a retry of a short copy began at a stale position.
    use State::*;
    let segments = [IoVec::new(0x1fe0, 0x30), IoVec::new(0x3000, 0), IoVec::new(0x3ff8, 0x20)];
    let states = [Resident, Mappable, Bad];
    for combination in (0..81).step_by(if cfg!(miri) { 25 } else { 1 }) {
        let space = UserSpace::<4096>::new();
        let mut reach = 0x50;
        // Bytes of the copy in each of the four pages, in order.
        let pages = [(0x1000, 0), (0x2000, 0x20), (0x3000, 0x30), (0x4000, 0x38)];
        for (index, (address, first)) in pages.into_iter().enumerate() {
            let state = states[combination / 3usize.pow(index as u32) % 3];
            if state == Bad {
                reach = reach.min(first);
            } else {
                space.add(address, 1, state == Resident);
            }
        }
        let folio = TestPage::with_bytes(&pattern(0x1000));
        let mut iter = Iter::<Dest>::iovec(&space, &segments, 0x50).unwrap();
        let mut plain = iter.clone();
        assert_eq!(iter.copy_page_to_iter(&folio, 0xf00, 0x50), Ok(reach));
        assert_eq!(plain.copy_to_iter(&pattern(0x1000)[0xf00..0xf50]), reach);
        assert_eq!(place(&iter), place(&plain));

        let page = TestPage::run(1);
        let mut iter = Iter::<Source>::iovec(&space, &segments, 0x50).unwrap();
        assert_eq!(iter.copy_page_from_iter(&page, 0xf00, 0x50), Ok(reach));
        assert_eq!(place(&iter), place(&plain));
        assert_eq!(page.bytes(0xf00, reach), pattern(0x1000)[0xf00..0xf00 + reach]);
        assert_eq!(page.bytes(0xf00 + reach, 0x100 - reach), vec![0; 0x100 - reach]);
    }
}

#[test]
fn folio_copies_cross_pages_and_are_bounded() {
    let folio = TestPage::with_bytes(&pattern(0x3000));
    for (offset, len) in [(0xfff, 2), (0xff0, 0x1020), (0, 0x3000), (0x2fff, 1), (0x3000, 0)] {
        let mut bytes = vec![0; len];
        let segments = [KVec::from(&mut bytes[..])];
        let mut iter = Iter::<Dest>::kvec(&segments, len).unwrap();
        assert_eq!(iter.copy_page_to_iter(&folio, offset, len), Ok(len));
        assert_eq!(bytes, pattern(0x3000)[offset..offset + len]);
    }
    let mut iter = Iter::<Dest>::discard(usize::MAX);
    let refused = [(0x2fff, 2), (0x3001, 0), (usize::MAX, 1), (1, usize::MAX), (usize::MAX, 2)];
    for (offset, len) in refused {
        assert_eq!(iter.copy_page_to_iter(&folio, offset, len), Err(Error::OutOfRange));
    }
    assert_eq!(iter.remaining(), usize::MAX);
    // Measured from the page that is given, not from the head of its run.
    let tail = folio.nth(2).unwrap();
    assert_eq!(iter.copy_page_to_iter(&tail, 0xfff, 2), Err(Error::OutOfRange));
}

#[test]
fn no_copy_leaves_the_page_that_is_mapped() {
    // CVE-2024-50222: an atomic copy into a large folio overran a mapping of one page.
    // Every page of the test machine is mapped on its own, between guards that unmapping checks.
    let data = pattern(0x2800);
    let segments = [KVec::from(&data[..])];
    for offset in [0, 1, 0x7ff, 0x800] {
        let folio = TestPage::run(3);
        let mut iter = Iter::<Source>::kvec(&segments, 0x2800).unwrap();
        assert_eq!(iter.copy_page_from_iter_atomic(&folio, offset, 0x2800), Ok(0x2800));
        assert_eq!(folio.all_bytes()[offset..offset + 0x2800], data);
    }
    // A walk over pages never hands out more than the rest of a page.
    let run = [BioVec::new(TestPage::run(4), 0x801, 0x2800).unwrap()];
    let mut iter = Iter::<Source>::bvec(&run, 0x2800).unwrap();
    let mut lengths = vec![];
    iter.iterate_and_advance(
        usize::MAX,
        &mut lengths,
        |_, _, _| 0,
        |lengths, piece, _| {
            lengths.push(piece.len());
            piece.len()
        },
    );
    assert_eq!(lengths, [0x7ff, 0x1000, 0x1000, 1]);
}

#[test]
fn no_pages_obtained_is_zero_and_leaves_nothing_behind() {
    let space = UserSpace::<4096>::resident(&[0x10000]);
    for (obtained, max_pages) in [(0, 8), (8, 0)] {
        space.hand_out_at_most(obtained);
        for extract in [false, true] {
            let mut iter = Iter::<Source>::ubuf(&space, 0x10ff0, 0x2020);
            let mut list = Fixed::<HeldPage<'_, TestPage>, 8>::new();
            let result = match extract {
                false => iter.get_pages(0x2020, max_pages, &mut list),
                true => iter.extract_pages(0x2020, max_pages, &mut list),
            };
            assert_eq!(result.map(|range| range.len), Ok(0));
            assert_eq!((list.len(), iter.remaining(), space.held()), (0, 0x2020, (0, 0)));
        }
    }
    // A real error is passed on, and what the list held before stays.
    space.hand_out_at_most(8);
    let mut list = Fixed::<HeldPage<'_, TestPage>, 8>::new();
    let mut good = Iter::<Source>::ubuf(&space, 0x10ff0, 8);
    assert_eq!(good.get_pages(8, 8, &mut list).map(|range| range.len), Ok(8));
    let mut bad = Iter::<Source>::ubuf(&space, 0x20ff0, 8);
    assert_eq!(bad.get_pages(8, 8, &mut list), Err(Error::Fault));
    assert_eq!((list.len(), bad.remaining(), space.held()), (1, 8, (1, 0)));
    // A range outside user space is refused before the host is asked.
    let space = UserSpace::<4096>::with_limit(0x2800);
    space.add(0x1000, 0x3000, true);
    let mut list = Fixed::<HeldPage<'_, TestPage>, 8>::new();
    for (base, len) in [(0x27ff, 2), (0x3000, 1), (0x1000, 0x1801), (usize::MAX - 8, 4)] {
        let mut outside = Iter::<Source>::ubuf(&space, base, len);
        assert_eq!(outside.get_pages(len, 8, &mut list), Err(Error::Fault));
        assert_eq!(outside.extract_pages(len, 8, &mut list), Err(Error::Fault));
        assert_eq!((outside.remaining(), space.page_flags()), (len, None));
    }
    let mut inside = Iter::<Source>::ubuf(&space, 0x27ff, 1);
    assert_eq!(inside.get_pages(1, 8, &mut list).map(|range| range.len), Ok(1));
}

#[test]
fn scatter_entries_stay_in_their_page_and_sum_up() {
    // CVE-2026-46289: entries held the length left instead of the part in their page.
    let mut memory = Aligned::new(6);
    memory.copy_from_slice(&pattern(0x6000));
    let segments = [KVec::from(&memory[0xff0..0x3010]), KVec::from(&memory[0x4801..0x5001])];
    let total = 0x2020 + 0x800;
    for max_entries in 0..8 {
        for max_size in [0, 1, 0x10, 0x11, 0x1010, 0x1011, 0x2020, 0x2021, total, total + 1] {
            let mut iter = Iter::<Source>::kvec(&segments, total).unwrap();
            let mut ahead = iter.clone();
            let mut list = Fixed::<ScatterEntry<'_, TestPage>, 8>::new();
            let len = iter.extract_to_scatter_list(max_size, max_entries, &mut list).unwrap();
            assert!(list.len() <= max_entries && len <= max_size);
            assert!(list.iter().all(|entry| entry.offset + entry.len <= 4096 && entry.len > 0));
            assert_eq!(list.iter().map(|entry| entry.len).sum::<usize>(), len);
            // Where the entries run out the iterator stands after the last one.
            assert_eq!(iter.remaining(), total - len);
            assert!(list.len() == max_entries || len == max_size.min(total));
            let mut copied = vec![0; len];
            assert_eq!(ahead.copy_from_iter(&mut copied), len);
            assert_eq!(list.iter().flat_map(entry_bytes).collect::<Vec<_>>(), copied);
        }
    }
}

// The list grows on the heap.
#[cfg(feature = "alloc")]
#[test]
fn scatter_entries_of_more_than_one_operation_may_move() {
    use std::marker::PhantomData;

    use iov_iter::{CopyFlags, Host, IovIter, PageFlags, Piece, UserMemory};

    /// User memory that repeats one page endlessly.
    #[derive(Clone, Copy)]
    struct Endless<'p>(&'p TestPage<65536>);

    // SAFETY: nothing is ever read.
    unsafe impl UserMemory for Endless<'_> {
        type Page = TestPage<65536>;

        fn access_ok(&self, _: usize, _: usize) -> bool {
            true
        }

        unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
            0
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

        fn pin_pages(
            &self,
            _: usize,
            count: usize,
            _: PageFlags,
            mut sink: impl FnMut(<TestPage<65536> as Page>::Pin),
        ) -> Result<usize, Error> {
            (0..count).for_each(|_| sink(self.0.pin()));
            Ok(count)
        }
    }

    struct EndlessHost<'p>(PhantomData<&'p ()>);

    impl<'p> Host for EndlessHost<'p> {
        type Page = TestPage<65536>;
        type User = Endless<'p>;
    }

    let page = TestPage::run(1);
    const TOTAL: usize = 0xa000_0000;
    let mut iter = IovIter::<Source, EndlessHost<'_>>::ubuf(Endless(&page), 0x8000, TOTAL);
    let mut list = Vec::new();
    let len = iter.extract_to_scatter_list(usize::MAX, usize::MAX, &mut list).unwrap();
    assert_eq!((len, iter.remaining()), (TOTAL, 0));
    // Entry follows entry without a gap: the first began at 0x8000 in its page.
    let bytes = list.iter().fold(0, |bytes, entry| {
        assert!(entry.len > 0 && entry.offset + entry.len <= 65536);
        assert_eq!(entry.offset, (0x8000 + bytes) % 65536);
        bytes + entry.len
    });
    assert_eq!(bytes, TOTAL);
}

#[test]
fn entries_already_present_stay() {
    let space = UserSpace::<4096>::resident(&[0x10000, 0x11000, 0x12000]);
    let mut list = Fixed::<ScatterEntry<'_, TestPage>, 8>::new();
    let mut iter = Iter::<Source>::ubuf(&space, 0x10ff0, 0x1020);
    assert_eq!(iter.extract_to_scatter_list(0x1020, 8, &mut list), Ok(0x1020));
    let view = |list: &[ScatterEntry<'_, TestPage>]| {
        let page = |entry: &ScatterEntry<'_, TestPage>| entry.page.page().unwrap().0.address(0);
        list.iter().map(|entry| (page(entry), entry.offset, entry.len)).collect::<Vec<_>>()
    };
    let before = view(&list);
    let mut more = Iter::<Source>::ubuf(&space, 0x11100, 0x1000);
    assert_eq!(more.extract_to_scatter_list(0x1000, 8, &mut list), Ok(0x1000));
    assert_eq!((view(&list[..3]), list.len()), (before.clone(), 5));
    let mut bad = Iter::<Source>::ubuf(&space, 0x12fff, 2);
    // The first page can be had, the second cannot: all of this call is undone.
    assert_eq!(bad.extract_to_scatter_list(2, 8, &mut list), Err(Error::Fault));
    assert_eq!((view(&list[..3]), list.len()), (before, 5));
    assert_eq!((bad.remaining(), space.held()), (2, (0, 5)));
}

#[test]
fn failed_extraction_gives_back_pins_as_pins() {
    // A page of the test machine panics when references or pins are given back that nobody took.
    let space = UserSpace::<4096>::resident(&[0x10000, 0x11000]);
    let segments = [IoVec::new(0x10ff0, 0x20), IoVec::new(0x20000, 1)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, 0x21).unwrap();
    let mut list = Fixed::<ScatterEntry<'_, TestPage>, 8>::new();
    assert_eq!(iter.extract_to_scatter_list(0x21, 8, &mut list), Err(Error::Fault));
    assert_eq!((list.len(), space.held()), (0, (0, 0)));
    let mut held = Fixed::<HeldPage<'_, TestPage>, 8>::new();
    iter.extract_pages(0x21, 8, &mut held).unwrap();
    iter.revert(0x20).unwrap();
    iter.get_pages(0x21, 8, &mut held).unwrap();
    let retentions: Vec<_> = held.iter().map(HeldPage::retention).collect();
    assert_eq!(retentions[..2], [Retention::Pinned; 2]);
    assert_eq!(retentions[2..], [Retention::Referenced; 2]);
    assert_eq!(space.held(), (2, 2));
    held.truncate(3);
    assert_eq!(space.held(), (1, 2));
    held.clear();
    assert_eq!(space.held(), (0, 0));
}

/// Iterators of every kind that has pages, over the same bytes.
fn with_all_kinds(data: &[u8], check: impl Fn(Iter<'_, Source>)) {
    let mut memory = Aligned::new(data.len().div_ceil(4096));
    memory[..data.len()].copy_from_slice(data);
    let cuts = [(5, 0x1000), (0x1005, 0), (0x1010, 0xff0), (0x2000, 0x800)];
    let total = cuts.iter().map(|(_, len)| len).sum();
    let kvecs = cuts.map(|(start, len)| KVec::from(&memory[start..start + len]));
    check(Iter::kvec(&kvecs, total).unwrap());
    let run = TestPage::with_bytes(data);
    let bvecs =
        cuts.map(|(start, len)| BioVec::new(run.clone(), start as u32, len as u32).unwrap());
    check(Iter::bvec(&bvecs, total).unwrap());
    let space = UserSpace::new();
    space.store(0x10000, data);
    let iovecs = cuts.map(|(start, len)| IoVec::new(0x10000 + start, len));
    check(Iter::iovec(&space, &iovecs, total).unwrap());
    check(Iter::ubuf(&space, 0x10005, 0x2800));
}

#[test]
fn extraction_walks_as_a_copy_does() {
    with_all_kinds(&pattern(0x3000), |iter| {
        for (max_size, max_pages) in [(usize::MAX, 16), (0x801, 16), (usize::MAX, 1), (3, 1)] {
            let mut copied = vec![0; iter.remaining()];
            assert_eq!(iter.clone().copy_from_iter(&mut copied), copied.len());
            let mut walk = iter.clone();
            let mut extracted = Vec::new();
            while !walk.is_empty() && extracted.len() < 0x1900 {
                let mut list = Fixed::<HeldPage<'_, TestPage>, 16>::new();
                let range = walk.extract_pages(max_size, max_pages, &mut list).unwrap();
                assert!(range.len > 0, "no progress");
                extracted.extend(held_bytes(&list, range));
                if max_size == 3 && extracted.len() > 30 {
                    break;
                }
            }
            assert_eq!(extracted, copied[..extracted.len()]);
        }
    });
}

#[test]
fn pages_cover_what_is_claimed() {
    with_all_kinds(&pattern(0x3000), |iter| {
        for skip in [0, 1, 0xffa, 0xffb, 0x1000, 0x1feb, 0x27ff] {
            for max_pages in 0..4 {
                let mut iter = iter.clone();
                iter.advance(skip);
                let mut list = Fixed::<HeldPage<'_, TestPage>, 4>::new();
                let PageRange { offset, len, .. } =
                    iter.extract_pages(usize::MAX, max_pages, &mut list).unwrap();
                assert!(list.len() <= max_pages);
                assert!(len <= (list.len() * 4096).saturating_sub(offset));
                assert_eq!(len == 0, list.is_empty());
            }
        }
    });
}

#[test]
fn scatter_entries_equal_a_copy_from_every_start() {
    with_all_kinds(&pattern(0x3000), |iter| {
        for skip in (0..0x1100).step_by(if cfg!(miri) { 0xffb } else { 7 }) {
            let mut iter = iter.clone();
            iter.advance(skip);
            let mut copied = vec![0; iter.remaining()];
            assert_eq!(iter.clone().copy_from_iter(&mut copied), copied.len());
            let mut list = Fixed::<ScatterEntry<'_, TestPage>, 8>::new();
            let len = iter.extract_to_scatter_list(usize::MAX, 8, &mut list).unwrap();
            assert_eq!((len, iter.remaining()), (copied.len(), 0));
            assert!(list.iter().map(entry_bytes).collect::<Vec<_>>().concat() == copied);
        }
    });
}
