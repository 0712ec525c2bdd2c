//! Segment lists that the benchmarks share.

/// How 64 KiB or so are scattered: number of segments, length of each, distance of their starts.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub segments: usize,
    pub len: usize,
    pub stride: usize,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} x {}{}",
            self.segments,
            self.len,
            if self.stride % 16 == 0 { "" } else { ", unaligned" }
        )
    }
}

/// One segment, pages, network buffers, cache lines, tiny and unaligned ones, single bytes.
pub const SHAPES: [Shape; 7] = [
    Shape { segments: 1, len: 65536, stride: 65536 },
    Shape { segments: 16, len: 4096, stride: 8192 },
    Shape { segments: 44, len: 1500, stride: 2048 + 3 },
    Shape { segments: 1024, len: 64, stride: 128 },
    Shape { segments: 1024, len: 61, stride: 67 },
    Shape { segments: 4096, len: 16, stride: 32 },
    Shape { segments: 4096, len: 1, stride: 3 },
];

impl Shape {
    pub fn total(&self) -> usize {
        self.segments * self.len
    }

    /// Memory that holds all segments.
    pub fn memory(&self) -> Vec<u8> {
        (0..self.segments * self.stride).map(|at| at as u8).collect()
    }

    pub fn slices<'m>(&self, memory: &'m [u8]) -> Vec<&'m [u8]> {
        memory.chunks_exact(self.stride).map(|chunk| &chunk[..self.len]).collect()
    }

    pub fn slices_mut<'m>(&self, memory: &'m mut [u8]) -> Vec<&'m mut [u8]> {
        memory.chunks_exact_mut(self.stride).map(|chunk| &mut chunk[..self.len]).collect()
    }
}
