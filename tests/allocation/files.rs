//! Running out of memory, at every allocation there is.
#![cfg(feature = "alloc")]

use crate::allocator::with_allocations;
use iov_iter::file::{
    BufferChannel, ChannelError, Error, FileReader, FileWriter, Region, Release, SeekFrom,
    SizedBuffer, WriteChannel,
};
use iov_iter::{KVec, Piece};

/// Fails each allocation of `operation` in turn, until it succeeds; there are `expected` of them.
fn at_every_allocation<T, E: core::fmt::Debug + PartialEq>(
    expected: usize,
    error: E,
    mut operation: impl FnMut() -> Result<T, E>,
) -> T {
    for n in 0..=expected {
        let (result, _) = with_allocations(n, &mut operation);
        match result {
            Ok(value) => {
                assert_eq!(n, expected, "allocations");
                return value;
            }
            Err(failure) => assert_eq!(failure, error, "allocation {n}"),
        }
    }
    panic!("more than {expected} allocations");
}

#[test]
fn opening_a_file_survives_every_allocation_that_fails() {
    let writer =
        at_every_allocation(2, Error::NoMemory, || FileWriter::new(iov_iter::file::Scratch));
    drop(writer);
    drop(at_every_allocation(2, Error::NoMemory, || FileWriter::linear(iov_iter::file::Scratch)));
    drop(at_every_allocation(1, Error::NoMemory, || FileReader::new(&b""[..])));
}

#[test]
fn putting_and_getting_do_not_allocate() {
    static PAGE: [u8; 4096] = [3; 4096];
    const ROUNDS: usize = if cfg!(miri) { 12 } else { 1000 };
    let mut channel = BufferChannel::default();
    channel.buffer_mut().try_reserve(ROUNDS * 5000).unwrap();
    let mut writer = FileWriter::new(&mut channel).unwrap();
    let (result, allocations) = with_allocations(0, || {
        for _ in 0..ROUNDS {
            writer.put_be64(7)?;
            writer.put_counted_string(b"ram")?;
            writer.put_borrowed(&PAGE)?;
            writer.put_buffer(&PAGE[..100])?;
        }
        writer.flush()
    });
    assert_eq!((result, allocations), (Ok(()), 0));
    writer.close().unwrap();

    let mut reader = FileReader::new(BufferChannel::new(channel.into_buffer())).unwrap();
    let mut sink = SizedBuffer::new();
    sink.try_reserve(100_000).unwrap();
    let mut sink = BufferChannel::new(sink);
    let (result, allocations) = with_allocations(0, || {
        let mut page = [0; 4096];
        for _ in 0..ROUNDS / 2 {
            assert_eq!(reader.get_be64()?, 7);
            assert_eq!(reader.get_counted_string()?, b"ram");
            reader.get_exact(&mut page)?;
            reader.skip(50)?;
            reader.peek(50, 0)?;
            reader.get_slice(50)?;
        }
        reader.copy_to(&mut sink, 20_000)
    });
    assert_eq!((result, allocations), (Ok(()), 0));
    reader.close().unwrap();
}

#[test]
fn a_channel_without_memory_is_a_failure_with_the_stream_intact() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_be32(1).unwrap();
    writer.flush().unwrap();
    writer.put_buffer(&[2; 1000]).unwrap();
    let error = Error::Write(ChannelError::NoMemory);
    assert_eq!(with_allocations(0, || writer.flush()).0, Err(error));
    assert_eq!((writer.flushed(), writer.pending()), (4, 1000));
    assert_eq!(writer.close(), Err(error));
    assert_eq!(sent, [0, 0, 0, 1]);
}

#[test]
fn the_sized_buffer_keeps_what_it_has() {
    const FAR: usize = 2_500_000;
    let mut buffer = SizedBuffer::from_slice(b"before").unwrap();
    let capacity = buffer.capacity();
    for n in 0.. {
        let (result, _) = with_allocations(n, || buffer.write_at(FAR, b"far"));
        if result.is_ok() {
            assert!(n > 1, "several chunks");
            break;
        }
        assert_eq!(result, Err(ChannelError::NoMemory));
        assert_eq!((buffer.len(), buffer.capacity()), (6, capacity));
    }
    assert_eq!(buffer.len(), FAR + 3);
    let mut bytes = [9; 8];
    buffer.read_at(0, &mut bytes);
    assert_eq!(&bytes, b"before\0\0");
    let (refused, _) = with_allocations(1, || buffer.set_len(20 * FAR));
    assert_eq!((refused, buffer.len()), (Err(ChannelError::NoMemory), FAR + 3));
    assert_eq!(with_allocations(1, || buffer.try_reserve(20 * FAR)).0, Err(ChannelError::NoMemory));
    // Within what there is, nothing is asked for.
    let room = buffer.capacity() - buffer.len();
    assert_eq!(with_allocations(0, || buffer.append(&[0; 9][..room.min(9)])).0, Ok(()));
    let from = || SizedBuffer::from_slice(b"bytes").map(|buffer| buffer.len());
    assert_eq!(at_every_allocation(2, ChannelError::NoMemory, from), 5);
    for n in 0.. {
        match with_allocations(n, || buffer.try_clone()).0 {
            Ok(copy) => {
                assert_eq!(copy.len(), buffer.len());
                break;
            }
            Err(error) => assert_eq!(error, ChannelError::NoMemory),
        }
    }
}

#[test]
fn lengths_that_no_memory_holds_are_refused_at_once() {
    let far = 1_u64 << (usize::BITS - 2);
    let position = far as usize;
    let refused = Err(ChannelError::NoMemory);
    let mut buffer = SizedBuffer::from_slice(b"kept").unwrap();
    let capacity = buffer.capacity();
    for result in [
        with_allocations(100, || buffer.write_at(position, b"x")),
        with_allocations(100, || buffer.try_reserve(usize::MAX)),
        with_allocations(100, || buffer.try_reserve(2 << 30)),
        with_allocations(100, || buffer.set_len(usize::MAX)),
        with_allocations(100, || SizedBuffer::new().write_at(position, b"x")),
        with_allocations(100, || SizedBuffer::new().try_reserve(isize::MAX as usize)),
        with_allocations(100, || SizedBuffer::new().set_len(position)),
    ] {
        assert!(result.0 == refused && result.1 <= 2, "{result:?}");
    }
    let mut bytes = [0; 5];
    assert_eq!((buffer.read_at(0, &mut bytes), &bytes), (4, b"kept\0"));
    assert_eq!((buffer.len(), buffer.capacity()), (4, capacity));

    let mut writer = FileWriter::new(BufferChannel::new(buffer)).unwrap();
    let error = Err(Error::Write(ChannelError::NoMemory));
    let (result, asked) = with_allocations(100, || writer.put_buffer_at(b"x", far));
    assert!(result == error && asked <= 2, "{result:?} {asked}");
    assert_eq!(writer.close(), error);
    let mut writer = FileWriter::new(BufferChannel::default()).unwrap();
    writer.seek(SeekFrom::Start(far)).unwrap();
    writer.put_byte(1).unwrap();
    let (result, asked) = with_allocations(100, || writer.flush());
    assert!(result == error && asked <= 2, "{result:?} {asked}");
    assert_eq!(writer.close(), error);

    // A limit comes first.
    let mut limited = SizedBuffer::with_limit(1 << 20);
    let (result, asked) = with_allocations(0, || limited.write_at(position, b"x"));
    assert_eq!((result, asked), (Err(ChannelError::LimitExceeded), 0));
}

#[test]
#[cfg(feature = "std")]
fn pairs_and_handles_survive_every_allocation_that_fails() {
    let (here, _there) = at_every_allocation(3, Error::NoMemory, || iov_iter::os::pair(100));
    let mut writer = FileWriter::new(here).unwrap();
    drop(at_every_allocation(1, Error::NoMemory, || writer.control()));
    drop(at_every_allocation(0, Error::NoMemory, || writer.stopper()));
    let (another, allocations) = with_allocations(0, || writer.stopper());
    assert_eq!((another.is_ok(), allocations), (true, 0), "the handle exists already");
    drop(at_every_allocation(1, Error::NoMemory, || FileReader::new(writer.return_channel()?)));
    writer.put_byte(1).unwrap();
    writer.close().unwrap();
    let (here, _there) = iov_iter::os::pair(100).unwrap();
    let mut reader = FileReader::new(here).unwrap();
    drop(at_every_allocation(1, Error::NoMemory, || reader.stopper()));
    // A writer has a buffer and a list of what is pending.
    let back =
        at_every_allocation(2, Error::NoMemory, || FileWriter::new(reader.return_channel()?));
    back.close().unwrap();
    reader.close().unwrap();
}

#[test]
fn what_cannot_shrink_stays() {
    let mut buffer = SizedBuffer::from_slice(&[7; 5000]).unwrap();
    buffer.set_len(10).unwrap();
    let before = buffer.capacity();
    let (_, asked) = with_allocations(0, || buffer.shrink_to_fit());
    assert_eq!((asked, buffer.len(), buffer.capacity()), (1, 10, before));
    buffer.shrink_to_fit();
    assert!(buffer.capacity() < before);
    let mut bytes = [0; 10];
    assert_eq!((buffer.read_at(0, &mut bytes), bytes), (10, [7; 10]));
}

#[test]
fn a_buffer_as_a_channel_takes_all_or_nothing() {
    let mut channel = BufferChannel::default();
    let segments = [KVec::from(&b"one"[..]), KVec::from(&[7; 2000][..])];
    // The chunk, and the list of chunks.
    let written = at_every_allocation(2, ChannelError::NoMemory, || {
        let result = channel.write_exclusive(&segments);
        assert_eq!(channel.buffer().len(), result.map_or(0, |len| len));
        result
    });
    assert_eq!(written, 2003);
    let (refused, _) = with_allocations(0, || channel.write_at(&[Piece::from(&b"far"[..])], 5000));
    assert_eq!((refused, channel.buffer().len()), (Err(ChannelError::NoMemory), 2003));
}

#[test]
#[cfg(feature = "zlib")]
fn codecs_allocate_when_made_and_never_again() {
    use iov_iter::file::zlib::{Deflater, Inflater};

    let mut deflater = at_every_allocation(1, Error::NoMemory, || Deflater::new(6));
    let mut inflater = at_every_allocation(1, Error::NoMemory, Inflater::new);
    let mut channel = BufferChannel::default();
    channel.buffer_mut().try_reserve(1_000_000).unwrap();
    let mut writer = FileWriter::new(&mut channel).unwrap();
    let page: Vec<u8> = (0..4096_u32).map(|i| ((i * i) >> 5) as u8).collect();
    let (result, allocations) = with_allocations(0, || {
        (0..20).try_for_each(|_| writer.put_compressed_flushing(&mut deflater, &page).map(|_| ()))
    });
    assert_eq!((result, allocations), (Ok(()), 0));
    writer.close().unwrap();
    let mut reader = FileReader::new(BufferChannel::new(channel.into_buffer())).unwrap();
    let mut got = [0; 4096];
    for _ in 0..20 {
        let (result, allocations) =
            with_allocations(0, || reader.get_compressed(&mut inflater, &mut got));
        assert_eq!((result, allocations, &got[..]), (Ok(4096), 0, &page[..]));
    }
}

#[test]
fn a_buffer_that_cannot_be_taken_over_stays() {
    let mut writer = FileWriter::new(iov_iter::file::Scratch).unwrap();
    let mut buffer = vec![5; 100];
    // The first time there is a list to make.
    let (result, _) = with_allocations(0, || writer.put_owned(&mut buffer));
    assert_eq!((result, buffer.len(), writer.pending()), (Err(Error::NoMemory), 100, 0));
    assert_eq!(writer.put_owned(&mut buffer), Ok(()));
    assert_eq!((buffer.len(), writer.pending()), (0, 100));
    let mut buffer = vec![6; 100];
    let (result, allocations) = with_allocations(0, || writer.put_owned(&mut buffer));
    assert_eq!((result, allocations, writer.pending()), (Ok(()), 0, 200));
    drop(writer);
}

#[test]
fn a_range_whose_release_cannot_be_noted_is_not_put() {
    struct Released(std::sync::atomic::AtomicUsize);
    impl Release for Released {
        fn release(&self, range: std::ops::Range<usize>) {
            self.0.fetch_add(range.len(), std::sync::atomic::Ordering::Relaxed);
        }
    }
    let (page, mut released) = ([5; 100], Released(Default::default()));
    let region = Region::with_release(&page[..], &released);
    let mut writer = FileWriter::new(BufferChannel::default()).unwrap();
    let (result, _) = with_allocations(0, || writer.put_region_and_release(&region, 0..9));
    assert_eq!((result, writer.tell(), writer.error()), (Err(Error::NoMemory), 0, None));
    assert_eq!(writer.put_region_and_release(&region, 0..9), Ok(()));
    let (result, allocations) =
        with_allocations(0, || writer.put_region_and_release(&region, 50..59));
    assert_eq!((result, allocations, writer.tell()), (Ok(()), 0, 18));
    writer.close().unwrap();
    assert_eq!(*released.0.get_mut(), 18);
}
