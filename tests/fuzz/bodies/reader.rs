//! Of any bytes, however they arrive, a file gives what stands there, and says where they end.

use super::file_model::reading::{self, Get};
use super::input::Input;

/// More than two buffers of a file.
const LONG: usize = if cfg!(miri) { 2000 } else { 70_000 };

/// Where a channel fails, if it does.
pub fn fails_at(input: &mut Input<'_>) -> Option<usize> {
    (input.below(4) == 0).then(|| input.word())
}

/// A length: mostly below 256, and the longer the rarer.
pub fn len(input: &mut Input<'_>) -> usize {
    let len = match input.byte() {
        bits @ 0..32 => input.word() >> (bits / 4),
        32..34 => 32700 + input.below(256),
        _ => return input.below(256),
    };
    input.affordable(len)
}

/// The size of a portion. Large ones make a run shorter.
fn portion(input: &mut Input<'_>) -> usize {
    input.allow(usize::MAX);
    len(input)
}

/// Portions of a channel, at least one of which moves data.
pub fn portions(input: &mut Input<'_>) -> Vec<Option<usize>> {
    let mut portions = input.list(8, |input| match input.below(4) {
        0 => None,
        _ => Some(portion(input).max(1)),
    });
    // No cycle is so short of data that a run takes long.
    portions.push(Some(3000));
    portions
}

pub fn get(input: &mut Input<'_>) -> Get {
    match input.below(16) {
        0 => Get::Byte,
        1 => Get::Be32,
        2 => Get::Be64,
        3 => Get::Buffer(len(input)),
        4 => Get::Exact(len(input)),
        5 => Get::Slice(len(input) % 32769),
        6 => Get::InPlace(len(input) % 32769),
        7 => Get::Peek(len(input), len(input)),
        8 => Get::Skip(len(input)),
        9 => Get::Counted,
        10 => Get::Integer(input.byte()),
        11 => Get::Segments(input.list(8, len)),
        12 => Get::PeekByte(len(input)),
        13 => Get::SkipBuffered(len(input)),
        14 => {
            let (len, piece) = (len(input), 1 + len(input));
            Get::Iter(len, pieces(len, piece), fault(input))
        }
        _ => Get::AtEnd,
    }
}

/// The length of pieces, so that there are not too many in `len`.
pub fn pieces(len: usize, piece: usize) -> usize {
    piece.max(len / 64)
}

/// Where an iterator faults, if it does.
fn fault(input: &mut Input<'_>) -> Option<usize> {
    (input.below(2) == 0).then(|| len(input))
}

/// A step as it is, or a longer one where it would take too many to the place.
pub fn step(step: usize, place: usize) -> usize {
    step.max(place / 100)
}

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let fails_at = fails_at(&mut input);
    let channel = portions(&mut input);
    input.allow(5 * LONG);
    let gets = input.list(64, get);
    let times = 1 + input.below(4) * input.below(256);
    let mut data = input.rest().repeat(times);
    data.truncate(LONG);
    reading::check(&gets, &channel, &data);
    if let Some(fails_at) = fails_at {
        let fails_at = fails_at.min(data.len());
        let step = step(1 + gets.len() * times, fails_at);
        reading::check_failure(step, &channel, fails_at, &data);
    }
}
