//! Iterators behind traits that everybody knows: of the standard library, `bytes` and `zerocopy`.

use std::fmt::Write as _;

use iov_iter::host::SharedOnly;
use iov_iter::iov::{CallError, Stop, Transfer, VectoredRead, VectoredWrite};
use iov_iter::{
    Dest, Error, IovIter, IovIterDest, IovIterSource, KVec, Piece, SharedVec, Source, TransferError,
};

use crate::model::{Iter, UserSpace};

/// A text in three segments, one of them empty.
fn text() -> [KVec<'static, Source>; 3] {
    [KVec::from(b"one\ntw"), KVec::empty(), KVec::from(b"o\nthree")]
}

#[test]
fn formatted_text_fills_what_there_is() {
    let (mut x, mut y) = ([b'.'; 3], [b'.'; 3]);
    let segments = [KVec::from(&mut x), KVec::from(&mut y)];
    let mut iter = IovIterDest::from(&segments);
    assert!(write!(iter, "{}", 12345).is_ok());
    assert!(iter.write_str("").is_ok());
    assert!(iter.write_str("67").is_err());
    assert_eq!((iter.remaining(), &x, &y), (0, b"123", b"456"));
}

#[cfg(feature = "std")]
#[test]
fn lines_are_read_across_segments() {
    use std::io::{BufRead, Read};

    let segments = text();
    let lines: Vec<_> = IovIterSource::from(&segments).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two", "three"]);
    let mut iter = IovIterSource::from(&segments);
    iter.truncate(7);
    let mut bytes = vec![];
    assert_eq!(iter.read_to_end(&mut bytes).unwrap(), 7);
    assert_eq!(bytes, b"one\ntwo");
    assert_eq!(iter.fill_buf().unwrap(), b"");
    iter.consume(usize::MAX);
    assert_eq!(iter.read(&mut [0]).unwrap(), 0);
    let short = IovIterSource::from(&segments).read_exact(&mut [0; 99]).unwrap_err();
    assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[cfg(feature = "std")]
#[test]
fn writing_past_the_end_is_an_error_of_its_own() {
    use std::io::{ErrorKind, Write};

    let mut space = [0; 4];
    let mut iter = IovIterDest::from(&mut space);
    assert_eq!(iter.write_all(b"abcde").unwrap_err().kind(), ErrorKind::WriteZero);
    assert_eq!((iter.write(b"").unwrap(), iter.write(b"f").unwrap()), (0, 0));
    iter.flush().unwrap();
    assert_eq!(&space, b"abcd");
}

#[cfg(feature = "std")]
#[test]
fn a_fault_is_an_error_once_no_byte_moves() {
    use std::io::{Read, Write};

    let space = UserSpace::<4096>::resident(&[0x1000]);
    space.store(0x1000, b"abcdefgh");
    space.make_bad(0x1004..0x1005);
    let mut bytes = [0; 8];
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    assert_eq!(iter.read(&mut bytes).unwrap(), 4);
    assert_eq!(iter.read(&mut []).unwrap(), 0);
    assert_eq!(iter.read(&mut bytes).unwrap_err().raw_os_error(), Some(14));
    let mut iter = Iter::<Dest>::ubuf(&space, 0x1000, 8);
    assert_eq!(iter.write(&bytes).unwrap(), 4);
    assert_eq!(iter.write(&bytes).unwrap_err().raw_os_error(), Some(14));
}

#[cfg(feature = "std")]
#[test]
fn io_slices_are_the_bytes_left() {
    let segments = text();
    let mut iter = IovIterSource::from(&segments);
    iter.advance(2);
    iter.truncate(6);
    let slices: Vec<_> = iter.io_slices().map(|slice| slice.to_vec()).collect();
    assert_eq!(slices, [&b"e\ntw"[..], b"o\n"]);
    assert_eq!(iter.remaining(), 6);
}

#[test]
fn pieces_are_the_bytes_left_of_addressable_memory() {
    let segments = text();
    let mut iter = IovIterSource::from(&segments);
    iter.advance(4);
    let lengths = |pieces: &mut dyn Iterator<Item = usize>| pieces.collect::<Vec<_>>();
    assert_eq!(lengths(&mut iter.pieces().map(|piece| piece.len())), [2, 7]);
    let ring: [std::sync::atomic::AtomicU8; 8] = Default::default();
    let mut iter = IovIterDest::from(SharedVec::from(&ring));
    iter.truncate(5);
    assert_eq!(lengths(&mut iter.pieces().map(|piece| piece.len())), [5]);
    for piece in iter.pieces() {
        piece.fill(7);
    }
    assert_eq!(ring.map(|byte| byte.into_inner()), [7, 7, 7, 7, 7, 0, 0, 0]);
    let space = UserSpace::<4096>::resident(&[0x1000]);
    assert_eq!(Iter::<Source>::ubuf(&space, 0x1000, 8).pieces().count(), 0);
    assert_eq!(IovIter::<Dest, SharedOnly>::discard(8).pieces().count(), 0);
}

#[cfg(feature = "bytes")]
#[test]
fn a_buffer_of_bytes_stops_at_its_end() {
    use bytes::Buf;

    let segments = text();
    let mut iter = IovIterSource::from(&segments);
    assert_eq!((Buf::remaining(&iter), iter.chunk()), (13, &b"one\ntw"[..]));
    Buf::advance(&mut iter, 5);
    assert_eq!(iter.chunk(), b"w");
    assert_eq!(iter.try_get_u16(), Ok(u16::from_be_bytes(*b"wo")));
    assert_eq!(iter.copy_to_bytes(3), &b"\nth"[..]);
    assert!(iter.try_get_u64().is_err());
    Buf::advance(&mut iter, usize::MAX);
    assert_eq!((iter.chunk(), iter.has_remaining()), (&b""[..], false));
}

#[cfg(feature = "bytes")]
#[test]
fn space_for_bytes_skips_empty_segments_and_stops_at_its_end() {
    use bytes::BufMut;
    use iov_iter::SpaceMut;

    let (mut x, mut y) = ([0; 3], [0; 4]);
    let mut segments = [KVec::empty(), KVec::from(&mut x), KVec::empty(), KVec::from(&mut y)];
    let mut space = SpaceMut::new(&mut segments);
    assert_eq!((space.remaining_mut(), space.chunk_mut().len()), (7, 3));
    space.put_slice(b"abcde");
    assert_eq!((space.remaining_mut(), space.chunk_mut().len()), (2, 2));
    // SAFETY: the bytes are initialised.
    unsafe { space.advance_mut(usize::MAX) };
    assert_eq!((space.has_remaining_mut(), space.chunk_mut().len()), (false, 0));
    let mut all = SpaceMut::new(&mut segments);
    all.put_u8(b'A');
    assert_eq!((&x, &y), (b"Abc", b"de\0\0"));
}

#[cfg(feature = "zerocopy-v0.8")]
#[test]
fn objects_are_moved_whole_or_not_at_all() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    space.store(0x1000, &[1, 2, 3, 4, 5, 6]);
    space.make_bad(0x1005..0x1006);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 6);
    assert_eq!(iter.read_obj(), Ok([1_u8, 2, 3]));
    assert_eq!(iter.read_obj::<[u8; 3]>(), Err(Error::Fault));
    assert_eq!(iter.read_obj::<[u8; 4]>(), Err(Error::Exhausted));
    assert_eq!((iter.read_obj::<()>(), iter.remaining()), (Ok(()), 3));

    let (mut x, mut y) = ([0; 1], [0; 4]);
    let segments = [KVec::from(&mut x), KVec::empty(), KVec::from(&mut y)];
    let mut iter = IovIterDest::from(&segments);
    assert_eq!(iter.write_obj(&[0x0102_u16.to_be(), 0x0304_u16.to_be()]), Ok(()));
    assert_eq!(iter.write_obj(&7_u16), Err(Error::Exhausted));
    assert_eq!(iter.write_obj(&b"!"[..]), Ok(()));
    assert_eq!((&x, &y), (&[1], &[2, 3, 4, b'!']));
}

/// Takes at most three bytes a call, one segment at a time; interrupted before each, and then broken.
struct Slow(Vec<u8>, bool);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl VectoredWrite for Slow {
    type Error = Broken;

    fn write_vectored(&mut self, list: &[Piece<'_, Source>]) -> Result<usize, CallError<Broken>> {
        self.1 = !self.1;
        let mut bytes = [0; 3];
        let len = list[0].copy_to(Piece::from(&mut bytes[..]));
        match () {
            () if self.0.len() >= 6 => Err(CallError::Failed(Broken)),
            () if self.1 => Err(CallError::Interrupted),
            () => {
                self.0.extend(&bytes[..len]);
                Ok(len)
            }
        }
    }
}

impl VectoredRead for Slow {
    type Error = Broken;

    fn read_vectored(&mut self, list: &[Piece<'_, Dest>]) -> Result<usize, CallError<Broken>> {
        self.1 = !self.1;
        match (self.1, self.0.is_empty()) {
            (true, _) => Err(CallError::Interrupted),
            (_, true) => Err(CallError::WouldBlock),
            _ => Ok(list[0].copy_from(Piece::from(&self.0.split_off(self.0.len() - 1)[..]))),
        }
    }
}

#[test]
fn one_call_moves_what_one_call_moves() {
    let segments = text();
    let mut iter = IovIterSource::from(&segments);
    let mut wire = Slow(vec![], false);
    assert_eq!((iter.send_once(&mut wire), iter.remaining()), (Ok(3), 10));
    assert_eq!((iter.send_once(&mut wire), iter.remaining()), (Ok(3), 7));
    let failed = CallError::Failed(TransferError::Transport(Broken));
    assert_eq!((iter.send_once(&mut wire), iter.remaining()), (Err(failed), 7));
    assert_eq!(wire.0, b"one\ntw");
    let mut nothing = IovIterSource::from(&[0; 0]);
    assert_eq!(nothing.send_once(&mut wire), Ok(0));

    let (mut x, mut y) = ([0; 1], [0; 9]);
    let segments = [KVec::from(&mut x), KVec::from(&mut y)];
    let mut iter = IovIterDest::from(&segments);
    let mut wire = Slow(b"ba".to_vec(), false);
    assert_eq!((iter.receive_once(&mut wire), iter.receive_once(&mut wire)), (Ok(1), Ok(1)));
    assert_eq!((iter.receive_once(&mut wire), iter.remaining()), (Err(CallError::WouldBlock), 8));
    assert_eq!((&x, &y[..2]), (b"a", &b"b\0"[..]));
}

#[test]
fn one_call_reaches_no_memory_that_faults() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut iter = Iter::<Source>::ubuf(&space, 0x1000, 8);
    let refused = iter.send_once(&mut Slow(vec![], false));
    assert_eq!(refused, Err(CallError::Failed(TransferError::Memory(Error::NoMapping))));
    assert_eq!(iter.remaining(), 8);
}

#[test]
fn a_short_transfer_is_an_error_that_tells_why() {
    fn all(iter: &mut IovIterSource<'_>) -> Result<usize, Box<dyn std::error::Error>> {
        Ok(iter.send(&mut Slow(vec![], false)).finished()?)
    }
    let segments = text();
    assert_eq!(all(&mut IovIterSource::from(&segments[..1])).unwrap(), 6);
    let error = all(&mut IovIterSource::from(&segments)).unwrap_err();
    assert_eq!(error.to_string(), "6 bytes moved, then the transport failed");
    let transfer: &Transfer<TransferError<Broken>> = error.downcast_ref().unwrap();
    assert_eq!(
        (transfer.moved, transfer.stop),
        (6, Stop::Failed(TransferError::Transport(Broken)))
    );
    assert_eq!(error.source().unwrap().to_string(), "broken");
}

#[test]
fn an_end_is_no_fault() {
    let error = IovIterSource::from(b"abc").read_be::<u32>().unwrap_err();
    assert_eq!((error, error.errno()), (Error::Exhausted, 61));
    let space = UserSpace::<4096>::resident(&[0x1000]);
    space.make_bad(0x1002..0x1003);
    let error = Iter::<Source>::ubuf(&space, 0x1000, 4).read_be::<u32>().unwrap_err();
    assert_eq!((error, error.errno()), (Error::Fault, 14));
}
