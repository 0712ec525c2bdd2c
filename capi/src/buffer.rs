//! Buffers that grow without moving what they hold.

use alloc::boxed::Box;
use core::ffi::{c_int, c_void};

use iov_iter::file::SizedBuffer;
use iov_iter::{IoVec, Piece};

use crate::errno::{Answer, Errno, count, status};
use crate::handle::hand_out;
use crate::memory;

/// `struct ioviter_buffer`.
pub struct Buffer {
    bytes: SizedBuffer,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_new(out: *mut *mut Buffer, limit: usize) -> c_int {
    let new = || Ok(Buffer { bytes: SizedBuffer::with_limit(limit) });
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, new) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_clone(
    out: *mut *mut Buffer,
    buffer: Option<&Buffer>,
) -> c_int {
    let clone = || {
        let buffer = buffer.ok_or(Errno::INVAL)?;
        Ok(Buffer { bytes: buffer.bytes.try_clone()? })
    };
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, clone) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_free(buffer: Option<Box<Buffer>>) {
    drop(buffer);
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_len(buffer: Option<&Buffer>) -> usize {
    buffer.map_or(0, |buffer| buffer.bytes.len())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_capacity(buffer: Option<&Buffer>) -> usize {
    buffer.map_or(0, |buffer| buffer.bytes.capacity())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_read_at(
    buffer: Option<&Buffer>,
    at: usize,
    buf: *mut c_void,
    len: usize,
) -> isize {
    let Some(buffer) = buffer else { return Answer::error(Errno::INVAL) };
    // SAFETY: the header asks for room for `len` bytes.
    count(unsafe { memory::dest(buf, len) }.map(|into| buffer.bytes.read_piece_at(at, into)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_write_at(
    buffer: Option<&mut Buffer>,
    at: usize,
    buf: *const c_void,
    len: usize,
) -> c_int {
    let Some(buffer) = buffer else { return Answer::error(Errno::INVAL) };
    // SAFETY: the header asks for `len` bytes.
    status(unsafe { memory::source(buf, len) }.and_then(|from| {
        buffer.bytes.write_piece_at(at, from)?;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_append(
    buffer: Option<&mut Buffer>,
    buf: *const c_void,
    len: usize,
) -> c_int {
    let at = buffer.as_ref().map_or(0, |buffer| buffer.bytes.len());
    // SAFETY: the header asks for `len` bytes.
    unsafe { ioviter_buffer_write_at(buffer, at, buf, len) }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_set_len(buffer: Option<&mut Buffer>, len: usize) -> c_int {
    match buffer {
        Some(buffer) => status(buffer.bytes.set_len(len)),
        None => Answer::error(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_reserve(buffer: Option<&mut Buffer>, len: usize) -> c_int {
    match buffer {
        Some(buffer) => status(buffer.bytes.try_reserve(len)),
        None => Answer::error(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_buffer_shrink(buffer: Option<&mut Buffer>) {
    if let Some(buffer) = buffer {
        buffer.bytes.shrink_to_fit();
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_buffer_describe(
    buffer: Option<&Buffer>,
    at: usize,
    iov: *mut IoVec,
    iov_count: usize,
) -> isize {
    let Some(buffer) = buffer else { return Answer::error(Errno::INVAL) };
    let pieces = buffer.bytes.slices_from(at).map(Piece::from);
    // SAFETY: the header asks for the array.
    count(unsafe { memory::describe_all(iov, iov_count, pieces) })
}
