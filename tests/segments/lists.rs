//! Lists that grow, or do not: what every one of them promises, and where they end. And cursors over
//! parts of them.

use std::ops::Deref;

use iov_iter::{Cursor, Error, InlineVec, IovIter, KVec, List, Position, Source};

/// Fills `list`, which takes so many elements, and cuts it.
fn fill_and_cut<L: List<u32> + Deref<Target = [u32]>>(mut list: L, elements: u32) {
    assert!(list.len() == 0 && List::is_empty(&list) && List::last_mut(&mut list).is_none());
    for mut element in 0..elements {
        assert_eq!(list.try_push(element), Ok(()), "element {element}");
        assert_eq!(list.len(), element as usize + 1);
        assert_eq!(List::last_mut(&mut list), Some(&mut element));
    }
    // What is longer than the list changes nothing.
    list.truncate(elements as usize + 1);
    assert!(list.iter().copied().eq(0..elements) && list.len() == list[..].len());
    list.truncate(2);
    assert_eq!((list.len(), &list[..]), (2, &[0, 1][..]));
    assert!(!List::is_empty(&list));
    list.truncate(0);
    assert_eq!(list.len(), 0);
}

#[test]
fn every_list_counts_and_cuts_what_it_holds() {
    fill_and_cut(heapless::Vec::<u32, 5>::new(), 5);
    fill_and_cut(InlineVec::<u32, 5>::new(), 5);
    #[cfg(feature = "alloc")]
    {
        fill_and_cut(InlineVec::<u32, 5>::new(), 11);
        fill_and_cut(Vec::new(), 11);
    }
}

#[test]
fn a_list_without_a_heap_gives_back_what_it_has_no_room_for() {
    let mut list = heapless::Vec::<u32, 2>::new();
    assert_eq!(list.try_reserve(1), Ok(1));
    assert_eq!(list.try_reserve(9), Ok(2));
    assert_eq!((list.try_push(7), list.try_push(8)), (Ok(()), Ok(())));
    assert_eq!(list.try_reserve(9), Ok(0));
    assert_eq!(list.try_push(9), Err(9));
    assert_eq!(list, [7, 8]);
}

#[test]
fn a_list_with_a_heap_makes_all_the_room_or_none() {
    let mut list = InlineVec::<u32, 2>::new();
    assert_eq!(list.try_reserve(2), Ok(2));
    assert!(list.is_inline());
    let (more, most) = (list.try_reserve(3), list.try_reserve(usize::MAX));
    if cfg!(feature = "alloc") {
        assert_eq!((more, most), (Ok(3), Err(Error::NoMemory)));
        assert!(!list.is_inline() && list.capacity() >= 3);
    } else {
        assert_eq!((more, most), (Ok(2), Ok(2)));
        assert!(list.is_inline() && list.capacity() == 2);
    }
}

#[test]
fn a_cursor_begins_at_any_place_and_takes_what_is_there() {
    let bytes: Vec<u8> = (0..9).collect();
    let segments = [&bytes[..2], &[], &bytes[2..5], &[], &bytes[5..], &[]].map(KVec::from);
    for offset in 0..=10 {
        for len in 0..=10 {
            let cursor = Cursor::range(&segments[..], offset, len);
            if offset + len > bytes.len() {
                assert_eq!(cursor.unwrap_err(), Error::CountExceedsSegments, "{len} from {offset}");
                continue;
            }
            let cursor = cursor.unwrap();
            let mut moved = Cursor::with_count(&segments[..], offset + len).unwrap();
            moved.advance(offset);
            assert_eq!((cursor.position(), cursor.remaining()), (moved.position(), len));
            let mut copy = vec![0; len];
            let mut iter = IovIter::<Source>::from(cursor);
            assert_eq!(iter.copy_from_iter(&mut copy), len);
            assert_eq!(copy, bytes[offset..offset + len]);
            assert_eq!(iter.revert(len + offset), Ok(()));

            let resumed = Cursor::resumed(&segments[..], moved.position(), len).unwrap();
            assert_eq!((resumed.position(), resumed.remaining()), (moved.position(), len));
            let left = bytes.len() - offset;
            let more = Cursor::resumed(&segments[..], moved.position(), left + 1);
            assert_eq!(more.unwrap_err(), Error::CountExceedsSegments);
        }
    }
    for (index, offset) in [(0, 3), (1, 1), (6, 1), (7, 0)] {
        let nowhere = Cursor::resumed(&segments[..], Position::new(index, offset), 0);
        assert_eq!(nowhere.unwrap_err(), Error::CountExceedsSegments, "{index}, {offset}");
    }
}
