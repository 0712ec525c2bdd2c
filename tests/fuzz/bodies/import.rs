//! Importing an array from arbitrary user memory follows the rules, and reads no byte twice.

use arbitrary::{Arbitrary, Unstructured};
use iov_iter::{Abi, Error, InlineVec, IoVec, IovIter, Kind, Source};

use super::model::{Iter, LIMIT, UserSpace};

const MAX_COUNT: usize = 0x7fff_f000;
/// Bytes of the longest array: one segment more than can be imported.
const LONGEST: usize = 1025 * 16;

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

    /// The error, or the segments.
    fn import(&self, count: usize) -> Result<Vec<IoVec>, Error> {
        if count > 1024 {
            return Err(Error::TooManySegments);
        }
        if count > 0 && !self.in_range(self.address, count * 2 * self.field) {
            return Err(Error::Fault);
        }
        let negative = 1usize << (8 * self.field - 1);
        let mut segments = Vec::new();
        for index in 0..count {
            let at = index * 2 * self.field;
            let (base, len) = (self.field(at), self.field(at + self.field));
            match (base, len) {
                (Some(base), Some(len)) if len < negative => segments.push(IoVec::new(base, len)),
                (Some(_), Some(_)) => return Err(Error::NegativeLength),
                _ => return Err(Error::Fault),
            }
        }
        if let [only] = &mut segments[..] {
            only.len = only.len.min(MAX_COUNT);
        }
        if !segments.iter().all(|segment| self.in_range(segment.base, segment.len)) {
            return Err(Error::Fault);
        }
        let mut left = MAX_COUNT;
        for segment in &mut segments {
            segment.len = segment.len.min(left);
            left -= segment.len;
        }
        Ok(segments)
    }
}

#[derive(Arbitrary, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    pub compat: bool,
    /// How many segments are imported; if not given, as many as there are.
    pub count: Option<u16>,
    pub place: u8,
    pub limit: Limit,
    /// A byte that cannot be read.
    pub bad: Option<u16>,
    /// How often the bytes stand one after the other.
    pub times: u8,
    pub bytes: &'a [u8],
}

/// Where the user's part of the address space ends.
#[derive(Arbitrary, Debug, PartialEq, Eq)]
pub enum Limit {
    BehindTheArray(u8),
    ThirtyTwoBits,
    Usual,
}

pub fn check(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let (abi, field) = match input.compat {
        false => (Abi::Native, size_of::<usize>()),
        true => (Abi::Compat, 4),
    };
    let mut bytes = input.bytes.repeat(1 + usize::from(input.times));
    bytes.truncate(LONGEST);
    let bytes = &bytes[..];
    let most = bytes.len() / (2 * field);
    let count = input.count.map_or(most, |count| usize::from(count) % 1100);
    let address = 0x1_0000 + usize::from(input.place);
    let limit = match input.limit {
        Limit::BehindTheArray(room) => address + bytes.len() + usize::from(room),
        Limit::ThirtyTwoBits => 0x9000_0000,
        Limit::Usual => LIMIT,
    };
    let bad = input.bad.map_or(usize::MAX, usize::from);
    let space = UserSpace::<4096>::with_limit(limit);
    space.store(address, bytes);
    // The pages of the array go on after it: those bytes cannot be read either.
    space.make_bad(address + bytes.len()..address + bytes.len() + 0x10000);
    if let Some(bad) = bad.checked_add(address) {
        space.make_bad(bad..bad + 1);
    }
    // Whatever is read a second time is something else then.
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
            assert_eq!(expected.unwrap_err(), error);
            assert!(storage.is_empty());
        }
    }
    assert!(space.reads().values().all(|times| *times == 1));
}
