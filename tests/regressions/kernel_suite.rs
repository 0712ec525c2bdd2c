//! The cases of the kernel's own suite, `kunit_iov_iter`, with its ranges and totals.

use std::ops::Range;

use crate::model::{Aligned, Iter, TestPage, UserSpace, entry_bytes, held_bytes, pattern, place};
use heapless::Vec as List;
use iov_iter::segment::{Chain, ChainNode};
use iov_iter::{BioVec, Dest, FoundPages, HeldPage, KVec, Page, PageLookup, ScatterEntry, Source};

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;

const KVEC: [Range<usize>; 8] = [
    0x2..0x2,
    0x27..0x3000,
    0x5193..0x18794,
    0x20000..0x20000,
    0x20000..0x24000,
    0x24000..0x27001,
    0x29000..0xffffb,
    0xffffd..0xffffe,
];
const KVEC_TOTAL: usize = 1000919;

/// Page number, and the bytes of the page.
const BVEC: [(usize, Range<usize>); 8] = [
    (0, 2..2),
    (1, 0x27..0x893),
    (2, 0x193..0x794),
    (3, 0..0x1000),
    (4, 0..0x1000),
    (5, 0..0x1000),
    (6, 0..0xffb),
    (6, 0xffd..0xffe),
];
const BVEC_TOTAL: usize = 20073;

/// The page ranges in bytes of the buffer, with physical neighbours merged.
fn merged() -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (page, range) in BVEC {
        let range = page * PAGE + range.start..page * PAGE + range.end;
        match ranges.last_mut() {
            Some(last) if last.end == range.start && range.start % PAGE == 0 => {
                last.end = range.end;
            }
            _ => ranges.push(range),
        }
    }
    ranges
}

fn bvecs(run: &TestPage, ranges: &[Range<usize>]) -> Vec<BioVec<TestPage>> {
    let bvec = |range: &Range<usize>| {
        // The segment's own page is the one that it begins in, as after merging.
        let page = run.nth(range.start / PAGE).unwrap();
        BioVec::new(page, (range.start % PAGE) as u32, range.len() as u32).unwrap()
    };
    ranges.iter().map(bvec).collect()
}

/// The buffer of `len` bytes in which `ranges` hold `data`, and the gaps `gap`.
fn image(len: usize, ranges: &[Range<usize>], data: &[u8], gap: u8) -> Vec<u8> {
    let mut image = vec![gap; len];
    let mut rest = data;
    for range in ranges {
        let (now, after) = rest.split_at(range.len());
        image[range.clone()].copy_from_slice(now);
        rest = after;
    }
    image
}

fn concatenated(buffer: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    ranges.iter().map(|range| &buffer[range.clone()]).collect::<Vec<_>>().concat()
}

#[test]
fn totals() {
    assert_eq!(KVEC.iter().map(Range::len).sum::<usize>(), KVEC_TOTAL);
    assert_eq!(KVEC_TOTAL, 0xf45d7);
    assert_eq!(BVEC.iter().map(|(_, range)| range.len()).sum::<usize>(), BVEC_TOTAL);
    assert_eq!(merged().iter().map(Range::len).sum::<usize>(), BVEC_TOTAL);
    assert_eq!((BVEC_TOTAL, merged().len()), (0x4e69, 5));
}

#[test]
fn copy_to_kvec() {
    let data = pattern(KVEC_TOTAL);
    let mut buffer = vec![0xee; MIB];
    let mut rest = &mut buffer[..];
    let mut segments = Vec::new();
    let mut taken = 0;
    for range in KVEC {
        let (_, after) = rest.split_at_mut(range.start - taken);
        let (segment, after) = after.split_at_mut(range.len());
        (rest, taken) = (after, range.end);
        segments.push(KVec::from(segment));
    }
    let mut iter = Iter::<Dest>::kvec(&segments, KVEC_TOTAL).unwrap();
    assert_eq!(iter.copy_to_iter(&data), KVEC_TOTAL);
    assert_eq!((iter.remaining(), iter.segment_count()), (0, 0));
    drop(segments);
    assert!(buffer == image(MIB, &KVEC, &data, 0xee));
}

#[test]
fn copy_from_kvec() {
    let buffer = pattern(MIB);
    let segments = KVEC.map(|range| KVec::from(&buffer[range]));
    let mut iter = Iter::<Source>::kvec(&segments, KVEC_TOTAL).unwrap();
    let mut copied = vec![0; MIB];
    assert_eq!(iter.copy_from_iter(&mut copied), KVEC_TOTAL);
    assert_eq!((iter.remaining(), iter.segment_count()), (0, 0));
    copied.truncate(KVEC_TOTAL);
    assert!(copied == concatenated(&buffer, &KVEC));
}

#[test]
fn copy_to_bvec() {
    let data = pattern(BVEC_TOTAL);
    let run = TestPage::<PAGE>::run(8);
    run.fill(0, &[0xee; 8 * PAGE]);
    let segments = bvecs(&run, &merged());
    let mut iter = Iter::<Dest>::bvec(&segments, BVEC_TOTAL).unwrap();
    assert_eq!(iter.copy_to_iter(&data), BVEC_TOTAL);
    assert_eq!((iter.remaining(), iter.segment_count()), (0, 0));
    assert!(run.all_bytes() == image(8 * PAGE, &merged(), &data, 0xee));
}

#[test]
fn copy_from_bvec() {
    let buffer = pattern(8 * PAGE);
    let run = TestPage::<PAGE>::with_bytes(&buffer);
    let segments = bvecs(&run, &merged());
    let mut iter = Iter::<Source>::bvec(&segments, BVEC_TOTAL).unwrap();
    let mut copied = vec![0; 8 * PAGE];
    assert_eq!(iter.copy_from_iter(&mut copied), BVEC_TOTAL);
    assert_eq!((iter.remaining(), iter.segment_count()), (0, 0));
    copied.truncate(BVEC_TOTAL);
    assert!(copied == concatenated(&buffer, &merged()));
}

/// Extracts all in calls of 100 KiB and 8 pages; the byte string that the pages stand for.
fn extract_all(
    mut iter: Iter<'_, Source>,
    mut check: impl FnMut(&HeldPage<'_, TestPage>, usize, usize),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !iter.is_empty() {
        let before = iter.remaining();
        let mut list = List::<_, 8>::new();
        let range = iter.extract_pages(100 << 10, 8, &mut list).unwrap();
        assert!(range.len > 0 && range.len <= 100 << 10);
        assert!(range.offset < PAGE);
        assert_eq!(iter.remaining(), before - range.len);
        assert_eq!(list.len(), (range.offset + range.len).div_ceil(PAGE));
        for (index, page) in list.iter().enumerate() {
            check(page, bytes.len(), if index == 0 { range.offset } else { index * PAGE });
        }
        bytes.extend(held_bytes(&list, range));
    }
    bytes
}

#[test]
fn extract_pages_kvec() {
    let mut buffer = Aligned::new(MIB / PAGE);
    buffer.copy_from_slice(&pattern(MIB));
    let segments = KVEC.map(|range| KVec::from(&buffer[range]));
    let iter = Iter::<Source>::kvec(&segments, KVEC_TOTAL).unwrap();
    let start = buffer.as_ptr().addr();
    let bytes = extract_all(iter, |page, _, _| {
        let address = page.map(|address| address.addr().get()).unwrap();
        assert_eq!((address - start) % PAGE, 0);
        assert!(address - start < MIB);
    });
    assert!(bytes == concatenated(&buffer, &KVEC));
}

#[test]
fn extract_pages_bvec() {
    let buffer = pattern(8 * PAGE);
    let run = TestPage::with_bytes(&buffer);
    let segments = bvecs(&run, &merged());
    let iter = Iter::<Source>::bvec(&segments, BVEC_TOTAL).unwrap();
    let bytes = extract_all(iter, |page, _, _| {
        let (first, index) = page.page().unwrap();
        assert!((0..8).any(|number| first.nth(index).is_some_and(|p| p.is(&run, number))));
    });
    assert!(bytes == concatenated(&buffer, &merged()));
}

/// All of 1 MiB in four calls: nothing, one entry, all but 16 pages, the tail.
fn scatter_in_four_calls(mut iter: Iter<'_, Source>, total: usize, per_page: bool) -> Vec<u8> {
    let mut list = List::<ScatterEntry<'_, TestPage>, 300>::new();
    assert_eq!(iter.remaining(), total);
    assert_eq!(iter.extract_to_scatter_list(total, 0, &mut list), Ok(0));
    assert_eq!((list.len(), iter.remaining()), (0, total));

    let first = iter.extract_to_scatter_list(total, 1, &mut list).unwrap();
    assert_eq!((list.len(), list[0].len), (1, first));
    assert_eq!(iter.remaining(), total - first);

    let most = iter.remaining() - 16 * PAGE;
    assert_eq!(iter.extract_to_scatter_list(most, 300, &mut list), Ok(most));
    assert_eq!(iter.remaining(), 16 * PAGE);
    assert_eq!(iter.extract_to_scatter_list(16 * PAGE, 300, &mut list), Ok(16 * PAGE));
    assert_eq!(iter.remaining(), 0);

    assert_eq!(list.iter().map(|entry| entry.len).sum::<usize>(), total);
    assert!(list.iter().all(|entry| entry.offset < PAGE && entry.len > 0));
    assert!(!per_page || list.iter().all(|entry| entry.offset + entry.len <= PAGE));
    list.iter().map(entry_bytes).collect::<Vec<_>>().concat()
}

#[test]
fn iter_to_sg_kvec() {
    let mut buffer = Aligned::new(MIB / PAGE);
    buffer.copy_from_slice(&pattern(MIB));
    let segments = [KVec::from(&buffer[..])];
    let iter = Iter::<Source>::kvec(&segments, MIB).unwrap();
    assert!(scatter_in_four_calls(iter, MIB, true) == buffer[..]);
}

#[test]
fn iter_to_sg_kvec_of_the_ranges() {
    let mut buffer = Aligned::new(MIB / PAGE);
    buffer.copy_from_slice(&pattern(MIB));
    let segments = KVEC.map(|range| KVec::from(&buffer[range]));
    let iter = Iter::<Source>::kvec(&segments, KVEC_TOTAL).unwrap();
    assert!(scatter_in_four_calls(iter, KVEC_TOTAL, true) == concatenated(&buffer, &KVEC));
}

#[test]
fn iter_to_sg_bvec() {
    let buffer = pattern(MIB);
    let run = TestPage::with_bytes(&buffer);
    // Whole pages, of which some have been merged with their neighbours.
    let mut ranges = Vec::new();
    let mut at = 0;
    for pages in [1, 3, 7, 1, 20, 96, 128] {
        ranges.push(at..at + pages * PAGE);
        at += pages * PAGE;
    }
    assert_eq!(at, MIB);
    let segments = bvecs(&run, &ranges);
    let iter = Iter::<Source>::bvec(&segments, MIB).unwrap();
    assert!(scatter_in_four_calls(iter, MIB, false) == buffer);
}

#[test]
fn iter_to_sg_ubuf() {
    let buffer = pattern(MIB);
    let space = UserSpace::new();
    space.store(0x10000, &buffer);
    let iter = Iter::<Source>::ubuf(&space, 0x10000, MIB);
    let after = iter.clone();
    assert!(scatter_in_four_calls(iter, MIB, true) == buffer);
    // All pages are unpinned afterwards.
    assert_eq!(space.held(), (0, 0));
    assert_eq!(place(&after).count, MIB);
}

/// The slots of a node in the kernel.
const SLOTS: usize = 13;

/// All pages of a run, one a segment.
fn pages(run: &TestPage) -> Vec<BioVec<TestPage>> {
    let ranges: Vec<_> = (0..run.run_length()).map(|page| page * PAGE..(page + 1) * PAGE).collect();
    bvecs(run, &ranges)
}

fn nodes(segments: &[BioVec<TestPage>]) -> Vec<ChainNode<'_, BioVec<TestPage>>> {
    segments.chunks(SLOTS).map(ChainNode::new).collect()
}

/// A file whose pages are in runs of as many each.
struct File(Vec<TestPage>);

// SAFETY: each test has one thread.
unsafe impl Sync for File {}

impl File {
    fn new(bytes: &[u8], run_pages: usize) -> Self {
        Self(bytes.chunks(run_pages * PAGE).map(TestPage::with_bytes).collect())
    }
}

impl PageLookup<TestPage> for File {
    fn find(&self, position: u64) -> Option<FoundPages<TestPage>> {
        let len = self.0[0].all_bytes().len();
        let index = position as usize / len;
        Some(FoundPages { start: (index * len) as u64, pages: self.0.get(index)?.clone() })
    }
}

#[test]
fn copy_to_bvecq() {
    let data = pattern(BVEC_TOTAL);
    let run = TestPage::<PAGE>::run(8);
    run.fill(0, &[0xee; 8 * PAGE]);
    let segments = bvecs(&run, &merged());
    let mut nodes: Vec<_> = segments.chunks(2).map(ChainNode::new).collect();
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut iter = Iter::<Dest>::bvec_chain(chain, BVEC_TOTAL);
    assert_eq!(iter.copy_to_iter(&data), BVEC_TOTAL);
    assert_eq!((iter.remaining(), iter.segment_count()), (0, 0));
    assert!(run.all_bytes() == image(8 * PAGE, &merged(), &data, 0xee));
}

#[test]
fn copy_from_bvecq() {
    let buffer = pattern(8 * PAGE);
    let run = TestPage::<PAGE>::with_bytes(&buffer);
    let segments = bvecs(&run, &merged());
    let mut nodes: Vec<_> = segments.chunks(2).map(ChainNode::new).collect();
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut iter = Iter::<Source>::bvec_chain(chain, BVEC_TOTAL);
    let mut copied = vec![0; BVEC_TOTAL];
    assert_eq!(iter.copy_from_iter(&mut copied), BVEC_TOTAL);
    assert!(copied == concatenated(&buffer, &merged()));
}

/// Writes the ranges of a megabyte, each through an iterator that begins with it.
fn copy_ranges_to<'a>(runs: &[TestPage], at: impl Fn(&Range<usize>) -> Iter<'a, Dest>) {
    let data = pattern(KVEC_TOTAL);
    let mut done = 0;
    for range in &KVEC {
        let mut iter = at(range);
        assert_eq!(iter.copy_to_iter(&data[done..done + range.len()]), range.len());
        done += range.len();
    }
    let written: Vec<_> = runs.iter().flat_map(TestPage::all_bytes).collect();
    assert!(written == image(MIB, &KVEC, &data, 0xee));
}

/// Reads them.
fn copy_ranges_from<'a>(buffer: &[u8], at: impl Fn(&Range<usize>) -> Iter<'a, Source>) {
    for range in &KVEC {
        let mut copied = vec![0; range.len()];
        assert_eq!(at(range).copy_from_iter(&mut copied), range.len());
        assert!(copied == buffer[range.clone()]);
    }
}

#[test]
fn copy_to_folioq() {
    let run = TestPage::<PAGE>::with_bytes(&vec![0xee; MIB]);
    let segments = pages(&run);
    let mut nodes = nodes(&segments);
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    copy_ranges_to(core::slice::from_ref(&run), |range| {
        let mut iter = Iter::bvec_chain(chain, MIB);
        assert_eq!(iter.advance(range.start), range.start);
        iter
    });
}

#[test]
fn copy_from_folioq() {
    let buffer = pattern(MIB);
    let run = TestPage::<PAGE>::with_bytes(&buffer);
    let segments = pages(&run);
    let mut nodes = nodes(&segments);
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    copy_ranges_from(&buffer, |range| {
        let mut iter = Iter::bvec_chain(chain, MIB);
        assert_eq!(iter.advance(range.start), range.start);
        iter
    });
}

#[test]
fn copy_to_xarray() {
    let file = File::new(&vec![0xee; MIB], 4);
    let at = |range: &Range<usize>| Iter::lookup(&file, range.start as u64, range.len());
    copy_ranges_to(&file.0, at);
}

#[test]
fn copy_from_xarray() {
    let buffer = pattern(MIB);
    let file = File::new(&buffer, 4);
    copy_ranges_from(&buffer, |range| Iter::lookup(&file, range.start as u64, range.len()));
}

#[test]
fn extract_pages_bvecq() {
    let buffer = pattern(8 * PAGE);
    let run = TestPage::with_bytes(&buffer);
    let segments = bvecs(&run, &merged());
    let mut nodes: Vec<_> = segments.chunks(2).map(ChainNode::new).collect();
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let bytes = extract_all(Iter::bvec_chain(chain, BVEC_TOTAL), |_, _, _| {});
    assert!(bytes == concatenated(&buffer, &merged()));
}

#[test]
fn extract_pages_folioq() {
    let buffer = pattern(MIB);
    let run = TestPage::<PAGE>::with_bytes(&buffer);
    let segments = pages(&run);
    let mut nodes = nodes(&segments);
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    for range in KVEC {
        let mut iter = Iter::bvec_chain(chain, range.end);
        iter.advance(range.start);
        let bytes = extract_all(iter, |_, _, _| {});
        assert!(bytes == buffer[range]);
    }
}

#[test]
fn extract_pages_xarray() {
    let buffer = pattern(MIB);
    let file = File::new(&buffer, 4);
    for range in KVEC {
        let iter = Iter::lookup(&file, range.start as u64, range.len());
        let bytes = extract_all(iter, |page, _, _| assert!(page.page().is_some()));
        assert!(bytes == buffer[range]);
    }
}

#[test]
fn iter_to_sg_folioq() {
    let buffer = pattern(MIB);
    let run = TestPage::<PAGE>::with_bytes(&buffer);
    let segments = pages(&run);
    let mut nodes = nodes(&segments);
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    assert!(scatter_in_four_calls(Iter::bvec_chain(chain, MIB), MIB, true) == buffer);
}

#[test]
fn iter_to_sg_xarray() {
    let buffer = pattern(MIB);
    let file = File::new(&buffer, 1);
    assert!(scatter_in_four_calls(Iter::lookup(&file, 0, MIB), MIB, true) == buffer);
}
