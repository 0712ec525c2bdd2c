//! The text of a hex dump, to the character.

use core::fmt;
use std::fmt::Write;

use iov_iter::KVec;
use iov_iter::iov::View;

fn dump(parts: &[&[u8]], prefix: &str, limit: usize) -> String {
    let segments: Vec<_> = parts.iter().map(|part| KVec::from(*part)).collect();
    let mut out = String::new();
    View::new(&segments).hexdump(&mut out, prefix, limit).unwrap();
    out
}

const EXAMPLE: [&[u8]; 2] = [
    &[0x1c, 0x1d, 0x1e, 0x1f, 0x20],
    &[0x80, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x7e, 0x7f, 0x2f],
];

#[test]
fn lines_run_on_over_elements() {
    let expected = "\
p: 0000:  1c 1d 1e 1f  20 80 22 23  24 25 26 27  28 29 2a 2b .... .\"#$%&'()*+
p: 0010:  2c 7e 7f 2f                                        ,~./
";
    assert_eq!(dump(&EXAMPLE, "p", 100), expected);
}

#[test]
fn a_limit_cuts_the_dump() {
    let expected = "p: 0000:  1c 1d 1e                                           ...\n";
    assert_eq!(dump(&EXAMPLE, "p", 3), expected);
    assert_eq!(dump(&EXAMPLE, "p", 0), "");
}

#[test]
fn no_bytes_make_no_line() {
    assert_eq!(dump(&[], "p", 100), "");
    assert_eq!(dump(&[&[], &[]], "p", 100), "");
}

#[test]
fn a_full_line_is_as_long_as_in_qemu() {
    let line = dump(&[&[0; 16]], "", 16);
    assert_eq!((line.len(), line.lines().count()), (": ".len() + 74 + 1, 1));
}

/// Keeps the last line only.
#[derive(Default)]
struct Tail {
    line: String,
    lines: usize,
}

impl Write for Tail {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.line.ends_with('\n') {
                self.line.clear();
            }
            self.line.push(character);
            self.lines += usize::from(character == '\n');
        }
        Ok(())
    }
}

#[test]
fn offsets_have_as_many_digits_as_they_need() {
    // In C a line from 0x10000 on is those five digits and nothing else.
    let zeros = [0; 0x1000];
    let lines = if cfg!(miri) { 3 } else { 0x1001 };
    let mut segments = vec![KVec::from(&zeros[..]); lines / 0x100];
    let rest = lines % 0x100 * 0x10;
    segments.push(KVec::from(&zeros[..rest - 0x10]));
    segments.push(KVec::from(&b"sixteen letters!"[..]));
    let mut tail = Tail::default();
    View::new(&segments).hexdump(&mut tail, "d", usize::MAX).unwrap();
    assert_eq!(tail.lines, lines);
    let offset = format!("d: {:04x}:", (lines - 1) * 0x10);
    assert_eq!(offset.len(), if cfg!(miri) { 8 } else { 9 });
    let bytes = "  73 69 78 74  65 65 6e 20  6c 65 74 74  65 72 73 21 sixteen letters!\n";
    assert_eq!(tail.line, offset + bytes);
}

#[test]
fn a_full_writer_stops_the_dump() {
    struct Full;
    impl Write for Full {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    let segments = [KVec::from(&b"x"[..])];
    let view = View::new(&segments);
    assert!(view.hexdump(&mut Full, "p", 1).is_err());
    assert!(view.hexdump(&mut Full, "p", 0).is_ok());
}
