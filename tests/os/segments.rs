//! Segments as the system sees them.
#![cfg(all(unix, feature = "std"))]

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

use iov_iter::iov::{Stop, VectoredRead, VectoredWrite, View};
use iov_iter::os::io::{Stream, as_io_slices, as_io_slices_mut};
use iov_iter::segment::as_pieces;
use iov_iter::{Dest, KVec, Source};

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
