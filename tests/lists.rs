//! Lists that grow, or do not: what every one of them promises, and where they end.

use std::ops::Deref;

use iov_iter::{Error, InlineVec, List};

/// Fills `list`, which takes so many elements, and cuts it.
fn fill_and_cut<L: List<u32> + Deref<Target = [u32]>>(mut list: L, elements: u32) {
    assert_eq!(list.count(), 0);
    for element in 0..elements {
        assert_eq!(list.try_push(element), Ok(()), "element {element}");
        assert_eq!(list.count(), element as usize + 1);
    }
    // What is longer than the list changes nothing.
    list.cut(elements as usize + 1);
    assert!(list.iter().copied().eq(0..elements) && list.count() == list.len());
    list.cut(2);
    assert_eq!((list.count(), &list[..]), (2, &[0, 1][..]));
    list.cut(0);
    assert_eq!(list.count(), 0);
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
    assert_eq!(list.make_room(1), Ok(1));
    assert_eq!(list.make_room(9), Ok(2));
    assert_eq!((list.try_push(7), list.try_push(8)), (Ok(()), Ok(())));
    assert_eq!(list.make_room(9), Ok(0));
    assert_eq!(list.try_push(9), Err(9));
    assert_eq!(list, [7, 8]);
}

#[test]
fn a_list_with_a_heap_makes_all_the_room_or_none() {
    let mut list = InlineVec::<u32, 2>::new();
    assert_eq!(list.make_room(2), Ok(2));
    assert!(list.is_inline());
    let (more, most) = (list.make_room(3), list.make_room(usize::MAX));
    if cfg!(feature = "alloc") {
        assert_eq!((more, most), (Ok(3), Err(Error::NoMemory)));
        assert!(!list.is_inline() && list.capacity() >= 3);
    } else {
        assert_eq!((more, most), (Ok(2), Ok(2)));
        assert!(list.is_inline() && list.capacity() == 2);
    }
}
