//! Printing what a vector holds.

use core::fmt;

use super::View;
use crate::direction::{Dest, Source};
use crate::memory::Access;
use crate::segment::KVec;

/// Bytes in a line.
const LINE: usize = 16;

impl<A: Access> View<'_, Source, A> {
    /// Prints the first `limit` bytes in view, 16 to a line. Each line starts with `prefix` and
    /// the offset. Prints nothing if there are no bytes.
    ///
    /// The offset is hexadecimal, with 4 digits at least and all that it needs.
    ///
    /// # Errors
    ///
    /// What `out` returns.
    ///
    /// ```
    /// use iov_iter::{KVec, iov::View};
    ///
    /// let segments = [KVec::from(b"\x7fELF"), KVec::from(b"\x02\x01\x01")];
    /// let mut out = String::new();
    /// View::new(&segments).hexdump(&mut out, "image", 100).unwrap();
    /// assert_eq!(
    ///     out,
    ///     "image: 0000:  7f 45 4c 46  02 01 01                              .ELF...\n",
    /// );
    /// # Ok::<(), iov_iter::iov::Error>(())
    /// ```
    #[doc(alias = "iov_hexdump")]
    #[doc(alias = "qemu_hexdump")]
    #[doc(alias = "qemu_hexdump_line")]
    pub fn hexdump(&self, out: &mut dyn fmt::Write, prefix: &str, limit: usize) -> fmt::Result {
        let mut from = self.cursor_at(self.front, limit);
        let mut offset = 0_usize;
        loop {
            let mut line = [0; LINE];
            let len = from.walk_pieces(KVec::<Dest>::from(&mut line[..]), |piece, part| {
                part.copy_from(piece)
            });
            if len == 0 {
                return Ok(());
            }
            print_line(out, prefix, offset, line.get(..len).unwrap_or_default())?;
            offset = offset.saturating_add(len);
        }
    }
}

fn print_line(out: &mut dyn fmt::Write, prefix: &str, offset: usize, bytes: &[u8]) -> fmt::Result {
    write!(out, "{prefix}: {offset:04x}:")?;
    for column in 0..LINE {
        if column % 4 == 0 {
            out.write_char(' ')?;
        }
        match bytes.get(column) {
            Some(byte) => write!(out, " {byte:02x}")?,
            None => out.write_str("   ")?,
        }
    }
    out.write_char(' ')?;
    for &byte in bytes {
        let printable = byte == b' ' || byte.is_ascii_graphic();
        out.write_char(if printable { char::from(byte) } else { '.' })?;
    }
    out.write_char('\n')
}
