//! Worked examples of faulting in.
//!
//! The result is the number of bytes that are out of reach, over all segments, and nothing is
//! written: the rule since 5.16. Linux 2015 answers success or -EFAULT, in one form for the first
//! segment only.

use crate::model::{Iter, UserSpace, place};
use iov_iter::{Dest, IoVec, KVec, Source};

const G: [IoVec; 2] = [IoVec::new(0x1ff0, 0x40), IoVec::new(0x5000, 8)];

/// What both directions answer; memory and iterator do not change.
fn out_of_reach(space: &UserSpace, segments: &[IoVec], size: usize) -> usize {
    let total = segments.iter().map(|segment| segment.len).sum();
    let source = Iter::<Source>::iovec(space, segments, total).unwrap();
    let dest = Iter::<Dest>::iovec(space, segments, total).unwrap();
    let before = place(&source);
    let read = source.fault_in_readable(size);
    assert_eq!(dest.fault_in_writeable(size), read);
    assert_eq!(place(&source), before);
    read
}

#[test]
fn what_follows_a_bad_page_is_out_of_reach() {
    let space = UserSpace::resident(&[0x1000, 0x5000]);
    assert_eq!(out_of_reach(&space, &G, 0x48), 0x48 - 0x10);
}

#[test]
fn a_bad_second_segment_is_out_of_reach_of_reads() {
    let space = UserSpace::resident(&[0x1000, 0x2000]);
    assert_eq!(out_of_reach(&space, &G, 0x48), 8);
    assert_eq!(out_of_reach(&space, &G, 0x40), 0);
}

#[test]
fn an_empty_first_segment_hides_no_fault() {
    // The single-segment form of 2015 touches nothing and succeeds; empty segments are passed here.
    let segments = [IoVec::new(0x1ff0, 0), IoVec::new(0x5000, 8)];
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x1000]), &segments, 8), 8);
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x5000]), &segments, 8), 0);
}

#[test]
fn nothing_is_always_within_reach() {
    assert_eq!(out_of_reach(&UserSpace::new(), &G, 0), 0);
}

const U1: [IoVec; 1] = [IoVec::new(0x1ff0, 0x40)];
const U3: [IoVec; 2] = [IoVec::new(0x1ff0, 0x20), IoVec::new(0x5000, 0x10)];

#[test]
fn a_bad_second_page_is_out_of_reach() {
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x1000]), &U1, 0x40), 0x30);
}

#[test]
fn nothing_is_within_reach_past_a_bad_first_page() {
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x2000]), &U1, 0x40), 0x40);
}

#[test]
fn a_second_segment_past_a_bad_page_is_out_of_reach() {
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x1000, 0x5000]), &U3, 0x30), 32);
}

#[test]
fn a_bad_second_segment_is_out_of_reach_of_writes() {
    assert_eq!(out_of_reach(&UserSpace::resident(&[0x1000, 0x2000]), &U3, 0x30), 16);
}

#[test]
fn bytes_past_the_end_are_out_of_reach() {
    let space = UserSpace::resident(&[0x1000, 0x2000, 0x5000]);
    assert_eq!(out_of_reach(&space, &U3, 100), 52);
}

#[test]
fn fault_in_makes_mappable_pages_resident_and_writes_nothing() {
    let space = UserSpace::resident(&[0x1000, 0x2000]);
    space.poke(0x1ff0, &[7; 0x40]);
    space.set_resident(0x1000, false);
    space.set_resident(0x2000, false);
    let iter = Iter::<Dest>::ubuf(&space, 0x1ff0, 0x40);
    assert_eq!(iter.fault_in_writeable(0x40), 0);
    assert!(space.is_resident(0x1000) && space.is_resident(0x2000));
    // The writable probe of 2015 stores zeros; this one does not.
    assert_eq!(space.peek(0x1ff0, 0x40), [7; 0x40]);
}

#[test]
fn fault_in_starts_where_the_iterator_stands() {
    let space = UserSpace::resident(&[0x2000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1ff0, 0x40);
    iter.advance(0x10);
    assert_eq!(iter.fault_in_readable(0x30), 0);
    iter.truncate(4);
    assert_eq!(iter.fault_in_readable(0x30), 0x2c);
}

#[test]
fn fault_in_of_kernel_memory_is_always_done() {
    let segments = [KVec::from(&b"abc"[..])];
    assert_eq!(Iter::<Source>::kvec(&segments, 3).unwrap().fault_in_readable(100), 0);
    assert_eq!(Iter::<Dest>::discard(3).fault_in_writeable(100), 0);
}

#[test]
fn fault_in_of_addresses_outside_user_space() {
    let space = UserSpace::<4096>::with_limit(0x2000);
    space.add(0x1000, 0x2000, true);
    assert_eq!(Iter::<Source>::ubuf(&space, 0x1ff0, 0x11).fault_in_readable(0x11), 0x11);
    assert_eq!(Iter::<Source>::ubuf(&space, 0x1ff0, 0x10).fault_in_readable(0x10), 0);
}
