//! Iterators of every kind over a transport that follows a script; user memory that the host maps, and the
//! bytes of it that are announced as written.

use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::transport::Step::*;
use crate::transport::{BrokenPipe, Scripted, Step, ended};
use iov_iter::host::{NoPage, NoUser, SharedOnly};
use iov_iter::iov::Stop;
use iov_iter::{
    BioVec, CopyFlags, Dest, Direction, Error, Host, IoVec, IovIter, KVec, Page, Piece, SharedVec,
    Source, TransferError, UserMemory,
};
use proptest::prelude::*;

/// Where the regions of a guest are. Two are adjacent; a hole follows them.
const REGIONS: [(usize, usize); 3] = [(0x100, 0x40), (0x140, 0x20), (0x200, 0x30)];

/// The memory of a guest, mapped here in regions.
struct Guest {
    bytes: [Vec<AtomicU8>; 3],
    dirty: [Vec<Cell<bool>>; 3],
    /// Bytes that one piece has at most.
    grain: usize,
    /// Whether the last region may only be read.
    read_only: bool,
}

impl Guest {
    /// A guest whose bytes are the low bits of their addresses.
    fn new() -> Self {
        Self {
            bytes: REGIONS.map(|(start, len)| (start..start + len).map(low).collect()),
            dirty: REGIONS.map(|(_, len)| vec![Cell::new(false); len]),
            grain: usize::MAX,
            read_only: false,
        }
    }

    /// The region and the offset in it of an address.
    fn find(&self, addr: usize) -> Option<(usize, usize)> {
        let holds = |(start, len): (usize, usize)| (start..start + len).contains(&addr);
        let region = REGIONS.iter().position(|region| holds(*region))?;
        Some((region, addr - REGIONS[region].0))
    }

    fn byte(&self, addr: usize) -> Option<u8> {
        self.find(addr).map(|(region, at)| self.bytes[region][at].load(Relaxed))
    }

    /// The addresses marked as written.
    fn dirty(&self) -> Vec<usize> {
        let all = REGIONS.iter().zip(&self.dirty);
        all.flat_map(|((start, _), dirty)| {
            (*start..).zip(dirty).filter(|(_, dirty)| dirty.get()).map(|(addr, _)| addr)
        })
        .collect()
    }
}

fn low(addr: usize) -> AtomicU8 {
    AtomicU8::new(addr as u8)
}

// SAFETY: `read` returns the bytes that it copied to the start of `dst`. The bytes are atomics, and handles
// stay on their thread.
unsafe impl UserMemory for &Guest {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some()
    }

    unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
        unreachable!("what is mapped is not copied")
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        let mut done = 0;
        while done < src.len() {
            // SAFETY: a part of the range that was accepted.
            let Ok(piece) = (unsafe { self.map(addr + done, src.len() - done) }) else { break };
            let len = src.slice(done, usize::MAX).copy_to(piece);
            self.mark_written(addr + done, len);
            done += len;
        }
        done
    }

    fn fault_in_readable(&self, _: usize, len: usize) -> usize {
        len
    }

    fn fault_in_writeable(&self, _: usize, len: usize) -> usize {
        len
    }

    unsafe fn map<D: Direction>(&self, addr: usize, len: usize) -> Result<Piece<'_, D>, Error> {
        let (region, at) = self.find(addr).ok_or(Error::Fault)?;
        if D::IS_DEST && region == 2 && self.read_only {
            return Err(Error::Fault);
        }
        let bytes = &self.bytes[region][at..];
        let len = len.min(bytes.len()).min(self.grain);
        // SAFETY: the bytes are atomics, which are borrowed for as long as the piece.
        Ok(unsafe { Piece::from_raw_parts(bytes.as_ptr().cast_mut().cast(), len) })
    }

    fn mark_written(&self, addr: usize, len: usize) {
        assert!(len > 0, "a range without bytes is announced");
        for addr in addr..addr + len {
            let (region, at) = self.find(addr).expect("only what is mapped was written");
            self.dirty[region][at].set(true);
        }
    }
}

struct Hypervisor<'g>(std::marker::PhantomData<&'g Guest>);

impl<'g> Host for Hypervisor<'g> {
    type Page = NoPage;
    type User = &'g Guest;
}

type Moved = (usize, Stop<TransferError<BrokenPipe>>);

/// What a transfer of `moved` bytes looks like that a fault ended.
fn fault(moved: usize) -> Moved {
    (moved, Stop::Failed(TransferError::Memory(Error::Fault)))
}

fn transport(script: &[Step], data: &[u8]) -> Scripted {
    let mut transport = Scripted::new(script);
    transport.data.extend(data);
    transport
}

#[test]
fn a_descriptor_over_two_regions_is_two_pieces_of_one_call() {
    let guest = Guest::new();
    let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x138, 0x10);
    let mut wire = Scripted::new(&[Move(100)]);
    assert_eq!(ended(iter.send(&mut wire)), (0x10, Stop::Finished));
    assert_eq!(wire.calls, [[8, 8]]);
    assert!(wire.data.iter().copied().eq(0x38..0x48));
    assert!(iter.is_empty() && guest.dirty().is_empty());
}

#[test]
fn a_range_that_leaves_every_region_moves_the_bytes_before_it_and_then_faults() {
    let guest = Guest::new();
    let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x150, 0x100);
    let mut wire = Scripted::new(&[Move(3), Move(100), Move(100)]);
    assert_eq!(ended(iter.send(&mut wire)), fault(0x10));
    assert_eq!(wire.calls, [[16], [13]]);
    assert!(wire.data.iter().copied().eq(0x50..0x60));
    assert_eq!(iter.remaining(), 0xf0);
    // It starts in the hole now.
    assert_eq!(ended(iter.send(&mut wire)), fault(0));
    assert_eq!(wire.calls.len(), 2);
}

#[test]
fn a_host_that_maps_no_bytes_gives_a_fault_and_not_an_empty_call() {
    let guest = Guest { grain: 0, ..Guest::new() };
    let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x138, 0x10);
    let mut wire = Scripted::new(&[Move(100)]);
    assert_eq!(ended(iter.send(&mut wire)), fault(0));
    assert_eq!((wire.calls.len(), iter.remaining()), (0, 0x10));
}

#[test]
fn a_segment_that_wraps_around_the_address_space_is_a_fault() {
    let guest = Guest::new();
    let segments = [IoVec::new(0x100, 4), IoVec::new(usize::MAX - 3, 100), IoVec::new(0x200, 4)];
    let mut iter = IovIter::<Dest, Hypervisor>::iovec(&guest, &segments, 108).unwrap();
    let mut wire = transport(&[Move(100), Move(100)], &[7; 100]);
    assert_eq!(ended(iter.receive(&mut wire)), fault(4));
    assert_eq!((wire.calls, iter.remaining()), (vec![vec![4]], 104));
    assert_eq!(guest.dirty(), [0x100, 0x101, 0x102, 0x103]);
}

#[test]
fn exactly_the_bytes_received_are_announced_and_so_is_a_status_byte_written_last() {
    let guest = Guest::new();
    let segments = [IoVec::new(0x15e, 2), IoVec::new(0, 0), IoVec::new(0x130, 0x20)];
    let status = [IoVec::new(0x22f, 1)];
    let mut data = IovIter::<Dest, Hypervisor>::iovec(&guest, &segments, 0x22).unwrap();
    let bytes: Vec<u8> = (0xc0..0xe2).collect();
    let mut wire = transport(&[Move(5), Interrupt, Move(16), Block], &bytes);
    assert_eq!(ended(data.receive(&mut wire)), (21, Stop::WouldBlock));
    assert_eq!(data.remaining(), 13);
    assert_eq!(wire.calls, [vec![2, 16, 16], vec![13, 16], vec![13, 16], vec![13]]);
    let mut dirty: Vec<usize> = (0x130..0x143).chain(0x15e..0x160).collect();
    assert_eq!(guest.dirty(), dirty);
    let received = (0x15e..0x160).chain(0x130..0x143).map(|addr| guest.byte(addr).unwrap());
    assert!(received.eq(0xc0..0xd5));
    assert_eq!(guest.byte(0x143), Some(0x43), "what was not received is left");

    let mut status = IovIter::<Dest, Hypervisor>::iovec(&guest, &status, 1).unwrap();
    let mut wire = transport(&[Move(1)], &[0]);
    assert_eq!(ended(status.receive(&mut wire)), (1, Stop::Finished));
    dirty.push(0x22f);
    assert_eq!(guest.dirty(), dirty);
}

#[test]
fn memory_that_may_only_be_read_is_a_fault_for_a_destination() {
    let guest = Guest { read_only: true, ..Guest::new() };
    let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x200, 4);
    let mut wire = transport(&[Move(100)], &[]);
    assert_eq!(ended(iter.send(&mut wire)), (4, Stop::Finished));
    let mut iter = IovIter::<Dest, Hypervisor>::ubuf(&guest, 0x200, 4);
    assert_eq!(ended(iter.receive(&mut wire)), fault(0));
    assert!(guest.dirty().is_empty());
}

#[test]
fn a_call_gets_64_pieces_or_what_the_transport_takes_and_a_message_gets_all() {
    let guest = Guest { grain: 1, ..Guest::new() };
    let send = |limit, messages| {
        let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x100, 0x50);
        let mut wire = Scripted::new(&[Move(100); 100]);
        (wire.limit, wire.messages) = (limit, messages);
        assert_eq!(ended(iter.send(&mut wire)), (0x50, Stop::Finished));
        assert!(wire.data.iter().copied().eq(0..0x50));
        wire.calls.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(send(1024, false), [64, 16]);
    assert_eq!(send(30, false), [30, 30, 20]);
    assert_eq!(send(1024, true), [80]);
    assert_eq!(send(70, true), [70, 10]);

    // The largest list has 1024.
    let segments = [IoVec::new(0x100, 1); 1100];
    let mut iter = IovIter::<Source, Hypervisor>::iovec(&guest, &segments, 1100).unwrap();
    let mut wire = Scripted::new(&[Move(2000); 2]);
    (wire.limit, wire.messages) = (2000, true);
    assert_eq!(ended(iter.send(&mut wire)), (1100, Stop::Finished));
    assert_eq!(wire.calls.iter().map(Vec::len).collect::<Vec<_>>(), [1024, 76]);
}

#[test]
fn a_message_that_is_out_of_reach_in_part_is_not_sent() {
    for grain in [1, usize::MAX] {
        let guest = Guest { grain, ..Guest::new() };
        let mut iter = IovIter::<Source, Hypervisor>::ubuf(&guest, 0x150, 0x20);
        let mut wire = Scripted::new(&[Move(100)]);
        wire.messages = true;
        assert_eq!(ended(iter.send(&mut wire)), fault(0));
        assert_eq!((wire.calls.len(), iter.remaining()), (0, 0x20));
    }
}

#[test]
fn a_host_that_does_not_map_gives_an_error_and_nothing_moves() {
    #[derive(Clone, Copy)]
    struct Unmapped;

    // SAFETY: nothing is read.
    unsafe impl UserMemory for Unmapped {
        type Page = NoPage;

        fn access_ok(&self, _: usize, _: usize) -> bool {
            true
        }

        unsafe fn read(&self, _: usize, _: Piece<'_, Dest>, _: CopyFlags) -> usize {
            0
        }

        unsafe fn write(&self, _: usize, _: Piece<'_, Source>, _: CopyFlags) -> usize {
            0
        }

        fn fault_in_readable(&self, _: usize, _: usize) -> usize {
            0
        }

        fn fault_in_writeable(&self, _: usize, _: usize) -> usize {
            0
        }
    }

    struct Process;

    impl Host for Process {
        type Page = NoPage;
        type User = Unmapped;
    }

    let mut iter = IovIter::<Dest, Process>::ubuf(Unmapped, 0x1000, 10);
    let mut wire = transport(&[Move(10)], &[0; 10]);
    let error = TransferError::Memory(Error::NoMapping);
    assert_eq!(ended(iter.receive(&mut wire)), (0, Stop::Failed(error)));
    assert_eq!((wire.calls.len(), iter.remaining()), (0, 10));
    let error = TransferError::<Error>::Memory(Error::NoMapping);
    assert_eq!(error.to_string(), "this memory cannot be mapped for a transport");
}

#[test]
fn addressable_memory_moves_from_where_the_iterator_is_up_to_its_truncation() {
    let segments = [KVec::from(&b"abcd"[..]), KVec::from(&b""[..]), KVec::from(&b"efgh"[..])];
    let mut iter = IovIter::<Source>::from(&segments[..]);
    assert_eq!(iter.advance(1), 1);
    iter.truncate(5);
    let mut wire = Scripted::new(&[Move(2), Move(2), Fail]);
    let stop = Stop::Failed(TransferError::Transport(BrokenPipe));
    assert_eq!(ended(iter.send(&mut wire)), (4, stop));
    assert_eq!(wire.calls, [vec![3, 2], vec![1, 2], vec![1]]);
    assert_eq!((iter.remaining(), wire.data), (1, (*b"bcde").into()));
    assert_eq!((iter.reexpand(3), iter.remaining()), (Ok(()), 3));

    let ring: [AtomicU8; 8] = Default::default();
    let segments = [SharedVec::from(&ring[..2]), SharedVec::from(&ring[4..])];
    let mut iter = IovIter::<Dest, SharedOnly>::shared(&segments, 5).unwrap();
    iter.advance(1);
    let mut wire = transport(&[Move(100), Move(100)], b"xyz");
    assert_eq!(ended(iter.receive(&mut wire)), (3, Stop::Closed));
    assert_eq!((wire.calls, iter.remaining()), (vec![vec![1, 3], vec![1]], 1));
    assert_eq!(ring.map(AtomicU8::into_inner), *b"\0x\0\0yz\0\0");
}

#[test]
fn what_is_discarded_is_received_all_the_same() {
    let mut iter = IovIter::<Dest>::discard(66_000);
    let mut wire = transport(&[Move(300), Block, Move(2000)], &[1; 2000]);
    assert_eq!(ended(iter.receive(&mut wire)), (300, Stop::WouldBlock));
    assert_eq!((iter.remaining(), wire.data.len()), (65_700, 1700));
    iter.truncate(1100);
    assert_eq!(ended(iter.receive(&mut wire)), (1100, Stop::Finished));
    assert_eq!((iter.remaining(), wire.data.len()), (0, 600));
    assert_eq!(wire.calls, [vec![1024; 64], vec![1024; 64], vec![1024, 76]]);
}

/// A page of the heap.
#[derive(Clone)]
struct HeapPage(Rc<UnsafeCell<[u8; 16]>>);

impl AsRef<Self> for HeapPage {
    fn as_ref(&self) -> &Self {
        self
    }
}

// SAFETY: a page is a run of its own, of one thread; its bytes are initialised, live as long as any handle,
// and are accessed through mappings only.
unsafe impl Page for HeapPage {
    const SIZE: usize = 16;
    type Pin = Self;

    fn run_length(&self) -> usize {
        1
    }

    fn nth(&self, index: usize) -> Option<Self> {
        (index == 0).then(|| self.clone())
    }

    unsafe fn map<R>(&self, _: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        NonNull::new(self.0.get().cast()).map(f)
    }
}

struct Kernel;

impl Host for Kernel {
    type Page = HeapPage;
    type User = NoUser<HeapPage>;
}

#[test]
fn pages_move_one_in_a_call_and_a_message_is_not_cut_at_their_ends() {
    let pages = [1, 2].map(|value| HeapPage(Rc::new(UnsafeCell::new([value; 16]))));
    let [first, second] = pages.each_ref();
    let segments =
        [BioVec::new(first.clone(), 10, 6).unwrap(), BioVec::new(second.clone(), 0, 16).unwrap()];
    let mut iter = IovIter::<Source, Kernel>::bvec(&segments, 20).unwrap();
    let mut wire = Scripted::new(&[Move(100); 3]);
    wire.messages = true;
    let stop = Stop::Failed(TransferError::Memory(Error::NoMapping));
    assert_eq!(ended(iter.send(&mut wire)), (0, stop));
    assert!(wire.calls.is_empty());
    wire.messages = false;
    assert_eq!(ended(iter.send(&mut wire)), (20, Stop::Finished));
    assert_eq!(wire.calls, [[6], [14]]);
    assert!(wire.data.into_iter().eq([&[1; 6][..], &[2; 14]].concat()));

    let mut iter = IovIter::<Dest, Kernel>::bvec(&segments[1..], 4).unwrap();
    let mut wire = transport(&[Move(3), Move(3)], b"abcdef");
    wire.messages = true;
    assert_eq!(ended(iter.receive(&mut wire)), (4, Stop::Finished));
    let mut start = [0; 5];
    second.read_at(0, Piece::from(&mut start[..])).unwrap();
    assert_eq!(&start, b"abcd\x02");
}

/// A script of calls, none of which closes.
fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let step =
        prop_oneof![6 => (1..40usize).prop_map(Move), 1 => Just(Interrupt), 1 => Just(Block)];
    proptest::collection::vec(step, 0..8)
}

proptest! {
    #![proptest_config(crate::cases::cases(2000))]

    #[test]
    fn user_memory_moves_up_to_the_first_byte_that_is_not_mapped(
        segments in proptest::collection::vec((0xf8..0x238usize, 0..0x30usize), 0..6),
        offset in 0..20usize,
        grain in prop_oneof![Just(usize::MAX), 1..20usize],
        limit in 1..70usize,
        script in scripts(),
    ) {
        let list: Vec<IoVec> = segments.iter().map(|(base, len)| IoVec::new(*base, *len)).collect();
        let addresses: Vec<usize> =
            segments.iter().flat_map(|(base, len)| *base..base + len).skip(offset).collect();
        let count = segments.iter().map(|(_, len)| len).sum();
        let reachable = |guest: &Guest| addresses.iter().map_while(|a| guest.byte(*a)).count();

        let guest = Guest { grain, ..Guest::new() };
        let mut iter = IovIter::<Source, Hypervisor>::iovec(&guest, &list, count).unwrap();
        iter.advance(offset);
        let mut wire = Scripted::new(&script);
        wire.limit = limit;
        let sent = iter.send(&mut wire);
        prop_assert!(wire.data.iter().copied().eq(addresses[..sent.moved].iter().map(|a| *a as u8)));
        prop_assert_eq!(iter.remaining(), addresses.len() - sent.moved);
        prop_assert!(sent.moved <= reachable(&guest));
        let ends_there = sent.moved == reachable(&guest);
        match sent.stop {
            Stop::Finished => prop_assert_eq!(sent.moved, addresses.len()),
            Stop::Failed(error) => {
                prop_assert_eq!(error, TransferError::Memory(Error::Fault));
                prop_assert!(ends_there && sent.moved < addresses.len());
            }
            _ => prop_assert!(!ends_there),
        }
        prop_assert!(guest.dirty().is_empty());

        // The same way in: the same bytes, which are exactly those that are dirty then.
        let mut iter = IovIter::<Dest, Hypervisor>::iovec(&guest, &list, count).unwrap();
        iter.advance(offset);
        let mut wire = transport(&script, &[0xff; 400]);
        wire.limit = limit;
        prop_assert_eq!(iter.receive(&mut wire), sent);
        prop_assert_eq!(iter.remaining(), addresses.len() - sent.moved);
        let mut written = addresses[..sent.moved].to_vec();
        written.sort_unstable();
        written.dedup();
        prop_assert_eq!(guest.dirty(), &written[..]);
        for (start, len) in REGIONS {
            for addr in start..start + len {
                let expected = if written.contains(&addr) { 0xff } else { addr as u8 };
                prop_assert_eq!(guest.byte(addr), Some(expected));
            }
        }
    }
}
