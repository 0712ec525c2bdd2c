//! Bytes for tests to move.

/// `len` bytes in which every neighbourhood is different.
pub fn pattern(len: usize) -> Vec<u8> {
    // Short blocks of an odd length, each with its number stamped in.
    let mut block: Vec<_> = (0..len.min(251)).map(|at| at as u8).collect();
    let mut bytes = Vec::with_capacity(len + 251);
    let mut number = 0u32;
    while bytes.len() < len {
        bytes.extend_from_slice(&block);
        number += 1;
        if let Some(stamp) = block.first_chunk_mut() {
            *stamp = number.to_le_bytes();
        }
    }
    bytes.truncate(len);
    bytes
}
