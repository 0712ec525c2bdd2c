//! Worked examples of extracting segments of contiguous pages.

use crate::model::{Aligned, Iter, TestPage, UserSpace, at, pattern, place};
use heapless::Vec as List;
use iov_iter::{BioVec, Dest, Error, HeldPage, IoVec, KVec, Page, PageSegment, Source};

type Pages<'a> = List<HeldPage<'a, TestPage>, 16>;
type Segments = List<PageSegment, 16>;

/// Five pages of user memory, of which the first four are one run.
fn user() -> UserSpace {
    let space = UserSpace::new();
    space.add_run(0x10000, 4);
    space.add(0x14000, 1, true);
    space.poke(0x10000, &pattern(0x5000));
    space
}

fn told(segments: &[PageSegment]) -> Vec<(usize, usize, usize, usize)> {
    segments.iter().map(|s| (s.first, s.pages, s.offset, s.len)).collect()
}

#[test]
fn pages_of_one_run_are_one_segment() {
    let space = user();
    let mut iter = Iter::<Source>::ubuf(&space, 0x10200, 0x4e00);
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(
        iter.extract_to_segments(usize::MAX, 16, 511, &mut pages, &mut segments),
        Ok(0x4e00)
    );
    assert_eq!(told(&segments), [(0, 4, 0x200, 0x3e00), (4, 1, 0, 0x1000)]);
    assert_eq!((pages.len(), space.held(), iter.remaining()), (5, (0, 5), 0));
    let bvec = segments[0].to_bio_vec(&pages).unwrap();
    assert_eq!((bvec.offset(), bvec.len()), (0x200, 0x3e00));
    drop((pages, bvec));
    assert_eq!(space.held(), (0, 0));
}

#[test]
fn a_page_joins_only_bytes_that_end_where_it_begins() {
    let space = user();
    let iovecs = [(0x10000, 0x800), (0x11000, 0x1000), (0x12000, 0x100)];
    let iovecs = iovecs.map(|(base, len)| IoVec::new(base, len));
    let mut iter = Iter::<Source>::iovec(&space, &iovecs, 0x1900).unwrap();
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    let extracted = iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments);
    assert_eq!(extracted, Ok(0x1900));
    assert_eq!(told(&segments), [(0, 1, 0, 0x800), (1, 2, 0, 0x1100)]);
}

#[test]
fn pages_of_two_runs_that_follow_each_other_are_one_segment() {
    let run = TestPage::run(5);
    let (second, fourth) = (run.nth(1).unwrap(), run.nth(3).unwrap());
    let bvecs = [(second, 0x200, 0x1e00), (fourth, 0, 0x2000), (run, 0, 0x1000)]
        .map(|(page, offset, len)| BioVec::new(page, offset, len).unwrap());
    let mut iter = Iter::<Source>::bvec(&bvecs, 0x4e00).unwrap();
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    let extracted = iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments);
    assert_eq!(extracted, Ok(0x4e00));
    assert_eq!(told(&segments), [(0, 4, 0x200, 0x3e00), (4, 1, 0, 0x1000)]);
}

#[test]
fn a_page_that_does_not_fit_is_unpinned() {
    let space = user();
    let mut iter = Iter::<Source>::ubuf(&space, 0x10200, 0x4e00);
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(iter.extract_to_segments(usize::MAX, 1, 0, &mut pages, &mut segments), Ok(0x3e00));
    assert_eq!((told(&segments), pages.len()), (vec![(0, 4, 0x200, 0x3e00)], 4));
    assert_eq!((space.held(), iter.remaining()), ((0, 4), 0x1000));
    // The next request gets the rest.
    assert_eq!(iter.extract_to_segments(usize::MAX, 1, 0, &mut pages, &mut segments), Ok(0x1000));
    assert_eq!(told(&segments)[1..], [(4, 1, 0, 0x1000)]);
}

#[test]
fn memory_of_two_devices_is_not_in_one_request() {
    let space = user();
    space.page(0x12000).move_to_device(1);
    space.page(0x13000).move_to_device(1);
    let mut iter = Iter::<Dest>::ubuf(&space, 0x10000, 0x4000);
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments), Ok(0x2000));
    assert_eq!((told(&segments), space.held()), (vec![(0, 2, 0, 0x2000)], (0, 2)));
    // Nothing goes with what is there.
    assert_eq!(iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments), Ok(0));
    assert_eq!((segments.len(), space.held(), iter.remaining()), (1, (0, 2), 0x2000));
    pages.clear();
    segments.clear();
    assert_eq!(iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments), Ok(0x2000));
    assert_eq!((told(&segments), space.held()), (vec![(0, 2, 0, 0x2000)], (0, 2)));
}

#[test]
fn the_mask_holds_for_every_kind_before_anything_is_pinned() {
    let space = user();
    let iovecs = [IoVec::new(0x10000, 0x1200), IoVec::new(0x12001, 0x200), IoVec::new(0x13000, 9)];
    let mut user = Iter::<Source>::iovec(&space, &iovecs, 0x1409).unwrap();
    let extract = |iter: &mut Iter<'_, Source>, mask| {
        let (mut pages, mut segments) = (Pages::new(), Segments::new());
        iter.extract_to_segments(usize::MAX, 16, mask, &mut pages, &mut segments)
    };
    assert_eq!(extract(&mut user, 511), Ok(0x1200));
    // Its address is odd.
    assert_eq!(extract(&mut user, 1), Err(Error::Misaligned));
    assert_eq!((place(&user), space.held()), (at(1, 0, 2, 0x209), (0, 0)));
    user.advance(0x200);
    // Its length is.
    assert_eq!(extract(&mut user, 1), Err(Error::Misaligned));
    assert_eq!(extract(&mut user, 0), Ok(9));

    let run = TestPage::run(2);
    let bvecs =
        [(512, 4608), (513, 1024)].map(|(at, len)| BioVec::new(run.clone(), at, len).unwrap());
    let mut bvec = Iter::<Source>::bvec(&bvecs, 5632).unwrap();
    assert_eq!(extract(&mut bvec, 511), Ok(4608));
    assert_eq!(extract(&mut bvec, 511), Err(Error::Misaligned));

    let memory = Aligned::new(3);
    let kvecs = [KVec::from(&memory[..8192]), KVec::from(&memory[4..516])];
    let mut kvec = Iter::<Source>::kvec(&kvecs, 8704).unwrap();
    // The mask may be wider than a page: only pieces are checked, not each page.
    let wide = kvecs[0].as_ptr().addr().trailing_zeros().min(13);
    let mask = (1 << wide) - 1;
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(kvec.extract_to_segments(4096, 16, mask, &mut pages, &mut segments), Ok(4096));
    assert_eq!(extract(&mut kvec, 511), Ok(4096));
    assert_eq!(extract(&mut kvec, 7), Err(Error::Misaligned));
    assert_eq!(extract(&mut kvec, 3), Ok(512));
    for no_mask in [2, 4, 6, 510, usize::MAX - 1] {
        assert_eq!(extract(&mut kvec, no_mask), Err(Error::OutOfRange));
    }
    let mut nothing = Iter::<Dest>::discard(5);
    let refused = nothing.extract_to_segments(9, 9, 7, &mut pages, &mut segments);
    assert_eq!((refused, nothing.remaining()), (Err(Error::NoPages), 5));
}

#[test]
fn what_was_extracted_before_a_fault_stays() {
    let space = UserSpace::new();
    space.add_run(0x10000, 2);
    let iovecs = [IoVec::new(0x10010, 0x1000), IoVec::new(0x20000, 0x1000)];
    let mut iter = Iter::<Source>::iovec(&space, &iovecs, 0x2000).unwrap();
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments), Ok(0x1000));
    assert_eq!(told(&segments), [(0, 2, 0x10, 0x1000)]);
    let failed = iter.extract_to_segments(usize::MAX, 16, 0, &mut pages, &mut segments);
    assert_eq!((failed, segments.len(), space.held()), (Err(Error::Fault), 1, (0, 2)));
    assert_eq!(place(&iter), at(1, 0, 1, 0x1000));
}

#[test]
fn a_host_that_gives_few_pages_is_asked_again() {
    let space = user();
    space.hand_out_at_most(1);
    let mut iter = Iter::<Source>::ubuf(&space, 0x10000, 0x5000);
    let (mut pages, mut segments) = (Pages::new(), Segments::new());
    assert_eq!(iter.extract_to_segments(0x4100, 16, 0, &mut pages, &mut segments), Ok(0x4100));
    assert_eq!(told(&segments), [(0, 4, 0, 0x4000), (4, 1, 0, 0x100)]);
}
