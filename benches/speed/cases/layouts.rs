//! How bytes are scattered: the segment lists that the cases are about.

use crate::harness::Suite;
use crate::memory::{Memory, Part, Random, total};

/// Bytes that segments and buffer may have together to count as inside the cache.
const NEAR: usize = 1 << 20;

/// Lists of segments, and a flat buffer as large as all of them.
pub struct Layout {
    pub name: String,
    /// Length of each segment; 0 if they differ.
    pub len: usize,
    /// Segments of each list.
    pub count: usize,
    pub scattered: Memory,
    pub flat: Memory,
    /// Walked one after the other; in the cache there is one.
    pub lists: Vec<List>,
}

/// A list, and its share of the flat buffer.
pub struct List {
    pub parts: Vec<Part>,
    pub flat: Part,
}

impl Layout {
    /// Bytes of all lists.
    pub fn total(&self) -> usize {
        self.lists.iter().map(|list| list.flat.len).sum()
    }

    /// Lists of segments with the lengths of `lens`, each as far after the other as `gap` says,
    /// in all at least `bytes`. The flat buffer begins `skew` bytes after a page.
    fn new(name: String, lens: &[usize], gap: usize, skew: usize, bytes: usize) -> Self {
        let each: usize = lens.iter().sum();
        let span = each + lens.len() * gap;
        let lists = bytes.div_ceil(each).max(1);
        let scattered = Memory::new(lists * span);
        let flat = Memory::new(lists * each + skew);
        let list = |number: usize| {
            let mut at = number * span;
            let parts: Vec<Part> = lens
                .iter()
                .map(|len| {
                    let part = scattered.part(at, *len);
                    at += len + gap;
                    part
                })
                .collect();
            assert_eq!(total(&parts), each);
            List { parts, flat: flat.part(skew + number * each, each) }
        };
        let lists = (0..lists).map(list).collect();
        let first = lens.first().copied().unwrap_or(0);
        let len = if lens.iter().all(|len| *len == first) { first } else { 0 };
        Self { name, len, count: lens.len(), scattered, flat, lists }
    }

    /// `count` segments of `len` bytes, in the cache.
    pub fn even(count: usize, len: usize) -> Self {
        Self::new(format!("{count} x {len}"), &vec![len; count], 64, 0, 0)
    }

    /// `count` segments of `len` bytes, at odd addresses.
    pub fn unaligned(count: usize, len: usize) -> Self {
        Self::new(format!("{count} x {len}, unaligned"), &vec![len; count], 7, 1, 0)
    }
}

/// The lists that copies of addressable memory are measured with, one after the other.
pub fn each(suite: &mut Suite, mut run: impl FnMut(&mut Suite, &Layout)) {
    for len in [8, 16, 64, 256, 1500, 4096, 65536] {
        for count in [1, 16, 1024] {
            if 2 * count * len <= 8 * NEAR {
                run(suite, &Layout::even(count, len));
            }
        }
    }
    run(suite, &Layout::unaligned(1024, 61));
    run(suite, &Layout::unaligned(64, 1501));
    run(suite, &mixed());
    run(suite, &Layout::new("header 14 + payload 1486".into(), &[14, 1486], 64, 0, 0));
    for len in [64, 256, 1500, 4096, 65536] {
        let count = if len > 4096 { 64 } else { 1024 };
        let name = format!("{count} x {len}, out of cache");
        run(suite, &Layout::new(name, &vec![len; count], 64, 0, suite.far()));
    }
}

/// Lengths as they come from networks: many small ones, some packets, a few pages.
fn mixed() -> Layout {
    let mut random = Random(7);
    let lens: Vec<usize> = (0..256)
        .map(|_| match random.next() % 8 {
            0..4 => 1 + random.next() as usize % 64,
            4..7 => 64 + random.next() as usize % 1437,
            _ => 4096,
        })
        .collect();
    Layout::new("256 of 1 to 4096, mixed".into(), &lens, 3, 0, 0)
}
