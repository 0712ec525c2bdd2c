//! Putting, against the bytes put.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use heapless::Vec as List;
use iov_iter::file::{Error, FileWriter, MAX_ENTRIES, Region, Release, WriteChannel};
use iov_iter::{KVec, Piece, Source};

use super::super::channels::{EIO, Fickle};
use super::user::{User, UserIter, cut};

#[derive(Clone, Debug)]
pub enum Put {
    Byte(u8),
    Be16(u16),
    Be32(u32),
    Be64(u64),
    Le32(u32),
    Buffer(Range<usize>),
    Borrowed(Range<usize>),
    Owned(Range<usize>),
    Region(Range<usize>, bool),
    /// Of a region that others may write, at the same place.
    Shared(Range<usize>, bool),
    /// Continues the last range of the region, of whichever kind it was.
    Next(usize, bool),
    /// By address.
    Raw(Range<usize>, bool),
    /// From an iterator over pieces of at most so many bytes (at least 1), which may fault at one.
    Iter(Range<usize>, usize, Option<usize>),
    Counted(u8),
    Flush,
}

/// Checks that every released range was sent before.
struct Watch {
    moved: Arc<AtomicUsize>,
    /// Ranges to be released, in order, and where each ends in the stream.
    due: Mutex<Vec<(Range<usize>, usize)>>,
}

impl Release for Watch {
    fn release(&self, range: Range<usize>) {
        let mut due = self.due.lock().unwrap();
        let mut at = range.start;
        while at < range.end {
            let (part, end) = due.remove(0);
            assert_eq!(part.start, at, "released in order, and what was asked for");
            assert!(end <= self.moved.load(Ordering::SeqCst), "sent before");
            at = part.end;
        }
        assert_eq!(at, range.end);
    }
}

/// Takes back what was put by address.
struct ByAddress<'w> {
    watch: &'w Watch,
    base: usize,
}

impl Release for ByAddress<'_> {
    fn release(&self, range: Range<usize>) {
        self.watch.release(range.start - self.base..range.end - self.base);
    }
}

/// The bytes that an operation puts: a number, and others of the caller's memory after it.
struct Bytes<'m> {
    number: List<u8, 8>,
    memory: &'m [u8],
}

impl<'m> Bytes<'m> {
    fn number<const N: usize>(bytes: [u8; N]) -> Self {
        Self { number: List::from_slice(&bytes).unwrap(), memory: &[] }
    }

    fn len(&self) -> usize {
        self.number.len() + self.memory.len()
    }
}

impl<'m> From<&'m [u8]> for Bytes<'m> {
    fn from(memory: &'m [u8]) -> Self {
        Self { number: List::new(), memory }
    }
}

/// Bytes at both ends of a part that are compared after each operation.
const EDGE: usize = 64;
/// So many parts are compared after each operation.
const FEW: usize = 8;

/// A writer and the model of it.
struct Model<'m, C: WriteChannel> {
    writer: FileWriter<'m, C>,
    memory: &'m [u8],
    region: Region<'m>,
    /// The same memory, as if others could write it.
    shared: Region<'m>,
    watch: &'m Watch,
    by_address: &'m ByAddress<'m>,
    next: usize,
    /// The last range was one of the shared region.
    was_shared: bool,
    /// All that was put.
    put: Vec<u8>,
}

impl<'m, C: WriteChannel> Model<'m, C> {
    fn into_parts(self) -> (FileWriter<'m, C>, Vec<u8>) {
        (self.writer, self.put)
    }

    /// Compares what is not sent, of long parts both ends: all bytes are compared when they have arrived.
    /// Where there are many parts, only now and then.
    fn check_unsent(&self) {
        let writer = &self.writer;
        if writer.entries() > FEW && !self.put.len().is_multiple_of(FEW) {
            return;
        }
        let mut unsent = &self.put[writer.flushed() as usize..];
        for part in writer.unsent() {
            let (expected, after) = unsent.split_at(part.len());
            let last = part.len().saturating_sub(EDGE);
            let front = &expected[..EDGE.min(part.len())];
            assert_eq!(part.slice(0, EDGE).mismatch(Piece::from(front)), None);
            if last > 0 {
                assert_eq!(part.slice(last, EDGE).mismatch(Piece::from(&expected[last..])), None);
            }
            unsent = after;
        }
        assert!(unsent.is_empty());
    }

    /// Does one operation, again and again while the channel blocks.
    fn apply(&mut self, operation: &Put) -> Result<(), Error> {
        for _ in 0..1_000_000 {
            let before = self.writer.tell();
            assert_eq!(before, self.put.len() as u64);
            let (bytes, result) = self.attempt(operation);
            let taken = (self.writer.tell() - before) as usize;
            let number = taken.min(bytes.number.len());
            self.put.extend_from_slice(&bytes.number[..number]);
            self.put.extend_from_slice(&bytes.memory[..taken - number]);
            match result {
                Ok(()) => {
                    assert_eq!(taken, bytes.len());
                    return Ok(());
                }
                Err(Error::WouldBlock) => match operation {
                    Put::Buffer(range) if taken > 0 => {
                        return self.apply(&Put::Buffer(range.start + taken..range.end));
                    }
                    Put::Iter(range, piece, fault) if taken > 0 => {
                        let rest = range.start + taken..range.end;
                        let fault = fault.map(|fault| fault - taken);
                        return self.apply(&Put::Iter(rest, *piece, fault));
                    }
                    _ => assert_eq!(taken, 0, "all or nothing"),
                },
                Err(error) => return Err(error),
            }
        }
        panic!("blocked for ever");
    }

    /// The bytes that an operation puts, and what it returns.
    fn attempt(&mut self, operation: &Put) -> (Bytes<'m>, Result<(), Error>) {
        let Self { writer, memory, .. } = self;
        let memory: &'m [u8] = memory;
        match operation {
            Put::Raw(range, release) => self.put_raw(range.clone(), *release),
            Put::Iter(range, piece, fault) => {
                let user = User::new(&memory[range.clone()], *fault);
                let segments = cut(0..range.len(), *piece);
                let mut iter = UserIter::<Source>::iovec(&user, &segments, range.len()).unwrap();
                // What comes before a fault.
                let readable = range.len().min(fault.unwrap_or(usize::MAX));
                let bytes = &memory[range.start..][..readable];
                // An error after the first byte is told by the next call, also one after the last.
                let result = match (writer.put_iter(&mut iter, range.len()), writer.error()) {
                    (Ok(_), Some(error)) => Err(error),
                    (Ok(put), None) if put < bytes.len() => Err(Error::WouldBlock),
                    (result, _) => result.map(drop),
                };
                (bytes.into(), result)
            }
            Put::Byte(byte) => (Bytes::number([*byte]), writer.put_byte(*byte)),
            Put::Be16(value) => (Bytes::number(value.to_be_bytes()), writer.put_be16(*value)),
            Put::Be32(value) => (Bytes::number(value.to_be_bytes()), writer.put_be32(*value)),
            Put::Be64(value) => (Bytes::number(value.to_be_bytes()), writer.put_be64(*value)),
            Put::Le32(value) => (Bytes::number(value.to_le_bytes()), writer.put_le32(*value)),
            Put::Buffer(range) => {
                let bytes = &memory[range.clone()];
                (bytes.into(), writer.put_buffer(bytes))
            }
            Put::Borrowed(range) => {
                let bytes = &memory[range.clone()];
                (bytes.into(), writer.put_borrowed(bytes))
            }
            Put::Owned(range) => {
                let bytes = &memory[range.clone()];
                (bytes.into(), writer.put_owned(&mut bytes.to_vec()))
            }
            Put::Region(range, release) => self.put_region(range.clone(), *release, false),
            Put::Shared(range, release) => self.put_region(range.clone(), *release, true),
            Put::Next(len, release) => {
                let start = if self.next >= memory.len() { 0 } else { self.next };
                let end = (start + len).min(memory.len());
                self.put_region(start..end, *release, self.was_shared)
            }
            Put::Counted(len) => {
                let text = &memory[..usize::from(*len)];
                let bytes = Bytes { memory: text, ..Bytes::number([*len]) };
                (bytes, writer.put_counted_string(text))
            }
            Put::Flush => (Bytes::number([]), writer.flush()),
        }
    }

    fn put_region(
        &mut self,
        range: Range<usize>,
        release: bool,
        shared: bool,
    ) -> (Bytes<'m>, Result<(), Error>) {
        self.was_shared = shared;
        let region = if shared { self.shared } else { self.region };
        let memory: &'m [u8] = self.memory;
        let bytes = Bytes::from(&memory[range.clone()]);
        if !release || range.is_empty() {
            let result = self.writer.put_region(&region, range.clone());
            self.next = range.end;
            return (bytes, result);
        }
        let before = self.writer.tell();
        let put =
            |writer: &mut FileWriter<'m, C>| writer.put_region_and_release(&region, range.clone());
        let result = self.put_releasing(range.clone(), put);
        if self.writer.tell() > before {
            self.next = range.end;
        }
        (bytes, result)
    }

    fn put_raw(&mut self, range: Range<usize>, release: bool) -> (Bytes<'m>, Result<(), Error>) {
        let memory: &'m [u8] = self.memory;
        let put_bytes = Bytes::from(&memory[range.clone()]);
        // With a pointer that is valid for what follows, too.
        let bytes = Piece::from(memory).slice(range.start, range.len());
        let owner = release.then_some(self.by_address as &(dyn Release + Sync));
        // SAFETY: the memory outlives the writer, and nothing writes it.
        let put = |writer: &mut FileWriter<'m, C>| unsafe { writer.put_raw(bytes, owner) };
        let result = match release && !range.is_empty() {
            true => self.put_releasing(range, put),
            false => put(&mut self.writer),
        };
        (put_bytes, result)
    }

    /// Puts a range that is released when it was sent, which may be before `put` returns.
    fn put_releasing(
        &mut self,
        range: Range<usize>,
        put: impl FnOnce(&mut FileWriter<'m, C>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let end = self.put.len() + range.len();
        self.watch.due.lock().unwrap().push((range, end));
        let before = self.writer.tell();
        let result = put(&mut self.writer);
        if self.writer.tell() == before {
            self.watch.due.lock().unwrap().pop();
        }
        result
    }
}

/// Puts ranges of `memory` and other things, over a channel of these portions that may fail at a
/// byte; returns what arrived.
///
/// What arrives is what was put, whatever the channel does, and all of it if it does not fail; a
/// failure is counted exactly and stays.
pub fn check(
    operations: &[Put],
    portions: &[Option<usize>],
    fails_at: Option<usize>,
    memory: &[u8],
) -> Vec<u8> {
    let mut channel = Fickle::new(portions, fails_at);
    let watch = Watch { moved: channel.moved.clone(), due: Mutex::new(Vec::new()) };
    let by_address = ByAddress { watch: &watch, base: memory.as_ptr().addr() };
    let region = Region::with_release(memory, &watch);
    let mut writer = FileWriter::new(&mut channel).unwrap();
    // A file that another thread may fail does the same.
    let _control = (operations.len() % 2 == 1).then(|| writer.control().unwrap());
    let shared = Region::shared_with_release(KVec::from(memory), &watch);
    let (watch, put) = (&watch, Vec::new());
    let mut model = Model {
        writer,
        memory,
        region,
        shared,
        watch,
        by_address: &by_address,
        next: 0,
        was_shared: false,
        put,
    };
    let error = Error::Write(EIO);
    let failed = operations.iter().chain([&Put::Flush]).any(|operation| {
        let result = model.apply(operation);
        let writer = &model.writer;
        assert!(result == Ok(()) || fails_at.is_some() && result == Err(error), "{result:?}");
        assert_eq!(writer.error(), result.err());
        assert_eq!(writer.tell(), model.put.len() as u64);
        assert_eq!(writer.tell(), writer.flushed() + writer.pending());
        assert_eq!(writer.flushed(), watch.moved.load(Ordering::SeqCst) as u64);
        assert_eq!(writer.rate().used(), writer.tell());
        assert!(writer.entries() <= MAX_ENTRIES);
        model.check_unsent();
        result.is_err()
    });
    let (mut writer, put) = model.into_parts();
    let sent = if failed { fails_at.unwrap() } else { put.len() };
    assert_eq!(writer.flushed(), sent as u64);
    if failed {
        let some = 0..memory.len().min(1);
        for result in [
            writer.put_byte(0),
            writer.put_be64(0),
            writer.put_buffer(memory),
            writer.put_borrowed(&memory[some.clone()]),
            writer.put_owned(&mut vec![0]),
            writer.put_region_and_release(&region, some),
            writer.flush(),
        ] {
            assert_eq!(result, Err(error));
        }
        assert_eq!(writer.tell(), put.len() as u64);
    }
    let calls = writer.channel().calls;
    assert_eq!(writer.close(), if failed { Err(error) } else { Ok(()) });
    assert_eq!(channel.calls, calls);
    assert!(channel.bytes == put[..sent]);
    assert!(failed || watch.due.lock().unwrap().is_empty(), "all was released");
    channel.bytes
}
