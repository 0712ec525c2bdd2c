//! Copies, fills and comparisons of pieces, at every length and alignment, against bytes one by one.

use iov_iter::{Checksum, Dest, IovIter, KVec, Piece, Source};

/// Past every length at which an operation changes its way.
const LENGTHS: usize = 200;
/// Room on either side in which nothing may change.
const MARGIN: usize = 70;

/// All lengths; near the borders of what is moved in line if each costs an interpreter dearly.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=LENGTHS).filter(|len| !cfg!(miri) || [0, 1, 3, 7, 8, 9, 16, 17, 33, 64, 131].contains(len))
}

/// Alignments in a vector register; under an interpreter only those that differ for it.
fn alignments() -> impl Iterator<Item = usize> + Clone {
    (0..16).filter(|at| !cfg!(miri) || [0, 5].contains(at))
}

fn bytes(count: usize) -> Vec<u8> {
    (1..=255).cycle().take(count).collect()
}

#[test]
fn a_copy_between_pieces_that_overlap_reads_before_it_writes() {
    let distances = (-66_isize..=66).filter(|at| !cfg!(miri) || [-33, -1, 0, 3, 15].contains(at));
    for distance in distances {
        for len in lengths() {
            for align in alignments().step_by(5) {
                let from = MARGIN + align;
                let to = from.checked_add_signed(distance).unwrap();
                let mut memory = bytes(LENGTHS + 3 * MARGIN);
                let mut model = memory.clone();
                model.copy_within(from..from + len, to);

                let start = memory.as_mut_ptr();
                // SAFETY: both lie in `memory`, which nothing else accesses meanwhile.
                let copied = unsafe {
                    let src = Piece::<Source>::from_raw_parts(start.add(from), len);
                    let dst = Piece::<Dest>::from_raw_parts(start.add(to), len);
                    src.copy_to(dst)
                };
                assert_eq!(copied, len);
                assert_eq!(memory, model, "{len} bytes, {distance} further, from {from}");
            }
        }
    }
}

#[test]
fn a_copy_into_a_segment_writes_its_bytes_and_no_other() {
    for len in lengths() {
        for (from, to) in alignments().flat_map(|from| alignments().map(move |to| (from, to))) {
            let source = bytes(from + len);
            let mut memory = vec![0; MARGIN + LENGTHS + MARGIN];
            let mut model = memory.clone();
            model[MARGIN + to..][..len].copy_from_slice(&source[from..]);

            let segments = [KVec::from(&mut memory[MARGIN + to..][..len])];
            let mut iter = IovIter::<Dest>::from(&segments[..]);
            assert_eq!(iter.copy_to_iter(&source[from..]), len);
            assert_eq!(memory, model, "{len} bytes from {from} to {to}");
        }
    }
}

#[test]
fn a_copy_out_of_a_segment_writes_its_bytes_and_no_other() {
    for len in lengths() {
        for (from, to) in alignments().flat_map(|from| alignments().map(move |to| (from, to))) {
            let source = bytes(from + len);
            let mut memory = vec![0; MARGIN + LENGTHS + MARGIN];
            let mut model = memory.clone();
            model[MARGIN + to..][..len].copy_from_slice(&source[from..]);

            let segments = [KVec::from(&source[from..])];
            let mut iter = IovIter::<Source>::from(&segments[..]);
            assert_eq!(iter.copy_from_iter(&mut memory[MARGIN + to..][..len]), len);
            assert_eq!(memory, model, "{len} bytes from {from} to {to}");
        }
    }
}

#[test]
fn a_fill_writes_its_bytes_and_no_other() {
    for (len, value) in lengths().flat_map(|len| [0, 0xa5].map(|value| (len, value))) {
        for at in alignments() {
            let mut memory = bytes(MARGIN + LENGTHS + MARGIN);
            let mut model = memory.clone();
            model[MARGIN + at..][..len].fill(value);

            assert_eq!(Piece::<Dest>::from(&mut memory[MARGIN + at..][..len]).fill(value), len);
            assert_eq!(memory, model, "{len} bytes at {at}");
        }
    }
}

#[test]
fn zeros_are_zeros_unless_one_of_them_is_not() {
    for len in lengths() {
        for at in alignments() {
            // The bytes around them do not count.
            let mut memory = vec![1; at + len + 16];
            memory[at..][..len].fill(0);
            assert!(Piece::from(&memory[at..][..len]).is_zero(), "{len} bytes at {at}");
            for set in places(len) {
                memory[at + set] = 0x80;
                let piece = Piece::from(&memory[at..][..len]);
                assert!(!piece.is_zero(), "{len} bytes at {at}, {set} set");
                memory[at + set] = 0;
            }
        }
    }
}

#[test]
fn the_first_difference_is_found_wherever_it_is() {
    for len in lengths() {
        for (left, right) in alignments().flat_map(|at| [(at, 0), (at, at), (1, at)]) {
            let ours = [vec![7; left], bytes(len), vec![1; 16]].concat();
            let mut theirs = [vec![8; right], bytes(len), vec![2; 16]].concat();
            let piece = Piece::<Source>::from(&ours[left..][..len]);
            let equal = piece.mismatch(Piece::from(&theirs[right..][..len]));
            assert_eq!(equal, None, "{len} bytes");
            for at in places(len) {
                theirs[right + at] ^= 0x10;
                // A later difference changes nothing.
                theirs[right + len - 1] ^= 0x01;
                let found = piece.mismatch(Piece::from(&theirs[right..][..len]));
                assert_eq!(found, Some(at), "{len} bytes at {left} and {right}");
                theirs[right + len - 1] ^= 0x01;
                theirs[right + at] ^= 0x10;
            }
        }
    }
}

#[test]
fn differences_do_not_cancel_each_other() {
    // Words of one block that differ by the same bits, and so many that every block has some.
    let (zeros, ones) = (vec![0; LENGTHS], vec![1; LENGTHS]);
    for len in lengths().filter(|len| *len > 0) {
        assert!(!Piece::<Source>::from(&ones[..len]).is_zero(), "{len} bytes");
    }
    for (len, first) in lengths().flat_map(|len| places(len).map(move |first| (len, first))) {
        let mut ours = vec![0; len];
        ours[first..].fill(1);
        let ours = Piece::<Source>::from(&ours[..]);
        assert_eq!(ours.mismatch(Piece::from(&zeros[..len])), Some(first), "{len} bytes");
    }
}

#[test]
fn pieces_are_compared_as_far_as_the_shorter_one_goes() {
    let (short, long) = (bytes(10), bytes(70));
    let (short, long) = (Piece::<Source>::from(&short[..]), Piece::<Source>::from(&long[..]));
    assert_eq!((short.mismatch(long), long.mismatch(short)), (None, None));
    // The first difference lies after it.
    let other = [bytes(10), vec![0; 60]].concat();
    let other = Piece::<Source>::from(&other[..]);
    assert_eq!(long.mismatch(other), Some(10));
    assert_eq!((short.mismatch(other), other.mismatch(short)), (None, None));
    let other = [0; 3];
    assert_eq!(long.mismatch(Piece::from(&other[..])), Some(0));
    assert_eq!(Piece::from(&other[..]).mismatch(long), Some(0));
}

#[test]
fn a_copy_that_is_written_back_is_a_copy() {
    for (len, room) in [(0, 4), (1, 1), (5, 3), (3, 5), (64, 64), (200, 131)] {
        let source = bytes(len);
        let mut memory = vec![0; room];
        let piece = Piece::<Dest>::from(&mut memory[..]);
        let copied = piece.copy_from_flushing(Piece::from(&source[..]));
        piece.flush_cache();
        assert_eq!(copied, len.min(room));
        assert_eq!(memory[..copied], source[..copied]);
        assert!(memory[copied..].iter().all(|byte| *byte == 0));
    }
}

/// The Internet checksum as its definition has it: 16-bit words, added one by one.
fn sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum: u16, word| {
        let word = u16::from_ne_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

#[test]
fn a_sum_is_that_of_its_words_and_what_is_summed_is_copied() {
    let ones = vec![0xff; 16 + 4 * LENGTHS];
    let mixed = bytes(16 + 4 * LENGTHS);
    let lengths = || lengths().chain([300, 511, 512, 513, 777]);
    for (source, len) in
        [&ones, &mixed].iter().flat_map(|source| lengths().map(move |len| (source, len)))
    {
        for (from, to) in alignments().map(|from| (from, 5 - from / 3)) {
            let source = &source[from..][..len];
            let mut summed = Checksum::new();
            summed.update(source);
            assert_eq!(summed.folded(), sum(source), "{len} bytes at {from}");

            let mut memory = vec![1; to + len + 1];
            let segments = [KVec::from(&mut memory[to..][..len])];
            let mut copied = Checksum::new();
            let mut iter = IovIter::<Dest>::from(&segments[..]);
            assert_eq!(iter.csum_and_copy_to_iter(source, &mut copied), len);
            assert_eq!((copied.folded(), copied.offset()), (sum(source), len));
            assert_eq!(&memory[to..][..len], source);
            assert_eq!(memory[to + len], 1);

            let segments = [KVec::from(source)];
            let mut copied = Checksum::new();
            let mut iter = IovIter::<Source>::from(&segments[..]);
            memory.fill(1);
            let read = iter.csum_and_copy_from_iter(&mut memory[to..][..len], &mut copied);
            assert_eq!((read, copied.folded()), (len, sum(source)));
            assert_eq!(&memory[to..][..len], source);
            assert_eq!(memory[to + len], 1);
        }
    }
}

#[test]
fn a_sum_carries_as_often_as_it_must() {
    // The borders of a word, in all orders: folding their sum carries at 32 and at 16 bits.
    let borders = [0x0000_u16, 0x0001, 0xfffe, 0xffff];
    for number in 0..256 {
        let words: [u16; 4] = core::array::from_fn(|place| borders[number >> (2 * place) & 3]);
        let bytes = words.map(u16::to_ne_bytes).concat();
        let mut summed = Checksum::new();
        summed.update(&bytes);
        assert_eq!(summed.folded(), sum(&bytes), "{words:x?}");
    }
}

/// Every place among `len` bytes, or some of them for an interpreter.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| !cfg!(miri) || *at < 2 || len - *at < 3 || at % 40 == 0)
}
