//! Copying a file as a whole, with its holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use vmstate::Failure;

/// Copies everything in `from` to `to`, which is empty. What is a hole stays one.
pub fn copy(from: &File, to: &File) -> Result<(), Failure> {
    let length = from.metadata().map_err(|error| Failure::Input(error.to_string()))?.len();
    let failed = |error: io::Error| Failure::Output(error.to_string());
    to.set_len(length).map_err(failed)?;
    let mut end = 0;
    while let Some((start, stop)) = next_data(from, end, length) {
        let (mut reader, mut writer) = (from, to);
        reader.seek(SeekFrom::Start(start)).map_err(|error| Failure::Input(error.to_string()))?;
        writer.seek(SeekFrom::Start(start)).map_err(failed)?;
        io::copy(&mut reader.take(stop.saturating_sub(start)), &mut writer).map_err(failed)?;
        end = stop;
    }
    Ok(())
}

/// The next part of the file from `at` on that is no hole.
#[cfg(target_os = "linux")]
fn next_data(file: &File, at: u64, length: u64) -> Option<(u64, u64)> {
    use rustix::fs::{SeekFrom, seek};
    if at >= length {
        return None;
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(rustix::io::Errno::NXIO) => return None,
        // The file system does not tell.
        Err(_) => return Some((at, length)),
    };
    let stop = seek(file, SeekFrom::Hole(start)).unwrap_or(length).min(length);
    (start < stop).then_some((start, stop))
}

/// Holes cannot be found out here.
#[cfg(not(target_os = "linux"))]
fn next_data(_: &File, at: u64, length: u64) -> Option<(u64, u64)> {
    (at < length).then_some((at, length))
}
