//! Every operation on segments and lists of them, on pieces, cursors, lists that grow and errors.

use core::fmt::{self, Write};
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ops::DerefMut;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU8;

use iov_iter::host::Host;
use iov_iter::segment::{Chain, ChainNode, ChainSlots, Discarded, Single, as_pieces};
use iov_iter::{
    Access, BioVec, Chained, Checksum, Cursor, Dest, Direction, DupStorage, Error, FoundPages,
    HeldPage, InlineVec, IoVec, IovIter, KVec, List, MemVec, PageLookup, Piece, ScatterEntry,
    Segment, Segments, SharedVec, Source, TransferError, Uniform, UserCursor,
};

use crate::{Anything, Everything, Frame, any, any_bytes, any_list, any_position, iov};

/// A writer of text whose answers the optimiser cannot guess.
pub struct Text;

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        if any() == 0 { Err(fmt::Error) } else { Ok(()) }
    }
}

pub fn cloned<T: Clone>(value: &T) -> T {
    black_box(value).clone()
}

pub fn default<T: Default>() -> T {
    black_box(T::default())
}

fn ask_a_segment(segment: &impl Segment) {
    black_box((segment.len(), segment.is_empty(), segment.address()));
}

fn walk<L: Segments>(list: L) {
    black_box((list.total(), list.is_same(&black_box(list)), list.as_slice().len()));
    black_box((list.forward(any_position(), any()), list.back(any_position(), any())));
    black_box(Cursor::with_count(list, any()).is_err());
    black_box(Cursor::range(list, any(), any()).is_ok());
    black_box(Cursor::resumed(list, default(), any()).is_ok());
    let mut cursor = [Cursor::new(list), Cursor::clamped(list, any())][usize::from(any() == 0)];
    black_box(cursor.walk(any(), |range, _| black_box(range.len)));
    black_box(cursor.advance(any()));
    black_box(cursor.revert(any()).is_err());
    cursor.truncate(any() as u64);
    black_box(cursor.reexpand(any()).is_err());
    black_box(cursor.restore(&Cursor::new(list)).is_err());
    black_box((cursor.remaining(), cursor.position(), cursor.segment_count()));
    black_box(cursor.list().as_slice().len());
    black_box(cursor.span(any(), any(), any()));
    for range in cursor.ranges() {
        ask_a_segment(range.segment);
        let _ = black_box(write!(Text, "{:?}", cloned(&range)));
    }
}

/// Pages that whoever else knows.
pub struct AnyFile;

impl PageLookup<Frame> for AnyFile {
    fn find(&self, position: u64) -> Option<FoundPages<Frame>> {
        black_box(position);
        let pages = Frame(black_box(NonNull::dangling()));
        (any() > 0).then(|| FoundPages { start: any() as u64, pages })
    }
}

fn looked_up() {
    let iter = IovIter::<Source, Everything>::lookup(&AnyFile, any() as u64, any());
    if let IovIter::Lookup(cursor) = iter {
        let _ = black_box(write!(Text, "{:?}", cloned(&cursor)));
        black_box(cursor.file_position());
    }
}

/// A chain that whoever else has its end may let grow.
pub fn any_chain<'a, S: Segment>() -> Chain<'a, S> {
    // SAFETY: the program is linked and never run.
    let nodes = unsafe { &mut *black_box(NonNull::<[ChainNode<'a, S>; 3]>::dangling()).as_ptr() };
    // SAFETY: as above.
    let slots = unsafe { &mut *black_box(NonNull::<ChainSlots<S, 3>>::dangling()).as_ptr() };
    let node = any_node();
    *node = ChainNode::growing(slots);
    let new = black_box(ChainSlots::<S, 3>::new());
    let _ = black_box(write!(Text, "{node:?}{new:?}{:?}", default::<ChainSlots<S, 3>>()));
    let _ = black_box(ChainNode::new(any_list::<S>()));
    let (chain, mut tail) =
        Chain::of_nodes(nodes).unwrap_or_else(|| Chain::new(&mut *any_node::<S>()));
    for segment in core::iter::from_fn(|| black_box(None)) {
        black_box(tail.push(segment).is_err());
    }
    tail.append(node);
    let _ = black_box(write!(Text, "{chain:?}{tail:?}"));
    for node in chain.nodes() {
        black_box(node.segments().len());
    }
    cloned(&chain)
}

fn any_node<'a, S>() -> &'a mut ChainNode<'a, S> {
    // SAFETY: as above.
    unsafe { &mut *black_box(NonNull::dangling()).as_ptr() }
}

fn fill_a_list<T>(list: &mut impl List<T>, element: T) {
    black_box(list.try_reserve(any()).is_err());
    black_box(list.try_push(element).is_err());
    black_box((list.len(), list.is_empty(), list.last_mut().is_some()));
    list.truncate(any());
}

fn grow() {
    let mut list = default::<InlineVec<usize, 4>>();
    fill_a_list(&mut list, any());
    fill_a_list(&mut heapless::Vec::<usize, 4>::new(), any());
    #[cfg(feature = "alloc")]
    fill_a_list(&mut alloc::vec::Vec::new(), any());
    let _ = black_box(write!(Text, "{list:?}"));
    black_box((list.is_inline(), list.capacity(), list.first()));
    black_box(list.deref_mut().first_mut());
    list.clear();
}

fn use_pieces() {
    let mut source = Piece::from(&*any_bytes());
    let dest = Piece::from(any_bytes());
    // SAFETY: the program is linked and never run.
    let raw = unsafe { Piece::<Source>::from_raw_parts(any_bytes().as_mut_ptr(), any()) };
    black_box((source.take(any()), source.is_empty(), source.len(), source.as_ptr()));
    black_box((source.slice(any(), any()).is_zero(), source.mismatch(raw)));
    // SAFETY: as above.
    black_box(unsafe { source.as_slice() });
    black_box((source.copy_to(dest), dest.copy_from(raw), dest.copy_from_flushing(raw)));
    black_box((dest.fill(any() as u8), dest.as_mut_ptr()));
    cloned(&dest).flush_cache();
    ask_a_segment(&KVec::<Source>::from(&*any_bytes()).piece(any(), any()).into_shared());
    black_box(Piece::<Dest>::from(&mut [MaybeUninit::uninit(); 9][..]).len());
}

fn use_segments<D: Direction, A: Access>(mut segment: MemVec<'_, D, A>) {
    segment.truncate(any());
    segment.advance(any());
    black_box(as_pieces(core::slice::from_ref(&segment)).len());
    black_box(MemVec::<D, A>::empty().len());
    black_box((segment.len(), segment.is_empty(), segment.as_ptr()));
    black_box(segment.piece(any(), any()).len());
    black_box(KVec::<Dest>::from(&mut [MaybeUninit::uninit(); 9][..]).len());
}

/// Memory that others write.
fn shared() {
    let atomics = any_list::<AtomicU8>();
    use_segments(cloned(&SharedVec::<Source>::from(atomics)));
    use_segments(SharedVec::<Dest>::from(atomics));
    use_segments(SharedVec::from(KVec::<Dest>::from(any_bytes())));
    // SAFETY: the program is linked and never run.
    use_segments(unsafe { SharedVec::<Dest>::from_raw_parts(any_bytes().as_mut_ptr(), any()) });
    let segments: &[SharedVec<Source>] = any_list();
    if let IovIter::Shared(cursor) = IovIter::from(segments).with_host::<Everything>() {
        use_a_list(cursor.list());
    }
    let segments: &[KVec<Source>] = any_list();
    if let IovIter::KVec(cursor) = IovIter::from(segments) {
        use_a_list(cursor.list());
    }
}

fn use_a_list<L: Segments + core::fmt::Debug>(list: L) {
    black_box((list.as_slice().len(), list.is_same(&cloned(&list))));
    let _ = black_box(write!(Text, "{list:?}"));
    walk(list);
}

fn use_a_run(segment: &BioVec<Frame>) {
    black_box((segment.len(), segment.is_empty(), segment.offset()));
    black_box(segment.page());
    black_box(segment.read_at(any(), any_bytes().into()).is_err());
    black_box(segment.write_at(any(), Piece::from(&*any_bytes())).is_err());
    black_box(segment.zero_at(any(), any()).is_err());
    black_box(segment.map_range(any(), any(), |piece: Piece<'_, Dest>, _| piece.len()).is_err());
    for part in segment.page_parts() {
        black_box(part);
    }
    black_box(cloned(segment).len());
}

/// What is left of `IovIter`, for the hosts that have everything.
pub fn ask_an_iterator<D: Direction, H: Host>(iter: &mut IovIter<'_, D, H>) {
    black_box((iter.remaining(), iter.page_flags(), iter.is_user_backed()));
    black_box((iter.page_size(), iter.max_count()));
    black_box(iter.extract_will_pin());
    black_box(iter.restore(&cloned(&iter.save())).is_err());
    let _ = black_box(write!(Text, "{:?}", default::<DupStorage<D, H, 4>>()));
    let _ = black_box(write!(Text, "{iter:?}{:?}", iter.save()));
}

fn user_pieces() {
    let mut sum = 0;
    let mut iter = IovIter::<Source, Everything>::ubuf(Anything, any(), any());
    let bytes = any_bytes();
    iter.iterate_and_advance(
        any(),
        &mut sum,
        |sum, piece, at| {
            black_box((piece.address(), piece.len(), piece.memory()));
            let _ = black_box(write!(Text, "{piece:?}"));
            *sum = piece.read(at, any_bytes().into(), iov_iter::CopyFlags::empty());
            *sum
        },
        |_, piece, _| piece.len(),
    );
    let mut iter = IovIter::<Dest, Everything>::ubuf(Anything, any(), any());
    iter.iterate_and_advance(
        any(),
        &mut sum,
        |_, piece, at| {
            black_box(piece.write(at, Piece::from(&*bytes), iov_iter::CopyFlags::empty()));
            piece.zero()
        },
        |_, piece, _| piece.len(),
    );
    let cursor = UserCursor::new(Anything, Cursor::new(any_list::<IoVec>()));
    black_box((cursor.memory(), cursor.cursor().remaining()));
    let _ = black_box(write!(Text, "{cursor:?}"));
}

fn held_pages(pages: &[HeldPage<'_, Frame>], entries: &[ScatterEntry<'_, Frame>]) {
    for entry in entries {
        black_box(entry.to_bio_vec().is_err());
        let _ = black_box(write!(Text, "{entry:?}"));
    }
    for page in pages {
        black_box((page.page().map(|(_, index)| index), page.retention()));
        black_box(page.to_bio_vec(any(), any()).is_err());
        black_box(page.map(|address| address));
        let _ = black_box(write!(Text, "{page:?}"));
    }
}

fn errors(error: Error) {
    black_box(error.errno());
    let _ = black_box(write!(Text, "{error}{error:?}"));
    for failed in [TransferError::Memory(error), TransferError::Transport(error)] {
        let _ = black_box(write!(Text, "{failed}{failed:?}"));
    }
    let error = iov::Error::OffsetOutOfRange { offset: any(), size: any() };
    black_box((error.errno(), Error::from(error)));
    let _ = black_box(write!(Text, "{error}{error:?}"));
}

/// A defect: see `Cargo.toml`.
#[cfg(feature = "recursion")]
pub fn depth(of: usize) -> usize {
    of.checked_sub(1).map_or(0, depth)
}

pub fn every_operation() {
    walk(any_list::<IoVec>());
    walk(any_list::<KVec<Source>>());
    walk(any_list::<KVec<Dest>>());
    walk(any_list::<BioVec<Frame>>());
    if let Some(list) = Uniform::new(any_list::<BioVec<Frame>>()) {
        black_box(list.segments().len());
        walk(cloned(&list));
    }
    looked_up();
    walk(any_chain::<IoVec>());
    if let IovIter::<Source, Everything>::Chain(chained) =
        IovIter::bvec_chain(any_chain::<BioVec<Frame>>(), any())
    {
        let _ = black_box(write!(Text, "{chained:?}"));
        if let Chained::BVec(cursor) = cloned(&chained) {
            black_box(cursor.list().chain().nodes().next().is_some());
            use_a_list(cursor.list());
        }
    }
    // Lists of one segment are made by iterators only.
    if let IovIter::<Dest, Everything>::Discard(cursor) = IovIter::discard(any()) {
        walk::<Single<Discarded<Dest>>>(cursor.list());
    }
    let hole = Discarded::new(any());
    black_box(cloned(&hole) == hole);
    ask_a_segment(&IoVec::new(any(), any()));
    let mut storage = InlineVec::<IoVec, 4>::new();
    black_box(Cursor::new(any_list::<IoVec>()).dup(&mut storage).is_err());
    grow();
    use_pieces();
    use_segments(KVec::from(any_bytes()));
    let segment = cloned(&KVec::from(&*any_bytes()));
    black_box(segment.as_slice());
    use_segments(segment);
    // SAFETY: the program is linked and never run.
    use_segments(unsafe { KVec::<Dest>::from_raw_parts(any_bytes().as_mut_ptr(), any()) });
    shared();
    for segment in any_list::<BioVec<Frame>>() {
        use_a_run(segment);
        let _ = black_box(write!(Text, "{segment:?}"));
    }
    user_pieces();
    held_pages(any_list(), any_list());
    for error in any_list::<Error>() {
        errors(*error);
    }
    let mut sum = Checksum::with_sum(any() as u32);
    sum.update(any_bytes());
    black_box((sum.sum(), sum.offset(), sum.folded()));
    let _ = black_box(write!(Text, "{sum:?}{:?}", Piece::from(any_bytes())));
}
