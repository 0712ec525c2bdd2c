//! Vectors that are built: the worked examples over V = [A4, B0, C6, D2].

use iov_iter::iov::{Error, IoVector, View};
use iov_iter::{Dest, KVec, MAX_SEGMENTS, Source};

static BYTES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const NONE: KVec<'static, Source> = part(0, 0);
const H: KVec<'static, Source> = part(1, 3);
const T: KVec<'static, Source> = part(2, 2);

const fn part(offset: usize, len: usize) -> KVec<'static, Source> {
    // SAFETY: all callers stay within the bytes of this constant, which nothing writes.
    unsafe { KVec::from_raw_parts(BYTES.as_ptr().add(offset).cast_mut(), len) }
}

fn v() -> [KVec<'static, Source>; 4] {
    [&BYTES[..4], &[], &BYTES[4..10], &BYTES[10..]].map(KVec::from)
}

fn lengths<const N: usize>(vector: &IoVector<'_, Source, N>) -> Vec<usize> {
    vector.view().pieces().map(|piece| piece.len()).collect()
}

fn bytes<const N: usize>(vector: &IoVector<'_, Source, N>) -> Vec<u8> {
    let mut bytes = vec![0; vector.len()];
    assert_eq!(vector.view().read_at(0, &mut bytes), Ok(vector.len()));
    bytes
}

/// A segment whose length is tested, and whose memory is never touched.
fn huge(len: usize) -> KVec<'static, Source> {
    // SAFETY: none for the memory; only the length is used.
    unsafe { KVec::from_raw_parts(std::ptr::null_mut(), len) }
}

/// `extended` with the range of V, as the rows have it.
fn extended(
    head: &KVec<'_, Source>,
    range: (usize, usize),
    tail: &KVec<'_, Source>,
) -> Result<(Vec<usize>, usize, Vec<u8>), Error> {
    let segments = v();
    let middle = View::new(&segments).slice(range.0, range.1)?;
    let vector = IoVector::<Source, 5>::extended(head, middle, tail)?;
    assert_eq!(vector.segment_count(), lengths(&vector).len());
    Ok((lengths(&vector), vector.len(), bytes(&vector)))
}

#[test]
fn extended_by_head_and_tail() {
    // C keeps B, which has no bytes, in the first two.
    let all = (vec![3, 1, 4, 2], 10, vec![1, 2, 3, 3, 4, 5, 6, 7, 2, 3]);
    assert_eq!(extended(&H, (3, 5), &T), Ok(all));
    assert_eq!(extended(&H, (4, 6), &NONE), Ok((vec![3, 6], 9, vec![1, 2, 3, 4, 5, 6, 7, 8, 9])));
    assert_eq!(extended(&NONE, (5, 2), &NONE), Ok((vec![2], 2, vec![5, 6])));
    assert_eq!(extended(&H, (0, 0), &NONE), Ok((vec![3], 3, vec![1, 2, 3])));
    assert_eq!(extended(&NONE, (0, 0), &NONE), Ok((vec![], 0, vec![])));
}

#[test]
fn extended_by_a_range_that_leaves_the_vector() {
    let refused = Err(Error::RangeOutOfRange { offset: 13, len: 1, size: 12 });
    assert_eq!(extended(&H, (13, 1), &T), refused);
}

#[test]
fn an_extended_vector_of_one_segment_can_grow() {
    // C embeds a single element and aborts when another is added.
    let segments = v();
    let middle = View::new(&segments).slice(5, 2).unwrap();
    let mut vector = IoVector::<Source, 2>::extended(&NONE, middle, &NONE).unwrap();
    vector.try_push(T).unwrap();
    assert_eq!(bytes(&vector), [5, 6, 2, 3]);
    let mut empty = IoVector::<Source, 1>::extended(&NONE, View::default(), &NONE).unwrap();
    empty.try_push(part(0, 7)).unwrap();
    assert_eq!((empty.segment_count(), empty.len()), (1, 7));
}

#[test]
fn extended_lengths_at_the_top() {
    // No memory is larger than half the address space, so two halves make C's 2^64 - 2.
    let half = isize::MAX as usize;
    let halves = [huge(half), huge(half)];
    let middle = View::new(&halves);
    assert_eq!(middle.len(), usize::MAX - 1);
    let one = part(0, 1);
    let size = IoVector::<Source, 3>::extended(&one, middle, &NONE).unwrap().len();
    assert_eq!(size, usize::MAX);
    let two = part(0, 2);
    assert_eq!(
        IoVector::<Source, 3>::extended(&two, middle, &NONE).unwrap_err(),
        Error::LengthOverflow { size: 2, added: usize::MAX - 1 }
    );
    assert_eq!(
        IoVector::<Source, 4>::extended(&one, middle, &one).unwrap_err(),
        Error::LengthOverflow { size: usize::MAX, added: 1 }
    );
}

#[test]
fn extended_counts_the_segments_of_the_result() {
    let one = part(0, 1);
    let most = vec![one; MAX_SEGMENTS];
    let all = View::new(&most);
    type Large<'a> = IoVector<'a, Source, MAX_SEGMENTS>;
    assert_eq!(Large::extended(&NONE, all, &NONE).unwrap().segment_count(), 1024);
    assert_eq!(
        Large::extended(&one, all, &NONE).unwrap_err(),
        Error::TooManySegments { segments: 1025, limit: 1024 }
    );
    let first = all.slice(0, 1023).unwrap();
    assert_eq!(Large::extended(&one, first, &NONE).unwrap().segment_count(), 1024);
    // C aborts where the source has more elements, even for a range of one.
    let more = vec![one; MAX_SEGMENTS + 1];
    let range = View::new(&more).slice(0, 1).unwrap();
    assert_eq!(Large::extended(&NONE, range, &NONE).unwrap().segment_count(), 1);
}

#[test]
fn a_copy_of_a_view_sees_the_same() {
    let segments = v();
    let view = View::new(&segments).slice(1, 9).unwrap();
    let copy = Clone::clone(&view);
    assert_eq!(copy.len(), 9);
    let pieces = |view: &View<'_, Source>| -> Vec<_> {
        view.pieces().map(|piece| (piece.as_ptr(), piece.len())).collect()
    };
    assert_eq!(pieces(&copy), pieces(&view));
}

#[test]
fn a_slice_can_be_borrowed_by_a_vector() {
    let segments = v();
    let view = View::new(&segments);
    let slice = |offset, len| view.slice(offset, len).map(IoVector::<Source>::borrowed);
    assert_eq!(lengths(&slice(3, 5).unwrap()), [1, 4]);
    assert_eq!(
        (slice(12, 0).unwrap().segment_count(), slice(5, 0).unwrap().segment_count()),
        (0, 0)
    );
    for (offset, len) in [(8, 5), (13, 0)] {
        let refused = Error::RangeOutOfRange { offset, len, size: 12 };
        assert_eq!(slice(offset, len).unwrap_err(), refused);
    }
    let whole = IoVector::<Source>::borrowed(view);
    assert_eq!((whole.segment_count(), whole.len(), bytes(&whole)), (3, 12, BYTES.to_vec()));
}

#[test]
fn concat_appends_ranges() {
    let segments = v();
    let view = View::new(&segments);
    let mut vector = IoVector::<Source>::single(part(1, 2)).unwrap();
    assert_eq!(vector.concat(view.clip(3, 5).unwrap()), Ok(5));
    assert_eq!((lengths(&vector), vector.len()), (vec![2, 1, 4], 7));
    assert_eq!(vector.concat(view.clip(10, usize::MAX).unwrap()), Ok(2));
    assert_eq!((vector.len(), vector.segment_count()), (9, 4));
    assert_eq!(vector.concat(view.clip(12, usize::MAX).unwrap()), Ok(0));
    assert_eq!(vector.concat(View::default()), Ok(0));
    assert_eq!((vector.len(), vector.segment_count()), (9, 4));
    // C lets an offset pass that is out of range when there are no bytes; here it never does.
    for len in [0, 1] {
        let refused = Error::OffsetOutOfRange { offset: 13, size: 12 };
        assert_eq!(view.clip(13, len).unwrap_err(), refused);
    }
    assert_eq!(bytes(&vector), [1, 2, 3, 4, 5, 6, 7, 10, 11]);
}

#[test]
fn concat_of_destinations_writes_the_same_memory() {
    let mut memory = [0; 8];
    let (front, back) = memory.split_at_mut(3);
    let segments = [KVec::from(front), KVec::from(back)];
    let view = View::new(&segments);
    let mut swapped = IoVector::<Dest>::new();
    swapped.concat(view.slice(5, 3).unwrap()).unwrap();
    swapped.concat(view.slice(0, 5).unwrap()).unwrap();
    assert_eq!(swapped.view().write_at(0, b"abcdefgh"), Ok(8));
    drop(swapped);
    assert_eq!(&memory, b"defghabc");
}

#[test]
fn a_borrowed_vector_refuses_to_grow() {
    let segments = v();
    let view = View::new(&segments);
    let mut vector = IoVector::<Source>::borrowed(view);
    let refused = vector.try_push(T).unwrap_err();
    assert_eq!((refused.error, refused.segment.as_ptr()), (Error::NotGrowable, T.as_ptr()));
    assert_eq!(vector.concat(view), Err(Error::NotGrowable));
    assert_eq!(vector.clear(), Err(Error::NotGrowable));
    assert_eq!(vector.add_layout_of(view, &H), Err(Error::NotGrowable));
    assert_eq!((vector.capacity(), bytes(&vector)), (0, BYTES.to_vec()));
}

#[test]
fn discard_back_on_borrowed_segments() {
    let segments = v();
    let view = View::new(&segments);
    let mut vector = IoVector::<Source>::borrowed(view);
    vector.discard_back(3).unwrap();
    assert_eq!((lengths(&vector), vector.len()), (vec![4, 5], 9));
    vector.discard_back(0).unwrap();
    assert_eq!(lengths(&vector), [4, 5]);
    vector.discard_back(9).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (0, 0));
    let refused = Error::RangeOutOfRange { offset: 0, len: 1, size: 0 };
    assert_eq!(vector.discard_back(1), Err(refused));
    let mut vector = IoVector::<Source>::borrowed(view);
    vector.discard_back(8).unwrap();
    assert_eq!((lengths(&vector), vector.len()), (vec![4], 4));
    // The segments themselves are as they were.
    assert_eq!(segments.map(|segment| segment.len()), [4, 0, 6, 2]);
}

#[test]
fn discard_back_on_own_segments() {
    let mut vector = IoVector::<Source>::new();
    for segment in v() {
        vector.try_push(segment).unwrap();
    }
    assert_eq!(vector.segment_count(), 3);
    vector.discard_back(3).unwrap();
    assert_eq!((vector.segment_count(), lengths(&vector), vector.len()), (2, vec![4, 5], 9));
    // What is added follows the last byte left.
    vector.try_push(T).unwrap();
    assert_eq!(bytes(&vector), [0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 3]);
    vector.discard_back(7).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (1, 4));
    vector.discard_back(4).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (0, 0));
    assert!(vector.discard_back(1).is_err());
}

#[test]
fn discard_front_on_own_segments_keeps_none_without_bytes() {
    let mut vector = IoVector::<Source>::new();
    for segment in v() {
        vector.try_push(segment).unwrap();
    }
    let first = lengths(&vector)[0];
    assert!(!vector.is_empty());
    vector.discard_front(first - 1).unwrap();
    assert_eq!(vector.segment_count(), 3);
    vector.discard_front(1).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (2, 12 - first));
    vector.discard_front(12 - first).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (0, 0));
}

#[test]
fn discard_back_on_a_single_segment_takes_the_bytes_once() {
    // C subtracts them twice: 4 instead of 7.
    let mut vector = IoVector::<Source>::single(part(0, 10)).unwrap();
    vector.discard_back(3).unwrap();
    assert_eq!((vector.len(), lengths(&vector)), (7, vec![7]));
    vector.discard_back(7).unwrap();
    assert_eq!((vector.len(), vector.segment_count()), (0, 0));
}

#[test]
fn empty_segments_leave_no_trace_and_need_no_room() {
    let mut vector = IoVector::<Source, 1>::single(NONE).unwrap();
    assert_eq!((vector.segment_count(), vector.len()), (0, 0));
    assert!(vector.view().is_empty());
    for segment in [NONE, T, NONE] {
        vector.try_push(segment).unwrap();
    }
    assert_eq!(
        (vector.segment_count(), vector.view().segment_count(), vector.capacity()),
        (1, 1, 1)
    );
    let printed = format!("{vector:?}");
    assert_eq!(printed, format!("{:?}", IoVector::<Source, 1>::single(T).unwrap()));
}

#[test]
fn reset_keeps_the_room() {
    let mut vector = IoVector::<Source, 2>::new();
    vector.try_push(H).unwrap();
    vector.try_push(T).unwrap();
    let room = vector.capacity();
    vector.clear().unwrap();
    assert_eq!((vector.segment_count(), vector.len(), vector.capacity()), (0, 0, room));
    vector.try_push(T).unwrap();
    assert_eq!(bytes(&vector), [2, 3]);
}

#[test]
fn a_size_at_the_top_is_the_largest() {
    let half = isize::MAX as usize;
    let (segment, buffer) = ([part(0, 2)], part(0, 12));
    let mut vector = IoVector::<Source, 4>::new();
    vector.try_push(huge(half)).unwrap();
    vector.try_push(huge(half)).unwrap();
    vector.try_push(part(0, 1)).unwrap();
    let refused = vector.try_push(part(0, 1)).unwrap_err();
    assert_eq!(refused.error, Error::LengthOverflow { size: usize::MAX, added: 1 });
    assert_eq!((vector.len(), vector.segment_count()), (usize::MAX, 3));
    let more = View::new(&segment);
    let refused = Err(Error::LengthOverflow { size: usize::MAX, added: 2 });
    assert_eq!(vector.concat(more), refused);
    assert_eq!(vector.add_layout_of(more, &buffer), refused);
}

#[test]
fn growth_depends_on_the_heap_alone() {
    let mut vector = IoVector::<Source, 1>::new();
    vector.try_push(H).unwrap();
    assert_eq!(vector.capacity(), 1);
    let grows = cfg!(feature = "alloc");
    let refused = vector.try_push(T).err().map(|refused| (refused.error, refused.segment.len()));
    assert_eq!(refused, if grows { None } else { Some((Error::NoMemory, 2)) });
    assert_eq!((vector.segment_count(), vector.len()), if grows { (2, 5) } else { (1, 3) });
    // Of more than there is room for nothing is appended.
    let (one, all) = ([T], v());
    let mut few = IoVector::<Source, 2>::new();
    few.try_push(H).unwrap();
    let more = few.concat(View::new(&all));
    assert_eq!(more, if grows { Ok(12) } else { Err(Error::NoMemory) });
    assert_eq!((few.segment_count(), few.len()), if grows { (4, 15) } else { (1, 3) });
    assert_eq!((few.concat(View::new(&one)), few.len()), (Ok(2), if grows { 17 } else { 5 }));
    assert_eq!(IoVector::<Source, 4>::try_with_capacity(4).unwrap().capacity(), 4);
    let more = IoVector::<Source, 4>::try_with_capacity(9);
    assert_eq!(more.is_ok_and(|vector| vector.capacity() >= 9), grows);
    let too_many = IoVector::<Source, 4>::try_with_capacity(usize::MAX).unwrap_err();
    assert_eq!(too_many, Error::NoMemory);
}

#[test]
fn errors_as_the_crate_and_linux_know_them() {
    let range = Error::RangeOutOfRange { offset: 1, len: 2, size: 2 };
    assert_eq!((range.errno(), iov_iter::Error::from(range)), (22, iov_iter::Error::OutOfRange));
    let memory = Error::NoMemory;
    assert_eq!((memory.errno(), iov_iter::Error::from(memory).errno()), (12, 12));
    assert_eq!(range.to_string(), "range 1+2 exceeds the length 2");
}

/// The vector of V, which owns its segments.
fn own<const N: usize>() -> IoVector<'static, Source, N> {
    let mut vector = IoVector::new();
    v().into_iter().for_each(|segment| vector.try_push(segment).unwrap());
    vector
}

#[test]
fn discard_front_keeps_the_rest_and_its_room() {
    for count in 0..=12 {
        let segments = v();
        for mut vector in [own::<4>(), IoVector::from(&segments)] {
            vector.discard_front(count).unwrap();
            assert_eq!((bytes(&vector), vector.len()), (BYTES[count..].to_vec(), 12 - count));
            let error = Error::RangeOutOfRange { offset: 0, len: 13 - count, size: 12 - count };
            assert_eq!(vector.discard_front(13 - count), Err(error));
            assert_eq!(bytes(&vector), BYTES[count..]);
            vector.discard_back(12 - count).unwrap();
            assert_eq!((vector.len(), vector.segment_count()), (0, 0));
            assert_eq!(vector.discard_front(0), Ok(()));
        }
    }
    // The segments that are left have moved up.
    let mut vector = own::<3>();
    vector.discard_front(5).unwrap();
    assert_eq!(lengths(&vector), [5, 2]);
    vector.try_push(H).unwrap();
    assert_eq!(
        (lengths(&vector), bytes(&vector)),
        (vec![5, 2, 3], [&BYTES[5..], &BYTES[1..4]].concat())
    );
}

#[test]
fn whole_segments_are_dropped_at_the_front() {
    for (count, dropped) in [(0, 0), (1, 4), (2, 10), (3, 12), (4, 12), (usize::MAX, 12)] {
        let segments = v();
        for mut vector in [own::<4>(), IoVector::from(&segments)] {
            assert_eq!(vector.discard_front_segments(count), dropped);
            assert_eq!((bytes(&vector), vector.len()), (BYTES[dropped..].to_vec(), 12 - dropped));
            assert_eq!(vector.segment_count(), 3_usize.saturating_sub(count));
        }
    }
}

#[test]
fn segments_are_those_that_the_vector_owns() {
    let vector = own::<4>();
    let segments = vector.segments().unwrap();
    assert_eq!(segments.iter().map(|segment| segment.len()).collect::<Vec<_>>(), [4, 6, 2]);
    let list = v();
    assert!(IoVector::<Source>::from(&list).segments().is_none());
}

#[test]
fn a_recycled_vector_is_empty_and_keeps_its_room() {
    let mut spare = IoVector::<Source, 2>::new();
    for round in 1..4_u8 {
        let request = [round; 5];
        let mut vector = spare.recycle();
        assert!(vector.is_empty() && vector.segments().is_some_and(<[_]>::is_empty));
        let mut added = 0;
        for part in request.chunks(1) {
            added += usize::from(vector.try_push(KVec::from(part)).is_ok());
        }
        assert_eq!(added, if cfg!(feature = "alloc") { 5 } else { 2 });
        assert_eq!(vector.view(), request[..added]);
        spare = vector.recycle();
        assert_eq!(spare.capacity() >= 5, cfg!(feature = "alloc"));
    }
    let list = v();
    let mut recycled = IoVector::<Source, 2>::from(&list).recycle();
    assert!(recycled.is_empty() && recycled.try_push(H).is_ok());
}

#[test]
fn vectors_and_views_are_made_of_what_holds_segments() {
    let list = v();
    let all = View::from(&list);
    assert_eq!((all, View::from(&list[..])), (View::new(&list), View::new(&list)));
    assert_eq!(View::from(&list[2]), BYTES[4..10]);
    #[cfg(feature = "alloc")]
    {
        let list = list.to_vec();
        assert_eq!((View::from(&list), IoVector::<Source>::from(&list).view()), (all, all));
    }
    for vector in [IoVector::<Source, 1>::from(&list), list[..].into(), all.into()] {
        assert_eq!((vector.view(), vector.capacity()), (all, 0));
    }
    assert_eq!(IoVector::<Source, 1>::from(H).view(), BYTES[1..4]);
    assert_eq!(IoVector::<Source, 1>::from(NONE).segment_count(), 0);
    assert_eq!(IoVector::<Source>::from(&BYTES[..]).view(), &BYTES);
    let mut space = [0; 3];
    let vector = IoVector::<Dest>::from(&mut space[..]);
    assert_eq!(vector.view().write_at(0, b"abcd"), Ok(3));
    drop(vector);
    assert_eq!(&space, b"abc");
}
