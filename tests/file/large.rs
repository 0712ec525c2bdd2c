//! Large buffers are not copied twice: the channel reads and writes them where they lie.
// Safe code all of it, and so many bytes take the interpreter minutes.
#![cfg(not(miri))]

use std::ops::Range;

use crate::channels::{BLOCK, EIO, Feeder, Recorder, Step, bytes_at, copied};
use iov_iter::file::{
    BUFFER_SIZE, Channel, ChannelError, Error, FileReader, FileWriter, ReadChannel, WriteChannel,
};
use iov_iter::{Piece, Source};

const MIB: usize = 1 << 20;

/// Gives and takes bytes, at most `portion` at a time, and remembers the addresses.
struct Witness {
    inner: Feeder,
    portion: usize,
    seen: Vec<Range<usize>>,
}

impl Witness {
    fn new(portion: usize) -> Self {
        let inner = Feeder::new(std::iter::repeat_n(portion, 3 * MIB / portion + 3));
        Self { inner, portion, seen: Vec::new() }
    }

    /// The accesses inside `memory`, and how many there were elsewhere.
    fn inside(&self, memory: &Range<usize>) -> (Vec<Range<usize>>, usize) {
        let inside = |seen: &&Range<usize>| memory.start <= seen.start && seen.end <= memory.end;
        let found: Vec<_> = self.seen.iter().filter(inside).cloned().collect();
        let elsewhere = self.seen.len() - found.len();
        (found, elsewhere)
    }
}

impl Channel for Witness {}

impl ReadChannel for Witness {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let start = into.as_ptr().addr();
        let len = into.len().min(self.portion);
        let got = self.inner.read(&mut into[..len])?;
        self.seen.push(start..start + got);
        Ok(got)
    }
}

impl WriteChannel for Witness {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        assert_eq!(from.len(), 1);
        let start = from[0].as_ptr().addr();
        let len = from[0].len().min(self.portion);
        self.seen.push(start..start + len);
        Ok(len)
    }
}

fn addresses(bytes: &[u8]) -> Range<usize> {
    let range = bytes.as_ptr_range();
    range.start.addr()..range.end.addr()
}

/// The ranges follow each other without a gap; returns the whole.
fn joined(ranges: &[Range<usize>]) -> Range<usize> {
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    ranges[0].start..ranges[ranges.len() - 1].end
}

#[test]
fn a_mebibyte_is_read_where_it_belongs() {
    for portion in [1000, BUFFER_SIZE, 100_000, MIB] {
        let mut reader = FileReader::new(Witness::new(portion)).unwrap();
        assert_eq!(reader.get_be16(), Ok(0x0001));
        let before = reader.buffered();
        let mut into = vec![0; MIB];
        assert_eq!(reader.get_buffer(&mut into), Ok(MIB));
        assert!(into == bytes_at(2, MIB));
        assert_eq!(reader.position(), 2 + MIB as u64);

        let memory = addresses(&into);
        let (straight, _) = reader.channel().inside(&memory);
        let straight = joined(&straight);
        // What was buffered is copied, and so is a last part that is less than the buffer holds.
        assert_eq!(straight.start, memory.start + before);
        assert!(memory.end - straight.end < BUFFER_SIZE);
        assert_eq!(reader.get_array(), Ok([2, 3, 4]));
    }
}

#[test]
fn exactly_a_mebibyte_is_read_where_it_belongs() {
    let mut reader = FileReader::new(Witness::new(MIB)).unwrap();
    let mut into = vec![0; MIB];
    reader.get_exact(&mut into).unwrap();
    assert!(into == bytes_at(0, MIB));
    assert_eq!(reader.channel().seen, [addresses(&into)], "by one read");
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn less_than_a_buffer_is_read_ahead() {
    let mut reader = FileReader::new(Witness::new(MIB)).unwrap();
    let mut into = vec![0; BUFFER_SIZE - 1];
    reader.get_exact(&mut into).unwrap();
    assert_eq!(reader.channel().inside(&addresses(&into)), (vec![], 1));
    assert_eq!(reader.buffered(), 1);
}

/// Of the last block all or nothing, although it came straight.
#[test]
fn what_came_straight_and_is_not_enough_comes_again() {
    let failing = [Step::Move(10), Step::Move(30_000), Step::Move(15_000), Step::Fail(EIO)];
    let waiting = [Step::Move(10), Step::Move(30_000), Step::Move(15_000), BLOCK];
    for (steps, error) in [(failing, Error::Read(EIO)), (waiting, Error::WouldBlock)] {
        let mut reader = FileReader::new(Feeder::scripted(steps)).unwrap();
        assert_eq!(reader.peek_byte(0), Ok(Some(0)));
        let mut into = vec![0; 70_000];
        assert_eq!(reader.get_exact(&mut into), Err(error));
        assert_eq!((reader.position(), reader.fetched()), (32768, 45_010));
        assert!(into[..32768] == bytes_at(0, 32768));
        let mut rest = vec![0; 45_010 - 32768];
        reader.get_exact(&mut rest).unwrap();
        assert!(rest == bytes_at(32768, 45_010 - 32768));
        // The failure sticks; the channel that would block has ended by now.
        let sticky = if error.is_sticky() { error } else { Error::UnexpectedEof };
        assert_eq!(reader.get_byte(), Err(sticky));
    }
}

/// A buffer that is got as far as it comes is not given back.
#[test]
fn a_part_of_a_large_buffer_is_delivered() {
    let steps = [Step::Move(10), Step::Move(30_000), Step::Move(15_000), Step::Fail(EIO)];
    let mut reader = FileReader::new(Feeder::scripted(steps)).unwrap();
    let mut into = vec![0; 70_000];
    assert_eq!(reader.get_buffer(&mut into), Ok(45_010));
    assert!(into[..45_010] == bytes_at(0, 45_010));
    assert_eq!(reader.get_buffer(&mut into), Err(Error::Read(EIO)));
    assert_eq!(reader.position(), 45_010);
}

#[test]
fn whole_blocks_are_written_where_they_lie() {
    let from = bytes_at(7, MIB + 100);
    let mut writer = FileWriter::new(Witness::new(MIB)).unwrap();
    writer.put_buffer(&from).unwrap();
    let memory = addresses(&from);
    let (straight, elsewhere) = writer.channel().inside(&memory);
    assert_eq!((straight.len(), elsewhere), (MIB / BUFFER_SIZE, 0), "a write for each block");
    assert_eq!(joined(&straight), memory.start..memory.start + MIB);
    assert_eq!((writer.pending(), writer.tell()), (100, MIB as u64 + 100));
    assert_eq!(writer.rate().used(), MIB as u64 + 100);
    writer.put_buffer(&from).unwrap();
    let (_, elsewhere) = writer.channel().inside(&memory);
    assert_eq!(elsewhere, 1, "the block that began in the buffer");
    writer.close().unwrap();
}

/// What the channel does not take of a block at once is copied: the caller has his memory back.
#[test]
fn a_block_that_is_taken_in_part_waits_in_the_buffer() {
    let from = bytes_at(7, 100_000);
    let steps = [Step::Move(32768), Step::Move(1000), BLOCK];
    let mut recorder = Recorder::scripted(steps);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    // 31768 bytes of the second block wait, then the buffer is full and the channel takes it.
    writer.put_buffer(&from[..66_000]).unwrap();
    assert_eq!(writer.channel().offered(), [32768, 32768, 31768]);
    assert_eq!((writer.tell(), writer.flushed(), writer.pending()), (66_000, 33_768, 32_232));
    writer.put_buffer(&from[66_000..]).unwrap();
    writer.close().unwrap();
    assert!(recorder.bytes == from);
}

#[test]
fn a_block_that_is_not_taken_is_counted_and_kept() {
    let from = bytes_at(7, 40_000);
    let mut recorder = Recorder::scripted([Step::Fail(EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    assert_eq!(writer.put_buffer(&from), Err(Error::Write(EIO)));
    assert_eq!((writer.tell(), writer.pending(), writer.rate().used()), (32768, 32768, 32768));
    assert!(writer.unsent().flat_map(copied).eq(from[..32768].iter().copied()));
    assert_eq!(writer.put_byte(0), Err(Error::Write(EIO)));
    assert_eq!(writer.put_buffer(&[]), Err(Error::Write(EIO)));
    assert_eq!(writer.tell(), 32768);
}
