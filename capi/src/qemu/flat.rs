//! Bytes and elements of arrays.

use super::*;

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
    elements.iter().fold(0, |size, element| size.wrapping_add(element.len()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_size(iov: *const Element, iov_cnt: c_uint) -> usize {
    // SAFETY: C's contract.
    size(unsafe { elements(iov, iov_cnt as usize) })
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
        let into = view::<Dest>(iov, iov_cnt as usize);
        into.write_piece_at(offset, linear::<Source, _>(buf, bytes, &into)).unwrap_or(0)
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
        let from = view::<Source>(iov, iov_cnt as usize);
        from.read_piece_at(offset, linear::<Dest, _>(buf, bytes, &from)).unwrap_or(0)
    }
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
    let into = unsafe { view::<Dest>(iov, iov_cnt as usize) };
    // As memset does, the low 8 bits.
    into.fill_at(offset, fillc as u8, bytes).unwrap_or(0)
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
