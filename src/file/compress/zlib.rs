//! The zlib codec for compressed blocks, by the zlib-rs implementation.
//!
//! The state of a codec is allocated when it is made, from the global allocator; compressing and
//! decompressing do not allocate.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ffi::{c_int, c_uint, c_void};
use core::fmt;
use core::mem::size_of;
use core::ptr;

use libz_rs_sys as z;

use super::{Compress, Decompress};
use crate::file::error::Error;

/// The most bytes that `len` bytes are compressed to; `None` if that is no `usize`.
///
/// ```
/// use iov_iter::file::zlib::bound;
///
/// assert_eq!(bound(4096), Some(4110));
/// assert_eq!(bound(32743), Some(32764));
/// assert_eq!(bound(usize::MAX), None);
/// ```
#[doc(alias = "compressBound")]
#[must_use]
pub const fn bound(len: usize) -> Option<usize> {
    // No sum of the shifted parts, each at most len / 4096, is out of range.
    let overhead = (len >> 12).saturating_add(len >> 14).saturating_add(len >> 25);
    let overhead = overhead.saturating_add(13);
    len.checked_add(overhead)
}

/// Compresses blocks into zlib streams.
///
/// ```
/// use iov_iter::file::{FileReader, FileWriter};
/// use iov_iter::file::zlib::{Deflater, Inflater};
///
/// let page = [0; 4096];
/// let mut sent = Vec::new();
/// let mut writer = FileWriter::new(&mut sent)?;
/// let put = writer.put_compressed(&mut Deflater::new(1)?, &page)?;
/// writer.close()?;
/// assert_eq!(sent.len(), put);
///
/// let mut again = [1; 4096];
/// let mut reader = FileReader::new(&sent[..])?;
/// assert_eq!(reader.get_compressed(&mut Inflater::new()?, &mut again)?, 4096);
/// assert_eq!(again, page);
/// # Ok::<(), iov_iter::file::Error>(())
/// ```
pub struct Deflater {
    stream: z::z_stream,
    level: c_int,
}

/// Decompresses blocks that are zlib streams.
pub struct Inflater {
    stream: z::z_stream,
}

/// A stream that takes its memory from the global allocator.
fn new_stream() -> z::z_stream {
    z::z_stream { zalloc: Some(zalloc), zfree: Some(zfree), ..z::z_stream::default() }
}

/// The error that a return code of an initialisation stands for.
fn initialised(code: c_int, failure: Error) -> Result<(), Error> {
    match code {
        z::Z_OK => Ok(()),
        z::Z_MEM_ERROR => Err(Error::NoMemory),
        _ => Err(failure),
    }
}

/// Points `stream` to what it reads and writes; `None` if one of them is too long for it.
fn connect(stream: &mut z::z_stream, from: &[u8], into: &mut [u8]) -> Option<()> {
    stream.avail_in = c_uint::try_from(from.len()).ok()?;
    stream.avail_out = c_uint::try_from(into.len()).unwrap_or(c_uint::MAX);
    stream.next_in = from.as_ptr();
    stream.next_out = into.as_mut_ptr();
    Some(())
}

/// Makes `stream` forget what it read and wrote.
fn disconnect(stream: &mut z::z_stream) {
    (stream.avail_in, stream.avail_out) = (0, 0);
    (stream.next_in, stream.next_out) = (ptr::null(), ptr::null_mut());
}

impl Deflater {
    /// A compressor of a level from 0 (copying) over 1 (fast) to 9 (small).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLevel`] for other levels, and [`Error::NoMemory`].
    #[doc(alias = "deflateInit")]
    pub fn new(level: u8) -> Result<Self, Error> {
        if level > 9 {
            return Err(Error::InvalidLevel);
        }
        let level = c_int::from(level);
        let mut stream = new_stream();
        // SAFETY: the stream is a valid z_stream whose allocation functions keep their contract;
        // the version string and the size of the structure are those of the same library.
        let code = unsafe {
            z::deflateInit_(
                &raw mut stream,
                level,
                z::zlibVersion(),
                size_of::<z::z_stream>() as c_int,
            )
        };
        initialised(code, Error::Compress)?;
        Ok(Self { stream, level })
    }

    /// Starts a new zlib stream of `level`.
    fn restart(&mut self, level: c_int) -> Option<()> {
        // SAFETY: the stream was initialised by `new`, and nothing else uses it. A freshly reset
        // stream has no data that changing the level would have to write.
        let codes = unsafe {
            let reset = z::deflateReset(&raw mut self.stream);
            (reset, z::deflateParams(&raw mut self.stream, level, z::Z_DEFAULT_STRATEGY))
        };
        (codes == (z::Z_OK, z::Z_OK)).then_some(())
    }

    /// Compresses in one go; `None` if `into` is too small.
    fn run(&mut self, level: c_int, from: &[u8], into: &mut [u8]) -> Option<usize> {
        self.restart(level)?;
        let room = into.len();
        connect(&mut self.stream, from, into)?;
        // SAFETY: the stream was initialised by `new`; it reads `from` and writes `into`, which
        // are borrowed for longer than the call, within the lengths just set.
        let code = unsafe { z::deflate(&raw mut self.stream, z::Z_FINISH) };
        let left = self.stream.avail_out as usize;
        disconnect(&mut self.stream);
        (code == z::Z_STREAM_END).then(|| room.saturating_sub(left))
    }
}

impl Compress for Deflater {
    fn bound(&self, len: usize) -> Option<usize> {
        bound(len)
    }

    /// Data that a level would make larger than the [`bound`] is stored instead.
    fn compress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize> {
        let most = bound(from.len())?.min(into.len()).min(c_uint::MAX as usize);
        let into = into.get_mut(..most)?;
        self.run(self.level, from, into).or_else(|| self.run(0, from, into))
    }
}

impl Inflater {
    /// A decompressor.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`].
    #[doc(alias = "inflateInit")]
    pub fn new() -> Result<Self, Error> {
        let mut stream = new_stream();
        // SAFETY: as in `Deflater::new`.
        let code = unsafe {
            z::inflateInit_(&raw mut stream, z::zlibVersion(), size_of::<z::z_stream>() as c_int)
        };
        initialised(code, Error::Decompress)?;
        Ok(Self { stream })
    }
}

impl Decompress for Inflater {
    fn decompress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize> {
        let room = into.len().min(c_uint::MAX as usize);
        connect(&mut self.stream, from, into)?;
        // SAFETY: the stream was initialised by `new`; it reads `from` and writes `into`, which
        // are borrowed for longer than the calls, within the lengths just set.
        let codes = unsafe {
            let reset = z::inflateReset(&raw mut self.stream);
            (reset, z::inflate(&raw mut self.stream, z::Z_FINISH))
        };
        let (unread, left) = (self.stream.avail_in, self.stream.avail_out as usize);
        disconnect(&mut self.stream);
        (codes == (z::Z_OK, z::Z_STREAM_END) && unread == 0).then(|| room.saturating_sub(left))
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        // SAFETY: the stream was initialised by `new` and is not used afterwards.
        unsafe { z::deflateEnd(&raw mut self.stream) };
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: the stream was initialised by `new` and is not used afterwards.
        unsafe { z::inflateEnd(&raw mut self.stream) };
    }
}

// SAFETY: the state that the stream points at belongs to it alone, and between calls it points at no
// caller's memory; its allocation functions can be called from any thread.
unsafe impl Send for Deflater {}
// SAFETY: as above.
unsafe impl Send for Inflater {}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("level", &self.level).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Bytes before an allocation, which hold its size; also the alignment of allocations.
const HEADER: usize = 16;

/// The layout of an allocation of `len` bytes and its header.
fn layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.checked_add(HEADER)?, HEADER).ok()
}

/// Allocates `items` times `size` bytes, or returns null.
unsafe extern "C" fn zalloc(_: *mut c_void, items: c_uint, size: c_uint) -> *mut c_void {
    let len = (items as usize).checked_mul(size as usize);
    let Some((len, layout)) = len.and_then(|len| Some((len, layout(len)?))) else {
        return ptr::null_mut();
    };
    // SAFETY: the size of the layout is not 0, because of the header.
    let base = unsafe { alloc(layout) };
    if base.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: `base` is valid for `HEADER + len` bytes and aligned to `HEADER`, which is enough for
    // a `usize`.
    unsafe {
        base.cast::<usize>().write(len);
        base.add(HEADER).cast()
    }
}

/// Frees what [`zalloc`] returned.
unsafe extern "C" fn zfree(_: *mut c_void, address: *mut c_void) {
    if address.is_null() {
        return;
    }
    // SAFETY: the library frees only what `zalloc` returned, and once: so the header lies in
    // front, holds the length, and the layout made of it is the one that was allocated.
    unsafe {
        let base = address.cast::<u8>().sub(HEADER);
        if let Some(layout) = layout(base.cast::<usize>().read()) {
            dealloc(base, layout);
        }
    }
}

const _: () = assert!(size_of::<usize>() <= HEADER);
static_assertions::assert_impl_all!(Deflater: Send);
static_assertions::assert_impl_all!(Inflater: Send);
