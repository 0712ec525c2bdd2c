//! Small numbers out of the fuzzer's bytes.

use arbitrary::Unstructured;

/// Numbers, most of them one byte long; zeros past the end of the input.
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    pub fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub fn word(&mut self) -> usize {
        usize::from(self.0.arbitrary::<u16>().unwrap_or(0))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// A number from 0 to a little more than `most`.
    pub fn up_to(&mut self, most: usize) -> usize {
        self.below(256) * (most + 3) / 256
    }

    pub fn list<T>(&mut self, limit: usize, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(limit)).map(|_| each(self)).collect()
    }
}
