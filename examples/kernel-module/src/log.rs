//! Lines in the kernel's log.

use core::fmt;

unsafe extern "C" {
    fn ioviter_log(text: *const u8, len: usize);
}

/// Logs one line, formatted as by `println!` and cut at 240 bytes.
macro_rules! line {
    ($($arguments:tt)*) => { $crate::log::write(format_args!($($arguments)*)) };
}
pub(crate) use line;

/// A line that is being put together.
struct Line {
    text: [u8; 240],
    len: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.text.get_mut(self.len..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(part.bytes()) {
            *to = from;
            self.len += 1;
        }
        Ok(())
    }
}

pub fn write(arguments: fmt::Arguments<'_>) {
    let mut line = Line { text: [0; 240], len: 0 };
    // It cannot fail: what is too long is cut.
    let _ = fmt::write(&mut line, arguments);
    // SAFETY: the first `len` bytes of the text are there; the kernel copies them.
    unsafe { ioviter_log(line.text.as_ptr(), line.len) };
}
