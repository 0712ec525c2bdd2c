//! From file to file and to other sinks.

use crate::channels::{BLOCK, EIO, Feeder, Recorder, Step, bytes_at};
use iov_iter::file::{ChannelError, Error, FileReader, FileWriter, Region, Scratch, WriteChannel};

#[test]
fn a_copy_takes_what_it_needs_of_two_reads() {
    let mut reader = FileReader::new(Feeder::new([10, 10])).unwrap();
    let mut sink = Recorder::default();
    reader.copy_to(&mut sink, 15).unwrap();
    assert_eq!((reader.position(), reader.buffered()), (15, 5));
    assert_eq!(reader.copy_to(&mut sink, 15), Err(Error::UnexpectedEof));
    assert_eq!(sink.bytes, bytes_at(0, 20), "the 5 were copied before");
    assert_eq!(reader.position(), 20);
    assert_eq!(reader.close(), Err(Error::UnexpectedEof));
}

#[test]
fn a_failing_sink_is_not_the_readers_failure() {
    let mut reader = FileReader::new(Feeder::new([10])).unwrap();
    let bad = ChannelError::Os(9);
    let mut sink =
        Recorder::scripted([Step::Fail(bad), Step::Move(0), BLOCK, Step::Move(4), BLOCK]);
    assert_eq!(reader.copy_to(&mut sink, 10), Err(Error::Write(bad)));
    assert_eq!(reader.copy_to(&mut sink, 10), Err(Error::WriteZero));
    assert_eq!(reader.copy_to(&mut sink, 10), Err(Error::WouldBlock));
    assert_eq!((reader.error(), reader.position(), reader.buffered()), (None, 0, 10));
    assert_eq!(reader.copy_to(&mut sink, 10), Err(Error::WouldBlock));
    assert_eq!((reader.position(), reader.buffered()), (4, 6), "partial progress");
    sink.steps = [BLOCK].into();
    sink.waits = [Ok(())].into();
    reader.copy_to(&mut sink, 6).unwrap();
    assert_eq!(sink.bytes, bytes_at(0, 10));
    reader.close().unwrap();
}

#[test]
fn copying_nothing_calls_nobody() {
    let mut reader = FileReader::new(Feeder::new([])).unwrap();
    let mut sink = Recorder::default();
    reader.copy_to(&mut sink, 0).unwrap();
    assert!(reader.channel().asked.is_empty() && sink.calls.is_empty());
}

#[test]
fn from_a_reader_to_a_writer() {
    let mut reader = FileReader::new(Feeder::new([777; 200])).unwrap();
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_from(&mut reader, 100_000).unwrap();
    assert_eq!((reader.position(), writer.tell()), (100_000, 100_000));
    assert_eq!(writer.put_from(&mut reader, 1_000_000), Err(Error::UnexpectedEof));
    assert_eq!(writer.error(), None);
    writer.close().unwrap();
    assert_eq!(sent, bytes_at(0, 777 * 200));
}

#[test]
fn a_writer_that_blocks_or_fails_takes_an_exact_part() {
    let mut reader = FileReader::new(Feeder::new([40000])).unwrap();
    let mut writer = FileWriter::new(Scratch).unwrap();
    assert_eq!(writer.put_from(&mut reader, 40000), Err(Error::WouldBlock));
    assert_eq!((reader.position(), writer.tell()), (32768, 32768));

    let mut reader = FileReader::new(Feeder::new([40000])).unwrap();
    let mut writer = FileWriter::new(Recorder::scripted([Step::Fail(EIO)])).unwrap();
    assert_eq!(writer.put_from(&mut reader, 40000), Err(Error::Write(EIO)));
    assert_eq!((reader.position(), writer.tell(), reader.error()), (32768, 32768, None));
    writer.close().unwrap_err();
}

/// Credits as much as can be counted.
fn credit_the_most(writer: &mut FileWriter<'_, impl WriteChannel>) {
    assert_eq!(writer.credit(u64::MAX), Err(Error::PositionOverflow));
    writer.credit((i64::MAX as u64).saturating_sub(writer.tell())).unwrap();
}

#[test]
fn a_large_credit_does_not_hide_what_is_put() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    credit_the_most(&mut writer);
    let mut reader = FileReader::new(Feeder::new([400; 3])).unwrap();
    writer.put_from(&mut reader, 1000).unwrap();
    assert_eq!((reader.position(), writer.tell()), (1000, i64::MAX as u64 + 1000));
    let mut scratch = FileWriter::new(Scratch).unwrap();
    scratch.put_buffer(b"file").unwrap();
    credit_the_most(&mut scratch);
    assert_eq!(writer.put_file(&mut scratch), Ok(4));
    #[cfg(feature = "std")]
    std::io::Write::write_all(&mut writer, b"+std").unwrap();
    #[cfg(feature = "embedded-io-v0.7")]
    embedded_io::Write::write_all(&mut writer, b"+eio").unwrap();
    writer.close().unwrap();
    assert_eq!(sent[..1000], bytes_at(0, 1000));
    assert!(sent[1000..].starts_with(b"file"));
    assert_eq!(
        sent.len(),
        1004 + 4 * [cfg!(feature = "std"), cfg!(feature = "embedded-io-v0.7")]
            .map(usize::from)
            .iter()
            .sum::<usize>()
    );
}

static DATA: [u8; 40000] = [0x3c; 40000];

#[test]
fn a_scratch_file_counts_every_byte() {
    let mut scratch = FileWriter::new(Scratch).unwrap();
    scratch.put_buffer(&DATA[..1000]).unwrap();
    scratch.put_byte(1).unwrap();
    let mut writer = FileWriter::new(Recorder::default()).unwrap();
    assert_eq!(writer.put_file(&mut scratch), Ok(1001));
    assert_eq!((writer.pending(), writer.entries(), scratch.pending()), (1001, 1, 0));
    assert_eq!(writer.put_file(&mut scratch), Ok(0));
    assert_eq!(scratch.tell(), 1001, "they count as flushed");
    scratch.put_buffer(&DATA[..32768]).unwrap();
    assert_eq!(writer.put_file(&mut scratch), Ok(32768));
    assert_eq!(writer.channel().offered(), [32768], "one flush");
    assert_eq!(writer.pending(), 1001);
    scratch.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn borrowed_data_moves_too() {
    let region = Region::new(&DATA[..]);
    let mut scratch = FileWriter::new(Scratch).unwrap();
    scratch.put_byte(1).unwrap();
    scratch.put_region(&region, 0..100).unwrap();
    scratch.put_byte(2).unwrap();
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    assert_eq!(writer.put_file(&mut scratch), Ok(102));
    scratch.close().unwrap();
    writer.close().unwrap();
    assert_eq!(sent, [&[1], &DATA[..100], &[2]].concat());
}

#[test]
fn what_the_destination_does_not_take_stays() {
    let mut scratch = FileWriter::new(Scratch).unwrap();
    scratch.put_buffer(b"kept").unwrap();
    let mut broken = FileWriter::new(Recorder::default()).unwrap();
    let error = Error::Reported(5, "broken");
    broken.set_error(error);
    assert_eq!(broken.put_file(&mut scratch), Err(error));
    assert_eq!((broken.tell(), scratch.pending()), (0, 4));
    broken.close().unwrap_err();

    let mut full = FileWriter::new(Scratch).unwrap();
    full.put_buffer(&DATA[..32766]).unwrap();
    assert_eq!(full.put_file(&mut scratch), Err(Error::WouldBlock));
    assert_eq!((full.tell(), scratch.pending(), scratch.tell()), (32768, 2, 4));
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    scratch.put_buffer(b"!").unwrap();
    assert_eq!(writer.put_file(&mut scratch), Ok(3));
    writer.close().unwrap();
    assert_eq!(sent, b"pt!");
}

#[test]
fn a_scratch_file_holds_a_buffer_and_no_more() {
    let mut scratch = FileWriter::new(Scratch).unwrap();
    scratch.put_buffer(&DATA[..32768]).unwrap();
    assert_eq!(scratch.put_byte(1), Err(Error::WouldBlock));
    assert_eq!((scratch.error(), scratch.pending()), (None, 32768));
}
