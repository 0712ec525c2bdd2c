//! The files that the program reads and writes, and the progress it shows.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use iov_iter::file::{Channel, ChannelError, Features, ReadChannel, SeekFrom, WriteChannel};
use iov_iter::os::IoChannel;
use iov_iter::{Dest, Piece};

use super::incomplete::Incomplete;
use super::room::{Full, Pipe};
use vmstate::{Failure, find_start};

/// Streams of fewer bytes are read without showing progress.
const LONG: u64 = 32 << 20;
/// Progress in a file is shown when it has changed by so many bytes.
const STEP: u64 = 1 << 20;

/// A name for messages.
pub fn name(path: &Path, standard: &str) -> String {
    if is_standard(path) { standard.to_string() } else { path.display().to_string() }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// An input.
pub struct Opened {
    source: Source,
    /// Where the stream begins.
    start: u64,
    progress: Progress,
    metadata: Option<Metadata>,
}

/// An input that is read.
pub struct Reading {
    pub channel: Box<dyn ReadChannel>,
    /// Where the stream begins.
    pub start: u64,
    pub progress: Progress,
}

/// Where an input comes from.
enum Source {
    Pipe(Pipe),
    File(File),
}

impl Opened {
    /// Opens `path`, where a stream begins at `offset`, or where it is found.
    pub fn new(path: &Path, offset: Option<u64>) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::Input(error.to_string());
        if is_standard(path) {
            let source = Source::Pipe(Pipe::standard_input().map_err(failed)?);
            return Ok(Self { source, start: 0, progress: Progress::new(None), metadata: None });
        }
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            let (source, progress) = (Source::Pipe(Pipe::new(file)), Progress::new(None));
            return Ok(Self { source, start: 0, progress, metadata: Some(metadata) });
        }
        let start = match offset {
            Some(offset) => offset,
            None => find_start(&mut file)?,
        };
        let progress = Progress::new(Some(metadata.len()));
        Ok(Self { source: Source::File(file), start, progress, metadata: Some(metadata) })
    }

    /// Whether the input is no ordinary file: what is read from it exists nowhere else.
    pub fn is_pipe(&self) -> bool {
        matches!(self.source, Source::Pipe(_))
    }

    /// Keeps the bytes of a pipe whose writer has finished, where there is no output for them, and says
    /// where they are.
    pub fn rescue(self) -> Result<(), Failure> {
        let Source::Pipe(pipe) = self.source else { return Ok(()) };
        let bytes = pipe.last_bytes().map_err(|error| Failure::Input(error.to_string()))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let path = std::env::temp_dir().join(format!("vmstate-{}.incomplete", std::process::id()));
        let mut options = File::options();
        // Others may look into this folder.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.write(true).create_new(true).open(&path);
        let kept = file.and_then(|mut file| Write::write_all(&mut file, &bytes));
        kept.map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
        eprintln!("{}: keeps the {} bytes that have come", path.display(), bytes.len());
        Ok(())
    }

    /// Another handle of the file, and where the stream begins; `None` for a pipe.
    pub fn file(&self) -> Result<Option<(File, u64)>, Failure> {
        let Source::File(file) = &self.source else { return Ok(None) };
        let file = file.try_clone().map_err(|error| Failure::Input(error.to_string()))?;
        Ok(Some((file, self.start)))
    }

    /// Begins to read. If `to` is an ordinary file, no more is read than it has room for.
    pub fn read(self, to: Option<&Destination>) -> Result<Reading, Failure> {
        let Self { source, start, progress, .. } = self;
        let channel = match (source, to.and_then(Destination::regular)) {
            (Source::File(file), _) => {
                Box::new(WatchedFile { file, bar: progress.bar.clone(), shown: 0 })
            }
            (Source::Pipe(pipe), None) => progress.watch(pipe.ungated()),
            (Source::Pipe(pipe), Some(Regular { file, full, .. })) => {
                let gate = pipe.gated(file, full);
                progress.watch(gate.map_err(|error| Failure::Input(error.to_string()))?)
            }
        };
        Ok(Reading { channel, start, progress })
    }
}

/// An output.
#[derive(Debug)]
pub struct Destination {
    regular: Option<Regular>,
}

/// An ordinary file. It has another name until it is complete.
#[derive(Debug)]
struct Regular {
    file: File,
    incomplete: Incomplete,
    full: Full,
}

impl Destination {
    /// Opens `path` for writing, unless it is the file that is being read.
    pub fn new(path: &Path, input: &Opened) -> Result<(Self, Box<dyn WriteChannel>), Failure> {
        let failed = |error: io::Error| Failure::Output(error.to_string());
        if is_standard(path) {
            return Ok((Self { regular: None }, Box::new(io::stdout())));
        }
        // What is in the file must survive until the copy is complete, but it must be writable.
        let before = match File::options().write(true).open(path) {
            Ok(file) => Some((file.metadata().map_err(failed)?, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let before = match before {
            Some((metadata, file)) if !metadata.is_file() => {
                return Ok((Self { regular: None }, Box::new(file)));
            }
            Some((metadata, _)) => Some(metadata),
            None => None,
        };
        let same = |to| input.metadata.as_ref().is_some_and(|from| is_same_file(from, to));
        if before.as_ref().is_some_and(same) {
            return Err(Failure::Output("this is the input".into()));
        }
        // What a link points at is replaced, not the link.
        let path =
            if before.is_some() { fs::canonicalize(path).map_err(failed)? } else { path.into() };
        // A bitmap of pages is written in parts, and read for that.
        let make = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (incomplete, file) = Incomplete::new(&path, make)?;
        if let Some(metadata) = before {
            file.set_permissions(metadata.permissions()).map_err(failed)?;
        }
        let channel = file.try_clone().map_err(failed)?;
        let regular = Regular { file, incomplete, full: Full::default() };
        Ok((Self { regular: Some(regular) }, Box::new(channel)))
    }

    fn regular(&self) -> Option<&Regular> {
        self.regular.as_ref()
    }

    /// Another handle of an ordinary file.
    pub fn file(&self) -> Result<Option<File>, Failure> {
        let file = self.regular().map(|regular| regular.file.try_clone()).transpose();
        file.map_err(|error| Failure::Output(error.to_string()))
    }

    /// Whether reading was given up because there is no more room for what would come.
    pub fn is_full(&self) -> bool {
        self.regular().is_some_and(|regular| regular.full.get())
    }

    /// Gives the complete file its name.
    pub fn complete(&self) -> Result<(), Failure> {
        let Some(Regular { file, incomplete, .. }) = self.regular() else { return Ok(()) };
        self.release_room()
            .and_then(|()| incomplete.complete(file))
            .map_err(|error| Failure::Output(error.to_string()))
    }

    /// Gives the file its name if all was `written`, else removes it.
    pub fn end(&self, written: Result<(), Failure>) -> Result<(), Failure> {
        let completed = written.and_then(|()| self.complete());
        if completed.is_err() {
            self.remove();
        }
        completed
    }

    /// Gives back what was reserved and not needed.
    fn release_room(&self) -> io::Result<()> {
        let Some(Regular { file, .. }) = self.regular() else { return Ok(()) };
        file.set_len(file.metadata()?.len())
    }

    /// Leaves the incomplete file where it is, unless it is empty, and says so. `name` is what the
    /// output was called by.
    pub fn leave(&self, name: &Path) {
        let Some(Regular { file, incomplete, .. }) = self.regular() else { return };
        // What fails here changes nothing in what is kept.
        let _ = self.release_room();
        let len = file.metadata().map_or(u64::MAX, |metadata| metadata.len());
        if len == 0 {
            return self.remove();
        }
        let (incomplete, name) = (incomplete.path().display(), name.display());
        eprintln!(
            "{incomplete}: keeps the {len} bytes that were written; {name} is as it was before"
        );
    }

    /// Removes the incomplete file.
    pub fn remove(&self) {
        if let Some(Regular { incomplete, .. }) = self.regular() {
            incomplete.remove();
        }
    }
}

/// A folder that is made.
#[derive(Debug)]
pub struct NewFolder {
    incomplete: Incomplete,
}

impl NewFolder {
    /// Makes it, unless `path` exists and is more than an empty folder.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(Failure::Output("this folder exists and is not empty".into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::Output(error.to_string())),
        }
        let (incomplete, ()) = Incomplete::new(path, |path| fs::create_dir(path))?;
        Ok(Self { incomplete })
    }

    /// Where it is until it is complete.
    pub fn path(&self) -> &Path {
        self.incomplete.path()
    }

    /// Gives it its name if all was `written`, else removes it with what is in it.
    pub fn end(&self, written: Result<(), Failure>) -> Result<(), Failure> {
        let completed = written.and_then(|()| {
            let folder = File::open(self.path()).and_then(|it| self.incomplete.complete(&it));
            folder.map_err(|error| Failure::Output(error.to_string()))
        });
        if completed.is_err() {
            self.incomplete.remove();
        }
        completed
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

/// A file whose progress is shown when it is read.
///
/// A file is read in order, with gaps, so its progress is a position.
struct WatchedFile {
    file: File,
    bar: ProgressBar,
    /// The position that is shown.
    shown: u64,
}

impl Channel for WatchedFile {
    fn features(&self) -> Features {
        self.file.features()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        Channel::seek(&mut self.file, to)
    }
}

impl ReadChannel for WatchedFile {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        ReadChannel::read(&mut self.file, into)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        if position.abs_diff(self.shown) >= STEP {
            self.shown = position;
            self.bar.set_position(position);
        }
        self.file.read_at(into, position)
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
