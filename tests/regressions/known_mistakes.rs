//! Mistakes that other implementations made, one test each, and the property that excludes it.
//!
//! Those about pages and folios are in `known_mistakes_pages.rs`. Those about pipes, xarrays and folio queues are
//! tested for what they say about the kinds here.

use std::mem::MaybeUninit;

use crate::model::{Iter, TestPage, UserSpace, at, naive_checksum, pattern, place};
use heapless::Vec as Fixed;
use iov_iter::{
    Abi, BioVec, Checksum, Cursor, Dest, Direction, DupStorage, Error, HeldPage, Host, InlineVec,
    IoVec, IovIter, KVec, List, PageRange, Position, Source, copy_iter_to_iter,
};
use static_assertions::assert_not_impl_any;

/// What a method returns that an iterator does not have.
#[derive(Debug, PartialEq)]
struct NotThere;

/// Methods of the same names as those of iterators: used where an iterator has none of its own.
trait Fallback: Sized {
    fn copy_to_iter(&mut self, _: &[u8]) -> NotThere {
        NotThere
    }
    fn zero(&mut self, _: usize) -> NotThere {
        NotThere
    }
    fn copy_from_iter(&mut self, _: &mut [u8]) -> NotThere {
        NotThere
    }
    fn copy_from_iter_raw(&mut self, _: &mut [MaybeUninit<u8>]) -> NotThere {
        NotThere
    }
    fn discard(_: usize) -> NotThere {
        NotThere
    }
}

impl<D: Direction, H: Host> Fallback for IovIter<'_, D, H> {}

#[test]
fn descriptors_are_built_whole_over_used_storage() {
    // CVE-2022-0847: a descriptor that was filled field by field kept stale flags.
    let space = UserSpace::<4096>::new();
    let fields = [0x1000, 3, 0x2000, 4usize];
    space.store(0x9000, &fields.iter().flat_map(|field| field.to_ne_bytes()).collect::<Vec<_>>());
    let mut used = InlineVec::<IoVec, 8>::new();
    for poison in 0..8 {
        used.try_push(IoVec::new(usize::MAX - poison, usize::MAX)).unwrap();
    }
    let mut fresh = InlineVec::<IoVec, 8>::new();
    for storage in [&mut used, &mut fresh] {
        let iter = Iter::<Source>::import_iovec(&space, 0x9000, 2, Abi::Native, storage).unwrap();
        assert_eq!(place(&iter), at(0, 0, 2, 7));
    }
    assert_eq!(used[..], fresh[..]);
    assert_eq!(used[..], [IoVec::new(0x1000, 3), IoVec::new(0x2000, 4)]);

    let (long, short) = ([IoVec::new(7, 7); 8], [IoVec::new(0x1000, 5)]);
    let mut storage = DupStorage::<_, _, 8>::new();
    Iter::<Source>::iovec(&space, &long, 56).unwrap().dup(&mut storage).unwrap();
    let iter = Iter::<Source>::iovec(&space, &short, 4).unwrap();
    let copy = iter.dup(&mut storage).unwrap();
    assert_eq!(place(&copy), at(0, 0, 1, 4));
    assert_eq!(copy.user_segment(), Some(IoVec::new(0x1000, 4)));
}

#[test]
fn user_segments_never_become_kernel_segments() {
    // CVE-2016-9576, CVE-2016-10088: user segments were used as kernel segments.
    assert_not_impl_any!(KVec<'static, Source>: From<IoVec>);
    assert_not_impl_any!(KVec<'static, Dest>: From<IoVec>);
    assert_not_impl_any!(IoVec: From<KVec<'static, Source>>, AsRef<[u8]>);
    assert_not_impl_any!(&'static [KVec<'static, Source>]: From<&'static [IoVec]>);
    // Even where a user address is that of kernel memory, only the user memory is asked.
    let mut secret = *b"secret";
    let space = UserSpace::<4096>::with_limit(usize::MAX);
    let mut iter = Iter::<Dest>::ubuf(&space, secret.as_mut_ptr().addr(), 6);
    assert_eq!(iter.copy_to_iter(b"broken"), 0);
    assert_eq!(&secret, b"secret");
}

#[test]
fn wrong_direction_does_not_compile() {
    // Reading a destination gave out unwritten buffers, writing a source changed user input.
    // Had an iterator these methods, they would be called, and the types would not match.
    let segments = [KVec::from(&b"abc"[..])];
    let mut source = Iter::<Source>::kvec(&segments, 3).unwrap();
    assert_eq!(source.copy_to_iter(b"x"), NotThere);
    assert_eq!(source.zero(1), NotThere);
    let mut bytes = *b"abc";
    let segments = [KVec::from(&mut bytes[..])];
    let mut dest = Iter::<Dest>::kvec(&segments, 3).unwrap();
    assert_eq!(dest.copy_from_iter(&mut [0]), NotThere);
    assert_eq!(dest.copy_from_iter_raw(&mut []), NotThere);
    // The right direction has methods of its own.
    assert_eq!(source.copy_from_iter(&mut [0]), 1);
    assert_eq!(dest.copy_to_iter(b"x"), 1);
}

#[test]
fn revert_past_the_start_of_a_truncated_iterator_is_refused() {
    // io_uring reverted a truncated iterator by more than it had consumed.
    let bytes = pattern(20);
    let segments = [KVec::from(&bytes[..10]), KVec::from(&bytes[10..])];
    for consumed in 0..=20 {
        for limit in 0..=20 {
            let mut iter = Iter::<Source>::kvec(&segments, 20).unwrap();
            let start = iter.save();
            iter.advance(consumed);
            iter.truncate(limit);
            let then = place(&iter);
            // The bytes cut off must not count as consumed.
            assert_eq!(iter.revert(consumed + 1), Err(Error::RevertPastStart));
            assert_eq!(place(&iter), then);
            let all = iter.remaining();
            iter.advance(all);
            assert_eq!(iter.revert(all + consumed + 1), Err(Error::RevertPastStart));
            assert_eq!(iter.revert(all + consumed), Ok(()));
            assert_eq!(place(&iter).seg, 0);
            assert_eq!(iter.restore(&start), Ok(()));
            assert_eq!(place(&iter), at(0, 0, 2, 20));
        }
    }
}

#[test]
fn advance_of_nothing_after_a_copy_changes_no_data() {
    let bytes = pattern(20);
    let lengths = [4, 0, 0, 6, 0, 10];
    let mut rest = &bytes[..];
    let segments = lengths.map(|len| {
        let (now, after) = rest.split_at(len);
        rest = after;
        KVec::from(now)
    });
    for n in 0..=20 {
        let mut alone = Iter::<Source>::kvec(&segments, 20).unwrap();
        assert_eq!(alone.copy_from_iter(&mut vec![0; n]), n);
        let mut advanced = alone.clone();
        assert_eq!(advanced.advance(0), 0);
        let (mut a, mut b) = ([0; 20], [0; 20]);
        assert_eq!(alone.copy_from_iter(&mut a), 20 - n);
        assert_eq!(advanced.copy_from_iter(&mut b), 20 - n);
        assert_eq!((&a, &a[..20 - n]), (&b, &bytes[n..]));
        // Advancing twice stops at the end.
        assert_eq!(advanced.advance(n + 1), 0);
        assert_eq!(advanced.remaining(), 0);
    }
}

#[test]
fn count_beyond_the_segments_is_refused() {
    let bytes = [0; 8];
    for lengths in [&[][..], &[0], &[8], &[3, 5], &[0, 3, 0, 0, 5, 0]] {
        let segments: Vec<_> = lengths.iter().map(|len| KVec::from(&bytes[..*len])).collect();
        let sum = lengths.iter().sum::<usize>();
        for count in 0..=sum {
            assert_eq!(Iter::<Source>::kvec(&segments, count).unwrap().remaining(), count);
        }
        for count in [sum + 1, sum + 100, usize::MAX] {
            let refused = Iter::<Source>::kvec(&segments, count).unwrap_err();
            assert_eq!(refused, Error::CountExceedsSegments);
        }
    }
}

#[test]
fn over_advance_does_not_wrap_the_count() {
    let bytes = [0; 8];
    let segments = [KVec::from(&bytes[..])];
    for n in [4, 5, 6, 8, 9, usize::MAX] {
        let mut iter = Iter::<Source>::kvec(&segments, 4).unwrap();
        assert_eq!(iter.advance(n), 4);
        assert_eq!(iter.remaining(), 0);
        assert_eq!(iter.revert(4), Ok(()));
        assert_eq!(place(&iter), at(0, 0, 1, 4));
    }
    let mut iter = Iter::<Dest>::discard(4);
    assert_eq!((iter.advance(usize::MAX), iter.remaining()), (4, 0));
    // As many bytes as can be counted, over segments that are longer still.
    let space = UserSpace::<4096>::new();
    let segments = [IoVec::new(0, usize::MAX), IoVec::new(1, usize::MAX)];
    let mut iter = Iter::<Dest>::iovec(&space, &segments, usize::MAX).unwrap();
    assert_eq!(iter.advance(usize::MAX - 1), usize::MAX - 1);
    assert_eq!(place(&iter), at(0, usize::MAX - 1, 2, 1));
    assert_eq!((iter.advance(5), place(&iter)), (1, at(1, 0, 1, 0)));
    assert_eq!(iter.revert(usize::MAX), Ok(()));
    assert_eq!(place(&iter), at(0, 0, 2, usize::MAX));
    assert_eq!(iter.revert(1), Err(Error::RevertPastStart));
}

/// Every question to an iterator in which nothing is left.
fn nothing_left<D: Direction>(iter: &mut Iter<'_, D>) {
    assert!(iter.is_empty());
    assert_eq!(iter.first_segment_len(), 0);
    assert_eq!(iter.alignment(), 0);
    assert!(iter.is_aligned(usize::MAX, usize::MAX));
    assert_eq!(iter.gap_alignment(), 0);
    assert_eq!((iter.npages(usize::MAX), iter.npages_cap(9, 9)), (0, 0));
    assert_eq!(iter.user_segment(), None);
    let before = place(iter);
    assert_eq!((iter.advance(0), iter.advance(1)), (0, 0));
    assert_eq!(place(iter), before);
    let mut list = Fixed::<_, 4>::new();
    assert_eq!(iter.get_pages(9, 9, &mut list).map_or(0, |range| range.len), 0);
    assert_eq!(iter.extract_pages(9, 9, &mut list).map_or(0, |range| range.len), 0);
    assert!(list.is_empty());
    let mut list = Fixed::<_, 4>::new();
    assert_eq!(iter.extract_to_scatter_list(9, 9, &mut list).unwrap_or(0), 0);
    assert!(list.is_empty());
    assert_eq!(iter.iterate_and_advance(9, &mut (), |_, _, _| 1, |_, _, _| 1), 0);
}

#[test]
fn exhausted_and_empty_iterators_answer_every_question() {
    let space = UserSpace::<4096>::new();
    let iovecs = [IoVec::new(0x1001, 3), IoVec::new(0x2001, 0)];
    let bytes = [0; 3];
    let kvecs = [KVec::from(&bytes[..]), KVec::from(&bytes[..0])];
    let bvecs = [BioVec::new(TestPage::run(1), 5, 3).unwrap()];
    let all = [
        Iter::<Source>::iovec(&space, &[], 0).unwrap(),
        Iter::iovec(&space, &iovecs, 3).unwrap(),
        Iter::iovec(&space, &iovecs[1..], 0).unwrap(),
        Iter::iovec(&space, &iovecs, 0).unwrap(),
        Iter::ubuf(&space, 0x1001, 3),
        Iter::ubuf(&space, 0x1001, 0),
        Iter::kvec(&[], 0).unwrap(),
        Iter::kvec(&kvecs, 3).unwrap(),
        Iter::bvec(&[], 0).unwrap(),
        Iter::bvec(&bvecs, 3).unwrap(),
        Iter::uniform(iov_iter::Uniform::new(&[]).unwrap(), 0).unwrap(),
        Iter::uniform(iov_iter::Uniform::new(&bvecs).unwrap(), 3).unwrap(),
    ];
    for mut iter in all {
        iter.advance(3);
        nothing_left(&mut iter);
        assert_eq!(iter.copy_from_iter(&mut [0; 4]), 0);
        assert_eq!(iter.fault_in_readable(0), 0);
        assert_eq!(iter.next_chunk(), None);
        assert_eq!(iter.read_be::<u8>(), Err(Error::Exhausted));
    }
    let mut iter = Iter::<Dest>::discard(0);
    nothing_left(&mut iter);
    assert_eq!((iter.copy_to_iter(b"x"), iter.zero(9), iter.fault_in_writeable(0)), (0, 0, 0));
}

#[test]
fn page_counts_equal_a_wide_reference() {
    let reference = |segments: &[IoVec], max: usize| {
        let pages = segments.iter().filter(|segment| segment.len > 0).map(|segment| {
            let last = segment.base as u128 + segment.len as u128 - 1;
            last / 4096 - segment.base as u128 / 4096 + 1
        });
        pages.sum::<u128>().min(max as u128)
    };
    let space = UserSpace::<4096>::new();
    let half = usize::MAX / 2;
    let bases = [0, 1, 0xfff, 0x1000, half, half + 1, usize::MAX - 0xfff, usize::MAX];
    let lengths = [0, 1, 2, 0xfff, 0x1000, 0x1001, half - 1, half];
    for base in bases {
        for len in lengths {
            let segments = [IoVec::new(base, len), IoVec::new(0xffe, 3)];
            let iter = Iter::<Source>::iovec(&space, &segments, len + 3).unwrap();
            for max in [0, 1, 2, 3, 1000, i32::MAX as usize, usize::MAX] {
                assert_eq!(iter.npages(max) as u128, reference(&segments, max));
            }
        }
    }
}

#[test]
fn import_reads_every_byte_once_and_checks_its_own_copy() {
    let word = size_of::<usize>();
    for (abi, field) in [(Abi::Native, word), (Abi::Compat, 4)] {
        for count in [1usize, 2, 8, 20] {
            let space = UserSpace::<4096>::new();
            // Read again, these lengths would be negative.
            let mut array = Vec::new();
            for index in 0..count {
                for value in [0x10000 + index, 5] {
                    match abi {
                        Abi::Compat => array.extend((value as u32).to_ne_bytes()),
                        _ => array.extend(usize::to_ne_bytes(value)),
                    }
                }
            }
            space.store(0x8ffc, &array);
            space.watch_reads(true);
            let mut storage = InlineVec::<IoVec, 32>::new();
            let iter =
                Iter::<Source>::import_iovec(&space, 0x8ffc, count, abi, &mut storage).unwrap();
            assert_eq!(iter.remaining(), 5 * count);
            let reads = space.reads();
            assert_eq!(reads.len(), 2 * field * count);
            assert!(reads.values().all(|times| *times == 1));
            assert_eq!(reads.first_key_value(), Some((&0x8ffc, &1)));
        }
    }
    // No byte is read twice either where a fault cuts an element in two.
    for fault in 0..4 * word {
        let space = UserSpace::<4096>::new();
        space.store(0x8ffc, &vec![0; 4 * word]);
        space.make_bad(0x8ffc + fault..0x8ffd + fault);
        space.watch_reads(true);
        let mut storage = InlineVec::<IoVec, 2>::new();
        let result = Iter::<Source>::import_iovec(&space, 0x8ffc, 2, Abi::Native, &mut storage);
        assert_eq!(result.unwrap_err(), Error::Fault);
        assert!(space.reads().values().all(|times| *times == 1), "fault at {fault}");
    }
    // The array itself must lie in user space, in either layout.
    for abi in [Abi::Native, Abi::Compat] {
        let space = UserSpace::<4096>::with_limit(0x9000);
        space.store(0x8ffc, &[0; 64]);
        let mut storage = InlineVec::<IoVec, 2>::new();
        let result = Iter::<Source>::import_iovec(&space, 0x8ffc, 2, abi, &mut storage);
        assert_eq!(result.unwrap_err(), Error::Fault);
    }
}

#[test]
fn faulting_in_reports_progress() {
    // A prefault computed its progress with the operands swapped, and was tried for ever.
    let space = UserSpace::<4096>::resident(&[0x1000, 0x2000, 0x3000, 0x4000]);
    let good = Iter::<Dest>::ubuf(&space, 0x1ff0, 0x2800);
    for size in [0, 1, 0x10, 0x11, 0x1010, 0x2800] {
        assert_eq!(good.fault_in_writeable(size), 0);
    }
    let short = Iter::<Dest>::ubuf(&space, 0x3ff0, 0x2800);
    for size in 0..0x2900 {
        let missing = short.fault_in_writeable(size);
        assert_eq!(missing, size.saturating_sub(0x1010));
        if cfg!(miri) && size > 0x20 {
            break;
        }
    }
}

#[test]
fn checksum_does_not_depend_on_the_pieces() {
    let data = pattern(9);
    for cuts in 0..256u32 {
        let ends = (1..9).filter(|end| cuts >> (end - 1) & 1 == 1).chain([9]);
        let mut start = 0;
        let mut segments = Vec::new();
        for end in ends {
            segments.push(KVec::from(&data[start..end]));
            start = end;
        }
        let mut checksum = Checksum::new();
        let mut iter = Iter::<Source>::kvec(&segments, 9).unwrap();
        assert_eq!(iter.csum_and_copy_from_iter(&mut [0; 9], &mut checksum), 9);
        assert_eq!(checksum.folded(), naive_checksum(&data));
        if cfg!(miri) && cuts > 32 {
            break;
        }
    }
}

#[test]
fn checksum_does_not_depend_on_the_calls() {
    let data = pattern(12);
    let mut memory = [0; 12];
    for a in 0..=12 {
        for b in a..=12 {
            let calls = [&data[..a], &data[a..b], &data[b..]];
            let segments = [KVec::from(&mut memory[..])];
            let mut iter = Iter::<Dest>::kvec(&segments, 12).unwrap();
            let mut checksum = Checksum::new();
            for call in calls {
                assert_eq!(iter.csum_and_copy_to_iter(call, &mut checksum), call.len());
            }
            assert_eq!((checksum.folded(), checksum.offset()), (naive_checksum(&data), 12));
        }
    }
}

#[test]
fn empty_segments_are_not_the_end() {
    // Zero results for empty segments were taken as the end of the data, or looped.
    // Empty segments before, between and after, with whatever address.
    let space = UserSpace::<4096>::resident(&[0x1000]);
    space.poke(0x1000, b"abcdef");
    let nothing = IoVec::new(0xdead, 0);
    let segments =
        [nothing, nothing, IoVec::new(0x1000, 3), nothing, nothing, IoVec::new(0x1003, 3), nothing];
    let iter = Iter::<Source>::iovec(&space, &segments, 6).unwrap();
    // A loop as in a write path: it must end, by progress in each step.
    let mut walk = iter.clone();
    let mut seen = Vec::<u8>::new();
    while !walk.is_empty() {
        let mut bytes = [0; 4];
        let piece = walk.first_segment_len().min(4);
        let copied = walk.copy_from_iter(&mut bytes[..piece]);
        assert!(copied > 0, "no progress");
        seen.extend(&bytes[..copied]);
    }
    assert_eq!(seen, b"abcdef");
    let mut walk = iter.clone();
    let mut list = Fixed::<HeldPage<'_, TestPage>, 8>::new();
    assert_eq!(walk.get_pages(8, 8, &mut list), Ok(PageRange::new(0, 3)));
    assert_eq!(walk.extract_pages(8, 8, &mut list), Ok(PageRange::new(3, 3)));
    let mut dst = Iter::<Dest>::discard(8);
    assert_eq!(copy_iter_to_iter(&mut iter.clone(), &mut dst, 8), 6);
    assert_eq!(iter.fault_in_readable(6), 0);
}

#[test]
fn discard_has_no_source_form() {
    assert_eq!(<Iter<'_, Source>>::discard(8), NotThere);
    assert_eq!(<Iter<'_, Dest>>::discard(8).remaining(), 8);
}

#[test]
fn only_written_bytes_are_handed_on() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    space.poke(0x1ffc, b"abcd");
    for len in 0..10 {
        let mut iter = Iter::<Source>::ubuf(&space, 0x1ffc, 8);
        let mut raw = [MaybeUninit::uninit(); 10];
        let filled = iter.copy_from_iter_raw(&mut raw[..len]);
        assert_eq!(filled, &b"abcd"[..len.min(4)]);
    }
}

#[test]
fn user_bytes_are_not_consumed_by_a_kernel_step() {
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let segments = [IoVec::new(0x1000, 8)];
    for mut iter in [
        Iter::<Source>::iovec(&space, &segments, 8).unwrap(),
        Iter::<Source>::ubuf(&space, 0x1000, 8),
    ] {
        assert_eq!(iter.iterate_and_advance(8, &mut (), |_, _, _| 0, |_, piece, _| piece.len()), 0);
        assert_eq!(iter.remaining(), 8);
    }
}

#[test]
fn duplicate_is_a_new_origin() {
    let bytes = pattern(12);
    let segments = [KVec::from(&bytes[..4]), KVec::from(&bytes[..0]), KVec::from(&bytes[4..])];
    for consumed in 0..=12 {
        let mut iter = Iter::<Source>::kvec(&segments, 12).unwrap();
        assert_eq!(iter.copy_from_iter(&mut vec![0; consumed]), consumed);
        let limit = place(&iter).off;
        let mut storage = DupStorage::<_, _, 3>::new();
        let mut copy = iter.dup(&mut storage).unwrap();
        assert_eq!(copy.revert(limit + 1), Err(Error::RevertPastStart));
        assert_eq!(copy.remaining(), 12 - consumed);
        assert_eq!(copy.revert(limit), Ok(()));
        let mut rest = [0; 12];
        assert_eq!(copy.copy_from_iter(&mut rest), 12 - consumed + limit);
        assert_eq!(rest[..12 - consumed + limit], bytes[consumed - limit..]);
        // The original still reaches its own start.
        assert_eq!(iter.revert(consumed), Ok(()));
    }
}

#[test]
fn empty_segments_do_not_tell_a_copy_from_a_move() {
    // Linux leaves a copy before them and a move past them.
    let bytes = pattern(5);
    let segments = [&bytes[..2], &[], &[], &bytes[2..]].map(KVec::from);
    let mut copied = Cursor::new(&segments[..]);
    let mut moved = copied;
    assert_eq!(copied.walk(2, |range, _| range.len), 2);
    assert_eq!(moved.advance(2), 2);
    assert_eq!(copied.position(), Position::new(3, 0));
    let room = InlineVec::<KVec<'_, Source>, 1>::new;
    for cursor in [copied, moved] {
        assert_eq!((cursor.position(), cursor.segment_count()), (copied.position(), 1));
        let mut storage = room();
        assert_eq!(cursor.dup(&mut storage).map(|copy| copy.remaining()), Ok(3));
        assert!(storage.is_inline());
    }
    assert_eq!(format!("{copied:?}"), format!("{moved:?}"));

    let rest = [KVec::from(&bytes[2..])];
    let dense = IovIter::<Source>::from(&rest[..]);
    for cursor in [copied, moved] {
        let iter = IovIter::<Source>::from(cursor);
        assert_eq!(format!("{iter:?}"), format!("{dense:?}"));
        assert_eq!(iter.chunks().size_hint(), dense.chunks().size_hint());
        assert_eq!(iter.chunks().map(<[u8]>::len).collect::<Vec<_>>(), [3]);
    }
    // A list of nothing but empty segments is an empty list.
    let nothing = [KVec::from(&bytes[..0]); 3];
    let (nothing, none) = (IovIter::<Source>::from(&nothing[..]), IovIter::<Source>::from(&[0; 0]));
    assert_eq!(format!("{nothing:?}"), format!("{none:?}"));
}
