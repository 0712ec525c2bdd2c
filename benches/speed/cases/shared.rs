//! Memory that others may write, beside the same lists of memory that nobody else accesses.

use std::hint::black_box;

use iov_iter::host::SharedOnly;
use iov_iter::iov::View;
use iov_iter::{Checksum, Dest, Direction, IovIter, Source};

use super::copy::{every, gather_parts, scatter_parts};
use super::layouts::{self, Layout, List};
use crate::harness::{Case, Suite};
use crate::memory::{Memory, Part, kvecs, shared_vecs, slice, slice_mut};

/// The lists that are looked at, summed and filled.
const SHAPES: [(usize, usize); 6] =
    [(1024, 16), (1024, 64), (1024, 256), (64, 1500), (16, 4096), (1, 65536)];

/// How much slower than the bare loop a copy, or a fill, may be, by the length of its segments.
fn moves_within<'c>(case: Case<'c>, layout: &Layout) -> Case<'c> {
    match (layout.len, layout.count) {
        // A call with its checks weighs as much as a copy of one short segment.
        (..4096, 1) => case,
        (64.., _) => case.of_limit(1.05),
        (16, _) => case.of_limit(0.7),
        _ => case,
    }
}

/// Copies out of the segments, into a buffer.
pub fn gather(suite: &mut Suite) {
    suite.group("copy out of shared segments");
    copies::<Source>(
        suite,
        |layout| &layout.flat,
        // SAFETY: here and below: the memory lives in the layout, no reference into it outlives its
        // closure, and only one closure runs at a time.
        |list| unsafe { gather_parts(&list.parts, list.flat.base) },
        // SAFETY: as above.
        |mut iter, flat| iter.copy_from_iter(unsafe { slice_mut(flat) }),
        // SAFETY: as above.
        |mut iter, flat| iter.copy_from_iter(unsafe { slice_mut(flat) }),
    );
}

/// Copies out of a buffer, into the segments.
pub fn scatter(suite: &mut Suite) {
    suite.group("copy into shared segments");
    copies::<Dest>(
        suite,
        |layout| &layout.scattered,
        // SAFETY: as for `gather`.
        |list| unsafe { scatter_parts(&list.parts, list.flat.base) },
        // SAFETY: as above.
        |mut iter, flat| iter.copy_to_iter(unsafe { slice(flat) }),
        // SAFETY: as above.
        |mut iter, flat| iter.copy_to_iter(unsafe { slice(flat) }),
    );
}

/// Copies between each list and its buffer: over both kinds of segments, and by a bare loop.
fn copies<D: Direction>(
    suite: &mut Suite,
    output: impl Fn(&Layout) -> &Memory,
    bare: impl Fn(&List),
    shared: impl Fn(IovIter<'_, D, SharedOnly>, Part) -> usize,
    exclusive: impl Fn(IovIter<'_, D>, Part) -> usize,
) {
    layouts::each(suite, |suite, layout| {
        let Some(case) = suite.case(&layout.name) else { return };
        let lists = &layout.lists;
        // SAFETY: as for `gather`.
        let iters: Vec<_> = lists
            .iter()
            .map(|list| unsafe {
                (shared_vecs::<D>(&list.parts), kvecs::<D>(&list.parts), list.flat)
            })
            .map(|(shared, exclusive, flat)| {
                (IovIter::from(shared), IovIter::from(exclusive), flat)
            })
            .collect();
        moves_within(case, layout)
            .bytes(layout.total())
            .in_readme(in_readme(layout))
            .output(output(layout))
            .ours(|| {
                let iters = black_box(&iters).iter();
                iters.map(|(iter, _, flat)| shared(iter.clone(), *flat) as u64).sum()
            })
            .limit("loop of memcpy", || {
                every(lists, |list| {
                    bare(list);
                    list.flat.len
                })
            })
            .alternative("KVec", || {
                let iters = black_box(&iters).iter();
                iters.map(|(_, iter, flat)| exclusive(iter.clone(), *flat) as u64).sum()
            })
            .finish(suite);
    });
}

fn in_readme(layout: &Layout) -> bool {
    matches!(layout.name.as_str(), "16 x 4096" | "1024 x 64" | "1024 x 16")
}

/// One case for each of the [`SHAPES`].
fn each_shape(
    suite: &mut Suite,
    group: &'static str,
    mut run: impl for<'c> FnMut(&mut Suite, Case<'c>, &'c Layout),
) {
    suite.group(group);
    for (count, len) in SHAPES {
        let Some(case) = suite.case(format!("{count} x {len}")) else { continue };
        run(suite, case, &Layout::even(count, len));
    }
}

/// Setting every byte to one value.
pub fn fill(suite: &mut Suite) {
    each_shape(suite, "fill shared segments", |suite, case, layout| {
        let parts = &layout.lists[0].parts;
        // SAFETY: as for `gather`.
        let shared = View::new(unsafe { shared_vecs::<Dest>(parts) });
        // SAFETY: as for `gather`.
        let exclusive = View::new(unsafe { kvecs::<Dest>(parts) });
        let all = layout.total();
        moves_within(case, layout)
            .bytes(all)
            .output(&layout.scattered)
            .ours(|| black_box(&shared).fill_at(0, 7, all).unwrap() as u64)
            .limit("loop of memset", || {
                for part in black_box(parts) {
                    // SAFETY: the part is that long.
                    unsafe { part.base.write_bytes(7, part.len) };
                }
                all as u64
            })
            .alternative("KVec", || black_box(&exclusive).fill_at(0, 7, all).unwrap() as u64)
            .finish(suite);
    });
}

/// Whether all is zero, and where two vectors differ; at least half as fast as for exclusive memory.
pub fn look(suite: &mut Suite) {
    each_shape(suite, "are shared segments all zero?", |suite, case, layout| {
        layout.scattered.fill(0);
        let parts = &layout.lists[0].parts;
        // SAFETY: as for `gather`.
        let shared = View::new(unsafe { shared_vecs(parts) });
        // SAFETY: as for `gather`.
        let exclusive = View::new(unsafe { kvecs(parts) });
        case.bytes(layout.total())
            .of_limit(2.0)
            .in_readme(layout.len == 4096)
            .ours(|| u64::from(black_box(&shared).is_zero()))
            .limit("KVec", || u64::from(black_box(&exclusive).is_zero()))
            .finish(suite);
    });
    each_shape(suite, "are two shared vectors equal?", |suite, case, layout| {
        let other = Layout::even(layout.count, layout.len);
        let lists = [layout, &other].map(|layout| &layout.lists[0].parts[..]);
        // SAFETY: as for `gather`.
        let shared = lists.map(|parts| View::new(unsafe { shared_vecs(parts) }));
        // SAFETY: as for `gather`.
        let exclusive = lists.map(|parts| View::new(unsafe { kvecs(parts) }));
        case.bytes(layout.total())
            .of_limit(2.0)
            .ours(|| {
                let [left, right] = black_box(&shared);
                u64::from(left.compare(right) == Ok(None))
            })
            .limit("KVec", || {
                let [left, right] = black_box(&exclusive);
                u64::from(left.compare(right) == Ok(None))
            })
            .finish(suite);
    });
}

/// The Internet checksum while copying; at least half as fast as for exclusive memory.
pub fn checksum(suite: &mut Suite) {
    each_shape(suite, "checksum while copying out of shared segments", |suite, case, layout| {
        let list = &layout.lists[0];
        // SAFETY: as for `gather`.
        let shared = IovIter::<Source, SharedOnly>::from(unsafe { shared_vecs(&list.parts) });
        // SAFETY: as for `gather`.
        let exclusive = IovIter::<Source>::from(unsafe { kvecs(&list.parts) });
        case.bytes(layout.total())
            .of_limit(2.0)
            .in_readme(layout.len == 1500)
            .output(&layout.flat)
            .ours(|| {
                // SAFETY: as for `gather`.
                let buffer = unsafe { slice_mut(list.flat) };
                let mut sum = Checksum::new();
                let _ = black_box(&shared).clone().csum_and_copy_from_iter(buffer, &mut sum);
                u64::from(sum.folded())
            })
            .limit("KVec", || {
                // SAFETY: as for `gather`.
                let buffer = unsafe { slice_mut(list.flat) };
                let mut sum = Checksum::new();
                let _ = black_box(&exclusive).clone().csum_and_copy_from_iter(buffer, &mut sum);
                u64::from(sum.folded())
            })
            .finish(suite);
    });
}
