//! Guest memory by address.

use std::convert::Infallible;
use std::sync::Arc;

use iov_iter::guest::{Ram, Vm};
use iov_iter::iov::{CallError, Stop, VectoredRead};
use iov_iter::{Dest, Error, IoVec, IovIter, Piece, Source, TransferError, UserMemory};

use super::*;

#[test]
fn reads_stop_at_a_hole_and_cross_borders() {
    let memory = memory();
    for (address, len, expected) in [
        (0, 10, 10),
        (2 * PAGE - 3, 6, 6),
        (2 * PAGE - 1, 1, 1),
        (5 * PAGE - 4, 10, 4),
        (5 * PAGE, 10, 0),
        (6 * PAGE - 1, 10, 0),
        (8 * PAGE - 5, 10, 5),
        (8 * PAGE, 1, 0),
        (0, 0, 0),
        (5 * PAGE, 0, 0),
        (usize::MAX - 4, 4, 0),
        (usize::MAX - 4, 10, 0),
        (0, 8 * PAGE, 5 * PAGE),
    ] {
        let mut into = vec![0xee; len];
        let mut iter = IovIter::<Source, Vm<_>>::ubuf(Ram(&memory), address, len);
        assert_eq!(iter.copy_from_iter(&mut into), expected, "{address:#x}+{len}");
        let found: Vec<u8> = (address..address + expected).map(pattern).collect();
        assert_eq!(into[..expected], found);
        assert!(into[expected..].iter().all(|byte| *byte == 0xee));
        let ram = Ram(&memory);
        assert_eq!(ram.access_ok(address, len), address.checked_add(len).is_some());
        assert_eq!(ram.fault_in_readable(address, len), expected);
        assert_eq!(ram.fault_in_writeable(address, len), expected);
    }
    assert!(dirty(&memory).is_empty());
}

#[test]
fn writes_and_zeros_mark_the_pages_that_they_changed_and_no_others() {
    for (address, len, written, pages) in [
        (0, 1, 1, &[0][..]),
        (PAGE - 1, 1, 1, &[0]),
        (PAGE - 1, 2, 2, &[0, 1]),
        (PAGE, PAGE, PAGE, &[1]),
        (2 * PAGE - 1, 2, 2, &[1, 2]),
        (5 * PAGE - 1, 2, 1, &[4]),
        (5 * PAGE, 2, 0, &[]),
        (7 * PAGE, PAGE + 1, PAGE, &[7]),
        (PAGE + 7, 3 * PAGE, 3 * PAGE, &[1, 2, 3, 4]),
        (3, 0, 0, &[]),
    ] {
        for zero in [false, true] {
            let memory = memory();
            let mut iter =
                IovIter::<Dest, Vm<_>>::ubuf(Ram(Arc::new(memory.clone())), address, len);
            let value = if zero { 0 } else { 0xff };
            let moved = if zero { iter.zero(len) } else { iter.copy_to_iter(&vec![value; len]) };
            assert_eq!(moved, written, "{address:#x}+{len}");
            assert_eq!(dirty(&memory), pages, "{address:#x}+{len}");
            let found = if written > 0 { bytes(&memory, address, written) } else { vec![] };
            assert_eq!(found, vec![value; written]);
            if address > 0 && address < 5 * PAGE {
                assert_eq!(bytes(&memory, address - 1, 1), [pattern(address - 1)]);
            }
        }
    }
}

/// Gives at most so many bytes of sevens at each call.
struct Sevens(usize);

impl VectoredRead for Sevens {
    type Error = Infallible;

    fn read_vectored(&mut self, list: &[Piece<'_, Dest>]) -> Result<usize, CallError<Self::Error>> {
        let mut left = self.0;
        for piece in list {
            left -= piece.slice(0, left).fill(7);
        }
        Ok(self.0 - left)
    }
}

#[test]
fn what_is_received_lands_in_guest_memory_and_is_marked_to_the_byte() {
    let memory = memory();
    // Over a border, and to the end of a page; the next page stays clean.
    let segments =
        [IoVec::new(2 * PAGE - 2, 4), IoVec::new(7 * PAGE - 3, 3), IoVec::new(9 * PAGE, 1)];
    let mut iter = IovIter::<Dest, Vm<_>>::iovec(Ram(&memory), &segments, 8).unwrap();
    let received = iter.receive(&mut Sevens(5));
    assert_eq!(received.moved, 7);
    assert_eq!(received.stop, Stop::Failed(TransferError::Memory(Error::Fault)));
    assert_eq!(dirty(&memory), [1, 2, 6]);
    assert_eq!(bytes(&memory, 2 * PAGE - 2, 4), [7; 4]);
    assert_eq!(
        bytes(&memory, 7 * PAGE - 4, 5),
        [pattern(7 * PAGE - 4), 7, 7, 7, pattern(7 * PAGE)]
    );
}
