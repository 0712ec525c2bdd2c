//! Outputs that have another name until they are complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vmstate::Failure;

/// A file or a folder that is made. It is called `NAME.incomplete` until it is complete.
#[derive(Debug)]
pub struct Incomplete {
    name: PathBuf,
    path: PathBuf,
}

impl Incomplete {
    /// Calls `make` with the path where the output is made that will be called `name`.
    pub fn new<T>(
        name: &Path,
        make: impl FnOnce(&Path) -> io::Result<T>,
    ) -> Result<(Self, T), Failure> {
        // Without a slash at the end.
        let mut path = OsString::from(name.components().as_path());
        path.push(".incomplete");
        let path = PathBuf::from(path);
        let made = make(&path).map_err(|error| {
            Failure::Output(match error.kind() {
                io::ErrorKind::AlreadyExists => format!(
                    "an earlier run has left {}, which may be all that there is of a machine: \
                     move it away first",
                    path.display()
                ),
                _ => error.to_string(),
            })
        })?;
        Ok((Self { name: name.into(), path }, made))
    }

    /// Where it is until it is complete.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name once `handle`, which is open on it, is on the disk.
    pub fn complete(&self, handle: &File) -> io::Result<()> {
        handle.sync_all()?;
        fs::rename(&self.path, &self.name)
    }

    /// Removes it, with what is in it.
    pub fn remove(&self) {
        let removed = match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path),
            Ok(_) => fs::remove_file(&self.path),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            eprintln!("{}: not removed, although incomplete: {error}", self.path.display());
        }
    }
}
