//! Compressed blocks in files.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};

use iov_iter::Piece;
use iov_iter::file::zlib;

use crate::errno::{Answer, Errno, count, status};
use crate::handle::hand_out;
use crate::memory;
use crate::reader::Reader;
use crate::writer::Writer;

/// `struct ioviter_deflater`.
pub struct Deflater {
    codec: zlib::Deflater,
    scratch: Vec<u8>,
}

/// `struct ioviter_inflater`.
pub struct Inflater {
    codec: zlib::Inflater,
    scratch: Vec<u8>,
}

/// `len` bytes of the library's own memory. A codec reads and writes bytes more than once, and others may
/// write those of C meanwhile.
fn own(scratch: &mut Vec<u8>, len: usize) -> Result<&mut [u8], Errno> {
    scratch.clear();
    scratch.try_reserve(len).map_err(|_| Errno::NOMEM)?;
    // SAFETY: there is room for `len` bytes, which are initialised here.
    unsafe {
        scratch.as_mut_ptr().write_bytes(0, len);
        scratch.set_len(len);
    }
    Ok(scratch)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_deflater_new(out: *mut *mut Deflater, level: u32) -> c_int {
    let new = || {
        let level = u8::try_from(level).map_err(|_| Errno::INVAL)?;
        Ok(Deflater { codec: zlib::Deflater::new(level)?, scratch: Vec::new() })
    };
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, new) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_deflater_free(deflater: Option<Box<Deflater>>) {
    drop(deflater);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_inflater_new(out: *mut *mut Inflater) -> c_int {
    let new = || Ok(Inflater { codec: zlib::Inflater::new()?, scratch: Vec::new() });
    // SAFETY: the header asks for a place for a pointer.
    status(unsafe { hand_out(out, new) })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_inflater_free(inflater: Option<Box<Inflater>>) {
    drop(inflater);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_writer_put_compressed(
    writer: Option<&mut Writer>,
    deflater: Option<&mut Deflater>,
    buf: *const c_void,
    len: usize,
    may_flush: c_int,
) -> isize {
    let (Some(writer), Some(deflater)) = (writer, deflater) else {
        return Answer::error(Errno::INVAL);
    };
    let Deflater { codec, scratch } = deflater;
    // SAFETY: the header asks for `len` bytes.
    count(unsafe { memory::source(buf, len) }.and_then(|from| {
        // What could not be put in any case needs no copy.
        zlib::bound(len)
            .filter(|bound| *bound < iov_iter::file::BUFFER_SIZE)
            .ok_or(Errno::NOSPC)?;
        let bytes = own(scratch, len)?;
        from.copy_to(Piece::from(&mut *bytes));
        let put = match may_flush {
            0 => writer.file.put_compressed(codec, bytes),
            _ => writer.file.put_compressed_flushing(codec, bytes),
        };
        put.map_err(Errno::from)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioviter_reader_get_compressed(
    reader: Option<&mut Reader>,
    inflater: Option<&mut Inflater>,
    buf: *mut c_void,
    len: usize,
) -> isize {
    let (Some(reader), Some(inflater)) = (reader, inflater) else {
        return Answer::error(Errno::INVAL);
    };
    let Inflater { codec, scratch } = inflater;
    // SAFETY: the header asks for room for `len` bytes.
    count(unsafe { memory::dest(buf, len) }.and_then(|into| {
        let bytes = own(scratch, len)?;
        let got = reader.file.get_compressed(codec, bytes)?;
        Ok(into.slice(0, got).copy_from(Piece::from(&*bytes)))
    }))
}
