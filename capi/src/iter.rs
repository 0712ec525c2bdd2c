//! The iterator, which C keeps where it wants.

use core::ffi::{c_int, c_void};
use core::mem::offset_of;

use iov_iter::host::NoPage;
use iov_iter::{
    Abi, Chunk, CopyFlags, Dest, Direction, Host, InlineVec, IoVec, IovIter, KVec, Piece, Source,
    UserMemory, copy_iter_to_iter,
};

use crate::errno::{Answer, Errno, count, status, truth};
use crate::memory;

/// `struct ioviter_user_ops`.
#[repr(C)]
pub struct UserOps {
    size: usize,
    access_ok: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> c_int>,
    read: Option<unsafe extern "C" fn(*mut c_void, usize, *mut c_void, usize) -> usize>,
    write: Option<unsafe extern "C" fn(*mut c_void, usize, *const c_void, usize) -> usize>,
    zero: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> usize>,
    fault_in_readable: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> usize>,
    fault_in_writeable: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> usize>,
}

impl UserOps {
    pub(crate) const LAST: usize = offset_of!(Self, fault_in_writeable);
}

/// User memory by functions of C.
#[derive(Clone, Copy)]
pub struct CUser {
    ops: *const UserOps,
    opaque: *mut c_void,
}

/// The operation `$name`, unless the structure of C is too short for it.
macro_rules! operation {
    ($user:expr, $name:ident) => {{
        let ops = $user.ops;
        let end = offset_of!(UserOps, $name).wrapping_add(size_of::<usize>());
        // SAFETY: the structure lives as long as the iterator and has `size` bytes, so this entry is there.
        unsafe { if (*ops).size >= end { (*ops).$name } else { None } }
    }};
}

// SAFETY: the header asks that `read` returns the bytes that it copied to the start of the buffer, and that
// it writes no other bytes. Handles are not sent to other threads by Rust code.
unsafe impl UserMemory for CUser {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        // No range wraps around, whatever the function says.
        addr.checked_add(len).is_some()
            && operation!(self, access_ok).is_none_or(|access_ok| {
                // SAFETY: the function does what the header says.
                unsafe { access_ok(self.opaque, addr, len) != 0 }
            })
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        operation!(self, read).map_or(0, |read| {
            // SAFETY: the function does what the header says.
            unsafe { read(self.opaque, addr, dst.as_mut_ptr().cast(), dst.len()) }
        })
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        operation!(self, write).map_or(0, |write| {
            // SAFETY: the function does what the header says.
            unsafe { write(self.opaque, addr, src.as_ptr().cast(), src.len()) }
        })
    }

    unsafe fn zero(&self, addr: usize, len: usize) -> usize {
        if let Some(zero) = operation!(self, zero) {
            // SAFETY: the function does what the header says.
            return unsafe { zero(self.opaque, addr, len) };
        }
        static ZEROS: [u8; 256] = [0; 256];
        let mut done = 0_usize;
        while done < len {
            let zeros = Piece::from(&ZEROS[..]).slice(0, len.wrapping_sub(done));
            // SAFETY: a part of the caller's range.
            let written = unsafe { self.write(addr.wrapping_add(done), zeros, CopyFlags::empty()) };
            done = done.wrapping_add(written.min(zeros.len()));
            if written < zeros.len() {
                break;
            }
        }
        done
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        // SAFETY: the function does what the header says.
        operation!(self, fault_in_readable).map_or(len, |f| unsafe { f(self.opaque, addr, len) })
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        // SAFETY: as above.
        operation!(self, fault_in_writeable).map_or(len, |f| unsafe { f(self.opaque, addr, len) })
    }
}

/// The host that a C program is.
pub enum CHost {}

impl Host for CHost {
    type Page = NoPage;
    type User = CUser;
}

/// `struct ioviter`. All zeros are an empty one.
#[repr(usize)]
pub enum Iter {
    #[allow(dead_code, reason = "C makes it, out of zeros")]
    Empty = 0,
    Source(IovIter<'static, Source, CHost>),
    Dest(IovIter<'static, Dest, CHost>),
}

/// The room of `struct ioviter` in words of 8 bytes.
const WORDS: usize = 14;

const _: () = assert!(size_of::<Iter>() <= WORDS * 8 && align_of::<Iter>() <= 8);
// Copies of the structure are copies of the iterator.
const _: () = assert!(!core::mem::needs_drop::<Iter>());

/// `struct ioviter_checksum`. All zeros are the sum of no bytes.
#[repr(transparent)]
pub struct Checksum(iov_iter::Checksum);

const _: () = assert!(size_of::<Checksum>() <= 16 && align_of::<Checksum>() <= 8);

/// Which way data flows.
const SOURCE: c_int = 0;
const DEST: c_int = 1;

/// `$call` with whichever iterator there is.
macro_rules! on {
    ($iter:expr, $it:ident => $call:expr) => {
        match $iter {
            None | Some(Iter::Empty) => Err(Errno::INVAL),
            Some(Iter::Source($it)) => Ok($call),
            Some(Iter::Dest($it)) => Ok($call),
        }
    };
}

fn source(iter: Option<&mut Iter>) -> Result<&mut IovIter<'static, Source, CHost>, Errno> {
    match iter {
        Some(Iter::Source(iter)) => Ok(iter),
        _ => Err(Errno::INVAL),
    }
}

fn dest(iter: Option<&mut Iter>) -> Result<&mut IovIter<'static, Dest, CHost>, Errno> {
    match iter {
        Some(Iter::Dest(iter)) => Ok(iter),
        _ => Err(Errno::INVAL),
    }
}

pub(crate) fn errno(error: iov_iter::Error) -> Errno {
    Errno(error.errno())
}

/// Makes an iterator where C wants it.
///
/// # Safety
///
/// `out` is null or valid for writes.
unsafe fn make(
    out: *mut Iter,
    direction: c_int,
    source: impl FnOnce() -> Result<IovIter<'static, Source, CHost>, Errno>,
    dest: impl FnOnce() -> Result<IovIter<'static, Dest, CHost>, Errno>,
) -> c_int {
    if out.is_null() {
        return Answer::error(Errno::FAULT);
    }
    let iter = match direction {
        SOURCE => source().map(Iter::Source),
        DEST => dest().map(Iter::Dest),
        _ => Err(Errno::INVAL),
    };
    // SAFETY: the caller's promise.
    status(iter.map(|iter| unsafe { out.write(iter) }))
}

/// All bytes of memory that nobody else uses.
///
/// # Safety
///
/// As for [`memory::segments`]; nobody else writes the bytes of a source, or accesses those of a destination,
/// as long as the iterator is used.
unsafe fn own<D: Direction>(
    iov: *const IoVec,
    iov_count: usize,
) -> Result<IovIter<'static, D, CHost>, Errno> {
    // SAFETY: the caller's promise.
    let segments = unsafe { memory::segments::<D>(iov, iov_count) }?;
    // SAFETY: the caller's promise makes these exclusive segments, which have the same layout.
    let segments: &[KVec<'static, D>] =
        unsafe { core::slice::from_raw_parts(segments.as_ptr().cast(), segments.len()) };
    let all = segments.iter().fold(0_usize, |all, segment| all.wrapping_add(segment.len()));
    IovIter::kvec(segments, all).map_err(errno)
}

/// All bytes of memory that others use, too.
///
/// # Safety
///
/// As for [`memory::segments`].
unsafe fn shared<D: Direction>(
    iov: *const IoVec,
    iov_count: usize,
) -> Result<IovIter<'static, D, CHost>, Errno> {
    // SAFETY: the caller's promise.
    let segments = unsafe { memory::segments::<D>(iov, iov_count) }?;
    let all = segments.iter().fold(0_usize, |all, segment| all.wrapping_add(segment.len()));
    IovIter::shared(segments, all).map_err(errno)
}

/// All bytes of ranges of user memory.
///
/// # Safety
///
/// The array lives, unchanged, as long as the iterator.
unsafe fn user<D: Direction>(
    user: CUser,
    iov: *const IoVec,
    iov_count: usize,
) -> Result<IovIter<'static, D, CHost>, Errno> {
    // SAFETY: the caller's promise.
    let elements = unsafe { memory::array::<'static, IoVec>(iov, iov_count) }?;
    let all = elements.iter().try_fold(0_usize, |all, one| all.checked_add(one.len));
    let all = all.filter(|all| isize::try_from(*all).is_ok()).ok_or(Errno::INVAL)?;
    IovIter::iovec(user, elements, all).map_err(errno)
}

/// Ranges that user memory names.
///
/// # Safety
///
/// `storage` has `room` elements and lives as long as the iterator.
unsafe fn import<D: Direction>(
    user: CUser,
    address: usize,
    iov_count: usize,
    storage: *mut IoVec,
    room: usize,
) -> Result<IovIter<'static, D, CHost>, Errno> {
    // SAFETY: the caller's promise. Nothing is read of it here.
    unsafe { memory::array(storage.cast_const(), room) }?;
    if iov_count > room {
        return Err(Errno::INVAL);
    }
    let mut list = InlineVec::<IoVec, 8>::new();
    let all = {
        let imported: Result<IovIter<'_, D, CHost>, _> =
            IovIter::import_iovec(user, address, iov_count, Abi::Native, &mut list);
        match imported.map_err(errno)? {
            // A single range is not kept in the list.
            IovIter::UserBuf(only) => {
                return Ok(IovIter::UserBuf(only));
            }
            several => several.remaining(),
        }
    };
    // SAFETY: the array has as many elements, and none of them is in the list.
    unsafe { core::ptr::copy_nonoverlapping(list.as_ptr(), storage, list.len()) };
    // SAFETY: they were just written.
    let elements = unsafe { memory::array::<'static, IoVec>(storage, list.len()) }?;
    IovIter::iovec(user, elements, all).map_err(errno)
}

fn user_memory(ops: *const UserOps, opaque: *mut c_void) -> Result<CUser, Errno> {
    if ops.is_null() { Err(Errno::FAULT) } else { Ok(CUser { ops, opaque }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_init_own(
    out: *mut Iter,
    direction: c_int,
    iov: *const IoVec,
    iov_count: usize,
) -> c_int {
    // SAFETY: the header asks for it.
    unsafe { make(out, direction, || own(iov, iov_count), || own(iov, iov_count)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_init_shared(
    out: *mut Iter,
    direction: c_int,
    iov: *const IoVec,
    iov_count: usize,
) -> c_int {
    // SAFETY: the header asks for it.
    unsafe { make(out, direction, || shared(iov, iov_count), || shared(iov, iov_count)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_init_user(
    out: *mut Iter,
    direction: c_int,
    ops: *const UserOps,
    opaque: *mut c_void,
    iov: *const IoVec,
    iov_count: usize,
) -> c_int {
    let memory = || user_memory(ops, opaque);
    // SAFETY: the header asks for it.
    unsafe {
        make(out, direction, || user(memory()?, iov, iov_count), || user(memory()?, iov, iov_count))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_init_discard(out: *mut Iter, len: usize) -> c_int {
    let discard = || match isize::try_from(len) {
        Ok(_) => Ok(IovIter::discard(len)),
        Err(_) => Err(Errno::INVAL),
    };
    // SAFETY: the header asks for it.
    unsafe { make(out, DEST, || Err(Errno::INVAL), discard) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_import(
    out: *mut Iter,
    direction: c_int,
    ops: *const UserOps,
    opaque: *mut c_void,
    address: usize,
    iov_count: usize,
    storage: *mut IoVec,
    room: usize,
) -> c_int {
    let memory = || user_memory(ops, opaque);
    // SAFETY: the header asks for it.
    unsafe {
        make(
            out,
            direction,
            || import(memory()?, address, iov_count, storage, room),
            || import(memory()?, address, iov_count, storage, room),
        )
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_direction(iter: Option<&Iter>) -> c_int {
    match iter {
        None | Some(Iter::Empty) => Answer::error(Errno::INVAL),
        Some(Iter::Source(_)) => SOURCE,
        Some(Iter::Dest(_)) => DEST,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_remaining(iter: Option<&Iter>) -> usize {
    on!(iter, it => it.remaining()).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_copy_from(
    iter: Option<&mut Iter>,
    buf: *mut c_void,
    len: usize,
) -> isize {
    count(source(iter).and_then(|iter| {
        // SAFETY: the header asks for room for `len` bytes.
        let into = unsafe { memory::dest(buf, len) }?;
        Ok(iter.walk(len, |chunk, done| chunk.copy_to(into.slice(done, chunk.len()))))
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_copy_to(
    iter: Option<&mut Iter>,
    buf: *const c_void,
    len: usize,
) -> isize {
    count(dest(iter).and_then(|iter| {
        // SAFETY: the header asks for `len` bytes.
        let from = unsafe { memory::source(buf, len) }?;
        Ok(match iter {
            IovIter::Discard(_) => iter.advance(len),
            _ => iter.walk(len, |chunk, done| chunk.copy_from(from.slice(done, chunk.len()))),
        })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_zero(iter: Option<&mut Iter>, len: usize) -> isize {
    count(dest(iter).map(|iter| iter.zero(len)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_copy(
    to: Option<&mut Iter>,
    from: Option<&mut Iter>,
    len: usize,
) -> isize {
    count(dest(to).and_then(|to| Ok(copy_iter_to_iter(source(from)?, to, len))))
}

/// Bytes that are summed at a time, in memory of this function, as summing must not read C's memory twice.
const BLOCK: usize = 512;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_copy_from_checksum(
    iter: Option<&mut Iter>,
    buf: *mut c_void,
    len: usize,
    checksum: Option<&mut Checksum>,
) -> isize {
    count(source(iter).and_then(|iter| {
        let Checksum(checksum) = checksum.ok_or(Errno::FAULT)?;
        // SAFETY: the header asks for room for `len` bytes.
        let into: Piece<'_, Dest> = unsafe { memory::dest(buf, len) }?;
        let (mut block, mut done) = ([0; BLOCK], 0_usize);
        while done < len {
            let part = block.get_mut(..len.wrapping_sub(done).min(BLOCK)).unwrap_or_default();
            let copied = iter.csum_and_copy_from_iter(part, checksum);
            let part = part.get(..copied).unwrap_or_default();
            done = done.wrapping_add(into.slice(done, copied).copy_from(Piece::from(part)));
            if copied < BLOCK {
                break;
            }
        }
        Ok(done)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_copy_to_checksum(
    iter: Option<&mut Iter>,
    buf: *const c_void,
    len: usize,
    checksum: Option<&mut Checksum>,
) -> isize {
    count(dest(iter).and_then(|iter| {
        let Checksum(checksum) = checksum.ok_or(Errno::FAULT)?;
        // SAFETY: the header asks for `len` bytes.
        let from: Piece<'_, Source> = unsafe { memory::source(buf, len) }?;
        let (mut block, mut done) = ([0; BLOCK], 0_usize);
        while done < len {
            let part = block.get_mut(..len.wrapping_sub(done).min(BLOCK)).unwrap_or_default();
            from.slice(done, part.len()).copy_to(Piece::from(&mut *part));
            let copied = iter.csum_and_copy_to_iter(part, checksum);
            done = done.wrapping_add(copied);
            if copied < BLOCK {
                break;
            }
        }
        Ok(done)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_checksum_update(
    checksum: Option<&mut Checksum>,
    buf: *const c_void,
    len: usize,
) -> c_int {
    let Some(Checksum(checksum)) = checksum else { return Answer::error(Errno::FAULT) };
    // SAFETY: the header asks for `len` bytes.
    status(unsafe { memory::source(buf, len) }.map(|from| {
        let (mut block, mut done) = ([0; BLOCK], 0_usize);
        while done < len {
            let part = block.get_mut(..len.wrapping_sub(done).min(BLOCK)).unwrap_or_default();
            done = done.wrapping_add(from.slice(done, part.len()).copy_to(Piece::from(&mut *part)));
            checksum.update(part);
        }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_checksum_folded(checksum: Option<&Checksum>) -> u16 {
    checksum.map_or(0, |Checksum(checksum)| checksum.folded())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_advance(iter: Option<&mut Iter>, len: usize) -> usize {
    on!(iter, it => it.advance(len)).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_revert(iter: Option<&mut Iter>, len: usize) -> c_int {
    status(on!(iter, it => it.revert(len)).and_then(|result| result.map_err(errno)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_truncate(iter: Option<&mut Iter>, len: u64) -> c_int {
    status(on!(iter, it => it.truncate(len)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reexpand(iter: Option<&mut Iter>, len: usize) -> c_int {
    status(on!(iter, it => it.reexpand(len)).and_then(|result| result.map_err(errno)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_restore(iter: Option<&mut Iter>, saved: Option<&Iter>) -> c_int {
    let restored = match (iter, saved) {
        (Some(Iter::Source(iter)), Some(Iter::Source(saved))) => iter.restore(&saved.save()),
        (Some(Iter::Dest(iter)), Some(Iter::Dest(saved))) => iter.restore(&saved.save()),
        _ => return Answer::error(Errno::INVAL),
    };
    status(restored.map_err(errno))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_segment_count(iter: Option<&Iter>) -> usize {
    on!(iter, it => it.segment_count()).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_segment(iter: Option<&Iter>, segment: *mut IoVec) -> c_int {
    if segment.is_null() {
        return Answer::error(Errno::FAULT);
    }
    let mut found = None;
    truth(on!(iter, it => {
        it.clone().walk(usize::MAX, |chunk, _| {
            found = found.or(Some(match &chunk {
                Chunk::Memory(piece) => IoVec::new(piece.as_ptr().expose_provenance(), piece.len()),
                Chunk::User(piece) => IoVec::new(piece.address(), piece.len()),
            }));
            0
        });
        // SAFETY: the header asks for a place for an element.
        found.is_some_and(|found| unsafe {
            segment.write(found);
            true
        })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_alignment(iter: Option<&Iter>) -> usize {
    on!(iter, it => it.alignment()).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_gap_alignment(iter: Option<&Iter>) -> usize {
    on!(iter, it => it.gap_alignment()).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_is_aligned(
    iter: Option<&Iter>,
    address_mask: usize,
    len_mask: usize,
) -> c_int {
    truth(on!(iter, it => it.is_aligned(address_mask, len_mask)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_npages(iter: Option<&Iter>, max_pages: usize) -> usize {
    on!(iter, it => it.npages(max_pages)).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_fault_in(iter: Option<&Iter>, len: usize) -> usize {
    match iter {
        None | Some(Iter::Empty) => len,
        Some(Iter::Source(iter)) => iter.fault_in_readable(len),
        Some(Iter::Dest(iter)) => iter.fault_in_writeable(len),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_put_iter(
    writer: Option<&mut crate::writer::Writer>,
    iter: Option<&mut Iter>,
    len: usize,
) -> isize {
    let Some(writer) = writer else { return Answer::error(Errno::INVAL) };
    count(source(iter).and_then(|iter| writer.file.put_iter(iter, len).map_err(Errno::from)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_get_iter(
    reader: Option<&mut crate::reader::Reader>,
    iter: Option<&mut Iter>,
    len: usize,
) -> isize {
    let Some(reader) = reader else { return Answer::error(Errno::INVAL) };
    count(dest(iter).and_then(|iter| reader.file.get_iter(iter, len).map_err(Errno::from)))
}
