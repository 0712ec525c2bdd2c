//! Compressed blocks.
#![cfg(feature = "zlib")]

use crate::channels::{BLOCK, EIO, Recorder, Step};
use iov_iter::file::zlib::{Deflater, Inflater, bound};
use iov_iter::file::{Compress, Decompress, Error, FileReader, FileWriter, Scratch};

/// Bytes that cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    (0..len).map(step).collect()
}

#[test]
fn the_bound_is_that_of_zlib() {
    for (len, most) in [(0, 13), (1, 14), (100, 113), (4096, 4110), (32743, 32764), (32744, 32765)]
    {
        assert_eq!(bound(len), Some(most));
    }
}

#[test]
fn an_empty_block_is_a_whole_stream() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    assert_eq!(writer.put_compressed(&mut Deflater::new(1).unwrap(), &[]), Ok(12));
    assert_eq!(writer.rate().used(), 12);
    writer.close().unwrap();
    assert_eq!(sent, [0, 0, 0, 8, 0x78, 1, 3, 0, 0, 0, 0, 1]);
}

#[test]
fn blocks_round_trip_and_stay_within_their_bound() {
    let mut inflater = Inflater::new().unwrap();
    for level in 0..=9 {
        let mut deflater = Deflater::new(level).unwrap();
        for len in [0, 1, 2, 8, 9, 100, 4096, 5000, 32743] {
            let mixed = [vec![0; len / 2], noise(len - len / 2)].concat();
            for page in [vec![0; len], noise(len), mixed] {
                let mut sent = Vec::new();
                let mut writer = FileWriter::new(&mut sent).unwrap();
                let put = writer.put_compressed(&mut deflater, &page).unwrap();
                assert_eq!((writer.tell(), writer.rate().used()), (put as u64, put as u64));
                writer.close().unwrap();
                assert_eq!(sent.len(), put);
                assert!(put <= 4 + bound(len).unwrap());
                assert_eq!(sent[..4], (put as u32 - 4).to_be_bytes());

                let mut got = vec![0xcc; len + 3];
                let mut reader = FileReader::new(&sent[..]).unwrap();
                assert_eq!(reader.get_compressed(&mut inflater, &mut got), Ok(len));
                assert_eq!(got[..len], page);
                assert!(reader.is_at_end().unwrap());
            }
        }
    }
}

#[test]
fn zeros_become_small() {
    let mut writer = FileWriter::new(Scratch).unwrap();
    let put = writer.put_compressed(&mut Deflater::new(1).unwrap(), &[0; 4096]).unwrap();
    assert!(put < 100, "{put} bytes");
    writer.close().unwrap_err();
}

#[test]
fn a_level_above_nine_is_an_error() {
    assert_eq!(Deflater::new(42).unwrap_err(), Error::InvalidLevel);
    assert_eq!(Deflater::new(10).unwrap_err(), Error::InvalidLevel);
}

/// A writer with `room` bytes of its buffer left.
fn with_room(channel: &mut Recorder, room: usize) -> FileWriter<'static, &mut Recorder> {
    let mut writer = FileWriter::new(channel).unwrap();
    writer.put_buffer(&vec![0xaa; 32768 - room]).unwrap();
    writer
}

#[test]
fn room_must_be_enough_for_the_bound() {
    let mut deflater = Deflater::new(1).unwrap();
    let mut recorder = Recorder::default();
    let mut writer = with_room(&mut recorder, 4114);
    writer.put_compressed(&mut deflater, &[0; 4096]).unwrap();
    writer.close().unwrap();
    for room in [4113, 4, 3, 2, 1] {
        let mut recorder = Recorder::default();
        let mut writer = with_room(&mut recorder, room);
        let before = writer.tell();
        assert_eq!(writer.put_compressed(&mut deflater, &[0; 4096]), Err(Error::NoSpace));
        assert_eq!((writer.tell(), writer.rate().used(), writer.error()), (before, before, None));
        writer.close().unwrap();
        assert_eq!(recorder.offered(), [before as usize]);
    }
}

#[test]
fn a_block_larger_than_the_buffer_never_fits() {
    let mut deflater = Deflater::new(9).unwrap();
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    assert_eq!(writer.put_compressed(&mut deflater, &[0; 32744]), Err(Error::NoSpace));
    assert_eq!(writer.put_compressed_flushing(&mut deflater, &[0; 32744]), Err(Error::NoSpace));
    writer.close().unwrap();
}

#[test]
fn flushing_makes_room() {
    let mut deflater = Deflater::new(1).unwrap();
    let mut recorder = Recorder::default();
    let mut writer = with_room(&mut recorder, 768);
    let put = writer.put_compressed_flushing(&mut deflater, &[0; 4096]).unwrap();
    assert_eq!(writer.channel().offered(), [32000]);
    assert_eq!(writer.pending(), put as u64);
    writer.close().unwrap();
}

#[test]
fn a_block_in_the_last_free_entry_is_sent_in_one_piece() {
    static DATA: [u8; 200] = [1; 200];
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    for i in 0..63 {
        writer.put_borrowed(&DATA[i..i + 1]).unwrap();
    }
    let page = noise(4096);
    let put = writer.put_compressed(&mut Deflater::new(6).unwrap(), &page).unwrap();
    assert_eq!(writer.pending(), 0, "the 64th entry makes a flush due");
    writer.close().unwrap();
    assert_eq!(recorder.offered(), [63 + put]);
    let mut reader = FileReader::new(&recorder.bytes[63..]).unwrap();
    let mut got = [0; 4096];
    assert_eq!(reader.get_compressed(&mut Inflater::new().unwrap(), &mut got), Ok(4096));
    assert_eq!(got[..], page);
}

#[test]
fn a_file_in_error_takes_no_block() {
    let mut deflater = Deflater::new(1).unwrap();
    let mut recorder = Recorder::scripted([Step::Fail(EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_byte(0).unwrap();
    writer.flush().unwrap_err();
    assert_eq!(writer.put_compressed(&mut deflater, &[0; 10]), Err(Error::Write(EIO)));
    assert_eq!(writer.put_compressed_flushing(&mut deflater, &[0; 10]), Err(Error::Write(EIO)));
    assert_eq!(writer.tell(), 1);
    writer.close().unwrap_err();
}

#[test]
fn a_blocked_channel_keeps_the_block_waiting() {
    let mut deflater = Deflater::new(1).unwrap();
    let mut recorder = Recorder::scripted([BLOCK]);
    let mut writer = with_room(&mut recorder, 10);
    let result = writer.put_compressed_flushing(&mut deflater, &[0; 4096]);
    assert_eq!(result, Err(Error::WouldBlock));
    writer.put_compressed_flushing(&mut deflater, &[0; 4096]).unwrap();
    writer.close().unwrap();
}

#[test]
fn the_codec_may_fail() {
    struct Broken;
    impl Compress for Broken {
        fn bound(&self, len: usize) -> Option<usize> {
            Some(len)
        }
        fn compress(&mut self, _from: &[u8], into: &mut [u8]) -> Option<usize> {
            into.fill(0xee);
            None
        }
    }
    struct Liar;
    impl Compress for Liar {
        fn bound(&self, _len: usize) -> Option<usize> {
            Some(0)
        }
        fn compress(&mut self, _from: &[u8], into: &mut [u8]) -> Option<usize> {
            Some(into.len() + 1)
        }
    }
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    assert_eq!(writer.put_compressed(&mut Broken, b"page"), Err(Error::Compress));
    assert_eq!(writer.put_compressed(&mut Liar, b"page"), Err(Error::Compress));
    assert_eq!(writer.error(), None);
    writer.put_byte(1).unwrap();
    writer.close().unwrap();
    assert_eq!(sent, [1]);
}

/// A block of `page` as it stands in the stream.
fn block(page: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_compressed(&mut Deflater::new(6).unwrap(), page).unwrap();
    writer.close().unwrap();
    sent
}

#[test]
fn damaged_blocks_are_refused_and_not_consumed() {
    let page = [noise(300), vec![5; 700]].concat();
    let good = block(&page);
    let mut inflater = Inflater::new().unwrap();
    let mut got = vec![0; 1000];
    for at in 4..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let mut reader = FileReader::new(&bad[..]).unwrap();
        let result = reader.get_compressed(&mut inflater, &mut got);
        // The last byte before the 4 of the checksum is filled up with bits that mean nothing.
        if at == good.len() - 5 && result.is_ok() {
            assert_eq!(got, page);
            continue;
        }
        assert_eq!(result, Err(Error::Decompress), "flip at {at}");
        assert_eq!((reader.position(), reader.error()), (0, None));
    }
    for cut in 0..good.len() {
        let mut reader = FileReader::new(&good[..cut]).unwrap();
        let result = reader.get_compressed(&mut inflater, &mut got);
        assert_eq!(result, Err(Error::UnexpectedEof), "cut at {cut}");
        assert_eq!(reader.position(), 0);
    }
    for len in [0, 1, good.len() as u32 - 5, good.len() as u32 - 3, 32765, u32::MAX] {
        let mut bad = good.clone();
        bad.push(0);
        bad[..4].copy_from_slice(&len.to_be_bytes());
        let mut reader = FileReader::new(&bad[..]).unwrap();
        let result = reader.get_compressed(&mut inflater, &mut got);
        assert_eq!(result, Err(Error::Decompress), "length {len}");
        assert_eq!(reader.position(), 0);
    }
    let mut reader = FileReader::new(&good[..]).unwrap();
    assert_eq!(reader.get_compressed(&mut inflater, &mut got[..999]), Err(Error::Decompress));
    assert_eq!(reader.get_compressed(&mut inflater, &mut got), Ok(1000));
    assert_eq!(got, page);
}

#[test]
fn codecs_work_without_files() {
    let mut small = [0; 20];
    let mut deflater = Deflater::new(9).unwrap();
    assert_eq!(deflater.compress(&noise(100), &mut small), None, "no room");
    let mut room = [0; 113];
    let len = deflater.compress(&noise(100), &mut room).unwrap();
    let mut got = [0; 100];
    assert_eq!(Inflater::new().unwrap().decompress(&room[..len], &mut got), Some(100));
    assert_eq!(got[..], noise(100));
}
