//! Buffered files beside buffered writers and readers of the standard library.
//!
//! All have a buffer of 32 KiB, over a device that takes or gives everything at once. So that only
//! the buffering is measured, the device does not look at the bytes, except where a case says
//! "copying device": as a pipe or a socket would, it copies them.

use std::hint::black_box;
use std::io::{self, BufReader, BufWriter, Read, Write};

use iov_iter::file::{
    BUFFER_SIZE, Channel, ChannelError, FileReader, FileWriter, ReadChannel, Region, WriteChannel,
};
use iov_iter::{KVec, Piece, Segments, SharedVec, Source};

use crate::harness::{Case, Mode, Suite};
use crate::memory::{Memory, PAGE, Part, slice, slice_mut};

/// Bytes that a run puts or gets.
const RUN: usize = 1 << 16;
const HUGE: usize = 1 << 20;

/// Takes everything.
struct Sink {
    memory: Part,
    at: usize,
    copying: bool,
}

impl Sink {
    fn new(memory: &Memory, copying: bool) -> Self {
        Self { memory: memory.part(0, memory.len()), at: 0, copying }
    }

    #[inline]
    fn take(&mut self, bytes: &[u8]) {
        if self.copying {
            assert!(bytes.len() <= self.memory.len - self.at);
            let to = self.memory.base.wrapping_add(self.at);
            // SAFETY: there are as many bytes, and the sink alone writes them.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        self.at += black_box(bytes).len();
    }

    #[inline]
    fn take_piece(&mut self, piece: Piece<'_, Source>) {
        if self.copying {
            let room = self.memory.len - self.at;
            assert!(piece.len() <= room);
            // SAFETY: there is room for as many bytes, and the sink alone writes them.
            let to = unsafe { Piece::from_raw_parts(self.memory.base.wrapping_add(self.at), room) };
            piece.copy_to(to);
        }
        self.at += black_box(piece).len();
    }

    /// The bytes taken since the last call.
    fn taken(&mut self) -> u64 {
        std::mem::take(&mut self.at) as u64
    }
}

impl Channel for Sink {}

impl WriteChannel for Sink {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        from.iter().for_each(|piece| self.take_piece(*piece));
        Ok(from.total())
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        from.iter().for_each(|segment| self.take(segment.as_slice()));
        Ok(from.total())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the same bytes again and again.
struct Tap<'m> {
    bytes: &'m [u8],
    at: usize,
    copying: bool,
}

impl Tap<'_> {
    fn give(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.bytes[self.at..];
        let len = rest.len().min(into.len());
        if self.copying {
            into[..len].copy_from_slice(&rest[..len]);
        }
        black_box(into);
        self.at = (self.at + len) % self.bytes.len();
        len
    }
}

impl Channel for Tap<'_> {}

impl ReadChannel for Tap<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        Ok(self.give(into))
    }
}

impl Read for Tap<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.give(into))
    }
}

/// The least that a buffered writer can be.
struct BareWriter {
    buffer: Box<[u8]>,
    used: usize,
    sink: Sink,
}

impl BareWriter {
    fn new(sink: Sink) -> Self {
        Self { buffer: vec![0; BUFFER_SIZE].into(), used: 0, sink }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() - self.used < bytes.len() {
            self.flush();
            if bytes.len() >= self.buffer.len() {
                return self.sink.take(bytes);
            }
        }
        let to = self.buffer.as_mut_ptr().wrapping_add(self.used);
        // SAFETY: there is room for so many bytes.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.used += bytes.len();
    }

    #[inline(never)]
    fn flush(&mut self) {
        self.sink.take(&self.buffer[..self.used]);
        self.used = 0;
    }
}

/// The least that a buffered reader can be.
struct BareReader<'m> {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    tap: Tap<'m>,
}

impl<'m> BareReader<'m> {
    fn new(tap: Tap<'m>) -> Self {
        Self { buffer: vec![0; BUFFER_SIZE].into(), start: 0, end: 0, tap }
    }

    #[inline]
    fn get(&mut self, into: &mut [u8]) {
        if self.end - self.start < into.len() {
            return self.refill(into);
        }
        let from = self.buffer.as_ptr().wrapping_add(self.start);
        // SAFETY: so many bytes are there.
        unsafe { into.as_mut_ptr().copy_from_nonoverlapping(from, into.len()) };
        self.start += into.len();
    }

    #[inline(never)]
    fn refill(&mut self, mut into: &mut [u8]) {
        while !into.is_empty() {
            if self.start == self.end && into.len() >= self.buffer.len() {
                let len = self.tap.give(into);
                into = &mut into[len..];
                continue;
            }
            if self.start == self.end {
                (self.start, self.end) = (0, self.tap.give(&mut self.buffer));
            }
            let len = into.len().min(self.end - self.start);
            let (front, rest) = into.split_at_mut(len);
            front.copy_from_slice(&self.buffer[self.start..][..len]);
            self.start += len;
            into = rest;
        }
    }
}

type Writer<'b> = FileWriter<'b, Sink>;

/// Small things and large ones.
pub fn put(suite: &mut Suite) {
    suite.group("putting into a buffered file");
    integer::<1>(suite, "put_byte", 0.8, |writer, [byte]| writer.put_byte(byte).unwrap());
    integer::<2>(suite, "put_be16", 1.0, |writer, bytes| {
        writer.put_be16(u16::from_be_bytes(bytes)).unwrap();
    });
    integer::<4>(suite, "put_be32", 1.0, |writer, bytes| {
        writer.put_be32(u32::from_be_bytes(bytes)).unwrap();
    });
    integer::<8>(suite, "put_be64", 1.0, |writer, bytes| {
        writer.put_be64(u64::from_be_bytes(bytes)).unwrap();
    });
    for len in [8, 64, 1500, 4096, HUGE] {
        let Some(case) = suite.case(format!("put_buffer of {}", length(len))) else { continue };
        let case = match len {
            8 => case.within(2.0),
            4096 => case.of_limit(1.1),
            _ => case,
        };
        let case = if len < 1500 {
            case.per(RUN / len, "call")
        } else {
            case.bytes(len.max(RUN / len * len))
        };
        let data = Memory::new(len.max(RUN / len * len));
        // SAFETY: nothing writes the data while it is in use.
        let bytes = unsafe { slice(data.part(0, data.len())) };
        puts(
            suite,
            case,
            len == HUGE,
            bytes,
            |writer, bytes| {
                for part in bytes.chunks_exact(black_box(len)) {
                    writer.put_buffer(part).unwrap();
                }
            },
            |writer, bytes| {
                for part in bytes.chunks_exact(black_box(len)) {
                    writer.put(part);
                }
            },
            |writer, bytes| {
                for part in bytes.chunks_exact(black_box(len)) {
                    writer.write_all(part).unwrap();
                }
            },
        );
    }
    pages(suite);
}

/// A length, in words.
fn length(len: usize) -> String {
    if len == HUGE { "1 MiB, copying device".into() } else { len.to_string() }
}

/// Integers of one size.
fn integer<const N: usize>(
    suite: &mut Suite,
    name: &str,
    within: f64,
    put: impl Fn(&mut Writer, [u8; N]),
) {
    let Some(case) = suite.case(name) else { return };
    let data = Memory::new(RUN);
    // SAFETY: nothing writes the data while it is in use.
    let bytes = unsafe { slice(data.part(0, RUN)) };
    let case = case.per(RUN / N, "call").within(within).in_readme(N == 8);
    puts(
        suite,
        case,
        false,
        bytes,
        |writer, bytes| {
            bytes.as_chunks().0.iter().for_each(|value| put(writer, *value));
        },
        |writer, bytes| {
            bytes.as_chunks::<N>().0.iter().for_each(|value| writer.put(value));
        },
        |writer, bytes| {
            bytes.as_chunks::<N>().0.iter().for_each(|value| writer.write_all(value).unwrap());
        },
    );
}

/// Whoever puts, the same bytes must arrive.
fn puts(
    suite: &mut Suite,
    case: Case,
    copying: bool,
    bytes: &[u8],
    ours: impl Fn(&mut Writer, &[u8]),
    bare: impl Fn(&mut BareWriter, &[u8]),
    std: impl Fn(&mut BufWriter<Sink>, &[u8]),
) {
    let sent = Memory::new(bytes.len());
    let copying = copying || suite.mode == Mode::Test;
    let mut writer = FileWriter::new(Sink::new(&sent, copying)).unwrap();
    let mut bare_writer = BareWriter::new(Sink::new(&sent, copying));
    let mut buf_writer = BufWriter::with_capacity(BUFFER_SIZE, Sink::new(&sent, copying));
    case.reborn()
        .output(&sent)
        .ours(|| {
            ours(&mut writer, black_box(bytes));
            writer.flush().unwrap();
            writer.channel_mut().taken()
        })
        .limit("bare buffer", || {
            bare(&mut bare_writer, black_box(bytes));
            bare_writer.flush();
            bare_writer.sink.taken()
        })
        .alternative("std BufWriter", || {
            std(&mut buf_writer, black_box(bytes));
            buf_writer.flush().unwrap();
            buf_writer.get_mut().taken()
        })
        .finish(suite);
    writer.close().unwrap();
}

/// Pages that are queued where they lie.
fn pages(suite: &mut Suite) {
    const QUEUED: usize = 62;
    let ram = Memory::new(2 * QUEUED * PAGE);
    // SAFETY: nothing writes the pages while they are in use.
    let ram = unsafe { slice(ram.part(0, ram.len())) };
    // Every second page, so that no two of them are one range.
    let places = || (0..QUEUED).map(|number| 2 * number * PAGE);
    let sent = Memory::new(QUEUED * PAGE);
    let copying = suite.mode == Mode::Test;
    let region = Region::new(ram);
    if let Some(case) = suite.case("put_region of 4096, not sent") {
        let mut writer = FileWriter::new(Sink::new(&sent, copying)).unwrap();
        let mut list = Vec::with_capacity(QUEUED);
        case.per(QUEUED, "page")
            .within(2.0)
            .ours(|| {
                let region = black_box(&region);
                for at in places() {
                    writer.put_region(region, at..at + PAGE).unwrap();
                }
                writer.discard_unsent()
            })
            .limit("Vec of slices", || {
                let ram = black_box(ram);
                for at in places() {
                    list.push(&ram[at..at + PAGE]);
                }
                black_box(&mut list).clear();
                (QUEUED * PAGE) as u64
            })
            .finish(suite);
    }
    if let Some(case) = suite.case("put_region of 4096 that others write, sent") {
        let region = Region::shared(SharedVec::from(KVec::from(ram)));
        let mut writer = FileWriter::new(Sink::new(&sent, copying)).unwrap();
        let mut list = Vec::with_capacity(QUEUED);
        let mut sink = Sink::new(&sent, copying);
        case.per(QUEUED, "page")
            .output(&sent)
            .ours(|| {
                let region = black_box(&region);
                for at in places() {
                    writer.put_region(region, at..at + PAGE).unwrap();
                }
                writer.flush().unwrap();
                writer.channel_mut().taken()
            })
            .limit("Vec of slices", || {
                let ram = black_box(ram);
                for at in places() {
                    list.push(&ram[at..at + PAGE]);
                }
                list.drain(..).for_each(|page| sink.take(page));
                sink.taken()
            })
            .finish(suite);
    }
    if let Some(case) = suite.case("put_region of 4096, sent") {
        let mut writer = FileWriter::new(Sink::new(&sent, copying)).unwrap();
        let mut list = Vec::with_capacity(QUEUED);
        let mut sink = Sink::new(&sent, copying);
        let mut buf_writer = BufWriter::with_capacity(BUFFER_SIZE, Sink::new(&sent, copying));
        case.per(QUEUED, "page")
            .in_readme(true)
            .output(&sent)
            .ours(|| {
                let region = black_box(&region);
                for at in places() {
                    writer.put_region(region, at..at + PAGE).unwrap();
                }
                writer.flush().unwrap();
                writer.channel_mut().taken()
            })
            .limit("Vec of slices", || {
                let ram = black_box(ram);
                for at in places() {
                    list.push(&ram[at..at + PAGE]);
                }
                list.drain(..).for_each(|page| sink.take(page));
                sink.taken()
            })
            .alternative("std BufWriter (copies)", || {
                let ram = black_box(ram);
                for at in places() {
                    buf_writer.write_all(&ram[at..at + PAGE]).unwrap();
                }
                buf_writer.flush().unwrap();
                buf_writer.get_mut().taken()
            })
            .finish(suite);
    }
}

type Reader<'m> = FileReader<Tap<'m>>;

/// Small things and large ones.
pub fn get(suite: &mut Suite) {
    suite.group("getting from a buffered file");
    integer_back::<1>(suite, "get_byte", 0.8, |reader| [reader.get_byte().unwrap()]);
    integer_back::<2>(suite, "get_be16", 1.0, |reader| reader.get_be16().unwrap().to_be_bytes());
    integer_back::<4>(suite, "get_be32", 1.0, |reader| reader.get_be32().unwrap().to_be_bytes());
    integer_back::<8>(suite, "get_be64", 1.0, |reader| reader.get_be64().unwrap().to_be_bytes());
    for len in [8, 64, 1500, 4096, HUGE] {
        let Some(case) = suite.case(format!("get_buffer of {}", length(len))) else { continue };
        let case = match len {
            8 => case.within(2.0),
            4096 => case.of_limit(1.1),
            _ => case,
        };
        let all = len.max(RUN / len * len);
        let case = if len < 1500 { case.per(RUN / len, "call") } else { case.bytes(all) };
        let data = Memory::new(all);
        // SAFETY: nothing writes the data while it is in use.
        let bytes = unsafe { slice(data.part(0, all)) };
        gets(
            suite,
            case,
            len == HUGE,
            bytes,
            |reader, into| {
                into.chunks_exact_mut(black_box(len))
                    .map(|part| reader.get_buffer(part).unwrap() as u64)
                    .sum()
            },
            |reader, into| {
                into.chunks_exact_mut(black_box(len)).for_each(|part| reader.get(part));
                all as u64
            },
            |reader, into| {
                into.chunks_exact_mut(black_box(len))
                    .for_each(|part| reader.read_exact(part).unwrap());
                all as u64
            },
        );
    }
}

/// Integers of one size.
fn integer_back<const N: usize>(
    suite: &mut Suite,
    name: &str,
    within: f64,
    get: impl Fn(&mut Reader) -> [u8; N],
) {
    let Some(case) = suite.case(name) else { return };
    let data = Memory::new(RUN);
    // SAFETY: nothing writes the data while it is in use.
    let bytes = unsafe { slice(data.part(0, RUN)) };
    let case = case.per(RUN / N, "call").within(within).in_readme(N == 8);
    gets(
        suite,
        case,
        false,
        bytes,
        |reader, into| {
            into.as_chunks_mut().0.iter_mut().for_each(|value| *value = get(reader));
            RUN as u64
        },
        |reader, into| {
            into.as_chunks_mut::<N>().0.iter_mut().for_each(|value| reader.get(value));
            RUN as u64
        },
        |reader, into| {
            let values = into.as_chunks_mut::<N>().0;
            values.iter_mut().for_each(|value| reader.read_exact(value).unwrap());
            RUN as u64
        },
    );
}

/// Whoever gets, the same bytes must come.
fn gets(
    suite: &mut Suite,
    case: Case,
    copying: bool,
    bytes: &[u8],
    ours: impl Fn(&mut Reader, &mut [u8]) -> u64,
    bare: impl Fn(&mut BareReader, &mut [u8]) -> u64,
    std: impl Fn(&mut BufReader<Tap>, &mut [u8]) -> u64,
) {
    let came = Memory::new(bytes.len());
    let copying = copying || suite.mode == Mode::Test;
    let tap = || Tap { bytes, at: 0, copying };
    let mut reader = FileReader::new(tap()).unwrap();
    let mut bare_reader = BareReader::new(tap());
    let mut buf_reader = BufReader::with_capacity(BUFFER_SIZE, tap());
    let all = came.part(0, came.len());
    case.reborn()
        .output(&came)
        // SAFETY: here and below: the closures run one at a time, and keep no reference.
        .ours(|| ours(&mut reader, black_box(unsafe { slice_mut(all) })))
        .limit("bare buffer", || {
            // SAFETY: as above.
            bare(&mut bare_reader, black_box(unsafe { slice_mut(all) }))
        })
        .alternative("std BufReader", || {
            // SAFETY: as above.
            std(&mut buf_reader, black_box(unsafe { slice_mut(all) }))
        })
        .finish(suite);
}
