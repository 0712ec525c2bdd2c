//! Worked examples of alignment, page counts and kinds.

use crate::model::{Aligned, Iter, TestPage, UserSpace};
use iov_iter::{BioVec, Cursor, Dest, IoVec, KVec, Kind, Source, Uniform, UserCursor};

/// An iterator over `ranges`, `off` bytes in, with `count` bytes left.
fn with<R>(
    ranges: &[(usize, usize)],
    off: usize,
    count: usize,
    ask: impl Fn(&Iter<'_, Source>) -> R,
) -> R {
    let space = UserSpace::<4096>::new();
    let segments: Vec<_> = ranges.iter().map(|(base, len)| IoVec::new(*base, *len)).collect();
    let mut iter = Iter::iovec(&space, &segments, off + count).unwrap();
    iter.advance(off);
    ask(&iter)
}

fn alignment(ranges: &[(usize, usize)], off: usize, count: usize) -> usize {
    with(ranges, off, count, |iter| iter.alignment())
}

const L: [(usize, usize); 2] = [(0x10004, 8), (0x20010, 6)];

#[test]
fn alignment_joins_bases_and_lengths_of_two_segments() {
    assert_eq!(alignment(&L, 0, 14), 0x3001e);
}

#[test]
fn alignment_is_cut_to_the_count() {
    assert_eq!(alignment(&L, 0, 12), 0x3001c);
}

#[test]
fn alignment_begins_inside_a_segment() {
    assert_eq!(alignment(&L, 2, 12), 0x30016);
}

#[test]
fn alignment_of_nothing_is_zero() {
    // Linux 6.x returns the address of the current segment; the rule of 2015 is followed.
    assert_eq!(alignment(&L, 0, 0), 0);
    assert_eq!(alignment(&L, 8, 0), 0);
    assert_eq!(alignment(&[], 0, 0), 0);
}

#[test]
fn alignment_of_other_kinds() {
    let space = UserSpace::<4096>::new();
    let mut iter = Iter::<Dest>::ubuf(&space, 0x10004, 0x30);
    assert_eq!(iter.alignment(), 0x10034);
    iter.advance(0x30);
    assert_eq!(iter.alignment(), 0);
    assert_eq!(Iter::<Dest>::discard(7).alignment(), 0);

    // Pages: the offset plus what is consumed, or-ed with the rest; empty ones are ignored,
    // although Linux 6.x counts their offset.
    let page = TestPage::run(1);
    let bvec = |offset, len| BioVec::new(page.clone(), offset, len).unwrap();
    let segments = [bvec(0x101, 0), bvec(0x200, 0x60), bvec(0x400, 0x10)];
    let mut iter = Iter::<Source>::bvec(&segments, 0x70).unwrap();
    assert_eq!(iter.alignment(), 0x200 | 0x60 | 0x400 | 0x10);
    iter.advance(0x40);
    assert_eq!(iter.alignment(), 0x240 | 0x20 | 0x400 | 0x10);
}

fn npages(ranges: &[(usize, usize)], off: usize, count: usize, max: usize) -> usize {
    with(ranges, off, count, |iter| iter.npages(max))
}

const M1: [(usize, usize); 1] = [(0x10ff0, 0x2020)];

#[test]
fn pages_of_one_segment_are_counted_up_to_a_limit() {
    assert_eq!(npages(&M1, 0, 0x2020, usize::MAX), 4);
    assert_eq!(npages(&M1, 0, 0x2020, 2), 2);
    assert_eq!(npages(&M1, 0, 0x2020, 4), 4);
    assert_eq!(npages(&M1, 0, 0x2020, 0), 0);
}

#[test]
fn two_bytes_across_a_border_are_in_two_pages() {
    assert_eq!(npages(&[(0x10fff, 2)], 0, 2, 16), 2);
}

#[test]
fn pages_that_segments_share_count_for_each() {
    assert_eq!(npages(&[(0x10000, 16), (0x10010, 16)], 0, 32, 16), 2);
}

#[test]
fn a_segment_may_be_exactly_one_page() {
    assert_eq!(npages(&[(0x10000, 0x1000)], 0, 0x1000, 16), 1);
}

#[test]
fn pages_are_counted_from_inside_a_segment() {
    assert_eq!(npages(&M1, 0x10, 0x2010, 16), 3);
    assert_eq!(npages(&M1, 0, 0, 16), 0);
}

#[test]
fn npages_of_at_most_so_many_bytes() {
    assert_eq!(with(&M1, 0, 0x2020, |iter| iter.npages_cap(16, 0x10)), 1);
    assert_eq!(with(&M1, 0, 0x2020, |iter| iter.npages_cap(16, 0x11)), 2);
    assert_eq!(with(&M1, 0, 0x2020, |iter| iter.npages_cap(3, usize::MAX)), 3);
    assert_eq!(with(&M1, 0, 0x2020, |iter| iter.npages_cap(3, 0)), 0);
    with(&M1, 0, 0x2020, |iter| {
        let _ = iter.npages_cap(16, 0x10);
        assert_eq!(iter.remaining(), 0x2020);
    });
}

#[test]
fn questions_about_many_segments() {
    let space = UserSpace::<4096>::new();
    // Short ones, and such that hold as many bytes as fill the pages asked for, or more.
    for (count, len) in [1, 63, 64, 65, 300].into_iter().flat_map(|n| [(n, 16), (n, 0x1f01)]) {
        let segment = |at: usize| IoVec::new(0x1000 * at + 8 * (at % 7), len * (at % 5));
        let segments: Vec<_> = (0..count).map(segment).collect();
        let total: usize = segments.iter().map(|segment| segment.len).sum();
        for (from, cut) in [(0, 0), (1, 1), (70, 5), (total, 0), (0, total)] {
            let mut cursor = Cursor::new(&segments[..]);
            cursor.advance(from);
            cursor.truncate(cursor.remaining().saturating_sub(cut) as u64);
            let ranges: Vec<_> = cursor
                .ranges()
                .map(|range| (range.segment.base + range.offset, range.len))
                .collect();
            let iter = Iter::<Source>::IoVec(UserCursor::new(&space, cursor));
            let bits = ranges.iter().fold(0, |bits, (address, len)| bits | address | len);
            assert_eq!(iter.alignment(), bits);
            assert!(iter.is_aligned(!bits, !bits) && (bits == 0 || !iter.is_aligned(bits, bits)));
            let gap = ranges.windows(2).fold(0, |bits, pair| {
                let [(address, len), (next, _)] = [pair[0], pair[1]];
                bits | (address + len) | next
            });
            assert_eq!(iter.gap_alignment(), gap);
            let pages = ranges.iter().map(|(address, len)| (address % 4096 + len).div_ceil(4096));
            let pages: usize = pages.sum();
            for max in [0, 1, 50, 64, 65, 100, 700, usize::MAX] {
                assert_eq!(iter.npages(max), pages.min(max), "{count} segments, {max} pages");
            }
        }
    }
}

#[test]
fn npages_of_nearly_the_whole_address_space() {
    // Counted from the start of the first page, the last byte is at `usize::MAX`, near it, or after it.
    let space = UserSpace::<4096>::new();
    let whole = usize::MAX / 4096;
    for (base, len, pages) in [
        (0, usize::MAX, whole + 1),
        (1, usize::MAX, whole + 1),
        (2, usize::MAX, whole + 2),
        (0xfff, usize::MAX, whole + 2),
        (0xfff, usize::MAX - 0xffe, whole + 1),
        (0xfff, usize::MAX - 0xffd, whole + 2),
        // Filled up to whole pages, as many bytes as a `usize` can count, or one more.
        (0xfff, usize::MAX - 0x2000, whole),
        (0xfff, usize::MAX - 0x1fff, whole),
        (0xfff, usize::MAX - 0x1ffe, whole),
        (0xfff, usize::MAX - 0x1ffd, whole + 1),
    ] {
        let segments = [IoVec::new(base, len)];
        let user = UserCursor::new(&space, Cursor::new(&segments[..]));
        assert_eq!(Iter::<Source>::IoVec(user).npages(usize::MAX), pages, "{base:#x} {len:#x}");
    }
}

#[test]
fn npages_of_half_an_address_space_each() {
    const HALF: usize = 1 << (usize::BITS - 1);
    let space = UserSpace::<HALF>::new();
    let pages = |base, len| Iter::<Source, HALF>::ubuf(&space, base, len).npages(usize::MAX);
    assert_eq!(pages(0, HALF), 1);
    assert_eq!(pages(1, HALF), 2);
    assert_eq!(pages(HALF - 1, 1), 1);
    assert_eq!(pages(HALF - 1, usize::MAX), 3);
}

#[test]
fn npages_of_runs_of_pages() {
    // Offset 0xff0, length 0x1020.
    let run = TestPage::run(4);
    let segments = [BioVec::new(run.clone(), 0xff0, 0x1020).unwrap()];
    assert_eq!(Iter::<Source>::bvec(&segments, 0x1020).unwrap().npages(16), 3);
    let segments = [BioVec::new(run.clone(), 0x1ff0, 0x1020).unwrap()];
    assert_eq!(Iter::<Source>::bvec(&segments, 0x1020).unwrap().npages(16), 3);
    // An empty segment is invisible, where Linux 6.x counts a page for it.
    let segments = [BioVec::new(run.clone(), 5, 0).unwrap(), BioVec::new(run, 0, 16).unwrap()];
    assert_eq!(Iter::<Source>::bvec(&segments, 16).unwrap().npages(16), 1);
}

#[test]
fn npages_of_other_kinds() {
    let memory = Aligned::new(5);
    let segments = [KVec::from(&memory[0xff0..0x3010])];
    assert_eq!(Iter::<Source>::kvec(&segments, 0x2020).unwrap().npages(16), 4);
    let space = UserSpace::<4096>::new();
    assert_eq!(Iter::<Dest>::ubuf(&space, 0x10ff0, 0x2020).npages(16), 4);
    assert_eq!(Iter::<Dest>::discard(0x10000).npages(16), 0);
}

#[test]
fn npages_does_not_wrap_at_the_end_of_the_address_space() {
    // Wraps in 2015, to -1048575 with 32 bits.
    let last = usize::MAX - 0xfff;
    assert_eq!(npages(&[(last, 0x1000)], 0, 0x1000, 16), 1);
    assert_eq!(npages(&[(last - 1, 0x1001)], 0, 0x1001, 16), 2);
}

#[test]
fn npages_of_huge_counts() {
    // A 32-bit result is negative or 0 in C.
    let space = UserSpace::<4096>::new();
    let pages = |base, count| Iter::<Dest>::ubuf(&space, base, count).npages(usize::MAX);
    assert_eq!(pages(0xfff, 0xffff_f000), 0x100000);
    assert_eq!(pages(0xfff, 0xffff_f001), 0x100000);
    assert_eq!(pages(0xfff, 0xffff_f002), 0x100001);
    #[cfg(target_pointer_width = "64")]
    {
        assert_eq!(pages(0, 1 << 43), 1 << 31);
        assert_eq!(pages(0, 1 << 44), 1 << 32);
        assert_eq!(pages(1, usize::MAX), 1 << 52);
    }
    let all = [(0, usize::MAX), (1, 1)];
    assert_eq!(with(&all, 0, usize::MAX, |iter| iter.npages(1000)), 1000);
}

#[test]
fn is_aligned_table() {
    // Both masks are 511.
    let ask = |ranges: &[_], off, count| with(ranges, off, count, |it| it.is_aligned(511, 511));
    let two = [(0x1000, 512), (0x2000, 1024)];
    assert!(ask(&two, 0, 1536));
    assert!(!ask(&two, 0, 1100));
    assert!(ask(&[(0x1000, 1024)], 512, 512));
    assert!(!ask(&[(0x1000, 1024)], 511, 513));
    assert!(!ask(&[(0x1001, 512)], 0, 512));
    // The empty segment's address makes it false in 6.1; here empty segments are invisible.
    assert!(ask(&[(0x1000, 512), (0x2003, 0), (0x3000, 512)], 0, 1024));
    assert!(ask(&[(0x1001, 511)], 0, 0));
    assert!(with(&[(0x1001, 512)], 0, 512, |iter| iter.is_aligned(0, 511)));
    assert!(with(&[(0x1000, 513)], 0, 513, |iter| iter.is_aligned(511, 0)));

    let space = UserSpace::<4096>::new();
    assert!(!Iter::<Dest>::ubuf(&space, 0x1001, 512).is_aligned(511, 511));
    assert!(!Iter::<Dest>::ubuf(&space, 0x1000, 513).is_aligned(511, 511));
    assert!(Iter::<Dest>::discard(7).is_aligned(511, 511));
}

fn gap(ranges: &[(usize, usize)], off: usize, count: usize) -> usize {
    with(ranges, off, count, |iter| iter.gap_alignment())
}

#[test]
fn gap_alignment_looks_at_the_borders_of_three_segments() {
    let ranges = [(0x1000, 0x1000), (0x2000, 0x800), (0x9200, 0x100)];
    assert_eq!(gap(&ranges, 0, 0x1900), 0xba00);
}

#[test]
fn gap_alignment_of_whole_pages_has_no_lower_bits() {
    assert_eq!(gap(&[(0x1000, 0x1000), (0x5000, 0x1000)], 0, 0x2000), 0x7000);
}

#[test]
fn gap_alignment_ends_with_the_count() {
    assert_eq!(gap(&[(0x1010, 0x10), (0x5000, 0x10)], 0, 8), 0);
    // And begins with the position: Linux ignores the offset, for how far the count reaches, too.
    assert_eq!(gap(&[(0x1010, 0x10), (0x5000, 0x10)], 8, 8), 0);
    assert_eq!(gap(&[(0x1010, 0x10), (0x5000, 0x10)], 8, 9), 0x5020);
    assert_eq!(gap(&[(0x1010, 0x10), (0x5000, 0x10)], 16, 16), 0);
}

#[test]
fn gap_alignment_passes_an_empty_segment() {
    assert_eq!(gap(&[(0x1010, 0x10), (0x3333, 0), (0x5000, 0x10)], 0, 0x20), 0x5020);
    let space = UserSpace::<4096>::new();
    assert_eq!(Iter::<Dest>::ubuf(&space, 0x1010, 0x20).gap_alignment(), 0);
}

#[test]
fn current_user_segment_is_cut_to_the_count() {
    // `iov_iter_iovec` of 6.1; `iter_iov_len` of 6.18 is not cut.
    let ranges = [(0x1000, 0x10), (0x2000, 0), (0x3000, 0x20)];
    let segment = |off, count| with(&ranges, off, count, |iter| iter.user_segment());
    assert_eq!(segment(0, 0x30), Some(IoVec::new(0x1000, 0x10)));
    assert_eq!(segment(4, 0x30 - 4), Some(IoVec::new(0x1004, 0xc)));
    assert_eq!(segment(4, 3), Some(IoVec::new(0x1004, 3)));
    assert_eq!(segment(0x10, 0x20), Some(IoVec::new(0x3000, 0x20)));
    assert_eq!(segment(0x10, 0), None);
    let space = UserSpace::<4096>::new();
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    iter.advance(3);
    assert_eq!(iter.user_segment(), Some(IoVec::new(0x1003, 5)));
    assert_eq!(Iter::<Dest>::discard(8).user_segment(), None);
}

#[test]
fn kinds() {
    let space = UserSpace::<4096>::new();
    let check = |iter: Iter<'_, Dest>, kind, user| {
        assert_eq!(iter.kind(), kind);
        assert_eq!((iter.is_user_backed(), iter.extract_will_pin()), (user, user));
    };
    check(Iter::ubuf(&space, 0, 1), Kind::UserBuf, true);
    check(Iter::iovec(&space, &[], 0).unwrap(), Kind::IoVec, true);
    check(Iter::kvec(&[], 0).unwrap(), Kind::KVec, false);
    check(Iter::bvec(&[], 0).unwrap(), Kind::BVec, false);
    let uniform = Uniform::new(&[]).unwrap();
    check(Iter::uniform(uniform, 0).unwrap(), Kind::Uniform, false);
    check(Iter::discard(1), Kind::Discard, false);
}

#[test]
fn a_span_ends_with_the_bytes_or_the_segments() {
    let ranges = [(0x1000, 10), (0x9000, 0), (0x2000, 20), (0x3000, 30)];
    // The rest of the first segment, not all of it.
    with(&ranges, 4, 56, |iter| {
        assert_eq!(iter.span(0, usize::MAX, 1), 6);
        assert_eq!(iter.span(0, usize::MAX, 2), 26);
        assert_eq!(iter.span(6, usize::MAX, 1), 20);
        assert_eq!(iter.span(7, usize::MAX, 2), 49);
        assert_eq!(iter.span(7, 33, 2), 33);
        assert_eq!(iter.span(55, usize::MAX, usize::MAX), 1);
        assert_eq!(iter.span(56, usize::MAX, usize::MAX), 0);
        assert_eq!(iter.span(57, usize::MAX, usize::MAX), 0);
        assert_eq!(iter.span(0, usize::MAX, 0), 0);
    });
    // Nothing past the count, whatever the segments hold.
    with(&ranges, 4, 9, |iter| assert_eq!(iter.span(2, usize::MAX, usize::MAX), 7));
}

#[test]
fn a_span_of_kernel_memory_and_pages_begins_inside_the_first_segment() {
    let bytes = [0; 32];
    let kvecs = [KVec::from(&bytes[..10]), KVec::from(&bytes[..20])];
    let mut iter = Iter::<Source>::kvec(&kvecs, 25).unwrap();
    iter.advance(7);
    assert_eq!((iter.span(0, 100, 1), iter.span(0, 100, 2), iter.span(1, 100, 2)), (3, 18, 17));
    let run = TestPage::<4096>::run(2);
    let bvecs =
        [(10, 10), (4000, 1000)].map(|(at, len)| BioVec::new(run.clone(), at, len).unwrap());
    let mut iter = Iter::<Source>::bvec(&bvecs, 1010).unwrap();
    iter.advance(7);
    assert_eq!((iter.span(0, 5000, 1), iter.span(0, 5000, 2), iter.span(0, 5, 2)), (3, 1003, 5));
}
