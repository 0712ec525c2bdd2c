//! The functions of QEMU's `util/iov.c`, under their own names.
//!
//! They do what QEMU's do, in all that C code can tell: each element counts, empty ones included. They
//! differ in these points:
//!
//! - A size or an offset out of its range ends the process, with a line on standard error, where it does so
//!   in QEMU 10.0. QEMU 7.2 also ends it at an offset past the end; here that means no bytes.
//! - Sending ends where a socket takes nothing, and asks for at most 1024 elements at a time.
//! - `qemu_iovec_discard_back` is right on a vector of one element of its own, and `iov_hexdump` prints each
//!   offset in full.
//!
//! Where QEMU's versions differ in the empty elements of a slice, they are kept, as in 7.2.
//!
//! C code reads and edits the elements of a vector, where a [`View`] leaves them as they are. So the
//! functions that edit elements do it here; the functions that move bytes are those of the crate.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::slice;

use iov_iter::iov::View;
use iov_iter::segment::{Position, Segments};
use iov_iter::{Dest, Direction, Piece, SharedVec, Source};

mod discard;
mod flat;
mod socket;
mod text;
mod vector;

/// `struct iovec`, of memory that C code, a guest or a device may write at any time. Null where it is empty
/// is what C code has written; nothing looks at it then.
pub type Element = SharedVec<'static, Dest>;

/// `struct iovec`, as C code fills it in.
#[repr(C)]
struct Raw {
    base: *const c_void,
    len: usize,
}

/// What no length of memory exceeds.
const MAX: usize = isize::MAX.unsigned_abs();

/// Ends the process.
#[cold]
fn fail(what: &CStr) -> ! {
    for text in [c"iov: ", what, c"\n"] {
        // SAFETY: the bytes of a string.
        unsafe { libc::write(2, text.as_ptr().cast(), text.count_bytes()) };
    }
    // SAFETY: it takes nothing.
    unsafe { libc::abort() }
}

/// Ends the process unless `held`.
#[inline]
fn require(held: bool, what: &CStr) {
    if !held {
        fail(what);
    }
}

/// The elements of an array of C.
///
/// # Safety
///
/// There are `count` elements at `iov`, which nothing writes during `'a`.
#[inline]
unsafe fn elements<'a>(iov: *const Element, count: usize) -> &'a [Element] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(iov, count) }
}

/// All bytes of an array of C.
///
/// # Safety
///
/// As for [`elements`]; and for `'a` the bytes of each element are valid for what `D` does to them.
#[inline]
unsafe fn view<'a, D: Direction>(
    iov: *const Element,
    count: usize,
) -> View<'a, D, iov_iter::Shared> {
    // SAFETY: the caller's promise. A segment of either direction is a `struct iovec`.
    View::new(unsafe {
        let elements = elements(iov, count);
        slice::from_raw_parts(elements.as_ptr().cast::<SharedVec<'a, D>>(), elements.len())
    })
}

/// Calls `step` for a piece of each element that has any of the `bytes` from `offset` on, as long as it
/// returns true. They end where the elements do.
///
/// Not an iterator: the state of one would be kept in memory.
#[inline(always)]
fn each_piece<'e>(
    elements: &'e [Element],
    offset: usize,
    bytes: usize,
    mut step: impl FnMut(Piece<'e, Dest>) -> bool,
) {
    let at = elements.forward(Position::default(), offset);
    let (mut skip, mut left) = (at.offset, bytes);
    for element in elements.get(at.index..).unwrap_or_default() {
        if left == 0 {
            return;
        }
        let piece = element.piece(skip, left);
        skip = 0;
        left = left.wrapping_sub(piece.len());
        if !piece.is_empty() && !step(piece) {
            return;
        }
    }
}

/// An element for bytes of an element.
#[inline]
fn element(piece: Piece<'_, Dest>) -> Element {
    // SAFETY: C code takes care of how long its elements are valid.
    unsafe { lent(piece.as_ptr().cast(), piece.len()) }
}

/// An element for `len` bytes of C, as C has it: null stays null.
///
/// # Safety
///
/// They are valid for whatever the element is used for.
#[inline]
unsafe fn lent(base: *const c_void, len: usize) -> Element {
    // SAFETY: the caller's promise. An element is an address and a length, laid out as `struct iovec`.
    unsafe { core::mem::transmute::<Raw, Element>(Raw { base, len }) }
}

/// The bytes of a piece, to read.
///
/// # Safety
///
/// They are valid for reads.
#[inline]
unsafe fn source<'p>(piece: Piece<'p, Dest>) -> Piece<'p, Source> {
    // SAFETY: the caller's promise.
    unsafe { Piece::from_raw_parts(piece.as_ptr().cast_mut(), piece.len()) }
}
