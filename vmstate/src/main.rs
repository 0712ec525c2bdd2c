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

mod program;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use program::arguments::{self, Arguments, Command};
use program::files::{self, Destination, Opened, Reading};
use vmstate::{Copied, Discard, Failure, Input, Options, Report, parse};

const FINE: u8 = 0;
/// The stream was not understood to its end.
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
    ExitCode::from(match &command {
        Command::Inspect(file) => match inspect(file, options) {
            Ok(()) => FINE,
            Err(failure) => tell(&failure, file, Path::new("-")),
        },
        Command::Copy(from, to) => copy(from, to, options),
    })
}

/// Prints a failure; the exit code for it.
fn tell(failure: &Failure, from: &Path, to: &Path) -> u8 {
    let (file, code) = match failure {
        Failure::Damaged { .. } => (files::name(from, "standard input"), DAMAGED),
        Failure::Input(_) => (files::name(from, "standard input"), FAILED),
        Failure::Output(_) => (files::name(to, "standard output"), FAILED),
    };
    eprintln!("{file}: {failure}");
    code
}

/// Prints what is in `file`.
fn inspect(file: &Path, options: Options) -> Result<(), Failure> {
    let Reading { channel, tail, progress } = Opened::new(file)?.read(None)?;
    let mut nothing = Discard;
    let mut input = Input::new(channel, tail, &mut nothing)?;
    let mut report = Report::new(BufWriter::new(progress.standard_output()));
    let result = parse(&mut input, &mut report, options);
    // What was found before the damage is printed, too.
    let printed = report.into_inner().flush().map_err(|error| Failure::Output(error.to_string()));
    progress.finish();
    result.and(printed)
}

/// Writes the stream in `from` to `to` and returns the exit code.
///
/// The bytes of a pipe exist nowhere else: QEMU believes that its machine is saved once it has written
/// them. So what has come stays on the disk under one name or another, and a sentence says which.
fn copy(from: &Path, to: &Path, options: Options) -> u8 {
    let opened = match Opened::new(from) {
        Ok(opened) => opened,
        Err(failure) => return tell(&failure, from, to),
    };
    let (destination, channel) = match Destination::new(to, &opened) {
        Ok(destination) => destination,
        Err(failure) => {
            let code = tell(&failure, from, to);
            if let Err(failure) = opened.rescue() {
                tell(&failure, from, to);
            }
            return code;
        }
    };
    let piped = opened.is_pipe();
    let result = opened.read(Some(&destination)).and_then(|from| {
        let result = vmstate::copy(from.channel, from.tail, channel, options);
        from.progress.finish();
        result
    });
    let (code, complete) = match &result {
        Ok(Copied::Checked) => (FINE, true),
        Ok(Copied::Unchecked(failure)) => (tell(failure, from, to), true),
        Ok(Copied::CutShort(failure)) => (tell(failure, from, to), false),
        // It was the output that could not go on.
        Err(Failure::Input(what)) if destination.is_full() => {
            (tell(&Failure::Output(what.clone()), from, to), false)
        }
        Err(failure) => (tell(failure, from, to), false),
    };
    let completed = if complete { destination.complete() } else { Ok(()) };
    if let Err(failure) = &completed {
        tell(failure, from, to);
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
