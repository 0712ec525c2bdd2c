//! Reads and copies migration streams of QEMU: guest memory and device state in one file.
//!
//! ```text
//! vmstate inspect FILE     prints what is in a stream
//! vmstate copy IN OUT      reads a stream and writes it again, byte for byte
//! ```
//!
//! A stream is made by QEMU's monitor command `migrate "exec:cat > FILE"`, and loaded by
//! `qemu-system-x86_64 ... -incoming "exec:cat FILE"`. Everything is read through
//! [`FileReader`](iov_iter::file::FileReader) and written through
//! [`FileWriter`](iov_iter::file::FileWriter), pages of guest memory without copying them into its
//! buffer.

mod arguments;
mod files;
mod migration;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use files::{Destination, Opened};
use migration::{Copier, Discard, Failure, Input, Options, Report, parse};

/// The stream is damaged.
const DAMAGED: u8 = 1;
/// The program was called wrongly, or a file could not be read or written.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let (command, options) = match Arguments::parse() {
        Ok(Arguments::Help) => {
            print!("{}", arguments::USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Arguments::Run(command, options)) => (command, options),
        Err(error) => {
            eprintln!("vmstate: {error}\n{}", arguments::USAGE);
            return ExitCode::from(FAILED);
        }
    };
    let (result, from, to) = match &command {
        Command::Inspect(file) => (inspect(file, options), file.as_path(), Path::new("-")),
        Command::Copy(from, to) => (copy(from, to, options), from.as_path(), to.as_path()),
    };
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let (file, code) = match failure {
        Failure::Damaged { .. } => (files::name(from, "standard input"), DAMAGED),
        Failure::Input(_) => (files::name(from, "standard input"), FAILED),
        Failure::Output(_) => (files::name(to, "standard output"), FAILED),
    };
    eprintln!("{file}: {failure}");
    ExitCode::from(code)
}

/// Prints what is in `file`.
fn inspect(file: &Path, options: Options) -> Result<(), Failure> {
    let Opened { channel, tail, progress, .. } = Opened::new(file)?;
    let mut nothing = Discard;
    let mut input = Input::new(channel, tail, &mut nothing)?;
    let mut report = Report::new(BufWriter::new(progress.standard_output()));
    let result = parse(&mut input, &mut report, options);
    // What was found before the damage is printed, too.
    let printed = report.into_inner().flush().map_err(|error| Failure::Output(error.to_string()));
    progress.finish();
    result.and(printed)
}

/// Writes the stream in `from` to `to`.
fn copy(from: &Path, to: &Path, options: Options) -> Result<(), Failure> {
    let opened = Opened::new(from)?;
    let (destination, channel) = Destination::new(to, &opened)?;
    let Opened { channel: source, tail, progress, .. } = opened;
    let mut output = Copier::new(channel).map_err(Failure::from_file)?;
    let result = Input::new(source, tail, &mut output)
        .and_then(|mut input| parse(&mut input, &mut Report::new(std::io::sink()), options));
    progress.finish();
    let result = match result {
        Ok(()) => output.close().map_err(Failure::from_file),
        Err(failure) => {
            output.abandon();
            Err(failure)
        }
    };
    if result.is_err() {
        destination.remove();
    }
    result
}
