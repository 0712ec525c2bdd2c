//! Compressed blocks come back as they were, and damaged ones do no harm.

use std::cell::RefCell;

use iov_iter::file::zlib::{Deflater, Inflater, bound};
use iov_iter::file::{BUFFER_SIZE, Compress, Decompress, Error, FileReader, FileWriter};

thread_local! {
    /// Codecs are as good as new after any block. Making one takes as long as a small block.
    static DEFLATERS: RefCell<[Option<Deflater>; 10]> = const { RefCell::new([const { None }; 10]) };
    static INFLATER: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// From this number on, a level asks for new codecs.
const NEW: u8 = 60;

/// Calls `f` with a deflater of this level.
fn with_deflater<R>(level: u8, f: impl FnOnce(&mut Deflater) -> R) -> R {
    DEFLATERS.with_borrow_mut(|deflaters| {
        let deflater = &mut deflaters[usize::from(level)];
        f(deflater.get_or_insert_with(|| Deflater::new(level).unwrap()))
    })
}

/// Bytes before a block, which tell its length.
const PREFIX: usize = 4;
/// Bytes after a buffer that nothing may write.
const GUARD: [u8; 16] = [0xa5; 16];

/// What stands before a block in a file.
static FILLER: [u8; 1 << 16] = [0xee; 1 << 16];

/// Decompresses into the front of a buffer of `room` bytes.
fn decompress(inflater: &mut Inflater, from: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut into = vec![0; room + GUARD.len()];
    into[room..].copy_from_slice(&GUARD);
    let got = inflater.decompress(from, &mut into[..room]);
    assert_eq!(into[room..], GUARD);
    into.truncate(got.unwrap_or(0));
    assert!(got.is_none_or(|got| got == into.len()));
    got.map(|_| into)
}

/// Few long lengths, and many short ones, which a codec is done with soon.
fn stretched(len: usize, times: usize) -> usize {
    match len {
        252.. => len * times,
        _ => len,
    }
}

/// A block of noise, single bytes and repetitions; some are too long for a file.
fn block(mut input: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    while block.len() < BUFFER_SIZE {
        let Some((&[what, len], rest)) = input.split_first_chunk() else { break };
        let len = usize::from(len);
        let (now, rest) = rest.split_at(rest.len().min(if what % 4 == 0 { len } else { 1 }));
        input = rest;
        match what % 4 {
            0 => block.extend(now),
            // As much as a page.
            1 => block.extend(now.repeat(stretched(len, 16))),
            2 => block.extend_from_within(block.len().saturating_sub(len)..),
            _ => block.extend((0..stretched(len, 32)).scan(
                u32::from_be_bytes([what, 1, 2, 3]),
                |state, _| {
                    *state ^= *state << 13;
                    *state ^= *state >> 17;
                    *state ^= *state << 5;
                    Some(*state as u8)
                },
            )),
        }
    }
    block
}

/// What a file with a block holds, some bytes of it changed, or none.
fn damaged(level: u8, mut input: &[u8]) -> Vec<u8> {
    let mut changes = Vec::new();
    while let Some((&[more, low, high, value], rest)) = input.split_first_chunk() {
        changes.push((usize::from(u16::from_le_bytes([low, high])), value));
        input = rest;
        if more % 4 == 0 || changes.len() == 8 {
            break;
        }
    }
    let mut block = block(input);
    block.truncate(BUFFER_SIZE / 2);
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    with_deflater(level, |deflater| writer.put_compressed(deflater, &block)).unwrap();
    writer.close().unwrap();
    for (at, value) in changes {
        let at = at % sent.len();
        sent[at] ^= value;
    }
    sent
}

pub fn check(input: &[u8]) {
    let Some((&[kind, room_low, room_high], input)) = input.split_first_chunk() else { return };
    let room = usize::from(u16::from_le_bytes([room_low, room_high]));
    let level = (kind & 0x3f) % 10;
    if kind & 0x3f >= NEW {
        DEFLATERS.with_borrow_mut(|deflaters| deflaters[usize::from(level)] = None);
        INFLATER.set(None);
    }
    INFLATER.with_borrow_mut(|inflater| {
        let inflater = inflater.get_or_insert_with(|| Inflater::new().unwrap());
        match kind >> 6 {
            0 => arbitrary(inflater, input, room),
            1 => {
                let damaged = damaged(level, input);
                arbitrary(inflater, &damaged, room);
                arbitrary(inflater, &damaged[PREFIX..], room);
            }
            _ => {
                with_deflater(level, |deflater| round_trip(deflater, inflater, &block(input), room))
            }
        }
    });
}

/// Any bytes, as the data of a block and as a block of a file.
fn arbitrary(inflater: &mut Inflater, input: &[u8], room: usize) {
    let got = decompress(inflater, input, room);
    if let Some(bytes) = &got {
        // What it gave fits exactly, and nothing was left in the codec that changes what it does.
        assert_eq!(decompress(inflater, input, bytes.len()).as_ref(), Some(bytes));
        assert!(bytes.is_empty() || decompress(inflater, input, bytes.len() - 1).is_none());
        assert!(decompress(inflater, &[input, &[0]].concat(), room).is_none());
    }
    let mut reader = FileReader::new(input).unwrap();
    let mut into = vec![0; room];
    let result = reader.get_compressed(inflater, &mut into);
    let Some((prefix, rest)) = input.split_first_chunk::<PREFIX>() else {
        assert_eq!(result, Err(Error::UnexpectedEof));
        return;
    };
    let len = u32::from_be_bytes(*prefix) as usize;
    match (len, rest.get(..len)) {
        (len, _) if len > BUFFER_SIZE - PREFIX => assert_eq!(result, Err(Error::Decompress)),
        (_, None) => assert_eq!(result, Err(Error::UnexpectedEof)),
        (_, Some(payload)) => match decompress(inflater, payload, room) {
            Some(bytes) => {
                assert_eq!(result, Ok(bytes.len()));
                assert_eq!(into[..bytes.len()], bytes);
                assert_eq!(reader.position(), (PREFIX + len) as u64);
            }
            None => assert_eq!((result, reader.position()), (Err(Error::Decompress), 0)),
        },
    }
}

/// Compresses a block twice, by hand and through a file, and decompresses it.
fn round_trip(deflater: &mut Deflater, inflater: &mut Inflater, block: &[u8], room: usize) {
    let most = bound(block.len()).unwrap();
    let mut into = vec![0; most + GUARD.len()];
    into[most..].copy_from_slice(&GUARD);
    let len = deflater.compress(block, &mut into[..most]).unwrap();
    assert_eq!(into[most..], GUARD);
    let compressed = &into[..len];
    assert_eq!(decompress(inflater, compressed, block.len()).as_deref(), Some(block));
    // More room than for a guard is no other case.
    let tight = decompress(inflater, compressed, room.min(block.len() + GUARD.len()));
    assert_eq!(tight.is_some(), room >= block.len());
    // Cut anywhere it is no block.
    assert!(decompress(inflater, &compressed[..room % len], block.len()).is_none());

    // With too little room it fails, and harms nothing. With enough it does what it did.
    if room < most {
        let mut small = vec![0; room + GUARD.len()];
        small[room..].copy_from_slice(&GUARD);
        let again = deflater.compress(block, &mut small[..room]);
        assert_eq!(small[room..], GUARD);
        if let Some(len) = again {
            let got = decompress(inflater, &small[..len], block.len());
            assert_eq!(got.as_deref(), Some(block));
        }
    }

    // Behind `room` other bytes in the buffer.
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_buffer(&FILLER[..room]).unwrap();
    let free = BUFFER_SIZE - room % BUFFER_SIZE;
    let put = writer.put_compressed(deflater, block);
    if PREFIX + most > free {
        assert_eq!((put, writer.tell()), (Err(Error::NoSpace), room as u64));
        let put = writer.put_compressed_flushing(deflater, block);
        assert_eq!(put.is_ok(), PREFIX + most <= BUFFER_SIZE);
        assert!(put.is_ok() || put == Err(Error::NoSpace));
    } else {
        assert_eq!(put, Ok(PREFIX + len));
    }
    writer.close().unwrap();
    if sent.len() == room {
        return;
    }
    assert_eq!(sent[room..][..PREFIX], (len as u32).to_be_bytes());
    assert_eq!(sent[room + PREFIX..], *compressed);
    let mut reader = FileReader::new(&sent[..]).unwrap();
    reader.skip(room as u64).unwrap();
    let mut got = vec![0; block.len()];
    assert_eq!(reader.get_compressed(inflater, &mut got), Ok(block.len()));
    assert_eq!(got, block);
    assert!(reader.is_at_end().unwrap());
}
