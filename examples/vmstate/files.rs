//! The files that the program reads and writes, and the progress it shows.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use iov_iter::file::{ReadChannel, WriteChannel};
use iov_iter::os::IoChannel;

use super::migration::{Failure, Tail};

/// Streams of fewer bytes are read without showing progress.
const LONG: u64 = 32 << 20;

/// A name for messages.
pub fn name(path: &Path, standard: &str) -> String {
    if is_standard(path) { standard.to_string() } else { path.display().to_string() }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// An input.
pub struct Opened {
    pub channel: Box<dyn ReadChannel>,
    /// The end of the stream, if the input is a file that can be read there first.
    pub tail: Option<Tail>,
    pub progress: Progress,
    metadata: Option<Metadata>,
}

impl Opened {
    /// Opens `path`.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::Input(error.to_string());
        if is_standard(path) {
            let progress = Progress::new(None);
            let channel = progress.watch(io::stdin());
            return Ok(Self { channel, tail: None, progress, metadata: None });
        }
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let tail = if metadata.is_file() { Some(Tail::find(&mut file, 0)?) } else { None };
        if tail.is_some() {
            file.rewind().map_err(failed)?;
        }
        let progress = Progress::new(tail.as_ref().map(|tail| tail.length));
        let channel = progress.watch(file);
        Ok(Self { channel, tail, progress, metadata: Some(metadata) })
    }
}

/// An output, so that it can be removed if it remains incomplete.
#[derive(Debug)]
pub struct Destination {
    regular: Option<PathBuf>,
}

impl Destination {
    /// Opens `path` for writing, unless it is the file that is being read.
    pub fn new(path: &Path, input: &Opened) -> Result<(Self, Box<dyn WriteChannel>), Failure> {
        let failed = |error: io::Error| Failure::Output(error.to_string());
        if is_standard(path) {
            return Ok((Self { regular: None }, Box::new(io::stdout())));
        }
        // What is in the file must survive until it is known that it is not the input.
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Ok((Self { regular: None }, Box::new(file)));
        }
        if input.metadata.as_ref().is_some_and(|input| is_same_file(input, &metadata)) {
            return Err(Failure::Output("this is the input".into()));
        }
        file.set_len(0).map_err(failed)?;
        Ok((Self { regular: Some(path.to_path_buf()) }, Box::new(file)))
    }

    /// Removes the file, if it is an ordinary one.
    pub fn remove(self) {
        if let Some(path) = self.regular
            && let Err(error) = fs::remove_file(&path)
        {
            eprintln!("{}: not removed, although incomplete: {error}", path.display());
        }
    }
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The standard library does not tell on other systems.
#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// How far the input was read, shown on standard error if that is a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Progress through `length` bytes, or through a pipe.
    fn new(length: Option<u64>) -> Self {
        let (bar, template) = match length {
            Some(length) if length < LONG => (ProgressBar::hidden(), ""),
            Some(length) => (
                ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()),
                "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            ),
            None => (
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
                "{spinner} {bytes} {bytes_per_sec}",
            ),
        };
        // A template that indicatif does not understand would leave its own style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Counts what is read.
    fn watch(&self, input: impl Read + 'static) -> Box<dyn ReadChannel> {
        Box::new(IoChannel::new(self.bar.wrap_read(input)))
    }

    /// Standard output, for lines that do not mix with the progress shown.
    pub fn standard_output(&self) -> impl Write {
        Lines { bar: self.bar.clone() }
    }

    /// Shows nothing any more.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

struct Lines {
    bar: ProgressBar,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| Write::write(&mut io::stdout(), bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bar.suspend(|| Write::flush(&mut io::stdout()))
    }
}
