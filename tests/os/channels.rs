//! Channels of the operating system: files, pipes, sockets, descriptors.
#![cfg(all(feature = "std", target_os = "linux"))]

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IoSlice, Read, Seek, SeekFrom as IoSeekFrom, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::alone::is_alone;
use crate::pattern::pattern;
use iov_iter::file::{
    Channel, ChannelError, Duplex, Error, Features, FileReader, FileWriter, ReadChannel, SeekFrom,
    WriteChannel,
};
use iov_iter::os::{DescriptorChannel, IoChannel, WaitingChannel};
use iov_iter::{KVec, Piece, Shared, Source};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// A file in the temporary directory, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("iov-iter-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_with_many_entries() {
    let scratch = Scratch::new("entries");
    let data = pattern(100_000);
    let mut writer = FileWriter::new(scratch.open()).unwrap();
    for part in data.chunks(1000) {
        writer.put_be16(part.len() as u16).unwrap();
        writer.put_borrowed(part).unwrap();
    }
    assert_eq!(writer.tell(), 100_200);
    writer.close().unwrap();
    assert_eq!(fs::metadata(&scratch.0).unwrap().len(), 100_200);

    let mut reader = FileReader::new(scratch.open()).unwrap();
    let mut got = Vec::new();
    while !reader.is_at_end().unwrap() {
        let len = reader.get_be16().unwrap();
        got.extend_from_slice(reader.get_slice(len.into()).unwrap());
    }
    reader.close().unwrap();
    assert_eq!(got, data);
}

#[test]
fn a_file_is_read_straight_into_segments() {
    let scratch = Scratch::new("segments");
    let data = pattern(100_000);
    fs::write(&scratch.0, &data).unwrap();
    let mut reader = FileReader::new(scratch.open()).unwrap();
    let mut into = vec![0; data.len() + 1];
    let segments: Vec<_> = into.chunks_mut(1000).map(KVec::from).collect();
    assert_eq!(reader.get_segments(&segments), Ok(data.len()));
    assert_eq!((reader.position(), reader.buffered()), (100_000, 0));
    assert_eq!((&into[..data.len()], into[data.len()]), (&data[..], 0));
}

#[test]
fn a_file_has_positions() {
    let scratch = Scratch::new("positions");
    let mut writer = FileWriter::new(scratch.open()).unwrap();
    assert!(writer.is_seekable());
    writer.put_buffer(&pattern(1000)).unwrap();
    writer.put_buffer_at(b"there", 5000).unwrap();
    assert_eq!(writer.offset(), Ok(1000));
    writer.put_byte(7).unwrap();
    assert_eq!(writer.seek(SeekFrom::End(0)), Ok(5005));
    writer.put_byte(8).unwrap();
    assert_eq!((writer.tell(), writer.transferred()), (1002, 1007));
    writer.close().unwrap();
    let mut expected = pattern(1000);
    expected.push(7);
    expected.resize(5000, 0);
    expected.extend_from_slice(b"there\x08");
    assert_eq!(fs::read(&scratch.0).unwrap(), expected);

    let mut reader = FileReader::new(scratch.open()).unwrap();
    assert_eq!(reader.get_slice(10).unwrap(), &expected[..10]);
    let mut there = [0; 5];
    reader.get_buffer_at(&mut there, 5000).unwrap();
    assert_eq!(&there, b"there");
    assert_eq!(reader.offset(), Ok(10));
    assert_eq!(reader.seek(SeekFrom::Current(-3)), Ok(7));
    assert_eq!(reader.get_byte(), Ok(expected[7]));
    assert_eq!(reader.seek(SeekFrom::End(-1)), Ok(5005));
    assert_eq!(reader.get_byte(), Ok(8));
    reader.seek(SeekFrom::Start(0)).unwrap();
    let error = reader.seek(SeekFrom::Current(-1)).unwrap_err();
    assert_eq!(error, Error::Seek(ChannelError::Os(22)));
    assert_eq!(reader.close(), Err(error));
}

#[test]
fn hundreds_of_segments_are_written_and_read_at_a_position_by_one_call() {
    let scratch = Scratch::new("vectors");
    let data = pattern(30_000);
    let segments: Vec<_> = data.chunks(100).map(KVec::from).collect();
    let mut file = scratch.open();
    let from: Vec<_> = data.chunks(100).map(Piece::from).collect();
    assert_eq!(WriteChannel::write_at(&mut file, &from, 5), Ok(30_000));
    let mut into = vec![0; 30_000];
    {
        let pieces: Vec<_> = into.chunks_mut(150).map(Piece::from).collect();
        assert_eq!(ReadChannel::read_at(&mut file, &pieces, 5), Ok(30_000));
        assert_eq!(ReadChannel::read_at(&mut file, &pieces, 30_004), Ok(1));
        assert_eq!(ReadChannel::read_at(&mut file, &pieces, 30_005), Ok(0));
        let negative = ReadChannel::read_at(&mut file, &pieces, u64::MAX);
        assert_eq!(negative, Err(ChannelError::Os(22)));
    }
    into[0] = data[0];
    assert!(into == data);

    let mut writer = FileWriter::new(file).unwrap();
    writer.put_segments_at(&segments, 40_000).unwrap();
    assert_eq!(Seek::stream_position(&mut writer).unwrap(), 0);
    assert_eq!(Seek::seek(&mut writer, IoSeekFrom::End(0)).unwrap(), 70_000);
    writer.close().unwrap();
    let mut reader = FileReader::new(scratch.open()).unwrap();
    into.fill(0);
    let segments: Vec<_> = into.chunks_mut(7).map(KVec::from).collect();
    reader.get_segments_at(&segments, 40_000).unwrap();
    drop(segments);
    assert!(into == data);
    assert_eq!(reader.get_byte(), Ok(0));
    assert_eq!(Seek::seek(&mut reader, IoSeekFrom::Current(4)).unwrap(), 5);
    assert_eq!(reader.get_byte(), Ok(data[0]));
}

#[test]
fn the_error_of_a_file_leads_to_that_of_its_channel() {
    use std::error::Error as _;

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut writer = FileWriter::new(full).unwrap();
    writer.put_byte(1).unwrap();
    let error = std::io::Error::from(writer.flush().unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let of_file = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    let of_channel = of_file.source().unwrap().downcast_ref::<ChannelError>();
    assert_eq!(of_channel, Some(&ChannelError::Os(28)));
    assert!(Error::WriteZero.source().is_none());
}

#[test]
fn a_wrapped_writer_keeps_the_error_with_words() {
    struct Refusing;

    impl std::io::Write for Refusing {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no more paper"))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut writer = FileWriter::new(IoChannel::new(Refusing)).unwrap();
    writer.put_byte(1).unwrap();
    let error = writer.flush().unwrap_err();
    assert_eq!(error, Error::Write(ChannelError::Other("input or output error")));
    let kept = writer.channel_mut().take_error().unwrap();
    assert_eq!(kept.to_string(), "no more paper");
    assert!(writer.channel_mut().take_error().is_none());
    writer.discard_unsent();
    let damaged = ChannelError::from(&io::Error::new(io::ErrorKind::InvalidData, "block 7"));
    assert_eq!(damaged, ChannelError::Other("invalid data"));
}

#[test]
fn every_ability_of_a_channel_is_that_of_a_pointer_to_it() {
    fn abilities(mut file: impl ReadChannel + WriteChannel) {
        assert!(file.features().contains(Features::SEEKABLE));
        assert_eq!(file.seek(SeekFrom::Start(2)), Ok(2));
        assert_eq!(file.write(&[Piece::from(&b"abcd"[..])]), Ok(4));
        assert_eq!(file.write_exclusive(&[KVec::from(&b"ef"[..])]), Ok(2));
        assert_eq!(file.write_at(&[Piece::from(&b"X"[..])], 3), Ok(1));
        let (mut one, mut two) = ([0; 2], [0; 3]);
        assert_eq!(file.read_at(&[Piece::from(&mut one[..])], 2), Ok(2));
        assert_eq!(file.seek(SeekFrom::Start(4)), Ok(4));
        assert_eq!(file.read_pieces(&[Piece::from(&mut two[..])]), Ok(3));
        assert_eq!((&one, &two), (b"aX", b"cde"));
        assert_eq!(file.read(&mut two), Ok(1));
        assert_eq!(file.set_blocking(true), Ok(()));
        assert_eq!(file.shutdown(), Err(ChannelError::Unsupported));
        assert_eq!(file.close(), Ok(()));
    }

    let scratch = Scratch::new("pointers");
    abilities(&mut scratch.open());
    abilities(Box::new(scratch.open()));
    abilities(WaitingChannel::new(scratch.open()));
}

#[test]
fn a_full_disk_is_an_error_that_sticks() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut writer = FileWriter::new(full).unwrap();
    writer.put_buffer(&[1; 100]).unwrap();
    let error = Error::Write(ChannelError::Os(28));
    assert_eq!(writer.flush(), Err(error));
    assert_eq!((writer.flushed(), writer.pending()), (0, 100));
    assert_eq!(writer.close(), Err(error));
}

#[test]
fn a_file_opened_for_reading_cannot_be_written() {
    let scratch = Scratch::new("read-only");
    scratch.open();
    let mut writer = FileWriter::new(File::open(&scratch.0).unwrap()).unwrap();
    writer.put_byte(1).unwrap();
    assert_eq!(writer.close(), Err(Error::Write(ChannelError::Os(9))));
}

#[test]
fn a_pipe_is_a_channel() {
    let (from, to) = io::pipe().unwrap();
    let worker = thread::spawn(move || {
        let data = pattern(200_000);
        let mut writer = FileWriter::new(to).unwrap();
        writer.put_borrowed(&data).unwrap();
        writer.close().unwrap();
    });
    let mut reader = FileReader::new(from).unwrap();
    let mut got = vec![0; 200_000];
    reader.get_exact(&mut got).unwrap();
    assert!(reader.is_at_end().unwrap());
    worker.join().unwrap();
    assert_eq!(got, pattern(200_000));
}

#[test]
fn a_pipe_opened_as_a_file_has_no_positions() {
    let (from, _to) = io::pipe().unwrap();
    let mut reader = FileReader::new(File::from(OwnedFd::from(from))).unwrap();
    assert!(!reader.is_seekable());
    assert_eq!(reader.offset(), Err(Error::Seek(ChannelError::Os(29))));
}

#[test]
fn a_pipe_that_may_not_wait() {
    let data = pattern(1_000_000);
    let (from, to) = io::pipe().unwrap();
    let mut reader = FileReader::new(from).unwrap();
    let mut writer = FileWriter::new(to).unwrap();
    reader.set_blocking(false).unwrap();
    writer.set_blocking(false).unwrap();
    assert_eq!(reader.get_byte(), Err(Error::WouldBlock));
    writer.put_borrowed(&data).unwrap();
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    let mut got = Vec::new();
    loop {
        let done = writer.flush() == Ok(());
        let mut part = [0; 10_000];
        while let Ok(len) = reader.get_buffer(&mut part) {
            got.extend_from_slice(&part[..len]);
        }
        if done {
            break;
        }
    }
    assert_eq!((writer.flushed(), reader.error()), (1_000_000, None));
    writer.close().unwrap();
    assert_eq!(got, data);
}

#[test]
fn a_non_blocking_pipe_that_waits() {
    let (from, mut to) = io::pipe().unwrap();
    let mut reader = FileReader::new(WaitingChannel::new(from)).unwrap();
    reader.set_blocking(false).unwrap();
    let worker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        to.write_all(&[1, 2]).unwrap();
        thread::sleep(Duration::from_millis(20));
        to.write_all(&[3, 4]).unwrap();
    });
    assert_eq!(reader.get_be32(), Ok(0x0102_0304));
    assert!(reader.is_at_end().unwrap());
    worker.join().unwrap();
}

/// A channel that counts how often it moves nothing.
struct Counted<C> {
    inner: C,
    blocked: usize,
}

impl<C> Counted<C> {
    fn count(&mut self, answer: Result<usize, ChannelError>) -> Result<usize, ChannelError> {
        self.blocked += usize::from(answer == Err(ChannelError::WouldBlock));
        answer
    }
}

impl<C: AsFd> AsFd for Counted<C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<C> Channel for Counted<C> {}

impl<C: ReadChannel> ReadChannel for Counted<C> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let answer = self.inner.read(into);
        self.count(answer)
    }
}

impl<C: WriteChannel> WriteChannel for Counted<C> {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        let answer = self.inner.write(from);
        self.count(answer)
    }
}

/// A connection whose error queue holds a report that nobody reads, and its other end.
fn with_unread_report() -> (WaitingChannel<Counted<TcpStream>>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut there, _) = listener.accept().unwrap();
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ZEROCOPY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    // SAFETY: it is one byte, which lives for ever.
    let sent =
        unsafe { libc::send(stream.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_ZEROCOPY) };
    assert_eq!(sent, 1);
    there.read_exact(&mut [0]).unwrap();
    let mut polled = libc::pollfd { fd: stream.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: it is one entry.
    assert_eq!(unsafe { libc::poll(&mut polled, 1, 10_000) }, 1);
    assert_eq!(polled.revents, libc::POLLERR);
    stream.set_nonblocking(true).unwrap();
    (WaitingChannel::new(Counted { inner: stream, blocked: 0 }), there)
}

#[test]
fn an_unread_report_does_not_keep_a_reader_from_waiting() {
    let (here, mut there) = with_unread_report();
    let mut reader = FileReader::new(here).unwrap();
    let worker = thread::spawn(move || {
        for byte in 0..4 {
            thread::sleep(Duration::from_millis(50));
            there.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(reader.get_be32(), Ok(0x0001_0203));
    assert!(reader.is_at_end().unwrap());
    let blocked = reader.channel().get_ref().blocked;
    assert!((4..30).contains(&blocked), "{blocked} reads moved nothing");
    worker.join().unwrap();
}

#[test]
fn an_unread_report_does_not_keep_a_writer_from_waiting() {
    let data = pattern(20_000_000);
    let (here, mut there) = with_unread_report();
    let mut writer = FileWriter::new(here).unwrap();
    let worker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        let mut got = Vec::new();
        there.read_to_end(&mut got).unwrap();
        got
    });
    writer.put_borrowed(&data).unwrap();
    writer.flush().unwrap();
    let blocked = writer.channel().get_ref().blocked;
    assert!((1..1000).contains(&blocked), "{blocked} writes moved nothing");
    writer.close().unwrap();
    assert!(worker.join().unwrap() == data);
}

/// A terminal that hands on what it is given, and the name of its other side, which nobody has open.
fn hung_up_terminal() -> (File, PathBuf) {
    let (mut here, mut there) = (0, 0);
    // SAFETY: both descriptors are written, the settings of a new terminal are read before they are
    // changed, and each descriptor gets its one owner.
    unsafe {
        let null = std::ptr::null_mut();
        assert_eq!(libc::openpty(&mut here, &mut there, null, null.cast(), null.cast()), 0);
        let mut settings = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(there, &mut settings), 0);
        libc::cfmakeraw(&mut settings);
        assert_eq!(libc::tcsetattr(there, libc::TCSANOW, &settings), 0);
        let there = File::from_raw_fd(there);
        let name = fs::read_link(format!("/proc/self/fd/{}", there.as_raw_fd())).unwrap();
        (File::from_raw_fd(here), name)
    }
}

#[test]
fn a_hang_up_does_not_keep_a_writer_from_waiting() {
    let data = pattern(100_000);
    let (mut terminal, name) = hung_up_terminal();
    terminal.set_blocking(false).unwrap();
    let terminal = WaitingChannel::new(Counted { inner: terminal, blocked: 0 });
    let mut writer = FileWriter::new(terminal).unwrap();
    let worker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        let mut got = vec![0; 100_000];
        File::open(name).unwrap().read_exact(&mut got).unwrap();
        got
    });
    writer.put_borrowed(&data).unwrap();
    writer.flush().unwrap();
    let blocked = writer.channel().get_ref().blocked;
    assert!((1..1000).contains(&blocked), "{blocked} writes moved nothing");
    assert!(worker.join().unwrap() == data);
    writer.close().unwrap();
}

#[test]
fn a_reader_that_went_away() {
    let (from, to) = io::pipe().unwrap();
    let mut writer = FileWriter::new(to).unwrap();
    writer.put_byte(1).unwrap();
    drop(from);
    assert_eq!(writer.close(), Err(Error::Write(ChannelError::Os(32))));
}

#[test]
fn pipes_of_a_child_process_are_channels() {
    let mut child =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut writer = FileWriter::new(child.stdin.take().unwrap()).unwrap();
    let mut reader = FileReader::new(child.stdout.take().unwrap()).unwrap();
    writer.put_counted_string(b"through cat").unwrap();
    writer.close().unwrap();
    assert_eq!(reader.get_counted_string().unwrap(), b"through cat");
    assert!(reader.is_at_end().unwrap());
    child.wait().unwrap();
}

fn exchange<C>(here: C, there: C)
where
    C: Duplex + iov_iter::file::ReadChannel + iov_iter::file::WriteChannel + Send + 'static,
{
    let worker = thread::spawn(move || {
        let mut reader = FileReader::new(there).unwrap();
        let mut answer = FileWriter::new(reader.return_channel().unwrap()).unwrap();
        let len = reader.get_be32().unwrap();
        let mut got = vec![0; len as usize];
        reader.get_exact(&mut got).unwrap();
        answer.put_be32(u32::from(got == pattern(300_000))).unwrap();
        answer.close().unwrap();
        // The other side stops its file, which ends this direction.
        reader.get_byte()
    });
    let data = pattern(300_000);
    let mut writer = FileWriter::new(here).unwrap();
    let mut answer = FileReader::new(writer.return_channel().unwrap()).unwrap();
    writer.put_be32(300_000).unwrap();
    writer.put_borrowed(&data).unwrap();
    writer.flush().unwrap();
    assert_eq!(answer.get_be32(), Ok(1));
    let stopper = answer.stopper().unwrap();
    let waiting = thread::spawn(move || answer.get_byte());
    thread::sleep(Duration::from_millis(20));
    stopper.stop().unwrap();
    assert_eq!(waiting.join().unwrap(), Err(Error::Stopped));
    assert_eq!(worker.join().unwrap(), Err(Error::UnexpectedEof));
    writer.close().unwrap();
}

#[test]
fn unix_sockets_are_channels() {
    let (here, there) = UnixStream::pair().unwrap();
    exchange(here, there);
    let (here, there) = UnixStream::pair().unwrap();
    exchange(DescriptorChannel::new(here), DescriptorChannel::new(there));
}

#[test]
fn tcp_sockets_are_channels() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    exchange(here, there);
}

#[test]
fn a_socket_that_may_not_wait() {
    let (here, there) = UnixStream::pair().unwrap();
    let mut reader = FileReader::new(here).unwrap();
    reader.set_blocking(false).unwrap();
    assert_eq!(reader.get_byte(), Err(Error::WouldBlock));
    (&there).write_all(&[9]).unwrap();
    assert_eq!(reader.get_byte(), Ok(9));
    drop(there);
    assert!(reader.is_at_end().unwrap());
}

#[test]
fn a_socket_closed_while_data_is_sent() {
    let data = pattern(3_000_000);
    let (here, mut there) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || there.read_exact(&mut [0; 100_000]));
    let mut writer = FileWriter::new(here).unwrap();
    writer.put_borrowed(&data).unwrap();
    let error = writer.flush().unwrap_err();
    assert!(matches!(error, Error::Write(ChannelError::Os(32 | 104))), "{error:?}");
    worker.join().unwrap().unwrap();
    assert!((100_000..3_000_000).contains(&writer.flushed()));
    assert_eq!(writer.tell(), 3_000_000);
    let mut rest = &data[writer.flushed() as usize..];
    for piece in writer.unsent() {
        assert!(piece.mismatch::<Shared>(Piece::from(&rest[..piece.len()])).is_none());
        rest = &rest[piece.len()..];
    }
    assert!(rest.is_empty());
    assert_eq!(writer.put_byte(0), Err(error));
    assert_eq!(writer.close(), Err(error));
}

#[test]
fn descriptors_arrive_in_order_and_at_their_places() {
    let (here, there) = UnixStream::pair().unwrap();
    let mut writer = FileWriter::new(DescriptorChannel::new(here)).unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    let files = [Scratch::new("fd-0"), Scratch::new("fd-1")];
    for (number, scratch) in files.iter().enumerate() {
        let mut file = scratch.open();
        write!(file, "file {number}").unwrap();
        writer.put_be32(number as u32).unwrap();
        writer.put_descriptor(&file).unwrap();
    }
    assert_eq!((writer.tell(), writer.rate().used()), (10, 10));
    writer.put_byte(0xff).unwrap();
    writer.close().unwrap();

    assert_eq!(reader.get_descriptor().unwrap_err(), Error::NoDescriptor, "four bytes too early");
    for number in 0..2 {
        assert_eq!(reader.get_be32(), Ok(number));
        let mut file = File::from(reader.get_descriptor().unwrap());
        Seek::seek(&mut file, IoSeekFrom::Start(0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("file {number}"));
    }
    assert_eq!(reader.get_descriptor().unwrap_err(), Error::NoDescriptor);
    assert_eq!(reader.get_byte(), Ok(0xff));
    assert_eq!(reader.get_descriptor().unwrap_err(), Error::UnexpectedEof);
    assert_eq!(reader.position(), 11);
    assert_eq!(reader.close(), Err(Error::UnexpectedEof));
}

#[test]
fn a_carrier_without_descriptor_stays_in_the_stream() {
    let (here, there) = UnixStream::pair().unwrap();
    (&here).write_all(b" ").unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    assert_eq!(reader.get_descriptor().unwrap_err(), Error::NoDescriptor);
    assert_eq!((reader.get_byte(), reader.error()), (Ok(b' '), None), "the byte stays");
}

/// While it lives this process can open nothing more.
struct DescriptorsFull(libc::rlimit);

impl DescriptorsFull {
    fn new() -> Self {
        let first_free = File::open("/dev/null").unwrap().as_raw_fd();
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limits are written.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut before) }, 0);
        let full = libc::rlimit { rlim_cur: first_free as libc::rlim_t, ..before };
        // SAFETY: the limits are read.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &full) }, 0);
        Self(before)
    }
}

impl Drop for DescriptorsFull {
    fn drop(&mut self) {
        // SAFETY: the limits are read.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.0) };
    }
}

#[test]
fn a_descriptor_that_finds_no_room_is_lost_with_its_reason_and_nothing_else() {
    if !is_alone(
        "channels::a_descriptor_that_finds_no_room_is_lost_with_its_reason_and_nothing_else",
    ) {
        return;
    }
    const FULL: ChannelError = ChannelError::Os(libc::EMFILE);
    let (here, there) = UnixStream::pair().unwrap();
    let mut writer = FileWriter::new(DescriptorChannel::new(here)).unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    for number in 0..4 {
        writer.put_be32(number).unwrap();
        writer.put_descriptor(io::stderr()).unwrap();
    }
    writer.put_byte(0xff).unwrap();
    writer.flush().unwrap();

    let full = DescriptorsFull::new();
    for number in 0..2 {
        assert_eq!(reader.get_be32(), Ok(number));
        assert_eq!(reader.get_descriptor().unwrap_err(), Error::Read(FULL));
        assert_eq!((reader.error(), reader.position()), (None, 5 * u64::from(number + 1)));
    }
    drop(full);
    assert_eq!(reader.get_be32(), Ok(2));
    reader.get_descriptor().unwrap();
    let full = DescriptorsFull::new();
    assert_eq!(reader.get_be32(), Ok(3));
    assert_eq!(reader.get_byte(), Ok(b' '));
    assert_eq!(reader.get_byte(), Ok(0xff));
    assert_eq!(reader.close(), Err(Error::Close(FULL)), "for the one that nobody asked for");
    drop(full);
}

#[test]
fn more_descriptors_than_one_place_holds_are_told_and_the_data_is_kept() {
    let (here, there) = UnixStream::pair().unwrap();
    let stderr = io::stderr();
    let descriptors = [stderr.as_fd(); 20];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(20))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&here, &[IoSlice::new(b" data")], &mut control, SendFlags::empty()).unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    reader.get_descriptor().unwrap();
    assert_eq!(reader.get_slice(4).unwrap(), b"data");
    let channel = reader.channel_mut();
    let arrived = std::iter::from_fn(|| channel.take_descriptor()).collect::<Vec<_>>();
    assert_eq!(arrived.iter().filter(|arrival| arrival.is_ok()).count(), 15);
    assert!(matches!(arrived[15], Err(ChannelError::Other(_))) && arrived.len() == 16);
    reader.close().unwrap();
}

#[test]
fn descriptors_that_nobody_asks_for_do_not_pile_up() {
    if !is_alone("channels::descriptors_that_nobody_asks_for_do_not_pile_up") {
        return;
    }
    let (here, there) = UnixStream::pair().unwrap();
    let mut writer = FileWriter::new(DescriptorChannel::new(here)).unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    let _full = DescriptorsFull::new();
    for _ in 0..1024 {
        writer.put_descriptor(io::stderr()).unwrap();
        assert_eq!(reader.get_byte(), Ok(b' '));
    }
    writer.put_descriptor(io::stderr()).unwrap();
    let error = reader.get_byte().unwrap_err();
    assert!(matches!(error, Error::Read(ChannelError::Other(_))), "{error:?}");
}

#[test]
fn unclaimed_descriptors_are_an_error_of_closing() {
    let (here, there) = UnixStream::pair().unwrap();
    let mut writer = FileWriter::new(DescriptorChannel::new(here)).unwrap();
    writer.put_descriptor(io::stderr()).unwrap();
    writer.close().unwrap();
    let mut reader = FileReader::new(DescriptorChannel::new(there)).unwrap();
    assert_eq!(reader.get_byte(), Ok(b' '));
    assert!(matches!(reader.close(), Err(Error::Close(ChannelError::Other(_)))));
}

#[test]
fn any_reader_or_writer_of_std_is_a_channel() {
    let scratch = Scratch::new("buffered");
    let mut writer = FileWriter::new(IoChannel::new(io::BufWriter::new(scratch.open()))).unwrap();
    writer.put_be32(5).unwrap();
    writer.flush().unwrap();
    assert_eq!(fs::read(&scratch.0).unwrap(), [0, 0, 0, 5], "its buffer is flushed, too");
    writer.close().unwrap();

    /// Keeps what is written and cannot pass it on.
    struct Stuck(usize);
    impl Write for Stuck {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            self.0 += from.len();
            Ok(from.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
    let mut channel = IoChannel::new(Stuck(0));
    let mut writer = FileWriter::new(&mut channel).unwrap();
    writer.put_be32(5).unwrap();
    let error = Error::Write(ChannelError::Os(11));
    assert_eq!((writer.flush(), writer.flush()), (Err(error), Err(error)));
    assert_eq!(writer.close(), Err(error));
    assert_eq!(channel.get_ref().0, 4, "not written twice");

    /// Is interrupted before every read.
    struct Interrupted(bool);
    impl Read for Interrupted {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            into[0] = 1;
            Ok(1)
        }
    }
    let mut reader = FileReader::new(IoChannel::new(Interrupted(false))).unwrap();
    assert_eq!(reader.get_be16(), Ok(0x0101));
    let mut reader = FileReader::new(IoChannel::new(io::empty())).unwrap();
    assert!(reader.is_at_end().unwrap());
}

#[test]
fn files_as_readers_and_writers_of_the_standard_library() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    write!(writer, "line {}\nsecond\n", 1).unwrap();
    io::copy(&mut &pattern(50_000)[..], &mut writer).unwrap();
    writer.close().unwrap();

    let mut reader = FileReader::new(&sent[..]).unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!((&line[..], reader.position()), ("line 1\n", 7));
    reader.skip(7).unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, pattern(50_000));
    assert_eq!(Read::read(&mut reader, &mut [0; 4]).unwrap(), 0);
    reader.close().unwrap();

    let mut broken = FileWriter::new(Vec::new()).unwrap();
    broken.set_error(Error::Reported(28, "full"));
    let error = broken.write(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(error.to_string(), "full (error 28)");
    broken.close().unwrap_err();
}
