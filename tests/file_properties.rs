//! What holds for any sequence of operations over any channel: against plain byte vectors.
#![cfg(feature = "alloc")]

mod file_support;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use file_support::{EIO, Fickle};
use iov_iter::file::{BUFFER_SIZE, Error, FileReader, FileWriter, Region, Release, WriteChannel};
use proptest::prelude::*;

const CASES: u32 = if cfg!(miri) { 1 } else { 64 };
/// The caller's memory: 200 KiB of bytes without a short period.
const MEMORY: usize = if cfg!(miri) { 2_000 } else { 200_000 };

fn memory() -> Vec<u8> {
    (0..MEMORY).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 11) as u8).collect()
}

#[derive(Clone, Debug)]
enum Put {
    Byte(u8),
    Be16(u16),
    Be32(u32),
    Be64(u64),
    Le32(u32),
    Buffer(Range<usize>),
    Borrowed(Range<usize>),
    Region(Range<usize>, bool),
    /// Continues the last range of the region.
    Next(usize, bool),
    Counted(u8),
    Flush,
}

fn range(longest: usize) -> impl Strategy<Value = Range<usize>> {
    let len = prop_oneof![4 => 0..300_usize.min(longest), 1 => 0..longest];
    (0..MEMORY, len).prop_map(|(start, len)| start..(start + len).min(MEMORY))
}

fn put() -> impl Strategy<Value = Put> {
    let longest = MEMORY.min(80_000);
    prop_oneof![
        4 => any::<u8>().prop_map(Put::Byte),
        1 => any::<u16>().prop_map(Put::Be16),
        1 => any::<u32>().prop_map(Put::Be32),
        2 => any::<u64>().prop_map(Put::Be64),
        1 => any::<u32>().prop_map(Put::Le32),
        3 => range(longest).prop_map(Put::Buffer),
        4 => range(longest).prop_map(Put::Borrowed),
        3 => (range(8192), any::<bool>()).prop_map(|(range, release)| Put::Region(range, release)),
        3 => (0..8192_usize, any::<bool>()).prop_map(|(len, release)| Put::Next(len, release)),
        1 => any::<u8>().prop_map(Put::Counted),
        1 => Just(Put::Flush),
    ]
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    // Many small operations, so that the list of entries fills up, too.
    prop::collection::vec(put(), 1..if cfg!(miri) { 20 } else { 150 })
}

/// Portions of a channel, at least one of which moves data.
fn portions() -> impl Strategy<Value = Vec<Option<usize>>> {
    let portion = prop_oneof![
        2 => Just(None),
        2 => (1..20_usize).prop_map(Some),
        2 => (1..5000_usize).prop_map(Some),
        3 => (1..200_000_usize).prop_map(Some),
    ];
    // No cycle is so short of data that a test takes long.
    prop::collection::vec(portion, 1..8).prop_map(|mut portions| {
        portions.push(Some(3000));
        portions
    })
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

/// A writer and the model of it.
struct Model<'m, C: WriteChannel> {
    writer: FileWriter<'m, C>,
    memory: &'m [u8],
    region: Region<'m>,
    watch: &'m Watch,
    next: usize,
    /// All that was put.
    put: Vec<u8>,
}

impl<'m, C: WriteChannel> Model<'m, C> {
    fn into_parts(self) -> (FileWriter<'m, C>, Vec<u8>) {
        (self.writer, self.put)
    }

    /// Does one operation, again and again while the channel blocks.
    fn apply(&mut self, operation: &Put) -> Result<(), Error> {
        for _ in 0..1_000_000 {
            let before = self.writer.tell();
            assert_eq!(before, self.put.len() as u64);
            let (bytes, result) = self.attempt(operation);
            let taken = (self.writer.tell() - before) as usize;
            self.put.extend_from_slice(&bytes[..taken]);
            match result {
                Ok(()) => {
                    assert_eq!(taken, bytes.len());
                    return Ok(());
                }
                Err(Error::WouldBlock) => match operation {
                    Put::Buffer(range) if taken > 0 => {
                        return self.apply(&Put::Buffer(range.start + taken..range.end));
                    }
                    _ => assert_eq!(taken, 0, "all or nothing"),
                },
                Err(error) => return Err(error),
            }
        }
        panic!("blocked for ever");
    }

    fn attempt(&mut self, operation: &Put) -> (Vec<u8>, Result<(), Error>) {
        let Self { writer, memory, .. } = self;
        match operation {
            Put::Byte(byte) => (vec![*byte], writer.put_byte(*byte)),
            Put::Be16(value) => (value.to_be_bytes().to_vec(), writer.put_be16(*value)),
            Put::Be32(value) => (value.to_be_bytes().to_vec(), writer.put_be32(*value)),
            Put::Be64(value) => (value.to_be_bytes().to_vec(), writer.put_be64(*value)),
            Put::Le32(value) => (value.to_le_bytes().to_vec(), writer.put_le32(*value)),
            Put::Buffer(range) => {
                (memory[range.clone()].to_vec(), writer.put_buffer(&memory[range.clone()]))
            }
            Put::Borrowed(range) => {
                (memory[range.clone()].to_vec(), writer.put_borrowed(&memory[range.clone()]))
            }
            Put::Region(range, release) => self.put_region(range.clone(), *release),
            Put::Next(len, release) => {
                let start = if self.next >= MEMORY { 0 } else { self.next };
                self.put_region(start..(start + len).min(MEMORY), *release)
            }
            Put::Counted(len) => {
                let text = &memory[..usize::from(*len)];
                ([&[*len], text].concat(), writer.put_counted_string(text))
            }
            Put::Flush => (Vec::new(), writer.flush()),
        }
    }

    fn put_region(&mut self, range: Range<usize>, release: bool) -> (Vec<u8>, Result<(), Error>) {
        let bytes = self.memory[range.clone()].to_vec();
        if !release || range.is_empty() {
            let result = self.writer.put_region(&self.region, range.clone());
            self.next = range.end;
            return (bytes, result);
        }
        // It may be released by this very call.
        let end = self.put.len() + bytes.len();
        self.watch.due.lock().unwrap().push((range.clone(), end));
        let before = self.writer.tell();
        let result = self.writer.put_region_and_release(&self.region, range.clone());
        if self.writer.tell() == before {
            self.watch.due.lock().unwrap().pop();
        } else {
            self.next = range.end;
        }
        (bytes, result)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Properties 1, 5 and 9: what arrives is what was put, whatever the channel does.
    #[test]
    fn everything_arrives_in_order(operations in puts(), portions in portions()) {
        let memory = memory();
        let mut channel = Fickle::new(&portions, None);
        let watch = Watch { moved: channel.moved.clone(), due: Mutex::new(Vec::new()) };
        let region = Region::with_release(&memory[..], &watch);
        let writer = FileWriter::new(&mut channel).unwrap();
        let mut model =
            Model { writer, memory: &memory, region, watch: &watch, next: 0, put: Vec::new() };
        for operation in &operations {
            prop_assert_eq!(model.apply(operation), Ok(()));
            let writer = &model.writer;
            prop_assert_eq!(writer.tell(), writer.flushed() + writer.pending());
            prop_assert_eq!(writer.flushed(), watch.moved.load(Ordering::SeqCst) as u64);
            prop_assert_eq!(writer.rate().used(), writer.tell());
            prop_assert!(writer.entries() <= 64);
            let unsent: Vec<u8> = writer.unsent().flatten().copied().collect();
            prop_assert_eq!(&unsent[..], &model.put[writer.flushed() as usize..]);
        }
        prop_assert_eq!(model.apply(&Put::Flush), Ok(()));
        let (writer, put) = model.into_parts();
        writer.close().unwrap();
        prop_assert!(channel.bytes == put);
        prop_assert!(watch.due.lock().unwrap().is_empty(), "all was released");
    }

    /// Property 4: a failure at any byte is counted exactly and stays.
    #[test]
    fn a_failure_is_exact_and_final(
        operations in puts(),
        portions in portions(),
        fails_at in 0..100_000_usize,
    ) {
        let memory = memory();
        let mut channel = Fickle::new(&portions, Some(fails_at));
        let watch = Watch { moved: channel.moved.clone(), due: Mutex::new(Vec::new()) };
        let region = Region::with_release(&memory[..], &watch);
        let writer = FileWriter::new(&mut channel).unwrap();
        let mut model =
            Model { writer, memory: &memory, region, watch: &watch, next: 0, put: Vec::new() };
        let error = Error::Write(EIO);
        let failed = operations.iter().chain([&Put::Flush]).any(|operation| {
            let result = model.apply(operation);
            assert!(result.is_ok() || result == Err(error));
            result.is_err()
        });
        let (mut writer, put) = model.into_parts();
        if failed {
            prop_assert_eq!(writer.flushed(), fails_at as u64);
            prop_assert_eq!(writer.tell(), put.len() as u64);
            for result in [
                writer.put_byte(0),
                writer.put_be64(0),
                writer.put_buffer(&memory),
                writer.put_borrowed(&memory[..1]),
                writer.put_region_and_release(&region, 0..1),
                writer.flush(),
            ] {
                prop_assert_eq!(result, Err(error));
            }
            prop_assert_eq!(writer.tell(), put.len() as u64);
            let unsent: Vec<u8> = writer.unsent().flatten().copied().collect();
            prop_assert!(unsent == put[fails_at..]);
            let calls = writer.channel().calls;
            prop_assert_eq!(writer.close(), Err(error));
            prop_assert_eq!(channel.calls, calls);
            prop_assert!(channel.bytes == put[..fails_at]);
        } else {
            prop_assert!(put.len() <= fails_at);
            writer.close().unwrap();
            prop_assert!(channel.bytes == put);
        }
    }

    /// Property 2: copied data is flushed once per full buffer.
    #[test]
    fn copied_data_is_flushed_per_full_buffer(
        lens in prop::collection::vec(prop_oneof![0..100_usize, 0..70_000_usize], 1..12),
    ) {
        let data = vec![1; 70_000];
        let mut channel = file_support::Recorder::default();
        let mut writer = FileWriter::new(&mut channel).unwrap();
        for len in &lens {
            writer.put_buffer(&data[..*len]).unwrap();
        }
        let total: usize = lens.iter().sum();
        prop_assert_eq!(writer.channel().calls.len(), total / BUFFER_SIZE);
        prop_assert_eq!(writer.pending(), (total % BUFFER_SIZE) as u64);
        writer.close().unwrap();
    }

    /// Property 6.
    #[test]
    fn the_rate_is_exceeded_above_the_limit(limit in 0..200_u64, lens in prop::collection::vec(0..50_u64, 0..10)) {
        let mut writer = FileWriter::new(Vec::new()).unwrap();
        writer.rate_mut().set_limit(limit);
        let mut used = 0;
        for len in lens {
            writer.put_buffer(&vec![0; len as usize]).unwrap();
            used += len;
            prop_assert_eq!(writer.is_rate_exceeded(), used > limit && limit > 0);
        }
        writer.close().unwrap();
    }
}

#[derive(Clone, Debug)]
enum Get {
    Byte,
    Be32,
    Be64,
    Buffer(usize),
    Exact(usize),
    Slice(usize),
    InPlace(usize),
    Peek(usize, usize),
    Skip(usize),
    Counted,
    AtEnd,
}

fn get() -> impl Strategy<Value = Get> {
    let len = || prop_oneof![0..100_usize, 0..BUFFER_SIZE + 1, Just(32767), Just(BUFFER_SIZE)];
    prop_oneof![
        2 => Just(Get::Byte),
        1 => Just(Get::Be32),
        2 => Just(Get::Be64),
        2 => (0..50_000_usize).prop_map(Get::Buffer),
        2 => (0..50_000_usize).prop_map(Get::Exact),
        1 => len().prop_map(Get::Slice),
        1 => len().prop_map(Get::InPlace),
        4 => (len(), len()).prop_map(|(len, offset)| Get::Peek(len, offset)),
        1 => (0..50_000_usize).prop_map(Get::Skip),
        1 => Just(Get::Counted),
        1 => Just(Get::AtEnd),
    ]
}

/// The bytes that an operation must give, or the error.
type Expected = Result<Vec<u8>, Error>;

/// What `operation` gives when `rest` is left, and how much of it is consumed.
fn expected(operation: &Get, rest: &[u8]) -> (Expected, usize) {
    let exactly = |len: usize| match rest.get(..len) {
        Some(bytes) => (Ok(bytes.to_vec()), len),
        None => (Err(Error::UnexpectedEof), 0),
    };
    let up_to = |len: usize| match (len, rest.len()) {
        (1.., 0) => (Err(Error::UnexpectedEof), 0),
        _ => (Ok(rest[..len.min(rest.len())].to_vec()), len.min(rest.len())),
    };
    match *operation {
        Get::Byte => exactly(1),
        Get::Be32 => exactly(4),
        Get::Be64 => exactly(8),
        Get::Slice(len) => exactly(len),
        Get::Buffer(len) | Get::InPlace(len) => up_to(len),
        // Whole buffers may be gone before the end shows.
        Get::Exact(len) | Get::Skip(len) if len > rest.len() => {
            let parts = rest.len() / BUFFER_SIZE;
            (Err(Error::UnexpectedEof), parts * BUFFER_SIZE)
        }
        Get::Exact(len) => exactly(len),
        Get::Skip(len) => (Ok(Vec::new()), len),
        Get::Peek(len, offset) if len + offset > BUFFER_SIZE => (Err(Error::PeekOutOfRange), 0),
        Get::Peek(len, offset) => {
            let ahead = rest.get(offset..).unwrap_or_default();
            (Ok(ahead[..len.min(ahead.len())].to_vec()), 0)
        }
        Get::Counted => match rest.first() {
            None => (Err(Error::UnexpectedEof), 0),
            Some(len) => match rest.get(1..1 + usize::from(*len)) {
                Some(text) => (Ok(text.to_vec()), 1 + text.len()),
                None => (Err(Error::UnexpectedEof), 0),
            },
        },
        Get::AtEnd => (Ok(vec![u8::from(rest.is_empty())]), 0),
    }
}

fn attempt(reader: &mut FileReader<Fickle>, operation: &Get) -> Expected {
    match *operation {
        Get::Byte => reader.get_byte().map(|byte| vec![byte]),
        Get::Be32 => reader.get_be32().map(|value| value.to_be_bytes().to_vec()),
        Get::Be64 => reader.get_be64().map(|value| value.to_be_bytes().to_vec()),
        Get::Buffer(len) => {
            let mut into = vec![0; len];
            reader.get_buffer(&mut into).map(|got| into[..got].to_vec())
        }
        Get::Exact(len) => {
            let mut into = vec![0; len];
            reader.get_exact(&mut into).map(|()| into)
        }
        Get::Slice(len) => reader.get_slice(len).map(<[u8]>::to_vec),
        Get::InPlace(len) => reader.get_buffer_in_place(&mut vec![0; len]).map(<[u8]>::to_vec),
        Get::Peek(len, offset) => reader.peek(len, offset).map(<[u8]>::to_vec),
        Get::Skip(len) => reader.skip(len as u64).map(|()| Vec::new()),
        Get::Counted => reader.get_counted_string().map(<[u8]>::to_vec),
        Get::AtEnd => reader.is_at_end().map(|end| vec![u8::from(end)]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Properties 3, 5 and 7: any way of reading gives the same bytes, and looking ahead changes
    /// nothing.
    #[test]
    fn reading_gives_the_bytes(
        operations in prop::collection::vec(get(), 1..40),
        sizes in prop::collection::vec(1..40_000_usize, 1..6),
        len in 0..MEMORY,
    ) {
        let data = memory()[..len].to_vec();
        let portions: Vec<_> = sizes.into_iter().map(Some).collect();
        let mut channel = Fickle::new(&portions, None);
        channel.bytes = data.clone();
        let mut reader = FileReader::new(channel).unwrap();
        let mut at = 0;
        for operation in &operations {
            let (expected, consumed) = expected(operation, &data[at..]);
            let got = attempt(&mut reader, operation);
            prop_assert!(got == expected, "{:?} at {}: {:?}", operation, at, reader);
            at += consumed;
            prop_assert_eq!(reader.position(), at as u64);
            prop_assert!(reader.position() <= reader.fetched());
            prop_assert_eq!(reader.fetched(), reader.channel().moved.load(Ordering::SeqCst) as u64);
        }
    }

    /// Blocking at any place consumes nothing that is not delivered.
    #[test]
    fn blocking_loses_nothing(
        operations in prop::collection::vec(get(), 1..30),
        portions in portions(),
        len in 0..MEMORY,
    ) {
        let data = memory()[..len].to_vec();
        let mut channel = Fickle::new(&portions, None);
        channel.bytes = data.clone();
        let mut reader = FileReader::new(channel).unwrap();
        for operation in &operations {
            for attempts in 0.. {
                prop_assert!(attempts < 100_000);
                let at = reader.position() as usize;
                let got = attempt(&mut reader, operation);
                let now = reader.position() as usize;
                match (operation, got) {
                    (Get::Exact(_) | Get::Skip(_), Err(Error::WouldBlock)) => {
                        prop_assert_eq!((now - at) % BUFFER_SIZE, 0);
                        break;
                    }
                    (_, Err(Error::WouldBlock)) => prop_assert_eq!(at, now),
                    (Get::Buffer(_) | Get::InPlace(_), Ok(bytes)) => {
                        prop_assert!(bytes == data[at..now]);
                        break;
                    }
                    (_, got) => {
                        let (expected, consumed) = expected(operation, &data[at..]);
                        prop_assert!(got == expected, "{:?} at {}", operation, at);
                        prop_assert_eq!(now - at, consumed);
                        break;
                    }
                }
            }
        }
    }

    /// A failure at any byte: everything before it is delivered, and nothing else.
    #[test]
    fn a_failed_read_delivers_what_came(
        sizes in prop::collection::vec(1..9000_usize, 1..6),
        fails_at in 0..MEMORY,
        step in 1..5000_usize,
    ) {
        let portions: Vec<_> = sizes.into_iter().map(Some).collect();
        let mut channel = Fickle::new(&portions, Some(fails_at));
        channel.bytes = memory();
        let mut reader = FileReader::new(channel).unwrap();
        let mut got = Vec::new();
        let mut part = vec![0; step];
        let error = loop {
            match reader.get_buffer(&mut part) {
                Ok(len) => got.extend_from_slice(&part[..len]),
                Err(error) => break error,
            }
        };
        prop_assert_eq!(error, Error::Read(EIO));
        prop_assert!(got == memory()[..fails_at]);
        let calls = reader.channel().calls;
        prop_assert_eq!(reader.get_byte(), Err(error));
        prop_assert_eq!(reader.channel().calls, calls);
        prop_assert_eq!(reader.close(), Err(error));
    }
}
