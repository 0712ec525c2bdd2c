//! Bytes and elements of arrays.

use super::*;

/// The `bytes` from `offset` on, if they are some and the first element holds them.
///
/// It nearly always does. What copies or fills the bytes of several elements is a call, for which the
/// functions save no registers otherwise.
#[inline(always)]
pub(super) fn in_first(
    elements: &[Element],
    offset: usize,
    bytes: usize,
) -> Option<Piece<'_, Dest>> {
    let first = elements.first()?;
    let here = first.len().checked_sub(offset)?;
    (1..=here).contains(&bytes).then(|| first.piece(offset, bytes))
}

/// The bytes at `buf` that a copy of `bytes` may use.
///
/// C code asks for all there are with the largest number.
///
/// # Safety
///
/// Those that the copy gets to are valid for what `P` does, for `'a`.
#[inline]
unsafe fn linear<'a, P: Direction, D: Direction>(
    buf: *const c_void,
    bytes: usize,
    view: &View<'_, D, iov_iter::Shared>,
) -> Piece<'a, P> {
    let len = if bytes <= MAX { bytes } else { view.len().min(MAX) };
    // SAFETY: the caller's promise.
    unsafe { Piece::from_raw_parts(buf.cast_mut().cast(), len) }
}

/// The bytes of all elements together.
#[inline]
pub(super) fn size(elements: &[Element]) -> usize {
    let sum = |elements: &[Element]| {
        elements.iter().fold(0_usize, |size, element| size.wrapping_add(element.len()))
    };
    // Most vectors have one element, and most others few: the loop over vector registers costs some
    // instructions before it starts. So the compiler makes other code for each arm.
    match elements {
        [one] => one.len(),
        few if few.len() <= 4 => sum(few),
        many => sum(many),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_size(iov: *const Element, iov_cnt: c_uint) -> usize {
    // SAFETY: C's contract.
    size(unsafe { elements(iov, iov_cnt as usize) })
}

/// Copies from `buf`, by any number of elements.
///
/// # Safety
///
/// As C's contract of [`iov_from_buf_full`].
#[inline(never)]
unsafe fn scatter(
    iov: *const Element,
    count: usize,
    offset: usize,
    buf: *const c_void,
    bytes: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let into = view::<Dest>(iov, count);
        into.write_piece_at(offset, linear::<Source, _>(buf, bytes, &into)).unwrap_or(0)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_from_buf_full(
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    buf: *const c_void,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe {
        match in_first(elements(iov, iov_cnt as usize), offset, bytes) {
            Some(piece) => piece.copy_from(Piece::from_raw_parts(buf.cast_mut().cast(), bytes)),
            None => scatter(iov, iov_cnt as usize, offset, buf, bytes),
        }
    }
}

/// Copies to `buf`, by any number of elements.
///
/// # Safety
///
/// As C's contract of [`iov_to_buf_full`].
#[inline(never)]
unsafe fn gather(
    iov: *const Element,
    count: usize,
    offset: usize,
    buf: *mut c_void,
    bytes: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let from = view::<Source>(iov, count);
        from.read_piece_at(offset, linear::<Dest, _>(buf, bytes, &from)).unwrap_or(0)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_to_buf_full(
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    buf: *mut c_void,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe {
        match in_first(elements(iov, iov_cnt as usize), offset, bytes) {
            Some(piece) => {
                Piece::<Dest>::from_raw_parts(buf.cast(), bytes).copy_from(source(piece))
            }
            None => gather(iov, iov_cnt as usize, offset, buf, bytes),
        }
    }
}

/// Fills by any number of elements.
///
/// # Safety
///
/// As C's contract of [`iov_memset`].
#[inline(never)]
unsafe fn fill(iov: *const Element, count: usize, offset: usize, value: u8, bytes: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view::<Dest>(iov, count) }.fill_at(offset, value, bytes).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_memset(
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    fillc: c_int,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe {
        // As memset does, the low 8 bits.
        let value = fillc as u8;
        match in_first(elements(iov, iov_cnt as usize), offset, bytes) {
            Some(piece) => piece.fill(value),
            None => fill(iov, iov_cnt as usize, offset, value, bytes),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_copy(
    dst_iov: *mut Element,
    dst_iov_cnt: c_uint,
    iov: *const Element,
    iov_cnt: c_uint,
    offset: usize,
    bytes: usize,
) -> c_uint {
    // SAFETY: C's contract.
    let from = unsafe { elements(iov, iov_cnt as usize) };
    let mut written: c_uint = 0;
    let mut write = |piece| {
        // SAFETY: there is room for `dst_iov_cnt` elements, and fewer are written.
        unsafe { dst_iov.add(written as usize).write(element(piece)) };
        written = written.wrapping_add(1);
        written < dst_iov_cnt
    };
    if dst_iov_cnt > 0 {
        if bytes > 0 {
            each_piece(from, offset, bytes, write);
        } else {
            // Within an element, no bytes are an element all the same.
            let at = from.forward(Position::default(), offset);
            let here = from.get(at.index).filter(|_| at.offset > 0);
            here.map(|here| write(here.piece(at.offset, 0)));
        }
    }
    written
}
