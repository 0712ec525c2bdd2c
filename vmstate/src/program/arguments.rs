//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use vmstate::Options;

/// How to call the program.
pub const USAGE: &str = "\
Usage: vmstate inspect [--guess] [--page-size BYTES] FILE
       vmstate copy [--raw-tail] [--page-size BYTES] IN OUT

Reads a migration stream of QEMU. `-` is standard input or standard output.

  inspect     print what is in the stream
  copy        check the stream and write it again, byte for byte
  --guess     without a description, guess where the state of a device ends
  --raw-tail  copy everything from the first device on without reading it
  --page-size BYTES
              the size of the guest's pages, 1024 to 65536, for a stream that comes
              through a pipe and does not tell it: there it is guessed

What comes through a pipe is copied whole, whether it is understood or not. OUT is
replaced when the copy is complete; until then, and if the stream ends too early, the
bytes are in OUT.incomplete.

Exit code: 0 if all is well, 1 if the stream is damaged or not understood, 2 for wrong
usage and for files that cannot be read or written.
";

/// What the program was asked for.
#[derive(Debug)]
pub enum Arguments {
    Help,
    Run(Command, Options),
}

/// What to do, with which files.
#[derive(Debug)]
pub enum Command {
    Inspect(PathBuf),
    Copy(PathBuf, PathBuf),
}

impl Arguments {
    /// Those that the program was called with.
    pub fn parse() -> Result<Self, lexopt::Error> {
        let mut parser = Parser::from_env();
        let mut options = Options::default();
        let mut words = Vec::<OsString>::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(Self::Help),
                Arg::Long("guess") => options.guess = true,
                Arg::Long("raw-tail") => options.raw_tail = true,
                Arg::Long("page-size") => {
                    if !options.set_page_size(parser.value()?.parse()?) {
                        return Err("--page-size wants a power of two within 1024 to 65536".into());
                    }
                }
                Arg::Value(word) => words.push(word),
                other => return Err(other.unexpected()),
            }
        }
        let command = match (words.as_slice(), options) {
            ([word, file], Options { raw_tail: false, .. }) if word == "inspect" => {
                Command::Inspect(file.into())
            }
            ([word, from, to], Options { guess: false, .. }) if word == "copy" => {
                Command::Copy(from.into(), to.into())
            }
            _ => return Err("these arguments do not go together".into()),
        };
        Ok(Self::Run(command, options))
    }
}
