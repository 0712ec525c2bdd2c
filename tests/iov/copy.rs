//! Bytes in and out of a vector, and descriptors of its parts: the worked examples over
//! V = [A4, B0, C6, D2], whose byte at position p is p.

use iov_iter::iov::{Described, Error, IoVector, View};
use iov_iter::{Dest, InlineVec, KVec, Piece, Source};

/// The memory of V, and its elements.
struct V([u8; 4], [u8; 0], [u8; 6], [u8; 2]);

impl V {
    fn new() -> Self {
        V([0, 1, 2, 3], [], [4, 5, 6, 7, 8, 9], [10, 11])
    }

    fn source(&self) -> [KVec<'_, Source>; 4] {
        [&self.0[..], &self.1[..], &self.2[..], &self.3[..]].map(KVec::from)
    }

    fn dest(&mut self) -> [KVec<'_, Dest>; 4] {
        [&mut self.0[..], &mut self.1[..], &mut self.2[..], &mut self.3[..]].map(KVec::from)
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.0[..], &self.2[..], &self.3[..]].concat()
    }
}

/// What `read_at` gives, in a buffer whose other bytes stay 0xee.
fn read_at(offset: usize, len: usize) -> Result<Vec<u8>, Error> {
    let v = V::new();
    let segments = v.source();
    let mut buffer = vec![0xee; len];
    let moved = View::new(&segments).read_at(offset, &mut buffer)?;
    assert!(buffer.split_off(moved).iter().all(|byte| *byte == 0xee));
    Ok(buffer)
}

#[test]
fn to_buf_reads_across_elements() {
    assert_eq!(read_at(3, 5).unwrap(), [3, 4, 5, 6, 7]);
    assert_eq!(read_at(4, 6).unwrap(), [4, 5, 6, 7, 8, 9]);
    assert_eq!(read_at(10, 100).unwrap(), [10, 11]);
    assert_eq!(read_at(0, 12).unwrap(), (0..12).collect::<Vec<u8>>());
}

#[test]
fn to_buf_of_nothing_is_nothing() {
    for (offset, len) in [(12, 0), (12, 5), (5, 0), (0, 0)] {
        assert_eq!(read_at(offset, len).unwrap(), [], "offset {offset}");
    }
}

#[test]
fn to_buf_behind_the_end_is_refused_where_c_aborts() {
    for len in [0, 5] {
        assert_eq!(read_at(13, len), Err(Error::OffsetOutOfRange { offset: 13, size: 12 }));
    }
    let empty = View::<Source>::new(&[]);
    assert_eq!(empty.read_at(0, &mut [0; 5]), Ok(0));
    assert_eq!(empty.read_at(1, &mut []), Err(Error::OffsetOutOfRange { offset: 1, size: 0 }));
    assert_eq!(
        empty.read_at(usize::MAX, &mut [0; 5]),
        Err(Error::OffsetOutOfRange { offset: usize::MAX, size: 0 })
    );
}

#[test]
fn from_buf_writes_across_elements() {
    let mut v = V::new();
    let data = [100, 101, 102, 103, 104];
    assert_eq!(View::new(&v.dest()).write_at(3, &data), Ok(5));
    assert_eq!((v.0[3], &v.2[..4], v.2[4]), (100, &[101, 102, 103, 104][..], 8));
}

#[test]
fn from_buf_is_cut_at_the_end() {
    let mut v = V::new();
    assert_eq!(View::new(&v.dest()).write_at(11, &[100, 101, 102, 103, 104]), Ok(1));
    assert_eq!(v.3, [10, 100]);
    assert_eq!(View::new(&v.dest()).write_at(12, &[1]), Ok(0));
    assert_eq!(
        View::new(&v.dest()).write_at(13, &[]),
        Err(Error::OffsetOutOfRange { offset: 13, size: 12 })
    );
}

#[test]
fn fill_sets_a_range() {
    let mut v = V::new();
    // C's 0x1ff is cut to its low eight bits.
    assert_eq!(View::new(&v.dest()).fill_at(2, 0x1ff_u16 as u8, 4), Ok(4));
    assert_eq!(v.bytes(), [0, 1, 255, 255, 255, 255, 6, 7, 8, 9, 10, 11]);
    assert_eq!(View::new(&v.dest()).fill_at(12, 1, 9), Ok(0));
    assert_eq!(
        View::new(&v.dest()).fill_at(13, 0, 0),
        Err(Error::OffsetOutOfRange { offset: 13, size: 12 })
    );
    assert_eq!(View::new(&v.dest()).fill_at(0, 7, usize::MAX), Ok(12));
    assert_eq!(v.bytes(), [7; 12]);
}

#[test]
fn a_destination_may_be_uninitialised() {
    let mut memory = [std::mem::MaybeUninit::<u8>::uninit(); 6];
    {
        let (front, back) = memory.split_at_mut(2);
        let segments = [KVec::from(front), KVec::from(back)];
        let view = View::new(&segments);
        assert_eq!((view.fill_at(0, 9, 3), view.write_at(3, b"abc")), (Ok(3), Ok(3)));
    }
    // SAFETY: all six bytes were written.
    let bytes = memory.map(|byte| unsafe { byte.assume_init() });
    assert_eq!(&bytes, b"\x09\x09\x09abc");
}

#[test]
fn the_length_is_the_sum_of_the_segments() {
    let v = V::new();
    assert_eq!(View::new(&v.source()).len(), 12);
    assert_eq!(View::<Source>::new(&[]).len(), 0);
    assert!(View::<Dest>::default().is_empty());
    let nothing = [KVec::from(&[][..]); 3];
    assert_eq!(View::new(&nothing).len(), 0);
}

/// A segment whose length is tested, and whose memory is never touched.
fn huge() -> KVec<'static, Source> {
    // SAFETY: none for the memory; only the length is used.
    unsafe { KVec::from_raw_parts(std::ptr::null_mut(), isize::MAX as usize) }
}

#[test]
fn a_size_that_wraps_in_c_is_the_largest_and_no_vector_takes_it() {
    let half = isize::MAX as usize;
    let one = KVec::from(&[0][..]);
    let most = [huge(), huge(), one];
    assert_eq!(View::new(&most).len(), usize::MAX);
    let all = [huge(), huge(), one, one];
    assert_eq!(View::new(&all).len(), usize::MAX);
    let concat = |all| IoVector::<Source>::new().concat(View::new(all));
    assert_eq!(concat(&all), Err(Error::LengthOverflow { size: usize::MAX, added: 1 }));
    let more = [huge(), huge(), huge()];
    assert_eq!(concat(&more), Err(Error::LengthOverflow { size: usize::MAX - 1, added: half }));
}

/// Where each piece starts, as position in V, and its length; and the bytes described.
fn describe<const ROOM: usize>(
    offset: usize,
    len: usize,
) -> Result<(Vec<(u8, usize)>, usize), Error> {
    let v = V::new();
    let segments = v.source();
    let mut list = heapless_list::<ROOM>();
    let described = View::new(&segments).clip(offset, len)?.describe(&mut list)?;
    assert_eq!(described.pieces, list.len());
    // SAFETY: nothing writes V meanwhile.
    let found = list.iter().map(|piece| (unsafe { piece.as_slice() }[0], piece.len())).collect();
    Ok((found, described.bytes))
}

fn heapless_list<'p, const ROOM: usize>() -> heapless::Vec<iov_iter::Piece<'p, Source>, ROOM> {
    heapless::Vec::new()
}

#[test]
fn describe_lists_the_pieces_of_a_range() {
    let (a, c, d) = (0, 4, 10);
    assert_eq!(describe::<8>(0, 12).unwrap(), (vec![(a, 4), (c, 6), (d, 2)], 12));
    assert_eq!(describe::<8>(3, 5).unwrap(), (vec![(a + 3, 1), (c, 4)], 5));
    assert_eq!(describe::<8>(4, 6).unwrap(), (vec![(c, 6)], 6));
    assert_eq!(describe::<8>(10, 100).unwrap(), (vec![(d, 2)], 2));
}

#[test]
fn describe_tells_what_a_full_list_lost() {
    assert_eq!(describe::<2>(0, 12).unwrap(), (vec![(0, 4), (4, 6)], 10));
    assert_eq!(describe::<1>(3, 5).unwrap(), (vec![(3, 1)], 1));
    assert_eq!(describe::<0>(3, 1).unwrap(), (vec![], 0));
}

#[test]
fn describe_of_nothing_lists_nothing() {
    // C yields one element without bytes for the first of these.
    for (offset, len) in [(5, 0), (4, 0), (0, 0), (12, 0), (12, 7)] {
        assert_eq!(describe::<8>(offset, len).unwrap(), (vec![], 0), "offset {offset}");
    }
    for len in [0, 1] {
        let refused = Err(Error::OffsetOutOfRange { offset: 13, size: 12 });
        assert_eq!(describe::<8>(13, len), refused);
    }
}

/// The pieces and bytes described.
fn described(described: Result<Described, Error>) -> Result<(usize, usize), Error> {
    described.map(|described| (described.pieces, described.bytes))
}

#[test]
fn describe_appends_to_any_list() {
    let v = V::new();
    let segments = v.source();
    let view = View::new(&segments);
    let mut list = InlineVec::<_, 4>::new();
    assert_eq!(described(view.describe(&mut list)), Ok((3, 12)));
    let second = view.slice(11, 1).unwrap().describe(&mut list);
    assert_eq!(described(second), Ok((1, 1)));
    assert_eq!(list.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [4, 6, 2, 1]);
}

#[test]
fn a_slice_has_the_pieces_that_hold_bytes() {
    let v = V::new();
    let segments = v.source();
    let view = View::new(&segments);
    // C counts B, which has no bytes, and one element for no bytes within an element: here neither
    // is a piece. In C these are 3, 2, 4, 1, 2, 1, 2, 1, 0, 0, 0, 1.
    let rows = [
        ((3, 5), 2),
        ((4, 6), 1),
        ((0, 12), 3),
        ((0, 4), 1),
        ((4, 1), 1),
        ((9, 1), 1),
        ((9, 2), 2),
        ((10, 2), 1),
        ((0, 0), 0),
        ((4, 0), 0),
        ((12, 0), 0),
        ((5, 0), 0),
    ];
    for ((offset, len), pieces) in rows {
        let slice = view.slice(offset, len).unwrap();
        assert_eq!((slice.segment_count(), slice.len()), (pieces, len), "({offset}, {len})");
    }
    for (offset, len) in [(12, 1), (13, 0), (8, 5), (4, usize::MAX - 3), (usize::MAX, usize::MAX)] {
        let refused = view.slice(offset, len).unwrap_err();
        assert_eq!(refused, Error::RangeOutOfRange { offset, len, size: 12 });
    }
}

#[test]
fn a_view_within_one_segment_is_a_piece() {
    let v = V::new();
    let segments = v.source();
    let view = View::new(&segments);
    assert!(view.as_piece().is_none());
    let piece = view.slice(4, 6).unwrap().as_piece().unwrap();
    assert_eq!((piece.as_ptr(), piece.len()), (v.2.as_ptr(), 6));
    assert!(view.slice(3, 2).unwrap().as_piece().is_none());
    assert!(view.slice(3, 0).unwrap().as_piece().is_none());
}

#[test]
fn a_cursor_takes_over_from_a_view() {
    let v = V::new();
    let segments = v.source();
    let mut cursor = View::new(&segments).slice(3, 5).unwrap().cursor();
    let mut lengths = vec![];
    cursor.walk(usize::MAX, |range, _| {
        lengths.push(range.len);
        range.len
    });
    assert_eq!(lengths, [1, 4]);
}

#[test]
fn exact_reads_and_writes_move_all_or_nothing() {
    let mut v = V::new();
    let whole = v.bytes();
    for offset in 0..=13 {
        for len in 0..=13 {
            let fits = offset + len <= 12;
            let refused = Err(Error::RangeOutOfRange { offset, len, size: 12 });
            let segments = v.source();
            let mut buffer = vec![0xee; len];
            let read = View::new(&segments).read_exact_at(offset, &mut buffer);
            assert_eq!(read, if fits { Ok(()) } else { refused });
            match fits {
                true => assert_eq!(buffer, whole[offset..offset + len]),
                false => assert_eq!(buffer, vec![0xee; len]),
            }

            let segments = v.dest();
            let written = View::new(&segments).write_all_at(offset, &vec![0xdd; len]);
            assert_eq!(written, if fits { Ok(()) } else { refused });
            let mut expected = whole.clone();
            if fits {
                expected[offset..offset + len].fill(0xdd);
            }
            assert_eq!(v.bytes(), expected, "{len} at {offset}");
            v = V::new();
        }
    }
}

#[test]
fn a_range_that_wraps_is_out_of_range() {
    let mut v = V::new();
    let segments = v.source();
    let view = View::new(&segments);
    let refused = Error::RangeOutOfRange { offset: usize::MAX, len: 4, size: 12 };
    assert_eq!(view.read_exact_at(usize::MAX, &mut [0; 4]), Err(refused));
    let mut space = [0; 4];
    let piece = Piece::<Dest>::from(&mut space[..]);
    let refused_offset = Error::OffsetOutOfRange { offset: usize::MAX, size: 12 };
    assert_eq!(view.read_piece_at(usize::MAX, piece), Err(refused_offset));
    let segments = v.dest();
    let view = View::new(&segments);
    assert_eq!(view.write_all_at(usize::MAX, &[0; 4]), Err(refused));
    let piece = Piece::<Source>::from(&space[..]);
    assert_eq!(view.write_piece_at(usize::MAX, piece), Err(refused_offset));
    assert_eq!(v.bytes(), V::new().bytes());
}

#[test]
fn pieces_are_read_and_written_like_slices() {
    for (offset, len) in [(0, 12), (3, 5), (3, 0), (4, 6), (10, 100), (12, 1)] {
        let mut v = V::new();
        let segments = v.source();
        let mut buffer = vec![0xee; len];
        let piece = Piece::<Dest>::from(&mut buffer[..]);
        let moved = View::new(&segments).read_piece_at(offset, piece).unwrap();
        assert_eq!(buffer[..moved], read_at(offset, len).unwrap());
        assert!(buffer[moved..].iter().all(|byte| *byte == 0xee));

        let mut other = V::new();
        let (bytes, segments) = (vec![0xdd; len], v.dest());
        let piece = Piece::<Source>::from(&bytes[..]);
        let view = View::new(&segments);
        let others = other.dest();
        assert_eq!(view.write_piece_at(offset, piece), View::new(&others).write_at(offset, &bytes));
        assert_eq!(v.bytes(), other.bytes());
    }
}

#[test]
fn the_front_of_whole_blocks_has_no_more_pieces_than_asked() {
    let v = V::new();
    let segments = v.source();
    let view = View::new(&segments);
    for offset in 0..=12 {
        let view = view.clip(offset, 12).unwrap();
        let lengths: Vec<usize> = view.pieces().map(|piece| piece.len()).collect();
        for max in 0..5 {
            let there: usize = lengths.iter().take(max).sum();
            for block in 0..=13 {
                let front = view.whole_blocks(max, block);
                assert_eq!(front.len(), there - there % block.max(1), "{max}, {block}");
                assert!(front.segment_count() <= max);
                let mut left = view;
                left.discard_front(front.len());
                assert_eq!(left.len(), view.len() - front.len());
            }
        }
        assert_eq!(view.whole_blocks(usize::MAX, usize::MAX).len(), 0);
    }
}
