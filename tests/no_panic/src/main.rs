//! Calls every operation of the core, for every kind of segment, in a program whose panic handler
//! does not link; with `--features alloc` also the operations that allocate, with `--features all` also
//! those that other crates' traits name.
//!
//! `cargo build --release --target x86_64-unknown-none` succeeds only if the optimiser has proved
//! that no panic can be reached, for any input: all of them are opaque to it. `check` does that for
//! several targets, sees to it that no public function is missing here, and that it can fail.

#![no_std]
#![no_main]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
mod channels;
#[cfg(feature = "alloc")]
mod files;
mod plain;
mod segments;
#[cfg(feature = "all")]
mod traits;
mod vectors;

use core::fmt::Write;
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::NonNull;

use iov_iter::host::{Host, Page, UserMemory};
use iov_iter::{
    Abi, BioVec, Checksum, CopyFlags, Dest, Direction, DupStorage, Error, HeldPage, InlineVec,
    IoVec, IovIter, KVec, PageFlags, PageRange, PageSegment, Piece, Position, ScatterEntry, Source,
    Uniform, copy_iter_to_iter, iov,
};

use segments::Text;

unsafe extern "C" {
    /// Defined nowhere.
    fn a_panic_can_be_reached(info: *const ()) -> !;
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    // SAFETY: never called: if it could be, the program would not link.
    unsafe { a_panic_can_be_reached((&raw const *info).cast()) }
}

/// A host that has everything, and whose answers the optimiser cannot guess.
enum Everything {}

impl Host for Everything {
    type Page = Frame;
    type User = Anything;
}

#[derive(Clone, Copy)]
struct Anything;

// SAFETY: `read` initialises all of `dst` and claims at most that.
unsafe impl UserMemory for Anything {
    type Page = Frame;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        black_box((addr, len)).1 > 0
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _flags: CopyFlags) -> usize {
        let written = dst.fill(0);
        black_box(addr).min(written)
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _flags: CopyFlags) -> usize {
        black_box((addr, src.as_ptr(), src.len())).2
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        black_box((addr, len)).1
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        black_box((addr, len)).1
    }

    unsafe fn map<D: Direction>(&self, addr: usize, len: usize) -> Result<Piece<'_, D>, Error> {
        let start = black_box(NonNull::dangling()).as_ptr();
        // SAFETY: the program is linked and never run.
        let piece = unsafe { Piece::from_raw_parts(start, black_box(len)) };
        if black_box(addr) == 0 { Err(Error::Fault) } else { Ok(piece) }
    }

    fn mark_written(&self, addr: usize, len: usize) {
        black_box((addr, len));
    }

    fn get_pages(
        &self,
        addr: usize,
        count: usize,
        flags: PageFlags,
        mut sink: impl FnMut(Frame),
    ) -> Result<usize, Error> {
        for _ in 0..black_box(count) {
            sink(Frame(black_box(NonNull::dangling())));
        }
        if black_box((addr, flags)).0 == 0 { Err(Error::Fault) } else { Ok(count) }
    }

    fn pin_pages(
        &self,
        addr: usize,
        count: usize,
        flags: PageFlags,
        sink: impl FnMut(Frame),
    ) -> Result<usize, Error> {
        self.get_pages(addr, count, flags, sink)
    }
}

struct Frame(NonNull<u8>);

impl Clone for Frame {
    fn clone(&self) -> Self {
        Self(black_box(self.0))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        black_box(self.0);
    }
}

impl AsRef<Frame> for Frame {
    fn as_ref(&self) -> &Frame {
        self
    }
}

// SAFETY: the program is linked and never run.
unsafe impl Page for Frame {
    const SIZE: usize = 4096;
    type Pin = Frame;

    fn run_length(&self) -> usize {
        black_box(3)
    }

    fn nth(&self, index: usize) -> Option<Self> {
        (index < black_box(3)).then(|| self.clone())
    }

    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        (index < black_box(3)).then(|| f(black_box(self.0)))
    }
}

/// Any number.
fn any() -> usize {
    black_box(7)
}

fn any_bytes<'a>() -> &'a mut [u8] {
    // SAFETY: the program is linked and never run.
    unsafe { core::slice::from_raw_parts_mut(black_box(NonNull::dangling()).as_ptr(), any()) }
}

fn any_list<'a, T>() -> &'a [T] {
    // SAFETY: the program is linked and never run.
    unsafe { core::slice::from_raw_parts(black_box(NonNull::dangling()).as_ptr(), any()) }
}

fn any_position() -> Position {
    Position::new(any(), any())
}

/// What both directions can do.
fn move_and_ask<D: Direction, H: Host>(iter: &mut IovIter<'_, D, H>) {
    let saved = iter.save();
    black_box(iter.advance(any()));
    black_box(iter.revert(any()).is_err());
    iter.truncate(any() as u64);
    black_box(iter.reexpand(any()).is_err());
    black_box(iter.restore(&saved).is_err());
    black_box((iter.kind(), iter.is_empty(), iter.segment_count(), iter.first_segment_len()));
    black_box((iter.alignment(), iter.is_aligned(any(), any()), iter.gap_alignment()));
    black_box((iter.npages(any()), iter.npages_cap(any(), any()), iter.user_segment()));
    iter.set_page_flags(PageFlags::NOFAULT);
    let mut storage = DupStorage::<D, H, 4>::new();
    black_box(iter.clone().dup(&mut storage).is_err());
    let mut pages = heapless::Vec::<HeldPage<H::Page>, 4>::new();
    let held = iter.clone().get_pages(any(), any(), &mut pages);
    black_box(held == Ok(PageRange::new(any(), any())));
    black_box(iter.clone().extract_pages(any(), any(), &mut pages).is_err());
    for page in &pages {
        black_box((page.retention(), page.map(|address| address)));
    }
    let mut entries = heapless::Vec::<ScatterEntry<H::Page>, 4>::new();
    black_box(iter.clone().extract_to_scatter_list(any(), any(), &mut entries).is_err());
    let mut segments = InlineVec::<PageSegment, 4>::new();
    let extracted =
        iter.clone().extract_to_segments(any(), any(), any(), &mut pages, &mut segments);
    black_box(extracted.is_err());
    for segment in segments.iter() {
        black_box(segment.to_bio_vec(&pages).is_err());
    }
    black_box(iter.span(any(), any(), any()));
    segments::ask_an_iterator(iter);
    black_box(iter.pieces().last().map(|piece| piece.len()));
    black_box(iter.iterate(any(), &mut (), |(), user, _| user.len(), |(), piece, _| piece.len()));
    black_box(iter.walk(any(), |chunk, at| {
        let _ = black_box(write!(Text, "{chunk:?}"));
        chunk.piece().map_or(at, |_| chunk.len())
    }));
    let failed = iter.try_walk(any(), |_, at| if at > 9 { Err(Error::Fault) } else { Ok(any()) });
    if let Err(failed) = failed {
        let _ = black_box(write!(Text, "{failed}{failed:?}"));
        black_box(core::error::Error::source(&failed).is_some());
    }
}

fn read_all<H: Host>(iter: &mut IovIter<'_, Source, H>, page: Option<&H::Page>) {
    move_and_ask(iter);
    black_box(iter.copy_from_iter(any_bytes()));
    black_box(iter.copy_from_iter_full(any_bytes()).is_err());
    black_box(iter.clone().read_extensible(any_bytes()).is_err());
    black_box(iter.copy_from_iter_raw(&mut [MaybeUninit::uninit(); 9]).len());
    black_box(iter.copy_from_iter_nocache(any_bytes()));
    black_box(iter.copy_from_iter_full_nocache(any_bytes()).is_err());
    black_box(iter.copy_from_iter_flushcache(any_bytes()));
    let mut sum = Checksum::new();
    black_box(iter.csum_and_copy_from_iter(any_bytes(), &mut sum));
    black_box(iter.csum_and_copy_from_iter_full(any_bytes(), &mut sum).is_err());
    black_box(sum.folded());
    black_box((iter.read_be::<u64>().is_ok(), iter.read_le::<i16>().is_ok()));
    black_box((iter.next_chunk(), iter.fault_in_readable(any())));
    black_box(iter.walk(any(), |chunk, _| chunk.copy_to(any_bytes().into())));
    if let Err(short) = iter.send(&mut vectors::Anything).finished() {
        let _ = black_box(write!(Text, "{short}"));
    }
    if let Err(error) = iter.send_once(&mut vectors::Anything) {
        let _ = black_box(write!(Text, "{error}"));
    }
    if let Some(page) = page {
        black_box(iter.copy_page_from_iter(page, any(), any()).is_err());
        black_box(iter.copy_page_from_iter_atomic(page, any(), any()).is_err());
    }
}

fn write_all<H: Host>(iter: &mut IovIter<'_, Dest, H>, page: Option<&H::Page>) {
    move_and_ask(iter);
    black_box(iter.copy_to_iter(any_bytes()));
    black_box(iter.copy_to_iter_full(any_bytes()).is_err());
    black_box(iter.clone().write_extensible(any_bytes()).is_err());
    black_box(iter.copy_mc_to_iter(Piece::from(&*any_bytes())));
    black_box(iter.hash_and_copy_to_iter(any_bytes(), |bytes| {
        black_box(bytes);
    }));
    black_box(iter.zero(any()));
    black_box(iter.simple_read_from_buffer(&mut black_box(1), any_bytes()).is_err());
    black_box(iter.csum_and_copy_to_iter(any_bytes(), &mut Checksum::with_sum(1)));
    black_box((iter.write_be(1u32).is_ok(), iter.write_le(1u128).is_ok()));
    black_box(iter.fault_in_writeable(any()));
    black_box(iter.walk(any(), |chunk, _| chunk.copy_from(Piece::from(&*any_bytes()))));
    black_box(iter.receive(&mut vectors::Anything).finished().is_err());
    black_box(iter.receive_once(&mut vectors::Anything).is_err());
    let _ = black_box((write!(iter, "{}", any()), iter.write_str("text")));
    if let Some(page) = page {
        black_box(iter.copy_page_to_iter(page, any(), any()).is_err());
        black_box(iter.copy_page_to_iter_nofault(page, any(), any()).is_err());
    }
}

fn every_kind<D: Direction>(mut each: impl FnMut(&mut IovIter<'_, D, Everything>)) {
    each(&mut IovIter::ubuf(Anything, any(), any()));
    each(&mut IovIter::iovec_chain(Anything, segments::any_chain(), any()));
    each(&mut IovIter::kvec_chain(segments::any_chain(), any()));
    each(&mut IovIter::shared_chain(segments::any_chain(), any()));
    each(&mut IovIter::bvec_chain(segments::any_chain(), any()));
    each(&mut IovIter::lookup(&segments::AnyFile, any() as u64, any()));
    let storage = &mut InlineVec::<IoVec, 4>::new();
    for abi in [Abi::Native, Abi::Compat] {
        if let Ok(mut iter) = IovIter::import_iovec(Anything, any(), any(), abi, storage) {
            each(&mut iter);
        }
    }
    let kinds = [
        IovIter::import_ubuf(Anything, any(), any()),
        IovIter::iovec(Anything, any_list(), any()),
        IovIter::kvec(any_list(), any()),
        IovIter::shared(any_list(), any()),
        IovIter::bvec(any_list(), any()),
        Uniform::new(any_list())
            .ok_or(Error::OutOfRange)
            .and_then(|list| IovIter::uniform(list, any())),
    ];
    for mut iter in kinds.into_iter().flatten() {
        each(&mut iter);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let frame = Frame(black_box(NonNull::dangling()));
    black_box(BioVec::new(frame.clone(), any() as u32, any() as u32).is_err());
    black_box(frame.read_at(any(), any_bytes().into()).is_err());
    black_box(frame.write_at(any(), Piece::from(&*any_bytes())).is_err());
    black_box(frame.zero_at(any(), any()).is_err());
    black_box(frame.map_range(any(), any(), |piece: Piece<'_, Dest>, _| piece.len()).is_err());

    every_kind(|iter| read_all(iter, Some(&frame)));
    every_kind(|iter| write_all(iter, Some(&frame)));
    write_all::<Everything>(&mut IovIter::discard(any()), Some(&frame));
    every_kind(|src| {
        every_kind(|dst| {
            black_box(copy_iter_to_iter(src, dst, any()));
        })
    });

    // The default host: addressable memory only.
    read_all(&mut IovIter::<Source>::from(any_list::<KVec<Source>>()), None);
    write_all(&mut IovIter::<Dest>::from(any_list::<KVec<Dest>>()), None);
    read_all(
        &mut IovIter::<Source>::from(KVec::from(&*any_bytes())).with_host::<Everything>(),
        None,
    );
    write_all(&mut IovIter::<Dest>::from(any_bytes()).with_host::<Everything>(), None);
    let atomics = any_list::<core::sync::atomic::AtomicU8>();
    read_all(&mut IovIter::<Source, _>::from(atomics).with_host::<Everything>(), None);
    write_all(&mut IovIter::<Dest>::discard(any()), None);
    let mut chunks = IovIter::<Source>::from(any_list::<KVec<Source>>()).chunks();
    black_box((chunks.size_hint(), chunks.next(), chunks.last()));

    plain::every_operation();
    segments::every_operation();
    vectors::every_operation();
    #[cfg(feature = "alloc")]
    {
        channels::every_operation();
        files::every_operation();
    }
    #[cfg(feature = "all")]
    traits::every_operation();

    // One defect of each kind, each of which must be noticed.
    #[cfg(feature = "panic")]
    black_box(any_bytes()[any()]);
    #[cfg(feature = "overflow")]
    black_box(any() + any());
    #[cfg(feature = "out-of-memory")]
    black_box(alloc::vec::Vec::<u8>::with_capacity(any()));
    #[cfg(feature = "recursion")]
    black_box(segments::depth(any()));
    loop {}
}
