//! Pages of a run that are mapped as a whole: a segment is one piece, and copies give the same bytes.

use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;
use std::rc::Rc;

use iov_iter::host::NoUser;
use iov_iter::{BioVec, Dest, Error, Host, IovIter, Page, Piece, Source};

const SIZE: usize = 16;
const PAGES: usize = 4;
type Memory = UnsafeCell<[u8; SIZE * PAGES]>;

/// A page of a run of four, of which only the first can be mapped if `WHOLE`: that must do.
#[derive(Clone)]
struct Run<const WHOLE: bool> {
    memory: Rc<(Memory, Cell<usize>)>,
    first: usize,
}

impl<const WHOLE: bool> Run<WHOLE> {
    fn new() -> Self {
        let bytes = core::array::from_fn(|at| at as u8);
        Self { memory: Rc::new((UnsafeCell::new(bytes), Cell::new(0))), first: 0 }
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: nobody writes at this time.
        unsafe { *self.memory.0.get() }.to_vec()
    }

    /// How often a page has been mapped.
    fn mappings(&self) -> usize {
        self.memory.1.get()
    }
}

// SAFETY: the memory lives as long as a handle, is only reached through mappings, and is one array. Handles
// of the same page have the same run, and stay on their thread.
unsafe impl<const WHOLE: bool> Page for Run<WHOLE> {
    const SIZE: usize = SIZE;
    const CONTIGUOUS: bool = WHOLE;
    type Pin = Self;

    fn run_length(&self) -> usize {
        PAGES - self.first
    }

    fn nth(&self, index: usize) -> Option<Self> {
        (index < self.run_length())
            .then(|| Self { memory: self.memory.clone(), first: self.first + index })
    }

    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        assert!(index == 0 || !WHOLE, "the first page maps all");
        assert!(index < self.run_length(), "a page outside the run is mapped");
        self.memory.1.set(self.memory.1.get() + 1);
        let start = self.memory.0.get().cast::<u8>().wrapping_add((self.first + index) * SIZE);
        NonNull::new(start).map(f)
    }
}

impl<const WHOLE: bool> AsRef<Self> for Run<WHOLE> {
    fn as_ref(&self) -> &Self {
        self
    }
}

enum Kernel<const WHOLE: bool> {}

impl<const WHOLE: bool> Host for Kernel<WHOLE> {
    type Page = Run<WHOLE>;
    type User = NoUser<Self::Page>;
}

/// Under Miri only so many of the ranges are tried.
const STEP: usize = if cfg!(miri) { 11 } else { 1 };

/// The ranges of a run, from its first page and from its second.
fn ranges() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..2).flat_map(|first| {
        let size = (PAGES - first) * SIZE;
        (0..=size).step_by(STEP).flat_map(move |offset| {
            (0..=size - offset).step_by(STEP).map(move |len| (first, offset, len))
        })
    })
}

fn copies<const WHOLE: bool>() {
    for (first, offset, len) in ranges() {
        let run = Run::<WHOLE>::new();
        let page = run.nth(first).unwrap();
        let (at, before) = (first * SIZE + offset, run.bytes());
        let segments = [BioVec::new(page, offset as u32, len as u32).unwrap()];

        let mut copy = vec![0xff; len + 1];
        let mut iter = IovIter::<Source, Kernel<WHOLE>>::bvec(&segments, len).unwrap();
        assert_eq!(iter.copy_from_iter(&mut copy), len);
        assert_eq!((&copy[..len], copy[len]), (&before[at..at + len], 0xff));

        let mut iter = IovIter::<Dest, Kernel<WHOLE>>::bvec(&segments, len).unwrap();
        assert_eq!(iter.copy_to_iter(&vec![0xee; len]), len);
        let mut expected = before;
        expected[at..at + len].fill(0xee);
        assert_eq!(run.bytes(), expected);

        let touched = if len == 0 { 0 } else { (offset % SIZE + len).div_ceil(SIZE) };
        assert_eq!(run.mappings(), 2 * if WHOLE { touched.min(1) } else { touched });
    }
}

#[test]
fn each_page_is_mapped_for_its_bytes() {
    copies::<false>();
}

#[test]
fn a_whole_run_is_mapped_once() {
    copies::<true>();
}

#[test]
fn a_step_that_stops_early_counts_in_the_whole_piece() {
    let run = Run::<true>::new();
    let segments = [BioVec::new(run, 5, 40).unwrap()];
    let mut iter = IovIter::<Source, Kernel<true>>::bvec(&segments, 40).unwrap();
    let mut seen = vec![];
    let handled = iter.iterate_and_advance(
        37,
        &mut seen,
        |_, _, _| unreachable!("this host has no user memory"),
        |seen, piece, progress| {
            seen.push((progress, piece.len()));
            20
        },
    );
    assert_eq!((handled, iter.remaining(), seen), (20, 20, vec![(0, 37)]));
    let mut next = [0];
    assert_eq!((iter.copy_from_iter(&mut next), next), (1, [25]));
}

/// Between two others, and in front and at the end, segments without bytes are not there.
fn empty_segments_are_not_mapped<const WHOLE: bool>() {
    let (run, other) = (Run::<WHOLE>::new(), Run::<WHOLE>::new());
    let full = |offset| BioVec::new(run.clone(), offset, 3).unwrap();
    let empty = |offset| BioVec::new(other.clone(), offset, 0).unwrap();
    let segments = [empty(0), full(10), empty(64), full(20), empty(5)];
    let mut iter = IovIter::<Source, Kernel<WHOLE>>::bvec(&segments, 6).unwrap();
    let mut copy = [0; 6];
    assert_eq!(iter.copy_from_iter(&mut copy), 6);
    assert_eq!((copy, other.mappings()), ([10, 11, 12, 20, 21, 22], 0));
}

#[test]
fn empty_segments_of_pages_are_not_mapped() {
    empty_segments_are_not_mapped::<false>();
    empty_segments_are_not_mapped::<true>();
}

#[test]
fn ranges_outside_the_run_are_refused() {
    let run = Run::<true>::new();
    assert_eq!(BioVec::new(run.clone(), 60, 5).unwrap_err(), Error::OutOfRange);
    let mut bytes = [0; 5];
    assert_eq!(run.read_at(60, Piece::from(&mut bytes[..])), Err(Error::OutOfRange));
    assert_eq!(run.read_at(59, Piece::from(&mut bytes[..])), Ok(()));
    assert_eq!(bytes, [59, 60, 61, 62, 63]);
    run.write_at(0, Piece::from(&b"front"[..])).unwrap();
    run.zero_at(30, 10).unwrap();
    let after = run.bytes();
    assert_eq!(
        (&after[..6], &after[29..41]),
        (&b"front\x05"[..], &[29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40][..])
    );

    let mut copy = [0; 64];
    let segments = [iov_iter::KVec::from(&mut copy[..])];
    let mut iter = IovIter::<Dest>::from(&segments[..]).with_host::<Kernel<true>>();
    assert_eq!(iter.copy_page_to_iter(&run, 10, 55), Err(Error::OutOfRange));
    assert_eq!(iter.copy_page_to_iter(&run, 10, 54), Ok(54));
    assert_eq!(copy[..54], after[10..]);
}

#[test]
fn a_segment_is_read_written_and_taken_page_by_page() {
    let run = Run::<true>::new();
    let segment = BioVec::new(run.clone(), 10, 30).unwrap();
    let parts: Vec<_> = segment.page_parts().collect();
    assert_eq!(parts, [(0, 10, 6), (1, 0, SIZE), (2, 0, 8)]);
    assert_eq!(BioVec::new(run.clone(), SIZE as u32, 0).unwrap().page_parts().count(), 0);
    let mut bytes = [0; 4];
    assert_eq!(segment.read_at(4, Piece::from(&mut bytes[..])), Ok(()));
    assert_eq!(bytes, [14, 15, 16, 17]);
    assert_eq!(segment.write_at(28, Piece::from(&b"xy"[..])), Ok(()));
    assert_eq!(segment.zero_at(0, 2), Ok(()));
    assert_eq!(
        (&run.bytes()[9..13], &run.bytes()[37..41]),
        (&[9, 0, 0, 12][..], &[37, 120, 121, 40][..])
    );
    // The run goes on, the segment does not.
    assert_eq!(segment.read_at(27, Piece::from(&mut bytes[..])), Err(Error::OutOfRange));
    assert_eq!(segment.write_at(usize::MAX, Piece::from(&b"xy"[..])), Err(Error::OutOfRange));
    assert_eq!(segment.zero_at(31, 0), Err(Error::OutOfRange));
}

#[test]
fn a_range_of_a_segment_is_mapped_as_a_whole() {
    let run = Run::<true>::new();
    let segment = BioVec::new(run.clone(), 10, 30).unwrap();
    let mut pieces = vec![];
    let mut step = |piece: Piece<'_, Dest>, before| {
        pieces.push((before, piece.len()));
        piece.fill(0xaa)
    };
    assert_eq!(segment.map_range(3, 20, &mut step), Ok(20));
    assert_eq!(segment.map_range(30, 0, step), Ok(0));
    let mut expected: Vec<u8> = (0..64).collect();
    expected[13..33].fill(0xaa);
    assert_eq!((pieces, run.bytes()), (vec![(0, 20)], expected));
}
