//! multifd: the channels that carry the pages of memory beside the main stream.
//!
//! ```text
//!   once     magic, version, UUID of the machine, number of the channel
//!   packet   header, name of a block, offsets of pages; then their contents, perhaps compressed
//!   packet   SYNC: all channels, and the main stream, come to this point before any goes on
//! ```
//!
//! The main stream has a record, or the end of a section in older machines, for each SYNC. Contents
//! are read there: up to the next SYNC of each channel.

use flate2::{Decompress, FlushDecompress, Status};
use iov_iter::file::{Error, FileReader, ReadChannel};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::output::{Output, Place};
use crate::ram::Block;
use crate::report::Escaped;
use crate::{Failure, Input};

pub const MAGIC: u32 = 0x1122_3344;
const VERSION: u32 = 1;
/// A packet has the pages of so many bytes, at most.
const PACKET: u64 = 512 << 10;
/// Compressed contents of a packet have no more bytes.
const COMPRESSED_LIMIT: u32 = 1 << 20;
/// The binary logarithm of zstd's largest window at level 20, the highest that QEMU takes: 32 MiB. At level
/// 19 it has 8 MiB, at QEMU's usual level 512 KiB. Without this limit a channel could ask for 128 MiB.
const WINDOW_LOG: u32 = 25;
const NAME: usize = 256;

const SYNC: u32 = 0x01;
const COMPRESSION: u32 = 0x3e;
const ZLIB: u32 = 0x02;
const ZSTD: u32 = 0x04;
const DEVICE_STATE: u32 = 0x40;

/// The channels that came with a stream.
#[derive(Default)]
pub struct Channels<'a> {
    channels: Vec<Channel<'a>>,
    /// Whether each SYNC has a record in the main stream. If not, each section has one at its end.
    by_record: Option<bool>,
}

/// What was read from a channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub packets: u64,
    pub syncs: u64,
    pub normal: u64,
    pub zero: u64,
    /// Packets with the state of devices, which are passed.
    pub devices: u64,
}

/// A channel, and where it is read from.
struct Channel<'a> {
    /// The number of its file.
    file: usize,
    reader: FileReader<Box<dyn ReadChannel + 'a>>,
    id: u8,
    uuid: [u8; 16],
    codec: Option<Codec>,
    counts: Counts,
    /// The number of the last packet, and whether it had pages.
    last: Option<(u64, bool)>,
    /// The packet that is read, and where it begins.
    at: u64,
    page: Vec<u8>,
}

/// How the contents of packets are encoded: in the same way in all packets of a channel.
enum Codec {
    None,
    Zlib(Box<Decompress>),
    Zstd(Box<Decoder<'static>>),
}

impl<'a> Channels<'a> {
    /// Reads how each of the channels begins.
    pub fn new(inputs: Vec<Box<dyn ReadChannel + 'a>>) -> Result<Self, Failure> {
        let mut channels = Vec::<Channel<'a>>::new();
        for (index, input) in inputs.into_iter().enumerate() {
            let file = index.saturating_add(1);
            let channel = Channel::new(file, input).map_err(|failure| failure.in_file(file))?;
            if channels.iter().any(|other| other.id == channel.id) {
                let what = format!("a second channel with the number {}", channel.id);
                return Err(Failure::at(24, what).in_file(file));
            }
            if channels.first().is_some_and(|other| other.uuid != channel.uuid) {
                let what =
                    "this channel is of another machine than the first one: the UUID differs";
                return Err(Failure::at(8, what).in_file(file));
            }
            channels.push(channel);
        }
        Ok(Self { channels, by_record: None })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The number of each channel, how its packets are compressed, and what was read.
    pub fn counts(&self) -> impl Iterator<Item = (u8, &'static str, Counts)> {
        self.channels.iter().map(|channel| {
            let compression = match channel.codec {
                None | Some(Codec::None) => "none",
                Some(Codec::Zlib(_)) => "zlib",
                Some(Codec::Zstd(_)) => "zstd",
            };
            (channel.id, compression, channel.counts)
        })
    }

    /// Reads all packets up to the next SYNC: the main stream has its record of that at `at`.
    pub fn at_record<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        at: u64,
        blocks: &mut [Block],
        page_size: u64,
    ) -> Result<(), Failure> {
        if *self.by_record.get_or_insert(true) {
            return self.sync(input, at, blocks, page_size);
        }
        Err(Failure::at(at, "a record of SYNC, but the first section ended without one"))
    }

    /// Reads them where a section ends, if that is where this machine has its SYNC.
    pub fn at_end<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        at: u64,
        blocks: &mut [Block],
        page_size: Option<u64>,
    ) -> Result<(), Failure> {
        if self.is_empty() || *self.by_record.get_or_insert(false) {
            return Ok(());
        }
        let unknown = || Failure::at(at, "nothing tells the size of pages: --page-size gives it");
        self.sync(input, at, blocks, page_size.ok_or_else(unknown)?)
    }

    fn sync<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        at: u64,
        blocks: &mut [Block],
        page_size: u64,
    ) -> Result<(), Failure> {
        for channel in &mut self.channels {
            let file = channel.file;
            loop {
                if channel.reader.is_at_end().map_err(Failure::from_file)? {
                    let what = format!(
                        "the file ends before SYNC {} which the main stream has at {at:#x}",
                        channel.counts.syncs.saturating_add(1)
                    );
                    return Err(Failure::at(channel.reader.position(), what).in_file(file));
                }
                let packet = channel.packet(input, blocks, page_size);
                if packet.map_err(|failure| failure.in_file(file))? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Checks that the channels have ended, as the main stream has. QEMU before 9.0 can send a packet
    /// of nothing at the end.
    pub fn end<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        blocks: &mut [Block],
        page_size: u64,
    ) -> Result<(), Failure> {
        for channel in &mut self.channels {
            let (file, before) = (channel.file, channel.counts);
            while !channel.reader.is_at_end().map_err(Failure::from_file)? {
                let at = channel.reader.position();
                let packet = channel.packet(input, blocks, page_size);
                let sync = packet.map_err(|failure| failure.in_file(file))?;
                let Counts { syncs, normal, zero, devices, .. } = channel.counts;
                let same = (normal, zero, devices) == (before.normal, before.zero, before.devices);
                if sync || !same {
                    let syncs = syncs.saturating_sub(u64::from(sync));
                    let what =
                        format!("more follows SYNC {syncs}, the last that the main stream has");
                    return Err(Failure::at(at, what).in_file(file));
                }
            }
        }
        Ok(())
    }
}

impl<'a> Channel<'a> {
    fn new(file: usize, input: Box<dyn ReadChannel + 'a>) -> Result<Self, Failure> {
        let reader = FileReader::new(input).map_err(Failure::from_file)?;
        let mut channel = Self {
            file,
            reader,
            id: 0,
            uuid: [0; 16],
            codec: None,
            counts: Counts::default(),
            last: None,
            at: 0,
            page: Vec::new(),
        };
        channel.magic("not a channel of multifd: magic")?;
        channel.uuid = channel.array()?;
        [channel.id] = channel.array()?;
        // Reserved.
        channel.skip(7 + 32)?;
        Ok(channel)
    }

    /// Reads a packet; whether that is SYNC.
    fn packet<O: Output>(
        &mut self,
        input: &mut Input<'_, O>,
        blocks: &mut [Block],
        page_size: u64,
    ) -> Result<bool, Failure> {
        self.at = self.reader.position();
        self.magic("no packet: magic")?;
        let flags_at = self.reader.position();
        let flags = self.be32()?;
        if flags & !(SYNC | COMPRESSION | DEVICE_STATE) != 0 {
            return Err(Failure::at(flags_at, format!("unknown flags {flags:#x} of a packet")));
        }
        if flags & DEVICE_STATE != 0 {
            if flags != DEVICE_STATE {
                return Err(Failure::at(flags_at, format!("device state with flags {flags:#x}")));
            }
            return self.device_state().map(|()| false);
        }
        self.counts.packets = self.counts.packets.saturating_add(1);
        let room = PACKET.checked_div(page_size).unwrap_or_default();
        let allocated_at = self.reader.position();
        let allocated = u64::from(self.be32()?);
        let normal = u64::from(self.be32()?);
        let size_at = self.reader.position();
        let size = self.be32()?;
        let number_at = self.reader.position();
        let number = u64::from_be_bytes(self.array()?);
        let zero = u64::from(self.be32()?);
        // Reserved.
        self.skip(4 + 24)?;
        let has_pages = normal != 0 || zero != 0;
        if let Some((last, had_pages)) = self.last {
            // Before 9.0 SYNC can have the number of the packet before it or after it.
            if number < last || (number == last && has_pages && had_pages) {
                let what = format!("packet {number} follows packet {last}");
                return Err(Failure::at(number_at, what));
            }
        }
        self.last = Some((number, has_pages));
        if allocated > room || normal.saturating_add(zero) > allocated {
            let what = format!(
                "a packet of {normal} normal and {zero} zero pages, with room for {allocated} of \
                 at most {room}"
            );
            return Err(Failure::at(allocated_at, what));
        }
        let name_at = self.reader.position();
        let name: [u8; NAME] = self.array()?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut offsets = Vec::new();
        let offsets_at = self.reader.position();
        for _ in 0..room {
            offsets.push(u64::from_be_bytes(self.array()?));
        }
        offsets.truncate(usize::try_from(normal.saturating_add(zero)).unwrap_or_default());
        let contents_at = self.reader.position();
        let contents = normal.saturating_mul(page_size);
        if offsets.is_empty() {
            // Of a packet without pages neither block, size nor compression mean anything: QEMU
            // before 9.0 leaves there what was in the packet before.
            return Ok(self.passed(flags));
        }
        let index = blocks.iter().position(|block| block.name == name);
        let Some((index, block)) = index.and_then(|index| Some((index, blocks.get_mut(index)?)))
        else {
            return Err(Failure::at(name_at, format!("unknown RAM block `{}`", Escaped(name))));
        };
        let length = block.length;
        for (count, offset) in offsets.iter().enumerate() {
            let inside = offset.checked_add(page_size).is_some_and(|end| end <= length);
            if !inside || offset & page_size.wrapping_sub(1) != 0 {
                let at = offsets_at.saturating_add((count as u64).saturating_mul(8));
                let what = format!("no page of block `{}` is at {offset:#x}", Escaped(name));
                return Err(Failure::at(at, what));
            }
        }
        let len = usize::try_from(page_size).unwrap_or_default();
        let place = |offset| Place { block: index, offset, len };
        let normal_len = usize::try_from(normal).unwrap_or_default();
        let (with_contents, zeros) = offsets.split_at_checked(normal_len).unwrap_or_default();
        self.codec(flags & COMPRESSION, flags_at)?;
        let compressed = !matches!(self.codec, Some(Codec::None));
        let size = if normal == 0 { 0 } else { size };
        let wrong = if compressed {
            size > COMPRESSED_LIMIT || (size == 0 && normal != 0)
        } else {
            u64::from(size) != contents
        };
        if wrong {
            let what = format!("{size} bytes of {normal} pages of {page_size} bytes");
            return Err(Failure::at(size_at, what));
        }
        let mut payload = Vec::new();
        if compressed {
            let size = usize::try_from(size).unwrap_or_default();
            payload.resize(size, 0);
            self.reader.get_exact(&mut payload).map_err(|error| self.failure(error))?;
        }
        let mut rest = payload.as_slice();
        let mut page = std::mem::take(&mut self.page);
        page.resize(len, 0);
        for offset in with_contents {
            match &mut self.codec {
                Some(Codec::Zlib(zlib)) => inflate(zlib, &mut rest, &mut page)
                    .map_err(|what| Failure::at(contents_at, what))?,
                Some(Codec::Zstd(zstd)) => unpack(zstd, &mut rest, &mut page)
                    .map_err(|what| Failure::at(contents_at, what))?,
                _ => self.reader.get_exact(&mut page).map_err(|error| self.failure(error))?,
            }
            let given = input.output().contents(place(*offset), &page);
            given.map_err(|why| input.stopped(why))?;
        }
        // What ends the packet for the compressor has no bytes of pages.
        let at_end = match &mut self.codec {
            Some(Codec::Zlib(zlib)) => inflate(zlib, &mut rest, &mut []),
            Some(Codec::Zstd(zstd)) => unpack(zstd, &mut rest, &mut []),
            _ => Ok(()),
        };
        at_end.map_err(|what| Failure::at(contents_at, what))?;
        if !rest.is_empty() {
            let what = format!("the packet has {} bytes more than its pages", rest.len());
            return Err(Failure::at(contents_at, what));
        }
        self.page = page;
        for offset in zeros {
            input.output().filled(place(*offset), 0).map_err(|why| input.stopped(why))?;
        }
        block.normal = block.normal.saturating_add(normal);
        block.zero = block.zero.saturating_add(zero);
        self.counts.normal = self.counts.normal.saturating_add(normal);
        self.counts.zero = self.counts.zero.saturating_add(zero);
        Ok(self.passed(flags))
    }

    /// Whether the packet that was read is SYNC, which is counted.
    fn passed(&mut self, flags: u32) -> bool {
        let sync = flags & SYNC != 0;
        self.counts.syncs = self.counts.syncs.saturating_add(u64::from(sync));
        sync
    }

    /// Passes a packet with a part of the state of a device.
    fn device_state(&mut self) -> Result<(), Failure> {
        // The name of the device in 256 bytes, its instance.
        self.skip(260)?;
        let at = self.reader.position();
        let size = self.be32()?;
        if size == 0 {
            return Err(Failure::at(at, "device state without bytes"));
        }
        self.counts.devices = self.counts.devices.saturating_add(1);
        self.skip(u64::from(size))
    }

    /// Takes what the flags of a packet say about compression.
    fn codec(&mut self, flags: u32, at: u64) -> Result<(), Failure> {
        let fits = match &self.codec {
            None => {
                self.codec = Some(match flags {
                    0 => Codec::None,
                    ZLIB => Codec::Zlib(Box::new(Decompress::new(true))),
                    ZSTD => {
                        let decoder = Decoder::new().and_then(|mut decoder| {
                            decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
                            Ok(decoder)
                        });
                        let failed = |error: std::io::Error| Failure::Input(error.to_string());
                        Codec::Zstd(Box::new(decoder.map_err(failed)?))
                    }
                    _ => {
                        let what = format!("compression {flags:#x} is not supported");
                        return Err(Failure::at(at, what));
                    }
                });
                true
            }
            Some(Codec::None) => flags == 0,
            Some(Codec::Zlib(_)) => flags == ZLIB,
            Some(Codec::Zstd(_)) => flags == ZSTD,
        };
        if fits {
            return Ok(());
        }
        Err(Failure::at(at, "the packet is compressed in another way than the first one"))
    }

    fn magic(&mut self, what: &str) -> Result<(), Failure> {
        let at = self.reader.position();
        let magic = self.be32()?;
        if magic != MAGIC {
            return Err(Failure::at(at, format!("{what} {magic:#010x}")));
        }
        let at = self.reader.position();
        let version = self.be32()?;
        if version != VERSION {
            return Err(Failure::at(at, format!("unknown version {version} of multifd")));
        }
        Ok(())
    }

    fn be32(&mut self) -> Result<u32, Failure> {
        self.reader.get_be32().map_err(|error| self.failure(error))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        self.reader.get_array().map_err(|error| self.failure(error))
    }

    fn skip(&mut self, len: u64) -> Result<(), Failure> {
        self.reader.skip(len).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: Error) -> Failure {
        if error != Error::UnexpectedEof {
            return Failure::from_file(error);
        }
        let what = format!("the file ends in the packet that begins at {:#x}", self.at);
        Failure::at(self.reader.fetched(), what)
    }
}

const TOO_FEW: &str = "the compressed pages have fewer bytes than pages";

/// Fills `page` with what `rest` gives.
fn inflate(zlib: &mut Decompress, rest: &mut &[u8], mut page: &mut [u8]) -> Result<(), String> {
    loop {
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let status = zlib.decompress(rest, page, FlushDecompress::Sync);
        let read = usize::try_from(zlib.total_in().saturating_sub(read)).unwrap_or(usize::MAX);
        let written = zlib.total_out().saturating_sub(written);
        let written = usize::try_from(written).unwrap_or(usize::MAX);
        *rest = rest.get(read..).unwrap_or_default();
        page = page.get_mut(written..).unwrap_or_default();
        match status {
            // Nothing has moved: there is no room, or there are no bytes.
            Ok(Status::BufError) | Ok(Status::Ok) if page.is_empty() => return Ok(()),
            Ok(Status::Ok) if read != 0 || written != 0 => {}
            Ok(Status::Ok | Status::BufError) => return Err(TOO_FEW.into()),
            Ok(Status::StreamEnd) => return Err("the compressed stream ends".into()),
            Err(error) => return Err(format!("compressed pages are damaged: {error}")),
        }
    }
}

/// Fills `page` with what `rest` gives.
fn unpack(zstd: &mut Decoder<'_>, rest: &mut &[u8], mut page: &mut [u8]) -> Result<(), String> {
    // Asked for nothing several times, as by packets of zero pages, zstd takes it for an endless loop.
    while !(page.is_empty() && rest.is_empty()) {
        let mut from = InBuffer::around(rest);
        let mut to = OutBuffer::around(page);
        let result = zstd.run(&mut from, &mut to);
        let (read, written) = (from.pos(), to.pos());
        *rest = rest.get(read..).unwrap_or_default();
        page = page.get_mut(written..).unwrap_or_default();
        if let Err(error) = result {
            return Err(format!("compressed pages cannot be unpacked: {error}"));
        }
        if page.is_empty() && read == 0 {
            break;
        }
        if read == 0 && written == 0 {
            return Err(TOO_FEW.into());
        }
    }
    Ok(())
}
