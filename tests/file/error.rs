//! Errors: which of them stick, their numbers and words; and channels behind pointers.

use iov_iter::file::{
    BufferChannel, ChannelError, Error, FileReader, FileWriter, ReadChannel, SeekFrom, SizedBuffer,
    WriteChannel,
};

const OS: ChannelError = ChannelError::Os(28);

/// Every error, its errno, and whether it sticks.
const ALL: [(Error, i32, bool); 26] = [
    (Error::Write(OS), 28, true),
    (Error::WriteZero, 5, true),
    (Error::Read(ChannelError::Other("words")), 5, true),
    (Error::UnexpectedEof, 5, true),
    (Error::Seek(ChannelError::LimitExceeded), 27, true),
    (Error::Close(ChannelError::Os(9)), 9, false),
    (Error::Stopped, 5, true),
    (Error::Shutdown(ChannelError::Os(107)), 107, false),
    (Error::Hook(-22), 22, true),
    (Error::Hook(i32::MIN), i32::MAX, true),
    (Error::NoLoadHook, 22, true),
    (Error::Reported(71, "words"), 71, true),
    (Error::WouldBlock, 11, false),
    (Error::PeekOutOfRange, 22, false),
    (Error::SkipOutOfRange, 22, false),
    (Error::StringTooLong, 22, false),
    (Error::NoSpace, 28, false),
    (Error::Compress, 5, false),
    (Error::Decompress, 5, false),
    (Error::Unsupported, 38, false),
    (Error::InvalidMode, 22, false),
    (Error::InvalidLevel, 22, false),
    (Error::OutOfRegion, 22, false),
    (Error::NoDescriptor, 5, false),
    (Error::PositionOverflow, 75, false),
    (Error::NoMemory, 12, false),
];

#[test]
fn every_error_has_its_number_and_words_of_its_own() {
    let mut texts = Vec::new();
    for (error, errno, _) in ALL {
        assert_eq!(error.errno(), errno, "{error:?}");
        texts.push(error.to_string());
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), ALL.len(), "all are different");
    let error = Error::Write(OS);
    assert_eq!(error.to_string(), "writing failed: error 28 from the operating system");
}

#[test]
fn only_some_errors_stick() {
    for (error, _, sticks) in ALL {
        assert_eq!(error.is_sticky(), sticks, "{error:?}");
        let expected = sticks.then_some(error);
        let mut writer = FileWriter::new(Vec::new()).unwrap();
        assert_eq!(writer.set_error(error), expected);
        assert_eq!(writer.put_byte(1).err(), expected);
        assert_eq!(writer.close().err(), expected);
        let mut reader = FileReader::new(&b"x"[..]).unwrap();
        assert_eq!(reader.set_error(error), expected);
        assert_eq!(reader.get_byte().err(), expected);
        assert_eq!(reader.close().err(), expected);
    }
}

#[test]
fn errors_of_channels_keep_their_number() {
    for (error, errno) in [
        (ChannelError::WouldBlock, 11),
        (ChannelError::Unsupported, 38),
        (ChannelError::NoMemory, 12),
        (ChannelError::LimitExceeded, 27),
        (ChannelError::Os(104), 104),
        (ChannelError::Other("words"), 5),
    ] {
        assert_eq!(error.errno(), errno);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_first_error_of_two_files() {
    let mut reader = FileReader::new(&b""[..]).unwrap();
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    assert_eq!(reader.error().or(writer.error()), None);
    writer.set_error(Error::WriteZero);
    assert_eq!(reader.error().or(writer.error()), Some(Error::WriteZero));
    reader.set_error(Error::UnexpectedEof);
    assert_eq!(reader.error().or(writer.error()), Some(Error::UnexpectedEof));
    writer.close().unwrap_err();
}

#[test]
fn channels_behind_pointers_can_do_the_same() {
    let mut channel = BufferChannel::default();
    let object: Box<dyn WriteChannel + '_> = Box::new(&mut channel);
    let mut writer = FileWriter::new(object).unwrap();
    assert!(writer.is_seekable());
    assert_eq!(writer.set_blocking(true), Err(Error::Unsupported));
    writer.put_buffer(b"012").unwrap();
    writer.put_buffer_at(b"x", 5).unwrap();
    assert_eq!(writer.seek(SeekFrom::Start(1)), Ok(1));
    writer.put_byte(b'y').unwrap();
    writer.close().unwrap();

    let mut copy = SizedBuffer::new();
    for bytes in channel.buffer().slices() {
        copy.append(bytes).unwrap();
    }
    let object: Box<dyn ReadChannel> = Box::new(BufferChannel::new(copy));
    let mut reader = FileReader::new(object).unwrap();
    assert_eq!(reader.set_blocking(false), Err(Error::Unsupported));
    assert_eq!(reader.get_slice(6).unwrap(), b"0y2\0\0x");
    assert_eq!(reader.seek(SeekFrom::End(-1)), Ok(5));
    let mut one = [0];
    reader.get_buffer_at(&mut one, 1).unwrap();
    assert_eq!((reader.get_byte(), one), (Ok(b'x'), [b'y']));
    assert_eq!(reader.shutdown(), Err(Error::Unsupported));
    assert_eq!(reader.close(), Err(Error::Stopped));
}
