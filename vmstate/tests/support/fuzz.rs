//! The body of the fuzz target: the parser, on any bytes and on damaged streams: it never panics,
//! repeats byte for byte what it accepts, and needs little memory whatever a stream claims.

use std::sync::LazyLock;

use vmstate::{Failure, Options, find_start};

use super::peak::peak;
use super::{Builder, Bytes, SHIPPED, T2_TEXT, copy, copy_pipe, inspect_with, t1, t2_with};

/// Written by QEMU 10, with pages of 1 KiB.
const ARM: &[u8] = include_bytes!("../data/qemu10-arm-none-64k.mig");

/// A stream up to its end mark, and the text that describes it.
#[derive(Clone)]
struct Stream {
    head: Vec<u8>,
    text: Option<Vec<u8>>,
}

/// Good streams.
static GOOD: LazyLock<Vec<Stream>> = LazyLock::new(|| {
    let described = |stream: &[u8], begins: &[u8]| {
        let text = stream.windows(begins.len()).rposition(|bytes| bytes == begins).unwrap();
        (stream[..text - 5].to_vec(), Some(stream[text..].to_vec()))
    };
    let shipped = described(SHIPPED, b"{\"page_size\"");
    let t2 = |configuration, footers, text: Option<&str>| {
        (t2_with(configuration, footers, None).0, text.map(|text| text.as_bytes().to_vec()))
    };
    let streams = [
        (t1(), None),
        (every_element(), None),
        t2(true, true, Some(T2_TEXT)),
        t2(false, false, Some(T2_TEXT)),
        t2(true, true, None),
        shipped,
        described(ARM, b"{\"configuration\""),
        (device_before_the_end(), Some(T2_TEXT.as_bytes().to_vec())),
        (runs_of_zeros(), None),
    ];
    let streams: Vec<_> = streams.map(|(head, text)| Stream { head, text }).into();
    for stream in &streams {
        // One of them has nothing that describes its devices.
        let result = inspect_with(&stream.bytes(), Options { guess: true, ..Options::default() }).1;
        assert!(result.is_ok(), "{result:?}");
    }
    streams
});

/// The devices of [`t2`] before the last part of the memory.
fn device_before_the_end() -> Vec<u8> {
    let mut stream = t2_with(true, true, None).0;
    let devices: Vec<u8> = stream.drain(4220..4306).collect();
    stream.splice(4202..4202, devices);
    stream
}

/// All that a configuration can say, commands, and pages in every form.
fn every_element() -> Vec<u8> {
    let subsection = |stream: Builder, name| stream.byte(5).name(name).be32(1);
    let stream = subsection(Builder::machine(b"none"), b"configuration/target-page-bits").be32(10);
    let stream = subsection(stream, b"configuration/capabilities").be32(1).name(b"x-ignore-shared");
    let stream = subsection(stream, b"configuration/uuid").bytes(&[0x11; 16]);
    let stream = stream.byte(8).be16(2).be16(4).be32(7);
    let stream = stream.byte(8).be16(3).be16(16).be64(1024).be64(1024);
    let stream = stream.byte(1).be32(42).name(b"ram").be32(0).be32(4).be64(0x1804);
    let stream = stream.name(b"a").be64(0x1000).be64(0).name(b"b").be64(0x800).be64(1 << 32);
    let stream = stream.be64(0x10).footer(42).byte(2).be32(42);
    let stream = stream.be64(0x402).name(b"a").byte(0xff).be64(0x828).bytes(&[5; 1024]);
    let stream = stream.be64(0x40).name(b"b").byte(1).be16(3).bytes(&[1, 1, 9]);
    let stream = stream.be64(0x520).be32(4).bytes(b"zlib").be64(0x10).footer(42);
    stream.byte(3).be32(42).be64(0x10).footer(42).byte(0).0
}

/// Zero pages one after the other, up to pages that are not.
fn runs_of_zeros() -> Vec<u8> {
    let stream = Builder::machine(b"none").start(&[(b"a", 0x1_0000), (b"b", 0x4000)]).footer(42);
    let zeros = |stream: Builder, pages: std::ops::Range<u64>| {
        pages.fold(stream, |stream, page| stream.be64(page << 12 | 0x22).byte(0))
    };
    let stream = zeros(stream.byte(2).be32(42).be64(0x02).name(b"a").byte(0), 1..4);
    let stream = zeros(stream.be64(0x4028).bytes(&[5; 4096]), 5..9);
    let stream = zeros(stream.be64(0x9022).byte(7), 10..16).be64(0x2002).name(b"b").byte(0);
    zeros(stream, 0..2).be64(0x10).footer(42).byte(3).be32(42).be64(0x10).footer(42).byte(0).0
}

impl Stream {
    /// A good stream, or an empty one, with the changes that the input tells.
    fn changed(input: &[u8]) -> Vec<u8> {
        let Some((which, mut input)) = input.split_first() else { return Vec::new() };
        let Some(mut stream) = GOOD.get(usize::from(*which)).cloned() else {
            return input.to_vec();
        };
        while let Some((&[kind, low, high, value], rest)) = input.split_first_chunk() {
            input = rest;
            let at = usize::from(u16::from_le_bytes([low, high]));
            match stream.text.as_mut().filter(|_| kind & 0x80 != 0) {
                Some(text) => change(text, kind, at, value),
                None => change(&mut stream.head, kind, at, value),
            }
        }
        stream.bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        let stream = Builder(self.head.clone());
        match &self.text {
            Some(text) => stream.byte(6).be32(text.len() as u32).bytes(text).0,
            None => stream.0,
        }
    }
}

/// Numbers that are likely to be at the edge of something.
const NUMBERS: [u64; 16] = [
    0,
    1,
    0x10,
    0x7e,
    0xff,
    0x1000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX - 0xfff,
    u64::MAX,
];

/// Changes something at a place, counted around.
pub fn change(bytes: &mut Vec<u8>, kind: u8, at: usize, value: u8) {
    let at = at % (bytes.len() + 1);
    let end = (at + usize::from(value)).min(bytes.len());
    let number = NUMBERS[usize::from(value) % 16].to_be_bytes();
    let width = 1 << (value >> 4 & 3);
    match kind % 8 {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        3 => bytes.insert(at, value),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(end..end, again);
        }
        5 => {
            let end = (at + width).min(bytes.len());
            bytes.splice(at..end, number[8 - width..].iter().copied());
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
    }
}

pub fn check(input: &[u8]) {
    let Some(([flags, piece], input)) = input.split_first_chunk() else { return };
    let options = Options {
        page_size: [None, Some(1024), Some(4096), Some(65536)][usize::from(flags >> 4 & 3)],
        guess: flags & 3 == 1,
        raw_tail: flags & 12 == 4,
    };
    let stream = Stream::changed(input);

    let ((report, file), used) = peak(|| inspect_with(&stream, options));
    let most = (200 << 10) + 40 * stream.len();
    assert!(used < most, "{used} bytes to inspect {}", stream.len());
    match &file {
        Ok(_) => {}
        Err(Failure::Damaged { offset, .. }) => assert!(*offset <= stream.len() as u64),
        Err(failure) => panic!("{failure}"),
    }
    let (copied, used) = peak(|| copy(&stream, options));
    assert!(used < most, "{used} bytes to copy {}", stream.len());
    assert_eq!(copied.is_ok(), file.is_ok());
    let piece = usize::from(*piece) + 1;
    let (piped, used) = peak(|| copy_pipe(&stream, piece, options));
    assert!(used < most, "{used} bytes to copy {} from a pipe", stream.len());
    for copied in [&copied, &piped].into_iter().flatten() {
        assert!(*copied == stream);
    }
    // In a pipe a stream is not searched for.
    let begins = find_start(&mut Bytes::new(&stream)).unwrap() == 0;
    if !options.raw_tail && begins {
        assert!(file.is_ok() || piped.is_err());
        // Of a pipe another page size may be guessed wrongly.
        let usual = |line: &str| line.starts_with("ram ") && line.contains(" page_size=4096 ");
        assert!(piped.is_ok() || file.is_err() || !report.lines().any(usual));
    }
}
