//! Getting, against the bytes to be got.

use std::sync::atomic::Ordering;

use iov_iter::file::{BUFFER_SIZE, Error, FileReader};
use iov_iter::{Dest, KVec};

use super::super::channels::{EIO, Fickle};
use super::user::{User, UserIter, cut};

#[derive(Clone, Debug)]
pub enum Get {
    Byte,
    Be32,
    Be64,
    Buffer(usize),
    Exact(usize),
    Slice(usize),
    InPlace(usize),
    Peek(usize, usize),
    Skip(usize),
    Counted,
    AtEnd,
    /// One of the integers whose bytes have another width, order or sign than those above.
    Integer(u8),
    /// Into segments of these lengths.
    Segments(Vec<usize>),
    PeekByte(usize),
    SkipBuffered(usize),
    /// So many bytes into an iterator over pieces of at most so many, which may fault at a byte.
    Iter(usize, usize, Option<usize>),
}

/// The bytes that an operation gives, or the error.
type Got = Result<Vec<u8>, Error>;

/// What `operation` gives when `rest` is left, so much of it in the buffer, and how much is
/// consumed.
fn expected<'d>(
    operation: &Get,
    rest: &'d [u8],
    buffered: usize,
) -> (Result<&'d [u8], Error>, usize) {
    let exactly = |len: usize| match rest.get(..len) {
        Some(bytes) => (Ok(bytes), len),
        None => (Err(Error::UnexpectedEof), 0),
    };
    let up_to = |len: usize| match (len, rest.len()) {
        (1.., 0) => (Err(Error::UnexpectedEof), 0),
        _ => (Ok(&rest[..len.min(rest.len())]), len.min(rest.len())),
    };
    match *operation {
        Get::Byte => exactly(1),
        Get::Be32 => exactly(4),
        Get::Be64 => exactly(8),
        Get::Slice(len) => exactly(len),
        Get::Buffer(len) | Get::InPlace(len) => up_to(len),
        // Whole buffers may be gone before the end shows.
        Get::Exact(len) | Get::Skip(len) if len > rest.len() => {
            let parts = rest.len() / BUFFER_SIZE;
            (Err(Error::UnexpectedEof), parts * BUFFER_SIZE)
        }
        Get::Exact(len) => exactly(len),
        Get::Skip(len) => (Ok(&[]), len),
        Get::Peek(len, offset) if len + offset > BUFFER_SIZE => (Err(Error::PeekOutOfRange), 0),
        Get::Peek(len, offset) => {
            let ahead = rest.get(offset..).unwrap_or_default();
            (Ok(&ahead[..len.min(ahead.len())]), 0)
        }
        Get::Counted => match rest.first() {
            None => (Err(Error::UnexpectedEof), 0),
            Some(len) => match rest.get(1..1 + usize::from(*len)) {
                Some(text) => (Ok(text), 1 + text.len()),
                None => (Err(Error::UnexpectedEof), 0),
            },
        },
        Get::AtEnd => (Ok(if rest.is_empty() { &[1] } else { &[0] }), 0),
        Get::Integer(which) => exactly([1, 2, 2, 4, 8, 2, 4, 8, 2, 4, 8][usize::from(which) % 11]),
        Get::Segments(ref lengths) => up_to(lengths.iter().sum()),
        // No byte is got, so the end does not show.
        Get::Iter(1.., _, Some(0)) if !rest.is_empty() => (Ok(&[]), 0),
        Get::Iter(len, _, fault) => match up_to(len) {
            (Ok(bytes), got) => {
                let got = got.min(fault.unwrap_or(usize::MAX));
                (Ok(&bytes[..got]), got)
            }
            ended => ended,
        },
        Get::PeekByte(offset) if offset >= BUFFER_SIZE => (Err(Error::PeekOutOfRange), 0),
        Get::PeekByte(offset) => (Ok(rest.get(offset..=offset).unwrap_or_default()), 0),
        Get::SkipBuffered(len) if len > buffered => (Err(Error::SkipOutOfRange), 0),
        Get::SkipBuffered(len) => (Ok(&[]), len),
    }
}

/// An integer, as the bytes that it stands for.
fn integer(reader: &mut FileReader<Fickle>, which: u8) -> Got {
    Ok(match which % 11 {
        0 => reader.get_sbyte()?.to_be_bytes().to_vec(),
        1 => reader.get_be16()?.to_be_bytes().to_vec(),
        2 => reader.get_sbe16()?.to_be_bytes().to_vec(),
        3 => reader.get_sbe32()?.to_be_bytes().to_vec(),
        4 => reader.get_sbe64()?.to_be_bytes().to_vec(),
        5 => reader.get_le16()?.to_le_bytes().to_vec(),
        6 => reader.get_le32()?.to_le_bytes().to_vec(),
        7 => reader.get_le64()?.to_le_bytes().to_vec(),
        8 => reader.get_sle16()?.to_le_bytes().to_vec(),
        9 => reader.get_sle32()?.to_le_bytes().to_vec(),
        _ => reader.get_sle64()?.to_le_bytes().to_vec(),
    })
}

/// Whether all bytes are 0, without a look at each.
fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|part| *part == ZEROS[..part.len()])
}

static ZEROS: [u8; 4096] = [0; 4096];

/// Into segments of one memory, without gaps.
fn segments(reader: &mut FileReader<Fickle>, lengths: &[usize]) -> Got {
    let mut into = vec![0; lengths.iter().sum()];
    let mut rest = &mut into[..];
    let mut segments = Vec::new();
    for len in lengths {
        let (segment, after) = rest.split_at_mut(*len);
        segments.push(KVec::from(segment));
        rest = after;
    }
    let got = reader.get_segments(&segments)?;
    drop(segments);
    assert!(all_zero(&into[got..]));
    into.truncate(got);
    Ok(into)
}

/// Into user memory that has exactly the bytes got, and where the iterator stands after them.
fn iter(reader: &mut FileReader<Fickle>, len: usize, piece: usize, fault: Option<usize>) -> Got {
    let memory = User::new(&vec![0; len], fault);
    let segments = cut(0..len, piece);
    let mut iter = UserIter::<Dest>::iovec(&memory, &segments, len).unwrap();
    let result = reader.get_iter(&mut iter, len);
    let got = len - iter.remaining();
    assert!(result == Ok(got) || got == 0, "{result:?}, {got}");
    let mut into = memory.bytes();
    assert!(all_zero(&into[got..]));
    into.truncate(got);
    result.map(|_| into)
}

fn attempt(reader: &mut FileReader<Fickle>, operation: &Get) -> Got {
    match *operation {
        Get::Integer(which) => integer(reader, which),
        Get::Segments(ref lengths) => segments(reader, lengths),
        Get::Iter(len, piece, fault) => iter(reader, len, piece, fault),
        Get::PeekByte(offset) => reader.peek_byte(offset).map(|byte| byte.into_iter().collect()),
        Get::SkipBuffered(len) => reader.skip_buffered(len).map(|()| Vec::new()),
        Get::Byte => reader.get_byte().map(|byte| vec![byte]),
        Get::Be32 => reader.get_be32().map(|value| value.to_be_bytes().to_vec()),
        Get::Be64 => reader.get_be64().map(|value| value.to_be_bytes().to_vec()),
        Get::Buffer(len) => {
            let mut into = vec![0; len];
            let got = reader.get_buffer(&mut into)?;
            into.truncate(got);
            Ok(into)
        }
        Get::Exact(len) => {
            let mut into = vec![0; len];
            reader.get_exact(&mut into).map(|()| into)
        }
        Get::Slice(len) => reader.get_slice(len).map(<[u8]>::to_vec),
        Get::InPlace(len) => reader.get_buffer_in_place(&mut vec![0; len]).map(<[u8]>::to_vec),
        Get::Peek(len, offset) => reader.peek(len, offset).map(<[u8]>::to_vec),
        Get::Skip(len) => reader.skip(len as u64).map(|()| Vec::new()),
        Get::Counted => reader.get_counted_string().map(<[u8]>::to_vec),
        Get::AtEnd => reader.is_at_end().map(|end| vec![u8::from(end)]),
    }
}

/// Gets `data` over a channel of these portions: any way of reading gives the same bytes, looking
/// ahead changes nothing, and blocking at any place consumes nothing that is not delivered.
pub fn check(operations: &[Get], portions: &[Option<usize>], data: &[u8]) {
    let blocks = portions.contains(&None);
    let mut channel = Fickle::new(portions, None);
    channel.bytes = data.to_vec();
    // The bytes are the same whether the buffer is bypassed or not.
    channel.scattered = operations.len().is_multiple_of(2);
    let mut reader = FileReader::new(channel).unwrap();
    for operation in operations {
        for attempts in 0.. {
            assert!(attempts < 100_000);
            let at = reader.position() as usize;
            let buffered = reader.fetched() as usize - at;
            let got = attempt(&mut reader, operation);
            let now = reader.position() as usize;
            assert!(reader.position() <= reader.fetched());
            assert_eq!(reader.fetched(), reader.channel().moved.load(Ordering::SeqCst) as u64);
            match (operation, got) {
                (Get::Exact(_) | Get::Skip(_), Err(Error::WouldBlock)) if blocks => {
                    assert_eq!((now - at) % BUFFER_SIZE, 0);
                    break;
                }
                (_, Err(Error::WouldBlock)) if blocks => assert_eq!(at, now),
                (
                    Get::Buffer(_) | Get::InPlace(_) | Get::Segments(_) | Get::Iter(..),
                    Ok(bytes),
                ) if blocks => {
                    assert!(bytes == data[at..now]);
                    break;
                }
                (_, got) => {
                    let (expected, consumed) = expected(operation, &data[at..], buffered);
                    assert!(
                        got.as_deref() == expected.as_ref().map(|bytes| *bytes),
                        "{operation:?} at {at}: {reader:?}"
                    );
                    assert_eq!(now - at, consumed);
                    break;
                }
            }
        }
    }
}

/// Gets `step` bytes at a time over a channel that fails at a byte of `data`: everything before it
/// is delivered, and nothing else.
pub fn check_failure(step: usize, portions: &[Option<usize>], fails_at: usize, data: &[u8]) {
    let mut channel = Fickle::new(portions, Some(fails_at));
    channel.bytes = data.to_vec();
    let mut reader = FileReader::new(channel).unwrap();
    let mut got = Vec::new();
    let mut part = vec![0; step];
    let error = loop {
        match reader.get_buffer(&mut part) {
            Ok(len) => got.extend_from_slice(&part[..len]),
            Err(Error::WouldBlock) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::Read(EIO));
    assert!(got == data[..fails_at]);
    let calls = reader.channel().calls;
    assert_eq!(reader.get_byte(), Err(error));
    assert_eq!(reader.channel().calls, calls);
    assert_eq!(reader.close(), Err(error));
}
