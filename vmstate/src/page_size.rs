//! The size of the guest's pages: told, or guessed from what was read.

use std::fmt;

use crate::Failure;

/// The usual size, taken where nothing tells another.
pub const USUAL: u64 = 4096;
/// The smallest size, that of AVR.
pub const SMALLEST: u64 = 256;
pub const LARGEST: u64 = 65536;
/// The smallest size that is guessed: a smaller one would have flags of larger pages in its offsets.
const SMALLEST_GUESS: u64 = 1024;

/// Sizes in the order in which they are guessed.
pub const GUESSES: [u64; 5] = [USUAL, SMALLEST_GUESS, 2048, 8192, 16384];

/// The bits of a record's header that are flags, if pages have `size` bytes; the others are an address.
pub const fn flags(size: u64) -> u64 {
    let least = if size < SMALLEST_GUESS { size } else { SMALLEST_GUESS };
    least.saturating_sub(1)
}

/// Whether pages may have this size.
pub fn is_valid(size: u64) -> bool {
    size.is_power_of_two() && (SMALLEST..=LARGEST).contains(&size)
}

/// Who tells a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Option,
    Description,
    Configuration,
    Advice,
    Mapped,
    Guess,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Option => "given by --page-size",
            Self::Description => "described",
            Self::Configuration => "configured",
            Self::Advice => "given by POSTCOPY_ADVISE",
            Self::Mapped => "given by mapped-ram",
            Self::Guess => "guessed from the records",
        })
    }
}

/// What is known about the size of the guest's pages.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    known: Option<(u64, Source)>,
    /// All lengths of blocks and offsets of pages so far, each a multiple of the size.
    multiples: u64,
}

impl PageSize {
    /// The size that the command line gives, if it gives one.
    pub fn new(option: Option<u64>) -> Self {
        Self { known: option.map(|size| (size, Source::Option)), multiples: 0 }
    }

    /// The size, if it is known.
    #[inline]
    pub fn get(&self) -> Option<u64> {
        self.known.map(|(size, _)| size)
    }

    /// The bits of a record's header that are flags; the others are an address.
    #[inline]
    pub fn flags(&self) -> u64 {
        flags(self.get().unwrap_or(SMALLEST_GUESS))
    }

    /// The largest size that fits what was read.
    #[inline]
    pub fn most(&self) -> u64 {
        let lowest_bit = self.multiples & self.multiples.wrapping_neg();
        let largest = if lowest_bit == 0 { LARGEST } else { lowest_bit.min(LARGEST) };
        self.get().unwrap_or(largest)
    }

    /// Takes the size that `source` tells at offset `at`.
    pub fn tell(&mut self, size: u64, source: Source, at: u64) -> Result<(), Failure> {
        let what = match self.known {
            Some((known, _)) if known == size => return Ok(()),
            Some((known, Source::Guess)) => {
                format!(
                    "page size {size} {source}, but {known} {}: \
                     --page-size {size} reads the stream",
                    Source::Guess
                )
            }
            Some((known, other)) => format!("page size {size} {source}, but {known} {other}"),
            None if size > self.most() => {
                format!("page size {size} {source}, but some pages have {} bytes", self.most())
            }
            None => {
                self.known = Some((size, source));
                return Ok(());
            }
        };
        Err(Failure::at(at, what))
    }

    /// Takes `size` until the stream tells another.
    pub fn guess(&mut self, size: u64) -> u64 {
        let size = size.min(self.most());
        self.known = Some((size, Source::Guess));
        size
    }

    /// Whether `value`, the length of a block or the offset of a page, can be whole pages.
    #[inline]
    pub fn fits(&mut self, value: u64) -> bool {
        if let Some(size) = self.get() {
            return value & size.wrapping_sub(1) == 0;
        }
        self.multiples |= value;
        value & SMALLEST_GUESS.wrapping_sub(1) == 0
    }

    /// What to add to a message about a record that cannot be read.
    pub fn hint(&self) -> String {
        match self.known {
            Some((size, Source::Guess)) => {
                format!(" (pages of {size} bytes were guessed; --page-size gives another size)")
            }
            _ => String::new(),
        }
    }
}
