//! Runs operations on iterators and on the model, and compares.

mod copies;

use heapless::Vec as List;
use iov_iter::segment::Chain;
use iov_iter::{
    Chained, Checksum, Chunk, Dest, Direction, DupStorage, Error, HeldPage, Host, IovIter, Kind,
    PageRange, PageSegment, Retention, ScatterEntry, Segments, Source, State, copy_iter_to_iter,
};

use super::flat::{Flat, Nature};
use super::ops::{Case, Move, Op, Which};
use super::scene::{Memory, P};
use super::{Iter, TestHost, TestPage, at, entry_bytes, held_bytes, naive_checksum, place};

/// How many pages or entries a list has room for.
const ROOM: usize = 6;

/// Runs a case; panics where an iterator and the model differ.
pub fn run(case: &Case) {
    let (from, from_buffer, from_flat) = case.source.build();
    let (to, mut to_buffer, to_flat) = case.dest.build();
    let from_kvecs = from.sources(&from_buffer, &from_flat, &case.source);
    let to_kvecs = to.dests(&mut to_buffer, &to_flat, &case.dest);
    let mut machine = Machine {
        source: Side::new(from.source(&from_kvecs), from_flat, &from),
        dest: Side::new(to.dest(&to_kvecs), to_flat, &to),
        seed: 0x80,
    };
    machine.check();
    for op in &case.ops {
        machine.apply(op);
        machine.check();
    }
    machine.source.check_all();
    machine.dest.check_all();
    let (from_flat, to_flat) = (machine.source.flat, machine.dest.flat);
    from.check_image(&from_buffer, &from_flat);
    drop(to_kvecs);
    to.check_image(&to_buffer, &to_flat);
}

/// An iterator, its model and its memory.
struct Side<'a, D: Direction> {
    iter: Iter<'a, D, P>,
    flat: Flat,
    memory: &'a Memory,
    /// Segments of the whole list.
    segments: usize,
    /// With the model's place and count, and what is cut off.
    saved: Option<(State<'a, D, TestHost<'a, P>>, [usize; 3])>,
    checksum: Checksum,
    summed: Vec<u8>,
    /// The place and the count for which queries were compared last.
    queried: Option<(usize, usize)>,
}

impl<'a, D: Direction> Side<'a, D> {
    fn new(iter: Iter<'a, D, P>, flat: Flat, memory: &'a Memory) -> Self {
        Self {
            segments: segments(&iter),
            iter,
            flat,
            memory,
            saved: None,
            checksum: Checksum::new(),
            summed: Vec::new(),
            queried: None,
        }
    }

    /// What an operation may have changed.
    fn check(&mut self) {
        let (iter, flat) = (&self.iter, &self.flat);
        assert_eq!(iter.remaining(), flat.count);
        assert!(self.memory.space.is_absent(&flat.absent));
        // Queries depend on this alone.
        let now = Some((flat.at, flat.count));
        if self.queried != now {
            self.queried = now;
            self.check_queries();
        }
    }

    /// Every query, and the position as far as the model knows it.
    fn check_queries(&self) {
        let (iter, flat) = (&self.iter, &self.flat);
        assert_eq!(iter.is_empty(), flat.count == 0);
        let nr = flat.segment_count();
        let seg = flat.bytes.get(flat.at).map_or(self.segments, |byte| byte.segment);
        match iter.kind() {
            Kind::Lookup => assert_eq!(iter.segment_count(), nr),
            _ => assert_eq!(place(iter), at(seg, flat.offset(), nr, flat.count)),
        }
        let left = flat.left();
        assert_eq!(iter.first_segment_len(), left.first_len);
        assert_eq!(iter.alignment(), left.alignment());
        assert_eq!(iter.gap_alignment(), left.gap_alignment());
        for (address_mask, len_mask) in [(1, 0), (0, 1), (3, 7)] {
            let aligned = left.is_aligned(address_mask, len_mask);
            assert_eq!(iter.is_aligned(address_mask, len_mask), aligned);
        }
        for (start, bytes, most) in [(0, usize::MAX, 2), (3, 20, 2), (25, 9, 1), (0, 9, 0)] {
            assert_eq!(iter.span(start, bytes, most), flat.span(start, bytes, most));
        }
        let pages = flat.npages(usize::MAX);
        assert_eq!(iter.npages(usize::MAX), pages);
        assert_eq!(iter.npages(2), pages.min(2));
        assert_eq!(iter.npages_cap(usize::MAX, 20), flat.npages(20));
        let segment = iter.user_segment().map(|segment| (segment.base, segment.len));
        match flat.nature {
            Nature::User => assert_eq!(segment, left.first_range),
            _ => assert_eq!(segment, None),
        }
    }

    /// The sum over all that was copied with a checksum.
    fn check_sum(&self) {
        assert_eq!(self.checksum.offset(), self.summed.len());
        assert_eq!(self.checksum.folded(), naive_checksum(&self.summed));
    }

    /// What `check` leaves out, and what is shown of the place.
    fn check_all(&self) {
        self.check_queries();
        self.check_sum();
        assert_eq!(self.memory.held(), (0, 0));
        let (iter, flat) = (&self.iter, &self.flat);
        let nr = flat.segment_count();
        // Of pages that are looked up, bytes from the first one on.
        let off = if iter.kind() == Kind::Lookup { flat.at } else { flat.offset() };
        let shown = format!("remaining: {}, segment_count: {nr}, offset: {off}", flat.count);
        assert!(format!("{iter:?}").contains(&shown));
    }

    fn apply(&mut self, op: &Move, fault_in: impl Fn(&Iter<'a, D, P>, usize) -> usize) {
        let (iter, flat) = (&mut self.iter, &mut self.flat);
        match *op {
            Move::Advance(n) => assert_eq!(iter.advance(n), flat.advance(n)),
            Move::Revert(n) => assert_eq!(iter.revert(n), flat.revert(n)),
            Move::Truncate(n) => {
                iter.truncate(n as u64);
                flat.truncate(n);
            }
            Move::Reexpand(more) => {
                let count = flat.count + more;
                assert_eq!(iter.reexpand(count), flat.reexpand(count));
            }
            Move::Save => self.saved = Some((iter.save(), [flat.at, flat.count, flat.cut])),
            Move::Restore => {
                if let Some((state, then)) = &self.saved {
                    assert_eq!(iter.restore(state), Ok(()));
                    [flat.at, flat.count, flat.cut] = *then;
                }
            }
            Move::FaultIn(n) => assert_eq!(fault_in(iter, n), flat.fault_in(n)),
            Move::Walk(n, limit) => self.walk(n, limit),
            Move::Dup => self.dup(),
            Move::GetPages(size, pages) => self.pages(size, pages, false),
            Move::ExtractPages(size, pages) => self.pages(size, pages, true),
            Move::Scatter(size, entries) => self.scatter(size, entries),
            Move::Segments(size, most, mask) => self.segments(size, most, mask),
        }
    }

    /// A walk whose step handles no more than `limit` bytes in all.
    fn walk(&mut self, n: usize, limit: usize) {
        let pieces = self.flat.walked(n);
        let mut seen = Vec::with_capacity(pieces.len());
        let handle = |len: usize, progress| len.min(limit - progress);
        let (mut walking, mut trying) = (self.iter.clone(), self.iter.clone());
        let handled = self.iter.iterate_and_advance(
            n,
            &mut seen,
            |seen, user, progress| {
                seen.push((Some(user.address()), user.len(), progress));
                handle(user.len(), progress)
            },
            |seen, piece, progress| {
                seen.push((None, piece.len(), progress));
                handle(piece.len(), progress)
            },
        );
        let mut expected = Vec::with_capacity(pieces.len());
        let mut progress = 0;
        for (index, len) in pieces {
            let address = self.flat.bytes[index].address;
            let user = self.flat.nature == Nature::User;
            expected.push((user.then_some(address), len, progress));
            let handled = handle(len, progress);
            progress += handled;
            if handled < len {
                break;
            }
        }
        assert_eq!(seen, expected);

        // With one closure, and with one that fails where the others handle less than a chunk.
        seen.clear();
        let walked = walking.walk(n, |chunk, progress| {
            seen.push((user_address(&chunk), chunk.len(), progress));
            handle(chunk.len(), progress)
        });
        assert_eq!((walked, &seen), (handled, &expected));
        assert_eq!(walking.remaining(), self.iter.remaining());
        assert_eq!(walking.first_segment_len(), self.iter.first_segment_len());
        seen.clear();
        let tried = trying.try_walk(n, |chunk, progress| {
            seen.push((user_address(&chunk), chunk.len(), progress));
            match handle(chunk.len(), progress) {
                handled if handled < chunk.len() => Err(progress),
                handled => Ok(handled),
            }
        });
        assert_eq!(seen, expected);
        match tried {
            Ok(moved) => assert_eq!(moved, handled),
            Err(stopped) => {
                assert_eq!(stopped.moved, stopped.cause);
                assert_eq!(stopped.moved, expected.last().unwrap().2);
            }
        }
        let moved = tried.unwrap_or_else(|stopped| stopped.moved);
        assert_eq!(trying.remaining(), self.flat.count - moved);

        let all = n.min(self.flat.count);
        let nothing = self.flat.nature == Nature::Nothing;
        assert_eq!(handled, if nothing { all } else { all.min(limit) });
        self.flat.advance(handled);
    }

    /// The duplicate stands on the same byte, and cannot leave the current segment backwards.
    fn dup(&self) {
        let mut storage = DupStorage::<_, _, 9>::new();
        let mut copy = self.iter.dup(&mut storage).unwrap();
        let off = match self.iter.kind() {
            // A single segment held by value is whole in the duplicate, too.
            Kind::UserBuf | Kind::Discard | Kind::Lookup => self.flat.at,
            _ => self.flat.offset(),
        };
        assert_eq!(
            segments(&copy),
            match self.iter.kind() {
                Kind::UserBuf | Kind::Discard | Kind::Lookup => 1,
                _ => self.flat.segment_count(),
            }
        );
        assert_eq!(copy.remaining(), self.flat.count);
        assert_eq!(copy.alignment(), self.flat.left().alignment());
        assert_eq!(copy.npages(usize::MAX), self.flat.npages(usize::MAX));
        assert_eq!(copy.revert(off + 1), Err(Error::RevertPastStart));
        assert_eq!(copy.revert(off), Ok(()));
        assert_eq!(copy.reexpand(self.flat.count + off + self.flat.cut), Ok(()));
        let all = copy.remaining();
        assert_eq!(copy.reexpand(all + 1), Err(Error::ExpandPastEnd));
        assert_eq!(copy.advance(usize::MAX), all);
    }

    fn pages(&mut self, max_size: usize, max_pages: usize, extract: bool) {
        let mut list = List::<HeldPage<'_, TestPage<P>>, ROOM>::new();
        let result = match extract {
            true => self.iter.extract_pages(max_size, max_pages, &mut list),
            false => self.iter.get_pages(max_size, max_pages, &mut list),
        };
        let flat = &mut self.flat;
        let nature = flat.nature;
        if nature == Nature::Nothing || nature == Nature::Kernel && !extract {
            assert_eq!(result, Err(Error::NoPages));
            return;
        }
        let range = result.expect("all pages exist");
        let room = max_pages.min(ROOM);
        let len = match nature {
            Nature::Pages if extract => flat.covered_joined(max_size, room),
            _ => flat.covered(max_size, room),
        };
        assert_eq!(range.len, len);
        if len > 0 {
            assert_eq!(range.offset, flat.bytes[flat.at].address % P);
        }
        let needed = if len > 0 { (range.offset + len).div_ceil(P) } else { 0 };
        assert_eq!(list.len(), needed);
        let (held, retention) = match (nature, extract) {
            (Nature::User, true) => ((0, needed), Retention::Pinned),
            (_, false) => ((needed, 0), Retention::Referenced),
            _ if self.iter.kind() == Kind::Lookup => ((needed, 0), Retention::Referenced),
            _ => ((0, 0), Retention::None),
        };
        assert_eq!(self.memory.held(), held);
        assert!(list.iter().all(|page| page.retention() == retention));
        let bytes = held_bytes(&list, PageRange::new(range.offset, len));
        compare(&bytes, flat);
        flat.advance(len);
        flat.absent = self.memory.space.absent();
    }

    fn scatter(&mut self, max_size: usize, max_entries: usize) {
        let mut list = List::<ScatterEntry<'_, TestPage<P>>, ROOM>::new();
        let result = self.iter.extract_to_scatter_list(max_size, max_entries, &mut list);
        let flat = &mut self.flat;
        if flat.nature == Nature::Nothing {
            assert_eq!(result, Err(Error::NoScatterList));
            return;
        }
        let pieces = flat.pieces(max_size, flat.nature != Nature::Pages);
        let taken = pieces.take(max_entries.min(ROOM));
        let lengths: Vec<_> = taken.map(|(_, len)| len).collect();
        assert_eq!(list.iter().map(|entry| entry.len).collect::<Vec<_>>(), lengths);
        let total = lengths.iter().sum();
        assert_eq!(result, Ok(total));
        let bytes: Vec<_> = list.iter().flat_map(entry_bytes).collect();
        compare(&bytes, flat);
        let held = match (flat.nature, self.iter.kind()) {
            (Nature::User, _) => (0, lengths.len()),
            (_, Kind::Lookup) => (lengths.len(), 0),
            _ => (0, 0),
        };
        assert_eq!(self.memory.held(), held);
        flat.advance(total);
        flat.absent = self.memory.space.absent();
    }
}

impl<D: Direction> Side<'_, D> {
    fn segments(&mut self, max_bytes: usize, most: usize, mask: usize) {
        let mut pages = List::<HeldPage<'_, TestPage<P>>, ROOM>::new();
        let mut segments = List::<PageSegment, ROOM>::new();
        let result =
            self.iter.extract_to_segments(max_bytes, most, mask, &mut pages, &mut segments);
        let flat = &mut self.flat;
        if flat.nature == Nature::Nothing {
            assert_eq!(result, Err(Error::NoPages));
            return;
        }
        let (expected, misaligned) = flat.contiguous(max_bytes, most.min(ROOM), ROOM, mask);
        let told = segments.iter().map(|segment| (segment.first, segment.offset, segment.len));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let total = expected.iter().map(|(_, _, len)| len).sum::<usize>();
        match misaligned && total == 0 {
            true => assert_eq!(result, Err(Error::Misaligned)),
            false => assert_eq!(result, Ok(total)),
        }
        assert_eq!(segments.iter().map(|segment| segment.pages).sum::<usize>(), pages.len());
        let mut bytes = Vec::new();
        for segment in &segments {
            let range = PageRange::new(segment.offset, segment.len);
            bytes.extend(held_bytes(&pages[segment.first..][..segment.pages], range));
        }
        compare(&bytes, flat);
        let held = match (flat.nature, self.iter.kind()) {
            (Nature::User, _) => (0, pages.len()),
            (_, Kind::Lookup) => (pages.len(), 0),
            _ => (0, 0),
        };
        assert_eq!(self.memory.held(), held);
        flat.advance(total);
        flat.absent = self.memory.space.absent();
    }
}

/// The user address of a chunk.
fn user_address<D: Direction, H: Host>(chunk: &Chunk<'_, D, H>) -> Option<usize> {
    match chunk {
        Chunk::Memory(_) => None,
        Chunk::User(piece) => Some(piece.address()),
    }
}

/// Segments of the whole list.
fn segments<D: Direction, H: Host>(iter: &IovIter<'_, D, H>) -> usize {
    match iter {
        IovIter::IoVec(user) => user.cursor().list().len(),
        IovIter::KVec(cursor) => cursor.list().as_slice().len(),
        IovIter::Shared(cursor) => cursor.list().as_slice().len(),
        IovIter::BVec(cursor) => cursor.list().len(),
        IovIter::Uniform(cursor) => cursor.list().segments().len(),
        IovIter::Chain(Chained::IoVec(user)) => in_chain(user.cursor().list().chain()),
        IovIter::Chain(Chained::KVec(cursor)) => in_chain(cursor.list().chain()),
        IovIter::Chain(Chained::Shared(cursor)) => in_chain(cursor.list().chain()),
        IovIter::Chain(Chained::BVec(cursor)) => in_chain(cursor.list().chain()),
        _ => 1,
    }
}

fn in_chain<S>(chain: Chain<'_, S>) -> usize {
    chain.nodes().map(|node| node.segments().len()).sum()
}

/// Compares bytes with the model's next ones, as far as those are specified.
fn compare(bytes: &[u8], flat: &Flat) {
    for (byte, expected) in bytes.iter().zip(&flat.bytes[flat.at..]) {
        assert_eq!(*byte, expected.value.unwrap_or(*byte));
    }
}

struct Machine<'a> {
    source: Side<'a, Source>,
    dest: Side<'a, Dest>,
    seed: u8,
}

impl Machine<'_> {
    fn check(&mut self) {
        self.source.check();
        self.dest.check();
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Move(Which::Source, ref op) => {
                self.source.apply(op, |iter, n| iter.fault_in_readable(n));
            }
            Op::Move(Which::Dest, ref op) => {
                self.dest.apply(op, |iter, n| iter.fault_in_writeable(n));
            }
            Op::CopyOut(how, n) => self.source.copy_out(how, n),
            Op::CopyIn(how, n) => {
                let data = self.fresh(n);
                self.dest.copy_in(how, &data);
            }
            Op::PageOut(offset, n, atomic) => self.source.page_out(offset, n, atomic),
            Op::PageIn(offset, n, nofault) => {
                let data = self.fresh(3 * P);
                self.dest.page_in(&data, offset, n, nofault);
            }
            Op::ReadInteger(width, big) => self.source.read_integer(width, big),
            Op::WriteInteger(width, big) => {
                let data = self.fresh(width);
                self.dest.write_integer(&data, big);
            }
            Op::NextChunk => self.source.next_chunk(),
            Op::Transfer(n) => self.transfer(n),
        }
    }

    /// Bytes that differ from those before.
    fn fresh(&mut self, n: usize) -> Vec<u8> {
        let next = |_| {
            self.seed = self.seed.wrapping_mul(5).wrapping_add(17);
            self.seed
        };
        (0..n).map(next).collect()
    }

    fn transfer(&mut self, n: usize) {
        let (source, dest) = (&mut self.source, &mut self.dest);
        let moved = copy_iter_to_iter(&mut source.iter, &mut dest.iter, n);
        let n = n.min(source.flat.count).min(dest.flat.count);
        let expected = match dest.flat.nature {
            // Bytes for nothing are not read, so they cannot fault.
            Nature::Nothing => n,
            _ => source.flat.movable(n, false).min(dest.flat.movable(n, false)),
        };
        assert_eq!(moved, expected);
        dest.flat.store(&source.flat.values(moved));
        source.flat.advance(moved);
        dest.flat.advance(moved);
        // A bounce buffer may have read further than the destination took.
        source.flat.absent = source.memory.space.absent();
        dest.flat.absent = dest.memory.space.absent();
    }
}
