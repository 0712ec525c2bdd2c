//! The seeds of the fuzz targets: where a run starts from.

mod encode;
mod files;
mod iterators;
mod vectors;

use super::bodies;

/// A name and the bytes.
pub type Seed = (&'static str, Vec<u8>);

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let seeds = match target {
        "operations" => return iterators::operations(),
        "import" => iterators::import(),
        "pages" => iterators::pages(),
        "checksum" => iterators::checksum(),
        "vectors" => vectors::vectors(),
        "discard" => vectors::discard(),
        "stream" => files::stream(),
        "reader" => files::reader(),
        "sized_buffer" => files::sized_buffer(),
        "compressed" => files::compressed(),
        _ => Vec::new(),
    };
    seeds.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}

/// Bytes that the generator of random numbers gives next.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// Such bytes, with a part of them changed, left out or doubled.
    pub fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(8)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.extend_from_within(at..end),
                _ => bytes[at..end].iter_mut().for_each(|byte| *byte = self.below(256) as u8),
            }
        }
        bytes
    }
}
