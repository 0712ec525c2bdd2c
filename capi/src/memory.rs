//! Memory of C callers: checked for what can be checked, and taken for memory that others may write.

use core::ffi::c_void;
use core::slice;

use iov_iter::{Dest, Direction, IoVec, Piece, SharedVec, Source};

use crate::errno::Errno;

/// The most bytes that a call moves: what an `ssize_t` counts.
const MAX: usize = isize::MAX.unsigned_abs();

/// Whether `len` bytes can be at `base`.
#[inline]
fn check(base: usize, len: usize) -> Result<(), Errno> {
    if len == 0 {
        Ok(())
    } else if base == 0 {
        Err(Errno::FAULT)
    } else if len > MAX || base.checked_add(len).is_none() {
        Err(Errno::INVAL)
    } else {
        Ok(())
    }
}

/// The `len` bytes at `base` that a C caller lends.
///
/// # Safety
///
/// They are valid for reads, for a source, or for writes, for `'a`, unless `len` is 0.
#[inline]
unsafe fn piece<'a, D: Direction>(base: *mut c_void, len: usize) -> Result<Piece<'a, D>, Errno> {
    check(base.addr(), len)?;
    // SAFETY: the caller's promise. Rust code has no reference to memory of C, and the length is checked.
    Ok(unsafe { Piece::from_raw_parts(base.cast(), len) })
}

/// Bytes to read.
///
/// # Safety
///
/// `len` bytes at `base` are valid for reads for `'a`, unless `len` is 0.
#[inline]
pub(crate) unsafe fn source<'a>(
    base: *const c_void,
    len: usize,
) -> Result<Piece<'a, Source>, Errno> {
    // SAFETY: the caller's promise.
    unsafe { piece(base.cast_mut(), len) }
}

/// Bytes to write.
///
/// # Safety
///
/// `len` bytes at `base` are valid for writes for `'a`, unless `len` is 0.
#[inline]
pub(crate) unsafe fn dest<'a>(base: *mut c_void, len: usize) -> Result<Piece<'a, Dest>, Errno> {
    // SAFETY: the caller's promise.
    unsafe { piece(base, len) }
}

/// An array of `count` elements that a C caller lends. Null without elements is an empty one.
///
/// # Safety
///
/// The elements are valid for reads, and nothing writes them, for `'a`.
#[inline]
pub(crate) unsafe fn array<'a, T>(first: *const T, count: usize) -> Result<&'a [T], Errno> {
    let Some(size) = count.checked_mul(size_of::<T>()) else { return Err(Errno::INVAL) };
    check(first.addr(), size)?;
    if count == 0 {
        return Ok(&[]);
    }
    if !first.is_aligned() {
        return Err(Errno::FAULT);
    }
    // SAFETY: the caller's promise; not null, aligned, and no longer than any object.
    Ok(unsafe { slice::from_raw_parts(first, count) })
}

/// Calls `step` for each piece of at most `len` bytes of a vector from `offset` on, until it returns false.
///
/// `step` gets the piece and the number of bytes before it. Returns the bytes of all pieces. Each element up
/// to the last byte is looked at once.
///
/// # Errors
///
/// `EINVAL` if the offset exceeds the bytes there are; `EFAULT` or `EINVAL` if the first byte is in an
/// element that cannot be memory. A later such element ends the walk.
///
/// # Safety
///
/// As for [`array`]; and the bytes of each element are valid as [`piece`] says.
#[inline]
pub(crate) unsafe fn walk<'a, D: Direction>(
    iov: *const IoVec,
    count: usize,
    offset: usize,
    len: usize,
    mut step: impl FnMut(Piece<'a, D>, usize) -> bool,
) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    let elements = unsafe { array(iov, count) }?;
    let (mut skip, mut done) = (offset, 0_usize);
    for element in elements {
        let Some(here @ 1..) = element.len.checked_sub(skip) else {
            skip = skip.wrapping_sub(element.len);
            continue;
        };
        if let Err(errno) = check(element.base, element.len) {
            return if done == 0 { Err(errno) } else { Ok(done) };
        }
        // `skip` is less than the element's length, and `done` at most `len`, which their sum never exceeds.
        let now = here.min(len.wrapping_sub(done));
        let base = core::ptr::with_exposed_provenance_mut::<u8>(element.base.wrapping_add(skip));
        // SAFETY: a part of the element, which was checked, and the caller's promise.
        let goes_on = step(unsafe { Piece::from_raw_parts(base, now) }, done);
        done = done.wrapping_add(now);
        skip = 0;
        if done >= len || !goes_on {
            return Ok(done);
        }
    }
    if skip == 0 { Ok(done) } else { Err(Errno::INVAL) }
}

/// A range of the bytes of an array of `struct iovec`, whose elements were checked.
pub(crate) struct Range<'a, D: Direction> {
    /// The elements that hold it.
    pub(crate) segments: &'a [SharedVec<'a, D>],
    /// Bytes of the first element before the range.
    pub(crate) skip: usize,
    /// Bytes of the range: those asked for, or those up to the end of the array.
    pub(crate) len: usize,
}

/// Finds the bytes of a vector from `offset` on, at most `len`, and looks at no element after them.
///
/// Empty elements change nothing, wherever they point.
///
/// # Errors
///
/// `EINVAL` if the offset exceeds the bytes there are; `EFAULT` or `EINVAL` if an element up to the last
/// byte of the range cannot be memory.
///
/// # Safety
///
/// As for [`array`]; and the bytes of each element are valid as [`piece`] says.
#[inline]
pub(crate) unsafe fn range<'a, D: Direction>(
    iov: *const IoVec,
    count: usize,
    offset: usize,
    len: usize,
) -> Result<Range<'a, D>, Errno> {
    // SAFETY: the caller's promise.
    let elements = unsafe { array(iov, count) }?;
    let mut rest = elements.iter();
    let mut skip = offset;
    let mut first = 0_usize;
    let mut here = loop {
        let Some(element) = rest.next() else {
            let nothing = Range { segments: &[], skip: 0, len: 0 };
            return if skip == 0 { Ok(nothing) } else { Err(Errno::INVAL) };
        };
        check(element.base, element.len)?;
        match element.len.checked_sub(skip) {
            Some(here @ 1..) => break here,
            // All before it are shorter than the offset together.
            _ => skip = skip.wrapping_sub(element.len),
        }
        first = first.wrapping_add(1);
    };
    let wanted = len.min(MAX);
    let mut last = first;
    let mut found = 0_usize;
    loop {
        // Both are at most isize::MAX.
        found = found.wrapping_add(here);
        if found >= wanted {
            found = wanted;
            break;
        }
        let Some(element) = rest.next() else { break };
        check(element.base, element.len)?;
        here = element.len;
        last = last.wrapping_add(1);
    }
    let elements = elements.get(first..=last).unwrap_or_default();
    // SAFETY: an `IoVec` and a `SharedVec` have the layout of `struct iovec`. Each of these elements was
    // checked, and its bytes are valid by the caller's promise.
    let segments = unsafe { slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) };
    Ok(Range { segments, skip, len: found })
}

/// All bytes of a vector as segments.
///
/// # Errors
///
/// As [`range`]; `EINVAL` if the bytes are more than an `ssize_t` counts.
///
/// # Safety
///
/// As for [`range`].
pub(crate) unsafe fn segments<'a, D: Direction>(
    iov: *const IoVec,
    count: usize,
) -> Result<&'a [SharedVec<'a, D>], Errno> {
    // SAFETY: the caller's promise.
    let elements = unsafe { array(iov, count) }?;
    let mut total = 0_usize;
    for element in elements {
        check(element.base, element.len)?;
        total = total.checked_add(element.len).filter(|total| *total <= MAX).ok_or(Errno::INVAL)?;
    }
    // SAFETY: as in `range`.
    Ok(unsafe { slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) })
}

/// Describes `pieces` by the elements of an array for C, as far as it has room. Returns the number of pieces.
///
/// # Safety
///
/// The array is valid for writes of `count` elements.
pub(crate) unsafe fn describe_all<'p, D: Direction>(
    iov: *mut IoVec,
    count: usize,
    pieces: impl Iterator<Item = Piece<'p, D>>,
) -> Result<usize, Errno> {
    // SAFETY: the caller's promise; nothing is read of it.
    unsafe { array(iov.cast_const(), count) }?;
    let mut described = 0_usize;
    for piece in pieces {
        if described < count {
            let element = IoVec { base: piece.as_ptr().expose_provenance(), len: piece.len() };
            // SAFETY: the array has this element.
            unsafe { iov.wrapping_add(described).write(element) };
        }
        described = described.saturating_add(1);
    }
    Ok(described)
}
