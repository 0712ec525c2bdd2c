//! Growth when memory runs out: every allocation of an operation fails once, and nothing is lost.
#![cfg(feature = "alloc")]

use crate::allocator::with_allocations;
use iov_iter::iov::{Error, IoVector, View};
use iov_iter::{InlineVec, KVec, Source};

static BYTES: [u8; 64] = {
    let mut bytes = [0; 64];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// Segments of one byte each.
fn ones() -> Vec<KVec<'static, Source>> {
    BYTES.chunks(1).map(KVec::from).collect()
}

/// Checks that the vector holds the first bytes, and no others.
fn holds<const N: usize>(vector: &IoVector<'_, Source, N>, len: usize) {
    assert_eq!((vector.segment_count(), vector.len()), (len, len));
    let mut bytes = [0; 64];
    assert_eq!(vector.view().read_at(0, &mut bytes), Ok(len));
    assert_eq!(bytes[..len], BYTES[..len]);
}

/// Does `operation`, which needs memory, with ever more of it until it succeeds.
fn until_it_succeeds<'a, const N: usize>(
    vector: &mut IoVector<'a, Source, N>,
    mut operation: impl FnMut(&mut IoVector<'a, Source, N>) -> Result<(), Error>,
    before: usize,
    after: usize,
) {
    for allocations in 0.. {
        match with_allocations(allocations, || operation(vector)) {
            (Ok(()), _) => {
                assert!(allocations > 0, "no memory was needed");
                break;
            }
            (Err(error), asked) => {
                assert_eq!((error, asked > allocations), (Error::NoMemory, true));
                holds(vector, before);
            }
        }
    }
    holds(vector, after);
}

#[test]
fn add_fails_at_every_growth_and_keeps_what_there_is() {
    let mut vector = IoVector::<Source, 2>::new();
    let mut failures = 0;
    for (at, segment) in ones().into_iter().enumerate() {
        let (mut refused, _) = with_allocations(0, || vector.try_push(segment));
        while let Err(back) = refused {
            failures += 1;
            assert_eq!((back.error, back.segment.as_ptr()), (Error::NoMemory, segment.as_ptr()));
            holds(&vector, at);
            refused = with_allocations(failures, || vector.try_push(back.segment)).0;
        }
        holds(&vector, at + 1);
    }
    assert!(failures > 1, "the vector never grew");
}

#[test]
fn concat_is_all_or_nothing() {
    let ones = ones();
    let (start, rest) = ones.split_at(3);
    let rest = View::new(rest);
    let mut vector = IoVector::<Source, 4>::new();
    for segment in start {
        vector.try_push(*segment).unwrap();
    }
    // Once out of the inline storage, once out of a list on the heap.
    let half = rest.slice(0, 30).unwrap();
    until_it_succeeds(&mut vector, |vector| vector.concat(half).map(drop), 3, 33);
    let half = rest.slice(30, 31).unwrap();
    until_it_succeeds(&mut vector, |vector| vector.concat(half).map(drop), 33, 64);
}

#[test]
fn a_layout_is_all_or_nothing() {
    let ones = ones();
    let (first, second) = BYTES.split_at(2);
    let buffer = KVec::from(second);
    let model = View::new(&ones).slice(2, 62).unwrap();
    let mut vector = IoVector::<Source, 2>::new();
    vector.try_push(KVec::from(&first[..1])).unwrap();
    vector.try_push(KVec::from(&first[1..])).unwrap();
    until_it_succeeds(&mut vector, |vector| vector.add_layout_of(model, &buffer).map(drop), 2, 64);
}

#[test]
fn a_vector_without_memory_is_an_error() {
    let ones = ones();
    let view = View::new(&ones);
    let none = KVec::from(&[][..]);
    let (refused, _) = with_allocations(0, || IoVector::<Source>::try_with_capacity(9).map(drop));
    assert_eq!(refused, Err(Error::NoMemory));
    let (refused, _) =
        with_allocations(0, || IoVector::<Source>::extended(&none, view, &none).map(drop));
    assert_eq!(refused, Err(Error::NoMemory));
    let (refused, _) = with_allocations(0, || IoVector::<Source, 0>::single(ones[0]).map(drop));
    assert_eq!(refused.map_err(Error::from), Err(Error::NoMemory));
    let (inline, _) =
        with_allocations(0, || IoVector::<Source, 64>::extended(&none, view, &none).map(drop));
    assert_eq!(inline, Ok(()));
    let (borrowed, _) = with_allocations(0, || IoVector::<Source, 0>::borrowed(view).len());
    assert_eq!(borrowed, 64);
}

#[test]
fn a_description_without_memory_leaves_the_list_as_it_was() {
    let ones = ones();
    let view = View::new(&ones);
    let mut list = InlineVec::<_, 4>::new();
    view.slice(0, 3).unwrap().describe(&mut list).unwrap();
    let (refused, _) = with_allocations(0, || view.describe(&mut list));
    assert_eq!((refused, list.len()), (Err(Error::NoMemory), 3));
}

#[test]
fn everything_else_needs_no_memory() {
    let ones = ones();
    let mut text = heapless::String::<256>::new();
    let (sum, _) = with_allocations(0, || {
        let mut view = View::new(&ones);
        let undo = view.discard_front_undoable(16);
        view.discard_back(1);
        let mut bytes = [0; 8];
        let mut sum = view.read_at(3, &mut bytes).unwrap();
        sum += view.mismatch(&View::<Source>::default()).unwrap_or(100);
        sum += view.segment_count() + view.footprint().unwrap();
        view.hexdump(&mut text, "t", 20).unwrap();
        view.undo(undo).unwrap();
        sum + view.len()
    });
    assert_eq!(sum, 8 + 47 + 47 + 64);
    assert_eq!(text.lines().count(), 2);
}
