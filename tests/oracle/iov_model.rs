//! Whole vectors against a flat model: the same bytes in one `Vec<u8>`.

use crate::flat::{Peel, cut, cut_mut, elements, flat, peel, range, read};
use iov_iter::iov::{Error, IoVector, View};
use iov_iter::{KVec, Source};
use proptest::prelude::*;

/// Lengths of 0 to 40 elements, empty ones anywhere.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let length = prop_oneof![1 => Just(0), 3 => 0_usize..20, 1 => 60_usize..90];
    prop::collection::vec(length, 0..=40)
}

/// Elements anywhere in a memory of 256 bytes, overlapping as they like.
fn overlapping() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0_usize..220, 0_usize..36), 0..=40)
}

/// A number from 0 to a little more than `most`.
fn up_to(fraction: f64, most: usize) -> usize {
    (fraction * (most + 3) as f64) as usize
}

fn memory() -> Vec<u8> {
    (0..=255).collect()
}

/// All that a view tells about itself, and what is built of it.
fn told(view: View<'_, Source>) -> String {
    let pieces = view.pieces();
    let mut described = heapless::Vec::<_, 20>::new();
    let list = view.describe(&mut described);
    let mut vector = IoVector::<Source, 30>::new();
    let appended = vector.concat(view);
    let space = [0; 256];
    let buffer = KVec::from(&space[..]);
    let mut copy = IoVector::<Source, 30>::new();
    let layout = copy.add_layout_of(view, &buffer);
    let counts = (view.segment_count(), view.as_piece().is_some(), pieces.size_hint());
    let built = (vector.segment_count(), vector.capacity(), copy.segment_count(), copy.capacity());
    format!(
        "{view:?} {pieces:?} {counts:?} {list:?} {described:?} {appended:?} {vector:?} {built:?} \
         {layout:?} {copy:?} {:?} {:?}",
        view.cursor(),
        view.footprint()
    )
}

const FRACTION: std::ops::RangeInclusive<f64> = 0.0..=1.0;

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    #[test]
    fn read_at(at in overlapping(), offset in FRACTION, len in FRACTION) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let (offset, len) = (up_to(offset, model.len()), up_to(len, model.len()));
        let mut buffer = vec![0xee; len];
        let moved = View::new(&segments).read_at(offset, &mut buffer);
        match range(&model, offset, len) {
            Ok(expected) => {
                prop_assert_eq!(moved, Ok(expected.len()));
                prop_assert_eq!(&buffer[..expected.len()], expected);
                prop_assert!(buffer[expected.len()..].iter().all(|byte| *byte == 0xee));
            }
            Err(error) => {
                prop_assert_eq!(moved, Err(error));
                prop_assert!(buffer.iter().all(|byte| *byte == 0xee));
            }
        }
    }

    #[test]
    fn from_buf_and_fill(lengths in lengths(), offset in FRACTION, len in FRACTION) {
        let size = lengths.iter().sum();
        let (offset, len) = (up_to(offset, size), up_to(len, size));
        let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let (mut model, mut real) = (vec![0xff; size], vec![0xff; size]);

        let expected = range(&model, offset, len).map(<[u8]>::len);
        if let Ok(len) = expected {
            model[offset..offset + len].copy_from_slice(&data[..len]);
        }
        let segments = cut_mut(&mut real, &lengths);
        prop_assert_eq!(View::new(&segments).write_at(offset, &data), expected);
        drop(segments);
        prop_assert_eq!(&real, &model);

        if let Ok(len) = expected {
            model[offset..offset + len].fill(0x5a);
        }
        let segments = cut_mut(&mut real, &lengths);
        prop_assert_eq!(View::new(&segments).fill_at(offset, 0x5a, len), expected);
        drop(segments);
        prop_assert_eq!(&real, &model);
    }

    #[test]
    fn parts(at in overlapping(), offset in FRACTION, len in FRACTION) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let (offset, len) = (up_to(offset, model.len()), up_to(len, model.len()));
        let view = View::new(&segments);
        prop_assert_eq!(view.len(), model.len());

        let size = model.len();
        let exact = model.get(offset..offset + len).ok_or(Error::RangeOutOfRange { offset, len, size });
        prop_assert_eq!(view.slice(offset, len).map(|part| read(&part)), exact.map(<[u8]>::to_vec));
        let clipped = range(&model, offset, len);
        let part = view.clip(offset, len);
        prop_assert_eq!(part.map(|part| read(&part)), clipped.map(<[u8]>::to_vec));

        if let (Ok(part), Ok(expected)) = (part, clipped) {
            let mut list = Vec::new();
            for piece in part.pieces() {
                prop_assert!(!piece.is_empty());
                // SAFETY: nothing writes the memory meanwhile.
                list.extend_from_slice(unsafe { piece.as_slice() });
            }
            prop_assert_eq!(&list[..], expected);

            // A list with little room holds a prefix, and says so.
            let mut list = heapless::Vec::<_, 20>::new();
            let described = part.describe(&mut list).unwrap();
            prop_assert_eq!(described.pieces, part.segment_count().min(20));
            let bytes: usize = list.iter().map(|piece| piece.len()).sum();
            prop_assert_eq!((described.pieces, described.bytes), (list.len(), bytes));
            let prefix: Vec<u8> =
                // SAFETY: as above.
                list.iter().flat_map(|piece| unsafe { piece.as_slice() }).copied().collect();
            prop_assert_eq!(&prefix[..], &expected[..bytes]);
        }
    }

    #[test]
    fn empty_segments_change_nothing(
        at in overlapping(),
        cuts in prop::collection::vec(FRACTION, 0..9),
        offset in FRACTION,
        len in FRACTION,
    ) {
        let memory = memory();
        let segments = elements(&memory, &at);
        let mut padded = segments.clone();
        for cut in cuts {
            padded.insert((cut * padded.len() as f64) as usize, KVec::from(&[][..]));
        }
        let (plain, padded) = (View::new(&segments), View::new(&padded));
        prop_assert_eq!(plain.compare(&padded), Ok(None));
        let size = plain.len();
        let (offset, len) = (up_to(offset, size).min(size), up_to(len, size));
        prop_assert_eq!(told(plain), told(padded));
        prop_assert_eq!(told(plain.clip(offset, len).unwrap()), told(padded.clip(offset, len).unwrap()));
        let peeled = [plain, padded].map(|mut view| {
            let undo = view.discard_front_undoable(offset);
            view.discard_back(len);
            let peeled = told(view);
            view.undo(undo).unwrap();
            (peeled, told(view))
        });
        prop_assert_eq!(&peeled[0], &peeled[1]);
    }

    #[test]
    fn compare(at in overlapping(), lengths in lengths(), flips in prop::collection::vec(FRACTION, 0..3)) {
        let memory = memory();
        let (segments, mut model) = (elements(&memory, &at), flat(&memory, &at));
        let view = View::new(&segments);
        for flip in flips {
            let at = up_to(flip, model.len());
            if let Some(byte) = model.get_mut(at) {
                *byte ^= 0x10;
            }
        }
        let original = read(&view);
        let expected = original.iter().zip(&model).position(|(one, other)| one != other);
        // The same bytes, cut in another way.
        let mut rest = &model[..];
        let mut others = vec![];
        for len in &lengths {
            let (segment, after) = rest.split_at((*len).min(rest.len()));
            others.push(KVec::from(segment));
            rest = after;
        }
        others.push(KVec::from(rest));
        let other = View::new(&others);
        prop_assert_eq!(view.mismatch(&other), expected);
        prop_assert_eq!(other.mismatch(&view), expected);
        let lengths = |view: &View<'_, Source>| view.pieces().map(|piece| piece.len()).collect::<Vec<_>>();
        prop_assert_eq!(view.compare(&other).is_ok(), lengths(&view) == lengths(&other));
    }

    #[test]
    fn is_zero(lengths in lengths(), set in prop::option::of(FRACTION), offset in FRACTION, len in FRACTION) {
        let size = lengths.iter().sum();
        let mut model = vec![0; size];
        if let Some(byte) = set.and_then(|set| model.get_mut(up_to(set, size))) {
            *byte = 1;
        }
        let segments = cut(&model, &lengths);
        let part = View::new(&segments).clip(up_to(offset, size), up_to(len, size));
        let expected = range(&model, up_to(offset, size), up_to(len, size));
        prop_assert_eq!(part.map(|part| part.is_zero()), expected.map(|bytes| bytes.iter().all(|byte| *byte == 0)));
    }

    #[test]
    fn hexdump(at in overlapping(), limit in FRACTION) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let limit = up_to(limit, model.len());
        let mut expected = String::new();
        for (line, bytes) in model[..limit.min(model.len())].chunks(16).enumerate() {
            let mut hex = String::new();
            for (at, byte) in bytes.iter().enumerate() {
                hex += if at % 4 == 0 { "  " } else { " " };
                hex += &format!("{byte:02x}");
            }
            let text: String =
                bytes.iter().map(|byte| if (32..127).contains(byte) { *byte as char } else { '.' }).collect();
            expected += &format!("x: {:04x}:{hex:<52} {text}\n", line * 16);
        }
        let mut real = String::new();
        View::new(&segments).hexdump(&mut real, "x", limit).unwrap();
        prop_assert_eq!(real, expected);
    }

    #[test]
    fn built_vectors(
        at in overlapping(),
        others in overlapping(),
        offset in FRACTION,
        len in FRACTION,
        back in FRACTION,
    ) {
        let memory = memory();
        let (segments, mut model) = (elements(&memory, &at), flat(&memory, &at));
        let (more, more_model) = (elements(&memory, &others), flat(&memory, &others));
        let mut vector = IoVector::<Source, 80>::new();
        for segment in &segments {
            vector.try_push(*segment).unwrap();
        }
        let count = at.iter().filter(|(_, len)| *len > 0).count();
        prop_assert_eq!((vector.segment_count(), vector.len()), (count, model.len()));

        let offset = (offset * more_model.len() as f64) as usize;
        let part = View::new(&more).clip(offset, up_to(len, more_model.len())).unwrap();
        let appended = range(&more_model, offset, up_to(len, more_model.len())).unwrap();
        prop_assert_eq!(vector.concat(part), Ok(appended.len()));
        model.extend(appended);
        prop_assert_eq!(read(&vector.view()), &model[..]);

        let back = up_to(back, model.len());
        let borrowed_model = model.clone();
        let keep = vector.view();
        let mut borrowed = IoVector::<Source, 1>::borrowed(keep);
        let size = model.len();
        let expected = size.checked_sub(back).ok_or(Error::RangeOutOfRange { offset: 0, len: back, size });
        prop_assert_eq!(borrowed.discard_back(back), expected.map(|_| ()));
        prop_assert_eq!(read(&borrowed.view()), &borrowed_model[..expected.unwrap_or(size)]);
        drop(borrowed);
        prop_assert_eq!(vector.discard_back(back), expected.map(|_| ()));
        model.truncate(expected.unwrap_or(size));
        prop_assert_eq!(read(&vector.view()), &model[..]);
        prop_assert_eq!(vector.len(), model.len());
        // What is added later follows the last byte.
        let tail = KVec::from(&memory[..9]);
        vector.try_push(tail).unwrap();
        model.extend(&memory[..9]);
        prop_assert_eq!(read(&vector.view()), model);
    }

    #[test]
    fn extended_vectors(at in overlapping(), head in 0_usize..9, tail in 0_usize..9, offset in FRACTION, len in FRACTION) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let offset = (offset * model.len() as f64) as usize;
        let len = (len * (model.len() - offset) as f64) as usize;
        let middle = View::new(&segments).slice(offset, len).unwrap();
        let (head, tail) = (&memory[..head], &memory[100..100 + tail]);
        let (head_segment, tail_segment) = (KVec::from(head), KVec::from(tail));
        let vector = IoVector::<Source, 42>::extended(&head_segment, middle, &tail_segment).unwrap();
        let expected = [head, &model[offset..offset + len], tail].concat();
        prop_assert_eq!(vector.len(), expected.len());
        prop_assert_eq!(read(&vector.view()), expected);
    }
}

fn peels() -> impl Strategy<Value = Vec<Peel>> {
    let peel = prop_oneof![
        (0_usize..40).prop_map(Peel::Front),
        (0_usize..40).prop_map(Peel::Back),
        (0_usize..9).prop_map(Peel::Undo),
    ];
    prop::collection::vec(peel, 0..24)
}

proptest! {
    #![proptest_config(crate::cases::cases(512))]

    #[test]
    fn no_order_of_discards_and_undos_changes_the_vector(
        at in overlapping(),
        peels in peels(),
        order in prop::collection::vec(0_usize..24, 24),
    ) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let mut view = View::new(&segments);
        let mut edges = (0, model.len());
        let mut tokens = vec![];
        for what in peels {
            peel(&mut view, &mut edges, &mut tokens, what);
            prop_assert_eq!(read(&view), &model[edges.0..edges.1]);
        }
        // Whatever is still discarded comes back, in any order.
        for number in order {
            peel(&mut view, &mut edges, &mut tokens, Peel::Undo(number));
            prop_assert_eq!(read(&view), &model[edges.0..edges.1]);
        }
        prop_assert!(tokens.is_empty());
        prop_assert_eq!(read(&view), model);
        // The segments were never touched.
        for (segment, (start, len)) in segments.iter().zip(&at) {
            prop_assert_eq!((segment.as_ptr(), segment.len()), (memory[*start..].as_ptr(), *len));
        }
    }

    #[test]
    fn scopes_restore_the_view(at in overlapping(), outer in peels(), inner in peels()) {
        let memory = memory();
        let (segments, model) = (elements(&memory, &at), flat(&memory, &at));
        let mut view = View::new(&segments);
        {
            let mut scope = view.scope();
            let mut edges = (0, model.len());
            let mut tokens = vec![];
            for what in outer {
                peel(&mut scope, &mut edges, &mut tokens, what);
            }
            {
                let mut nested = scope.scope();
                let mut tokens = vec![];
                let mut edges = edges;
                for what in inner {
                    peel(&mut nested, &mut edges, &mut tokens, what);
                    prop_assert_eq!(read(&nested), &model[edges.0..edges.1]);
                }
            }
            prop_assert_eq!(read(&scope), &model[edges.0..edges.1]);
        }
        prop_assert_eq!(read(&view), model);
    }

    #[test]
    fn discards_add_up(at in overlapping(), first in 0_usize..200, second in 0_usize..200) {
        let memory = memory();
        let segments = elements(&memory, &at);
        let (mut twice, mut once) = (View::new(&segments), View::new(&segments));
        let sum = twice.discard_front(first) + twice.discard_front(second);
        prop_assert_eq!(once.discard_front(first + second), sum);
        prop_assert_eq!(twice.compare(&once), Ok(None));
        let sum = twice.discard_back(first) + twice.discard_back(second);
        prop_assert_eq!(once.discard_back(first + second), sum);
        prop_assert_eq!(twice.compare(&once), Ok(None));
    }
}
