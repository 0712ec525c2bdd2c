//! Segments as the system sees them.
#![cfg(all(unix, feature = "std"))]

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

use iov_iter::iov::{Stop, VectoredRead, VectoredWrite, View};
use iov_iter::os::io::{
    Stream, as_io_slices, as_io_slices_mut, from_io_slices, from_io_slices_mut, from_iovecs,
};
use iov_iter::segment::as_pieces;
use iov_iter::{Dest, KVec, SharedVec, Source};

#[test]
fn memory_that_is_not_initialised_can_be_received_into() {
    let (sender, receiver) = UnixStream::pair().unwrap();
    (&sender).write_all(b"eight by").unwrap();
    drop(sender);
    let mut memory = [MaybeUninit::<u8>::uninit(); 20];
    let (front, back) = memory.split_at_mut(3);
    let segments = [KVec::from(front), KVec::from(&mut [0_u8; 0][..]), KVec::from(back)];
    let received = View::new(&segments).receive(&mut Stream(&receiver));
    assert!(matches!((received.moved, received.stop), (8, Stop::Closed)));
    // SAFETY: the first eight bytes were received.
    let bytes = memory[..8].iter().map(|byte| unsafe { byte.assume_init() });
    assert!(bytes.eq(*b"eight by"));
}

#[test]
fn more_segments_than_a_call_takes_are_cut() {
    let (sender, receiver) = UnixStream::pair().unwrap();
    let bytes = [7; 1500];
    let segments: Vec<KVec<'_, Source>> = bytes.chunks(1).map(KVec::from).collect();
    assert!(matches!(Stream(&sender).write_vectored(as_pieces(&segments)), Ok(1024)));
    let mut memory = [0; 1500];
    let segments: Vec<KVec<'_, Dest>> = memory.chunks_mut(1).map(KVec::from).collect();
    assert!(matches!(Stream(&receiver).read_vectored(as_pieces(&segments)), Ok(1024)));
    drop(sender);
    assert!(matches!(Stream(&receiver).read_vectored(as_pieces(&segments)), Ok(0)));
}

#[test]
fn segments_are_io_slices() {
    let parts = [&b"no "[..], b"", b"copy"];
    let segments = parts.map(KVec::from);
    let slices = as_io_slices(&segments);
    assert_eq!(slices.as_ptr().addr(), segments.as_ptr().addr());
    for (slice, part) in slices.iter().zip(parts) {
        assert_eq!((&slice[..], slice.as_ptr()), (part, part.as_ptr()));
    }
    let mut out = vec![];
    assert_eq!(out.write_vectored(slices).unwrap(), 7);
    assert_eq!(out, b"no copy");
}

#[test]
fn segments_are_mutable_io_slices() {
    let (mut front, mut back) = ([0; 2], [0; 9]);
    let mut segments = [KVec::from(&mut front[..]), KVec::from(&mut back[..])];
    // SAFETY: both arrays are initialised, and used through these slices only.
    let slices = unsafe { as_io_slices_mut(&mut segments) };
    assert_eq!((&b"scatter"[..]).read_vectored(slices).unwrap(), 7);
    // What is put in a slice's place is a segment.
    slices[0].advance(1);
    assert_eq!(segments[0].len(), 1);
    assert_eq!((&front, &back), (b"sc", b"atter\0\0\0\0"));
}

#[test]
fn an_array_of_a_c_caller_is_segments() {
    let mut bytes = *b"scattered";
    let start = bytes.as_mut_ptr();
    let element =
        |offset, len| libc::iovec { iov_base: start.wrapping_add(offset).cast(), iov_len: len };
    let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let list = [nothing, element(0, 4), nothing, element(4, 5)];
    // SAFETY: the elements are empty, or bytes that outlive the segments and are reached through them only.
    let segments: &[SharedVec<'_, Dest>] = unsafe { from_iovecs(&list) };
    assert_eq!(View::new(segments).write_all_at(2, b"rapes"), Ok(()));
    // SAFETY: as above.
    let segments: &[SharedVec<'_, Source>] = unsafe { from_iovecs(&list) };
    let view = View::new(segments);
    assert_eq!((view.len(), view.segment_count()), (9, 2));
    assert_eq!(view, b"scrapesed");
}

#[test]
fn io_slices_are_segments_both_ways() {
    let (mut one, mut two) = ([0; 3], [0; 4]);
    let mut slices =
        [IoSliceMut::new(&mut one), IoSliceMut::new(&mut []), IoSliceMut::new(&mut two)];
    let segments = from_io_slices_mut(&mut slices);
    assert_eq!(View::new(segments).write_at(1, b"abcdefgh"), Ok(6));
    assert_eq!((one, two), (*b"\0ab", *b"cdef"));
    let slices = [IoSlice::new(&one), IoSlice::new(&[]), IoSlice::new(&two)];
    let segments = from_io_slices(&slices);
    assert_eq!(View::new(segments), b"\0abcdef");
    let again = as_io_slices(segments);
    assert!(again.iter().zip(&slices).all(|(one, other)| one.as_ptr() == other.as_ptr()));
}
