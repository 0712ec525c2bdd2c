//! Objects of other lengths than are known here.

use crate::model::{Iter, UserSpace};
use iov_iter::{Dest, Error, IoVec, Source};

#[test]
fn a_surplus_must_be_zero_and_is_looked_at_first() {
    let space = UserSpace::<4096>::new();
    space.store(0x10000, &[7; 0x1000]);
    for (surplus, bad) in
        [(0, None), (1, None), (200, None), (1, Some(0)), (200, Some(0)), (200, Some(199))]
    {
        space.poke(0x10010, &[0; 200]);
        if let Some(bad) = bad {
            space.poke(0x10010 + bad, &[1]);
        }
        let segments = [IoVec::new(0x10008, 3), IoVec::new(0x1000b, 5 + surplus)];
        let mut iter = Iter::<Source>::iovec(&space, &segments, 8 + surplus).unwrap();
        let mut object = [9; 8];
        let result = iter.read_extensible(&mut object);
        match bad {
            None => assert_eq!((result, object, iter.remaining()), (Ok(()), [7; 8], 0)),
            Some(_) => {
                assert_eq!((result, object), (Err(Error::Surplus), [9; 8]));
                assert_eq!((iter.remaining(), Error::Surplus.errno()), (8 + surplus, 7));
            }
        }
    }
}

#[test]
fn a_fault_anywhere_moves_nothing() {
    let space = UserSpace::<4096>::new();
    space.store(0x10000, &[0; 0x1000]);
    // In the surplus, and in what is known.
    for bad in [0x10020, 0x10004] {
        space.heal();
        space.make_bad(bad..bad + 1);
        let mut iter = Iter::<Source>::ubuf(&space, 0x10000, 0x40);
        assert_eq!(
            (iter.read_extensible(&mut [0; 16]), iter.remaining()),
            (Err(Error::Fault), 0x40)
        );
        let mut iter = Iter::<Dest>::ubuf(&space, 0x10000, 0x40);
        assert_eq!((iter.write_extensible(&[0; 16]), iter.remaining()), (Err(Error::Fault), 0x40));
    }
}

#[test]
fn what_is_missing_there_becomes_zero_here_and_the_other_way_round() {
    let space = UserSpace::<4096>::new();
    space.store(0x10000, &[7; 0x1000]);
    let mut object = [9; 6];
    let mut iter = Iter::<Source>::ubuf(&space, 0x10000, 4);
    assert_eq!((iter.read_extensible(&mut object), object), (Ok(()), [7, 7, 7, 7, 0, 0]));
    let mut iter = Iter::<Dest>::ubuf(&space, 0x10000, 9);
    assert_eq!((iter.write_extensible(b"object"), iter.remaining()), (Ok(true), 0));
    assert_eq!(space.peek(0x10000, 10), *b"object\0\0\0\x07");
    let mut iter = Iter::<Dest>::ubuf(&space, 0x10000, 2);
    assert_eq!(iter.write_extensible(b"ab\0\0"), Ok(true));
    assert_eq!(iter.revert(2), Ok(()));
    assert_eq!(iter.write_extensible(b"ab\0c"), Ok(false));
}
