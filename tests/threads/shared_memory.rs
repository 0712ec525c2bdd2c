//! Memory that another thread writes all the time, while it is copied, summed, compared and dumped.
//!
//! The writer knows some values for each byte. Whatever is read is one of them, and what is said of the
//! memory is true of them.
//!
//! `SHARED_MEMORY_TRIES` is the number of tries, of which integers get a hundred times as many.
//!
//! Miri reports accesses of two sizes that race. There, segments are so short that they are accessed by
//! bytes, and everything is done to whole segments or whole integers.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize};
use std::thread;

use iov_iter::host::SharedOnly;
use iov_iter::iov::{CallError, IoVector, VectoredRead, View};
use iov_iter::{
    Checksum, Dest, Direction, Integer, IovIter, KVec, Piece, SharedVec, Source, copy_iter_to_iter,
};

/// The lengths of the segments: all ways in which bytes are moved. Under Miri none is that of a word.
const CUTS: &[usize] = if cfg!(miri) {
    &[3, 5, 7, 1]
} else {
    &[1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 33, 64, 65, 200, 700, 2100]
};
const LEN: usize = {
    let (mut sum, mut at) = (0, 0);
    while at < CUTS.len() {
        sum += CUTS[at];
        at += 1;
    }
    sum
};

fn tries() -> usize {
    match std::env::var("SHARED_MEMORY_TRIES") {
        Ok(tries) => tries.parse().unwrap(),
        Err(_) if cfg!(miri) => 10,
        Err(_) => 400,
    }
}

/// Tries of an integer for each one of something larger.
const INTEGERS: usize = if cfg!(miri) { 1 } else { 100 };

/// Calls `write` with round after round on another thread while `read` is called with `tries` and more: until
/// the writer has written some rounds meanwhile.
fn while_written(tries: usize, write: impl Fn(usize) + Sync, mut read: impl FnMut(usize)) {
    /// Ends the writer, also where the reader panics.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            (0..).take_while(|_| !stop.load(Relaxed)).for_each(|round| {
                write(round);
                rounds.store(round, Relaxed);
            });
        });
        let _stop = Stop(&stop);
        (0..).take_while(|at| *at < tries || rounds.load(Relaxed) < 5).for_each(&mut read);
    });
}

/// What the low half of a byte may be: a mixture of two of these, or no byte at all, is none of them.
const LOW: [u8; 6] = [3, 5, 6, 9, 10, 12];

/// The byte that stands at `at` after `round`. Every fifth stays what it is.
fn value(at: usize, round: usize) -> u8 {
    let round = if at.is_multiple_of(5) { 0 } else { round };
    ((at % 16) << 4) as u8 | LOW[(at + round) % LOW.len()]
}

fn pattern(round: usize) -> Vec<u8> {
    (0..LEN).map(|at| value(at, round)).collect()
}

/// Checks that every byte is one that has stood at its place: `bytes` begin at `offset`.
fn check(bytes: &[u8], offset: usize, what: &str) {
    for (at, &byte) in bytes.iter().enumerate() {
        let at = offset + at;
        let legal = (0..LOW.len()).any(|round| value(at, round) == byte);
        assert!(legal, "{what}: {byte:#x} has never stood at {at}");
    }
}

fn memory(value: impl Fn(usize) -> u8) -> Vec<AtomicU8> {
    (0..LEN).map(|at| AtomicU8::new(value(at))).collect()
}

/// The memory in segments of the [`CUTS`].
fn cut<D: Direction>(mut rest: &[AtomicU8]) -> Vec<SharedVec<'_, D>>
where
    for<'a> SharedVec<'a, D>: From<&'a [AtomicU8]>,
{
    let mut segments = vec![];
    for len in CUTS {
        let front;
        (front, rest) = rest.split_at(*len);
        segments.push(front.into());
    }
    segments
}

/// The offset and the length of what is looked at in a try. All, under Miri.
fn range(at: usize) -> (usize, usize) {
    if cfg!(miri) || at.is_multiple_of(4) {
        return (0, LEN);
    }
    let (offset, len) = (at * 97 % LEN, 1 + at * 31 % 400);
    (offset, len.min(LEN - offset))
}

/// Every second round by the crate, the others by atomics.
fn write_pattern(memory: &[AtomicU8], segments: &[SharedVec<'_, Dest>], round: usize) {
    if round.is_multiple_of(2) {
        assert_eq!(View::new(segments).write_at(0, &pattern(round)), Ok(LEN));
    } else {
        memory.iter().enumerate().for_each(|(at, byte)| byte.store(value(at, round), Relaxed));
    }
}

#[test]
fn a_copy_holds_bytes_that_were_there() {
    let memory = memory(|at| value(at, 0));
    let (segments, into) = (cut::<Source>(&memory), cut::<Dest>(&memory));
    let mut vector = IoVector::<Source, 64, _>::new();
    for segment in &segments {
        vector.try_push(*segment).unwrap();
    }
    let view = View::new(&segments);
    let mut buffer = vec![0; LEN];
    let elsewhere = self::memory(|_| 0);
    let elsewhere_into = cut::<Dest>(&elsewhere);
    let write = |round| write_pattern(&memory, &into, round);
    while_written(tries(), write, |at| {
        let (offset, len) = range(at);
        let buffer = &mut buffer[..len];
        let mut iter = IovIter::<Source, SharedOnly>::shared(&segments, LEN).unwrap();
        assert_eq!(iter.advance(offset), offset);
        match at / 4 % 6 {
            0 => {
                assert_eq!(view.read_at(offset, buffer), Ok(len));
                check(buffer, offset, "a view");
            }
            1 => {
                assert_eq!(vector.view().read_at(offset, buffer), Ok(len));
                check(buffer, offset, "a vector");
            }
            2 => {
                assert_eq!(iter.copy_from_iter(buffer), len);
                check(buffer, offset, "an iterator");
            }
            3 => {
                let mut checksum = Checksum::new();
                assert_eq!(iter.csum_and_copy_from_iter(buffer, &mut checksum), len);
                check(buffer, offset, "a sum");
                let mut copied = Checksum::new();
                copied.update(buffer);
                assert_eq!(checksum.folded(), copied.folded(), "{len} bytes from {offset}");
            }
            4 => {
                let space = [KVec::from(&mut *buffer)];
                let mut copy = IovIter::<Dest>::from(&space[..]);
                assert_eq!(copy_iter_to_iter(&mut iter, &mut copy, len), len);
                check(buffer, offset, "an iterator's copy");
            }
            _ => {
                let mut copy = IovIter::<Dest, SharedOnly>::shared(&elsewhere_into, LEN).unwrap();
                copy.advance(offset);
                assert_eq!(copy_iter_to_iter(&mut iter, &mut copy, len), len);
                let bytes: Vec<u8> =
                    elsewhere[offset..][..len].iter().map(|byte| byte.load(Relaxed)).collect();
                check(&bytes, offset, "a copy to other such memory");
            }
        }
    });
}

#[test]
fn what_is_written_is_read_by_others_byte_by_byte() {
    let memory = memory(|at| value(at, 0));
    let segments = cut::<Dest>(&memory);
    let write = |round| {
        let (offset, len) = range(round);
        let bytes = &pattern(round)[offset..][..len];
        let mut iter = IovIter::<Dest, SharedOnly>::shared(&segments, LEN).unwrap();
        iter.advance(offset);
        match round / 4 % 5 {
            0 => assert_eq!(View::new(&segments).write_at(offset, bytes), Ok(len)),
            1 => assert_eq!(iter.copy_to_iter(bytes), len),
            2 => {
                let (mut checksum, mut expected) = (Checksum::new(), Checksum::new());
                expected.update(bytes);
                assert_eq!(iter.csum_and_copy_to_iter(bytes, &mut checksum), len);
                assert_eq!(checksum.folded(), expected.folded());
            }
            3 => {
                let mut hashed = vec![];
                let hash = |bytes: &[u8]| hashed.extend_from_slice(bytes);
                assert_eq!(iter.hash_and_copy_to_iter(bytes, hash), len);
                assert_eq!(hashed, bytes);
            }
            _ => {
                let from = [KVec::from(bytes)];
                let mut from = IovIter::<Source>::from(&from[..]);
                assert_eq!(copy_iter_to_iter(&mut from, &mut iter, len), len);
            }
        }
    };
    while_written(tries() / 4, write, |_| {
        let bytes: Vec<u8> = memory.iter().map(|byte| byte.load(Relaxed)).collect();
        check(&bytes, 0, "what was written");
    });
}

/// It moves by a period of the values, so that every byte is a legal one at its new place.
#[test]
#[cfg(not(miri))]
fn a_copy_within_such_memory_moves_bytes_that_were_there() {
    const PERIOD: usize = 16 * 5 * LOW.len();
    let memory = memory(|at| value(at, 0));
    let into = cut::<Dest>(&memory);
    let (front, back) = (&memory[..LEN - PERIOD], &memory[PERIOD..]);
    let write = |round| write_pattern(&memory, &into, round);
    while_written(tries(), write, |at| {
        let (src, dst) = if at.is_multiple_of(2) { (front, back) } else { (back, front) };
        let (src, dst) = (SharedVec::<Source>::from(src), SharedVec::<Dest>::from(dst));
        let len = LEN - PERIOD - at % 300;
        assert_eq!(src.piece(0, len).copy_to(dst.piece(0, len)), len);
        let bytes: Vec<u8> = memory.iter().map(|byte| byte.load(Relaxed)).collect();
        check(&bytes, 0, "what was moved");
    });
}

#[test]
fn zeros_are_those_of_the_bytes_asked_about() {
    // Between two bytes that others write all is zero; with one byte that is not, nothing is.
    let memory = memory(|_| 0);
    let segments = cut::<Source>(&memory);
    let place = |round: usize| round * 13 % LEN;
    let still = LEN / 2;
    memory[still].store(1, Relaxed);
    let write = |round: usize| {
        if place(round) != still {
            memory[place(round)].store(round as u8 & 1, Relaxed);
        }
    };
    while_written(tries(), write, |at| {
        let view = View::new(&segments);
        assert!(!view.is_zero());
        if !cfg!(miri) {
            let offset = at % still;
            assert!(!view.slice(offset, still + 1 - offset + at % 100).unwrap().is_zero());
        }
    });

    memory.iter().for_each(|byte| byte.store(0, Relaxed));
    let (inner, outer) = (&segments[1..segments.len() - 1], [0, LEN - 1]);
    let write = |round: usize| outer.iter().for_each(|at| memory[*at].store(round as u8, Relaxed));
    while_written(tries(), write, |_| assert!(View::new(inner).is_zero()));
}

#[test]
fn a_difference_is_where_bytes_differed() {
    let memory = memory(|at| value(at, 0));
    let (segments, into) = (cut::<Source>(&memory), cut::<Dest>(&memory));
    let view = View::new(&segments);
    // Every fifth byte stays what it is, in which the last one of the second differs.
    let last = (LEN - 1) / 5 * 5;
    let (same, mut other) = (pattern(0), pattern(0));
    other[last] ^= 1;
    let [same, other] = [&same, &other].map(|bytes| {
        let mut rest = &bytes[..];
        CUTS.iter().map(|len| KVec::from(rest.split_off(..*len).unwrap())).collect::<Vec<_>>()
    });
    let [same, other] = [&same, &other].map(|segments| View::new(segments));
    let write = |round| write_pattern(&memory, &into, round);
    let changes = |at: usize| assert!(!at.is_multiple_of(5), "the byte at {at} never changes");
    while_written(tries(), write, |at| {
        let differences = match at % 3 {
            0 => [view.mismatch(&same), view.mismatch(&other)],
            1 => [view.compare(&same).unwrap(), view.compare(&other).unwrap()],
            _ => [same.mismatch(&view), other.mismatch(&view)],
        };
        differences[0].into_iter().for_each(changes);
        let found = differences[1].expect("one byte always differs");
        assert!(found <= last);
        if found < last {
            changes(found);
        }
    });
}

#[test]
fn a_dump_shows_bytes_that_were_there() {
    let memory = memory(|at| value(at, 0));
    let (segments, into) = (cut::<Source>(&memory), cut::<Dest>(&memory));
    let view = View::new(&segments);
    let mut text = String::new();
    let write = |round| write_pattern(&memory, &into, round);
    while_written(tries() / 20, write, |_| {
        text.clear();
        view.hexdump(&mut text, "", LEN).unwrap();
        let mut bytes = vec![];
        for line in text.lines() {
            let (_, line) = line.split_at(": 0000:".len());
            let (hex, shown) = line.split_at(4 * 13 + 1);
            let hex = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap());
            let hex: Vec<u8> = hex.collect();
            let expected = hex.iter().map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            });
            assert_eq!(shown, expected.collect::<String>(), "both columns show one read");
            bytes.extend(hex);
        }
        assert_eq!(bytes.len(), LEN);
        check(&bytes, 0, "a dump");
    });
}

/// Eight integers, the first of which lies in the middle of a segment.
macro_rules! integers_are_not_torn {
    ($name:ident, $int:ty, $atomic:ty) => {
        #[test]
        fn $name() {
            const SIZE: usize = size_of::<$int>();
            let memory: [$atomic; 8] = Default::default();
            let bytes = bytes_of(&memory);
            let of = |round: usize| <$int>::from_ne_bytes([round as u8; SIZE]);
            let whole = |int: $int| assert_eq!(int, of(int as usize), "torn");
            let mut unaligned = [0; SIZE + 1];
            let from = [SharedVec::<Source>::from(bytes)];
            let into = [SharedVec::<Dest>::from(bytes)];

            let write = |round| memory.iter().for_each(|int| int.store(of(round), Relaxed));
            while_written(INTEGERS * tries(), write, |at| {
                let offset = at % 8 * SIZE;
                if at.is_multiple_of(2) {
                    whole(read(&from, offset));
                } else {
                    let buffer = &mut unaligned[at / 2 % 2..][..SIZE];
                    assert_eq!(View::new(&from).read_at(offset, buffer), Ok(SIZE));
                    whole(<$int>::from_ne_bytes((&*buffer).try_into().unwrap()));
                }
            });

            let write = |round: usize| {
                let offset = round % 8 * SIZE;
                if round.is_multiple_of(2) {
                    write_int(&into, offset, of(round));
                } else {
                    let mut bytes = [0; SIZE + 1];
                    let bytes = &mut bytes[round / 2 % 2..][..SIZE];
                    bytes.copy_from_slice(&of(round).to_ne_bytes());
                    assert_eq!(View::new(&into).write_at(offset, bytes), Ok(SIZE));
                }
            };
            while_written(INTEGERS * tries(), write, |at| whole(memory[at % 8].load(Relaxed)));

            let write = |round: usize| {
                let view = View::new(&into);
                assert_eq!(view.fill_at(round % 8 * SIZE, round as u8, SIZE), Ok(SIZE));
            };
            while_written(INTEGERS * tries(), write, |at| whole(memory[at % 8].load(Relaxed)));
        }
    };
}
integers_are_not_torn!(integers_of_two_bytes_are_not_torn, u16, AtomicU16);
integers_are_not_torn!(integers_of_four_bytes_are_not_torn, u32, AtomicU32);
#[cfg(target_pointer_width = "64")]
integers_are_not_torn!(integers_of_eight_bytes_are_not_torn, u64, AtomicU64);

/// The bytes of atomics.
fn bytes_of<A>(atomics: &[A; 8]) -> &[AtomicU8] {
    // SAFETY: all callers give atomics, which a shared reference may write, and which are as long as their
    // bytes.
    unsafe { std::slice::from_raw_parts(atomics.as_ptr().cast(), size_of_val(atomics)) }
}

fn read<T: Integer>(from: &[SharedVec<'_, Source>], offset: usize) -> T {
    let mut iter = IovIter::<Source, SharedOnly>::shared(from, from[0].len()).unwrap();
    iter.advance(offset);
    iter.read_le().unwrap()
}

fn write_int<T: Integer>(into: &[SharedVec<'_, Dest>], offset: usize, value: T) {
    let mut iter = IovIter::<Dest, SharedOnly>::shared(into, into[0].len()).unwrap();
    iter.advance(offset);
    iter.write_le(value).unwrap();
}

/// A disk whose bytes are those of a pattern.
struct Disk {
    data: Vec<u8>,
    at: usize,
}

impl VectoredRead for Disk {
    type Error = Infallible;

    fn read_vectored(
        &mut self,
        segments: &[Piece<'_, Dest>],
    ) -> Result<usize, CallError<Infallible>> {
        let start = self.at;
        for segment in segments {
            self.at += segment.copy_from(Piece::from(&self.data[self.at..]));
        }
        Ok(self.at - start)
    }
}

#[test]
fn a_request_is_served_on_another_thread_while_a_guest_writes_its_memory() {
    let memory = memory(|at| value(at, 0));
    let segments = cut::<Dest>(&memory);
    let write = |round| {
        memory.iter().enumerate().for_each(|(at, byte)| byte.store(value(at, round), Relaxed));
    };
    while_written(tries() / 20, write, |at| {
        let request: View<'_, Dest, _> = View::new(&segments);
        let mut vector = IoVector::<Dest, 64, _>::new();
        vector.concat(request).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut disk = Disk { data: pattern(at), at: 0 };
                assert_eq!(request.receive(&mut disk).finished(), Ok(LEN));
            });
            scope.spawn(move || assert_eq!(vector.view().write_at(0, &pattern(at + 1)), Ok(LEN)));
        });
        let bytes: Vec<u8> = memory.iter().map(|byte| byte.load(Relaxed)).collect();
        check(&bytes, 0, "what the disk read");
    });
    // Without the guest what is there is what the disk read.
    let request = View::new(&segments);
    let mut disk = Disk { data: pattern(1), at: 0 };
    let worker = |disk: &mut Disk| request.receive(disk).finished();
    assert_eq!(thread::scope(|scope| scope.spawn(|| worker(&mut disk)).join().unwrap()), Ok(LEN));
    let bytes: Vec<u8> = memory.into_iter().map(AtomicU8::into_inner).collect();
    assert_eq!(bytes, pattern(1));
}
