//! Compressed blocks: a length in 4 bytes, most significant first, and that many bytes.
//!
//! The codec is a trait; feature `zlib` brings one ([`zlib`](crate::file::zlib)).

#[cfg(feature = "zlib")]
#[cfg_attr(docsrs, doc(cfg(feature = "zlib")))]
pub mod zlib;

/// Bytes of the length that precedes a block.
pub(in crate::file) const PREFIX: usize = 4;

/// Something that compresses blocks.
pub trait Compress {
    /// The most bytes that `len` bytes can be compressed to; `None` if that is no `usize`.
    fn bound(&self, len: usize) -> Option<usize>;

    /// Compresses all of `from` into the front of `into` and returns how many bytes that took.
    ///
    /// `None` if it failed, which it must not for want of space if `into` is as long as the
    /// [bound](Self::bound).
    fn compress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize>;
}

/// Something that decompresses blocks.
pub trait Decompress {
    /// Decompresses all of `from` into the front of `into` and returns how many bytes that gave.
    ///
    /// `None` if `from` is damaged, ends early, goes on past its end, or gives more than fits.
    fn decompress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize>;
}
