//! Writing files.

use alloc::boxed::Box;
use core::ffi::{c_char, c_int, c_void};

use iov_iter::IoVec;
use iov_iter::file::{Error, FileWriter};
use iov_iter::segment::as_pieces;

use crate::channel::{CChannel, Ops};
use crate::control::Control;
use crate::errno::{self, Errno, count, position, status};
use crate::handle::hand_out;
use crate::memory;
use crate::reader::Reader;

/// `struct ioviter_writer`.
pub struct Writer {
    pub(crate) file: FileWriter<'static, CChannel>,
}

/// Everything is copied, and the channel gets one range at a time.
const LINEAR: u32 = 1;

/// What a call does with the file, unless there is none.
#[inline]
fn with<T, E: Into<Errno>>(
    writer: Option<&mut Writer>,
    call: impl FnOnce(&mut FileWriter<'static, CChannel>) -> Result<T, E>,
) -> Result<T, Errno> {
    match writer {
        Some(writer) => call(&mut writer.file).map_err(E::into),
        None => Err(Errno::INVAL),
    }
}

/// A number that the file knows; 0 if there is no file.
fn number(writer: Option<&Writer>, ask: impl FnOnce(&FileWriter<'static, CChannel>) -> u64) -> u64 {
    writer.map_or(0, |writer| ask(&writer.file))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_open(
    out: *mut *mut Writer,
    ops: *const Ops,
    opaque: *mut c_void,
    flags: u32,
) -> c_int {
    let open = || {
        if flags & !LINEAR != 0 {
            return Err(Errno::INVAL);
        }
        // SAFETY: the header asks for it.
        let channel = unsafe { CChannel::new(ops, opaque) }?;
        let file = match flags {
            LINEAR => FileWriter::linear(channel),
            _ => FileWriter::new(channel),
        };
        Ok(Writer { file: file? })
    };
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, open) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_close(writer: Option<Box<Writer>>) -> c_int {
    match writer {
        Some(writer) => status(writer.file.close()),
        None => 0,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_flush(writer: Option<&mut Writer>) -> c_int {
    status(with(writer, FileWriter::flush))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_control(
    out: *mut *mut Control,
    writer: Option<&mut Writer>,
) -> c_int {
    let control = || with(writer, FileWriter::stopper).map(Control::new);
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, control) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_error(writer: Option<&Writer>) -> c_int {
    writer.map_or_else(
        || errno::Answer::error(Errno::INVAL),
        |writer| crate::control::code(writer.file.error()),
    )
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_set_error(writer: Option<&mut Writer>, error: c_int) -> c_int {
    let Some(writer) = writer else { return errno::Answer::error(Errno::INVAL) };
    crate::control::code(match error {
        0 => writer.file.error(),
        error => writer.file.set_error(Error::Reported(error, "")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_shutdown(writer: Option<&mut Writer>) -> c_int {
    status(with(writer, FileWriter::shutdown))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_set_blocking(
    writer: Option<&mut Writer>,
    blocking: c_int,
) -> c_int {
    status(with(writer, |file| file.set_blocking(blocking != 0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_is_seekable(writer: Option<&Writer>) -> c_int {
    writer.is_some_and(|writer| writer.file.is_seekable()).into()
}

macro_rules! integers {
    ($($name:ident $integer:ty: $method:ident;)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(writer: Option<&mut Writer>, value: $integer) -> c_int {
            status(with(writer, |file| file.$method(value)))
        }
    )*};
}
integers! {
    ioviter_writer_put_byte u8: put_byte;
    ioviter_writer_put_be16 u16: put_be16;
    ioviter_writer_put_be32 u32: put_be32;
    ioviter_writer_put_be64 u64: put_be64;
    ioviter_writer_put_le16 u16: put_le16;
    ioviter_writer_put_le32 u32: put_le32;
    ioviter_writer_put_le64 u64: put_le64;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put(
    writer: Option<&mut Writer>,
    buf: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: the header asks for `len` bytes.
    status(
        unsafe { memory::source(buf, len) }
            .and_then(|bytes| with(writer, |file| file.put_piece(bytes))),
    )
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_iov(
    writer: Option<&mut Writer>,
    iov: *const IoVec,
    iov_count: usize,
) -> c_int {
    status(with(writer, |file| {
        // SAFETY: the header asks for the array and its bytes.
        let segments = unsafe { memory::segments(iov, iov_count) }?;
        as_pieces(segments).iter().try_for_each(|piece| file.put_piece(*piece))?;
        Ok::<_, Errno>(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_async(
    writer: Option<&mut Writer>,
    buf: *const c_void,
    len: usize,
    may_release: c_int,
) -> c_int {
    if may_release != 0 {
        // SAFETY: the caller's promise.
        return unsafe { put_async_and_release(writer, buf, len) };
    }
    status(with(writer, |file| {
        // SAFETY: the header asks for `len` bytes.
        let bytes = unsafe { memory::source(buf, len) }?;
        // SAFETY: the header asks that the memory stays until it was sent.
        unsafe { file.put_raw(bytes, None) }.map_err(Errno::from)
    }))
}

/// [`ioviter_writer_put_async`] of memory to release. It is rare, and a call of its own: so the other way has
/// no pointer to compare and to write.
///
/// # Safety
///
/// As there.
#[cold]
#[inline(never)]
unsafe fn put_async_and_release(
    writer: Option<&mut Writer>,
    buf: *const c_void,
    len: usize,
) -> c_int {
    status(with(writer, |file| {
        // SAFETY: the header asks for `len` bytes.
        let bytes = unsafe { memory::source(buf, len) }?;
        // SAFETY: the file keeps a handle of its channel for as long as it has bytes to release.
        let release = unsafe { file.channel().releaser() };
        // SAFETY: the header asks that the memory stays until it was sent.
        unsafe { file.put_raw(bytes, Some(release)) }.map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_counted_string(
    writer: Option<&mut Writer>,
    string: *const c_char,
    len: usize,
) -> c_int {
    status(with(writer, |file| {
        if len > 255 {
            return Err(Error::StringTooLong.into());
        }
        let mut copy = [0; 255];
        // SAFETY: the header asks for `len` bytes.
        let len = unsafe { memory::source(string.cast(), len) }?.copy_to((&mut copy[..]).into());
        file.put_counted_string(copy.get(..len).unwrap_or_default()).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_at(
    writer: Option<&mut Writer>,
    buf: *const c_void,
    len: usize,
    at: u64,
) -> c_int {
    let iov = IoVec { base: buf.expose_provenance(), len };
    // SAFETY: an element for the caller's bytes.
    unsafe { ioviter_writer_put_iov_at(writer, &raw const iov, 1, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_iov_at(
    writer: Option<&mut Writer>,
    iov: *const IoVec,
    iov_count: usize,
    at: u64,
) -> c_int {
    status(with(writer, |file| {
        // SAFETY: the header asks for the array and its bytes.
        let segments = unsafe { memory::segments(iov, iov_count) }?;
        file.put_segments_at(segments, at).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_seek(
    writer: Option<&mut Writer>,
    distance: i64,
    whence: c_int,
) -> i64 {
    position(with(writer, |file| {
        let to = crate::control::seek_from(distance, whence)?;
        file.seek(to).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_offset(writer: Option<&mut Writer>) -> i64 {
    position(with(writer, FileWriter::offset))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_put_from(
    writer: Option<&mut Writer>,
    reader: Option<&mut Reader>,
    len: u64,
) -> c_int {
    let Some(reader) = reader else { return errno::Answer::error(Errno::INVAL) };
    status(with(writer, |file| file.put_from(&mut reader.file, len)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_put_writer(
    writer: Option<&mut Writer>,
    other: Option<&mut Writer>,
) -> i64 {
    let Some(other) = other else { return errno::Answer::error(Errno::INVAL) };
    position(with(writer, |file| file.put_file(&mut other.file)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_tell(writer: Option<&Writer>) -> u64 {
    number(writer, FileWriter::tell)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_flush_and_tell(writer: Option<&mut Writer>) -> i64 {
    position(with(writer, FileWriter::flush_and_tell))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_transferred(writer: Option<&Writer>) -> u64 {
    number(writer, FileWriter::transferred)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_flushed(writer: Option<&Writer>) -> u64 {
    number(writer, FileWriter::flushed)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_pending(writer: Option<&Writer>) -> u64 {
    number(writer, FileWriter::pending)
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_entries(writer: Option<&Writer>) -> usize {
    writer.map_or(0, |writer| writer.file.entries())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_unsent(
    writer: Option<&Writer>,
    iov: *mut IoVec,
    iov_count: usize,
) -> isize {
    let Some(writer) = writer else { return errno::Answer::error(Errno::INVAL) };
    // SAFETY: the header asks for the array.
    count(unsafe { memory::describe_all(iov, iov_count, writer.file.unsent()) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_discard_unsent(writer: Option<&mut Writer>) -> u64 {
    writer.map_or(0, |writer| writer.file.discard_unsent())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_credit(writer: Option<&mut Writer>, len: u64) -> c_int {
    status(with(writer, |file| file.credit(len)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_set_rate_limit(writer: Option<&mut Writer>, limit: u64) {
    if let Some(writer) = writer {
        writer.file.rate_mut().set_limit(limit);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_rate_limit(writer: Option<&Writer>) -> u64 {
    number(writer, |file| file.rate().limit())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_rate_used(writer: Option<&Writer>) -> u64 {
    number(writer, |file| file.rate().used())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_rate_account(writer: Option<&mut Writer>, len: u64) {
    if let Some(writer) = writer {
        writer.file.rate_mut().account(len);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_rate_reset(writer: Option<&mut Writer>) {
    if let Some(writer) = writer {
        writer.file.rate_mut().reset();
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_writer_rate_exceeded(writer: Option<&Writer>) -> c_int {
    writer.is_some_and(|writer| writer.file.is_rate_exceeded()).into()
}
