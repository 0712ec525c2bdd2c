//! Streams that QEMU wrote, packed in `tests/data` since most of them is zeros, and what `vmstate`
//! writes into files.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek};
use std::path::Path;

use vmstate::{Extractor, Failure, ToMapped, Wishes};

use crate::support::read_into;

/// The file of this name.
pub fn unpacked(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.zst"));
    zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()
}

/// The main stream and the two channels of a machine that was migrated with multifd.
pub fn multifd(name: &str) -> [Vec<u8>; 3] {
    ["ch0", "ch1", "ch2"].map(|ending| unpacked(&format!("qemu10-{name}.{ending}")))
}

/// The memory of the machine: 26 pages, five of which are not zero.
pub fn memory() -> Vec<u8> {
    let mut memory = vec![0; 26 * 4096];
    for (page, bytes) in memory.chunks_exact_mut(4096).enumerate().skip(3).take(5) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (7 * at + 31 * (page - 3) + (at >> 8)) as u8;
        }
    }
    memory
}

/// Extracts everything into `folder`.
pub fn extract_into(folder: &Path, stream: &[u8], channels: &[&[u8]]) -> Result<(), Failure> {
    let wishes = Wishes { devices: Vec::new(), all_devices: true, description: true };
    let mut extractor = Extractor::new(folder, wishes);
    read_into(stream, channels, &mut extractor)?;
    extractor.finish().map(drop)
}

/// What `vmstate extract` writes: names of files and their contents.
pub fn extract(stream: &[u8], channels: &[&[u8]]) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let dir = tempfile::tempdir().unwrap();
    extract_into(dir.path(), stream, channels)?;
    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    Ok(entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect())
}

/// What `vmstate convert --to mapped` writes.
pub fn to_mapped(stream: &[u8], channels: &[&[u8]]) -> Result<Vec<u8>, Failure> {
    let mut file = tempfile::tempfile().unwrap();
    let mut output = ToMapped::new(file.try_clone().unwrap())?;
    let read = read_into(stream, channels, &mut output);
    output.finish(read)?;
    let mut written = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut written).unwrap();
    Ok(written)
}
