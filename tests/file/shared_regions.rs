//! Regions of memory that another thread writes while they are sent, and getting into such memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::{ops::Range, thread};

use crate::channels::{EIO, Fickle, Recorder, Step, copied};
use iov_iter::file::{
    BUFFER_SIZE, BufferChannel, Channel, ChannelError, Error, FileReader, FileWriter, ReadChannel,
    Region, Release, Scratch, SizedBuffer, WriteChannel,
};
use iov_iter::{Dest, KVec, Piece, SharedVec, Source};

const LEN: usize = if cfg!(miri) { 3000 } else { 3 * BUFFER_SIZE };

/// The byte at `at` is one of two values, at any time.
fn value(at: usize, turn: usize) -> u8 {
    (at % 127 * 2 + turn % 2) as u8
}

/// Memory that another thread writes while `run` has it.
fn while_written<T>(run: impl FnOnce(&[AtomicU8]) -> T) -> T {
    let memory: Vec<_> = (0..LEN).map(|at| AtomicU8::new(value(at, 0))).collect();
    // Miri takes accesses of different sizes for a race, and copies choose theirs.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1.. {
                if cfg!(miri) {
                    break;
                }
                for (at, byte) in memory.iter().enumerate() {
                    byte.store(value(at, turn), Relaxed);
                }
                if done.load(Relaxed) {
                    break;
                }
            }
        });
        // Also if it panics, so that the other thread ends.
        struct Done<'d>(&'d AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        let _done = Done(&done);
        run(&memory)
    })
}

/// Ranges of the region: small ones, some that continue each other, and one larger than the buffer.
const RANGES: [Range<usize>; 6] = [0..1, 7..500, 500..900, 901..2000, 3..2999, 1..LEN];

/// Puts the ranges, and small things and borrowed ones between them.
fn put<'m, C: WriteChannel>(writer: &mut FileWriter<'m, C>, memory: &'m [AtomicU8]) {
    let region = Region::shared(memory);
    for range in RANGES {
        // A linear file may put a part.
        put_all(writer, 0..2, |writer, rest| writer.put_buffer(&b"\xab\xcd"[rest]));
        put_all(writer, 0..8, |writer, rest| writer.put_borrowed(&b"borrowed"[rest]));
        put_all(writer, range, |writer, rest| writer.put_region(&region, rest));
    }
}

/// Puts a range, again and again while the channel blocks.
fn put_all<'m, C: WriteChannel>(
    writer: &mut FileWriter<'m, C>,
    mut rest: Range<usize>,
    put: impl Fn(&mut FileWriter<'m, C>, Range<usize>) -> Result<(), Error>,
) {
    while !rest.is_empty() {
        let before = writer.tell();
        let result = put(writer, rest.clone());
        assert!(matches!(result, Ok(()) | Err(Error::WouldBlock)), "{result:?}");
        rest.start += (writer.tell() - before) as usize;
    }
}

/// Every byte is one that was there, and no byte is too many or too few.
fn check(mut arrived: &[u8]) {
    let mut take = |len: usize| arrived.split_off(..len).unwrap();
    for range in RANGES {
        assert_eq!(take(10), b"\xab\xcdborrowed");
        for (at, byte) in range.clone().zip(take(range.len())) {
            assert_eq!(byte | 1, value(at, 1), "at {at} of {range:?}");
        }
    }
    assert_eq!(arrived.len(), 0);
}

/// Sends memory that another thread writes through `channel`, also by a linear file.
fn send<C: WriteChannel>(channel: impl Fn() -> C, arrived: impl Fn(C) -> Vec<u8>) {
    for linear in [false, true] {
        let mut channel = channel();
        while_written(|memory| {
            let open = if linear { FileWriter::linear } else { FileWriter::new };
            let mut writer = open(&mut channel).unwrap();
            put(&mut writer, memory);
            while writer.flush() == Err(Error::WouldBlock) {}
            writer.close().unwrap();
        });
        check(&arrived(channel));
    }
}

#[test]
fn a_vector_takes_what_others_write() {
    send(Vec::new, |bytes| bytes);
}

#[test]
fn a_buffer_takes_what_others_write() {
    let bytes = |channel: BufferChannel| channel.buffer().slices().flatten().copied().collect();
    send(BufferChannel::default, bytes);
    // The first bytes are in the way of others.
    send(
        || BufferChannel::new(SizedBuffer::from_slice(&[0; 1500]).unwrap()),
        |channel| channel.buffer().slices().flatten().copied().collect(),
    );
}

#[test]
fn a_pointer_to_a_channel_takes_what_others_write() {
    send(|| Box::new(Vec::new()), |bytes| *bytes);
}

#[test]
fn what_others_write_survives_a_channel_that_blocks_in_the_middle() {
    for portions in [&[Some(1), None][..], &[Some(700), None, Some(1500)], &[Some(40_000), None]] {
        if cfg!(miri) && portions[0] == Some(1) {
            continue;
        }
        send(|| Fickle::new(portions, None), |channel| channel.bytes);
    }
}

#[test]
fn a_scratch_file_hands_on_what_others_write() {
    let mut sent = Vec::new();
    while_written(|memory| {
        let mut section = FileWriter::new(Scratch).unwrap();
        let mut stream = FileWriter::new(&mut sent).unwrap();
        put(&mut section, memory);
        let len = section.pending();
        assert_eq!(stream.put_file(&mut section), Ok(len));
        stream.close().unwrap();
    });
    check(&sent);
}

#[cfg(feature = "std")]
#[test]
fn a_writer_of_slices_takes_copies_of_what_others_write() {
    use iov_iter::os::IoChannel;
    send(|| IoChannel::new(Vec::new()), IoChannel::into_inner);

    /// Takes a few bytes at a time.
    #[derive(Default)]
    struct Slow(Vec<u8>);

    impl std::io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let len = bytes.len().min(777);
            self.0.extend_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    send(|| IoChannel::new(Slow::default()), |channel| channel.into_inner().0);
}

#[cfg(feature = "std")]
#[test]
fn a_writer_of_slices_that_fails_is_the_error_of_the_file() {
    use iov_iter::os::IoChannel;

    /// Takes some bytes, then fails.
    struct Full(usize);

    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let len = bytes.len().min(self.0);
            self.0 -= len;
            if len > 0 { Ok(len) } else { Err(std::io::Error::from_raw_os_error(28)) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let memory = [const { AtomicU8::new(7) }; 2000];
    let region = Region::shared(&memory[..]);
    // The copies are of 1024 bytes.
    for room in [0, 1, 1024, 1500] {
        let mut writer = FileWriter::new(IoChannel::new(Full(room))).unwrap();
        writer.put_region(&region, 0..2000).unwrap();
        assert_eq!(writer.flush(), Err(Error::Write(ChannelError::Os(28))));
        assert_eq!((writer.flushed(), writer.pending()), (room as u64, 2000 - room as u64));
        writer.discard_unsent();
    }
}

#[cfg(feature = "embedded-io-v0.7")]
#[test]
fn a_writer_of_embedded_io_takes_copies_of_what_others_write() {
    use iov_iter::file::EmbeddedChannel;
    let room = RANGES.iter().map(|range| range.len() + 10).sum();
    let mut wire = vec![0; room];
    while_written(|memory| {
        let mut writer = FileWriter::new(EmbeddedChannel::new(&mut wire[..])).unwrap();
        put(&mut writer, memory);
        writer.close().unwrap();
    });
    check(&wire);
}

#[cfg(all(feature = "std", unix, not(miri)))]
#[test]
fn descriptors_take_what_others_write() {
    use iov_iter::os::pair;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn through<C: WriteChannel + Send>((here, there): (C, impl Read + Send + 'static)) {
        let reader = thread::spawn(move || {
            let (mut there, mut bytes) = (there, Vec::new());
            there.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let mut here = Some(here);
        while_written(|memory| {
            let mut writer = FileWriter::new(here.take().unwrap()).unwrap();
            put(&mut writer, memory);
            writer.close().unwrap();
        });
        check(&reader.join().unwrap());
    }
    through(UnixStream::pair().unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    through((writer, reader));
    let (here, there) = pair(1000).unwrap();
    through((here, iov_iter::file::FileReader::new(there).unwrap()));
}

/// The bytes of a stream that ends `LEN` bytes after its first one.
fn stream() -> Vec<u8> {
    (0..=LEN).map(|at| value(at, 0)).collect()
}

/// Gets the bytes of `stream` into shared memory.
fn receive<C: ReadChannel>(channel: C) {
    let memory: Vec<_> = (0..LEN).map(|_| AtomicU8::new(255)).collect();
    // More than one call takes, and empty ones among them.
    let chunks = memory.chunks(LEN / 100).map(SharedVec::from);
    let segments: Vec<SharedVec<'_, Dest>> =
        chunks.flat_map(|chunk| [SharedVec::empty(), chunk]).collect();
    let mut reader = FileReader::new(channel).unwrap();
    // What comes with it is buffered.
    assert_eq!(reader.get_byte(), Ok(value(0, 0)));
    assert_eq!(reader.get_segments(&segments), Ok(LEN));
    assert_eq!(reader.position(), LEN as u64 + 1);
    for (at, byte) in memory.iter().enumerate() {
        assert_eq!(byte.load(Relaxed), value(at + 1, 0), "at {at}");
    }
    assert_eq!(reader.get_segments(&segments), Err(Error::UnexpectedEof));
}

#[test]
fn memory_is_read_into_what_others_access() {
    let bytes = stream();
    receive(&bytes[..]);
    receive(Box::new(&bytes[..]));
    receive(BufferChannel::new(SizedBuffer::from_slice(&bytes).unwrap()));
    // In portions, with and without the buffer.
    for scattered in [false, true] {
        let mut channel = Fickle::new(&[Some(1), Some(777), Some(40_000)], None);
        (channel.bytes, channel.scattered) = (bytes.clone(), scattered);
        receive(channel);
    }
}

#[cfg(feature = "std")]
#[test]
fn a_reader_of_slices_is_read_into_what_others_access() {
    receive(iov_iter::os::IoChannel::new(&stream()[..]));
}

#[cfg(all(feature = "std", unix, not(miri)))]
#[test]
fn descriptors_are_read_into_what_others_access() {
    use iov_iter::os::{DescriptorChannel, WaitingChannel, pair};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn through<C: ReadChannel>((mut here, there): (impl Write + Send, C)) {
        thread::scope(|scope| {
            scope.spawn(move || here.write_all(&stream()).and_then(|()| here.flush()).unwrap());
            receive(there);
        });
    }
    through(UnixStream::pair().unwrap());
    let (here, there) = UnixStream::pair().unwrap();
    through((here, DescriptorChannel::new(there)));
    let (here, there) = UnixStream::pair().unwrap();
    there.set_nonblocking(true).unwrap();
    through((here, WaitingChannel::new(there)));
    let (reader, writer) = std::io::pipe().unwrap();
    through((writer, reader));
    let (here, there) = pair(1000).unwrap();
    through((FileWriter::new(here).unwrap(), there));
}

/// Counts the calls of each kind.
#[derive(Default)]
struct Kinds {
    shared: usize,
    exclusive: usize,
    bytes: Vec<u8>,
}

impl Channel for Kinds {}

impl WriteChannel for Kinds {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        self.shared += 1;
        self.bytes.extend(from.iter().copied().flat_map(copied));
        Ok(from.iter().map(Piece::len).sum())
    }

    fn write_exclusive(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        self.exclusive += 1;
        from.iter().for_each(|segment| self.bytes.extend_from_slice(segment.as_slice()));
        Ok(from.iter().map(KVec::len).sum())
    }
}

#[test]
fn a_channel_learns_whether_others_may_write_what_it_gets() {
    let memory = [const { AtomicU8::new(7) }; 4];
    let (shared, exclusive) = (Region::shared(&memory[..]), Region::new(&b"mine"[..]));
    let mut kinds = Kinds::default();
    let mut writer = FileWriter::new(Box::new(&mut kinds)).unwrap();
    writer.put_region(&exclusive, 0..4).unwrap();
    writer.put_byte(1).unwrap();
    writer.flush().unwrap();
    assert_eq!((writer.channel().exclusive, writer.channel().shared), (1, 0));
    writer.put_region(&exclusive, 0..4).unwrap();
    writer.put_region(&shared, 1..3).unwrap();
    writer.flush().unwrap();
    assert_eq!((writer.channel().exclusive, writer.channel().shared), (1, 1));
    writer.put_byte(2).unwrap();
    writer.close().unwrap();
    assert_eq!((kinds.exclusive, kinds.shared), (2, 1));
    assert_eq!(kinds.bytes, b"mine\x01mine\x07\x07\x02");
}

#[test]
fn ranges_of_the_same_memory_join_only_if_both_may_be_written() {
    let memory = [7; 8];
    let (shared, exclusive) =
        (Region::shared(SharedVec::from(KVec::from(&memory[..]))), Region::new(&memory[..]));
    let mut writer = FileWriter::new(Scratch).unwrap();
    writer.put_region(&exclusive, 0..2).unwrap();
    writer.put_region(&shared, 2..4).unwrap();
    assert_eq!(writer.entries(), 2);
    writer.put_region(&shared, 4..5).unwrap();
    assert_eq!(writer.entries(), 2);
    writer.put_region(&exclusive, 5..8).unwrap();
    assert_eq!(writer.entries(), 3);
    assert_eq!(writer.unsent().map(|piece| piece.len()).collect::<Vec<_>>(), [2, 3, 3]);
    writer.discard_unsent();
}

#[test]
fn a_byte_is_read_when_it_is_sent() {
    let memory = [const { AtomicU8::new(0) }; 100];
    let region = Region::shared(&memory[..]);
    let mut recorder = Recorder::scripted([Step::Move(10), Step::Fail(ChannelError::WouldBlock)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_region(&region, 0..20).unwrap();
    assert_eq!(writer.put_region(&region, 0..101), Err(Error::OutOfRegion));
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    memory.iter().for_each(|byte| byte.store(1, Relaxed));
    assert_eq!(writer.unsent().flat_map(copied).collect::<Vec<_>>(), [1; 10]);
    writer.close().unwrap();
    assert_eq!(recorder.bytes, [[0; 10], [1; 10]].concat());
}

#[test]
fn shared_ranges_are_released_once_they_were_sent() {
    struct Log(Mutex<Vec<Range<usize>>>);
    impl Release for Log {
        fn release(&self, range: Range<usize>) {
            self.0.lock().unwrap().push(range);
        }
    }
    let memory = [const { AtomicU8::new(3) }; 100];
    let log = Log(Mutex::default());
    let region = Region::shared_with_release(&memory[..], &log);
    let mut recorder = Recorder::scripted([Step::Move(usize::MAX), Step::Fail(EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_region_and_release(&region, 0..10).unwrap();
    writer.put_region_and_release(&region, 10..20).unwrap();
    writer.put_region(&region, 20..30).unwrap();
    assert!(log.0.lock().unwrap().is_empty());
    writer.flush().unwrap();
    assert!(log.0.lock().unwrap().iter().eq([&(0..20)]));
    writer.put_region_and_release(&region, 30..40).unwrap();
    assert_eq!(writer.close(), Err(Error::Write(EIO)));
    assert!(log.0.lock().unwrap().iter().eq([&(0..20)]));
    assert_eq!(recorder.bytes, [3; 30]);
}
