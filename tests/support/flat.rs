//! Vectors of a memory, and their flat model: the same bytes one after the other.
#![allow(dead_code, reason = "no test needs all of it")]

use iov_iter::iov::{Error, Undo, View};
use iov_iter::{Dest, KVec, Source};

/// Consecutive elements of these lengths.
pub fn cut<'m>(mut rest: &'m [u8], lengths: &[usize]) -> Vec<KVec<'m, Source>> {
    let mut element = |len: &usize| {
        let (element, after) = rest.split_at(*len);
        rest = after;
        KVec::from(element)
    };
    lengths.iter().map(&mut element).collect()
}

/// Consecutive elements of these lengths, to be written.
pub fn cut_mut<'m>(mut rest: &'m mut [u8], lengths: &[usize]) -> Vec<KVec<'m, Dest>> {
    let mut element = |len: &usize| {
        let (element, after) = std::mem::take(&mut rest).split_at_mut(*len);
        rest = after;
        KVec::from(element)
    };
    lengths.iter().map(&mut element).collect()
}

/// Elements at these places (start, length) of one memory; they may overlap.
pub fn elements<'m>(memory: &'m [u8], places: &[(usize, usize)]) -> Vec<KVec<'m, Source>> {
    places.iter().map(|(start, len)| KVec::from(&memory[*start..start + len])).collect()
}

/// The bytes of such elements.
pub fn flat(memory: &[u8], at: &[(usize, usize)]) -> Vec<u8> {
    at.iter().flat_map(|(start, len)| &memory[*start..start + len]).copied().collect()
}

/// What the model has from `offset` on, at most `len` bytes.
pub fn range(model: &[u8], offset: usize, len: usize) -> Result<&[u8], Error> {
    let size = model.len();
    let rest = model.get(offset..).ok_or(Error::OffsetOutOfRange { offset, size })?;
    Ok(&rest[..len.min(rest.len())])
}

/// All bytes in view.
pub fn read(view: &View<'_, Source>) -> Vec<u8> {
    let mut bytes = vec![0; view.len()];
    assert_eq!(view.read_at(0, &mut bytes), Ok(view.len()));
    bytes
}

/// Where such elements lie when the gaps between them are closed, those without bytes left out, and
/// how many bytes that takes.
pub fn packed(places: &[(usize, usize)]) -> (Vec<(usize, usize)>, usize) {
    let end = places.iter().map(|(start, len)| start + len).max().unwrap_or(0);
    let mut covered = vec![false; end];
    for (start, len) in places {
        covered[*start..start + len].fill(true);
    }
    let below = |address| covered[..address].iter().filter(|covered| **covered).count();
    let full = places.iter().filter(|(_, len)| *len > 0);
    (full.map(|(start, len)| (below(*start), *len)).collect(), below(end))
}

/// Something done to a view that is peeled.
#[derive(Clone, Copy, Debug)]
pub enum Peel {
    Front(usize),
    Back(usize),
    /// Undo with the token of this number, counted around.
    Undo(usize),
}

/// Does it, on the view and on the edges of the flat model.
pub fn peel<'v>(
    view: &mut View<'v, Source>,
    edges: &mut (usize, usize),
    tokens: &mut Vec<(Undo<'v, Source>, (usize, usize))>,
    what: Peel,
) {
    let before = *edges;
    let size = edges.1 - edges.0;
    match what {
        Peel::Front(bytes) => {
            tokens.push((view.discard_front_undoable(bytes), before));
            edges.0 += bytes.min(size);
        }
        Peel::Back(bytes) => {
            tokens.push((view.discard_back_undoable(bytes), before));
            edges.1 -= bytes.min(size);
        }
        Peel::Undo(_) if tokens.is_empty() => {}
        Peel::Undo(number) => {
            let (token, old) = tokens.remove(number % tokens.len());
            view.undo(token).unwrap();
            *edges = (edges.0.min(old.0), edges.1.max(old.1));
        }
    }
}
