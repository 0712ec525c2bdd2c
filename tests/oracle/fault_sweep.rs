//! Every copying operation, with the fault at every byte of a copy over several segments.

use std::mem::MaybeUninit;

use crate::model::scene::P;
use crate::model::{At, Iter, Poison, TestPage, UserSpace, at, naive_checksum, pattern, place};
use iov_iter::segment::{Chain, ChainNode};
use iov_iter::{
    Abi, Checksum, Dest, Direction, Error, FoundPages, InlineVec, IoVec, KVec, PageLookup, Piece,
    Source, copy_iter_to_iter,
};

/// Segments with page borders inside and between them, and empty ones anywhere.
static SEGMENTS: [IoVec; 7] = [
    IoVec::new(0x1003, 0),
    IoVec::new(0x100b, 5),
    IoVec::new(0x1017, 0),
    IoVec::new(0x1018, 19),
    IoVec::new(0x1040, 16),
    IoVec::new(0x1057, 3),
    IoVec::new(0x1066, 0),
];
const TOTAL: usize = 43;
const BASE: usize = 0x1000;
const SPAN: usize = 0x80;
/// What destinations hold before.
const OLD: u8 = 0xee;

/// Every byte of the segments, and none; one within a segment, and none, where every step is interpreted.
fn faults() -> impl Iterator<Item = usize> {
    (0..=TOTAL).filter(|fault| !cfg!(miri) || [25, TOTAL].contains(fault))
}

/// The address of each byte.
fn addresses() -> Vec<usize> {
    SEGMENTS.iter().flat_map(|segment| segment.base..segment.base + segment.len).collect()
}

/// User memory in which the byte `fault` of the segments is bad; all of it for `TOTAL`.
fn space(fault: usize) -> UserSpace<P> {
    let space = UserSpace::new();
    space.store(BASE, &[OLD; SPAN]);
    if let Some(address) = addresses().get(fault) {
        space.make_bad(*address..address + 1);
    }
    space
}

/// As `space`, with a pattern in the segments.
fn source(fault: usize) -> UserSpace<P> {
    let space = space(fault);
    for (address, value) in addresses().into_iter().zip(pattern(TOTAL)) {
        space.poke(address, &[value]);
    }
    space
}

/// Runs `check` on memory that `space` makes, with an iterator over the segments as a slice, and once more as a
/// chain of nodes, one of them empty.
fn in_lists<D: Direction>(
    space: impl Fn() -> UserSpace<P>,
    check: impl Fn(&UserSpace<P>, Iter<'_, D, P>),
) {
    let memory = space();
    check(&memory, Iter::iovec(&memory, &SEGMENTS, TOTAL).unwrap());
    let memory = space();
    let mut nodes = [&SEGMENTS[..2], &[], &SEGMENTS[2..4], &SEGMENTS[4..]].map(ChainNode::new);
    let (chain, _tail) = Chain::of_nodes(&mut nodes).unwrap();
    check(&memory, Iter::iovec_chain(&memory, chain, TOTAL));
}

/// Where an iterator stands after `n` bytes.
fn after(n: usize) -> At {
    let mut left = n;
    let mut seg = 0;
    while seg < SEGMENTS.len() && left >= SEGMENTS[seg].len {
        left -= SEGMENTS[seg].len;
        seg += 1;
    }
    let segment_count = SEGMENTS[seg..].iter().filter(|segment| segment.len > 0).count();
    at(seg, left, segment_count, TOTAL - n)
}

const START: At = at(1, 0, 4, TOTAL);

/// How far a copy comes that is exact to the segment.
fn whole_pieces(fault: usize) -> usize {
    let mut end = 0;
    for segment in SEGMENTS {
        if fault < end + segment.len {
            return end;
        }
        end += segment.len;
    }
    end
}

/// Sweeps over an operation that reads `TOTAL` bytes into a buffer.
fn sweep_out(operation: impl Fn(&mut Iter<'_, Source, P>, &mut [u8]) -> usize) {
    for fault in faults() {
        in_lists(
            || source(fault),
            |space, mut iter| {
                let mut bytes = [OLD; TOTAL];
                assert_eq!(operation(&mut iter, &mut bytes), fault);
                assert_eq!(place(&iter), after(fault), "fault at {fault}");
                assert_eq!(bytes[..fault], pattern(TOTAL)[..fault]);
                assert_eq!(bytes[fault..], [OLD; TOTAL][fault..]);
                // The fault repaired, the rest follows without a gap.
                space.heal();
                assert_eq!(operation(&mut iter, &mut bytes[fault..]), TOTAL - fault);
                assert_eq!(bytes[..], pattern(TOTAL));
            },
        );
    }
}

/// Sweeps over an operation that reads all or nothing.
fn sweep_full_out(operation: impl Fn(&mut Iter<'_, Source, P>, &mut [u8]) -> Result<(), Error>) {
    for fault in faults() {
        in_lists(
            || source(fault),
            |_, mut iter| {
                let mut bytes = [OLD; TOTAL];
                let result = operation(&mut iter, &mut bytes);
                if fault == TOTAL {
                    assert_eq!((result, place(&iter).count), (Ok(()), 0));
                    assert_eq!(bytes[..], pattern(TOTAL));
                } else {
                    assert_eq!((result, place(&iter)), (Err(Error::Fault), START));
                }
            },
        );
    }
}

/// Sweeps over an operation that writes `TOTAL` bytes.
fn sweep_in(operation: impl Fn(&mut Iter<'_, Dest, P>, &[u8]) -> usize) {
    for fault in faults() {
        in_lists(
            || space(fault),
            |space, mut iter| {
                assert_eq!(operation(&mut iter, &pattern(TOTAL)), fault);
                assert_eq!(place(&iter), after(fault), "fault at {fault}");
                check_written(space, &pattern(TOTAL)[..fault]);
                space.heal();
                assert_eq!(operation(&mut iter, &pattern(TOTAL)[fault..]), TOTAL - fault);
                check_written(space, &pattern(TOTAL));
            },
        );
    }
}

/// The segments begin with `bytes`; all else is as before.
fn check_written(space: &UserSpace<P>, bytes: &[u8]) {
    let mut expected = [OLD; SPAN];
    for (address, value) in addresses().into_iter().zip(bytes) {
        expected[address - BASE] = *value;
    }
    assert_eq!(space.peek(BASE, SPAN), expected);
}

#[test]
fn copy_from_iter() {
    sweep_out(|iter, bytes| iter.copy_from_iter(bytes));
    sweep_out(|iter, bytes| iter.copy_from_iter_nocache(bytes));
    sweep_out(|iter, bytes| iter.copy_from_iter_flushcache(bytes));
    sweep_full_out(|iter, bytes| iter.copy_from_iter_full(bytes));
    sweep_full_out(|iter, bytes| iter.copy_from_iter_full_nocache(bytes));
}

#[test]
fn copy_from_iter_raw() {
    sweep_out(|iter, bytes| {
        let mut raw = [MaybeUninit::uninit(); TOTAL];
        let filled = iter.copy_from_iter_raw(&mut raw[..bytes.len()]);
        bytes[..filled.len()].copy_from_slice(filled);
        filled.len()
    });
}

#[cfg(feature = "alloc")]
#[test]
fn copy_from_iter_vec() {
    sweep_out(|iter, bytes| {
        let mut list = vec![];
        let copied = iter.copy_from_iter_vec(&mut list, usize::MAX).unwrap();
        bytes[..copied].copy_from_slice(&list);
        copied
    });
}

#[test]
fn custom_steps() {
    sweep_out(|iter, bytes| {
        iter.iterate_and_advance(
            bytes.len(),
            bytes,
            |bytes, user, at| {
                let to = Piece::from(&mut bytes[at..at + user.len()]);
                user.read(0, to, iov_iter::CopyFlags::empty())
            },
            |_, _, _| unreachable!(),
        )
    });
}

#[test]
fn copy_to_iter() {
    sweep_in(|iter, bytes| iter.copy_to_iter(bytes));
    sweep_in(|iter, bytes| iter.copy_mc_to_iter(bytes.into()));
    sweep_in(|iter, bytes| {
        let mut position = 0;
        let copied = iter.simple_read_from_buffer(&mut position, bytes).unwrap();
        assert_eq!(position, copied as i64);
        copied
    });
    sweep_in(|iter, bytes| {
        let mut fed = Vec::new();
        let copied = iter.hash_and_copy_to_iter(bytes, |bytes| fed.extend_from_slice(bytes));
        assert_eq!(fed, bytes[..copied]);
        copied
    });
}

#[test]
fn copy_to_iter_full() {
    for fault in faults() {
        let space = space(fault);
        let mut iter = Iter::<Dest, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        let result = iter.copy_to_iter_full(&pattern(TOTAL));
        // The cursor is all or nothing; the memory before the fault is written.
        check_written(&space, &pattern(TOTAL)[..fault]);
        match fault {
            TOTAL => assert_eq!((result, iter.remaining()), (Ok(()), 0)),
            _ => assert_eq!((result, place(&iter)), (Err(Error::Fault), START)),
        }
    }
}

#[test]
fn zero() {
    for fault in faults() {
        let space = space(fault);
        let mut iter = Iter::<Dest, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        assert_eq!(iter.zero(TOTAL), fault);
        assert_eq!(place(&iter), after(fault));
        check_written(&space, &[0; TOTAL][..fault]);
    }
    // Longer than the host's block of zeros.
    let space = UserSpace::<P>::new();
    space.store(BASE, &[OLD; 1024]);
    for fault in (0..1000).step_by(if cfg!(miri) { 199 } else { 1 }) {
        space.poke(BASE, &[OLD; 1024]);
        space.heal();
        space.make_bad(BASE + 3 + fault..BASE + 4 + fault);
        let mut iter = Iter::<Dest, P>::ubuf(&space, BASE + 3, 1000);
        assert_eq!((iter.zero(1000), iter.remaining()), (fault, 1000 - fault));
        let written = [&[OLD; 3][..], &[0; 1000][..fault], &[OLD; 1021][fault..]].concat();
        assert_eq!(space.peek(BASE, 1024), written);
    }
}

#[test]
fn copy_page_from_iter() {
    for atomic in [false, true] {
        sweep_out(|iter, bytes| {
            // A folio of several pages whose borders lie elsewhere.
            let folio = TestPage::run(4);
            folio.fill(0, &[OLD; 4 * P]);
            let copied = match atomic {
                false => iter.copy_page_from_iter(&folio, 9, bytes.len()),
                true => iter.copy_page_from_iter_atomic(&folio, 9, bytes.len()),
            };
            bytes.copy_from_slice(&folio.bytes(9, bytes.len()));
            assert_eq!(folio.bytes(0, 9), [OLD; 9]);
            copied.unwrap()
        });
    }
}

#[test]
fn copy_page_to_iter() {
    for nofault in [false, true] {
        sweep_in(|iter, bytes| {
            let folio = TestPage::run(4);
            folio.fill(5, bytes);
            let copied = match nofault {
                false => iter.copy_page_to_iter(&folio, 5, bytes.len()),
                true => iter.copy_page_to_iter_nofault(&folio, 5, bytes.len()),
            };
            copied.unwrap()
        });
    }
}

#[test]
fn pages_that_are_not_resident() {
    // Where faults are disabled a page that is only mappable is as bad as a bad one.
    let all = addresses();
    for page in (BASE..BASE + SPAN).step_by(P) {
        let reach = all.iter().position(|a| (page..page + P).contains(a)).unwrap_or(TOTAL);
        let space = source(TOTAL);
        space.set_resident(page, false);
        let folio = TestPage::run(4);
        let mut iter = Iter::<Source, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        assert_eq!(iter.copy_page_from_iter_atomic(&folio, 0, TOTAL), Ok(reach));
        assert_eq!(place(&iter), after(reach));
        let mut iter = Iter::<Dest, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        assert_eq!(iter.copy_page_to_iter_nofault(&folio, 0, TOTAL), Ok(reach));
        assert_eq!(place(&iter), after(reach));
        assert_eq!(space.fault_ins(), 0);
        iter.restore(&Iter::iovec(&space, &SEGMENTS, TOTAL).unwrap().save()).unwrap();
        assert_eq!(iter.copy_page_to_iter(&folio, 0, TOTAL), Ok(TOTAL));
        assert_eq!(space.fault_ins(), usize::from(reach < TOTAL));
    }
}

#[test]
fn csum_and_copy_from_iter() {
    for fault in faults() {
        let (space, moved) = (source(fault), whole_pieces(fault));
        let mut iter = Iter::<Source, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        let mut checksum = Checksum::new();
        let mut bytes = [OLD; TOTAL];
        assert_eq!(iter.csum_and_copy_from_iter(&mut bytes, &mut checksum), moved);
        assert_eq!(place(&iter), after(moved));
        assert_eq!(bytes[..moved], pattern(TOTAL)[..moved]);
        assert_eq!(checksum.folded(), naive_checksum(&pattern(TOTAL)[..moved]));
        space.heal();
        assert_eq!(iter.csum_and_copy_from_iter(&mut bytes[moved..], &mut checksum), TOTAL - moved);
        assert_eq!(bytes[..], pattern(TOTAL));
        assert_eq!(checksum.folded(), naive_checksum(&pattern(TOTAL)));
    }
    sweep_full_out(|iter, bytes| {
        let mut checksum = Checksum::new();
        let result = iter.csum_and_copy_from_iter_full(bytes, &mut checksum);
        let summed = if result.is_ok() { TOTAL } else { 0 };
        assert_eq!(checksum.offset(), summed);
        assert_eq!(checksum.folded(), naive_checksum(&bytes[..summed]));
        result
    });
}

#[test]
fn csum_and_copy_to_iter() {
    for fault in faults() {
        let (space, moved) = (space(fault), whole_pieces(fault));
        let mut iter = Iter::<Dest, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        let mut checksum = Checksum::new();
        assert_eq!(iter.csum_and_copy_to_iter(&pattern(TOTAL), &mut checksum), moved);
        assert_eq!(place(&iter), after(moved));
        assert_eq!(checksum.folded(), naive_checksum(&pattern(TOTAL)[..moved]));
        space.heal();
        let rest = &pattern(TOTAL)[moved..];
        assert_eq!(iter.csum_and_copy_to_iter(rest, &mut checksum), rest.len());
        check_written(&space, &pattern(TOTAL));
        assert_eq!(checksum.folded(), naive_checksum(&pattern(TOTAL)));
    }
}

#[test]
fn integers() {
    // 16 bytes that begin at each byte in turn, so that every border is crossed everywhere.
    for start in (0..=TOTAL - 16).step_by(if cfg!(miri) { 26 } else { 1 }) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        let value = number(&pattern(TOTAL)[start..start + 16]);
        for fault in start..start + 17 {
            let fault = if fault == start + 16 { TOTAL } else { fault };
            let from = source(fault);
            let mut iter = Iter::<Source, P>::iovec(&from, &SEGMENTS, TOTAL).unwrap();
            iter.advance(start);
            let before = place(&iter);
            let to = space(fault);
            let mut dest = Iter::<Dest, P>::iovec(&to, &SEGMENTS, TOTAL).unwrap();
            dest.advance(start);
            if fault < TOTAL {
                assert_eq!(iter.read_be::<u128>(), Err(Error::Fault));
                assert_eq!(iter.read_le::<i128>(), Err(Error::Fault));
                assert_eq!(dest.write_be(value), Err(Error::Fault));
                assert_eq!((place(&iter), place(&dest)), (before, before));
                continue;
            }
            assert_eq!(iter.clone().read_le::<u128>(), Ok(value.swap_bytes()));
            assert_eq!(iter.read_be::<u128>(), Ok(value));
            assert_eq!(iter.remaining(), TOTAL - start - 16);
            assert_eq!(dest.write_be(value), Ok(()));
            let written: Vec<_> = addresses()[start..start + 16]
                .iter()
                .flat_map(|address| to.peek(*address, 1))
                .collect();
            assert_eq!(number(&written), value);
        }
    }
}

#[test]
fn poison() {
    let mut source = [0; TOTAL];
    source.copy_from_slice(&pattern(TOTAL));
    for poisoned in faults().filter(|fault| *fault < TOTAL) {
        let _poison = Poison::new(&source[poisoned], 1);
        let space = space(TOTAL);
        let mut iter = Iter::<Dest, P>::iovec(&space, &SEGMENTS, TOTAL).unwrap();
        assert_eq!(iter.copy_mc_to_iter(Piece::from(&source[..])), poisoned);
        assert_eq!(place(&iter), after(poisoned));
        check_written(&space, &source[..poisoned]);

        let mut memory = [OLD; SPAN];
        let mut rest = &mut memory[..];
        let mut segments = Vec::new();
        for segment in SEGMENTS {
            let (now, after) = rest.split_at_mut(segment.len);
            (_, rest) = after.split_at_mut(1);
            segments.push(KVec::from(now));
        }
        let mut iter = Iter::<Dest, P>::kvec(&segments, TOTAL).unwrap();
        assert_eq!(iter.copy_mc_to_iter(Piece::from(&source[..])), poisoned);
        assert_eq!(place(&iter), after(poisoned));

        let run = TestPage::<P>::run(4);
        let segments = [iov_iter::BioVec::new(run.clone(), 7, TOTAL as u32).unwrap()];
        let mut iter = Iter::<Dest, P>::bvec(&segments, TOTAL).unwrap();
        assert_eq!(iter.copy_mc_to_iter(Piece::from(&source[..])), poisoned);
        assert_eq!(place(&iter), at(0, poisoned, 1, TOTAL - poisoned));
        assert_eq!(run.bytes(7, poisoned + 1), [&source[..poisoned], &[0]].concat());
    }
}

#[test]
fn transfers_between_user_memories() {
    for from_fault in faults() {
        for to_fault in faults() {
            let (from, to) = (source(from_fault), space(to_fault));
            let mut src = Iter::<Source, P>::iovec(&from, &SEGMENTS, TOTAL).unwrap();
            // The segments of the destination begin elsewhere in the stream.
            let (head, tail) = (IoVec::new(0x2000, 10), TOTAL - 10);
            to.store(0x2000, &[OLD; P]);
            let list = [&[head], &SEGMENTS[..]].concat();
            let mut dst = Iter::<Dest, P>::iovec(&to, &list, TOTAL).unwrap();
            let moved = from_fault.min(if to_fault < tail { to_fault + 10 } else { TOTAL });
            assert_eq!(copy_iter_to_iter(&mut src, &mut dst, TOTAL), moved);
            assert_eq!((src.remaining(), dst.remaining()), (TOTAL - moved, TOTAL - moved));
            let mut arrived = to.peek(0x2000, 10);
            arrived.extend(addresses()[..tail].iter().flat_map(|address| to.peek(*address, 1)));
            assert_eq!(arrived[..moved], pattern(TOTAL)[..moved]);
            assert!(arrived[moved..].iter().all(|byte| *byte == OLD));
            // Both repaired, the rest follows.
            from.heal();
            to.heal();
            assert_eq!(copy_iter_to_iter(&mut src, &mut dst, TOTAL), TOTAL - moved);
            assert_eq!(to.peek(0x2000, 10), pattern(10));
        }
    }
}

#[test]
fn transfers_longer_than_any_buffer() {
    const LONG: usize = 1500;
    let data = pattern(LONG);
    let step = if cfg!(miri) { 500 } else { 1 };
    for fault in (0..=LONG).step_by(step) {
        for at_source in [false, true] {
            let (from, to) = (UserSpace::<64>::new(), UserSpace::<64>::new());
            from.store(BASE + 5, &data);
            to.store(BASE + 9, &[OLD; LONG]);
            match at_source {
                true => from.make_bad(BASE + 5 + fault..BASE + 6 + fault),
                false => to.make_bad(BASE + 9 + fault..BASE + 10 + fault),
            }
            let mut src = Iter::<Source, 64>::ubuf(&from, BASE + 5, LONG);
            let mut dst = Iter::<Dest, 64>::ubuf(&to, BASE + 9, LONG);
            assert_eq!(copy_iter_to_iter(&mut src, &mut dst, LONG), fault);
            assert_eq!((src.remaining(), dst.remaining()), (LONG - fault, LONG - fault));
            assert!(to.peek(BASE + 9, fault) == data[..fault]);
            assert!(to.peek(BASE + 9 + fault, LONG - fault).iter().all(|byte| *byte == OLD));
        }
    }
}

#[test]
fn transfers_with_one_side_addressable() {
    for fault in faults() {
        // Out of user memory, into addressable memory.
        let from = source(fault);
        let mut src = Iter::<Source, P>::iovec(&from, &SEGMENTS, TOTAL).unwrap();
        let (mut head, mut tail) = ([OLD; 20], [OLD; 30]);
        let list = [KVec::from(&mut head[..]), KVec::from(&mut tail[..])];
        let mut dst = Iter::<Dest, P>::kvec(&list, 50).unwrap();
        assert_eq!(copy_iter_to_iter(&mut src, &mut dst, 99), fault);
        assert_eq!(place(&src), after(fault));
        assert_eq!(dst.remaining(), 50 - fault);
        let arrived = [&head[..], &tail].concat();
        assert_eq!(arrived[..fault], pattern(TOTAL)[..fault]);
        assert_eq!(arrived[fault..], [OLD; 50][fault..]);

        // Out of pages, into user memory.
        let to = space(fault);
        let run = TestPage::<P>::run(4);
        run.fill(11, &pattern(TOTAL));
        let list = [iov_iter::BioVec::new(run, 11, TOTAL as u32).unwrap()];
        let mut src = Iter::<Source, P>::bvec(&list, TOTAL).unwrap();
        let mut dst = Iter::<Dest, P>::iovec(&to, &SEGMENTS, TOTAL).unwrap();
        assert_eq!(copy_iter_to_iter(&mut src, &mut dst, 99), fault);
        assert_eq!(src.remaining(), TOTAL - fault);
        // The walk of the destination is asked page by page: it may have passed an empty segment.
        assert_eq!(place(&dst).count, TOTAL - fault);
        check_written(&to, &pattern(TOTAL)[..fault]);
    }
}

#[test]
fn import() {
    let element = 2 * size_of::<usize>();
    for (abi, element) in [(Abi::Native, element), (Abi::Compat, 8)] {
        for count in [1, 2, 3, 8] {
            let size = element * count;
            for fault in (0..=size).rev().step_by(if cfg!(miri) { 23 } else { 1 }) {
                let space = UserSpace::<P>::new();
                // Zeros are the address 0 and the length 0: all valid.
                space.store(BASE + 4, &vec![0; size]);
                space.make_bad(BASE + 4 + fault..BASE + 5 + fault);
                let mut storage = InlineVec::<IoVec, 8>::new();
                let imported =
                    Iter::<Source, P>::import_iovec(&space, BASE + 4, count, abi, &mut storage);
                match imported {
                    Ok(iter) => assert_eq!((fault, place(&iter).count), (size, 0)),
                    Err(error) => {
                        assert!(fault < size);
                        assert_eq!((error, storage.len()), (Error::Fault, 0));
                    }
                }
            }
        }
    }
}

/// Pages of a file, each a run of its own; one may be missing.
struct File {
    pages: [TestPage<P>; 3],
    missing: Option<usize>,
}

// SAFETY: each test has one thread.
unsafe impl Sync for File {}

impl PageLookup<TestPage<P>> for File {
    fn find(&self, position: u64) -> Option<FoundPages<TestPage<P>>> {
        let index = position as usize / P;
        let pages = self.pages.get(index).filter(|_| self.missing != Some(index))?.clone();
        Some(FoundPages { start: (index * P) as u64, pages })
    }
}

/// The first byte that is copied; so the copy ends with the file.
const POSITION: usize = 3 * P - TOTAL;

/// Runs `check` on files of `old` bytes in which a page is missing, or cannot be mapped, or neither, with the
/// bytes from `POSITION` on that can be reached.
fn in_files(old: &[u8], check: impl Fn(&File, usize)) {
    for fault in 0..=3 {
        for missing in [true, false] {
            let pages = core::array::from_fn(|index| TestPage::with_bytes(&old[index * P..][..P]));
            let file = File { pages, missing: missing.then_some(fault) };
            if let (Some(page), false) = (file.pages.get(fault), missing) {
                page.make_unmappable();
            }
            check(&file, (fault * P).saturating_sub(POSITION));
        }
    }
}

#[test]
fn pages_of_a_file_that_are_missing_or_cannot_be_mapped_end_what_reads() {
    type Read = fn(&mut Iter<'_, Source, P>, &mut [u8]) -> usize;
    let reads: [Read; 4] = [
        |iter, bytes| iter.copy_from_iter(bytes),
        |iter, bytes| iter.copy_from_iter_nocache(bytes),
        |iter, bytes| iter.csum_and_copy_from_iter(bytes, &mut Checksum::new()),
        |iter, bytes| {
            iter.walk(TOTAL, |chunk, at| {
                chunk.copy_to(Piece::from(&mut bytes[at..][..chunk.len()]))
            })
        },
    ];
    let contents = pattern(3 * P);
    in_files(&contents, |file, reached| {
        for read in reads {
            let mut iter = Iter::lookup(file, POSITION as u64, TOTAL);
            let mut bytes = [OLD; TOTAL];
            assert_eq!(read(&mut iter, &mut bytes), reached);
            assert_eq!(iter.remaining(), TOTAL - reached);
            assert_eq!(bytes[..reached], contents[POSITION..][..reached]);
            assert_eq!(bytes[reached..], [OLD; TOTAL][reached..]);
        }
        let mut iter = Iter::<Source, P>::lookup(file, POSITION as u64, TOTAL);
        let all = iter.copy_from_iter_full(&mut [0; TOTAL]);
        assert_eq!(all.is_ok(), reached == TOTAL);
        assert_eq!(iter.remaining(), if all.is_ok() { 0 } else { TOTAL });
    });
}

#[test]
fn pages_of_a_file_that_are_missing_or_cannot_be_mapped_end_what_writes() {
    type Write = fn(&mut Iter<'_, Dest, P>, &[u8]) -> usize;
    let writes: [Write; 4] = [
        |iter, bytes| iter.copy_to_iter(bytes),
        |iter, bytes| iter.copy_mc_to_iter(bytes.into()),
        |iter, bytes| iter.csum_and_copy_to_iter(bytes, &mut Checksum::new()),
        |iter, bytes| iter.walk(TOTAL, |chunk, at| chunk.copy_from(bytes[at..].into())),
    ];
    for write in writes {
        in_files(&[OLD; 3 * P], |file, reached| {
            let mut iter = Iter::lookup(file, POSITION as u64, TOTAL);
            assert_eq!(write(&mut iter, &pattern(TOTAL)), reached);
            assert_eq!(iter.remaining(), TOTAL - reached);
            let mut expected = [OLD; 3 * P];
            expected[POSITION..][..reached].copy_from_slice(&pattern(TOTAL)[..reached]);
            for (page, expected) in file.pages.iter().zip(expected.chunks(P)) {
                assert_eq!(page.all_bytes(), expected);
            }
        });
    }
}
