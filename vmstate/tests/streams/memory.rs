//! The memory that `vmstate` needs, whatever a stream claims.

use crate::support::peak::peak;
use crate::support::{Builder, Bytes, T2_TEXT, inspect, t1, t2, t2_with};
use iov_iter::file::{Channel, ChannelError, Features, ReadChannel, SeekFrom, WriteChannel};
use iov_iter::{Dest, Piece, Source};
use std::cell::Cell;
use vmstate::{Channels, Copied, Discard, Failure, Input, Options, Report, copy, parse};

/// A beginning, then something many times, then an end.
struct Long<'a> {
    parts: [(&'a [u8], usize); 3],
    offset: usize,
}

impl Channel for Long<'_> {}

impl ReadChannel for Long<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let mut total = 0;
        while let Some((bytes, times)) = self.parts.iter_mut().find(|(_, times)| *times > 0) {
            let len = (bytes.len() - self.offset).min(into.len() - total);
            into[total..total + len].copy_from_slice(&bytes[self.offset..self.offset + len]);
            (total, self.offset) = (total + len, self.offset + len);
            if self.offset < bytes.len() {
                break;
            }
            (*times, self.offset) = (*times - 1, 0);
        }
        Ok(total)
    }
}

/// Counts what is written.
struct Counter(u64);

impl Channel for Counter {}

impl WriteChannel for Counter {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        let len = from.iter().map(|segment| segment.len()).sum();
        self.0 += len as u64;
        Ok(len)
    }
}

/// Copies a stream that comes through a pipe; how that ended, and how much was written.
fn copy_pipe(stream: Long<'_>) -> (Copied, u64) {
    let mut written = Counter(0);
    let copied = copy(Box::new(stream), 0, &mut written, Options::default()).unwrap();
    (copied, written.0)
}

#[test]
fn long_streams() {
    const PAGES: usize = 20_000;
    let begin = Builder::machine(b"none").start(&[(b"ram", 0x1000)]).footer(42);
    let begin = begin.byte(0x03).be32(42).be64(0x1002 - 0x1000).name(b"ram").byte(0).0;
    let page = Builder::default().be64(0x28).bytes(&[0x5a; 4096]).0;
    let end = Builder::default().be64(0x10).footer(42).byte(0).0;
    let stream = Long { parts: [(&begin, 1), (&page, PAGES), (&end, 1)], offset: 0 };
    let ((copied, written), peak) = peak(|| copy_pipe(stream));
    let length = begin.len() + PAGES * page.len() + end.len();
    assert!(matches!(copied, Copied::Checked), "{copied:?}");
    assert_eq!(written, length as u64);
    // 82 MB were copied with two buffers of 32 KiB and at most 33 pages.
    assert!(peak < 300 << 10, "{peak}");
}

/// Counts the bytes that are read of a file.
struct Counted<'a, 'c> {
    file: Bytes<'a>,
    read: &'c Cell<usize>,
}

impl Counted<'_, '_> {
    fn count(&self, got: Result<usize, ChannelError>) -> Result<usize, ChannelError> {
        self.read.set(self.read.get() + got.unwrap_or_default());
        got
    }
}

impl Channel for Counted<'_, '_> {
    fn features(&self) -> Features {
        self.file.features()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        self.file.seek(to)
    }
}

impl ReadChannel for Counted<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let got = self.file.read(into);
        self.count(got)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        let got = self.file.read_at(into, position);
        self.count(got)
    }
}

/// How many bytes of a file are read to inspect it, and how that ends.
fn bytes_read(stream: &[u8]) -> (usize, Result<(), Failure>) {
    let read = Cell::new(0);
    let counted = Box::new(Counted { file: Bytes::new(stream), read: &read });
    let mut nothing = Discard;
    let result = Input::new(counted, 0, &mut nothing).and_then(|mut input| {
        let report = &mut Report::new(std::io::sink());
        parse(&mut input, report, Channels::default(), Options::default())
    });
    (read.get(), result)
}

#[test]
fn pages_of_a_file_that_nobody_wants_are_not_read() {
    const PAGES: usize = 1000;
    for (size, few) in [(4096, true), (1024, false)] {
        let text = format!(r#"{{"page_size": {size}, "devices": []}}"#);
        let begin = Builder::machine(b"none").start(&[(b"ram", 0x10_0000)]).footer(42);
        let begin = begin.byte(0x03).be32(42).be64(0x08).name(b"ram").bytes(&vec![1; size]).0;
        let page = Builder::default().be64(0x28).bytes(&vec![0x5a; size]).0;
        let zeros = Builder::default().be64(0x22).byte(0).0;
        let end = Builder::default().be64(0x10).footer(42).byte(0).description(&text).0;
        let beginning = [begin, page.repeat(PAGES), zeros.repeat(PAGES)].concat();
        let stream = [&beginning[..], &page, &end].concat();
        let (read, result) = bytes_read(&stream);
        result.unwrap();
        // A header for each page; and before that the end of the file, and one buffer.
        let most = PAGES * 64 + zeros.len() * PAGES + (0x1_0000 + 3 * 0x8000);
        assert_eq!(read < most, few, "{read} of {}", stream.len());
        // What is cut off is missing, although nobody would have read it.
        for cut in [1, size / 2, size - 1] {
            let stream = &stream[..beginning.len() + 8 + cut];
            let what = bytes_read(stream).1.unwrap_err().to_string();
            let (start, end) = (beginning.len(), stream.len());
            let expected = format!(
                "offset {end:#x} ({end}): the file ends in the RAM record that begins at {start:#x}"
            );
            assert_eq!(what, expected);
        }
    }
}

#[test]
fn absurd_lengths() {
    let edit = |offset: usize, value: &[u8]| {
        let mut stream = t1();
        stream[offset..offset + value.len()].copy_from_slice(value);
        stream
    };
    let ones = [0xff; 8];
    let compressed = Builder(t1()[..72].to_vec()).be64(0x100).name(b"ram").bytes(&ones).0;
    let xbzrle = Builder(t1()[..72].to_vec()).be64(0x40).name(b"ram").byte(1).bytes(&ones).0;
    let capabilities = Builder(t1()[..17].to_vec()).byte(5).name(b"configuration/capabilities");
    let streams = [
        edit(9, &ones[..4]),
        edit(34, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0x04]),
        edit(46, &ones),
        edit(46, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0x00]),
        edit(72, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0x02]),
        compressed,
        xbzrle,
        capabilities.be32(1).bytes(&ones).0,
        [&t1()[..], &[6], &ones].concat(),
        [&t1()[..17], &[8, 0, 10, 0xff, 0xff]].concat(),
        t2_with(true, true, Some(&T2_TEXT.replace("\"size\": 5", "\"size\": 9223372036854775807")))
            .0,
    ];
    for stream in streams {
        let (result, peak) = peak(|| inspect(&stream));
        assert!(matches!(result, Err(Failure::Damaged { .. })), "{result:?}");
        assert!(peak < 100 << 10, "{peak}: {result:?}");
    }
}

#[test]
fn large_descriptions() {
    let head = r#"{"page_size": 4096, "devices": ["#;
    let device = r#"{"name":"","instance_id":0,"size":0,"fields":[]},"#;
    let many = format!("{head}{}", device.repeat((15 << 20) / device.len()));
    let long = format!("{head}{{\"name\": \"{}\"", "x".repeat(15 << 20));
    for text in [many, long] {
        let stream = t2_with(true, true, Some(&text)).0;
        let (result, peak) = peak(|| inspect(&stream));
        assert!(matches!(result, Err(Failure::Damaged { .. })), "{result:?}");
        assert!(peak < 3 * text.len(), "{peak}");
    }
    // One byte more than is allowed: it is not even looked at.
    let text = format!("{T2_TEXT}{}", " ".repeat((16 << 20) + 1 - T2_TEXT.len()));
    let stream = t2_with(true, true, Some(&text)).0;
    let (result, peak) = peak(|| inspect(&stream));
    assert!(result.is_err());
    assert!(peak < 300 << 10, "{peak}");
}

#[test]
fn pipes_are_kept_up_to_a_limit() {
    let begin = &t2()[..4238];
    let zeros = 40_000;
    let stream = Long { parts: [(begin, 1), (&[0; 4096], zeros), (b"", 0)], offset: 0 };
    let ((copied, written), peak) = peak(|| copy_pipe(stream));
    let Copied::Unchecked(failure) = copied else { panic!("{copied:?}") };
    let expected = "offset 0x107c (4220): a pipe with more than 67108864 bytes from here on: ";
    assert!(failure.to_string().starts_with(expected), "{failure}");
    // What is too much to be checked goes out all the same.
    assert_eq!(written, (begin.len() + zeros * 4096) as u64);
    // 64 MiB, and what a growing list has in reserve.
    assert!(peak < 130 << 20, "{peak}");
}

/// The description is too far away when the device comes, but confirms later where it ended.
#[test]
fn devices_before_much_memory_are_guessed_and_confirmed() {
    let device = |size: usize| {
        format!(
            r#"{{"page_size": 4096, "devices": [{{"name": "early", "instance_id": 0, "size": {size}}}]}}"#
        )
    };
    // What looks like the end of the device is not followed by anything plausible.
    let payload = Builder::default().footer(7).byte(3).be32(41).0;
    let begin = Builder::machine(b"none").start(&[(b"ram", 0x2000)]).footer(42);
    let begin = begin.full(7, b"early", 0, 1).bytes(&payload).footer(7);
    let begin = begin.byte(0x03).be32(42).be64(0x1000 | 0x08).name(b"ram").bytes(&[1; 4096]).0;
    let page = Builder::default().be64(0x28).bytes(&[0x5a; 4096]).0;
    let end = Builder::default().be64(0x10).footer(42).byte(0);
    for size in [payload.len(), payload.len() - 1] {
        let end = end.clone().description(&device(size)).0;
        let pages = (66 << 20) / page.len();
        let stream = Long { parts: [(&begin, 1), (&page, pages), (&end, 1)], offset: 0 };
        let (copied, written) = copy_pipe(stream);
        assert_eq!(written, (begin.len() + pages * page.len() + end.len()) as u64);
        if size == payload.len() {
            assert!(matches!(copied, Copied::Checked), "{copied:?}");
        } else {
            let Copied::Unchecked(failure) = copied else { panic!("{copied:?}") };
            assert_eq!(
                failure.to_string(),
                "offset 0x56 (86): payload of device `early` was guessed to have 10 bytes, \
                 but has 9"
            );
        }
    }
}
