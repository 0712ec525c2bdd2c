//! What differs between two streams that were extracted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::Failure;

/// Files are compared in pieces of so many bytes.
const PIECE: usize = 1 << 16;

/// A difference between two folders that an extractor has written.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// A part that only the first has, or only the other.
    Only {
        /// Whether it is the first one.
        first: bool,
        /// The name of its file.
        name: String,
    },
    /// Bytes of a part, whole pages of a block of memory.
    Bytes {
        /// The name of its file.
        name: String,
        /// The first that differs, from the start of the part.
        offset: u64,
        /// The length of what differs; a part that ends too early differs up to the end of the other.
        len: u64,
    },
}

/// Compares two folders and calls `each` with every difference, in the order of the names; whether there
/// are none. Blocks of memory are compared by pages of `page_size` bytes.
pub fn diff(
    one: &Path,
    other: &Path,
    page_size: u64,
    mut each: impl FnMut(Difference) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let (names, others) = (names(one)?, names(other)?);
    let mut equal = true;
    for name in names.union(&others) {
        let mut tell = |difference| {
            equal = false;
            each(difference)
        };
        match (names.contains(name), others.contains(name)) {
            (true, true) => {
                let unit = if name.ends_with(".raw") { page_size } else { 1 };
                compare(&one.join(name), &other.join(name), unit, |offset, len| {
                    tell(Difference::Bytes { name: name.clone(), offset, len })
                })?;
            }
            (first, _) => tell(Difference::Only { first, name: name.clone() })?,
        }
    }
    Ok(equal)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Input(format!("{}: {error}", path.display()))
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(folder, &error))
}

/// Calls `each` with every run of units that differ: where it begins, and its length.
fn compare(
    one: &Path,
    other: &Path,
    unit: u64,
    mut each: impl FnMut(u64, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let open = |path: &Path| File::open(path).map_err(|error| failed(path, &error));
    let (mut file, mut other_file) = (open(one)?, open(other)?);
    let (mut bytes, mut others) = (Vec::new(), Vec::new());
    let mut at = 0_u64;
    // Where the run began that differs.
    let mut begun = None;
    loop {
        read(&mut file, &mut bytes).map_err(|error| failed(one, &error))?;
        read(&mut other_file, &mut others).map_err(|error| failed(other, &error))?;
        let equal = bytes == others;
        let longest = bytes.len().max(others.len());
        let step = usize::try_from(unit).unwrap_or(PIECE).clamp(1, PIECE);
        for start in (0..longest).step_by(step) {
            let end = start.saturating_add(step);
            let unit = |all: &Vec<u8>| start.min(all.len())..end.min(all.len());
            let offset = at.saturating_add(start as u64);
            let differs = !equal && bytes.get(unit(&bytes)) != others.get(unit(&others));
            match (differs, begun) {
                (true, None) => begun = Some(offset),
                (false, Some(first)) => {
                    begun = None;
                    each(first, offset.saturating_sub(first))?;
                }
                _ => {}
            }
        }
        at = at.saturating_add(longest as u64);
        if longest == 0 {
            break;
        }
    }
    begun.map_or(Ok(()), |first| each(first, at.saturating_sub(first)))
}

/// Reads a whole piece, or what is left.
fn read(file: &mut File, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    file.take(PIECE as u64).read_to_end(into).map(drop)
}
