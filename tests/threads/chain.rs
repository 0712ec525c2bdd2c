//! A chain that grows at its end while other threads walk it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::thread;

use iov_iter::host::SharedOnly;
use iov_iter::segment::{Chain, ChainNode, ChainSlots};
use iov_iter::{IovIter, SharedVec, Source};

const NODES: usize = 3;
const SLOTS: usize = 4;
const SEGMENT: usize = 3;
const TOTAL: usize = NODES * SLOTS * SEGMENT;

#[test]
fn what_is_appended_while_others_walk_is_seen_whole_and_in_order() {
    for _ in 0..if cfg!(miri) { 4 } else { 2000 } {
        let memory: Vec<_> = (0..TOTAL).map(|_| AtomicU8::new(0)).collect();
        let mut slots = [const { ChainSlots::<SharedVec<'_, Source>, SLOTS>::new() }; NODES];
        let mut nodes: Vec<_> = slots.iter_mut().map(ChainNode::growing).collect();
        let (first, others) = nodes.split_first_mut().unwrap();
        let (chain, mut tail) = Chain::new(first);
        let seen = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut iter = IovIter::<Source, SharedOnly>::shared_chain(chain, TOTAL);
                    let mut bytes = [0; TOTAL];
                    let mut done = 0;
                    while done < TOTAL {
                        let came = iter.copy_from_iter(&mut bytes[done..]);
                        // The bytes were there before their segment was.
                        assert!((done..done + came).all(|at| bytes[at] == at as u8 + 1));
                        assert_eq!(came % SEGMENT, 0);
                        done += came;
                        assert_eq!(iter.remaining(), TOTAL - done);
                        let back = done % 7;
                        iter.revert(back).unwrap();
                        assert_eq!(iter.advance(back), back);
                        thread::yield_now();
                    }
                    seen.fetch_add(done, Relaxed);
                });
            }
            scope.spawn(|| {
                let mut others = others.iter_mut();
                for (index, segment) in memory.chunks(SEGMENT).enumerate() {
                    if index > 0 && index % SLOTS == 0 {
                        tail.append(others.next().unwrap());
                    }
                    for (at, byte) in segment.iter().enumerate() {
                        byte.store((index * SEGMENT + at) as u8 + 1, Relaxed);
                    }
                    assert!(tail.push(SharedVec::from(segment)).is_ok());
                    thread::yield_now();
                }
            });
        });
        assert_eq!(seen.into_inner(), 2 * TOTAL);
    }
}
