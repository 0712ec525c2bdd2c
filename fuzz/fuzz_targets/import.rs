//! Importing an array from arbitrary user memory follows the rules, and reads no byte twice.
#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;

use iov_iter::{Abi, Error, InlineVec, IoVec, IovIter, Kind, Source};
use libfuzzer_sys::fuzz_target;
use model::{Iter, UserSpace};

const MAX_COUNT: usize = 0x7fff_f000;

/// Where the array lies, and which of its bytes can be read.
struct Array<'a> {
    address: usize,
    bytes: &'a [u8],
    bad: usize,
    limit: usize,
    field: usize,
}

impl Array<'_> {
    /// The field at `at` bytes into the array.
    fn field(&self, at: usize) -> Option<usize> {
        let end = at + self.field;
        if end > self.bytes.len() || (at..end).contains(&self.bad) {
            return None;
        }
        let field = &self.bytes[at..end];
        Some(match self.field {
            4 => u32::from_ne_bytes(field.try_into().unwrap()) as usize,
            _ => usize::from_ne_bytes(field.try_into().unwrap()),
        })
    }

    fn in_range(&self, address: usize, len: usize) -> bool {
        address.checked_add(len).is_some_and(|end| end <= self.limit)
    }

    /// The errors that may be returned, or the segments.
    fn import(&self, count: usize) -> Result<Vec<IoVec>, Vec<Error>> {
        if count > 1024 {
            return Err(vec![Error::TooManySegments]);
        }
        if count > 0 && !self.in_range(self.address, count * 2 * self.field) {
            return Err(vec![Error::Fault]);
        }
        let negative = 1usize << (8 * self.field - 1);
        let mut segments = Vec::new();
        for index in 0..count {
            let at = index * 2 * self.field;
            let (base, len) = (self.field(at), self.field(at + self.field));
            match (base, len) {
                (Some(base), Some(len)) if len < negative => segments.push(IoVec::new(base, len)),
                (Some(_), Some(_)) => return Err(vec![Error::NegativeLength]),
                // The element cannot be read, and its length may say so first.
                (None, Some(len)) if len >= negative => {
                    return Err(vec![Error::Fault, Error::NegativeLength]);
                }
                _ => return Err(vec![Error::Fault]),
            }
        }
        if let [only] = &mut segments[..] {
            only.len = only.len.min(MAX_COUNT);
        }
        if !segments.iter().all(|segment| self.in_range(segment.base, segment.len)) {
            return Err(vec![Error::Fault]);
        }
        let mut left = MAX_COUNT;
        for segment in &mut segments {
            segment.len = segment.len.min(left);
            left -= segment.len;
        }
        Ok(segments)
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(([flags, count_low, count_high, place, bad, limit], bytes)) =
        input.split_first_chunk()
    else {
        return;
    };
    let (abi, field) = match flags & 1 {
        0 => (Abi::Native, size_of::<usize>()),
        _ => (Abi::Compat, 4),
    };
    // Mostly as many elements as there are.
    let count = match flags & 6 {
        0 => usize::from(u16::from_le_bytes([*count_low, *count_high])) % 1100,
        _ => bytes.len() / (2 * field),
    };
    let address = 0x1_0000 + usize::from(*place);
    let limit = match flags & 24 {
        0 => address + bytes.len() + usize::from(*limit),
        8 => 0x9000_0000,
        _ => model::LIMIT,
    };
    let bad = match flags & 32 {
        0 => usize::MAX,
        _ => usize::from(*bad),
    };
    let space = UserSpace::<4096>::with_limit(limit);
    space.store(address, bytes);
    // The pages of the array go on behind it: those bytes cannot be read either.
    space.make_bad(address + bytes.len()..address + bytes.len() + 0x10000);
    if let Some(bad) = bad.checked_add(address) {
        space.make_bad(bad..bad + 1);
    }
    space.watch_reads(true);

    let array = Array { address, bytes, bad, limit, field };
    let expected = array.import(count);
    let mut storage = InlineVec::<IoVec, 8>::new();
    match Iter::<Source>::import_iovec(&space, address, count, abi, &mut storage) {
        Ok(iter) => {
            let segments = match &iter {
                IovIter::IoVec(user) => user.cursor().list().to_vec(),
                other => vec![other.user_segment().unwrap_or_default()],
            };
            let expected = expected.unwrap();
            assert_eq!(iter.remaining(), expected.iter().map(|segment| segment.len).sum::<usize>());
            match count {
                1 => {
                    assert_eq!(iter.kind(), Kind::UserBuf);
                    // A range of no bytes has no address that could be asked for.
                    assert!(segments == expected || iter.is_empty());
                }
                _ => assert_eq!((iter.kind(), segments), (Kind::IoVec, expected)),
            }
        }
        Err(error) => {
            assert!(expected.unwrap_err().contains(&error), "{error:?}");
            assert!(storage.is_empty());
        }
    }
    assert!(space.reads().values().all(|times| *times == 1));
});
