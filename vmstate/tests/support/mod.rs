//! Hand-made migration streams, and ways to run `vmstate` on them.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod collect;
pub mod fuzz;
pub mod fuzz_mapped;
pub mod fuzz_multifd;
pub mod peak;

use std::io::{Cursor, Read};

use iov_iter::file::{Channel, ChannelError, Features, ReadChannel, SeekFrom};
use iov_iter::{Dest, Piece};
use vmstate::{
    Channels, Copied, Discard, Failure, Input, Options, Output, Report, ToOrdinary, find_start,
    parse,
};

/// A stream that QEMU wrote.
pub const SHIPPED: &[u8] = include_bytes!("../data/qemu-none-16k.mig");

/// Puts the elements of a stream together.
#[derive(Clone, Debug, Default)]
pub struct Builder(pub Vec<u8>);

impl Builder {
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn byte(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    pub fn be16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn be32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn be64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn name(self, name: &[u8]) -> Self {
        self.byte(u8::try_from(name.len()).unwrap()).bytes(name)
    }

    pub fn footer(self, id: u32) -> Self {
        self.byte(0x7e).be32(id)
    }

    pub fn full(self, id: u32, name: &[u8], instance: u32, version: u32) -> Self {
        self.byte(0x04).be32(id).name(name).be32(instance).be32(version)
    }

    /// Header and configuration.
    pub fn machine(name: &[u8]) -> Self {
        let len = u32::try_from(name.len()).unwrap();
        Self::header().byte(0x07).be32(len).bytes(name)
    }

    pub fn header() -> Self {
        Self::default().bytes(b"QEVM").be32(3)
    }

    /// START of section 42 with blocks of these names and lengths, up to the end of its records.
    pub fn start(self, blocks: &[(&[u8], u64)]) -> Self {
        let total: u64 = blocks.iter().map(|(_, length)| length).sum();
        let start = self.byte(0x01).be32(42).name(b"ram").be32(0).be32(4).be64(total | 0x04);
        let listed = blocks.iter().fold(start, |it, (name, length)| it.name(name).be64(*length));
        listed.be64(0x10)
    }

    pub fn description(self, text: &str) -> Self {
        self.byte(0x06).be32(u32::try_from(text.len()).unwrap()).bytes(text.as_bytes())
    }
}

/// One block of two pages, one zero page, no devices, no description.
pub fn t1() -> Vec<u8> {
    t1_sections().byte(0).0
}

/// [`t1`] without its end mark.
pub fn t1_sections() -> Builder {
    Builder::machine(b"none")
        .start(&[(b"ram", 0x2000)])
        .footer(42)
        .byte(0x03)
        .be32(42)
        .be64(0x1002)
        .name(b"ram")
        .byte(0)
        .be64(0x10)
        .footer(42)
}

/// The description of [`t2`].
pub const T2_TEXT: &str = concat!(
    r#"{"page_size": 4096, "devices": [{"name": "demo", "instance_id": 0, "vmsd_name": "demo", "#,
    r#""version": 2, "fields": [{"name": "a", "type": "uint32", "size": 4}, {"name": "b", "#,
    r#""array_len": 3, "type": "uint16", "size": 2}, {"name": "c", "type": "struct", "struct": "#,
    r#"{"vmsd_name": "demo-c", "version": 1, "fields": [{"name": "x", "type": "uint8", "size": "#,
    r#"1}, {"name": "y", "type": "bool", "size": 1}]}, "size": 2}], "subsections": "#,
    r#"[{"vmsd_name": "demo/extra", "version": 1, "fields": [{"name": "z", "type": "uint64", "#,
    r#""size": 8}]}]}, {"name": "old", "instance_id": 5, "size": 5, "fields": [{"name": "data", "#,
    r#""size": 5, "type": "buffer"}]}]}"#,
);

/// Two devices, one with a payload that looks like its footer, and their description.
pub fn t2() -> Vec<u8> {
    t2_with(true, true, Some(T2_TEXT)).0
}

/// [`t2`], with or without some of its elements.
pub fn t2_with(configuration: bool, footers: bool, text: Option<&str>) -> Builder {
    let footer = |stream: Builder, id| if footers { stream.footer(id) } else { stream };
    let head = if configuration { Builder::machine(b"none") } else { Builder::header() };
    let page: Vec<u8> = (0..4096_u32).map(|k| (7 * k + 3).to_le_bytes()[0]).collect();
    let stream = footer(head.start(&[(b"ram", 0x2000)]), 42);
    let stream = stream.byte(0x02).be32(42).be64(0x02).name(b"ram").byte(0);
    let stream = footer(stream.be64(0x1028).bytes(&page).be64(0x10), 42);
    let stream = footer(stream.byte(0x03).be32(42).be64(0x10), 42);
    let stream = stream.full(1, b"demo", 0, 2).be32(0x0102_0304).be16(1).be16(2).be16(3);
    let stream = stream.byte(9).byte(1);
    let stream = stream.byte(0x05).name(b"demo/extra").be32(1).be64(0x1122_3344_5566_7788);
    let stream = footer(stream, 1).full(3, b"old", 5, 1).footer(3);
    let stream = footer(stream, 3).byte(0);
    text.map_or(stream.clone(), |text| stream.description(text))
}

/// What `vmstate inspect` prints for a file of these bytes.
pub fn inspect(stream: &[u8]) -> Result<String, Failure> {
    inspect_with(stream, Options::default()).1
}

/// What it prints, up to a failure, and how it ends.
pub fn inspect_with(stream: &[u8], options: Options) -> (String, Result<String, Failure>) {
    inspect_channel(Box::new(Bytes::new(stream)), Vec::new(), options)
}

/// What it prints for a stream that comes through a pipe in pieces of `piece` bytes.
pub fn inspect_pipe(stream: &[u8], piece: usize) -> Result<String, Failure> {
    inspect_pipe_with(stream, piece, Options::default())
}

/// What it prints with options.
pub fn inspect_pipe_with(stream: &[u8], piece: usize, options: Options) -> Result<String, Failure> {
    inspect_channel(Box::new(Pieces { rest: stream, piece }), Vec::new(), options).1
}

/// What it prints for a file and the channels of multifd that came with it.
pub fn inspect_multifd(stream: &[u8], channels: &[&[u8]]) -> Result<String, Failure> {
    let channels = channels.iter().map(|it| Box::new(*it) as Box<dyn ReadChannel>).collect();
    inspect_channel(Box::new(Bytes::new(stream)), channels, Options::default()).1
}

fn inspect_channel<'a>(
    mut channel: Box<dyn ReadChannel + 'a>,
    channels: Vec<Box<dyn ReadChannel + 'a>>,
    options: Options,
) -> (String, Result<String, Failure>) {
    let mut report = Report::new(Vec::new());
    let mut nothing = Discard;
    let result = (|| {
        let start = if channel.features().contains(Features::SEEKABLE) {
            find_start(&mut *channel)?
        } else {
            0
        };
        let mut input = Input::new(channel, start, &mut nothing)?;
        parse(&mut input, &mut report, Channels::new(channels)?, options)
    })();
    let text = String::from_utf8(report.into_inner()).unwrap();
    (text.clone(), result.map(|()| text))
}

/// What `vmstate copy` writes for a file of these bytes.
pub fn copy(stream: &[u8], options: Options) -> Result<Vec<u8>, Failure> {
    let mut written = Vec::new();
    let mut file = Bytes::new(stream);
    let start = find_start(&mut file)?;
    let copied = vmstate::copy(Box::new(file), start, &mut written, options)?;
    assert!(matches!(copied, Copied::Checked), "{copied:?}");
    Ok(written)
}

/// What it writes for a stream that comes through a pipe in pieces of `piece` bytes, if it
/// understands the stream; but all of it is written in any case.
pub fn copy_pipe(stream: &[u8], piece: usize, options: Options) -> Result<Vec<u8>, Failure> {
    let mut written = Vec::new();
    let pieces = Box::new(Pieces { rest: stream, piece });
    let copied = vmstate::copy(pieces, 0, &mut written, options).unwrap();
    assert!(written == stream, "the pipe was not copied whole");
    match copied {
        Copied::Checked => Ok(written),
        Copied::Unchecked(failure) | Copied::CutShort(failure) => Err(failure),
    }
}

/// Reads a stream, with its channels, into an output.
pub fn read_into(
    stream: &[u8],
    channels: &[&[u8]],
    output: &mut impl Output,
) -> Result<(), Failure> {
    let mut main = Bytes::new(stream);
    let start = find_start(&mut main)?;
    let channels = channels.iter().map(|it| Box::new(*it) as Box<dyn ReadChannel>).collect();
    let mut input = Input::new(Box::new(main), start, output)?;
    let report = &mut Report::new(std::io::sink());
    parse(&mut input, report, Channels::new(channels)?, Options::default())
}

/// What `vmstate convert --to ordinary` writes.
pub fn to_ordinary(stream: &[u8], channels: &[&[u8]]) -> Result<Vec<u8>, Failure> {
    let mut written = Vec::new();
    let mut output = ToOrdinary::new(&mut written).unwrap();
    let read = read_into(stream, channels, &mut output);
    output.finish(read)?;
    Ok(written)
}

/// The offset of the damage that is reported; panics if none is.
pub fn damage(stream: &[u8]) -> u64 {
    match inspect(stream) {
        Err(Failure::Damaged { offset, .. }) => offset,
        other => panic!("no damage reported: {other:?}"),
    }
}

/// A file in memory.
pub struct Bytes<'a>(Cursor<&'a [u8]>);

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Cursor::new(bytes))
    }
}

impl Channel for Bytes<'_> {
    fn features(&self) -> Features {
        Features::SEEKABLE
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        let to = to.resolve(self.0.position(), self.0.get_ref().len() as u64);
        self.0.set_position(to.ok_or(ChannelError::Os(22))?);
        Ok(self.0.position())
    }
}

impl ReadChannel for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.0.read(into).map_err(|error| ChannelError::from(&error))
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        let bytes = *self.0.get_ref();
        let rest = bytes.get(position.try_into().unwrap_or(usize::MAX)..).unwrap_or_default();
        Ok(Piece::from(rest).copy_to(into[0]))
    }
}

/// Gives its bytes in small pieces.
struct Pieces<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl Channel for Pieces<'_> {}

impl ReadChannel for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let len = into.len().min(self.piece);
        ReadChannel::read(&mut self.rest, &mut into[..len])
    }
}
