//! Buffers handed over to a writing file.

use crate::channels::{BLOCK, Recorder, Step, copied};
use iov_iter::file::{Error, FileWriter, MAX_ENTRIES};

#[test]
fn order_is_kept_and_buffers_come_back() {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let mut expected = Vec::new();
    let mut buffer = Vec::new();
    let mut fresh = 0;
    for number in 0..if cfg!(miri) { 80 } else { 200_u8 } {
        fresh += usize::from(buffer.capacity() == 0);
        buffer.clear();
        buffer.resize(usize::from(number) + 1, number);
        writer.put_be16(u16::from(number)).unwrap();
        expected.extend_from_slice(&u16::from(number).to_be_bytes());
        expected.extend_from_slice(&buffer);
        writer.put_owned(&mut buffer).unwrap();
    }
    assert_eq!(writer.tell(), expected.len() as u64);
    writer.close().unwrap();
    assert_eq!(recorder.bytes, expected);
    // Integer and buffer take an entry each; one more buffer is being filled.
    assert_eq!(fresh, MAX_ENTRIES / 2 + 1);
}

#[test]
fn empty_buffers_are_not_taken() {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let mut buffer = Vec::with_capacity(10);
    writer.put_owned(&mut buffer).unwrap();
    assert_eq!((writer.entries(), buffer.capacity()), (0, 10));
    writer.close().unwrap();
    assert!(recorder.calls.is_empty());
}

#[test]
fn a_blocked_channel_gets_all_bytes_in_the_end() {
    // Takes a few bytes, then blocks, again and again.
    let steps = (0..1000).flat_map(|n| [Step::Move(1 + n % 9), BLOCK]);
    let mut recorder = Recorder::scripted(steps);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let mut expected = Vec::new();
    let mut blocked = 0;
    for number in 0..if cfg!(miri) { 80 } else { 250_u8 } {
        // Some after each other, some with copied bytes between.
        if number % 3 == 0 {
            expected.push(number);
            while let Err(error) = writer.put_byte(number) {
                assert_eq!(error, Error::WouldBlock);
            }
        }
        let mut buffer = vec![number; 7];
        expected.extend_from_slice(&buffer);
        while let Err(error) = writer.put_owned(&mut buffer) {
            assert_eq!(error, Error::WouldBlock);
            assert_eq!(buffer, [number; 7], "the buffer is left as it is");
            blocked += 1;
        }
        assert!(writer.entries() <= MAX_ENTRIES);
        assert_eq!(writer.tell(), expected.len() as u64);
        let sent = usize::try_from(writer.flushed()).unwrap();
        assert_eq!(writer.unsent().flat_map(copied).collect::<Vec<_>>(), expected[sent..]);
    }
    while let Err(error) = writer.flush() {
        assert_eq!(error, Error::WouldBlock);
    }
    writer.close().unwrap();
    assert!(blocked > 0);
    assert_eq!(recorder.bytes, expected);
}

#[test]
fn a_file_keeps_no_more_buffers_than_entries() {
    // Of the buffers that wait, the first is sent, but not given back before all are.
    let mut recorder = Recorder::scripted([Step::Move(2), BLOCK, BLOCK]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    for number in 0..MAX_ENTRIES as u8 {
        writer.put_owned(&mut vec![number; 2]).unwrap();
    }
    assert_eq!(writer.entries(), MAX_ENTRIES - 1);
    let mut buffer = vec![99; 2];
    assert_eq!(writer.put_owned(&mut buffer), Err(Error::WouldBlock));
    assert_eq!((&buffer[..], writer.entries()), (&[99; 2][..], MAX_ENTRIES - 1));
    writer.put_owned(&mut buffer).unwrap();
    assert_eq!((&buffer[..], writer.entries()), (&[0; 2][..], 1), "one that was sent");
    writer.close().unwrap();
    assert_eq!(recorder.bytes.len(), 2 * MAX_ENTRIES + 2);
}

#[test]
fn a_failure_takes_no_more_buffers() {
    let mut recorder = Recorder::scripted([Step::Move(3), Step::Fail(crate::channels::EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let mut buffer = vec![1; 8];
    writer.put_owned(&mut buffer).unwrap();
    let error = writer.flush().unwrap_err();
    assert_eq!(error, Error::Write(crate::channels::EIO));
    assert_eq!((writer.flushed(), writer.pending()), (3, 5));
    assert_eq!(writer.unsent().map(copied).collect::<Vec<_>>(), [[1; 5]]);
    let mut next = vec![2; 8];
    assert_eq!(writer.put_owned(&mut next), Err(error));
    assert_eq!((next, writer.pending()), (vec![2; 8], 5));
    assert_eq!(writer.close(), Err(error));
}

#[test]
fn a_linear_file_copies() {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::linear(&mut recorder).unwrap();
    let mut buffer = vec![3; 100];
    writer.put_byte(7).unwrap();
    writer.put_owned(&mut buffer).unwrap();
    assert_eq!((&buffer[..], writer.entries()), (&[3; 100][..], 1));
    writer.close().unwrap();
    assert_eq!((recorder.bytes[0], recorder.bytes.len()), (7, 101));

    // What was put of a buffer that met a blocked channel is told by the position.
    let mut recorder = Recorder::scripted([BLOCK, BLOCK]);
    let mut writer = FileWriter::linear(&mut recorder).unwrap();
    let mut buffer: Vec<u8> = (0..40000).map(|i| i as u8).collect();
    assert_eq!(writer.put_owned(&mut buffer), Err(Error::WouldBlock));
    assert_eq!((writer.tell(), buffer.len()), (32768, 40000));
    writer.put_buffer(&buffer[32768..]).unwrap();
    writer.close().unwrap();
    assert_eq!(recorder.bytes, buffer);
}
