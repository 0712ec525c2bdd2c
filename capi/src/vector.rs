//! Arrays of `struct iovec`.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt;

use iov_iter::iov::View;
use iov_iter::{Dest, Direction, IoVec, Segments, Shared, Source};

use crate::errno::{Answer, Errno, count, truth};
use crate::memory::{self, Range};

/// A range of a vector.
type Bytes<'a, D> = View<'a, D, Shared>;

/// As [`memory::range`].
///
/// # Safety
///
/// As there.
unsafe fn view<'a, D: Direction>(
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    len: usize,
) -> Result<Bytes<'a, D>, Errno> {
    // SAFETY: the caller's promise.
    let Range { segments, skip, len } = unsafe { memory::range(iov, iov_count, offset, len) }?;
    View::new(segments).slice(skip, len).map_err(|_| Errno::INVAL)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_size(iov: *const IoVec, iov_count: usize) -> isize {
    // SAFETY: the header asks for the array.
    let elements = unsafe { memory::array(iov, iov_count) };
    // A sum that does not fit saturates.
    let size = elements.map(|elements| elements.total());
    count(size.and_then(|size| isize::try_from(size).map(|_| size).map_err(|_| Errno::INVAL)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_to_buf(
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    buf: *mut c_void,
    len: usize,
) -> isize {
    // SAFETY: the header asks for the vector's memory, and for that of the buffer.
    count(unsafe { memory::dest(buf, len) }.and_then(|into| unsafe {
        memory::walk::<Source>(iov, iov_count, offset, len, |piece, done| {
            into.slice(done, usize::MAX).copy_from(piece);
            true
        })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_from_buf(
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    buf: *const c_void,
    len: usize,
) -> isize {
    // SAFETY: the header asks for the vector's memory, and for that of the buffer.
    count(unsafe { memory::source(buf, len) }.and_then(|from| unsafe {
        memory::walk::<Dest>(iov, iov_count, offset, len, |piece, done| {
            piece.copy_from(from.slice(done, usize::MAX));
            true
        })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_fill(
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    value: c_int,
    len: usize,
) -> isize {
    // SAFETY: the header asks for the vector's memory.
    count(unsafe {
        memory::walk::<Dest>(iov, iov_count, offset, len, |piece, _| {
            // As memset takes the value.
            piece.fill(value as u8);
            true
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_is_zero(
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    len: usize,
) -> c_int {
    // SAFETY: the header asks for the vector's memory.
    let from: Result<Bytes<'_, Source>, _> = unsafe { view(iov, iov_count, offset, len) };
    truth(from.map(|from| from.is_zero()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_compare(
    iov: *const IoVec,
    iov_count: usize,
    other: *const IoVec,
    other_count: usize,
    at: *mut usize,
) -> c_int {
    let compare = || {
        // SAFETY: the header asks for the memory of both.
        let one: Bytes<'_, Source> = View::new(unsafe { memory::segments(iov, iov_count) }?);
        // SAFETY: as above.
        let two: Bytes<'_, Source> = View::new(unsafe { memory::segments(other, other_count) }?);
        let Some(mismatch) = one.mismatch(&two) else { return Ok(false) };
        if !at.is_null() {
            // SAFETY: the header asks for a place for a number.
            unsafe { at.write(mismatch) };
        }
        Ok::<_, Errno>(true)
    };
    truth(compare())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_copy(
    dst: *mut IoVec,
    dst_count: usize,
    iov: *const IoVec,
    iov_count: usize,
    offset: usize,
    len: usize,
) -> isize {
    // SAFETY: the header asks for both arrays. The memory is only described.
    count(unsafe {
        view::<Source>(iov, iov_count, offset, len)
            .and_then(|from| memory::describe_all(dst, dst_count, from.pieces().take(dst_count)))
    })
}

/// `struct ioviter_undo`.
#[repr(C)]
pub struct Undo {
    iov: *mut IoVec,
    iov_count: usize,
    entry: *mut IoVec,
    before: IoVec,
}

/// Where C keeps a vector: a pointer to its array and a number of elements.
struct Kept {
    iov: *mut *mut IoVec,
    count: *mut usize,
    undo: *mut Undo,
}

impl Kept {
    /// The array and the number of elements.
    ///
    /// # Safety
    ///
    /// The pointers are null or valid.
    unsafe fn load(&self) -> Result<(*mut IoVec, usize), Errno> {
        if self.iov.is_null() || self.count.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's promise.
        let (iov, count) = unsafe { (self.iov.read(), self.count.read()) };
        // SAFETY: the header asks for the array; no element is read through this slice.
        unsafe { memory::array(iov, count) }.map(|_| (iov, count))
    }

    /// Makes `iov` and `count` the vector, and `change` its element `at`, and says how to undo that.
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load), which succeeded; `at` points at an element if there is a change.
    unsafe fn store(&self, iov: *mut IoVec, count: usize, at: *mut IoVec, change: Option<IoVec>) {
        // SAFETY: the caller's promise.
        unsafe {
            if !self.undo.is_null() {
                let entry = if change.is_some() { at } else { core::ptr::null_mut() };
                let before = if change.is_some() { at.read() } else { IoVec::default() };
                let undo =
                    Undo { iov: self.iov.read(), iov_count: self.count.read(), entry, before };
                self.undo.write(undo);
            }
            if let Some(change) = change {
                at.write(change);
            }
            self.iov.write(iov);
            self.count.write(count);
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_discard_front(
    iov: *mut *mut IoVec,
    iov_count: *mut usize,
    len: usize,
    undo: *mut Undo,
) -> isize {
    let kept = Kept { iov, count: iov_count, undo };
    // SAFETY: the header asks for valid pointers.
    count(unsafe { kept.load() }.map(|(mut iov, mut count)| {
        let (mut left, mut change) = (len.min(isize::MAX.unsigned_abs()), None);
        let wanted = left;
        while count > 0 {
            // SAFETY: there is an element.
            let IoVec { base, len } = unsafe { iov.read() };
            if left < len {
                change = (left > 0)
                    .then(|| IoVec { base: base.wrapping_add(left), len: len.wrapping_sub(left) });
                left = 0;
                break;
            }
            left = left.wrapping_sub(len);
            (iov, count) = (iov.wrapping_add(1), count.wrapping_sub(1));
        }
        // SAFETY: as above.
        unsafe { kept.store(iov, count, iov, change) };
        wanted.wrapping_sub(left)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_discard_back(
    iov: *mut *mut IoVec,
    iov_count: *mut usize,
    len: usize,
    undo: *mut Undo,
) -> isize {
    let kept = Kept { iov, count: iov_count, undo };
    // SAFETY: the header asks for valid pointers.
    count(unsafe { kept.load() }.map(|(iov, mut count)| {
        let (mut left, mut change) = (len.min(isize::MAX.unsigned_abs()), None);
        let wanted = left;
        let mut at = iov.wrapping_add(count);
        while count > 0 {
            at = at.wrapping_sub(1);
            // SAFETY: there is an element.
            let element = unsafe { at.read() };
            if left < element.len {
                change =
                    (left > 0).then(|| IoVec { len: element.len.wrapping_sub(left), ..element });
                left = 0;
                break;
            }
            left = left.wrapping_sub(element.len);
            count = count.wrapping_sub(1);
        }
        // SAFETY: as above.
        unsafe { kept.store(iov, count, at, change) };
        wanted.wrapping_sub(left)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_undo(
    iov: *mut *mut IoVec,
    iov_count: *mut usize,
    undo: *const Undo,
) -> c_int {
    if iov.is_null() || iov_count.is_null() || undo.is_null() {
        return Answer::error(Errno::FAULT);
    }
    // SAFETY: the header asks for valid pointers, and for what a discard made, whose array is still there.
    unsafe {
        let undo = undo.read();
        if !undo.entry.is_null() {
            undo.entry.write(undo.before);
        }
        iov.write(undo.iov);
        iov_count.write(undo.iov_count);
    }
    0
}

/// A function of C that takes text.
struct Printer {
    print: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> c_int,
    opaque: *mut c_void,
    /// What it returned, once that was not 0.
    failed: c_int,
}

impl fmt::Write for Printer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the header asks for a function that takes these.
        self.failed = unsafe { (self.print)(self.opaque, text.as_ptr().cast(), text.len()) };
        if self.failed == 0 { Ok(()) } else { Err(fmt::Error) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_vec_hexdump(
    iov: *const IoVec,
    iov_count: usize,
    prefix: *const c_char,
    limit: usize,
    print: Option<unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> c_int>,
    opaque: *mut c_void,
) -> c_int {
    let Some(print) = print else { return Answer::error(Errno::FAULT) };
    if prefix.is_null() {
        return Answer::error(Errno::FAULT);
    }
    // SAFETY: the header asks for a string.
    let Ok(prefix) = unsafe { CStr::from_ptr(prefix) }.to_str() else {
        return Answer::error(Errno::INVAL);
    };
    // SAFETY: the header asks for the vector's memory.
    let from: Bytes<'_, Source> = match unsafe { view(iov, iov_count, 0, limit) } {
        Ok(from) => from,
        Err(errno) => return Answer::error(errno),
    };
    let mut printer = Printer { print, opaque, failed: 0 };
    match from.hexdump(&mut printer, prefix, limit) {
        Ok(()) => 0,
        Err(fmt::Error) => printer.failed,
    }
}

#[cfg(feature = "std")]
mod transfers {
    use iov_iter::iov::{Stop, Transfer};

    use super::*;
    use crate::socket::Socket;

    /// What moved, or why nothing did.
    fn moved(transfer: Transfer<Errno>) -> Result<usize, Errno> {
        match transfer.stop {
            Stop::Failed(errno) if transfer.moved == 0 => Err(errno),
            Stop::WouldBlock if transfer.moved == 0 => Err(Errno::AGAIN),
            _ => Ok(transfer.moved),
        }
    }

    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ioviter_vec_send(
        descriptor: c_int,
        iov: *const IoVec,
        iov_count: usize,
        offset: usize,
        len: usize,
        flags: c_int,
    ) -> isize {
        // SAFETY: the header asks for the vector's memory.
        let from: Result<Bytes<'_, Source>, _> = unsafe { view(iov, iov_count, offset, len) };
        count(from.and_then(|from| moved(from.send(&mut Socket { descriptor, flags }))))
    }

    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ioviter_vec_receive(
        descriptor: c_int,
        iov: *const IoVec,
        iov_count: usize,
        offset: usize,
        len: usize,
        flags: c_int,
    ) -> isize {
        // SAFETY: the header asks for the vector's memory.
        let into: Result<Bytes<'_, Dest>, _> = unsafe { view(iov, iov_count, offset, len) };
        count(into.and_then(|into| moved(into.receive(&mut Socket { descriptor, flags }))))
    }
}

/// For the checks of the header.
#[unsafe(no_mangle)]
pub extern "C" fn ioviter_abi(which: c_int) -> usize {
    use core::mem::{align_of, offset_of, size_of};

    use crate::channel::Ops;
    use crate::iter::{Checksum, Iter, UserOps};
    match which {
        0 => size_of::<Ops>(),
        1 => Ops::LAST,
        2 => size_of::<Undo>(),
        3 => offset_of!(Undo, before),
        4 => size_of::<Iter>(),
        5 => align_of::<Iter>(),
        6 => size_of::<Checksum>(),
        7 => align_of::<Checksum>(),
        8 => size_of::<UserOps>(),
        9 => UserOps::LAST,
        _ => 0,
    }
}
