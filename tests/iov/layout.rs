//! The layout of a vector in a buffer of its own.

use crate::flat::{elements, packed};
use iov_iter::iov::{Error, IoVector, View};
use iov_iter::{Dest, KVec, MAX_SEGMENTS, Source};
use proptest::prelude::*;

/// Where each piece of the view starts after `base`, and its length.
fn places(view: &View<'_, Source>, base: *const u8) -> Vec<(usize, usize)> {
    view.pieces().map(|piece| (piece.as_ptr().addr() - base.addr(), piece.len())).collect()
}

/// The layout that a model gets in a buffer of `room` bytes, and the bytes used.
fn layout(model: &[(usize, usize)], room: usize) -> Result<(Vec<(usize, usize)>, usize), Error> {
    let (memory, space) = (vec![0; 4096], vec![0; room]);
    let segments = elements(&memory, model);
    let model = View::new(&segments);
    let buffer = KVec::from(&space[..]);
    let mut vector = IoVector::<Source, 401>::new();
    let used = vector.add_layout_of(model, &buffer)?;
    assert_eq!((vector.len(), Ok(used)), (model.len(), model.footprint()));
    Ok((places(&vector.view(), space.as_ptr()), used))
}

#[test]
fn overlaps_are_kept_and_gaps_closed() {
    let model = [(100, 10), (105, 10), (200, 4), (100, 3), (150, 0), (112, 2)];
    // C keeps the fifth, which has no bytes.
    let placed = vec![(0, 10), (5, 10), (15, 4), (0, 3), (12, 2)];
    assert_eq!(layout(&model, 29), Ok((placed.clone(), 19)));
    assert_eq!(layout(&model, 19), Ok((placed, 19)));
    assert_eq!(layout(&model, 18), Err(Error::BufferTooSmall { needed: 19, available: 18 }));
}

#[test]
fn elements_are_placed_by_address() {
    let model = [(50, 5), (10, 5), (15, 5)];
    assert_eq!(layout(&model, 15), Ok((vec![(10, 5), (0, 5), (5, 5)], 15)));
}

#[test]
fn nothing_needs_no_buffer() {
    assert_eq!(layout(&[], 0), Ok((vec![], 0)));
    assert_eq!(layout(&[(7, 0), (3, 0)], 0), Ok((vec![], 0)));
}

#[test]
fn a_layout_is_appended() {
    let (memory, mut space) = ([0; 8], [0; 8]);
    let segments = elements(&memory, &[(4, 2), (0, 3)]);
    let model = View::new(&segments);
    let (first, second) = space.split_at_mut(3);
    let (first, second) = (KVec::from(first), KVec::from(second));
    let mut vector = IoVector::<Dest>::new();
    let first = vector.add_layout_of(model, &first);
    assert_eq!(first, Err(Error::BufferTooSmall { needed: 5, available: 3 }));
    assert_eq!(vector.segment_count(), 0);
    assert_eq!(vector.add_layout_of(model, &second), Ok(5));
    assert_eq!((vector.segment_count(), vector.len()), (2, 5));
}

#[test]
fn results_of_two_devices_are_compared() {
    // A request is served twice, into its own memory and into a copy of its layout.
    let (mut request, mut copy) = ([0; 10], [0; 10]);
    let serve = |view: View<'_, Dest>, data: &[u8]| view.write_at(0, data).unwrap();
    let used = {
        let (low, high) = request.split_at_mut(6);
        let segments = [KVec::from(high), KVec::from(&mut low[1..])];
        let model = View::new(&segments);
        let buffer = KVec::from(&mut copy[..]);
        let mut vector = IoVector::<Dest>::new();
        let used = vector.add_layout_of(model, &buffer).unwrap();
        serve(model, b"ninebytes");
        serve(vector.view(), b"ninebites");
        used
    };
    let model = [KVec::from(&request[6..]), KVec::from(&request[1..6])];
    let model = View::new(&model);
    let buffer = KVec::from(&copy[..used]);
    let mut vector = IoVector::<Source>::new();
    vector.add_layout_of(model, &buffer).unwrap();
    assert_eq!(vector.view().compare(&model), Ok(Some(5)));
}

/// Disjoint pieces of one byte each, from the highest address to the lowest.
fn downwards(memory: &[u8], pieces: usize) -> Vec<KVec<'_, Source>> {
    (0..pieces).rev().map(|at| KVec::from(&memory[2 * at..=2 * at])).collect()
}

#[test]
fn more_pieces_than_one_call_takes_are_refused() {
    let memory = vec![0; 2 * MAX_SEGMENTS + 2];
    let buffer = KVec::from(&memory[..]);
    let segments = downwards(&memory, MAX_SEGMENTS + 1);
    let all = View::new(&segments);
    let most = all.slice(1, MAX_SEGMENTS).unwrap();
    let mut vector = IoVector::<Source, { MAX_SEGMENTS + 1 }>::new();
    let refused = Error::TooManySegments { segments: 1025, limit: 1024 };
    assert_eq!(all.footprint(), Err(refused));
    assert_eq!(vector.add_layout_of(all, &buffer), Err(refused));
    assert_eq!((most.footprint(), vector.segment_count()), (Ok(1024), 0));
    assert_eq!(vector.add_layout_of(most, &buffer), Ok(1024));
    let expected: Vec<_> = (0..MAX_SEGMENTS).rev().map(|at| (at, 1)).collect();
    assert_eq!(places(&vector.view(), memory.as_ptr()), expected);
}

#[test]
fn the_longest_piece_at_an_address_counts_also_where_a_pass_ends() {
    // The last of 64 addresses has two pieces; the longer one covers the address after it.
    let model: Vec<_> = (0..64).map(|at| (2 * at, 1)).chain([(126, 4), (128, 1)]).collect();
    let (expected, needed) = packed(&model);
    assert_eq!(needed, 63 + 4);
    assert_eq!(layout(&model, needed), Ok((expected, needed)));
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    /// The rule itself: packed is the number of covered addresses below.
    #[test]
    fn every_element_lies_behind_the_covered_addresses_below(
        model in prop::collection::vec((0_usize..120, 0_usize..24), 0..=40),
    ) {
        let (expected, needed) = packed(&model);
        prop_assert_eq!(layout(&model, needed), Ok((expected, needed)));
    }

    #[test]
    fn so_it_does_where_there_are_many(
        model in prop::collection::vec((0_usize..3900, 0_usize..24), 0..=400),
        wide in (0_usize..3000, 0_usize..1000),
    ) {
        let model = [&model[..], &[wide]].concat();
        let (expected, needed) = packed(&model);
        prop_assert_eq!(layout(&model, needed), Ok((expected, needed)));
    }
}
