//! What is put into a file arrives as it was put, and is got as it arrived, over any channel.

use std::ops::Range;
use std::sync::LazyLock;

use super::file_model::reading;
use super::file_model::writing::{self, Put};
use super::input::Input;
use super::reader::{fails_at, get, len, pieces, portions, step};

/// More than two buffers of a file.
const MEMORY: usize = if cfg!(miri) { 2000 } else { 70_000 };

/// What long operations of an input move in all: two buffers of a file, and more.
const LONG: usize = 2 * MEMORY;

/// The caller's memory: bytes without a short period.
static BYTES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..MEMORY).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 11) as u8).collect());

fn range(input: &mut Input<'_>) -> Range<usize> {
    let start = input.word() % MEMORY;
    start..(start + len(input)).min(MEMORY)
}

fn put(input: &mut Input<'_>) -> Put {
    let kind = input.byte();
    let release = kind & 0x80 != 0;
    match kind % 0x80 % 15 {
        0 => Put::Byte(input.byte()),
        1 => Put::Be16(input.word() as u16),
        2 => Put::Be32(input.word() as u32 * 0x1_0001),
        3 => Put::Be64(input.word() as u64 * 0x1_0000_0001),
        4 => Put::Le32(input.word() as u32 * 0x1_0001),
        5 => Put::Buffer(range(input)),
        6 => Put::Borrowed(range(input)),
        7 => Put::Owned(range(input)),
        8 => Put::Region(range(input), release),
        9 => Put::Next(len(input), release),
        10 => Put::Counted(input.byte()),
        11 => Put::Shared(range(input), release),
        12 => Put::Raw(range(input), release),
        13 => {
            let (range, piece) = (range(input), 1 + len(input));
            let piece = pieces(range.len(), piece);
            Put::Iter(range, piece, release.then(|| len(input)))
        }
        _ => Put::Flush,
    }
}

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let fails_at = fails_at(&mut input);
    let channel = portions(&mut input);
    input.allow(LONG);
    let puts = input.list(150, put);
    let arrived = writing::check(&puts, &channel, fails_at, &BYTES);

    let channel = portions(&mut input);
    input.allow(LONG);
    let mut gets = Vec::new();
    while !input.is_empty() && gets.len() < 100 {
        gets.push(get(&mut input));
    }
    reading::check(&gets, &channel, &arrived);
    if let Some(fails_at) = fails_at.filter(|at| *at <= arrived.len()) {
        let step = step(gets.len() + 1, fails_at);
        reading::check_failure(step, &channel, fails_at, &arrived);
    }
}
