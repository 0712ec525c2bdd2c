//! Worked examples of import and of duplicates.

use crate::model::user::LIMIT;
use crate::model::{Iter, TestPage, UserSpace, at, pattern, place};
use iov_iter::{
    Abi, BioVec, Dest, DupStorage, Error, InlineVec, IoVec, IovIter, KVec, Kind, MAX_SEGMENTS,
    Source, Uniform,
};

/// Where the arrays of these tests lie.
const ARRAY: usize = 0x40_0000;
const MAX_COUNT: usize = 0x7fff_f000;

/// Stores an array as a process of this `usize` lays it out.
fn native(space: &UserSpace, segments: &[(usize, usize)]) {
    let fields = segments.iter().flat_map(|(base, len)| [*base, *len]);
    space.store(ARRAY, &fields.flat_map(usize::to_ne_bytes).collect::<Vec<_>>());
}

/// Stores an array as a 32-bit process lays it out.
fn compat(space: &UserSpace, segments: &[(u32, u32)]) {
    let fields = segments.iter().flat_map(|(base, len)| [*base, *len]);
    space.store(ARRAY, &fields.flat_map(u32::to_ne_bytes).collect::<Vec<_>>());
}

/// The segments that an iterator walks.
fn segments_of<'a>(iter: &Iter<'a, Source>) -> &'a [IoVec] {
    match iter {
        IovIter::IoVec(user) => user.cursor().list(),
        other => panic!("not an iovec iterator: {other:?}"),
    }
}

/// Imports an array of `N` native segments; what the iterator then holds.
fn import(space: &UserSpace, segments: &[(usize, usize)]) -> Result<(Vec<IoVec>, usize), Error> {
    native(space, segments);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let imported =
        Iter::<Source>::import_iovec(space, ARRAY, segments.len(), Abi::Native, &mut storage);
    match imported {
        Ok(iter) => Ok((segments_of(&iter).to_vec(), iter.remaining())),
        Err(error) => {
            assert!(storage.is_empty(), "left over after {error}");
            Err(error)
        }
    }
}

#[test]
fn the_segment_that_exceeds_the_limit_is_cut() {
    let (segments, total) =
        import(&UserSpace::new(), &[(0x10000, 0x7fff_0000), (0x20000, 0x20000), (0x30000, 5)])
            .unwrap();
    assert_eq!(total, MAX_COUNT);
    assert_eq!(Iter::<Source>::MAX_COUNT, MAX_COUNT);
    let lengths: Vec<_> = segments.iter().map(|segment| segment.len).collect();
    assert_eq!(lengths, [0x7fff_0000, 0xf000, 0]);
}

#[test]
fn a_segment_past_the_limit_becomes_empty() {
    let (segments, total) = import(
        &UserSpace::new(),
        &[(0x10000, MAX_COUNT - 1), (0x20000, 1), (0x30000, 0), (0x40000, 7)],
    )
    .unwrap();
    assert_eq!(total, MAX_COUNT);
    let lengths: Vec<_> = segments.iter().map(|segment| segment.len).collect();
    assert_eq!(lengths, [MAX_COUNT - 1, 1, 0, 0]);
}

#[test]
fn too_many_segments_are_refused_before_any_access() {
    let space = UserSpace::<4096>::new();
    space.watch_reads(false);
    let mut storage = InlineVec::<IoVec, 8>::new();
    for count in [MAX_SEGMENTS + 1, usize::MAX] {
        let result = Iter::<Source>::import_iovec(&space, ARRAY, count, Abi::Native, &mut storage);
        assert_eq!(result.unwrap_err(), Error::TooManySegments);
    }
    assert_eq!((Error::TooManySegments.errno(), MAX_SEGMENTS), (22, 1024));
    assert!(space.reads().is_empty());
}

#[test]
fn more_segments_than_are_inline_need_the_heap() {
    let space = UserSpace::new();
    native(&space, &[(0x10000, 3); 9]);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let result = Iter::<Source>::import_iovec(&space, ARRAY, 9, Abi::Native, &mut storage);
    if cfg!(feature = "alloc") {
        assert_eq!(place(&result.unwrap()), at(0, 0, 9, 27));
        assert!(!storage.is_inline());
    } else {
        assert_eq!(result.unwrap_err(), Error::NoMemory);
        assert!(storage.is_empty());
    }
    let mut storage = InlineVec::<IoVec, 8>::new();
    let iter = Iter::<Source>::import_iovec(&space, ARRAY, 8, Abi::Native, &mut storage);
    assert_eq!(place(&iter.unwrap()), at(0, 0, 8, 24));
    assert!(storage.is_inline());
}

#[cfg(feature = "alloc")]
#[test]
fn the_most_segments_are_taken() {
    let space = UserSpace::new();
    native(&space, &[(0x10000, 3); MAX_SEGMENTS]);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let imported =
        Iter::<Source>::import_iovec(&space, ARRAY, MAX_SEGMENTS, Abi::Native, &mut storage);
    assert_eq!(place(&imported.unwrap()), at(0, 0, 1024, 3072));
}

#[test]
fn the_layout_of_a_32_bit_process_is_read() {
    let space = UserSpace::new();
    let mut storage = InlineVec::<IoVec, 8>::new();
    // On a little-endian machine the bytes 00 10 00 00 05 00 00 00.
    compat(&space, &[(0x1000, 5)]);
    if cfg!(target_endian = "little") {
        assert_eq!(space.peek(ARRAY, 8), [0, 0x10, 0, 0, 5, 0, 0, 0]);
    }
    let iter = Iter::<Source>::import_iovec(&space, ARRAY, 1, Abi::Compat, &mut storage).unwrap();
    assert_eq!(iter.user_segment(), Some(IoVec::new(0x1000, 5)));

    compat(&space, &[(0x1000, 5), (0x8000_0000, 7)]);
    let iter = Iter::<Source>::import_iovec(&space, ARRAY, 2, Abi::Compat, &mut storage).unwrap();
    // The base is extended with zeros, not with its sign.
    assert_eq!(segments_of(&iter), [IoVec::new(0x1000, 5), IoVec::new(0x8000_0000, 7)]);

    for count in [1, 2] {
        compat(&space, &[(0x1000, 0x8000_0000), (0x1000, 1)]);
        let result = Iter::<Source>::import_iovec(&space, ARRAY, count, Abi::Compat, &mut storage);
        assert_eq!(result.unwrap_err(), Error::NegativeLength);
    }
}

#[test]
fn a_negative_length_decides_before_any_range() {
    // Linux 2015 checks element by element and says -EFAULT; all lengths come first in 6.x.
    let outside = [(LIMIT, 8), (0x10000, usize::MAX)];
    assert_eq!(import(&UserSpace::new(), &outside), Err(Error::NegativeLength));
    let outside = [(LIMIT, 8), (0x10000, 1)];
    assert_eq!(import(&UserSpace::new(), &outside), Err(Error::Fault));
    let longest = [(0x10000, 1), (0x10000, isize::MAX as usize + 1)];
    assert_eq!(import(&UserSpace::new(), &longest), Err(Error::NegativeLength));
}

#[test]
fn one_range_is_cut_to_the_limit() {
    let space = UserSpace::<4096>::new();
    let iter = Iter::<Source>::import_ubuf(&space, 0x10000, 0x8000_0000).unwrap();
    assert_eq!((iter.kind(), iter.remaining()), (Kind::UserBuf, MAX_COUNT));
    assert_eq!(iter.user_segment(), Some(IoVec::new(0x10000, MAX_COUNT)));
}

#[test]
fn one_range_may_end_with_user_space() {
    let space = UserSpace::<4096>::new();
    let base = LIMIT - 0x1000;
    #[cfg(target_pointer_width = "64")]
    assert_eq!(base, 0x7fff_ffff_e000);
    let import = |base, len| Iter::<Dest>::import_ubuf(&space, base, len).map(|it| it.remaining());
    assert_eq!(import(base, 0x1000), Ok(0x1000));
    assert_eq!(import(base, 0x1001), Err(Error::Fault));
    assert_eq!(import(base, 0), Ok(0));
    assert_eq!(import(LIMIT, 0), Ok(0));
    assert_eq!(import(usize::MAX, 1), Err(Error::Fault));
}

#[test]
fn single_segment_is_cut_before_it_is_checked() {
    // One element is checked after the cut, as 6.18 does; several are checked uncut.
    let check = |space: UserSpace, segment: (usize, usize)| {
        native(&space, &[segment, (0x10000, 1)]);
        let mut storage = InlineVec::<IoVec, 8>::new();
        let mut import = |count| {
            Iter::<Source>::import_iovec(&space, ARRAY, count, Abi::Native, &mut storage)
                .map(|iter| (iter.kind(), iter.remaining()))
        };
        assert_eq!(import(1), Ok((Kind::UserBuf, MAX_COUNT)));
        assert_eq!(import(2), Err(Error::Fault));
    };
    check(UserSpace::with_limit(0x8000_f800), (0x10000, 0x7fff_ffff));
    #[cfg(target_pointer_width = "64")]
    check(UserSpace::new(), (0x10000, 0x7fff_ffff_ffff));
}

#[test]
fn single_segment_needs_no_storage() {
    // One element becomes a ubuf, and the array for several is not consulted.
    let space = UserSpace::new();
    native(&space, &[(0x10000, 5); 2]);
    let mut storage = InlineVec::<IoVec, 0>::new();
    let iter = Iter::<Source>::import_iovec(&space, ARRAY, 1, Abi::Native, &mut storage).unwrap();
    assert_eq!((iter.kind(), iter.remaining()), (Kind::UserBuf, 5));
    let iter = Iter::<Source>::import_iovec(&space, ARRAY, 2, Abi::Native, &mut storage);
    match cfg!(feature = "alloc") {
        true => assert_eq!(iter.unwrap().remaining(), 10),
        false => assert_eq!(iter.unwrap_err(), Error::NoMemory),
    }
}

#[test]
fn segment_behind_the_limit_must_still_lie_in_user_space() {
    let space = UserSpace::new();
    let segments = [(0x10000, MAX_COUNT), (LIMIT - 4, 4), (LIMIT - 4, 0)];
    assert_eq!(import(&space, &segments).map(|(_, total)| total), Ok(MAX_COUNT));
    let segments = [(0x10000, MAX_COUNT), (LIMIT - 4, 5)];
    assert_eq!(import(&space, &segments), Err(Error::Fault));
}

#[test]
fn no_segments_are_imported_without_any_access() {
    // Total 0, iovec kind, wherever the array is said to be.
    let space = UserSpace::<4096>::new();
    for address in [0, 0x1234, LIMIT + 1, usize::MAX] {
        for abi in [Abi::Native, Abi::Compat] {
            let mut storage = InlineVec::<IoVec, 8>::new();
            let iter = Iter::<Source>::import_iovec(&space, address, 0, abi, &mut storage).unwrap();
            assert_eq!(iter.kind(), Kind::IoVec);
            assert_eq!(place(&iter), at(0, 0, 0, 0));
        }
    }
}

#[test]
fn array_that_cannot_be_read() {
    let space = UserSpace::new();
    let mut storage = InlineVec::<IoVec, 8>::new();
    let mut import = |address, count, abi| {
        Iter::<Source>::import_iovec(&space, address, count, abi, &mut storage)
            .map(|iter| iter.remaining())
    };
    for abi in [Abi::Native, Abi::Compat] {
        for count in [1, 2, 8] {
            assert_eq!(import(ARRAY, count, abi), Err(Error::Fault));
            assert_eq!(import(LIMIT - 4, count, abi), Err(Error::Fault));
            assert_eq!(import(usize::MAX - 3, count, abi), Err(Error::Fault));
        }
    }
}

#[test]
fn first_bad_element_decides() {
    // An element that cannot be read after one with a negative length, and the
    // other way round.
    let element = 2 * size_of::<usize>();
    let space = UserSpace::new();
    native(&space, &[(0x10000, usize::MAX), (0x10000, 1), (0x10000, usize::MAX)]);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let mut import = |address, count| {
        Iter::<Source>::import_iovec(&space, address, count, Abi::Native, &mut storage)
            .map(|iter| iter.remaining())
    };
    space.make_bad(ARRAY + element..ARRAY + 2 * element);
    assert_eq!(import(ARRAY, 3), Err(Error::NegativeLength));
    assert_eq!(import(ARRAY + element, 2), Err(Error::Fault));
}

#[test]
fn imported_segments_are_those_of_the_process() {
    let space = UserSpace::new();
    space.store(0x10000, b"hello, ");
    space.store(0x20000, b"world");
    native(&space, &[(0x10000, 7), (0, 0), (0x20000, 5)]);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let mut iter =
        Iter::<Source>::import_iovec(&space, ARRAY, 3, Abi::Native, &mut storage).unwrap();
    let mut bytes = [0; 20];
    assert_eq!(iter.copy_from_iter(&mut bytes), 12);
    assert_eq!(&bytes[..12], b"hello, world");
    assert_eq!(place(&iter), at(3, 0, 0, 0));
}

#[test]
fn duplicate_begins_with_the_current_segment() {
    let bytes = pattern(12);
    let segments = [KVec::from(&bytes[..4]), KVec::from(&bytes[..0]), KVec::from(&bytes[4..])];
    let mut iter = Iter::<Source>::kvec(&segments, 12).unwrap();
    assert_eq!(iter.copy_from_iter(&mut [0; 6]), 6);
    let mut storage = DupStorage::<_, _, 1>::new();
    let mut copy = iter.dup(&mut storage).unwrap();
    assert_eq!(place(&copy), at(0, 2, 1, 6));
    assert_eq!(copy.revert(3), Err(Error::RevertPastStart));
    assert_eq!(place(&copy), at(0, 2, 1, 6));
    assert_eq!(copy.revert(2), Ok(()));
    let mut copied = [0; 9];
    assert_eq!(copy.copy_from_iter(&mut copied), 8);
    assert_eq!(copied[..8], bytes[4..]);
}

#[test]
fn duplicate_of_an_exhausted_iterator_is_exhausted() {
    let segments = [KVec::from(&b"abc"[..])];
    let mut iter = Iter::<Source>::kvec(&segments, 3).unwrap();
    iter.advance(3);
    // No room is needed for no segments.
    let mut storage = DupStorage::<_, _, 0>::new();
    let mut copy = iter.dup(&mut storage).unwrap();
    assert_eq!(place(&copy), at(0, 0, 0, 0));
    assert_eq!(copy.copy_from_iter(&mut [0]), 0);
}

#[test]
fn duplicate_and_original_move_on_their_own() {
    let space = UserSpace::new();
    space.store(0x1000, &pattern(20));
    let segments = [IoVec::new(0x1000, 10), IoVec::new(0x100a, 10)];
    let mut iter = Iter::<Source>::iovec(&space, &segments, 20).unwrap();
    iter.advance(5);
    let mut storage = DupStorage::<_, _, 2>::new();
    let mut copy = iter.dup(&mut storage).unwrap();
    let (mut a, mut b) = ([0; 10], [0; 15]);
    assert_eq!(iter.copy_from_iter(&mut a), 10);
    assert_eq!(copy.remaining(), 15);
    assert_eq!(copy.copy_from_iter(&mut b), 15);
    assert_eq!((&a[..], &b[..]), (&pattern(20)[5..15], &pattern(20)[5..]));
    assert_eq!(place(&iter), at(1, 5, 1, 5));
}

#[test]
fn duplicates_of_the_kinds_without_an_array_are_valid() {
    // Linux returns none for them, which looks like a failure.
    let space = UserSpace::<4096>::resident(&[0x1000]);
    let mut iter = Iter::<Dest>::ubuf(&space, 0x1000, 8);
    iter.advance(3);
    let mut storage = DupStorage::<_, _, 0>::new();
    let mut copy = iter.dup(&mut storage).unwrap();
    assert_eq!(copy.copy_to_iter(b"abcdef"), 5);
    assert_eq!(place(&iter), at(0, 3, 1, 5));
    let mut storage = DupStorage::<_, _, 0>::new();
    assert_eq!(Iter::<Dest>::discard(7).dup(&mut storage).unwrap().remaining(), 7);
}

#[test]
fn duplicate_of_pages_holds_references() {
    let page = TestPage::with_bytes(&pattern(4096));
    let bvec = |offset, len| BioVec::new(page.clone(), offset, len).unwrap();
    let segments = [bvec(0, 100), bvec(100, 200), bvec(300, 200), bvec(500, 7)];
    let before = page.references();
    for uniform in [false, true] {
        let mut iter = match uniform {
            false => Iter::<Source>::bvec(&segments, 507).unwrap(),
            true => Iter::<Source>::uniform(Uniform::new(&segments).unwrap(), 507).unwrap(),
        };
        iter.advance(150);
        let mut storage = DupStorage::<_, _, 3>::new();
        let mut copy = iter.dup(&mut storage).unwrap();
        assert_eq!(place(&copy), at(0, 50, 3, 357));
        let mut bytes = [0; 400];
        assert_eq!(copy.copy_from_iter(&mut bytes), 357);
        assert_eq!(bytes[..357], pattern(4096)[150..507]);
        assert_eq!(page.references(), before + 3);
        drop(storage);
        assert_eq!(page.references(), before);
        let mut storage = DupStorage::<_, _, 2>::new();
        match cfg!(feature = "alloc") {
            true => assert_eq!(iter.dup(&mut storage).unwrap().remaining(), 357),
            false => assert_eq!(iter.dup(&mut storage).unwrap_err(), Error::NoMemory),
        }
        assert_eq!(place(&iter), at(1, 50, 3, 357));
    }
}
