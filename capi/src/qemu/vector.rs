//! `QEMUIOVector`.

use core::mem::size_of;
use core::ptr;

use super::flat::{in_first, iov_from_buf_full, iov_memset, iov_to_buf_full, size};
use super::*;

/// `QEMUIOVector`, whose fields C code reads and, in inline functions, writes.
#[repr(C)]
pub struct Vector {
    iov: *mut Element,
    niov: c_int,
    storage: Storage,
}

/// What C has in a union of its own, aligned as an address is.
#[repr(C)]
struct Storage {
    /// The elements that there is room for, or `FIXED`.
    nalloc: c_int,
    /// The element inside, if the array is that. Its length is the size of the vector in any case.
    inside: Raw,
}

/// The array is the caller's, or the element inside: nothing may be added.
const FIXED: c_int = -1;

/// The most elements of `qemu_iovec_init_extended`.
const IOV_MAX: usize = 1024;

/// Room for `count` elements, some of them perhaps at `old`. As with g_malloc, no memory ends the process.
///
/// # Safety
///
/// `old` is null or from here.
unsafe fn room(old: *mut Element, count: c_int) -> *mut Element {
    let Ok(count) = usize::try_from(count) else { fail(c"too many elements") };
    if count == 0 {
        return ptr::null_mut();
    }
    let size = count.saturating_mul(size_of::<Element>());
    // SAFETY: the caller's promise. There is no memory of the largest size.
    let new = unsafe { libc::realloc(old.cast(), size) };
    require(!new.is_null(), c"no memory for a vector");
    new.cast()
}

impl Vector {
    const fn new(iov: *mut Element, niov: c_int, nalloc: c_int, size: usize) -> Self {
        let inside = Raw { base: ptr::null(), len: size };
        Self { iov, niov, storage: Storage { nalloc, inside } }
    }

    #[inline]
    fn count(&self) -> usize {
        usize::try_from(self.niov).unwrap_or(0)
    }

    /// # Safety
    ///
    /// As for [`elements`].
    #[inline]
    unsafe fn elements(&self) -> &[Element] {
        // SAFETY: the caller's promise.
        unsafe { elements(self.iov, self.count()) }
    }

    #[inline]
    fn require_growable(&self) {
        require(self.storage.nalloc != FIXED, c"the array of this vector cannot change");
    }

    #[inline]
    fn require_range(&self, offset: usize, len: usize) {
        let end = offset.checked_add(len);
        require(
            end.is_some_and(|end| end <= self.storage.inside.len),
            c"the range exceeds the vector",
        );
    }

    /// # Safety
    ///
    /// The vector was made by one of the functions here.
    #[inline]
    unsafe fn push(&mut self, element: Element) {
        self.require_growable();
        if self.niov == self.storage.nalloc {
            // SAFETY: the caller's promise.
            unsafe { self.grow() };
        }
        // SAFETY: there is room.
        unsafe { self.iov.add(self.count()).write(element) };
        self.niov = self.niov.wrapping_add(1);
        self.storage.inside.len = self.storage.inside.len.wrapping_add(element.len());
    }

    /// # Safety
    ///
    /// As for [`push`](Self::push).
    #[cold]
    unsafe fn grow(&mut self) {
        let wanted = self.storage.nalloc.checked_mul(2).and_then(|double| double.checked_add(1));
        let Some(wanted) = wanted else { fail(c"too many elements") };
        // SAFETY: the caller's promise.
        self.iov = unsafe { room(self.iov, wanted) };
        self.storage.nalloc = wanted;
    }

    /// The elements of a range that lies in the vector: where they start, how many they are, and the bytes
    /// before the range in the first and after it in the last.
    ///
    /// An empty element is of the range where it is at its start or within it.
    ///
    /// # Safety
    ///
    /// As for [`elements`].
    // Always, as a call would return the four numbers through memory.
    #[inline(always)]
    unsafe fn slice(&self, offset: usize, len: usize) -> Slice {
        self.require_range(offset, len);
        // SAFETY: the caller's promise.
        let elements = unsafe { self.elements() };
        let (first, head) = skip(elements, offset);
        let rest = elements.get(first..).unwrap_or_default();
        let (whole, in_last) = skip(rest, head.wrapping_add(len));
        match rest.get(whole) {
            Some(last) if in_last > 0 => {
                let tail = last.len().wrapping_sub(in_last);
                Slice { first, count: whole.wrapping_add(1), head, tail }
            }
            _ => Slice { first, count: whole, head, tail: 0 },
        }
    }

    /// As [`slice`](Self::slice), with the elements themselves.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    unsafe fn part(&self, offset: usize, len: usize) -> Part<'_> {
        // SAFETY: the caller's promise.
        let (slice, elements) = unsafe { (self.slice(offset, len), self.elements()) };
        let elements = elements.get(slice.first..).and_then(|rest| rest.get(..slice.count));
        Part { elements: elements.unwrap_or_default(), before: slice.head, after: slice.tail }
    }
}

/// Elements of a vector, and the bytes of the first and of the last that are not meant.
struct Part<'e> {
    elements: &'e [Element],
    before: usize,
    after: usize,
}

impl Part<'_> {
    const NONE: Self = Self { elements: &[], before: 0, after: 0 };
}

struct Slice {
    first: usize,
    count: usize,
    head: usize,
    tail: usize,
}

/// The index of the element that holds the byte at `offset`, and the offset of that byte in the element.
///
/// Where empty elements come just before that element, the index is that of the first of them.
fn skip(elements: &[Element], offset: usize) -> (usize, usize) {
    let Position { mut index, offset: here, .. } = elements.forward(Position::default(), offset);
    if here == 0 {
        let passed = elements.get(..index).unwrap_or_default();
        let empty = passed.iter().rev().take_while(|element| element.is_empty());
        index = empty.fold(index, |index, _| index.wrapping_sub(1));
    }
    (index, here)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_init(qiov: *mut Vector, alloc_hint: c_int) {
    // SAFETY: C's contract.
    unsafe {
        let iov = room(ptr::null_mut(), alloc_hint);
        qiov.write(Vector::new(iov, 0, alloc_hint, 0));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_init_external(
    qiov: *mut Vector,
    iov: *mut Element,
    niov: c_int,
) {
    let mut vector = Vector::new(iov, niov, FIXED, 0);
    // SAFETY: C's contract.
    unsafe {
        vector.storage.inside.len = size(vector.elements());
        qiov.write(vector);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_init_extended(
    qiov: *mut Vector,
    head_buf: *mut c_void,
    head_len: usize,
    mid_qiov: *const Vector,
    mid_offset: usize,
    mid_len: usize,
    tail_buf: *mut c_void,
    tail_len: usize,
) -> c_int {
    let total = head_len.checked_add(mid_len).and_then(|sum| sum.checked_add(tail_len));
    let Some(total) = total else { return -libc::EINVAL };
    // SAFETY: C's contract.
    unsafe {
        let middle = if mid_len > 0 { (*mid_qiov).part(mid_offset, mid_len) } else { Part::NONE };
        let ends = [lent(head_buf, head_len), lent(tail_buf, tail_len)];
        if join(qiov, total, &middle, ends) { 0 } else { -libc::EINVAL }
    }
}

/// Makes a vector of `total` bytes of a part of another and what comes before and after it, unless that is
/// empty. Returns false, and makes none, if the elements are too many.
///
/// # Safety
///
/// `qiov` is valid for writes.
unsafe fn join(
    qiov: *mut Vector,
    total: usize,
    middle: &Part<'_>,
    [head, tail]: [Element; 2],
) -> bool {
    let Part { elements, before, after } = *middle;
    let ends = usize::from(!head.is_empty()).wrapping_add(usize::from(!tail.is_empty()));
    let count = elements.len().wrapping_add(ends);
    if count > IOV_MAX {
        return false;
    }
    // At most IOV_MAX.
    let niov = count as c_int;
    // SAFETY: the caller's promise; there is room for `count` elements.
    unsafe {
        let (nalloc, iov) = match niov {
            // The element inside.
            1 => (FIXED, (&raw mut (*qiov).storage.inside).cast::<Element>()),
            _ => (niov, room(ptr::null_mut(), niov)),
        };
        qiov.write(Vector::new(iov, niov, nalloc, total));
        let mut next = iov;
        if !head.is_empty() {
            next.write(head);
            next = next.add(1);
        }
        if let Some(last) = elements.len().checked_sub(1) {
            next.copy_from_nonoverlapping(elements.as_ptr(), elements.len());
            let last = next.add(last);
            (*last).truncate((*last).len().wrapping_sub(after));
            (*next).advance(before);
            next = last.add(1);
        }
        if !tail.is_empty() {
            next.write(tail);
        }
    }
    true
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_init_slice(
    qiov: *mut Vector,
    source: *const Vector,
    offset: usize,
    len: usize,
) {
    // SAFETY: C's contract.
    unsafe {
        let part = (*source).part(offset, len);
        if len == 0 {
            qiov.write(Vector::new(ptr::null_mut(), 0, 0, 0));
        } else if let [one] = part.elements {
            // The element inside, which most slices are.
            let inside = &raw mut (*qiov).storage.inside;
            qiov.write(Vector::new(inside.cast(), 1, FIXED, len));
            (*inside).base = one.as_ptr().wrapping_add(part.before).cast();
        } else {
            let none = [lent(ptr::null(), 0); 2];
            require(join(qiov, len, &part, none), c"too many elements for a slice");
        }
    }
}

/// As of QEMU 8.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_slice(
    qiov: *const Vector,
    offset: usize,
    len: usize,
    head: *mut usize,
    tail: *mut usize,
    niov: *mut c_int,
) -> *mut Element {
    // SAFETY: C's contract.
    unsafe {
        let slice = (*qiov).slice(offset, len);
        *head = slice.head;
        *tail = slice.tail;
        // At most the count of the vector.
        *niov = slice.count as c_int;
        (*qiov).iov.wrapping_add(slice.first)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_subvec_niov(
    qiov: *const Vector,
    offset: usize,
    len: usize,
) -> c_int {
    // SAFETY: C's contract. The count is at most that of the vector.
    unsafe { (*qiov).slice(offset, len).count as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_add(qiov: *mut Vector, base: *mut c_void, len: usize) {
    // SAFETY: C's contract.
    unsafe { (*qiov).push(lent(base, len)) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_concat_iov(
    dst: *mut Vector,
    src_iov: *const Element,
    src_cnt: c_uint,
    soffset: usize,
    sbytes: usize,
) -> usize {
    if sbytes == 0 {
        return 0;
    }
    // SAFETY: C's contract: the arrays are different ones.
    unsafe {
        (*dst).require_growable();
        let mut done = 0_usize;
        each_piece(elements(src_iov, src_cnt as usize), soffset, sbytes, |piece| {
            done = done.wrapping_add(piece.len());
            (*dst).push(element(piece));
            true
        });
        done
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_concat(
    dst: *mut Vector,
    src: *const Vector,
    soffset: usize,
    sbytes: usize,
) {
    // SAFETY: C's contract.
    unsafe { qemu_iovec_concat_iov(dst, (*src).iov, (*src).niov as c_uint, soffset, sbytes) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_is_zero(
    qiov: *const Vector,
    offset: usize,
    bytes: usize,
) -> bool {
    // SAFETY: C's contract.
    unsafe {
        (*qiov).require_range(offset, bytes);
        if let Some(piece) = in_first((*qiov).elements(), offset, bytes) {
            return source(piece).is_zero();
        }
        let mut zero = true;
        each_piece((*qiov).elements(), offset, bytes, |piece| {
            zero = source(piece).is_zero();
            zero
        });
        zero
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_destroy(qiov: *mut Vector) {
    // SAFETY: C's contract.
    unsafe {
        if (*qiov).storage.nalloc != FIXED {
            libc::free((*qiov).iov.cast());
        }
        ptr::write_bytes(qiov, 0, 1);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_reset(qiov: *mut Vector) {
    // SAFETY: C's contract.
    unsafe {
        (*qiov).require_growable();
        (*qiov).niov = 0;
        (*qiov).storage.inside.len = 0;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_to_buf(
    qiov: *const Vector,
    offset: usize,
    buf: *mut c_void,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe { iov_to_buf_full((*qiov).iov, (*qiov).niov as c_uint, offset, buf, bytes) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_from_buf(
    qiov: *const Vector,
    offset: usize,
    buf: *const c_void,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe { iov_from_buf_full((*qiov).iov, (*qiov).niov as c_uint, offset, buf, bytes) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_memset(
    qiov: *const Vector,
    offset: usize,
    fillc: c_int,
    bytes: usize,
) -> usize {
    // SAFETY: C's contract.
    unsafe { iov_memset((*qiov).iov, (*qiov).niov as c_uint, offset, fillc, bytes) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_compare(a: *const Vector, b: *const Vector) -> isize {
    // SAFETY: C's contract.
    unsafe {
        let (a, b) = ((*a).elements(), (*b).elements());
        require(a.len() == b.len(), c"vectors of different structure");
        let mut equal = 0_usize;
        for (one, other) in a.iter().zip(b) {
            require(one.len() == other.len(), c"vectors of different structure");
            let (one, other) = (one.piece(0, usize::MAX), other.piece(0, usize::MAX));
            if let Some(at) = source(one).mismatch(source(other)) {
                return equal.wrapping_add(at) as isize;
            }
            equal = equal.wrapping_add(one.len());
        }
    }
    -1
}

/// Where an element of the source lies, and where it comes to lie.
struct Placed {
    index: usize,
    address: usize,
    len: usize,
    offset: usize,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_clone(dest: *mut Vector, src: *const Vector, buf: *mut c_void) {
    // SAFETY: C's contract.
    let elements = unsafe { (*src).elements() };
    let mut list = std::vec::Vec::new();
    require(list.try_reserve_exact(elements.len()).is_ok(), c"no memory to clone a vector");
    list.extend(elements.iter().enumerate().map(|(index, element)| Placed {
        index,
        address: element.as_ptr().addr(),
        len: element.len(),
        offset: 0,
    }));
    list.sort_unstable_by_key(|element| element.address);
    // The bytes of the buffer in use, and the address of the byte after those that they stand for.
    let (mut used, mut end) = (0_usize, 0_usize);
    for element in &mut list {
        element.offset = used.wrapping_sub(end.saturating_sub(element.address));
        let its_end = element.address.wrapping_add(element.len);
        used = used.wrapping_add(its_end.saturating_sub(end.max(element.address)));
        end = end.max(its_end);
    }
    list.sort_unstable_by(|one, other| Ord::cmp(&one.index, &other.index));
    for Placed { len, offset, .. } in list {
        // SAFETY: C's contract: the buffer has room.
        unsafe { (*dest).push(lent(buf.wrapping_byte_add(offset), len)) };
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_iovec_discard_back(qiov: *mut Vector, bytes: usize) {
    // SAFETY: C's contract.
    unsafe {
        let size = (*qiov).storage.inside.len;
        require(bytes <= size, c"more bytes to discard than there are");
        let mut count = (*qiov).niov as c_uint;
        super::discard::iov_discard_back((*qiov).iov, &raw mut count, bytes);
        (*qiov).niov = count as c_int;
        // The length of an element inside is this.
        (*qiov).storage.inside.len = size.wrapping_sub(bytes);
    }
}
