//! Reading files.

use alloc::boxed::Box;
use core::ffi::{c_char, c_int, c_void};

use iov_iter::file::{BUFFER_SIZE, Error, FileReader};
use iov_iter::{Dest, IoVec, Piece};

use crate::channel::{CChannel, Ops};
use crate::control::{self, Control};
use crate::errno::{Answer, Errno, count, position, status, truth};
use crate::handle::hand_out;
use crate::memory;

/// `struct ioviter_reader`.
pub struct Reader {
    pub(crate) file: FileReader<CChannel>,
}

/// What a call does with the file, unless there is none.
#[inline]
fn with<'r, T, E: Into<Errno>>(
    reader: Option<&'r mut Reader>,
    call: impl FnOnce(&'r mut FileReader<CChannel>) -> Result<T, E>,
) -> Result<T, Errno> {
    match reader {
        Some(reader) => call(&mut reader.file).map_err(E::into),
        None => Err(Errno::INVAL),
    }
}

/// Tells C where bytes lie that it may look at.
///
/// # Safety
///
/// `out` is null or valid for writes of a pointer.
unsafe fn show(out: *mut *const c_void, bytes: &[u8]) -> usize {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write(bytes.as_ptr().cast()) };
    }
    bytes.len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_open(
    out: *mut *mut Reader,
    ops: *const Ops,
    opaque: *mut c_void,
    flags: u32,
) -> c_int {
    let open = || {
        if flags != 0 {
            return Err(Errno::INVAL);
        }
        // SAFETY: the header asks for it.
        let channel = unsafe { CChannel::new(ops, opaque) }?;
        Ok(Reader { file: FileReader::new(channel)? })
    };
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, open) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_close(reader: Option<Box<Reader>>) -> c_int {
    match reader {
        Some(reader) => status(reader.file.close()),
        None => 0,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_control(
    out: *mut *mut Control,
    reader: Option<&mut Reader>,
) -> c_int {
    let control = || with(reader, FileReader::stopper).map(Control::new);
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, control) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_error(reader: Option<&Reader>) -> c_int {
    match reader {
        Some(reader) => control::code(reader.file.error()),
        None => Answer::error(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_set_error(reader: Option<&mut Reader>, error: c_int) -> c_int {
    let Some(reader) = reader else { return Answer::error(Errno::INVAL) };
    control::code(match error {
        0 => reader.file.error(),
        error => reader.file.set_error(Error::Reported(error, "")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_shutdown(reader: Option<&mut Reader>) -> c_int {
    status(with(reader, FileReader::shutdown))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_set_blocking(
    reader: Option<&mut Reader>,
    blocking: c_int,
) -> c_int {
    status(with(reader, |file| file.set_blocking(blocking != 0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_is_seekable(reader: Option<&Reader>) -> c_int {
    reader.is_some_and(|reader| reader.file.is_seekable()).into()
}

/// Of the width of C's results, so that a C function that returns one can end with this call.
#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_get_byte(reader: Option<&mut Reader>) -> c_int {
    reader.map_or(0, |reader| reader.file.get_byte().unwrap_or_default()).into()
}

macro_rules! integers {
    ($($name:ident $integer:ty: $method:ident;)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(reader: Option<&mut Reader>) -> $integer {
            // Not by `with`: an integer within its error within another's takes some instructions to make and
            // look at.
            reader.map_or(0, |reader| reader.file.$method().unwrap_or_default())
        }
    )*};
}
integers! {
    ioviter_reader_get_be16 u16: get_be16;
    ioviter_reader_get_be32 u32: get_be32;
    ioviter_reader_get_be64 u64: get_be64;
    ioviter_reader_get_le16 u16: get_le16;
    ioviter_reader_get_le32 u32: get_le32;
    ioviter_reader_get_le64 u64: get_le64;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get(
    reader: Option<&mut Reader>,
    buf: *mut c_void,
    len: usize,
) -> isize {
    count(with(reader, |file| {
        // SAFETY: the header asks for room for `len` bytes.
        let into = unsafe { memory::dest(buf, len) }?;
        file.get_piece(into).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_iov(
    reader: Option<&mut Reader>,
    iov: *const IoVec,
    iov_count: usize,
) -> isize {
    count(with(reader, |file| {
        // SAFETY: the header asks for the array and its room.
        let segments = unsafe { memory::segments(iov, iov_count) }?;
        file.get_segments(segments).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_or_end(
    reader: Option<&mut Reader>,
    buf: *mut c_void,
    len: usize,
) -> c_int {
    let iov = IoVec { base: buf.expose_provenance(), len };
    // SAFETY: an element for the caller's room.
    unsafe { ioviter_reader_get_iov_or_end(reader, &raw const iov, 1) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_iov_or_end(
    reader: Option<&mut Reader>,
    iov: *const IoVec,
    iov_count: usize,
) -> c_int {
    truth(with(reader, |file| {
        // SAFETY: the header asks for the array and its room.
        let segments = unsafe { memory::segments(iov, iov_count) }?;
        file.get_segments_or_end(segments).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_in_place(
    reader: Option<&mut Reader>,
    bytes: *mut *const c_void,
    buf: *mut c_void,
    len: usize,
) -> isize {
    count(with(reader, |file| {
        // SAFETY: the header asks for room for `len` bytes.
        let into: Piece<'_, Dest> = unsafe { memory::dest(buf, len) }?;
        if len < BUFFER_SIZE
            && let Ok(slice) = file.get_slice(len)
        {
            // SAFETY: the header asks for a place for a pointer.
            return Ok(unsafe { show(bytes, slice) });
        }
        let got = file.get_piece(into)?;
        if !bytes.is_null() {
            // SAFETY: as above.
            unsafe { bytes.write(buf) };
        }
        Ok::<_, Errno>(got)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_counted_string(
    reader: Option<&mut Reader>,
    string: *mut c_char,
) -> isize {
    count(with(reader, |file| {
        // SAFETY: the header asks for room for 256 bytes.
        let into = unsafe { memory::dest(string.cast(), 256) }?;
        let bytes = file.get_counted_string()?;
        let len = into.copy_from(bytes.into());
        into.slice(len, 1).fill(0);
        Ok::<_, Errno>(len)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_peek(
    reader: Option<&mut Reader>,
    bytes: *mut *const c_void,
    len: usize,
    offset: usize,
) -> isize {
    // SAFETY: the header asks for a place for a pointer.
    count(with(reader, |file| file.peek(len, offset)).map(|ahead| unsafe { show(bytes, ahead) }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_peek_byte(reader: Option<&mut Reader>, offset: usize) -> c_int {
    match with(reader, |file| file.peek_byte(offset)) {
        Ok(Some(byte)) => byte.into(),
        Ok(None) => Answer::error(Errno::NODATA),
        Err(errno) => Answer::error(errno),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_at_end(reader: Option<&mut Reader>) -> c_int {
    truth(with(reader, FileReader::is_at_end))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_skip(reader: Option<&mut Reader>, len: u64) -> c_int {
    status(with(reader, |file| file.skip(len)))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_skip_buffered(reader: Option<&mut Reader>, len: usize) -> c_int {
    status(with(reader, |file| file.skip_buffered(len)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_at(
    reader: Option<&mut Reader>,
    buf: *mut c_void,
    len: usize,
    at: u64,
) -> c_int {
    let iov = IoVec { base: buf.expose_provenance(), len };
    // SAFETY: an element for the caller's room.
    unsafe { ioviter_reader_get_iov_at(reader, &raw const iov, 1, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_iov_at(
    reader: Option<&mut Reader>,
    iov: *const IoVec,
    iov_count: usize,
    at: u64,
) -> c_int {
    status(with(reader, |file| {
        // SAFETY: the header asks for the array and its room.
        let segments = unsafe { memory::segments(iov, iov_count) }?;
        file.get_segments_at(segments, at).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_seek(
    reader: Option<&mut Reader>,
    distance: i64,
    whence: c_int,
) -> i64 {
    position(with(reader, |file| {
        let to = control::seek_from(distance, whence)?;
        file.seek(to).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_offset(reader: Option<&mut Reader>) -> i64 {
    position(with(reader, FileReader::offset))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_copy_to(
    reader: Option<&mut Reader>,
    ops: *const Ops,
    opaque: *mut c_void,
    len: u64,
) -> c_int {
    status(with(reader, |file| {
        // SAFETY: the header asks for it.
        let mut sink = unsafe { CChannel::borrowed(ops, opaque) }?;
        file.copy_to(&mut sink, len).map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_position(reader: Option<&Reader>) -> u64 {
    reader.map_or(0, |reader| reader.file.position())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_fetched(reader: Option<&Reader>) -> u64 {
    reader.map_or(0, |reader| reader.file.fetched())
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_reader_buffered(reader: Option<&Reader>) -> usize {
    reader.map_or(0, |reader| reader.file.buffered())
}
