//! Pages that are looked up by their position: holes, wrong answers, the ends of a file.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::model::{Iter, TestPage, held_bytes};
use heapless::Vec as List;
use iov_iter::{
    Dest, Error, FoundPages, HeldPage, KVec, Kind, PageLookup, PageRange, Retention, ScatterEntry,
    Source,
};

/// Runs of pages with their first positions.
struct File {
    runs: Vec<(u64, TestPage)>,
    asked: AtomicUsize,
}

// SAFETY: each test has one thread.
unsafe impl Sync for File {}

impl File {
    fn new(runs: &[(u64, usize)]) -> Self {
        let run = |(start, pages): &(u64, usize)| {
            let run = TestPage::run(*pages);
            for page in 0..*pages {
                run.fill(page * 4096, &[(start / 4096) as u8 + page as u8; 4096]);
            }
            (*start, run)
        };
        Self { runs: runs.iter().map(run).collect(), asked: AtomicUsize::new(0) }
    }
}

impl PageLookup<TestPage> for File {
    fn find(&self, position: u64) -> Option<FoundPages<TestPage>> {
        self.asked.fetch_add(1, Relaxed);
        let (start, pages) = self.runs.iter().rfind(|(start, _)| *start <= position)?;
        Some(FoundPages { start: *start, pages: pages.clone() })
    }
}

/// Pages 16 and 17 in one run, 18 in another, then a hole.
const RUNS: [(u64, usize); 2] = [(0x10000, 2), (0x12000, 1)];

#[test]
fn a_copy_ends_at_a_hole() {
    let file = File::new(&RUNS);
    let mut iter = Iter::<Source>::lookup(&file, 0x10ffe, 0x5000);
    assert_eq!((iter.kind(), iter.is_user_backed()), (Kind::Lookup, false));
    let mut bytes = vec![0; 0x5000];
    assert_eq!(iter.copy_from_iter(&mut bytes), 0x2002);
    assert_eq!((bytes[1], bytes[2], bytes[0x1002], bytes[0x2001]), (16, 17, 18, 18));
    assert_eq!((iter.remaining(), iter.copy_from_iter(&mut bytes)), (0x2ffe, 0));
    assert_eq!(iter.copy_from_iter_full(&mut bytes[..1]), Err(Error::Exhausted));
    assert_eq!((iter.first_segment_len(), iter.npages(9), iter.alignment()), (0, 0, 0));
    // Moves pass over holes; the way back ends where the iterator began.
    assert_eq!(iter.advance(0x2ffe), 0x2ffe);
    assert_eq!(iter.revert(0x5001), Err(Error::RevertPastStart));
    assert_eq!(iter.revert(0x5000), Ok(()));
    assert_eq!((iter.span(0, 0x5000, 1), iter.span(1, 0x5000, 2)), (0x1002, 0x2001));
    assert_eq!((iter.npages(9), iter.segment_count()), (3, 2));
    // A run is asked for once.
    file.asked.store(0, Relaxed);
    assert_eq!(iter.copy_from_iter(&mut bytes[..0x2002]), 0x2002);
    assert_eq!(file.asked.load(Relaxed), 2);
}

#[test]
fn a_page_of_another_position_is_none() {
    struct Wrong(u64, TestPage);
    // SAFETY: one thread.
    unsafe impl Sync for Wrong {}
    impl PageLookup<TestPage> for Wrong {
        fn find(&self, _: u64) -> Option<FoundPages<TestPage>> {
            Some(FoundPages { start: self.0, pages: self.1.clone() })
        }
    }
    let page = TestPage::run(1);
    for (start, copied) in
        [(0, 0), (0x4000, 0x1000), (0x4001, 0), (0x3001, 1), (0x3000, 0), (!0, 0)]
    {
        let file = Wrong(start, page.clone());
        let mut iter = Iter::<Dest>::lookup(&file, 0x4000, 0x2000);
        assert_eq!((iter.zero(0x2000), iter.remaining()), (copied, 0x2000 - copied));
    }
    // No position exceeds the largest.
    let file = Wrong(u64::MAX - 1, page);
    let mut iter = Iter::<Dest>::lookup(&file, u64::MAX - 1, 100);
    assert_eq!((iter.zero(50), iter.zero(50)), (50, 0));
}

#[test]
fn pages_are_referenced() {
    let file = File::new(&RUNS);
    let mut iter = Iter::<Source>::lookup(&file, 0x10800, 0x5000);
    let mut pages = List::<HeldPage<'_, TestPage>, 4>::new();
    // The pages of one run; those that follow on.
    let range = iter.clone().get_pages(usize::MAX, 9, &mut pages).unwrap();
    assert_eq!((range, pages.len()), (PageRange::new(0x800, 0x1800), 2));
    pages.clear();
    let range = iter.extract_pages(0x2001, 9, &mut pages).unwrap();
    assert_eq!((range, pages.len()), (PageRange::new(0x800, 0x2001), 3));
    assert!(pages.iter().all(|page| page.retention() == Retention::Referenced));
    assert_eq!(held_bytes(&pages, range)[0x1800..], [18; 0x801]);
    assert_eq!(file.runs[1].1.references(), 2);
    drop(pages);
    assert_eq!(file.runs[1].1.references(), 1);
    let mut entries = List::<ScatterEntry<'_, TestPage>, 4>::new();
    iter.revert(0x1901).unwrap();
    assert_eq!(iter.extract_to_scatter_list(usize::MAX, 9, &mut entries), Ok(0x2100));
    let told: Vec<_> = entries.iter().map(|entry| (entry.offset, entry.len)).collect();
    assert_eq!(told, [(0xf00, 0x1100), (0, 0x1000)]);
}

#[test]
fn a_run_that_goes_on_inside_a_page_is_not_joined() {
    // Page 16; what follows it is 0x800 bytes into a run.
    let file = File::new(&[(0x10000, 1), (0x10800, 2)]);
    let iter = Iter::<Source>::lookup(&file, 0x10000, 0x2000);
    let mut pages = List::<HeldPage<'_, TestPage>, 4>::new();
    assert_eq!(iter.clone().copy_from_iter(&mut [0; 0x1800]), 0x1800);
    let range = iter.clone().extract_pages(0x2000, 9, &mut pages).unwrap();
    assert_eq!((range, pages.len()), (PageRange::new(0, 0x1000), 1));
}

#[test]
fn the_position_in_the_file_moves_with_the_bytes() {
    let file = File::new(&RUNS);
    let mut iter = Iter::<Source>::lookup(&file, 0x10ffe, 0x5000);
    let position = |iter: &Iter<'_, Source>| match iter {
        Iter::Lookup(cursor) => cursor.file_position(),
        _ => panic!("a lookup"),
    };
    assert_eq!(position(&iter), 0x10ffe);
    iter.advance(3);
    assert_eq!(position(&iter), 0x11001);
    let mut last = Iter::<Source>::lookup(&file, u64::MAX - 1, 9);
    last.advance(9);
    assert_eq!(position(&last), u64::MAX);
}

#[test]
fn states_are_of_one_file_and_position() {
    let (file, other) = (File::new(&RUNS), File::new(&RUNS));
    let mut iter = Iter::<Source>::lookup(&file, 0x10000, 0x100);
    let state = iter.save();
    iter.truncate(9);
    assert_eq!(iter.reexpand(0x101), Err(Error::ExpandPastEnd));
    iter.advance(5);
    assert_eq!((iter.restore(&state), iter.remaining()), (Ok(()), 0x100));
    for foreign in [Iter::lookup(&other, 0x10000, 0x100), Iter::lookup(&file, 0x10001, 0x100)] {
        assert_eq!(iter.restore(&foreign.save()), Err(Error::ForeignState));
    }
    let bytes = [0; 2];
    let segments = [KVec::from(&bytes)];
    assert_eq!(iter.restore(&Iter::kvec(&segments, 2).unwrap().save()), Err(Error::ForeignState));
}
