//! Discards move the edges of a view, and undoing them, in any order, moves the edges back.

use arbitrary::{Arbitrary, Unstructured};
use iov_iter::Source;
use iov_iter::iov::{Error, Undo, View};

use super::flat::{elements, flat, read};

/// Bytes of the memory that elements lie in.
const MEMORY: usize = 256;

#[derive(Arbitrary, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where each element starts, and its length.
    pub places: Vec<(u8, u8)>,
    pub ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Front(u8),
    Back(u8),
    UndoableFront(u8),
    UndoableBack(u8),
    /// With the token of this number, counted around.
    Undo(u8),
    /// With a token of another vector with the same bytes.
    UndoForeign(u8),
    /// Goes on with a part of the view; where that is out of range, with all of it.
    Slice(u8, u8),
    /// What follows happens in a scope, ...
    Scope,
    /// ... to its end: whether what happened is kept.
    End(bool),
}

/// First byte in view and the first one after it.
type Edges = (usize, usize);

struct Model<'v> {
    memory: &'v [u8],
    places: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    foreign: View<'v, Source>,
    edges: Edges,
    /// Tokens, and the edges before the discard.
    tokens: Vec<(Undo<'v, Source>, Edges)>,
    ops: std::vec::IntoIter<Op>,
}

/// The edges of a view that is widened to what is in either.
fn hull(one: Edges, other: Edges) -> Edges {
    (one.0.min(other.0), one.1.max(other.1))
}

impl<'v> Model<'v> {
    fn size(&self) -> usize {
        self.edges.1 - self.edges.0
    }

    /// Operations up to the end of this scope; whether they are kept.
    fn run(&mut self, view: &mut View<'v, Source>, in_scope: bool) -> bool {
        self.compare(view);
        while let Some(op) = self.ops.next() {
            if let (Op::End(keep), true) = (op, in_scope) {
                return keep;
            }
            self.apply(view, op);
            self.compare(view);
        }
        false
    }

    fn apply(&mut self, view: &mut View<'v, Source>, op: Op) {
        let (before, size) = (self.edges, self.size());
        match op {
            Op::Front(len) => {
                let len = usize::from(len);
                assert_eq!(view.discard_front(len), len.min(size));
                self.edges.0 += len.min(size);
            }
            Op::Back(len) => {
                let len = usize::from(len);
                assert_eq!(view.discard_back(len), len.min(size));
                self.edges.1 -= len.min(size);
            }
            Op::UndoableFront(len) => {
                let token = view.discard_front_undoable(len.into());
                assert_eq!(token.discarded(), size.min(len.into()));
                self.edges.0 += token.discarded();
                self.tokens.push((token, before));
            }
            Op::UndoableBack(len) => {
                let token = view.discard_back_undoable(len.into());
                assert_eq!(token.discarded(), size.min(len.into()));
                self.edges.1 -= token.discarded();
                self.tokens.push((token, before));
            }
            Op::Undo(number) => {
                if let Some(number) = usize::from(number).checked_rem(self.tokens.len()) {
                    self.undo(view, number);
                }
            }
            Op::UndoForeign(len) => {
                let token = self.foreign.clone().discard_front_undoable(len.into());
                // All lists without elements are the same one.
                let same = self.places.is_empty();
                let expected = if same { Ok(()) } else { Err(Error::ForeignUndo) };
                assert_eq!(view.undo(token), expected);
            }
            Op::Slice(offset, len) => {
                let (offset, len) = (usize::from(offset), usize::from(len));
                match view.slice(offset, len) {
                    Ok(part) => {
                        *view = part;
                        self.edges = (before.0 + offset, before.0 + offset + len);
                        assert!(self.edges.1 <= before.1);
                    }
                    Err(error) => {
                        assert_eq!(error, Error::RangeOutOfRange { offset, len, size });
                        assert!(offset + len > size);
                    }
                }
            }
            Op::Scope => {
                let mut scope = view.scope();
                if self.run(&mut scope, true) {
                    scope.keep();
                } else {
                    drop(scope);
                    self.edges = before;
                }
            }
            Op::End(_) => {}
        }
    }

    fn undo(&mut self, view: &mut View<'v, Source>, number: usize) {
        let (token, before) = self.tokens.remove(number);
        view.undo(token).unwrap();
        self.edges = hull(self.edges, before);
    }

    fn compare(&self, view: &View<'v, Source>) {
        assert_eq!((view.len(), view.is_empty()), (self.size(), self.size() == 0));
        assert_eq!(read(view), self.bytes[self.edges.0..self.edges.1]);
        // Where the bytes in view lie: of each element the part between the edges.
        let mut end = 0;
        let parts = self.places.iter().filter_map(|(start, len)| {
            end += len;
            let first = end - len;
            let (from, to) = (self.edges.0.max(first), self.edges.1.min(end));
            (from < to).then(|| (self.memory.as_ptr().addr() + start + from - first, to - from))
        });
        let parts: Vec<_> = parts.collect();
        let pieces = view.pieces().map(|piece| (piece.as_ptr().addr(), piece.len()));
        assert!(pieces.eq(parts.iter().copied()));
        assert_eq!(view.segment_count(), parts.len());
        assert_eq!(view.as_piece().is_some(), parts.len() == 1);
    }
}

pub fn check(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let memory: [u8; MEMORY] = std::array::from_fn(|at| at as u8);
    let place = |(start, len)| (usize::from(start) % 220, usize::from(len) % 36);
    let places: Vec<_> = input.places.into_iter().take(40).map(place).collect();
    let (segments, others) = (elements(&memory, &places), elements(&memory, &places));
    let bytes = flat(&memory, &places);
    let mut view = View::new(&segments);
    let mut model = Model {
        memory: &memory,
        foreign: View::new(&others),
        edges: (0, bytes.len()),
        tokens: Vec::new(),
        ops: input.ops.into_iter(),
        places,
        bytes,
    };
    model.run(&mut view, false);
    while !model.tokens.is_empty() {
        model.undo(&mut view, 0);
        model.compare(&view);
    }
}
