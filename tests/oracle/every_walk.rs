//! Every walk there is over lists of up to four segments, of up to three bytes each.

use iov_iter::{Cursor, KVec, Position, SegmentRange, Source};

const SEGMENTS: u32 = if cfg!(miri) { 2 } else { 4 };
const MEMORY: [u8; 8] = [0; 8];

/// Every list of so many segments of 0 to 3 bytes.
fn lists() -> impl Iterator<Item = Vec<KVec<'static, Source>>> {
    (0..=SEGMENTS).flat_map(|count| {
        (0..4_usize.pow(count)).map(move |number| {
            let len = |segment| number / 4_usize.pow(segment) % 4;
            (0..count).map(|segment| KVec::from(&MEMORY[..len(segment)])).collect()
        })
    })
}

/// Where each byte of a list lies.
fn places(segments: &[KVec<'_, Source>]) -> Vec<Position> {
    let of = |(index, segment): (usize, &KVec<'_, Source>)| {
        (0..segment.len()).map(move |offset| Position::new(index, offset))
    };
    segments.iter().enumerate().flat_map(of).collect()
}

/// Walks up to `n` bytes from `cursor` on, which is at byte `from`, with a step that stops after
/// `stop`, and says `whole` of a piece that it handled to its end. Returns the bytes handled.
fn walk(
    cursor: &mut Cursor<&[KVec<'static, Source>]>,
    from: usize,
    (n, stop): (usize, usize),
    whole: fn(usize) -> usize,
) -> usize {
    let segments = cursor.list();
    let bytes = places(segments);
    let (mut seen, wanted) = (0, n.min(cursor.remaining()));
    cursor.walk(n, |SegmentRange { segment, offset, len, .. }, progress| {
        assert_eq!(progress, seen);
        assert_ne!(len, 0);
        let place = bytes[from + seen];
        assert!(core::ptr::eq(segment, &segments[place.index]));
        assert_eq!(offset, place.offset);
        assert!(seen + len <= wanted);
        assert_eq!(bytes[from + seen + len - 1].index, place.index);
        let handled = len.min(stop - seen);
        seen += handled;
        if handled == len { whole(len) } else { handled }
    })
}

/// All that can be done from byte `start` on, with the last `cut` bytes hidden.
fn walks(segments: &[KVec<'static, Source>], start: usize, cut: usize) {
    let bytes = places(segments);
    let left = bytes.len() - start - cut;
    let mut cursor = Cursor::new(segments);
    assert_eq!(walk(&mut cursor, 0, (start, start), |len| len), start);
    cursor.truncate(left as u64);
    for (n, stop) in (0..=left + 1).flat_map(|n| (0..=n.min(left)).map(move |stop| (n, stop))) {
        for whole in [|len| len, |_| usize::MAX] {
            let mut cursor = cursor;
            let handled = walk(&mut cursor, start, (n, stop), whole);
            assert_eq!((handled, cursor.remaining()), (stop, left - stop));

            // Perhaps before segments without bytes, but never past the end of one.
            let at = cursor.position();
            assert!(at.offset == 0 || at.offset < segments[at.index].len());
            let next =
                bytes.iter().position(|place| (place.index, place.offset) >= (at.index, at.offset));
            assert_eq!(next.unwrap_or(bytes.len()), start + stop);

            cursor.revert(start + stop).unwrap();
            assert_eq!(cursor.remaining(), start + left);
        }
    }
}

#[test]
fn every_walk_handles_what_it_says() {
    for segments in lists() {
        let total = places(&segments).len();
        for start in 0..=total {
            (0..=total - start).for_each(|cut| walks(&segments, start, cut));
        }
    }
}
