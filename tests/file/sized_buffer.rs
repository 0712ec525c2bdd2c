//! The growing buffer: against a plain vector, and as a channel.

use iov_iter::file::{
    BufferChannel, ChannelError, Error, FileReader, FileWriter, SeekFrom, SizedBuffer,
};
use proptest::prelude::*;

fn contents(buffer: &SizedBuffer) -> Vec<u8> {
    let mut bytes = vec![0xee; buffer.len() + 10];
    assert_eq!(buffer.read_at(0, &mut bytes), buffer.len());
    assert!(bytes[buffer.len()..].iter().all(|byte| *byte == 0xee), "nothing past the end");
    bytes.truncate(buffer.len());
    assert_eq!(buffer.slices().collect::<Vec<_>>().concat(), bytes);
    bytes
}

#[test]
fn a_buffer_of_a_slice_holds_its_bytes() {
    let empty = SizedBuffer::new();
    assert_eq!((empty.len(), empty.capacity(), empty.is_empty()), (0, 0, true));
    let data = vec![3; 40000];
    let buffer = SizedBuffer::from_slice(&data).unwrap();
    assert_eq!((buffer.len(), buffer.is_empty()), (40000, false));
    assert!(buffer.capacity() >= 40000);
    assert_eq!(contents(&buffer), data);
}

#[test]
fn writing_with_a_gap() {
    let mut buffer = SizedBuffer::new();
    for (position, len, total) in
        [(0, 1000, 1000), (1000, 100, 1100), (1100, 20000, 21100), (30000, 10, 30010)]
    {
        buffer.write_at(position, &vec![0x11; len]).unwrap();
        assert_eq!(buffer.len(), total);
    }
    let mut got = [0xff; 64];
    assert_eq!(buffer.read_at(29998, &mut got), 12);
    assert_eq!(got[..12], [0, 0, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11]);
    assert_eq!(buffer.read_at(30010, &mut got), 0, "at the end");
    assert_eq!(buffer.read_at(30011, &mut got), 0, "past the end");
    assert_eq!(buffer.read_at(usize::MAX, &mut got), 0);
    assert_eq!(buffer.read_at(5, &mut []), 0);
    assert_eq!(buffer.read_at(1020, &mut got[..10]), 10, "across chunks");

    buffer.set_len(500).unwrap();
    assert_eq!((buffer.len(), contents(&buffer)), (500, vec![0x11; 500]));
    buffer.write_at(510, &[0x22]).unwrap();
    assert_eq!(contents(&buffer)[500..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x22], "no old bytes");
}

#[test]
fn a_clone_has_equal_length() {
    let mut buffer = SizedBuffer::from_slice(&[7; 21100]).unwrap();
    buffer.set_len(700).unwrap();
    let copy = buffer.try_clone().unwrap();
    assert_eq!((copy.len(), contents(&copy)), (700, vec![7; 700]));
}

#[test]
fn a_clone_may_be_longer_than_the_limit() {
    let mut buffer = SizedBuffer::from_slice(&[7; 21]).unwrap();
    buffer.set_limit(20);
    let mut copy = buffer.try_clone().unwrap();
    assert_eq!((copy.limit(), contents(&copy)), (20, vec![7; 21]));
    assert_eq!(copy.append(&[1]), Err(ChannelError::LimitExceeded));
}

#[test]
fn an_empty_write_changes_nothing() {
    let mut buffer = SizedBuffer::new();
    buffer.write_at(500, &[]).unwrap();
    buffer.write_at(usize::MAX, &[]).unwrap();
    assert_eq!((buffer.len(), buffer.capacity()), (0, 0));
}

#[test]
fn what_cannot_be_changes_nothing() {
    let mut buffer = SizedBuffer::from_slice(b"kept").unwrap();
    let capacity = buffer.capacity();
    assert_eq!(buffer.write_at(usize::MAX, &[1]), Err(ChannelError::LimitExceeded));
    assert_eq!(buffer.write_at(usize::MAX - 3, &[1; 4]), Err(ChannelError::LimitExceeded));
    buffer.set_limit(6);
    assert_eq!(buffer.append(b"xyz"), Err(ChannelError::LimitExceeded));
    assert_eq!(buffer.set_len(7), Err(ChannelError::LimitExceeded));
    assert_eq!((contents(&buffer), buffer.capacity()), (b"kept".to_vec(), capacity));
    buffer.append(b"xy").unwrap();
    assert_eq!(contents(&buffer), b"keptxy");
}

#[test]
fn memory_is_given_back() {
    let mut buffer = SizedBuffer::from_slice(&[1; 100_000]).unwrap();
    let large = buffer.capacity();
    buffer.set_len(10).unwrap();
    assert_eq!(buffer.capacity(), large);
    buffer.shrink_to_fit();
    assert!(buffer.capacity() < 5000);
    assert_eq!(contents(&buffer), [1; 10]);
    buffer.set_len(0).unwrap();
    buffer.shrink_to_fit();
    assert_eq!(buffer.capacity(), 0);
}

#[test]
fn bytes_run_on_over_several_chunks() {
    let mut buffer = SizedBuffer::new();
    // No chunk is a multiple of this length: no two of them are alike.
    let block: Vec<u8> = (0..10_007_u32).map(|i| (i ^ (i >> 9)) as u8).collect();
    let data = block.repeat(501);
    for part in data.chunks(77_777) {
        buffer.append(part).unwrap();
    }
    assert_eq!(contents(&buffer), data);
    assert!(buffer.capacity() < 5_000_000 + (1 << 20));
    let mut part = [0; 1000];
    for position in [0, 1_048_000, 2_097_152, 3_145_700, 4_999_000] {
        assert_eq!(buffer.read_at(position, &mut part), 1000);
        assert_eq!(part[..], data[position..position + 1000]);
    }
}

/// Writing, cutting and growing across the ends of chunks, against a plain vector.
#[test]
fn at_the_edges_of_chunks() {
    const EDGE: usize = 1 << 20;
    let mut buffer = SizedBuffer::new();
    let mut model = Vec::new();
    // As `Vec::resize`, which goes byte by byte.
    let resize = |model: &mut Vec<u8>, len: usize| {
        model.extend_from_slice(&vec![0; len.saturating_sub(model.len())]);
        model.truncate(len);
    };
    let mut value = 0_u8;
    for edge in [EDGE, 2 * EDGE, EDGE, 3 * EDGE] {
        for (at, len) in [(edge - 5, 10), (edge, 3), (edge - 1, 1), (edge - 2, EDGE + 4)] {
            value += 1;
            let bytes = vec![value; len];
            buffer.write_at(at, &bytes).unwrap();
            let whole = model.len().max(at + len);
            resize(&mut model, whole);
            model[at..at + len].copy_from_slice(&bytes);
            assert!(contents(&buffer) == model, "{len} bytes at {at}");
            let mut part = [0xee; 20];
            let there = part.len().min(model.len() - (edge - 10));
            assert_eq!(buffer.read_at(edge - 10, &mut part), there);
            assert_eq!(part[..there], model[edge - 10..edge - 10 + there]);
        }
        for len in [edge + 3, edge, edge - 3, edge + 2] {
            buffer.set_len(len).unwrap();
            resize(&mut model, len);
            assert!(contents(&buffer) == model, "cut or extended to {len}");
        }
    }
    buffer.set_len(EDGE).unwrap();
    buffer.shrink_to_fit();
    assert_eq!((buffer.len(), buffer.capacity()), (EDGE, EDGE));
    buffer.append(b"x").unwrap();
    assert_eq!((buffer.len(), buffer.capacity()), (EDGE + 1, 2 * EDGE));
    let copy = buffer.try_clone().unwrap();
    assert!(copy.slices().eq(buffer.slices()));
}

#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    Append(Vec<u8>),
    SetLen(usize),
    Read(usize, usize),
    Clone,
    Shrink,
}

fn operation() -> impl Strategy<Value = Operation> {
    let longest = if cfg!(miri) { 100 } else { 3000 };
    let bytes = move || prop::collection::vec(any::<u8>(), 0..longest);
    prop_oneof![
        (0..20_000_usize, bytes()).prop_map(|(at, bytes)| Operation::Write(at, bytes)),
        bytes().prop_map(Operation::Append),
        (0..25_000_usize).prop_map(Operation::SetLen),
        (0..25_000_usize, 0..5000_usize).prop_map(|(at, len)| Operation::Read(at, len)),
        Just(Operation::Clone),
        Just(Operation::Shrink),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 128 }))]

    #[test]
    fn a_buffer_equals_a_vector_after_any_operations(operations in prop::collection::vec(operation(), 1..20)) {
        let mut buffer = SizedBuffer::new();
        let mut model = Vec::new();
        for operation in operations {
            match operation {
                Operation::Write(at, bytes) => {
                    buffer.write_at(at, &bytes).unwrap();
                    if !bytes.is_empty() {
                        model.resize(model.len().max(at + bytes.len()), 0);
                        model[at..at + bytes.len()].copy_from_slice(&bytes);
                    }
                }
                Operation::Append(bytes) => {
                    buffer.append(&bytes).unwrap();
                    model.extend(bytes);
                }
                Operation::SetLen(len) => {
                    buffer.set_len(len).unwrap();
                    model.resize(len, 0);
                }
                Operation::Read(at, len) => {
                    let mut got = vec![0; len];
                    let copied = buffer.read_at(at, &mut got);
                    let expected = model.get(at..).unwrap_or_default();
                    prop_assert_eq!(&got[..copied], &expected[..len.min(expected.len())]);
                }
                Operation::Clone => buffer = buffer.try_clone().unwrap(),
                Operation::Shrink => buffer.shrink_to_fit(),
            }
            prop_assert_eq!(buffer.len(), model.len());
            prop_assert!(buffer.capacity() >= buffer.len());
        }
        prop_assert_eq!(contents(&buffer), model);
    }
}

#[test]
fn as_a_channel_for_writing() {
    let mut channel = BufferChannel::default();
    let mut writer = FileWriter::new(&mut channel).unwrap();
    writer.put_buffer(&[5; 10]).unwrap();
    assert_eq!(writer.flushed_channel().unwrap().buffer().len(), 10);
    writer.put_buffer(&[6; 100]).unwrap();
    assert_eq!(writer.channel().buffer().len(), 10, "not flushed yet");
    assert_eq!(writer.flushed_channel().unwrap().buffer().len(), 110);
    writer.close().unwrap();
    assert_eq!(contents(channel.buffer()), [vec![5; 10], vec![6; 100]].concat());
}

#[test]
fn as_a_channel_for_both() {
    let mut writer = FileWriter::new(BufferChannel::default()).unwrap();
    writer.put_be32(0x0102_0304).unwrap();
    writer.put_buffer(&vec![9; 40000]).unwrap();
    let buffer = writer.flushed_channel().unwrap().buffer().try_clone().unwrap();
    writer.close().unwrap();
    assert_eq!(buffer.len(), 40004);

    let mut reader = FileReader::new(BufferChannel::new(buffer)).unwrap();
    assert_eq!(reader.get_be32(), Ok(0x0102_0304));
    let mut rest = vec![0; 40000];
    reader.get_exact(&mut rest).unwrap();
    assert_eq!(rest, vec![9; 40000]);
    assert!(reader.is_at_end().unwrap());
    reader.close().unwrap();
}

#[test]
fn a_limit_is_a_failure_of_the_stream() {
    let channel = BufferChannel::new(SizedBuffer::with_limit(100));
    let mut writer = FileWriter::new(channel).unwrap();
    writer.put_buffer(&[1; 100]).unwrap();
    writer.flush().unwrap();
    writer.put_byte(1).unwrap();
    let error = Error::Write(ChannelError::LimitExceeded);
    assert_eq!(writer.flush(), Err(error));
    assert_eq!((writer.flushed(), writer.pending()), (100, 1));
    assert_eq!(writer.close(), Err(error));
}

#[test]
fn a_file_over_a_buffer_has_positions() {
    let mut channel = BufferChannel::default();
    let mut writer = FileWriter::new(&mut channel).unwrap();
    assert!(writer.is_seekable());
    writer.put_buffer(b"0123456789").unwrap();
    writer.put_buffer_at(b"AB", 3).unwrap();
    assert_eq!((writer.tell(), writer.transferred()), (10, 12));
    writer.put_byte(b'+').unwrap();
    assert_eq!(writer.offset(), Ok(11), "the stream went on where it was");
    assert_eq!(writer.seek(SeekFrom::End(2)), Ok(13));
    writer.put_byte(b'!').unwrap();
    assert_eq!(writer.seek(SeekFrom::Start(0)), Ok(0));
    writer.put_byte(b'#').unwrap();
    assert_eq!(writer.tell(), 13);
    writer.close().unwrap();
    assert_eq!(contents(channel.buffer()), b"#12AB56789+\0\0!");

    let mut reader = FileReader::new(channel).unwrap();
    assert_eq!(reader.seek(SeekFrom::Start(3)), Ok(3));
    assert_eq!(reader.get_slice(2).unwrap(), b"AB");
    let mut two = [0; 2];
    reader.get_buffer_at(&mut two, 10).unwrap();
    assert_eq!(&two, b"+\0");
    assert_eq!(reader.offset(), Ok(5));
    assert_eq!(reader.seek(SeekFrom::Current(1)), Ok(6), "from the next byte on");
    assert_eq!(reader.get_byte(), Ok(b'6'));
    assert_eq!((reader.position(), reader.offset()), (3, Ok(7)));
    assert_eq!(reader.seek(SeekFrom::Current(-7)), Ok(0));
    assert_eq!(reader.get_byte(), Ok(b'#'));
    assert_eq!(reader.get_buffer_at(&mut two, 13), Err(Error::UnexpectedEof));
    assert_eq!(reader.close(), Err(Error::UnexpectedEof));
}

#[test]
fn bytes_past_the_last_position_are_refused() {
    const LAST: u64 = u64::MAX;
    let mut writer = FileWriter::new(BufferChannel::default()).unwrap();
    for position in [LAST, LAST - 1] {
        assert_eq!(writer.put_buffer_at(b"ABC", position), Err(Error::PositionOverflow));
    }
    assert_eq!((writer.error(), writer.transferred()), (None, 0));
    writer.put_buffer_at(b"", LAST).unwrap();
    writer.close().unwrap();
    let mut reader = FileReader::new(BufferChannel::default()).unwrap();
    assert_eq!(reader.get_buffer_at(&mut [0; 2], LAST), Err(Error::PositionOverflow));
    assert_eq!(reader.error(), None);
}

#[test]
fn a_seek_that_fails_sticks_and_one_that_cannot_be_does_not() {
    let mut reader = FileReader::new(BufferChannel::default()).unwrap();
    assert!(reader.is_seekable());
    let error = Error::Seek(ChannelError::Os(22));
    assert_eq!(reader.seek(SeekFrom::Current(-1)), Err(error));
    assert_eq!(reader.get_byte(), Err(error));

    let mut reader = FileReader::new(&b"ab"[..]).unwrap();
    assert!(!reader.is_seekable());
    assert_eq!(reader.seek(SeekFrom::Start(1)), Err(Error::Unsupported));
    assert_eq!(reader.offset(), Err(Error::Unsupported));
    assert_eq!(reader.get_buffer_at(&mut [0], 0), Err(Error::Unsupported));
    assert_eq!(reader.get_byte(), Ok(b'a'));

    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.put_byte(1).unwrap();
    assert_eq!(writer.put_buffer_at(&[2], 0), Err(Error::Unsupported));
    assert_eq!(writer.seek(SeekFrom::Start(0)), Err(Error::Unsupported));
    writer.put_byte(3).unwrap();
    assert_eq!(writer.flushed_channel().unwrap(), &[1, 3]);
    writer.close().unwrap();
}

#[test]
fn seeking_finds_data_again_after_the_end() {
    let buffer = SizedBuffer::from_slice(b"xy").unwrap();
    let mut reader = FileReader::new(BufferChannel::new(buffer)).unwrap();
    reader.skip(2).unwrap();
    assert!(reader.is_at_end().unwrap());
    reader.seek(SeekFrom::Start(1)).unwrap();
    assert_eq!(reader.get_byte(), Ok(b'y'));
    reader.close().unwrap();
}
