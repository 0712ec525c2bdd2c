//! Iterators behind the traits of `embedded_io`.

#![cfg(feature = "embedded-io-v0.7")]

use embedded_io::{Error as _, ErrorKind, Read, ReadExactError, Write};
use iov_iter::{Dest, Error, IovIter, KVec, Source};

#[test]
fn a_source_is_a_reader() {
    let segments = [KVec::from(&b"ab"[..]), KVec::from(&b""[..]), KVec::from(&b"cde"[..])];
    let mut iter = IovIter::<Source>::from(&segments[..]);
    let mut bytes = [0; 4];
    iter.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"abcd");
    assert_eq!(iter.read(&mut []), Ok(0));
    assert_eq!(Read::read(&mut iter, &mut bytes), Ok(1));
    assert_eq!(Read::read(&mut iter, &mut bytes), Ok(0));
    assert!(matches!(iter.read_exact(&mut bytes), Err(ReadExactError::UnexpectedEof)));
}

#[test]
fn a_destination_is_a_writer_until_it_is_full() {
    let (mut x, mut y) = ([0; 2], [0; 3]);
    let segments = [KVec::from(&mut x[..]), KVec::from(&mut y[..])];
    let mut iter = IovIter::<Dest>::from(&segments[..]);
    write!(iter, "{:03}", 7).unwrap();
    assert_eq!(iter.write(b""), Ok(0));
    assert_eq!(iter.write(b"xyz"), Ok(2));
    assert_eq!(iter.write(b""), Ok(0));
    assert_eq!(iter.write(b"z"), Err(Error::Exhausted));
    assert_eq!(Error::Exhausted.kind(), ErrorKind::WriteZero);
    assert_eq!(Error::NoMemory.kind(), ErrorKind::OutOfMemory);
    iter.flush().unwrap();
    assert_eq!((&x, &y), (b"00", b"7xy"));
}

#[cfg(all(feature = "std", target_os = "linux", not(miri)))]
#[test]
fn a_fault_is_reported_once_no_byte_moves() {
    use iov_iter::os::{Process, ProcessMemory};

    // SAFETY: what is written lies at addresses without memory.
    let memory = unsafe { ProcessMemory::own() }.unwrap();
    let mut iter = IovIter::<Source, Process>::ubuf(memory, 8, 16);
    assert_eq!(Read::read(&mut iter, &mut [0; 4]), Err(Error::Fault));
    let mut iter = IovIter::<Dest, Process>::ubuf(memory, 8, 16);
    assert_eq!(iter.write(b"null"), Err(Error::Fault));
}
