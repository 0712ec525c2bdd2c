//! The core allocates nothing, and where the `alloc` layer does it survives having no memory.

use std::mem::MaybeUninit;

use crate::allocator::with_allocations;
use crate::model::{Iter, TestPage, UserSpace, pattern};
use heapless::Vec as Fixed;
use iov_iter::iov::{CallError, IoVector, VectoredRead, VectoredWrite, View};
use iov_iter::{
    Abi, BioVec, Checksum, Dest, DupStorage, InlineVec, IoVec, KVec, Kind, Piece, Source, Uniform,
    copy_iter_to_iter,
};

/// Runs `operation`, which must not ask for memory at all.
fn without<R>(operation: impl FnOnce() -> R) -> R {
    let (result, seen) = with_allocations(usize::MAX, operation);
    assert_eq!(seen, 0, "memory was asked for");
    result
}

#[test]
fn the_counter_counts() {
    let (list, seen) = with_allocations(usize::MAX, || vec![0u8; 100]);
    assert_eq!((list.len(), seen), (100, 1));
    let (result, seen) = with_allocations(0, || Vec::<u8>::new().try_reserve(100).is_err());
    assert_eq!((result, seen), (true, 1));
}

/// User memory with an array of `count` segments of 3 bytes each at 0x9000.
fn space_with_array(count: usize, field: usize) -> UserSpace {
    let space = UserSpace::resident(&[0x1000]);
    let mut array = Vec::new();
    for _ in 0..count {
        for value in [0x1000usize, 3] {
            match field {
                4 => array.extend((value as u32).to_ne_bytes()),
                _ => array.extend(value.to_ne_bytes()),
            }
        }
    }
    space.store(0x9000, &array);
    space
}

#[test]
fn import_of_up_to_n_segments() {
    for (abi, field) in [(Abi::Native, size_of::<usize>()), (Abi::Compat, 4)] {
        let space = space_with_array(8, field);
        for count in 0..=8 {
            let mut storage = InlineVec::<IoVec, 8>::new();
            let remaining = without(|| {
                let iter = Iter::<Source>::import_iovec(&space, 0x9000, count, abi, &mut storage);
                let mut iter = iter.unwrap();
                assert_eq!(iter.copy_from_iter(&mut [0; 2]), if count > 0 { 2 } else { 0 });
                iter.remaining()
            });
            assert_eq!(remaining, (3 * count).saturating_sub(2));
        }
        // Errors do not allocate either.
        let mut storage = InlineVec::<IoVec, 8>::new();
        for (address, count) in [(0x9000, 1025), (0x20000, 8), (usize::MAX, 2)] {
            without(|| {
                let iter = Iter::<Source>::import_iovec(&space, address, count, abi, &mut storage);
                assert!(iter.is_err());
            });
        }
    }
}

/// Every operation of the core on a source.
fn use_source(mut iter: Iter<'_, Source>, page: &TestPage) {
    let start = iter.save();
    let mut bytes = [0; 8];
    let mut raw = [MaybeUninit::uninit(); 8];
    assert!(iter.copy_from_iter(&mut bytes) > 0);
    iter.restore(&start).unwrap();
    assert!(iter.copy_from_iter_nocache(&mut bytes) > 0);
    iter.revert(8).unwrap();
    assert!(iter.copy_from_iter_flushcache(&mut bytes) > 0);
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_from_iter_raw(&mut raw).len(), 8);
    iter.restore(&start).unwrap();
    iter.copy_from_iter_full(&mut bytes).unwrap();
    iter.restore(&start).unwrap();
    assert!(iter.copy_from_iter_full(&mut [0; 4096]).is_err());
    iter.copy_from_iter_full_nocache(&mut bytes).unwrap();
    iter.restore(&start).unwrap();
    iter.csum_and_copy_from_iter_full(&mut bytes, &mut Checksum::new()).unwrap();
    iter.restore(&start).unwrap();
    let walked = iter.iterate(8, &mut (), |(), user, _| user.len(), |(), piece, _| piece.len());
    assert_eq!(walked, 8);
    // Only addressable memory can be borrowed.
    assert_eq!(iter.next_chunk().is_some(), iter.kind() == Kind::KVec);
    iter.restore(&start).unwrap();
    assert!(iter.csum_and_copy_from_iter(&mut bytes, &mut Checksum::new()) > 0);
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_page_from_iter(page, 4, 8), Ok(8));
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_page_from_iter_atomic(page, 4, 8), Ok(8));
    iter.restore(&start).unwrap();
    assert!(iter.read_be::<u64>().is_ok());
    iter.restore(&start).unwrap();
    assert_eq!(iter.fault_in_readable(8), 0);
    let questions = (iter.alignment(), iter.gap_alignment(), iter.npages(9), iter.npages_cap(9, 9));
    assert!(questions.2 > 0 && iter.first_segment_len() > 0);
    assert!(iter.is_aligned(0, 0));
    assert_eq!(iter.extract_will_pin(), iter.is_user_backed());
    assert!(iter.segment_count() > 0 && !iter.is_empty());
    iter.set_page_flags(iter.page_flags());
    iter.truncate(5);
    iter.reexpand(8).unwrap();
    iter.advance(3);
    let mut pages = Fixed::<_, 4>::new();
    assert!(iter.extract_pages(4, 4, &mut pages).is_ok());
    iter.restore(&start).unwrap();
    let _ = iter.get_pages(4, 4, &mut pages);
    iter.restore(&start).unwrap();
    let mut entries = Fixed::<_, 4>::new();
    assert!(iter.extract_to_scatter_list(8, 4, &mut entries).is_ok());
    iter.restore(&start).unwrap();
    let mut storage = DupStorage::<_, _, 4>::new();
    assert_eq!(iter.dup(&mut storage).unwrap().remaining(), iter.remaining());
    assert_eq!(copy_iter_to_iter(&mut iter, &mut Iter::<Dest>::discard(4), 9), 4);
}

/// Every operation of the core on a destination.
fn use_dest(mut iter: Iter<'_, Dest>, page: &TestPage) {
    let start = iter.save();
    assert_eq!(iter.copy_to_iter(b"12345678"), 8);
    iter.restore(&start).unwrap();
    iter.copy_to_iter_full(b"12345678").unwrap();
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_mc_to_iter(Piece::from(&b"12345678"[..])), 8);
    iter.restore(&start).unwrap();
    let mut fed = 0;
    assert_eq!(iter.hash_and_copy_to_iter(b"12345678", |bytes| fed += bytes.len()), 8);
    iter.restore(&start).unwrap();
    assert_eq!(iter.zero(8), 8);
    iter.restore(&start).unwrap();
    assert_eq!(iter.csum_and_copy_to_iter(b"12345678", &mut Checksum::new()), 8);
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_page_to_iter(page, 4, 8), Ok(8));
    iter.restore(&start).unwrap();
    assert_eq!(iter.copy_page_to_iter_nofault(page, 4, 8), Ok(8));
    iter.restore(&start).unwrap();
    iter.write_le(7u64).unwrap();
    iter.restore(&start).unwrap();
    assert_eq!(iter.simple_read_from_buffer(&mut 0, b"12345678"), Ok(8));
    iter.restore(&start).unwrap();
    assert_eq!(iter.fault_in_writeable(8), 0);
    let text = [KVec::from(&b"12345678"[..])];
    let mut source = Iter::<Source>::kvec(&text, 8).unwrap();
    assert_eq!(copy_iter_to_iter(&mut source, &mut iter, 8), 8);
}

#[test]
fn every_operation_of_the_core() {
    let space = UserSpace::<4096>::resident(&[0x1000, 0x2000]);
    let iovecs = [IoVec::new(0x1ffc, 3), IoVec::new(0, 0), IoVec::new(0x1fff, 5)];
    let page = TestPage::run(2);
    let bvec = |offset, len| BioVec::new(page.clone(), offset, len).unwrap();
    let bvecs = [bvec(0xffe, 4), bvec(0, 4)];
    let bytes = pattern(8);
    let (mut a, mut b) = ([0; 3], [0; 5]);
    without(|| {
        use_source(Iter::iovec(&space, &iovecs, 8).unwrap(), &page);
        use_source(Iter::ubuf(&space, 0x1ffc, 8), &page);
        let kvecs = [KVec::from(&bytes[..3]), KVec::from(&bytes[3..])];
        use_source(Iter::kvec(&kvecs, 8).unwrap(), &page);
        use_source(Iter::bvec(&bvecs, 8).unwrap(), &page);
        use_source(Iter::uniform(Uniform::new(&bvecs).unwrap(), 8).unwrap(), &page);

        use_dest(Iter::iovec(&space, &iovecs, 8).unwrap(), &page);
        use_dest(Iter::ubuf(&space, 0x1ffc, 8), &page);
        let kvecs = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
        use_dest(Iter::kvec(&kvecs, 8).unwrap(), &page);
        use_dest(Iter::bvec(&bvecs, 8).unwrap(), &page);
        use_dest(Iter::discard(8), &page);
        // Between two user memories, where bytes go through a buffer.
        let mut source = Iter::<Source>::iovec(&space, &iovecs, 8).unwrap();
        let mut dest = Iter::<Dest>::ubuf(&space, 0x1000, 8);
        assert_eq!(copy_iter_to_iter(&mut source, &mut dest, 8), 8);
    });
}

/// Every operation on whole vectors, and on those that grow as far as their own room reaches.
#[test]
fn every_operation_on_whole_vectors() {
    let (bytes, mut space) = (pattern(8), [0; 8]);
    let (mut sink, mut text) = (Fixed::<u8, 8>::new(), heapless::String::<128>::new());
    let segments = [KVec::from(&bytes[..3]), KVec::from(&bytes[3..])];
    without(|| {
        let mut view = View::new(&segments);
        assert_eq!(view.read_at(1, &mut [0; 4]), Ok(4));
        assert!(!view.is_zero());
        assert_eq!(view.mismatch(&view), None);
        assert!(view.compare(&view).is_ok());
        assert_eq!(
            (view.segment_count(), view.as_piece().is_some(), view.pieces().count()),
            (2, false, 2)
        );
        assert_eq!(view.describe(&mut InlineVec::<_, 2>::new()).unwrap().bytes, 8);
        assert!(view.slice(1, 7).is_ok() && view.clip(1, 9).is_ok() && view.slice(1, 8).is_err());
        view.hexdump(&mut text, "bytes", 8).unwrap();
        assert_eq!(view.send(&mut Transport(&mut sink)).finished(), Ok(8));
        let undo = [view.discard_front_undoable(2), view.discard_back_undoable(2)];
        view.scope().discard_front(1);
        for undo in undo {
            view.undo(undo).unwrap();
        }
        assert_eq!((view.len(), view.footprint()), (8, Ok(8)));

        let mut vector = IoVector::<Source, 4>::new();
        vector.try_push(segments[0]).unwrap();
        assert_eq!(vector.concat(view).unwrap(), 8);
        vector.discard_back(1).unwrap();
        assert_eq!((vector.len(), vector.view().len(), vector.segment_count()), (10, 10, 3));
        assert_eq!(vector.add_layout_of(view.slice(3, 1).unwrap(), &segments[1]).unwrap(), 1);
        vector.clear().unwrap();
        let extended = IoVector::<Source, 4>::extended(&segments[0], view, &segments[1]).unwrap();
        assert_eq!(extended.len(), 16);

        let segments = [KVec::from(&mut space[..])];
        let dest = View::new(&segments);
        assert_eq!(dest.write_at(1, b"1234"), Ok(4));
        assert_eq!(dest.fill_at(0, 7, 2), Ok(2));
        assert_eq!(dest.receive(&mut Transport(&mut sink)).finished(), Ok(8));
    });
    assert_eq!((&space[..], &sink[..]), (&bytes[..], &bytes[..]));
    assert!(text.starts_with("bytes"));
}

/// Takes all bytes, and gives all that it has.
struct Transport<'a>(&'a mut Fixed<u8, 8>);

impl VectoredWrite for Transport<'_> {
    type Error = ();

    fn write_vectored(&mut self, segments: &[Piece<'_, Source>]) -> Result<usize, CallError<()>> {
        for segment in segments {
            let mut bytes = [0; 8];
            let len = segment.copy_to(Piece::from(&mut bytes[..]));
            self.0.extend_from_slice(&bytes[..len]).unwrap();
        }
        Ok(self.0.len())
    }
}

impl VectoredRead for Transport<'_> {
    type Error = ();

    fn read_vectored(&mut self, segments: &[Piece<'_, Dest>]) -> Result<usize, CallError<()>> {
        Ok(segments[0].copy_from(Piece::from(&self.0[..])))
    }
}

#[cfg(feature = "alloc")]
mod failing {
    use super::*;
    use crate::model::{at, place};
    use iov_iter::{Cursor, Error, HeldPage, List, ScatterEntry};

    #[test]
    fn import_of_more_segments_than_are_inline() {
        for (abi, field) in [(Abi::Native, size_of::<usize>()), (Abi::Compat, 4)] {
            let space = space_with_array(100, field);
            let mut storage = InlineVec::<IoVec, 8>::new();
            let (error, seen) = with_allocations(0, || {
                Iter::<Source>::import_iovec(&space, 0x9000, 9, abi, &mut storage).unwrap_err()
            });
            assert_eq!((error, seen, storage.len()), (Error::NoMemory, 1, 0));
            assert!(storage.is_inline());
            // One allocation is enough, however many segments there are.
            for count in [9, 100] {
                let mut storage = InlineVec::<IoVec, 8>::new();
                let (remaining, seen) = with_allocations(1, || {
                    Iter::<Source>::import_iovec(&space, 0x9000, count, abi, &mut storage)
                        .map(|iter| iter.remaining())
                });
                assert_eq!((remaining, seen), (Ok(3 * count), 1));
                // Storage that has grown is used again.
                without(|| {
                    let iter =
                        Iter::<Source>::import_iovec(&space, 0x9000, count, abi, &mut storage);
                    assert!(iter.is_ok());
                });
            }
        }
    }

    #[test]
    fn a_vector_of_bytes_is_as_before_where_memory_ends() {
        let segments = [KVec::from(&b"scatter"[..]), KVec::from(&b"gather"[..])];
        let mut iter = Iter::<Source>::kvec(&segments, 13).unwrap();
        iter.advance(2);
        let mut list = b"before".to_vec();
        let (result, _) = with_allocations(0, || iter.copy_from_iter_vec(&mut list, 11));
        assert_eq!(result, Err(Error::NoMemory));
        assert_eq!((&list[..], place(&iter)), (&b"before"[..], at(0, 2, 2, 11)));
        let (result, seen) = with_allocations(1, || iter.copy_from_iter_vec(&mut list, 11));
        assert_eq!((result, seen, &list[..]), (Ok(11), 1, &b"beforeattergather"[..]));

        // Memory that ends half-way takes back what has come.
        let bytes = [7; 100_000];
        let segments = [KVec::from(&bytes[..])];
        let mut iter = Iter::<Source>::kvec(&segments, 100_000).unwrap();
        let (result, seen) = with_allocations(1, || iter.copy_from_iter_vec(&mut list, 100_000));
        assert_eq!((result, seen, list.len()), (Err(Error::NoMemory), 2, 17));
        assert_eq!((&list[..], iter.remaining()), (&b"beforeattergather"[..], 100_000));
        let (result, _) = with_allocations(0, || iter.copy_from_iter_vec(&mut list, 60_000));
        assert_eq!((result, list.len()), (Ok(60_000), 60_017), "within the room that is left");
    }

    #[test]
    fn list_that_grows_keeps_its_elements() {
        let mut list = InlineVec::<u64, 2>::new();
        assert!(list.try_push(1).is_ok() && list.try_push(2).is_ok());
        let (result, _) = with_allocations(0, || list.try_push(3));
        assert_eq!((result, &list[..], list.is_inline()), (Err(3), &[1, 2][..], true));
        let (result, _) = with_allocations(0, || list.try_reserve(1));
        assert_eq!(result, Err(Error::NoMemory));
        assert_eq!(list.try_push(3), Ok(()));
        assert_eq!((&list[..], list.is_inline()), (&[1, 2, 3][..], false));
        while list.len() < list.capacity() {
            list.try_push(0).unwrap();
        }
        let (result, _) = with_allocations(0, || list.try_push(9));
        assert_eq!((result, &list[..3]), (Err(9), &[1, 2, 3][..]));
        // Room that was promised is there, also for what moved out of the list itself.
        let mut promised = InlineVec::<u64, 20>::new();
        (0..20).for_each(|at| promised.try_push(at).unwrap());
        let (room, seen) = with_allocations(1, || promised.try_reserve(21));
        assert_eq!((room, seen, promised.len()), (Ok(21), 1, 20));
        without(|| (20..41).for_each(|at| promised.try_push(at).unwrap()));
        assert!(promised.iter().copied().eq(0..41));
        let (result, _) = with_allocations(usize::MAX, || list.try_reserve(usize::MAX));
        assert_eq!(result, Err(Error::NoMemory));
    }

    #[test]
    fn a_duplicate_without_memory_holds_nothing() {
        let page = TestPage::run(1);
        let bvecs: Vec<_> =
            (0..4).map(|at| BioVec::new(page.clone(), at * 8, 8).unwrap()).collect();
        let before = page.references();
        let mut iter = Iter::<Source>::bvec(&bvecs, 32).unwrap();
        iter.advance(3);
        let mut storage = DupStorage::<_, _, 2>::new();
        let (result, _) = with_allocations(0, || iter.dup(&mut storage).map(|_| ()));
        assert_eq!((result, page.references()), (Err(Error::NoMemory), before));
        assert_eq!(place(&iter), at(0, 3, 4, 29));
        assert_eq!(iter.dup(&mut storage).map(|copy| copy.remaining()), Ok(29));
        assert_eq!(page.references(), before + 4);
        drop(storage);
        assert_eq!(page.references(), before);
        let iovecs = [IoVec::new(0x1000, 8); 4];
        let cursor = Cursor::new(&iovecs[..]);
        let mut storage = InlineVec::<IoVec, 2>::new();
        let (result, _) =
            with_allocations(0, || cursor.dup(&mut storage).map(|copy| copy.remaining()));
        assert_eq!(result, Err(Error::NoMemory));
        let (result, seen) =
            with_allocations(1, || cursor.dup(&mut storage).map(|copy| copy.remaining()));
        assert_eq!((result, seen), (Ok(32), 1));
    }

    #[test]
    fn pages_and_scatter_entries_come_as_far_as_memory_lasts() {
        let space = UserSpace::<4096>::new();
        space.add(0x10000, 0x10000, true);
        let segments = [IoVec::new(0x10ff0, 0x3020), IoVec::new(0x18000, 0x3000)];
        let total = 0x6020;
        for allowed in 0..3 {
            let mut iter = Iter::<Source>::iovec(&space, &segments, total).unwrap();
            let mut list = Vec::<HeldPage<'_, TestPage>>::new();
            let (result, _) =
                with_allocations(allowed, || iter.extract_pages(total, usize::MAX, &mut list));
            match result {
                Ok(range) => assert_eq!((range.len, list.len()), (0x3020, 5)),
                Err(error) => {
                    assert_eq!((error, allowed), (Error::NoMemory, 0));
                    assert_eq!((place(&iter), list.len()), (at(0, 0, 2, total), 0));
                }
            }
            assert_eq!(space.held(), (0, list.len()));
        }
        let mut grown = false;
        for allowed in 0..12 {
            let mut iter = Iter::<Source>::iovec(&space, &segments, total).unwrap();
            let mut list = Vec::<ScatterEntry<'_, TestPage>>::new();
            let (result, _) = with_allocations(allowed, || {
                iter.extract_to_scatter_list(total, usize::MAX, &mut list)
            });
            match result {
                Ok(len) => {
                    assert_eq!((len, list.len()), (total, 8));
                    grown = true;
                }
                // An allocation that fails in the middle undoes what came before it.
                Err(error) => {
                    assert_eq!(error, Error::NoMemory);
                    assert_eq!((place(&iter), list.len()), (at(0, 0, 2, total), 0));
                    assert!(!grown);
                }
            }
            assert_eq!(space.held(), (0, list.len()));
        }
        assert!(grown);
        assert_eq!(space.held(), (0, 0));
    }

    #[test]
    fn pages_of_other_kinds_come_as_far_as_memory_lasts() {
        let page = TestPage::run(3);
        let bvecs = [BioVec::new(page.clone(), 0, 0x3000).unwrap()];
        let before = page.references();
        let bytes = pattern(64);
        let kvecs = [KVec::from(&bytes[..])];
        for mut iter in
            [Iter::<Source>::bvec(&bvecs, 0x3000).unwrap(), Iter::kvec(&kvecs, 64).unwrap()]
        {
            let start = place(&iter);
            let mut pages = Vec::<HeldPage<'_, TestPage>>::new();
            let (result, _) =
                with_allocations(0, || iter.extract_pages(9, usize::MAX, &mut pages).map(|_| ()));
            assert_eq!((result, pages.len()), (Err(Error::NoMemory), 0));
            let mut entries = Vec::<ScatterEntry<'_, TestPage>>::new();
            let (result, _) =
                with_allocations(0, || iter.extract_to_scatter_list(9, 9, &mut entries));
            assert_eq!((result, entries.len()), (Err(Error::NoMemory), 0));
            assert_eq!(place(&iter), start);
        }
        let mut iter = Iter::<Source>::bvec(&bvecs, 0x3000).unwrap();
        let mut pages = Vec::<HeldPage<'_, TestPage>>::new();
        let (result, _) = with_allocations(0, || iter.get_pages(0x3000, 9, &mut pages).map(|_| ()));
        assert_eq!((result, page.references()), (Err(Error::NoMemory), before));
    }
}
