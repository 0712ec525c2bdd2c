//! Iterators from what holds memory, walks whose step can fail, and user memory behind an `Arc`.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use iov_iter::host::{NoPage, SharedOnly};
use iov_iter::iov::View;
use iov_iter::{
    Chunk, CopyFlags, Cursor, Dest, Error, Host, IoVec, IovIter, IovIterDest, IovIterSource, KVec,
    Kind, Piece, SharedVec, Source, UserMemory, copy_iter_to_iter,
};

fn all<H: Host>(mut iter: IovIterSource<'_, H>) -> Vec<u8> {
    let mut bytes = vec![0; iter.remaining()];
    assert_eq!(iter.copy_from_iter(&mut bytes), bytes.len());
    bytes
}

#[test]
fn an_iterator_is_made_of_whatever_holds_bytes() {
    let (head, tail) = (*b"head", *b"tail");
    let segments = [KVec::from(&head), KVec::from(&tail)];
    assert_eq!(all(IovIterSource::from(&segments)), b"headtail");
    assert_eq!(all(IovIterSource::from(&segments[1..])), b"tail");
    assert_eq!(all(IovIterSource::from(segments[0])), b"head");
    assert_eq!(all(IovIterSource::from(&head)), b"head");
    assert_eq!(all(IovIterSource::from(&head[1..])), b"ead");
    assert_eq!(all(IovIterSource::from(View::new(&segments))), b"headtail");
    let mut cursor = Cursor::new(&segments[..]);
    cursor.advance(6);
    assert_eq!(all(IovIterSource::from(cursor)), b"il");
    #[cfg(feature = "alloc")]
    {
        assert_eq!(all(IovIterSource::from(&segments.to_vec())), b"headtail");
        assert_eq!(all(IovIterSource::from(&head.to_vec())), b"head");
    }
    let empty: [KVec<'_, Source>; 0] = [];
    assert_eq!(all(IovIterSource::from(&empty)), b"");
    assert_eq!(all(IovIterSource::from(KVec::empty())), b"");
}

#[test]
fn a_destination_is_made_of_whatever_can_be_written() {
    let mut array = [0; 4];
    assert_eq!(IovIterDest::from(&mut array).copy_to_iter(b"array"), 4);
    assert_eq!(IovIterDest::from(&mut array[2..]).copy_to_iter(b"xy"), 2);
    assert_eq!(&array, b"arxy");
    let mut space = [MaybeUninit::uninit(); 3];
    assert_eq!(IovIterDest::from(&mut space).zero(9), 3);
    assert_eq!(IovIterDest::from(KVec::from(&mut space[1..])).copy_to_iter(b"!"), 1);
    // SAFETY: every byte was written.
    assert_eq!(space.map(|byte| unsafe { byte.assume_init() }), *b"\0!\0");
}

#[test]
fn shared_memory_brings_its_host() {
    let ring: [AtomicU8; 4] = Default::default();
    assert_eq!(IovIterDest::from(&ring).copy_to_iter(b"ring"), 4);
    let segments = [SharedVec::from(&ring[2..]), SharedVec::from(&ring[..1])];
    assert_eq!(all(IovIterSource::from(&segments)), b"ngr");
    assert_eq!(all(IovIterSource::from(View::new(&segments))), b"ngr");
    let mut iter = IovIterDest::from(SharedVec::from(&ring));
    iter.advance(1);
    assert_eq!((iter.kind(), iter.copy_to_iter(b"o"), iter.remaining()), (Kind::Shared, 1, 2));
    assert_eq!(ring.map(|byte| byte.load(Ordering::Relaxed)), *b"rong");
}

/// Memory of a guest: a few bytes, shared by handles; one that is 0xff faults.
#[derive(Clone, Debug, Default)]
struct Guest(Arc<[AtomicU8]>);

impl Guest {
    /// The address here of the bytes from `addr` on that do not fault, and their number.
    fn at(&self, addr: usize, len: usize) -> (*mut u8, usize) {
        let rest = self.0.get(addr..).unwrap_or_default();
        let good = rest.iter().take(len).take_while(|byte| byte.load(Ordering::Relaxed) != 0xff);
        (rest.as_ptr().cast_mut().cast(), good.count())
    }
}

// SAFETY: `read` returns the bytes that it copied, from atomics that live as long as the handle.
unsafe impl UserMemory for Guest {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some()
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        let (start, len) = self.at(addr, dst.len());
        // SAFETY: `len` atomics start there.
        dst.copy_from(unsafe { Piece::from_raw_parts(start, len) })
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        let (start, len) = self.at(addr, src.len());
        // SAFETY: as above.
        src.copy_to(unsafe { Piece::from_raw_parts(start, len) })
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        self.at(addr, len).1
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        self.at(addr, len).1
    }
}

#[derive(Debug)]
enum Hypervisor {}

impl Host for Hypervisor {
    type Page = NoPage;
    type User = Guest;
}

fn guest(bytes: &[u8]) -> Guest {
    Guest(bytes.iter().copied().map(AtomicU8::new).collect())
}

#[test]
fn copies_clone_no_handle_of_user_memory() {
    let guest = guest(b"guest memory");
    let segments = [IoVec::new(0, 5), IoVec::new(6, 6)];
    let mut iter = IovIter::<Source, Hypervisor>::iovec(guest.clone(), &segments, 11).unwrap();
    assert_eq!(Arc::strong_count(&guest.0), 2);
    let handles = iter.walk(3, |chunk, _| match &chunk {
        Chunk::User(piece) => Arc::strong_count(&piece.memory().0),
        Chunk::Memory(_) => 0,
    });
    assert_eq!(handles, 2);
    let mut bytes = [0; 9];
    assert_eq!(iter.copy_from_iter_full(&mut bytes), Ok(()));
    assert_eq!(&bytes, b"estmemory");
    assert_eq!(iter.copy_from_iter_full(&mut bytes), Err(Error::Exhausted));
    drop(iter);
    assert_eq!(Arc::strong_count(&guest.0), 1);
}

#[test]
fn all_or_nothing_stays_where_it_was_at_a_fault() {
    let mut iter = IovIter::<Source, Hypervisor>::ubuf(guest(b"abc\xffdef"), 0, 7);
    iter.advance(1);
    iter.truncate(5);
    assert_eq!(iter.copy_from_iter_full(&mut [0; 4]), Err(Error::Fault));
    assert_eq!(iter.remaining(), 5);
    assert_eq!(iter.read_be(), Ok(u16::from_be_bytes(*b"bc")));
    assert_eq!(iter.reexpand(4), Ok(()));
    assert_eq!(iter.revert(3), Ok(()));
}

#[test]
fn iterators_of_borrowed_bytes_go_to_any_host() {
    let mut to = IovIter::<Dest, Hypervisor>::ubuf(guest(b"......."), 1, 6);
    let mut from = IovIterSource::from(b"abcdefg").with_host::<Hypervisor>();
    from.advance(2);
    assert_eq!(copy_iter_to_iter(&mut from, &mut to, 4), 4);
    assert_eq!(from.remaining(), 1);
    let ring: [AtomicU8; 3] = Default::default();
    let mut iter = IovIterDest::from(&ring).with_host::<Hypervisor>();
    assert_eq!((iter.kind(), iter.copy_to_iter(b"abc")), (Kind::Shared, 3));
    assert_eq!(IovIter::<Dest>::discard(7).with_host::<Hypervisor>().zero(9), 7);
}

#[test]
fn a_state_belongs_to_the_list_it_was_saved_from() {
    let (one, other) = ([KVec::from(b"abcd")], [KVec::from(b"abcd")]);
    let mut iter = IovIterSource::from(&one);
    let saved = IovIterSource::from(&other).save();
    assert_eq!(iter.restore(&saved), Err(Error::ForeignState));
    // A buffer is known by its address, and is not a list with the same bytes.
    let bytes = *b"abcd";
    let segments = [KVec::from(&bytes)];
    let mut iter = IovIterSource::from(&bytes);
    let saved = iter.save();
    iter.advance(3);
    assert_eq!(iter.restore(&IovIterSource::from(&segments).save()), Err(Error::ForeignState));
    assert_eq!(iter.restore(&IovIterSource::from(&bytes[..3]).save()), Err(Error::ForeignState));
    assert_eq!((iter.restore(&saved), iter.remaining()), (Ok(()), 4));
    let (ring, other): ([AtomicU8; 4], [AtomicU8; 4]) = Default::default();
    let mut iter = IovIterSource::from(&ring);
    assert_eq!(iter.restore(&IovIterSource::from(&other).save()), Err(Error::ForeignState));
    assert_eq!(iter.restore(&IovIterSource::from(&ring).save()), Ok(()));
}

#[test]
fn a_step_that_fails_tells_what_moved_and_why() {
    let guest = guest(b"0123456789");
    let segments = [IoVec::new(0, 3), IoVec::new(0, 0), IoVec::new(3, 4), IoVec::new(7, 3)];
    let mut iter = IovIter::<Source, Hypervisor>::iovec(guest, &segments, 10).unwrap();
    let mut seen = vec![];
    let failed = iter.try_walk(9, |chunk, progress| {
        let mut bytes = [0; 4];
        let copied = chunk.copy_to(Piece::from(&mut bytes[..]));
        if bytes[0] == b'7' {
            return Err(Error::NoMemory);
        }
        seen.push((progress, bytes[..copied].to_vec()));
        Ok(copied)
    });
    let failed = failed.unwrap_err();
    assert_eq!((failed.moved, failed.cause, iter.remaining()), (7, Error::NoMemory, 3));
    assert_eq!(seen, [(0, b"012".to_vec()), (3, b"3456".to_vec())]);
    assert_eq!(failed.to_string(), "stopped after 7 bytes: no memory left for the list");
    let boxed: Box<dyn std::error::Error> = failed.into();
    assert_eq!(boxed.source().unwrap().downcast_ref(), Some(&Error::NoMemory));
}

#[test]
fn a_step_that_claims_too_much_is_not_believed() {
    let mut iter = IovIterSource::from(b"abcdef");
    assert_eq!(iter.walk(4, |_, _| usize::MAX), 4);
    assert_eq!(iter.try_walk(9, |_, _| Ok::<_, Error>(usize::MAX)), Ok(2));
    assert_eq!(iter.try_walk(9, |_, _| Err::<usize, _>(())), Ok(0));
    assert_eq!(IovIter::<Dest, SharedOnly>::discard(3).walk(9, |_, _| 0), 3);
}
