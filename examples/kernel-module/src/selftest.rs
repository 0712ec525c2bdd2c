//! Worked examples, on this kernel's memory: what each operation does is written out.

use iov_iter::{
    BioVec, Checksum, Dest, Error, HeldPage, InlineVec, IovIter, IovIterDest, IovIterSource, KVec,
    Source,
};
use iov_iter::{Page, Piece, Retention, Uniform};

use crate::host::{Kernel, KernelPage};
use crate::log;

type Into<'a> = IovIter<'a, Dest, Kernel>;
type From<'a> = IovIter<'a, Source, Kernel>;

/// Counts checks, and logs those that fail.
#[derive(Default)]
pub struct Checks {
    pub made: usize,
    pub failed: usize,
}

impl Checks {
    #[track_caller]
    fn that(&mut self, holds: bool) {
        self.made += 1;
        if !holds {
            self.failed += 1;
            log::line!("FAILED: {}", core::panic::Location::caller());
        }
    }
}

/// Runs all of them.
pub fn run() -> Checks {
    let mut checks = Checks::default();
    kernel_memory(&mut checks);
    position(&mut checks);
    checksums(&mut checks);
    discard(&mut checks);
    match KernelPage::alloc(1) {
        Some(run) => {
            pages(&mut checks, &run);
            held_pages(&mut checks, &run);
        }
        None => checks.that(false),
    }
    checks
}

fn kernel_memory(checks: &mut Checks) {
    let (mut a, mut b) = ([0; 3], [0; 4]);
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut b[..])];
    let mut iter = IovIterDest::from(&segments).with_host::<Kernel>();
    checks.that(iter.copy_to_iter(b"abcdefg") == 7 && iter.segment_count() == 0);
    checks.that(iter.copy_to_iter(b"h") == 0);
    checks.that(&a == b"abc" && &b == b"defg");

    let segments = [KVec::from(&a[..]), KVec::from(&b[..])];
    let mut copy = [b'.'; 10];
    let mut iter = IovIterSource::from(&segments).with_host::<Kernel>();
    checks.that(iter.copy_from_iter_full(&mut copy) == Err(Error::Exhausted));
    checks.that(&copy == b".........." && iter.remaining() == 7);
    checks.that(iter.copy_from_iter(&mut copy) == 7 && &copy == b"abcdefg...");

    let (mut a, mut none, mut b) = (*b"xyz", [0u8; 0], *b"uv");
    let segments = [KVec::from(&mut a[..]), KVec::from(&mut none[..]), KVec::from(&mut b[..])];
    let mut iter = IovIterDest::from(&segments).with_host::<Kernel>();
    checks.that(iter.zero(4) == 4 && (iter.segment_count(), iter.remaining()) == (1, 1));
    checks.that(a == [0; 3] && b == [0, b'v']);
    checks.that(Into::kvec(&[], 1).is_err());
}

fn position(checks: &mut Checks) {
    let (x, y) = ([0; 4], [0; 8]);
    let segments = [KVec::from(&x[..]), KVec::from(&x[..0]), KVec::from(&y[..])];
    let stands = |iter: &From<'_>| match iter {
        From::KVec(cursor) => (cursor.position().index, cursor.position().offset),
        _ => (usize::MAX, 0),
    };
    let mut iter = IovIterSource::from(&segments).with_host::<Kernel>();
    checks.that(iter.advance(6) == 6 && stands(&iter) == (2, 2));
    checks.that(iter.revert(3).is_ok() && stands(&iter) == (0, 3) && iter.remaining() == 9);
    checks.that(iter.revert(4) == Err(Error::RevertPastStart) && stands(&iter) == (0, 3));
    iter.truncate(2);
    checks.that(iter.reexpand(10) == Err(Error::ExpandPastEnd) && iter.remaining() == 2);
    checks.that(iter.reexpand(9).is_ok() && iter.advance(99) == 9 && iter.is_empty());
    checks.that(stands(&iter) == (3, 0) && iter.first_segment_len() == 0);
    checks.that(iter.revert(12).is_ok() && stands(&iter) == (0, 0));
    checks.that(iter.first_segment_len() == 4 && iter.npages(usize::MAX) >= 2);
}

fn checksums(checks: &mut Checks) {
    let data = [1, 2, 3, 4, 5];
    for split in 0..=5 {
        let segments = [KVec::from(&data[..split]), KVec::from(&data[split..])];
        let (mut copy, mut sum) = ([0; 5], Checksum::new());
        let copied = IovIterSource::from(&segments)
            .with_host::<Kernel>()
            .csum_and_copy_from_iter(&mut copy, &mut sum);
        checks.that(copied == 5 && copy == data && sum.folded() == 0x0609);

        let (mut front, mut back) = ([0; 5], [0; 5]);
        let segments = [KVec::from(&mut front[..split]), KVec::from(&mut back[..5 - split])];
        let mut sum = Checksum::new();
        let copied = IovIterDest::from(&segments)
            .with_host::<Kernel>()
            .csum_and_copy_to_iter(&data, &mut sum);
        checks.that(copied == 5 && front[..split] == data[..split] && sum.folded() == 0x0609);
        checks.that(back[..5 - split] == data[split..]);
    }
}

fn discard(checks: &mut Checks) {
    let mut iter = Into::discard(10);
    checks.that(iter.copy_to_iter(b"four") == 4 && iter.zero(10) == 6 && iter.is_empty());
    checks.that(iter.revert(3).is_ok() && iter.remaining() == 3);
    checks.that(iter.npages(9) == 0 && iter.alignment() == 0);
}

/// A run of two pages, and segments that cross from one to the other.
fn pages(checks: &mut Checks, run: &KernelPage) {
    checks.that(run.run_length() == 2 && run.nth(1).is_some_and(|tail| tail.run_length() == 1));
    checks.that(run.nth(2).is_none() && BioVec::new(run.clone(), 8190, 3).is_err());
    checks.that(run.write_at(4094, Piece::from(&b"page"[..])).is_ok());

    let [Ok(crossing), Ok(front)] =
        [(4094, 4), (0, 2)].map(|(at, len)| BioVec::new(run.clone(), at, len))
    else {
        return checks.that(false);
    };
    let segments = [crossing, front];
    let mut bytes = [0; 6];
    match From::bvec(&segments, 6) {
        Ok(mut iter) => {
            checks.that(iter.npages(9) == 3 && iter.alignment() == 4094 | 4 | 2);
            checks.that(iter.copy_from_iter(&mut bytes) == 6 && &bytes == b"page\0\0");
        }
        Err(_) => checks.that(false),
    }
    match Into::bvec(&segments, 6) {
        Ok(mut iter) => {
            checks.that(iter.copy_page_to_iter(run, 4094, 3) == Ok(3) && iter.remaining() == 3);
            checks.that(iter.copy_page_to_iter(run, 8190, 3) == Err(Error::OutOfRange));
            checks.that(iter.zero(3) == 3 && iter.is_empty());
        }
        Err(_) => checks.that(false),
    }
    // "pag" onto itself, then a zero in the place of "e".
    checks.that(run.read_at(4093, Piece::from(&mut bytes[..])).is_ok() && &bytes == b"\0pag\0\0");

    let iter = Uniform::new(&segments).map(|uniform| Into::uniform(uniform, 6));
    let Some(Ok(mut iter)) = iter else { return checks.that(false) };
    checks.that(iter.advance(5) == 5 && iter.revert(2).is_ok() && iter.remaining() == 3);
}

fn held_pages(checks: &mut Checks, run: &KernelPage) {
    let Ok(segment) = BioVec::new(run.clone(), 4000, 200) else { return checks.that(false) };
    let segments = [segment];
    let mut list = InlineVec::<HeldPage<'_, KernelPage>, 4>::new();
    let Ok(mut iter) = From::bvec(&segments, 200) else { return checks.that(false) };
    let held = iter.get_pages(usize::MAX, 9, &mut list);
    checks.that(held.is_ok_and(|range| (range.offset, range.len) == (4000, 200)));
    checks
        .that(list.len() == 2 && list.iter().all(|page| page.retention() == Retention::Referenced));
    let held = iter.revert(200).and_then(|()| iter.extract_pages(96, 9, &mut list));
    checks.that(held.is_ok_and(|range| (range.offset, range.len) == (4000, 96)));
    checks.that(list.last().is_some_and(|page| page.retention() == Retention::None));
}
