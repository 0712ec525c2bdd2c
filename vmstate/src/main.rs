//! Reads, checks, copies, converts and extracts migration streams of QEMU: guest memory and device
//! state.
//!
//! `vmstate --help` tells the commands. Everything is read through
//! [`FileReader`](iov_iter::file::FileReader) and written through
//! [`FileWriter`](iov_iter::file::FileWriter), pages of guest memory without copying them into its
//! buffer.

#![forbid(unsafe_code)]

mod program;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use iov_iter::file::{ReadChannel, WriteChannel};
use program::arguments::{self, Arguments, Command, Form};
use program::files::{self, Destination, NewFolder, Opened, Reading};
use program::sparse;
use vmstate::{
    Channels, Copied, Difference, Discard, Extractor, Failure, Input, Options, Output, Report,
    ToMapped, ToOrdinary, Wishes, maps_ram, parse,
};

const FINE: u8 = 0;
/// The stream was not understood to its end.
const DAMAGED: u8 = 1;
/// The program was called wrongly, or a file could not be read or written.
const FAILED: u8 = 2;

/// A stream, and how to read it.
struct Stream<'a> {
    path: &'a Path,
    channels: &'a [PathBuf],
    offset: Option<u64>,
    options: Options,
}

fn main() -> ExitCode {
    ExitCode::from(run(Arguments::parse().command))
}

/// Does what the command says and returns the exit code.
fn run(command: Command) -> u8 {
    match command {
        Command::Inspect { reading, json, guess, input } => {
            let options = Options { guess, ..reading.options() };
            let (path, channels) = (&input.file, &*input.channels);
            let stream = Stream { path, channels, offset: reading.offset, options };
            let result = inspect(&stream, json);
            result.map_or_else(|failure| stream.tell(&failure, Path::new("-")), |()| FINE)
        }
        Command::Check { reading, input } => {
            let (path, channels) = (&input.file, &*input.channels);
            let options = reading.options();
            let stream = Stream { path, channels, offset: reading.offset, options };
            match stream.parse(&mut Discard, io::sink()) {
                Ok(()) => {
                    println!("{}: ok", files::name(path, "standard input"));
                    FINE
                }
                Err(failure) => stream.tell(&failure, Path::new("-")),
            }
        }
        Command::Copy { reading, raw_tail, files } => {
            let Some((mut stream, to)) = split(&files, reading) else { return FAILED };
            stream.options.raw_tail = raw_tail;
            if stream.channels.is_empty() { copy(&stream, to) } else { copy_all(&stream, to) }
        }
        Command::Convert { reading, to: form, files } => {
            let Some((stream, to)) = split(&files, reading) else { return FAILED };
            convert(&stream, form, to)
        }
        Command::Extract { reading, devices, all_devices, description, files } => {
            let Some((stream, to)) = split(&files, reading) else { return FAILED };
            extract(&stream, Wishes { devices, all_devices, description }, to)
        }
        Command::Diff { reading, one, other, channel, other_channel } => {
            let (offset, options) = (reading.offset, reading.options());
            let one = Stream { path: &one, channels: &channel, offset, options };
            let other = Stream { path: &other, channels: &other_channel, offset, options };
            diff(&one, &other)
        }
        Command::Completions { shell } => {
            arguments::print_completions(shell);
            FINE
        }
        Command::Man { folder } => match arguments::write_manual(&folder) {
            Ok(()) => FINE,
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                FAILED
            }
        },
    }
}

/// The stream with its channels, and the output that follows them.
fn split(files: &[PathBuf], reading: arguments::Reading) -> Option<(Stream<'_>, &Path)> {
    let (path, rest) = files.split_first()?;
    let (to, channels) = rest.split_last()?;
    let options = reading.options();
    Some((Stream { path, channels, offset: reading.offset, options }, to))
}

impl Stream<'_> {
    /// Reads it into `output`, and prints what is in it to `report`.
    fn parse(&self, output: &mut impl Output, report: impl Write) -> Result<(), Failure> {
        let opened = Opened::new(self.path, self.offset)?;
        let Reading { channel, start, progress } = opened.read(None)?;
        let result = self.parse_opened(channel, start, output, &mut Report::new(report));
        progress.finish();
        result
    }

    fn parse_opened(
        &self,
        channel: Box<dyn ReadChannel>,
        start: u64,
        output: &mut impl Output,
        report: &mut Report<impl Write>,
    ) -> Result<(), Failure> {
        let mut channels = Vec::<Box<dyn ReadChannel>>::new();
        for path in self.channels {
            let named = |error: io::Error| Failure::Input(format!("{}: {error}", path.display()));
            channels.push(Box::new(File::open(path).map_err(named)?));
        }
        let mut input = Input::new(channel, start, output)?;
        parse(&mut input, report, Channels::new(channels)?, self.options)
    }

    /// Prints a failure; the exit code for it. `to` is the output.
    fn tell(&self, failure: &Failure, to: &Path) -> u8 {
        let (path, standard, code) = match failure {
            Failure::Damaged { file: 0, .. } => (self.path, "standard input", DAMAGED),
            Failure::Damaged { file, .. } => {
                let channel = self.channels.get(file.saturating_sub(1));
                (channel.map_or(self.path, PathBuf::as_path), "standard input", DAMAGED)
            }
            Failure::Input(_) => (self.path, "standard input", FAILED),
            Failure::Output(_) => (to, "standard output", FAILED),
        };
        eprintln!("{}: {failure}", files::name(path, standard));
        code
    }
}

/// Prints what is in a stream.
fn inspect(stream: &Stream<'_>, json: bool) -> Result<(), Failure> {
    let opened = Opened::new(stream.path, stream.offset)?;
    let Reading { channel, start, progress } = opened.read(None)?;
    let out = BufWriter::new(progress.standard_output());
    let mut report = if json { Report::json(out) } else { Report::new(out) };
    let result = stream.parse_opened(channel, start, &mut Discard, &mut report);
    // What was found before the damage is printed, too.
    let printed = report.into_inner().flush().map_err(|error| Failure::Output(error.to_string()));
    progress.finish();
    result.and(printed)
}

/// Writes a stream to `to` and returns the exit code.
///
/// The bytes of a pipe exist nowhere else: QEMU believes that its machine is saved once it has written
/// them. So what has come stays on the disk under one name or another, and a sentence says which.
fn copy(stream: &Stream<'_>, to: &Path) -> u8 {
    let opened = match Opened::new(stream.path, stream.offset) {
        Ok(opened) => opened,
        Err(failure) => return stream.tell(&failure, to),
    };
    let (destination, channel) = match Destination::new(to, &opened) {
        Ok(destination) => destination,
        Err(failure) => {
            let code = stream.tell(&failure, to);
            if let Err(failure) = opened.rescue() {
                stream.tell(&failure, to);
            }
            return code;
        }
    };
    let piped = opened.is_pipe();
    let result = match copy_mapped(stream, &opened, &destination) {
        Ok(false) => copy_ordinary(stream, opened, &destination, channel),
        Ok(true) => Ok(Copied::Checked),
        Err(failure) => Err(failure),
    };
    let (code, complete) = match &result {
        Ok(Copied::Checked) => (FINE, true),
        Ok(Copied::Unchecked(failure)) => (stream.tell(failure, to), true),
        Ok(Copied::CutShort(failure)) => (stream.tell(failure, to), false),
        // It was the output that could not go on.
        Err(Failure::Input(what)) if destination.is_full() => {
            (stream.tell(&Failure::Output(what.clone()), to), false)
        }
        Err(failure) => (stream.tell(failure, to), false),
    };
    let completed = if complete { destination.complete() } else { Ok(()) };
    if let Err(failure) = &completed {
        stream.tell(failure, to);
    }
    match (complete && completed.is_ok(), code) {
        (true, FINE) => {}
        (true, _) => {
            let to = files::name(to, "standard output");
            eprintln!("{to}: has all bytes of the stream; from there on they were not checked");
        }
        (false, _) if piped => destination.leave(to),
        (false, _) => destination.remove(),
    }
    if completed.is_ok() { code } else { FAILED }
}

/// Copies a file whose memory is mapped as a whole: it has holes, and the places of the pages must
/// stay. Whether it is such a file.
fn copy_mapped(
    stream: &Stream<'_>,
    opened: &Opened,
    destination: &Destination,
) -> Result<bool, Failure> {
    let Some((file, start)) = opened.file()? else { return Ok(false) };
    let handle = |file: &File| file.try_clone().map_err(|error| Failure::Input(error.to_string()));
    // What is no stream is refused when it is read.
    if !maps_ram(Box::new(handle(&file)?), start).unwrap_or(false) {
        return Ok(false);
    }
    let Some(to) = destination.file()? else {
        return Err(Failure::Output("mapped memory is copied into an ordinary file only".into()));
    };
    let mut report = Report::new(io::sink());
    stream.parse_opened(Box::new(handle(&file)?), start, &mut Discard, &mut report)?;
    sparse::copy(&file, &to)?;
    Ok(true)
}

/// Copies a stream whose memory is not mapped; `channel` writes to the destination.
fn copy_ordinary(
    stream: &Stream<'_>,
    opened: Opened,
    destination: &Destination,
    channel: Box<dyn WriteChannel>,
) -> Result<Copied, Failure> {
    // Both threads use one handle of the input. Elsewhere it has one position for all of them.
    let files = opened.file()?.zip(destination.file()?).filter(|_| cfg!(unix));
    let Reading { channel: input, start, progress } = opened.read(Some(destination))?;
    let result = match files {
        Some(((from, _), to)) => {
            vmstate::copy_file(input, &from, start, &to, stream.options).map(|()| Copied::Checked)
        }
        None => vmstate::copy(input, start, channel, stream.options),
    };
    progress.finish();
    result
}

/// Copies a stream and the channels of multifd that came with it into a new folder, under the names
/// that they have, and returns the exit code.
fn copy_all(stream: &Stream<'_>, to: &Path) -> u8 {
    let result = stream.open_file().and_then(|opened| {
        let folder = NewFolder::new(to)?;
        let copied = stream.convert(opened, &mut Discard).and_then(|()| {
            let paths = std::iter::once(stream.path).chain(stream.channels.iter().map(|it| &**it));
            paths.into_iter().try_for_each(|path| copy_into(folder.path(), path))
        });
        folder.end(copied)
    });
    result.map_or_else(|failure| stream.tell(&failure, to), |()| FINE)
}

/// Copies a file into a folder where none has its name.
fn copy_into(folder: &Path, path: &Path) -> Result<(), Failure> {
    let input = |error: io::Error| Failure::Input(format!("{}: {error}", path.display()));
    let from = File::open(path).map_err(input)?;
    let to = path.file_name().map_or_else(|| folder.into(), |name| folder.join(name));
    let output = |error: io::Error| Failure::Output(format!("{}: {error}", to.display()));
    let to = File::options().write(true).create_new(true).open(&to).map_err(output)?;
    sparse::copy(&from, &to)?;
    to.sync_all().map_err(|error| Failure::Output(error.to_string()))
}

/// Writes a stream in another form and returns the exit code.
fn convert(stream: &Stream<'_>, form: Form, to: &Path) -> u8 {
    let result = stream.open_file().and_then(|opened| {
        let (destination, channel) = Destination::new(to, &opened)?;
        let written = (|| match form {
            Form::Ordinary => {
                let mut output = ToOrdinary::new(channel).map_err(Failure::from_file)?;
                let read = stream.convert(opened, &mut output);
                output.finish(read)
            }
            Form::Mapped => {
                let Some(file) = destination.file()? else {
                    let what = "mapped memory is written into an ordinary file only";
                    return Err(Failure::Output(what.into()));
                };
                let mut output = ToMapped::new(file)?;
                let read = stream.convert(opened, &mut output);
                output.finish(read)
            }
        })();
        destination.end(written)
    });
    result.map_or_else(|failure| stream.tell(&failure, to), |()| FINE)
}

impl Stream<'_> {
    /// Opens it, unless it comes through a pipe, which only [`copy`] may read.
    fn open_file(&self) -> Result<Opened, Failure> {
        let opened = Opened::new(self.path, self.offset)?;
        if opened.is_pipe() {
            let what = "what comes through a pipe exists nowhere else: `copy` it into a file first";
            return Err(Failure::Input(what.into()));
        }
        Ok(opened)
    }

    fn convert(&self, opened: Opened, output: &mut impl Output) -> Result<(), Failure> {
        let Reading { channel, start, progress } = opened.read(None)?;
        let result = self.parse_opened(channel, start, output, &mut Report::new(io::sink()));
        progress.finish();
        result
    }
}

/// Prints where two streams differ and returns the exit code.
fn diff(one: &Stream<'_>, other: &Stream<'_>) -> u8 {
    let extracted = |stream: &Stream<'_>| {
        let folder = tempfile::tempdir().map_err(|error| Failure::Output(error.to_string()))?;
        let wishes = Wishes { all_devices: true, description: true, ..Wishes::default() };
        let mut extractor = Extractor::new(folder.path(), wishes);
        stream.parse(&mut extractor, io::sink())?;
        Ok((folder, extractor.page_size()))
    };
    let failed = |stream: &Stream<'_>, failure| stream.tell(&failure, &std::env::temp_dir());
    let (first, page_size) = match extracted(one) {
        Ok(extracted) => extracted,
        Err(failure) => return failed(one, failure),
    };
    let (second, _) = match extracted(other) {
        Ok(extracted) => extracted,
        Err(failure) => return failed(other, failure),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let equal = vmstate::diff(first.path(), second.path(), page_size, |difference| {
        let path = |first| if first { one.path.display() } else { other.path.display() };
        let printed = match difference {
            Difference::Only { first, name } => writeln!(out, "{name} only in {}", path(first)),
            Difference::OnlyField { first, name, field } => {
                writeln!(out, "{name} field={field} only in {}", path(first))
            }
            Difference::Field { name, field, offset, len } => {
                writeln!(out, "{name} field={field} offset={offset:#x} bytes={len}")
            }
            Difference::Bytes { name, offset, len } => {
                writeln!(out, "{name} offset={offset:#x} bytes={len}")
            }
        };
        printed.map_err(|error| Failure::Output(error.to_string()))
    });
    let flushed = out.flush().map_err(|error| Failure::Output(error.to_string()));
    match equal.and_then(|equal| flushed.map(|()| equal)) {
        Ok(true) => FINE,
        Ok(false) => DAMAGED,
        Err(failure) => one.tell(&failure, Path::new("-")),
    }
}

/// Writes the parts of a stream into a new folder and returns the exit code.
fn extract(stream: &Stream<'_>, wishes: Wishes, to: &Path) -> u8 {
    let result = NewFolder::new(to).and_then(|folder| {
        let mut extractor = Extractor::new(folder.path(), wishes);
        let parsed = stream.parse(&mut extractor, io::sink());
        folder.end(parsed.and_then(|()| extractor.finish()).map(drop))
    });
    result.map_or_else(|failure| stream.tell(&failure, to), |()| FINE)
}
