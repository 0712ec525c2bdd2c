//! Whole vectors do what the same operation does to their bytes in one `Vec<u8>`.

use iov_iter::iov::{Error, IoVector, View};
use iov_iter::{Dest, KVec, Piece, Source};

use super::flat::{Peel, cut, cut_mut, elements, flat, packed, peel, range, read};
use super::input::Input;
use super::transport::{Scripted, Step, expected};

/// Bytes of the memory that elements lie in.
const MEMORY: usize = 256;
/// A vector that has grown to so many bytes is emptied.
const LONG: usize = 4096;

fn script(input: &mut Input<'_>) -> Vec<Step> {
    input.list(24, |input| match input.below(64) {
        0 => Step::Block,
        1 => Step::Fail,
        2..8 => Step::Interrupt,
        most => Step::Move(most - 7),
    })
}

/// The elements that were chosen, and their bytes.
struct Chosen<'m> {
    memory: &'m [u8],
    places: Vec<(usize, usize)>,
    segments: Vec<KVec<'m, Source>>,
    bytes: Vec<u8>,
}

impl<'m> Chosen<'m> {
    fn new(memory: &'m [u8], input: &mut Input<'_>) -> Self {
        let places = input.list(41, |input| (input.below(220), input.below(36)));
        let (segments, bytes) = (elements(memory, &places), flat(memory, &places));
        Self { memory, places, segments, bytes }
    }

    fn view(&self) -> View<'_, Source> {
        View::new(&self.segments)
    }
}

pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut memory = [0; MEMORY];
    if input.below(2) == 0 {
        memory = std::array::from_fn(|at| at as u8);
    }
    for (at, value) in input.list(8, |input| (input.below(MEMORY), input.below(256))) {
        memory[at] = value as u8;
    }
    let chosen = Chosen::new(&memory, &mut input);
    let mut view = chosen.view();
    // What of the bytes is in view, and what can be undone.
    let (mut edges, mut tokens) = ((0, chosen.bytes.len()), Vec::new());
    let mut vector = IoVector::<Source, 4>::new();
    let mut gathered = Vec::new();
    let (mut space, mut space_model) = ([0xff; MEMORY], [0xff; MEMORY]);
    while !input.is_empty() {
        let what = input.byte();
        let bytes = &chosen.bytes[edges.0..edges.1];
        let number = input.up_to(bytes.len());
        match what % 16 {
            0 => peel(&mut view, &mut edges, &mut tokens, Peel::Front(number / 4)),
            1 => peel(&mut view, &mut edges, &mut tokens, Peel::Back(number / 4)),
            2 => peel(&mut view, &mut edges, &mut tokens, Peel::Undo(number)),
            3 => {
                let mut scope = view.scope();
                scope.discard_front(number);
                scope.discard_back(input.below(64));
            }
            4 => read_at(&view, bytes, number, input.up_to(bytes.len())),
            5 => parts(&view, bytes, number, input.up_to(bytes.len()), input.below(24)),
            6 => compare(&view, bytes, &mut input),
            7 => send(&chosen, &mut input),
            8 => layout(&chosen, &mut input),
            9 => extended(&view, bytes, &chosen, &mut input),
            10 => borrowed(&view, bytes, number, &chosen),
            11 => {
                if gathered.len() > LONG {
                    vector.clear().unwrap();
                    gathered.clear();
                }
                let Ok(part) = view.clip(number, input.up_to(bytes.len())) else { continue };
                assert_eq!(vector.concat(part), Ok(part.len()));
                gathered.extend(read(&part));
            }
            12 => {
                let (start, len) = (input.below(220), input.below(36));
                vector.try_push(KVec::from(&memory[start..start + len])).unwrap();
                gathered.extend(&memory[start..start + len]);
            }
            13 => {
                let (len, size) = (input.below(256), gathered.len());
                let left = size.checked_sub(len);
                let expected = left.ok_or(Error::RangeOutOfRange { offset: 0, len, size });
                assert_eq!(vector.discard_back(len), expected.map(|_| ()));
                gathered.truncate(left.unwrap_or(size));
            }
            14 => write(&mut space, &mut space_model, &mut input),
            _ => receive(&mut space, &mut space_model, &mut input),
        }
        assert_eq!(read(&view), chosen.bytes[edges.0..edges.1]);
        assert_eq!(vector.len(), gathered.len());
        assert_eq!(read(&vector.view()), gathered);
        assert_eq!(space, space_model);
    }
}

fn read_at(view: &View<'_, Source>, bytes: &[u8], offset: usize, len: usize) {
    let mut buffer = vec![0xee; len];
    let moved = view.read_at(offset, &mut buffer);
    let expected = range(bytes, offset, len);
    assert_eq!(moved, expected.map(<[u8]>::len));
    let (got, rest) = buffer.split_at(moved.unwrap_or(0));
    assert_eq!(got, expected.unwrap_or_default());
    assert!(rest.iter().all(|byte| *byte == 0xee));
}

/// Parts of the view, and the pieces of a part, as many of them as a list has room for.
fn parts(view: &View<'_, Source>, bytes: &[u8], offset: usize, len: usize, room: usize) {
    let size = bytes.len();
    let exact = bytes.get(offset..offset + len).map(<[u8]>::to_vec);
    let slice = view.slice(offset, len).map(|part| read(&part));
    assert_eq!(slice, exact.ok_or(Error::RangeOutOfRange { offset, len, size }));
    let (part, expected) = (view.clip(offset, len), range(bytes, offset, len));
    assert_eq!(part.map(|part| read(&part)), expected.map(<[u8]>::to_vec));
    let (Ok(part), Ok(expected)) = (part, expected) else { return };
    assert_eq!(part.is_zero(), expected.iter().all(|byte| *byte == 0));

    let mut list = heapless::Vec::<_, 20>::new();
    list.extend((0..room.min(20)).map(|_| Piece::<Source>::from(&[][..])));
    let known = list.len();
    let described = part.describe(&mut list).unwrap();
    let new = &list[known..];
    assert_eq!(described.pieces, new.len());
    assert_eq!(new.len(), part.segment_count().min(20 - known));
    // SAFETY: nothing writes the memory meanwhile.
    let pieces = new.iter().flat_map(|piece| unsafe { piece.as_slice() });
    assert!(new.iter().all(|piece| !piece.is_empty()));
    assert!(pieces.eq(&expected[..described.bytes]));
}

/// With the same bytes cut in another way, some of them changed, some at the end left out.
fn compare(view: &View<'_, Source>, bytes: &[u8], input: &mut Input<'_>) {
    let mut other = bytes.to_vec();
    for at in input.list(3, |input| input.up_to(bytes.len())) {
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 0x10;
        }
    }
    if input.below(4) == 0 {
        other.truncate(input.up_to(bytes.len()));
    }
    let mut left = other.len();
    let mut lengths = input.list(20, |input| {
        let len = input.below(36).min(left);
        left -= len;
        len
    });
    lengths.push(left);
    let difference = bytes.iter().zip(&other).position(|(one, other)| one != other);
    let shorter = (bytes.len() != other.len()).then_some(bytes.len().min(other.len()));
    let mismatch = difference.or(shorter);
    let segments = cut(&other, &lengths);
    let other = View::new(&segments);
    assert_eq!((view.mismatch(&other), other.mismatch(view)), (mismatch, mismatch));
    let same =
        view.pieces().map(|piece| piece.len()).eq(lengths.into_iter().filter(|len| *len > 0));
    match view.compare(&other) {
        Ok(found) => assert!(same && found == mismatch),
        Err(error) => assert!(!same && matches!(error, Error::StructureMismatch { .. })),
    }
}

/// Sends a range of the vector.
fn send(chosen: &Chosen<'_>, input: &mut Input<'_>) {
    let size = chosen.bytes.len();
    let offset = input.up_to(size).min(size);
    let len = input.up_to(size - offset).min(size - offset);
    let (script, limit) = (script(input), 1 + input.below(48));
    let lengths: Vec<_> = chosen.places.iter().map(|(_, len)| *len).collect();
    let mut transport = Scripted::new(&script);
    transport.limit = limit;
    let sent = chosen.view().slice(offset, len).unwrap().send(&mut transport);
    assert_eq!((sent.moved, sent.stop), expected(&script, &lengths, (offset, len), limit));
    assert_eq!(transport.data, &chosen.bytes[offset..offset + sent.moved]);
}

/// Writes through a copy of the vector's layout.
fn layout(chosen: &Chosen<'_>, input: &mut Input<'_>) {
    let (places, needed) = packed(&chosen.places);
    assert_eq!(chosen.view().footprint(), Ok(needed));
    let available = input.up_to(needed);
    let (mut space, mut model) = (vec![0; available], vec![0; available]);
    let buffer = KVec::from(&mut space[..]);
    let mut vector = IoVector::<Dest, 4>::new();
    let added = vector.add_layout_of(chosen.view(), &buffer);
    if available < needed {
        assert_eq!(added, Err(Error::BufferTooSmall { needed, available }));
        assert_eq!((vector.segment_count(), vector.len()), (0, 0));
        return;
    }
    assert_eq!((added, vector.len()), (Ok(needed), chosen.bytes.len()));
    // The order of the bytes, so that it shows which of two that overlap was written last.
    let data: Vec<u8> = (0..vector.len()).map(|at| at as u8).collect();
    assert_eq!(vector.view().write_at(0, &data), Ok(data.len()));
    drop(vector);
    let mut rest = &data[..];
    for (start, len) in places {
        let (now, after) = rest.split_at(len);
        model[start..start + len].copy_from_slice(now);
        rest = after;
    }
    assert_eq!(space, model);
}

/// A part of the view between two segments.
fn extended(view: &View<'_, Source>, bytes: &[u8], chosen: &Chosen<'_>, input: &mut Input<'_>) {
    let offset = input.up_to(bytes.len()).min(bytes.len());
    let middle = view.clip(offset, input.up_to(bytes.len())).unwrap();
    let (head, tail) = (&chosen.memory[..input.below(9)], &chosen.memory[100..][..input.below(9)]);
    let expected = [head, &bytes[offset..offset + middle.len()], tail].concat();
    let (head, tail) = (KVec::from(head), KVec::from(tail));
    let vector = IoVector::<Source, 4>::extended(&head, middle, &tail).unwrap();
    assert_eq!(vector.len(), expected.len());
    assert_eq!(read(&vector.view()), expected);
}

/// A vector that borrows its segments does not grow.
fn borrowed(view: &View<'_, Source>, bytes: &[u8], len: usize, chosen: &Chosen<'_>) {
    let mut vector = IoVector::<Source, 1>::borrowed(*view);
    let refused = vector.try_push(KVec::from(chosen.memory)).unwrap_err();
    assert_eq!((refused.error, refused.segment.len()), (Error::NotGrowable, MEMORY));
    assert_eq!(vector.concat(*view), Err(Error::NotGrowable));
    assert_eq!(vector.clear(), Err(Error::NotGrowable));
    let size = bytes.len();
    let left = size.checked_sub(len);
    let expected = left.map(|_| ()).ok_or(Error::RangeOutOfRange { offset: 0, len, size });
    assert_eq!(vector.discard_back(len), expected);
    assert_eq!(read(&vector.view()), bytes[..left.unwrap_or(size)]);
}

/// Lengths of consecutive elements that fit in the space, and a range of their bytes.
fn lengths(input: &mut Input<'_>) -> (Vec<usize>, usize, (usize, usize)) {
    let mut left = MEMORY;
    let lengths = input.list(41, |input| {
        let len = input.below(36).min(left);
        left -= len;
        len
    });
    let size = MEMORY - left;
    let offset = input.up_to(size).min(size);
    (lengths, size, (offset, input.up_to(size - offset).min(size - offset)))
}

/// Copies to, or fills, a part of a part of a vector.
fn write(space: &mut [u8], model: &mut [u8], input: &mut Input<'_>) {
    let (lengths, _, (start, size)) = lengths(input);
    let (offset, len) = (input.up_to(size), input.up_to(size));
    let data: Vec<u8> = (0..len).map(|at| at as u8 ^ 0x5a).collect();
    let segments = cut_mut(&mut space[..lengths.iter().sum()], &lengths);
    let view = View::new(&segments).slice(start, size).unwrap();
    let part = &mut model[start..start + size];
    let expected = range(part, offset, len).map(<[u8]>::len);
    let moved = expected.unwrap_or(0);
    let from = offset.min(size);
    let into = &mut part[from..from + moved];
    if input.below(2) == 0 {
        assert_eq!(view.write_at(offset, &data), expected);
        into.copy_from_slice(&data[..moved]);
    } else {
        let value = input.below(256) as u8;
        assert_eq!(view.fill_at(offset, value, len), expected);
        into.fill(value);
    }
}

/// Receives into a part of a vector.
fn receive(space: &mut [u8], model: &mut [u8], input: &mut Input<'_>) {
    let (lengths, size, (start, len)) = lengths(input);
    let (script, limit) = (script(input), 1 + input.below(48));
    let data: Vec<u8> = (0..len).map(|at| at as u8 ^ 0xa5).collect();
    let mut transport = Scripted::new(&script);
    transport.limit = limit;
    transport.data.extend(&data);
    let segments = cut_mut(&mut space[..size], &lengths);
    let view = View::new(&segments).slice(start, len).unwrap();
    let received = view.receive(&mut transport);
    let moved = received.moved;
    assert_eq!((moved, received.stop), expected(&script, &lengths, (start, len), limit));
    model[start..start + moved].copy_from_slice(&data[..moved]);
}
