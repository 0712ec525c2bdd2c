//! The traits of embedded-io, as channels and of files.
#![cfg(feature = "embedded-io-v0.7")]

use std::sync::atomic::AtomicU8;

use embedded_io::{BufRead, Error as _, ErrorKind, ErrorType, Read, Write};
use iov_iter::file::{ChannelError, EmbeddedChannel, Error, FileReader, FileWriter, Region};

/// Takes at most 3 bytes per call, at most `room` in all, and counts flushes.
struct Wire {
    bytes: Vec<u8>,
    room: usize,
    flushes: usize,
    interrupted: bool,
}

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl Write for Wire {
    fn write(&mut self, from: &[u8]) -> Result<usize, ErrorKind> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted);
        }
        let len = from.len().min(3).min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&from[..len]);
        if len == 0 { Err(ErrorKind::ConnectionReset) } else { Ok(len) }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.flushes += 1;
        Ok(())
    }
}

fn wire(room: usize) -> Wire {
    Wire { bytes: Vec::new(), room, flushes: 0, interrupted: false }
}

#[test]
fn a_writer_as_a_channel() {
    let mut channel = EmbeddedChannel::new(wire(100));
    let mut writer = FileWriter::new(&mut channel).unwrap();
    writer.put_be32(0x0102_0304).unwrap();
    writer.put_borrowed(&[5, 6]).unwrap();
    writer.put_borrowed(&[7]).unwrap();
    writer.close().unwrap();
    assert_eq!(channel.get_ref().bytes, [1, 2, 3, 4, 5, 6, 7]);
    assert!(channel.get_ref().flushes > 0);

    // Bytes that others may write reach the end of the wire as well; a write that stops before their end does
    // not flush.
    for len in [2, 4] {
        let memory = [const { AtomicU8::new(8) }; 4];
        let mut writer = FileWriter::new(EmbeddedChannel::new(wire(100))).unwrap();
        writer.put_region(&Region::shared(&memory[..]), 0..len).unwrap();
        let wire = writer.into_inner().unwrap().into_inner();
        assert_eq!((&wire.bytes[..], wire.flushes), (&[8; 4][..len], 1));
    }
}

#[test]
fn a_failing_writer_is_counted_exactly() {
    for room in 0..7 {
        let mut channel = EmbeddedChannel::new(wire(room));
        let mut writer = FileWriter::new(&mut channel).unwrap();
        writer.put_be32(0x0102_0304).unwrap();
        writer.put_borrowed(&[5, 6]).unwrap();
        writer.put_borrowed(&[7]).unwrap();
        let error = Error::Write(ChannelError::Os(104));
        assert_eq!(writer.flush(), Err(error));
        assert_eq!(writer.flushed(), room as u64);
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(writer.close(), Err(error));
        assert_eq!(channel.into_inner().bytes, [1, 2, 3, 4, 5, 6, 7][..room]);
    }
}

#[test]
fn errors_are_of_the_kinds_that_embedded_io_has() {
    for (error, kind) in [
        (Error::Unsupported, ErrorKind::Unsupported),
        (Error::NoMemory, ErrorKind::OutOfMemory),
        (Error::WriteZero, ErrorKind::WriteZero),
        (Error::Decompress, ErrorKind::InvalidData),
        (Error::Read(ChannelError::Os(22)), ErrorKind::InvalidInput),
        (Error::Write(ChannelError::Os(32)), ErrorKind::BrokenPipe),
        (Error::Write(ChannelError::Os(104)), ErrorKind::ConnectionReset),
        (Error::Read(ChannelError::Os(110)), ErrorKind::TimedOut),
        (Error::Read(ChannelError::Os(5)), ErrorKind::Other),
    ] {
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

#[test]
fn errors_of_embedded_io_get_the_numbers_of_linux() {
    for (kind, errno) in [
        (ErrorKind::NotFound, 2),
        (ErrorKind::PermissionDenied, 13),
        (ErrorKind::AlreadyExists, 17),
        (ErrorKind::InvalidInput, 22),
        (ErrorKind::BrokenPipe, 32),
        (ErrorKind::AddrInUse, 98),
        (ErrorKind::AddrNotAvailable, 99),
        (ErrorKind::ConnectionAborted, 103),
        (ErrorKind::ConnectionReset, 104),
        (ErrorKind::NotConnected, 107),
        (ErrorKind::TimedOut, 110),
        (ErrorKind::ConnectionRefused, 111),
    ] {
        assert_eq!(ChannelError::from(kind), ChannelError::Os(errno), "{kind:?}");
    }
    for (kind, error) in [
        (ErrorKind::Unsupported, ChannelError::Unsupported),
        (ErrorKind::OutOfMemory, ChannelError::NoMemory),
        (ErrorKind::InvalidData, ChannelError::Other("invalid data")),
        (ErrorKind::WriteZero, ChannelError::Other("the writer takes no more data")),
        (ErrorKind::Other, ChannelError::Other("input or output error")),
    ] {
        assert_eq!(ChannelError::from(kind), error, "{kind:?}");
    }
}

#[test]
fn a_reader_as_a_channel() {
    let mut reader = FileReader::new(EmbeddedChannel::new(&[1, 2, 3][..])).unwrap();
    assert_eq!(reader.get_be16(), Ok(0x0102));
    assert_eq!(reader.get_be16(), Err(Error::UnexpectedEof));
    assert_eq!(reader.get_byte(), Ok(3));
}

#[test]
fn files_as_readers_and_writers() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.write_all(b"some text").unwrap();
    Write::flush(&mut writer).unwrap();
    assert_eq!(writer.pending(), 0);
    writer.close().unwrap();

    let mut reader = FileReader::new(&sent[..]).unwrap();
    let mut four = [0; 4];
    reader.read_exact(&mut four).unwrap();
    assert_eq!(&four, b"some");
    assert_eq!(reader.fill_buf().unwrap(), b" text");
    reader.consume(2);
    assert_eq!((reader.read(&mut four), &four), (Ok(3), b"exte"));
    assert_eq!(reader.read(&mut four), Ok(0));
    assert_eq!(reader.fill_buf().unwrap(), b"");
    reader.close().unwrap();

    let mut broken = FileWriter::new(wire_file()).unwrap();
    broken.set_error(Error::UnexpectedEof);
    assert_eq!(broken.write(b"x"), Err(Error::UnexpectedEof));
    broken.close().unwrap_err();
}

fn wire_file() -> EmbeddedChannel<Wire> {
    EmbeddedChannel::new(wire(1))
}

#[test]
fn files_read_and_write_all_and_seek() {
    use embedded_io::{ReadExactError, Seek, SeekFrom};
    use iov_iter::file::BufferChannel;

    let mut writer = FileWriter::new(BufferChannel::default()).unwrap();
    Write::write_all(&mut writer, b"0123456789").unwrap();
    assert_eq!(Seek::seek(&mut writer, SeekFrom::Start(4)), Ok(4));
    Write::write_all(&mut writer, b"").unwrap();
    Write::write_all(&mut writer, b"xy").unwrap();
    let memory = writer.into_inner().unwrap().into_buffer();

    let mut reader = FileReader::new(BufferChannel::new(memory)).unwrap();
    let mut into = [0; 3];
    assert_eq!(Seek::seek(&mut reader, SeekFrom::End(-7)), Ok(3));
    assert_eq!(Read::read_exact(&mut reader, &mut into), Ok(()));
    assert_eq!(&into, b"3xy");
    assert_eq!(Seek::seek(&mut reader, SeekFrom::Current(2)), Ok(8));
    assert_eq!(Read::read_exact(&mut reader, &mut into), Err(ReadExactError::UnexpectedEof));

    let mut writer = FileWriter::new(iov_iter::file::Scratch).unwrap();
    assert_eq!(Write::write_all(&mut writer, &[0; 40_000]), Err(Error::WouldBlock));
    assert_eq!(writer.tell(), 32_768);
}
