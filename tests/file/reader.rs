//! Reading: when the channel is asked, what is delivered, and how the end and failures show.

use crate::channels::{BLOCK, EIO, Feeder, Step, bytes_at, copied};
use iov_iter::file::{
    BUFFER_SIZE, Channel, ChannelError, Error, FileReader, FileWriter, ReadChannel, WriteChannel,
};
use iov_iter::{Dest, KVec, Piece, Source};

fn reader(lens: impl IntoIterator<Item = usize>) -> FileReader<Feeder> {
    FileReader::new(Feeder::new(lens)).unwrap()
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> FileReader<Feeder> {
    FileReader::new(Feeder::scripted(steps)).unwrap()
}

fn asked(reader: &FileReader<Feeder>) -> &[usize] {
    &reader.channel().asked
}

#[test]
fn an_integer_is_put_together_from_two_reads() {
    let mut reader = reader([3, 5]);
    assert_eq!(reader.get_be32(), Ok(0x0001_0203));
    assert_eq!(asked(&reader).len(), 2);
    assert_eq!((reader.fetched(), reader.position(), reader.buffered()), (8, 4, 4));
    assert_eq!(reader.get_be16(), Ok(0x0405));
    assert_eq!(asked(&reader).len(), 2);
}

#[test]
fn a_buffer_is_filled_from_several_short_reads() {
    let mut reader = reader([10, 10, 10]);
    let mut into = [0; 25];
    assert_eq!(reader.get_buffer(&mut into), Ok(25));
    assert_eq!(into[..], bytes_at(0, 25));
    assert_eq!(asked(&reader), [32768, 32758, 32748]);
    assert_eq!(reader.buffered(), 5);

    assert_eq!(reader.get_buffer(&mut into), Ok(5));
    assert_eq!(into[..5], bytes_at(25, 5));
    assert_eq!(reader.error(), Some(Error::UnexpectedEof));
    assert_eq!(reader.get_buffer(&mut into), Err(Error::UnexpectedEof));
    assert_eq!(asked(&reader).len(), 4, "the end is asked for once");
    assert_eq!(reader.close(), Err(Error::UnexpectedEof));
}

#[test]
fn peek_moves_what_is_left_to_the_front() {
    let mut reader = reader([32768, 32768]);
    reader.skip(32760).unwrap();
    assert_eq!(reader.peek(16, 0).unwrap(), bytes_at(32760, 16));
    assert_eq!(asked(&reader), [32768, 32760]);
    assert_eq!(reader.position(), 32760);
}

#[test]
fn a_peek_of_the_whole_buffer_needs_two_reads() {
    let mut reader = reader([20000, 20000]);
    assert_eq!(reader.peek(32768, 0).unwrap(), bytes_at(0, 32768));
    assert_eq!(asked(&reader), [32768, 12768]);
}

#[test]
fn peek_at_the_end_is_short_and_no_error() {
    let mut reader = reader([10]);
    assert_eq!(reader.peek(8, 5).unwrap(), bytes_at(5, 5));
    assert_eq!(reader.peek(8, 10).unwrap(), []);
    assert_eq!(reader.peek(8, 12).unwrap(), []);
    assert_eq!(reader.peek_byte(9), Ok(Some(9)));
    assert_eq!(reader.peek_byte(10), Ok(None));
    assert_eq!(asked(&reader).len(), 2);
    assert_eq!(reader.error(), None);
    reader.close().unwrap();
}

#[test]
fn peek_reads_up_to_offset_and_size() {
    let mut one = reader([3; 4]);
    assert_eq!(one.peek(4, 0).unwrap(), bytes_at(0, 4));
    assert_eq!(asked(&one).len(), 2);
    assert_eq!(one.peek(4, 6).unwrap(), bytes_at(6, 4));
    assert_eq!(asked(&one).len(), 4);

    let mut other = reader([3; 4]);
    assert_eq!(other.peek(4, 5).unwrap(), bytes_at(5, 4), "although offset 5 is not buffered");
    assert_eq!(asked(&other).len(), 3);
}

#[test]
fn peek_byte_reads_as_often_as_it_takes() {
    let mut reader = reader([4, 4, 4]);
    assert_eq!(reader.peek_byte(6), Ok(Some(6)));
    assert_eq!(asked(&reader).len(), 2);
}

#[test]
fn peek_stays_inside_the_buffer() {
    let mut reader = reader([40000]);
    for (len, offset) in [(32769, 0), (1, 32768), (32768, 1), (1, usize::MAX), (usize::MAX, 1)] {
        assert_eq!(reader.peek(len, offset), Err(Error::PeekOutOfRange));
    }
    assert_eq!(reader.error(), None);
    assert_eq!(reader.peek(1, 32767).unwrap(), [255]);
    assert_eq!(reader.get_slice(32769), Err(Error::PeekOutOfRange));
    assert_eq!(reader.get_array::<32769>(), Err(Error::PeekOutOfRange));
    assert_eq!(reader.position(), 0);
}

#[test]
fn skip_buffered_passes_no_more_than_there_is() {
    let mut reader = reader([10]);
    assert_eq!(reader.skip_buffered(3), Err(Error::SkipOutOfRange), "nothing was read yet");
    reader.peek(1, 0).unwrap();
    assert_eq!(reader.skip_buffered(11), Err(Error::SkipOutOfRange));
    assert_eq!((reader.position(), reader.buffered()), (0, 10));
    reader.skip_buffered(10).unwrap();
    assert_eq!((reader.position(), reader.buffered()), (10, 0));
    assert!(reader.is_at_end().unwrap());
}

#[test]
fn skip_reads_what_it_passes() {
    let mut reader = reader([1000; 100]);
    reader.skip(70_000).unwrap();
    assert_eq!(reader.get_slice(3).unwrap(), bytes_at(70_000, 3));
    assert_eq!(reader.skip(29_998), Err(Error::UnexpectedEof));
    assert_eq!(reader.position(), 70_003, "no more than the buffer holds: all or nothing");
    reader.skip(29_997).unwrap();
}

#[test]
fn in_place_below_the_buffer_size() {
    for (len, in_place) in [(100, true), (32767, true), (32768, false)] {
        let mut reader = reader([32768]);
        let mut scratch = vec![0; len];
        let scratch_at = scratch.as_ptr();
        let got = reader.get_buffer_in_place(&mut scratch).unwrap();
        assert_eq!(got, bytes_at(0, len));
        assert_eq!(got.as_ptr() != scratch_at, in_place);
        assert_eq!(reader.position(), len as u64);
    }
}

#[test]
fn in_place_falls_back_to_what_there_is() {
    let mut reader = reader([50]);
    let mut scratch = [0; 100];
    assert_eq!(reader.get_buffer_in_place(&mut scratch).unwrap(), bytes_at(0, 50));
    assert_eq!(reader.error(), Some(Error::UnexpectedEof));
    assert_eq!(reader.get_buffer_in_place(&mut []).unwrap(), []);
}

#[test]
fn integers_are_not_completed_with_zeros() {
    let mut reader = reader([3]);
    assert_eq!(reader.get_be32(), Err(Error::UnexpectedEof));
    assert_eq!((reader.position(), reader.buffered()), (0, 3), "nothing was consumed");
    assert_eq!(reader.get_be16(), Ok(0x0001), "what is buffered can still be got");
    assert_eq!(reader.get_byte(), Ok(2));
    assert_eq!(reader.get_byte(), Err(Error::UnexpectedEof));
}

#[test]
fn would_block_invents_nothing() {
    let mut reader = scripted([Step::Move(2), BLOCK, Step::Move(4)]);
    assert_eq!(reader.get_be32(), Err(Error::WouldBlock));
    assert_eq!((reader.position(), reader.error()), (0, None));
    assert_eq!(reader.get_be32(), Ok(0x0001_0203));
}

#[test]
fn a_channel_that_waits_is_asked_again() {
    let mut feeder = Feeder::scripted([BLOCK, BLOCK, Step::Move(4)]);
    feeder.waits = [Ok(()), Ok(())].into();
    let mut reader = FileReader::new(feeder).unwrap();
    assert_eq!(reader.get_byte(), Ok(0));
    assert_eq!(reader.channel().waited, 2);
}

#[test]
fn the_channel_is_not_read_after_its_end_or_failure() {
    let mut reader = scripted([Step::Move(0), Step::Move(5)]);
    assert_eq!(reader.get_byte(), Err(Error::UnexpectedEof));
    assert_eq!(reader.get_byte(), Err(Error::UnexpectedEof));
    assert_eq!(asked(&reader).len(), 1);

    let mut reader = scripted([Step::Move(3), Step::Fail(EIO), Step::Move(5)]);
    assert_eq!(reader.get_be32(), Err(Error::Read(EIO)));
    assert_eq!(reader.peek(4, 0).unwrap(), [0, 1, 2], "as much as there is");
    assert_eq!(reader.peek(1, 3), Err(Error::Read(EIO)));
    let mut into = [0; 8];
    assert_eq!(reader.get_buffer(&mut into), Ok(3));
    assert_eq!(reader.get_buffer(&mut into), Err(Error::Read(EIO)));
    assert_eq!(reader.is_at_end(), Err(Error::Read(EIO)));
    assert_eq!(asked(&reader).len(), 2);
    assert_eq!(reader.close(), Err(Error::Read(EIO)));
}

#[test]
fn what_is_buffered_is_delivered_before_an_error() {
    let mut reader = reader([10, 10]);
    reader.peek(1, 0).unwrap();
    let error = Error::Reported(5, "gone");
    assert_eq!(reader.set_error(error), Some(error));
    let mut into = [0; 20];
    assert_eq!(reader.get_buffer(&mut into), Ok(10));
    assert_eq!(reader.get_buffer(&mut into), Err(error));
    assert_eq!(reader.error(), Some(error));
}

#[test]
fn a_shut_down_reader_delivers_what_is_buffered() {
    let mut reader = reader([10, 10]);
    reader.peek(1, 0).unwrap();
    assert_eq!(reader.shutdown(), Err(Error::Unsupported), "by the channel");
    assert_eq!(reader.get_slice(10).unwrap(), bytes_at(0, 10));
    assert_eq!(reader.get_byte(), Err(Error::Stopped));
    assert_eq!(reader.close(), Err(Error::Stopped));
}

#[test]
fn reading_everything_is_not_an_error() {
    let mut feeder = Feeder::new([5]);
    let mut reader = FileReader::new(&mut feeder).unwrap();
    reader.get_exact(&mut [0; 5]).unwrap();
    assert!(reader.is_at_end().unwrap());
    reader.close().unwrap();
    assert_eq!(feeder.closed, 1);

    feeder.close_result = Some(ChannelError::Os(9));
    let reader = FileReader::new(&mut feeder).unwrap();
    assert_eq!(reader.close(), Err(Error::Close(ChannelError::Os(9))));
}

#[test]
fn get_exact_of_more_than_the_buffer() {
    let mut reader = reader([999; 100]);
    let mut into = vec![0; 70_000];
    reader.get_exact(&mut into).unwrap();
    assert_eq!(into, bytes_at(0, 70_000));
    assert_eq!(reader.position(), 70_000);
}

#[test]
fn scattered_memory_is_filled_in_order() {
    let mut reader = reader([7; 8]);
    let (mut a, mut b, mut c) = ([0; 10], [0; 0], [0; 35]);
    let into = [KVec::from(&mut a[..]), KVec::from(&mut b[..]), KVec::from(&mut c[..])];
    assert_eq!(reader.get_segments(&into), Ok(45));
    assert_eq!((a.to_vec(), c.to_vec()), (bytes_at(0, 10), bytes_at(10, 35)));
    let into = [KVec::from(&mut a[..]), KVec::from(&mut c[..])];
    assert_eq!(reader.get_segments(&into), Ok(11));
    assert_eq!((a.to_vec(), c[0]), (bytes_at(45, 10), 55));
}

/// Reads into scattered memory, as the script says, and notes the pieces of each call.
struct Scattered {
    steps: Vec<Result<usize, ChannelError>>,
    calls: Vec<Vec<usize>>,
}

impl Channel for Scattered {}

impl ReadChannel for Scattered {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.calls.push(vec![into.len()]);
        into.fill(1);
        self.steps.remove(0)
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        self.calls.push(into.iter().map(Piece::len).collect());
        into.iter().for_each(|piece| _ = piece.fill(2));
        self.steps.remove(0)
    }
}

#[test]
fn a_piece_is_got_as_a_slice_is() {
    let bytes: Vec<u8> = (0..2 * BUFFER_SIZE + 9).map(|at| (at % 251) as u8).collect();
    let mut slices = FileReader::new(&bytes[..]).unwrap();
    let mut pieces = FileReader::new(&bytes[..]).unwrap();
    for len in [1, 0, 100, BUFFER_SIZE, 5, BUFFER_SIZE - 1, 1000, 1] {
        let (mut one, mut other) = (vec![0; len], vec![0; len]);
        let got = slices.get_buffer(&mut one);
        assert_eq!(pieces.get_piece(Piece::from(&mut other[..])), got);
        assert_eq!((other, pieces.position()), (one, slices.position()));
    }
    assert_eq!(pieces.error(), Some(Error::UnexpectedEof));
}

#[test]
fn large_scattered_reads_bypass_the_buffer() {
    const HALF: usize = BUFFER_SIZE / 2;
    let steps = vec![Ok(3), Ok(HALF), Ok(usize::MAX), Ok(10), Err(EIO)];
    let mut reader = FileReader::new(Scattered { steps, calls: Vec::new() }).unwrap();
    let mut memory = vec![0; 3 * HALF + 3];
    assert_eq!(reader.get_byte(), Ok(1));

    // First what is buffered. A channel that claims more than it was given is not believed.
    let (a, b) = memory.split_at_mut(HALF);
    assert_eq!(reader.get_segments(&[KVec::from(a), KVec::from(b)]), Ok(3 * HALF + 3));
    assert_eq!(reader.position(), 3 * HALF as u64 + 4);
    assert_eq!((&memory[..2], memory[2]), (&[1, 1][..], 2));

    // A failure after the first bytes comes with the next ones.
    assert_eq!(reader.get_segments(&[KVec::from(&mut memory[..])]), Ok(10));
    assert_eq!(reader.position(), 3 * HALF as u64 + 14);
    assert_eq!(reader.get_segments(&[KVec::from(&mut memory[..])]), Err(Error::Read(EIO)));
    assert_eq!(reader.error(), Some(Error::Read(EIO)));
    assert_eq!(
        reader.channel().calls,
        [
            &[BUFFER_SIZE][..],
            &[HALF - 2, 2 * HALF + 3],
            &[2 * HALF + 1],
            &[3 * HALF + 3],
            &[3 * HALF - 7],
        ]
    );
}

#[test]
fn a_counted_string_comes_whole_or_not_at_all() {
    let mut reader = FileReader::new(&b"\0\x03abc\x05de"[..]).unwrap();
    assert_eq!(reader.get_counted_string().unwrap(), b"");
    assert_eq!(reader.error(), None);
    assert_eq!(reader.get_counted_string().unwrap(), b"abc");
    assert_eq!(reader.get_counted_string(), Err(Error::UnexpectedEof));
    assert_eq!(reader.position(), 5, "the length byte was not consumed");
    assert_eq!(reader.get_slice(3).unwrap(), b"\x05de");

    let mut empty = FileReader::new(&b""[..]).unwrap();
    assert_eq!(empty.get_counted_string(), Err(Error::UnexpectedEof));

    let longest = [&[255][..], &bytes_at(0, 255)].concat();
    let mut reader = FileReader::new(&longest[..]).unwrap();
    assert_eq!(reader.get_counted_string().unwrap(), bytes_at(0, 255));
}

#[test]
fn counted_strings_of_every_length() {
    let text = bytes_at(1, 255);
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    for len in 0..=255 {
        writer.put_counted_string(&text[..len]).unwrap();
    }
    writer.close().unwrap();
    let mut reader = FileReader::new(&sent[..]).unwrap();
    for len in 0..=255 {
        assert_eq!(reader.get_counted_string().unwrap(), &text[..len]);
    }
    assert!(reader.is_at_end().unwrap());
}

#[test]
fn integers_in_both_orders() {
    let bytes = [0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8];
    macro_rules! check {
        ($($get:ident: $int:ty, $from:ident;)*) => { $(
            let mut reader = FileReader::new(&bytes[..]).unwrap();
            const LEN: usize = size_of::<$int>();
            assert_eq!(reader.$get(), Ok(<$int>::$from(bytes[..LEN].try_into().unwrap())));
            assert_eq!(reader.position(), LEN as u64);
        )* };
    }
    macro_rules! checks {
        ($($block:tt)*) => { $( { check! $block } )* };
    }
    checks! {
        { get_byte: u8, from_be_bytes; }
        { get_sbyte: i8, from_be_bytes; }
        { get_be16: u16, from_be_bytes; }
        { get_be32: u32, from_be_bytes; }
        { get_be64: u64, from_be_bytes; }
        { get_sbe16: i16, from_be_bytes; }
        { get_sbe32: i32, from_be_bytes; }
        { get_sbe64: i64, from_be_bytes; }
        { get_le16: u16, from_le_bytes; }
        { get_le32: u32, from_le_bytes; }
        { get_le64: u64, from_le_bytes; }
        { get_sle16: i16, from_le_bytes; }
        { get_sle32: i32, from_le_bytes; }
        { get_sle64: i64, from_le_bytes; }
    }
}

#[test]
fn a_stream_cut_at_any_byte() {
    let page = bytes_at(3, 300);
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_be32(0x5145_564d).unwrap();
    writer.put_counted_string(b"ram").unwrap();
    writer.put_be64(4096).unwrap();
    writer.put_buffer(&page).unwrap();
    writer.put_le16(7).unwrap();
    writer.put_byte(9).unwrap();
    writer.close().unwrap();
    // Where each element starts, and the end.
    let starts = [0, 4, 8, 16, 316, 318, 319];
    assert_eq!(sent.len(), 319);

    let step = if cfg!(miri) { 53 } else { 1 };
    for cut in (0..=sent.len()).step_by(step) {
        for portion in [1, 7, 1000] {
            let mut feeder = &sent[..cut];
            let mut steps = Vec::new();
            while !feeder.is_empty() {
                let (front, rest) = feeder.split_at(portion.min(feeder.len()));
                steps.push(front.to_vec());
                feeder = rest;
            }
            let mut reader = FileReader::new(Pieces(steps.into())).unwrap();
            let mut read = || -> Result<(), Error> {
                assert_eq!(reader.get_be32()?, 0x5145_564d);
                assert_eq!(reader.get_counted_string()?, b"ram");
                assert_eq!(reader.get_be64()?, 4096);
                assert_eq!(reader.get_slice(300)?, page);
                assert_eq!(reader.get_le16()?, 7);
                assert_eq!(reader.get_byte()?, 9);
                Ok(())
            };
            let whole = cut == sent.len();
            assert_eq!(read(), if whole { Ok(()) } else { Err(Error::UnexpectedEof) });
            let complete = starts.iter().rev().find(|start| **start <= cut).unwrap();
            assert_eq!(reader.position(), *complete as u64, "cut at {cut}");
            assert_eq!(reader.close().is_ok(), whole);
        }
    }
}

/// Gives prepared pieces, one per read.
struct Pieces(std::collections::VecDeque<Vec<u8>>);

impl Channel for Pieces {}

impl ReadChannel for Pieces {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let piece = self.0.pop_front().unwrap_or_default();
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Has positions, gives and takes at most 3 bytes of a call, and answers each call after a script.
struct Positioned {
    bytes: Vec<u8>,
    answers: std::collections::VecDeque<ChannelError>,
    pieces: Vec<usize>,
}

impl Positioned {
    fn new(bytes: &[u8], answers: impl IntoIterator<Item = ChannelError>) -> Self {
        let answers = answers.into_iter().collect();
        Self { bytes: bytes.to_vec(), answers, pieces: Vec::new() }
    }
}

impl Channel for Positioned {}

impl ReadChannel for Positioned {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ChannelError> {
        Ok(0)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        assert!(into.iter().all(|piece| !piece.is_empty()));
        self.pieces.push(into.len());
        if let Some(error) = self.answers.pop_front() {
            return Err(error);
        }
        let rest = self.bytes.get(position as usize..).unwrap_or_default();
        let mut left = &rest[..rest.len().min(3)];
        for piece in into {
            left = &left[Piece::from(left).copy_to(*piece)..];
        }
        Ok(rest.len().min(3) - left.len())
    }
}

impl WriteChannel for Positioned {
    fn write(&mut self, _: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        Err(ChannelError::WouldBlock)
    }

    fn write_at(
        &mut self,
        from: &[Piece<'_, Source>],
        position: u64,
    ) -> Result<usize, ChannelError> {
        assert!(from.iter().all(|piece| !piece.is_empty()));
        if let Some(error) = self.answers.pop_front() {
            return Err(error);
        }
        let bytes: Vec<u8> = from.iter().flat_map(|piece| copied(*piece)).take(3).collect();
        let start = position as usize;
        self.bytes.resize(self.bytes.len().max(start + bytes.len()), 0);
        self.bytes[start..start + bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn segments_are_filled_from_a_position_by_as_many_reads_as_it_takes() {
    let (mut one, mut none, mut two) = ([0; 2], [0; 0], [0; 5]);
    let segments = [KVec::from(&mut one[..]), KVec::from(&mut none[..]), KVec::from(&mut two[..])];
    let mut reader = FileReader::new(Positioned::new(b"0123456789", [])).unwrap();
    assert_eq!(reader.get_segments_at(&segments, 2), Ok(()));
    assert_eq!((&one, &two), (b"23", b"45678"));
    assert_eq!(reader.channel().pieces, [2, 1, 1]);
    assert_eq!(reader.position(), 0);

    let segments = [KVec::from(&mut two[..])];
    assert_eq!(reader.get_segments_at(&segments, u64::MAX - 4), Err(Error::PositionOverflow));
    assert_eq!(reader.get_segments_at(&segments, 6), Err(Error::UnexpectedEof));
    assert_eq!(reader.get_segments_at(&segments, 0), Err(Error::UnexpectedEof), "sticks");
    let answers = [ChannelError::WouldBlock, ChannelError::Unsupported, EIO];
    let mut reader = FileReader::new(Positioned::new(b"", answers)).unwrap();
    for error in [Error::WouldBlock, Error::Unsupported, Error::Read(EIO)] {
        assert_eq!(reader.get_segments_at(&segments, 0), Err(error));
    }
    assert_eq!(reader.error(), Some(Error::Read(EIO)));
}

#[test]
fn segments_are_written_at_a_position_by_as_many_writes_as_it_takes() {
    let segments = [KVec::from(&b"01"[..]), KVec::from(&b""[..]), KVec::from(&b"23456"[..])];
    let mut writer = FileWriter::new(Positioned::new(b"....", [ChannelError::WouldBlock])).unwrap();
    assert_eq!(writer.put_segments_at(&segments, 1), Err(Error::WouldBlock));
    assert_eq!(writer.put_segments_at(&segments, 1), Ok(()));
    assert_eq!((writer.transferred(), writer.tell()), (7, 0));
    assert_eq!(writer.channel().bytes, b".0123456");
    assert_eq!(writer.put_segments_at(&segments, u64::MAX - 6), Err(Error::PositionOverflow));
    writer.channel_mut().answers.push_back(EIO);
    assert_eq!(writer.put_segments_at(&segments, 0), Err(Error::Write(EIO)));
    assert_eq!(writer.error(), Some(Error::Write(EIO)));
}

#[test]
fn a_channel_that_blocks_half_way_at_a_position_fails_the_file() {
    /// Takes one byte, then blocks.
    struct Once(bool);

    impl Channel for Once {}

    impl WriteChannel for Once {
        fn write(&mut self, _: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
            Err(ChannelError::WouldBlock)
        }

        fn write_at(
            &mut self,
            _: &[Piece<'_, Source>],
            position: u64,
        ) -> Result<usize, ChannelError> {
            assert_eq!(position, 7 + u64::from(self.0));
            if std::mem::replace(&mut self.0, true) { Err(ChannelError::WouldBlock) } else { Ok(1) }
        }
    }

    let mut writer = FileWriter::new(Once(false)).unwrap();
    let error = Error::Write(ChannelError::WouldBlock);
    assert_eq!(writer.put_buffer_at(b"two", 7), Err(error));
    assert_eq!((writer.error(), writer.transferred()), (Some(error), 1));
}

#[test]
fn records_end_where_the_data_ends_or_are_cut() {
    for portion in [1, 2, 3, 100] {
        let steps = || (0..6_usize.div_ceil(portion)).map(|_| portion.min(6));
        let mut reader = reader(steps());
        let total = steps().sum::<usize>() / 3 * 3;
        let (mut one, mut two) = ([0; 1], [0; 2]);
        for start in (0..total).step_by(3) {
            let segments = [KVec::from(&mut one[..]), KVec::from(&mut two[..])];
            assert_eq!(reader.get_segments_or_end(&segments), Ok(true));
            assert_eq!([&one[..], &two].concat(), bytes_at(start, 3));
        }
        assert_eq!(reader.get_exact_or_end(&mut []), Ok(true));
        assert_eq!(reader.get_exact_or_end(&mut one), Ok(false));
        assert_eq!(reader.get_segments_or_end(&[KVec::from(&mut one[..])]), Ok(false));
        assert_eq!(reader.get_segments_or_end::<iov_iter::Exclusive>(&[]), Ok(true));
        assert_eq!(reader.error(), None);
    }
    let mut into = [0; 3];
    let mut cut = reader([2]);
    assert_eq!(cut.get_exact_or_end(&mut into), Err(Error::UnexpectedEof));
    let mut cut = reader([2]);
    assert_eq!(cut.get_segments_or_end(&[KVec::from(&mut into[..])]), Err(Error::UnexpectedEof));
    let mut blocked = scripted([BLOCK, Step::Move(1), BLOCK, Step::Move(2)]);
    for _ in 0..2 {
        assert_eq!(blocked.get_exact_or_end(&mut into), Err(Error::WouldBlock));
        assert_eq!(blocked.position(), 0);
    }
    assert_eq!(blocked.get_exact_or_end(&mut into), Ok(true));
}

#[test]
fn a_channel_comes_back_out_of_a_reader() {
    let mut reader = FileReader::new(&b"0123456789"[..]).unwrap();
    reader.get_byte().unwrap();
    assert_eq!(reader.buffered(), 9);
    assert_eq!(reader.into_inner(), b"");
}
