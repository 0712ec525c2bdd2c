//! Worked examples of taking hold of pages.

use crate::model::{
    Aligned, Iter, TestPage, UserSpace, at, entry_bytes, held_bytes, pattern, place,
};
use heapless::Vec as List;
use iov_iter::{
    BioVec, Dest, Direction, Error, HeldPage, IoVec, KVec, Page, PageFlags, PageRange, Piece,
    Retention, ScatterEntry, Source,
};

type Pages<'a> = List<HeldPage<'a, TestPage>, 16>;
type Entries<'a> = List<ScatterEntry<'a, TestPage>, 16>;

const T1: [IoVec; 1] = [IoVec::new(0x10ff0, 0x2020)];

fn four_pages() -> UserSpace {
    let space = UserSpace::new();
    space.store(0x10000, &pattern(0x4000));
    space
}

const fn range(offset: usize, len: usize) -> PageRange {
    PageRange::new(offset, len)
}

/// References pages; checks the handles, that nothing leaks, and the bytes.
fn references(
    space: &UserSpace,
    iter: &mut Iter<'_, Source>,
    max: (usize, usize),
    pages: usize,
) -> PageRange {
    let mut ahead = iter.clone();
    let mut list = Pages::new();
    let range = iter.get_pages(max.0, max.1, &mut list).unwrap();
    assert_eq!(list.len(), pages);
    assert!(list.iter().all(|page| page.retention() == Retention::Referenced));
    assert_eq!(space.held(), (pages, 0));
    let mut copied = vec![0; range.len];
    assert_eq!(ahead.copy_from_iter(&mut copied), range.len);
    assert_eq!(held_bytes(&list, range), copied);
    drop(list);
    assert_eq!(space.held(), (0, 0));
    range
}

#[test]
fn all_pages_of_one_segment_are_referenced() {
    let space = four_pages();
    let mut iter = Iter::<Source>::iovec(&space, &T1, 0x2020).unwrap();
    assert_eq!(references(&space, &mut iter, (0x2020, 16), 4), range(0xff0, 0x2020));
    // Linux 2015 does not advance; the newer rule is followed.
    assert_eq!(place(&iter), at(1, 0, 0, 0));
}

#[test]
fn pages_are_limited_in_number() {
    let space = four_pages();
    let mut iter = Iter::<Source>::iovec(&space, &T1, 0x2020).unwrap();
    assert_eq!(references(&space, &mut iter, (0x2020, 2), 2), range(0xff0, 0x1010));
    assert_eq!(place(&iter), at(0, 0x1010, 1, 0x1010));
    let mut iter = Iter::<Source>::ubuf(&space, 0x10fff, 2);
    assert_eq!(references(&space, &mut iter, (2, 1), 1), range(0xfff, 1));
}

#[test]
fn a_host_may_give_fewer_pages_than_asked() {
    let space = four_pages();
    space.hand_out_at_most(1);
    let mut iter = Iter::<Source>::iovec(&space, &T1, 0x2020).unwrap();
    assert_eq!(references(&space, &mut iter, (0x2020, 16), 1), range(0xff0, 0x10));
    assert_eq!(place(&iter), at(0, 0x10, 1, 0x2010));
    // None at all: 0, and not minus the offset as in 2015.
    space.hand_out_at_most(0);
    assert_eq!(references(&space, &mut iter, (0x2020, 16), 0).len, 0);
    assert_eq!(place(&iter), at(0, 0x10, 1, 0x2010));
    assert_eq!(references(&space, &mut iter, (0x2020, 0), 0).len, 0);
    assert_eq!(references(&space, &mut iter, (0, 16), 0).len, 0);
}

#[test]
fn two_bytes_may_be_in_two_pages() {
    let space = four_pages();
    let segments = [IoVec::new(0x10fff, 2)];
    let mut iter = Iter::<Source>::iovec(&space, &segments, 2).unwrap();
    assert_eq!(references(&space, &mut iter, (2, 16), 2), range(0xfff, 2));
}

#[test]
fn the_page_of_a_page_segment_is_referenced() {
    let page = TestPage::run(1);
    let segments = [BioVec::new(page.clone(), 0x200, 0x600).unwrap()];
    let before = page.references();
    let mut iter = Iter::<Source>::bvec(&segments, 0x600).unwrap();
    iter.advance(0x100);
    let mut list = Pages::new();
    assert_eq!(iter.get_pages(0x400, 16, &mut list), Ok(range(0x300, 0x400)));
    assert_eq!(place(&iter), at(0, 0x500, 1, 0x100));
    assert_eq!((list.len(), list[0].retention()), (1, Retention::Referenced));
    assert_eq!(page.references(), before + 1);
    drop(list);
    assert_eq!(page.references(), before);
    // Linux 2015 ignores the limit of pages here, even 0.
    assert_eq!(iter.get_pages(0x400, 0, &mut Pages::new()).map(|range| range.len), Ok(0));
}

#[test]
fn pages_past_an_empty_segment_are_referenced() {
    let space = four_pages();
    let segments = [IoVec::new(0, 0), IoVec::new(0x10000, 8)];
    let mut iter = Iter::<Source>::iovec(&space, &segments, 8).unwrap();
    assert_eq!(references(&space, &mut iter, (8, 16), 1), range(0, 8));

    // Linux 6.x does not skip an empty page segment, and leaks a reference or fails.
    let page = TestPage::run(1);
    let segments =
        [BioVec::new(page.clone(), 5, 0).unwrap(), BioVec::new(page.clone(), 8, 4).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 4).unwrap();
    assert_eq!(iter.get_pages(8, 16, &mut Pages::new()), Ok(range(8, 4)));
    assert_eq!(page.references(), 3);
}

#[cfg(feature = "alloc")]
#[test]
fn a_list_grows_to_hold_the_pages() {
    let space = four_pages();
    let mut list = Vec::new();
    let mut iter = Iter::<Source>::iovec(&space, &T1, 0x2020).unwrap();
    assert_eq!(iter.get_pages(0x2020, usize::MAX, &mut list), Ok(range(0xff0, 0x2020)));
    assert_eq!((list.len(), space.held()), (4, (4, 0)));
    drop(list);
    assert_eq!(space.held(), (0, 0));

    let page = TestPage::run(1);
    let segments = [BioVec::new(page, 0x200, 0x600).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 0x600).unwrap();
    iter.advance(0x100);
    let mut list = Vec::new();
    assert_eq!(iter.get_pages(0x400, usize::MAX, &mut list), Ok(range(0x300, 0x400)));
    assert_eq!(list.len(), 1);

    let mut iter = Iter::<Source>::kvec(&[], 0).unwrap();
    let mut list = Vec::new();
    assert_eq!(iter.get_pages(8, usize::MAX, &mut list), Err(Error::NoPages));
    assert_eq!(list.capacity(), 0);
}

#[test]
fn kinds_without_pages_are_refused() {
    let segments = [KVec::from(&[0; 8][..])];
    let mut kvec = Iter::<Source>::kvec(&segments, 8).unwrap();
    let mut list = Pages::new();
    assert_eq!(kvec.get_pages(8, 16, &mut list).map_err(Error::errno), Err(14));
    assert_eq!((kvec.remaining(), list.len()), (8, 0));
    let mut discard = Iter::<Dest>::discard(8);
    assert_eq!(discard.get_pages(8, 16, &mut list).map_err(Error::errno), Err(14));
    assert_eq!(discard.extract_pages(8, 16, &mut list).map_err(Error::errno), Err(14));
    assert_eq!(discard.remaining(), 8);
}

#[test]
fn pages_are_asked_for_as_the_direction_needs() {
    // Writable unless data flows out, and without faulting if so set.
    let space = four_pages();
    space.set_resident(0x11000, false);
    let mut dest = Iter::<Dest>::iovec(&space, &T1, 0x2020).unwrap();
    dest.set_page_flags(PageFlags::NOFAULT);
    assert_eq!(dest.get_pages(0x2020, 16, &mut Pages::new()), Ok(range(0xff0, 0x10)));
    assert_eq!(space.page_flags(), Some(PageFlags::NOFAULT | PageFlags::WRITE));
    assert_eq!(space.fault_ins(), 0);
    // The page that cannot be had is the first one now: nothing moves.
    assert_eq!(dest.extract_pages(0x2020, 16, &mut Pages::new()), Err(Error::Fault));
    assert_eq!(place(&dest), at(0, 0x10, 1, 0x2010));

    let mut source = Iter::<Source>::iovec(&space, &T1, 0x2020).unwrap();
    // The direction decides, not the caller.
    source.set_page_flags(PageFlags::WRITE | PageFlags::ALLOW_P2PDMA);
    assert_eq!(source.get_pages(0x2020, 16, &mut Pages::new()), Ok(range(0xff0, 0x2020)));
    assert_eq!(space.page_flags(), Some(PageFlags::ALLOW_P2PDMA));
    assert_eq!(space.fault_ins(), 1);
}

#[test]
fn extraction_pins_user_pages() {
    let space = four_pages();
    let mut iter = Iter::<Dest>::iovec(&space, &T1, 0x2020).unwrap();
    assert!(iter.extract_will_pin());
    let mut list = Pages::new();
    assert_eq!(iter.extract_pages(0x2020, 3, &mut list), Ok(range(0xff0, 0x2010)));
    assert_eq!(place(&iter), at(0, 0x2010, 1, 0x10));
    assert_eq!(space.held(), (0, 3));
    for (page, address) in list.iter().zip([0x10000, 0x11000, 0x12000]) {
        assert_eq!(page.retention(), Retention::Pinned);
        let (held, index) = page.page().unwrap();
        assert!(held.is(&space.page(address), 0) && index == 0);
    }
    assert_eq!(held_bytes(&list, range(0xff0, 0x2010)), space.peek(0x10ff0, 0x2010));
    // Reverting gives nothing back; dropping does.
    iter.revert(0x2010).unwrap();
    assert_eq!(space.held(), (0, 3));
    drop(list);
    assert_eq!(space.held(), (0, 0));
}

/// Extracts from page segments given as (page, offset, length); each page is another one.
fn extract(
    ranges: &[(usize, u32, u32)],
    off: usize,
    max_pages: usize,
) -> (PageRange, Vec<(usize, usize)>) {
    let runs: Vec<_> = ranges.iter().map(|(pages, _, _)| TestPage::run(*pages)).collect();
    let bvec = |(run, (_, offset, len)): (&TestPage, &(usize, u32, u32))| {
        run.fill(0, &pattern(run.all_bytes().len()));
        BioVec::new(run.clone(), *offset, *len).unwrap()
    };
    let segments: Vec<_> = runs.iter().zip(ranges).map(bvec).collect();
    let total = ranges.iter().map(|(_, _, len)| *len as usize).sum::<usize>();
    let mut iter = Iter::<Source>::bvec(&segments, total).unwrap();
    iter.advance(off);
    let mut ahead = iter.clone();
    let mut list = Pages::new();
    let range = iter.extract_pages(total, max_pages, &mut list).unwrap();
    assert!(!iter.extract_will_pin());
    assert_eq!(iter.remaining(), total - off - range.len);
    let mut copied = vec![0; range.len];
    assert_eq!(ahead.copy_from_iter(&mut copied), range.len);
    assert_eq!(held_bytes(&list, range), copied);
    let which = |page: &HeldPage<'_, TestPage>| {
        assert_eq!(page.retention(), Retention::None);
        let (run, index) = page.page().unwrap();
        (runs.iter().position(|known| run.is(known, 0)).unwrap(), index)
    };
    let pages = list.iter().map(which).collect();
    // Nothing was taken: the segments hold one reference, and `runs` another.
    assert!(runs.iter().all(|run| (run.references(), run.pins()) == (2, 0)));
    (range, pages)
}

#[test]
fn extraction_goes_on_where_pages_follow_pages() {
    let ranges = [(1, 0xff0, 0x10), (1, 0, 0x1000), (1, 0, 0x800)];
    assert_eq!(extract(&ranges, 0, 2), (range(0xff0, 0x1010), vec![(0, 0), (1, 0)]));
    // Linux stops there whatever the room; see below.
    assert_eq!(extract(&ranges, 0, 16), (range(0xff0, 0x1810), vec![(0, 0), (1, 0), (2, 0)]));
}

#[test]
fn extraction_stops_where_a_segment_ends_inside_a_page() {
    let ranges = [(1, 0xff0, 8), (1, 0, 0x1000)];
    assert_eq!(extract(&ranges, 0, 16), (range(0xff0, 8), vec![(0, 0)]));
}

#[test]
fn extraction_stops_where_a_segment_begins_inside_a_page() {
    let ranges = [(1, 0xff0, 0x10), (1, 0x10, 0x10)];
    assert_eq!(extract(&ranges, 0, 16), (range(0xff0, 0x10), vec![(0, 0)]));
}

#[test]
fn extraction_is_limited_by_the_room_alone() {
    // Linux lists one page: its limit leaves out where in its page the segment begins.
    let both = vec![(0, 0), (0, 1)];
    assert_eq!(extract(&[(2, 0xfff, 2)], 0, 16), (range(0xfff, 2), both.clone()));
    assert_eq!(extract(&[(2, 0xfff, 2)], 0, 1), (range(0xfff, 1), vec![(0, 0)]));
    let ranges = [(1, 0xfff, 1), (1, 0, 1)];
    assert_eq!(extract(&ranges, 0, 16), (range(0xfff, 2), vec![(0, 0), (1, 0)]));
    assert_eq!(extract(&[(2, 0xffe, 3)], 1, 16), (range(0xfff, 2), both));
}

#[test]
fn extraction_begins_inside_a_run() {
    assert_eq!(extract(&[(3, 0, 0x3000)], 0x800, 2), (range(0x800, 0x1800), vec![(0, 0), (0, 1)]));
}

#[test]
fn extraction_of_kernel_memory_takes_nothing() {
    let mut memory = Aligned::new(5);
    memory.copy_from_slice(&pattern(0x5000));
    let segments = [KVec::from(&memory[5..5]), KVec::from(&memory[0xff0..0x3010])];
    let mut iter = Iter::<Source>::kvec(&segments, 0x2020).unwrap();
    let mut list = Pages::new();
    assert_eq!(iter.extract_pages(0x2020, 3, &mut list), Ok(range(0xff0, 0x2010)));
    for (page, start) in list.iter().zip([0, 0x1000, 0x2000]) {
        assert_eq!(page.retention(), Retention::None);
        assert_eq!(page.map(|address| address.addr().get()), Some(memory[start..].as_ptr().addr()));
    }
    assert_eq!(held_bytes(&list, range(0xff0, 0x2010)), memory[0xff0..0x3000]);
    assert_eq!(place(&iter), at(1, 0x2010, 1, 0x10));
}

#[test]
fn each_page_segment_is_one_entry() {
    let (p, q) = (TestPage::run(1), TestPage::run(2));
    let segments =
        [BioVec::new(p.clone(), 0xff0, 0x10).unwrap(), BioVec::new(q.clone(), 0, 0x1800).unwrap()];
    let mut iter = Iter::<Source>::bvec(&segments, 0x1810).unwrap();
    let mut list = Entries::new();
    assert_eq!(iter.extract_to_scatter_list(0x1810, 4, &mut list), Ok(0x1810));
    let ranges: Vec<_> = list.iter().map(|entry| (entry.offset, entry.len)).collect();
    assert_eq!(ranges, [(0xff0, 0x10), (0, 0x1800)]);
    assert!(list[0].page.page().unwrap().0.is(&p, 0) && list[1].page.page().unwrap().0.is(&q, 0));
    assert_eq!(place(&iter), at(2, 0, 0, 0));
}

#[test]
fn entries_run_out() {
    let page = TestPage::run(2);
    let segments = [
        BioVec::new(page.clone(), 0xff0, 0x10).unwrap(),
        BioVec::new(page.clone(), 0, 0x1800).unwrap(),
    ];
    let mut iter = Iter::<Source>::bvec(&segments, 0x1810).unwrap();
    let mut list = Entries::new();
    assert_eq!(iter.extract_to_scatter_list(0x1810, 0, &mut list), Ok(0));
    assert_eq!(iter.extract_to_scatter_list(0x1810, 1, &mut list), Ok(0x10));
    assert_eq!(list.len(), 1);
    assert_eq!(place(&iter), at(1, 0, 1, 0x1800));
}

#[test]
fn each_page_of_kernel_memory_is_one_entry() {
    let mut memory = Aligned::new(4);
    memory.copy_from_slice(&pattern(0x4000));
    let segments = [KVec::from(&memory[0xff0..0x2010])];
    let mut iter = Iter::<Source>::kvec(&segments, 0x1020).unwrap();
    let mut list = Entries::new();
    assert_eq!(iter.extract_to_scatter_list(0x1020, 16, &mut list), Ok(0x1020));
    // 6.18 wrongly stores 0x1020, 0x1010, 0x10.
    let ranges: Vec<_> = list.iter().map(|entry| (entry.offset, entry.len)).collect();
    assert_eq!(ranges, [(0xff0, 0x10), (0, 0x1000), (0, 0x10)]);
    let bytes: Vec<_> = list.iter().flat_map(entry_bytes).collect();
    assert_eq!(bytes, memory[0xff0..0x2010]);
}

#[test]
fn scatter_list_of_user_memory_is_pinned() {
    let space = four_pages();
    let segments = [IoVec::new(0x10ff0, 0x20), IoVec::new(0x12008, 8)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, 0x28).unwrap();
    let mut list = Entries::new();
    // More than the count is cut; Linux rolls back and returns 0.
    assert_eq!(iter.extract_to_scatter_list(0x30, 16, &mut list), Ok(0x28));
    let ranges: Vec<_> = list.iter().map(|entry| (entry.offset, entry.len)).collect();
    assert_eq!(ranges, [(0xff0, 0x10), (0, 0x10), (8, 8)]);
    assert_eq!(space.held(), (0, 3));
    drop(list);
    assert_eq!(space.held(), (0, 0));
}

/// A failure of the second segment, with an entry in the list already.
fn scatter_failure<D: Direction>() {
    let space = UserSpace::resident(&[0x10000, 0x11000, 0x20000]);
    let segments = [IoVec::new(0x10ff0, 0x20), IoVec::new(0x30000, 8)];
    let mut before = Iter::<D>::ubuf(&space, 0x20010, 4);
    let mut list = Entries::new();
    assert_eq!(before.extract_to_scatter_list(4, 16, &mut list), Ok(4));

    let mut iter = Iter::<D>::iovec(&space, &segments, 0x28).unwrap();
    // Entries of this call are unpinned and removed. The cursor stays advanced in
    // Linux; here it stands where it stood.
    assert_eq!(iter.extract_to_scatter_list(0x28, 16, &mut list), Err(Error::Fault));
    assert_eq!(place(&iter), at(0, 0, 2, 0x28));
    assert_eq!((list.len(), list[0].offset, list[0].len), (1, 0x10, 4));
    assert_eq!(space.held(), (0, 1));
    assert_eq!(iter.extract_to_scatter_list(0x20, 16, &mut list), Ok(0x20));
    assert_eq!(space.held(), (0, 3));
}

#[test]
fn scatter_list_failure_gives_everything_back() {
    scatter_failure::<Source>();
    scatter_failure::<Dest>();
}

#[test]
fn scatter_list_of_discarded_memory_is_refused() {
    let mut iter = Iter::<Dest>::discard(8);
    let result = iter.extract_to_scatter_list(8, 16, &mut Entries::new());
    assert_eq!(result.map_err(Error::errno), Err(5));
    assert_eq!(iter.remaining(), 8);
}

#[test]
fn held_pages_become_segments_again() {
    let page = TestPage::run(3);
    page.write_at(4000, Piece::from(&[7; 200][..])).unwrap();
    let segments = [BioVec::new(page.clone(), 4000, 200).unwrap()];
    let mut entries = Entries::new();
    let mut iter = Iter::<Source>::bvec(&segments, 200).unwrap();
    assert_eq!((iter.page_size(), iter.max_count()), (4096, 0x7fff_f000));
    assert_eq!(iter.extract_to_scatter_list(200, 9, &mut entries), Ok(200));
    let again = [entries[0].to_bio_vec().unwrap()];
    assert_eq!(page.references(), 3);
    let mut bytes = [0; 200];
    assert_eq!(Iter::<Source>::bvec(&again, 200).unwrap().copy_from_iter(&mut bytes), 200);
    assert_eq!(bytes, [7; 200]);

    // Bytes of the second page of the run: one page follows.
    let mut pages = Pages::new();
    let mut iter = Iter::<Source>::bvec(&segments, 200).unwrap();
    iter.advance(96);
    assert_eq!(iter.extract_pages(104, 9, &mut pages), Ok(PageRange::new(0, 104)));
    assert_eq!(pages[0].to_bio_vec(4, 8188).map(|segment| segment.len()), Ok(8188));
    assert_eq!(pages[0].to_bio_vec(5, 8188).map(|_| ()), Err(Error::OutOfRange));
    assert_eq!(pages[0].to_bio_vec(usize::MAX, 1).map(|_| ()), Err(Error::OutOfRange));

    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut pages = Pages::new();
    Iter::<Source>::ubuf(&space, 0x1000, 9).extract_pages(9, 1, &mut pages).unwrap();
    assert_eq!(pages[0].to_bio_vec(0, 9).map(|segment| segment.len()), Ok(9));
    let segments = [KVec::from(b"addressable")];
    let mut pages = Pages::new();
    Iter::<Source>::kvec(&segments, 9).unwrap().extract_pages(9, 1, &mut pages).unwrap();
    assert_eq!(pages[0].to_bio_vec(0, 9).map(|_| ()), Err(Error::NoPages));
}
