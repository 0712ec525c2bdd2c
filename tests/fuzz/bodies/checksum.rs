//! The checksum depends on the bytes alone: not on pieces, calls, faults or kinds of memory.

use iov_iter::{Checksum, Dest, KVec, Source};

use super::model::Iter;
use super::model::naive_checksum;
use super::model::scene::{P, Scene, Shape};

pub fn check(input: &[u8]) {
    let mut input = input.iter().copied();
    let scene = Scene::from_bytes(&mut input, Shape::SOURCES);
    let calls: Vec<_> = input.by_ref().take(16).map(usize::from).collect();
    let data: Vec<u8> = input.collect();

    // Into segments of any kind, call by call.
    let (memory, mut buffer, flat) = scene.build();
    let kvecs = memory.dests(&mut buffer, &flat, &scene);
    let mut iter: Iter<'_, Dest, P> = memory.dest(&kvecs);
    let mut checksum = Checksum::new();
    let mut model = flat.clone();
    let mut written = 0;
    for call in &calls {
        let rest = &data[written..];
        let now = &rest[..rest.len().min(*call)];
        // Exact to the piece: one that faults is not counted at all.
        let pieces = model.walked(now.len()).into_iter();
        let whole = pieces.take_while(|(at, len)| model.accessible(*at, *len, false) == *len);
        let expected = whole.map(|(_, len)| len).sum();
        assert_eq!(iter.csum_and_copy_to_iter(now, &mut checksum), expected);
        written += model.advance(expected);
        assert_eq!(iter.remaining(), model.count);
        assert_eq!(checksum.offset(), written);
        assert_eq!(checksum.folded(), naive_checksum(&data[..written]));
    }

    // Out of them again, in other calls; what was written comes back, and so does its sum.
    iter.revert(written).unwrap();
    drop(kvecs);
    let kvecs = memory.sources(&buffer, &flat, &scene);
    let mut iter: Iter<'_, Source, P> = memory.source(&kvecs);
    let mut copied = vec![0; written];
    let mut back = Checksum::new();
    let mut read = 0;
    for call in calls.iter().rev() {
        let end = written.min(read + call);
        read += iter.csum_and_copy_from_iter(&mut copied[read..end], &mut back);
    }
    assert_eq!(copied[..read], data[..read]);
    assert_eq!((back.folded(), back.offset()), (naive_checksum(&data[..read]), read));

    // And as one segment in one call.
    let whole = [KVec::from(&data[..])];
    let mut iter = Iter::<Source>::kvec(&whole, data.len()).unwrap();
    let mut once = Checksum::new();
    let mut copied = vec![0; data.len()];
    iter.csum_and_copy_from_iter_full(&mut copied, &mut once).unwrap();
    assert_eq!(once.folded(), naive_checksum(&data));
}
