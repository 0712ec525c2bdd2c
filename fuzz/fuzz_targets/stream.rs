//! What is put into a file arrives as it was put, and is got as it arrived, over any channel.
#![no_main]

#[path = "../../tests/file_model/mod.rs"]
mod file_model;
#[path = "../../tests/file_support/mod.rs"]
mod file_support;

use std::ops::Range;
use std::sync::LazyLock;

use file_model::reading::{self, Get};
use file_model::writing::{self, Put};
use libfuzzer_sys::fuzz_target;

/// More than two buffers of a file.
const MEMORY: usize = 70_000;

/// The caller's memory: bytes without a short period.
static BYTES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..MEMORY).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 11) as u8).collect());

/// What to do, as far as the input says; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// A length: mostly below 256.
    fn len(&mut self) -> usize {
        match self.byte() {
            0..32 => self.word(),
            32..40 => 32700 + usize::from(self.byte()),
            _ => usize::from(self.byte()),
        }
    }

    fn range(&mut self) -> Range<usize> {
        let start = self.word();
        start..(start + self.len()).min(MEMORY)
    }

    /// Portions of a channel, at least one of which moves data.
    fn portions(&mut self) -> Vec<Option<usize>> {
        let count = self.byte() % 8;
        let portion = |input: &mut Self| match input.byte() % 4 {
            0 => None,
            _ => Some(input.len().max(1)),
        };
        let mut portions: Vec<_> = (0..count).map(|_| portion(self)).collect();
        // No cycle is so short of data that a run takes long.
        portions.push(Some(3000));
        portions
    }

    fn put(&mut self) -> Put {
        let kind = self.byte();
        let release = kind & 0x80 != 0;
        match kind % 12 {
            0 => Put::Byte(self.byte()),
            1 => Put::Be16(self.word() as u16),
            2 => Put::Be32(self.word() as u32 * 0x1_0001),
            3 => Put::Be64(self.word() as u64 * 0x1_0000_0001),
            4 => Put::Le32(self.word() as u32 * 0x1_0001),
            5 => Put::Buffer(self.range()),
            6 => Put::Borrowed(self.range()),
            7 => Put::Owned(self.range()),
            8 => Put::Region(self.range(), release),
            9 => Put::Next(self.len(), release),
            10 => Put::Counted(self.byte()),
            _ => Put::Flush,
        }
    }

    fn get(&mut self) -> Get {
        match self.byte() % 11 {
            0 => Get::Byte,
            1 => Get::Be32,
            2 => Get::Be64,
            3 => Get::Buffer(self.len()),
            4 => Get::Exact(self.len()),
            5 => Get::Slice(self.len() % 32769),
            6 => Get::InPlace(self.len() % 32769),
            7 => Get::Peek(self.len(), self.len()),
            8 => Get::Skip(self.len()),
            9 => Get::Counted,
            _ => Get::AtEnd,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let fails_at = match input.byte() % 4 {
        0 => Some(input.word()),
        _ => None,
    };
    let portions = input.portions();
    let puts: Vec<_> = (0..input.byte() % 150).map(|_| input.put()).collect();
    let arrived = writing::check(&puts, &portions, fails_at, &BYTES);

    let portions = input.portions();
    let mut gets = Vec::new();
    while !input.0.is_empty() && gets.len() < 100 {
        gets.push(input.get());
    }
    reading::check(&gets, &portions, &arrived);
    if let Some(fails_at) = fails_at.filter(|at| *at <= arrived.len()) {
        reading::check_failure(gets.len() + 1, &portions, fails_at, &arrived);
    }
});
