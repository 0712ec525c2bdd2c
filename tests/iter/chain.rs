//! Chains of segment lists: ends that are no ends, borders, nodes that grow.

use std::sync::atomic::AtomicU8;

use crate::model::{Iter, TestPage, UserSpace, at, pattern, place};
use crate::transport::{Scripted, Step, ended};
use heapless::Vec as List;
use iov_iter::host::SharedOnly;
use iov_iter::iov::{CallError, Stop};
use iov_iter::segment::{Chain, ChainNode, ChainSlots};
use iov_iter::{
    BioVec, Cursor, Dest, DupStorage, Error, HeldPage, IoVec, IovIter, KVec, Kind, PageRange,
    Piece, Position, SharedVec, Source, TransferError,
};

type Kernel<'a, D> = IovIter<'a, D, SharedOnly>;

#[test]
fn the_end_of_the_chain_is_a_short_result() {
    let segments = [KVec::from(b"abc"), KVec::from(b"de")];
    let mut node = ChainNode::new(&segments);
    let (chain, _tail) = Chain::new(&mut node);
    let mut iter = Kernel::<Source>::kvec_chain(chain, 100);
    let mut bytes = [0; 100];
    assert_eq!(iter.copy_from_iter(&mut bytes[..4]), 4);
    assert_eq!((iter.remaining(), iter.first_segment_len(), iter.span(0, 99, 9)), (96, 1, 1));
    // Nothing moves where not all is there, and nothing faulted.
    assert_eq!(iter.copy_from_iter_full(&mut bytes[..2]), Err(Error::Exhausted));
    assert_eq!(iter.read_be::<u16>(), Err(Error::Exhausted));
    assert_eq!(iter.advance(50), 1);
    assert_eq!((iter.advance(50), iter.copy_from_iter(&mut bytes), iter.remaining()), (0, 0, 95));
    assert_eq!((iter.first_segment_len(), iter.alignment(), iter.npages(9)), (0, 0, 0));
    assert_eq!(iter.revert(6), Err(Error::RevertPastStart));
    assert_eq!(iter.revert(5), Ok(()));
    assert_eq!(iter.copy_from_iter(&mut bytes), 5);
    assert_eq!(&bytes[..5], b"abcde");
}

#[test]
fn an_iterator_at_the_end_goes_on_with_what_is_appended() {
    let mut late = [[0; 3], [0; 3]];
    let [second, third] = late.each_mut().map(|bytes| [KVec::from(bytes)]);
    let mut first = [0; 2];
    let first = [KVec::from(&mut first)];
    let mut nodes = [
        ChainNode::new(&first),
        ChainNode::new(&[]),
        ChainNode::new(&second),
        ChainNode::new(&third),
    ];
    let [a, b, c, d] = &mut nodes;
    let (chain, mut tail) = Chain::new(a);
    let mut iter = Kernel::<Dest>::kvec_chain(chain, 8);
    let start = iter.save();
    assert_eq!(iter.copy_to_iter(b"hello wo"), 2);
    tail.append(b);
    assert_eq!((iter.copy_to_iter(b"llo wo"), iter.zero(3), iter.remaining()), (0, 0, 6));
    tail.append(c);
    assert_eq!((iter.copy_to_iter(b"llo wo"), iter.first_segment_len()), (3, 0));
    let at_border = iter.save();
    tail.append(d);
    assert_eq!(iter.first_segment_len(), 3);
    assert_eq!((iter.copy_to_iter(b" world"), iter.is_empty()), (3, true));
    // Over three borders, one of them of an empty node.
    assert_eq!(iter.revert(8), Ok(()));
    assert_eq!(iter.advance(7), 7);
    iter.restore(&at_border).unwrap();
    assert_eq!((iter.remaining(), iter.copy_to_iter(b"W")), (3, 1));
    iter.restore(&start).unwrap();
    assert_eq!(iter.remaining(), 8);
    assert_eq!(late, [*b"llo", *b"Wwo"]);
}

#[test]
fn a_state_belongs_to_the_chain_it_was_saved_from() {
    let segments = [KVec::from(b"bytes")];
    let (mut one, mut other) = (ChainNode::new(&segments), ChainNode::new(&segments));
    let mut iter = Kernel::<Source>::kvec_chain(Chain::new(&mut one).0, 5);
    let foreign = Kernel::<Source>::kvec_chain(Chain::new(&mut other).0, 5);
    let state = iter.save();
    iter.advance(2);
    assert_eq!(iter.restore(&foreign.save()), Err(Error::ForeignState));
    assert_eq!(iter.remaining(), 3);
    assert_eq!((iter.restore(&state), iter.remaining()), (Ok(()), 5));
}

#[test]
fn a_node_grows_while_an_iterator_is_in_it() {
    let (mut slots, mut more) = (ChainSlots::<_, 3>::new(), ChainSlots::<_, 1>::new());
    let (mut node, mut next) = (ChainNode::growing(&mut slots), ChainNode::growing(&mut more));
    let (chain, mut tail) = Chain::new(&mut node);
    let mut iter = Kernel::<Source>::kvec_chain(chain, 9);
    let mut bytes = [0; 9];
    assert_eq!(iter.copy_from_iter(&mut bytes), 0);
    assert!(tail.push(KVec::from(b"abc")).is_ok());
    assert_eq!(iter.copy_from_iter(&mut bytes), 3);
    assert!(tail.push(KVec::from(b"")).is_ok());
    assert_eq!(iter.copy_from_iter(&mut bytes[3..]), 0);
    assert!(tail.push(KVec::from(b"de")).is_ok());
    let refused = tail.push(KVec::from(b"fghi")).unwrap_err();
    tail.append(&mut next);
    assert!(tail.push(refused).is_ok());
    assert_eq!(iter.segment_count(), 2);
    assert_eq!((iter.copy_from_iter(&mut bytes[3..]), &bytes), (6, b"abcdefghi"));
    assert_eq!(iter.revert(9), Ok(()));
    assert_eq!(chain.nodes().map(|node| node.segments().len()).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn the_pieces_of_a_chain_are_those_of_its_segments() {
    let ring: [AtomicU8; 7] = Default::default();
    let lists = [[SharedVec::from(&ring[5..])], [SharedVec::from(&ring[..5])]];
    let (mut first, mut second) = (ChainNode::new(&lists[0]), ChainNode::new(&lists[1]));
    let (chain, mut tail) = Chain::new(&mut first);
    tail.append(&mut second);
    let mut iter = Kernel::<Dest>::shared_chain(chain, 6);
    iter.advance(1);
    let pieces: Vec<_> = iter.pieces().map(|piece| (piece.as_ptr(), piece.len())).collect();
    let address = |at: usize| ring[at].as_ptr().cast_const();
    assert_eq!(pieces, [(address(6), 1), (address(0), 4)]);

    let segments = [KVec::from(b"exclusive")];
    let mut node = ChainNode::new(&segments);
    let iter = Kernel::<Source>::kvec_chain(Chain::new(&mut node).0, 5);
    assert_eq!(iter.pieces().map(|piece| piece.len()).collect::<Vec<_>>(), [5]);
}

#[test]
fn what_is_pushed_while_a_segment_is_walked_comes_before_the_next_node() {
    let segments = [KVec::from(b"fg")];
    let (mut slots, mut next) = (ChainSlots::<_, 2>::new(), ChainNode::new(&segments));
    let mut node = ChainNode::growing(&mut slots);
    let (chain, mut tail) = Chain::new(&mut node);
    assert!(tail.push(KVec::from(b"abc")).is_ok());
    let mut iter = Kernel::<Source>::kvec_chain(chain, 7);
    let (mut next, mut seen) = (Some(&mut next), [0; 7]);
    let walked = iter.walk(7, |chunk, done| {
        if let Some(next) = next.take() {
            assert!(tail.push(KVec::from(b"de")).is_ok());
            tail.append(next);
        }
        chunk.copy_to(Piece::from(&mut seen[done..]))
    });
    assert_eq!((walked, &seen), (7, b"abcdefg"));
}

#[test]
fn slots_drop_their_segments_once() {
    let page = TestPage::<4096>::run(1);
    let mut slots = ChainSlots::<_, 2>::new();
    let bvec = |len| BioVec::new(page.clone(), 0, len).unwrap();
    for references in [1, 3] {
        assert_eq!(page.references(), references);
        // What was there before is dropped.
        let mut node = ChainNode::growing(&mut slots);
        assert_eq!(page.references(), 1);
        let (chain, mut tail) = Chain::new(&mut node);
        assert!(tail.push(bvec(1)).is_ok() && tail.push(bvec(2)).is_ok());
        assert!(tail.push(bvec(3)).is_err());
        assert_eq!(Iter::<Source>::bvec_chain(chain, 3).segment_count(), 2);
    }
    drop(slots);
    assert_eq!(page.references(), 1);
}

#[test]
fn a_node_may_be_in_another_chain_later() {
    let (first, second) = ([IoVec::new(0, 1)], [IoVec::new(0, 2)]);
    let (mut a, mut b) = (ChainNode::new(&first), ChainNode::new(&second));
    {
        let (chain, mut tail) = Chain::new(&mut a);
        tail.append(&mut b);
        assert_eq!(Cursor::new(chain).remaining(), 3);
    }
    let (chain, mut tail) = Chain::new(&mut b);
    assert_eq!(Cursor::new(chain).remaining(), 2);
    tail.append(&mut a);
    let mut cursor = Cursor::new(chain);
    assert_eq!((cursor.remaining(), cursor.advance(9)), (3, 3));
    assert_eq!((cursor.revert(3), cursor.revert(1)), (Ok(()), Err(Error::RevertPastStart)));
}

#[test]
fn cursors_take_places_of_the_whole_chain() {
    let lists = [vec![IoVec::new(0, 0), IoVec::new(0, 3)], vec![], vec![IoVec::new(9, 4)]];
    let mut nodes: Vec<_> = lists.iter().map(|list| ChainNode::new(list)).collect();
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut cursor = Cursor::new(chain);
    assert_eq!((cursor.remaining(), cursor.position()), (7, Position::new(1, 0)));
    for (advanced, index, offset) in [(2, 1, 2), (1, 2, 0), (3, 2, 3), (1, 3, 0)] {
        cursor.advance(advanced);
        assert_eq!(cursor.position(), Position::new(index, offset));
        let resumed = Cursor::resumed(chain, cursor.position(), cursor.remaining()).unwrap();
        assert_eq!(
            (resumed.position(), resumed.remaining()),
            (cursor.position(), cursor.remaining())
        );
        let mut reverted = resumed;
        assert_eq!(reverted.revert(7 - cursor.remaining()), Ok(()));
        assert_eq!(reverted.revert(1), Err(Error::RevertPastStart));
    }
    for (index, offset) in [(0, 1), (1, 3), (2, 4), (3, 1), (4, 0)] {
        let outside = Cursor::resumed(chain, Position::new(index, offset), 0);
        assert_eq!(outside.unwrap_err(), Error::CountExceedsSegments);
    }
    let range = Cursor::range(chain, 5, 9).unwrap();
    assert_eq!((range.position(), range.remaining()), (Position::new(2, 2), 9));
    assert!(Cursor::range(chain, 8, 0).is_err());
    // The count of a chain is a promise; clamped, it is what there is.
    assert_eq!(Cursor::with_count(chain, 100).unwrap().remaining(), 100);
    assert_eq!(Cursor::clamped(chain, 100).remaining(), 7);
    assert_eq!(cursor.restore(&Cursor::new(chain)), Ok(()));
    // An empty segment is a place as well, which its position skips.
    let resumed = Cursor::resumed(chain, Position::new(0, 0), 7).unwrap();
    assert_eq!(resumed.position(), Position::new(1, 0));
    let others = [IoVec::new(0, 7)];
    let mut node = ChainNode::new(&others);
    let foreign = Cursor::new(Chain::new(&mut node).0);
    assert_eq!(cursor.restore(&foreign), Err(Error::ForeignState));
    assert!(Chain::<IoVec>::of_nodes(&mut []).is_none());
}

#[test]
fn user_memory_faults_in_any_node() {
    let space = UserSpace::<4096>::new();
    space.store(0x10000, &pattern(0x1000));
    let lists = [[IoVec::new(0x10ff0, 8)], [IoVec::new(0x10ff8, 16)], [IoVec::new(0x10000, 4)]];
    let mut nodes = lists.each_ref().map(|list| ChainNode::new(list));
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut iter = Iter::<Source>::iovec_chain(&space, chain, 28);
    assert_eq!((iter.kind(), iter.is_user_backed()), (Kind::IoVecChain, true));
    assert_eq!(iter.user_segment(), Some(IoVec::new(0x10ff0, 8)));
    assert_eq!(iter.fault_in_readable(28), 12);
    let mut bytes = [0; 28];
    assert_eq!(iter.copy_from_iter_full(&mut bytes), Err(Error::Fault));
    assert_eq!((place(&iter), iter.copy_from_iter(&mut bytes)), (at(0, 0, 3, 28), 16));
    assert_eq!((place(&iter), &bytes[..16]), (at(1, 8, 2, 12), &pattern(0x1000)[0xff0..]));
    space.add(0x11000, 1, true);
    assert_eq!(iter.copy_from_iter(&mut bytes[16..]), 12);
}

#[test]
fn pages_are_extracted_over_the_border_of_nodes() {
    let run = TestPage::<4096>::run(3);
    let lists = [(0x800, 0x800), (0x1000, 0x1000), (0x2000, 0x10)]
        .map(|(offset, len)| [BioVec::new(run.clone(), offset, len).unwrap()]);
    let mut nodes = lists.each_ref().map(|list| ChainNode::new(list));
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut iter = Iter::<Dest>::bvec_chain(chain, 0x5000);
    let mut pages = List::<HeldPage<'_, TestPage>, 4>::new();
    let range = iter.clone().extract_pages(usize::MAX, 4, &mut pages).unwrap();
    assert_eq!((range, pages.len()), (PageRange::new(0x800, 0x1810), 3));
    pages.clear();
    assert_eq!(iter.advance(0x810), 0x810);
    let range = iter.get_pages(usize::MAX, 4, &mut pages).unwrap();
    assert_eq!((range, pages.len()), (PageRange::new(0x10, 0xff0), 1));
    pages.clear();
    assert_eq!(iter.advance(usize::MAX), 0x10);
    assert_eq!(iter.extract_pages(usize::MAX, 4, &mut pages), Ok(PageRange::default()));
}

#[test]
fn a_duplicate_has_what_is_there() {
    let segments = [KVec::from(b"ab"), KVec::from(b""), KVec::from(b"cdef")];
    let (first, second) = segments.split_at(1);
    let mut nodes = [ChainNode::new(first), ChainNode::new(second)];
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    let mut iter = Kernel::<Source>::kvec_chain(chain, 50);
    iter.advance(3);
    iter.truncate(40);
    let mut storage = DupStorage::<_, _, 1>::new();
    let mut copy = iter.dup(&mut storage).unwrap();
    assert_eq!((copy.kind(), copy.remaining(), iter.remaining()), (Kind::KVec, 3, 40));
    assert_eq!(
        (copy.next_chunk(), copy.reexpand(1)),
        (Some(&b"def"[..]), Err(Error::ExpandPastEnd))
    );
}

#[test]
fn a_message_is_sent_when_all_of_it_is_there() {
    let (head, body) = ([KVec::from(b"head")], [KVec::from(b"body")]);
    let (mut first, mut second) = (ChainNode::new(&head), ChainNode::new(&body));
    let (chain, mut tail) = Chain::new(&mut first);
    let mut iter = Kernel::<Source>::kvec_chain(chain, 8);
    let mut wire = Scripted::new(&[Step::Move(99); 4]);
    let missing = TransferError::Memory(Error::Exhausted);
    let sent = ended(iter.clone().send(&mut wire));
    assert_eq!((sent, wire.calls.len()), ((4, Stop::Failed(missing)), 1));
    wire.messages = true;
    let refused = iter.send_once(&mut wire).unwrap_err();
    assert_eq!((refused, wire.calls.len()), (CallError::Failed(missing), 1));
    tail.append(&mut second);
    assert_eq!(iter.send_once(&mut wire), Ok(8));
    assert_eq!(wire.calls, [vec![4], vec![4, 4]]);
}
