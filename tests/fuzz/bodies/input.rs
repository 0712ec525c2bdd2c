//! Small numbers out of the fuzzer's bytes.

use arbitrary::Unstructured;

/// Numbers, most of them one byte long; zeros past the end of the input.
pub struct Input<'a> {
    bytes: Unstructured<'a>,
    /// What long lengths may still add up to.
    long: usize,
}

/// A length from here on is a long one.
const LONG: usize = 256;

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Unstructured::new(bytes), long: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.bytes.take_rest()
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes.arbitrary().unwrap_or(0)
    }

    pub fn word(&mut self) -> usize {
        usize::from(self.bytes.arbitrary::<u16>().unwrap_or(0))
    }

    /// From now on, long lengths add up to at most `most`.
    pub fn allow(&mut self, most: usize) {
        self.long = most;
    }

    /// A length as it is, or shorter where too many were long.
    pub fn affordable(&mut self, len: usize) -> usize {
        if len < LONG {
            return len;
        }
        match self.long.checked_sub(len) {
            Some(long) => {
                self.long = long;
                len
            }
            None => len % LONG,
        }
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// A number from 0 to a little more than `most`.
    pub fn up_to(&mut self, most: usize) -> usize {
        self.below(256) * (most + 3) / 256
    }

    /// Fewer than `limit` elements; none is read past the end of the input.
    pub fn list<T>(&mut self, limit: usize, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut list = Vec::new();
        let len = self.below(limit);
        while list.len() < len && !self.is_empty() {
            list.push(each(self));
        }
        list
    }
}
