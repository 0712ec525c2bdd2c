//! Printing bytes.

use core::fmt;

use super::*;

/// Writes lines to a stream of C, each with a prefix that need not be UTF-8.
struct Lines<'p> {
    stream: *mut libc::FILE,
    prefix: &'p CStr,
    at_start: bool,
}

impl Lines<'_> {
    fn put(&self, bytes: &[u8]) -> fmt::Result {
        // SAFETY: a stream that is open by C's contract.
        let written = unsafe { libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), self.stream) };
        if written == bytes.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl fmt::Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.at_start {
            self.put(self.prefix.to_bytes())?;
        }
        self.at_start = text.ends_with('\n');
        self.put(text.as_bytes())
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn iov_hexdump(
    iov: *const Element,
    iov_cnt: c_uint,
    fp: *mut libc::FILE,
    prefix: *const c_char,
    limit: usize,
) {
    // SAFETY: C's contract.
    let (from, prefix) = unsafe { (view::<Source>(iov, iov_cnt as usize), CStr::from_ptr(prefix)) };
    let mut lines = Lines { stream: fp, prefix, at_start: true };
    // C code asks the stream.
    let _ = from.hexdump(&mut lines, "", limit);
}
