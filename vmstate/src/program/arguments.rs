//! The command line.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use vmstate::{Options, is_page_size};

/// Reads, checks, converts and extracts what QEMU writes when it saves or migrates a machine.
///
/// FILE is a migration stream: what `migrate "exec:cat > FILE"` or `migrate file:FILE` writes, with the
/// memory in records or mapped (mapped-ram), or a save image of libvirt that is not compressed. Files
/// of the channels of multifd follow that of the main stream. `-` is standard input or output.
#[derive(Debug, Parser)]
#[command(name = "vmstate", version, after_help = AFTER)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Examples:
  vmstate inspect saved.mig
  vmstate inspect --json main.mig channel0 channel1 | jq 'select(.element == \"block\")'
  zstd -dc saved.zst | vmstate check -
  vmstate convert --to mapped saved.mig mapped.mig
  vmstate convert --to ordinary main.mig channel0 channel1 saved.mig
  vmstate extract --description --device timer saved.mig folder
  (qemu) migrate \"exec:vmstate copy - saved.mig\"

No output has its name before it is complete and on the disk; until then it is called
NAME.incomplete. What comes through a pipe exists nowhere else: `copy` copies it whole, whether it is
understood or not, and keeps what it has if it cannot finish.

Exit code: 0 if all is well, 1 if a stream is damaged or not understood, or if `diff` has found
something, 2 for wrong usage and for files that cannot be read or written.";

/// What to do, with which files.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what is in a stream: a line for each element
    #[command(after_help = JSON)]
    Inspect {
        #[command(flatten)]
        reading: Reading,
        /// Print an object of JSON in each line
        #[arg(long)]
        json: bool,
        /// Without a description, guess where the state of a device ends
        #[arg(long)]
        guess: bool,
        #[command(flatten)]
        input: Input,
    },
    /// Check a stream: the exit code says whether all is well, one line what is wrong and where
    Check {
        #[command(flatten)]
        reading: Reading,
        #[command(flatten)]
        input: Input,
    },
    /// Check a stream and write it again, byte for byte
    ///
    /// With channels of multifd OUT is a new folder, where each file has its own name.
    Copy {
        #[command(flatten)]
        reading: Reading,
        /// Copy everything from the first device on without reading it
        #[arg(long)]
        raw_tail: bool,
        /// The stream, the channels of multifd, the output
        #[arg(num_args = 2.., required = true, value_name = "IN [CHANNEL...] OUT")]
        files: Vec<PathBuf>,
    },
    /// Write the same machine in the other form; pages of multifd become part of it
    Convert {
        #[command(flatten)]
        reading: Reading,
        /// The form of the output
        #[arg(long, value_name = "FORM")]
        to: Form,
        /// The stream, the channels of multifd, the output
        #[arg(num_args = 2.., required = true, value_name = "IN [CHANNEL...] OUT")]
        files: Vec<PathBuf>,
    },
    /// Write each block of memory into a file of its own, DIR/NAME.raw, with holes for zeros
    ///
    /// A slash in the name of a block or a device becomes `_`, a byte that is not printable `\xNN`.
    Extract {
        #[command(flatten)]
        reading: Reading,
        /// Also the payload of the devices of this name: DIR/NAME.INSTANCE.device, for the second one with
        /// this name and instance DIR/NAME.INSTANCE-2.device
        #[arg(long = "device", value_name = "NAME")]
        devices: Vec<String>,
        /// Also the payloads of all devices
        #[arg(long)]
        all_devices: bool,
        /// Also the description of the devices: DIR/description.json
        #[arg(long)]
        description: bool,
        /// The stream, the channels of multifd, the new folder
        #[arg(num_args = 2.., required = true, value_name = "FILE [CHANNEL...] DIR")]
        files: Vec<PathBuf>,
    },
    /// Tell in which pages of memory, and in which fields of which devices, two streams differ
    ///
    /// A device that has no description is compared byte by byte. Both streams are extracted into the
    /// folder for temporary files.
    Diff {
        #[command(flatten)]
        reading: Reading,
        one: PathBuf,
        other: PathBuf,
        /// The files of the channels of multifd of the first stream
        #[arg(long, value_name = "CHANNEL")]
        channel: Vec<PathBuf>,
        /// Those of the other one
        #[arg(long, value_name = "CHANNEL")]
        other_channel: Vec<PathBuf>,
    },
    /// Print a script that completes commands in a shell
    Completions { shell: clap_complete::Shell },
    /// Write manual pages into a folder: vmstate.1, and one for each command
    Man {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

const JSON: &str = "\
With --json each line is an object. Its `element` is the first word of the text, and its other keys are
those of the text, in the same order; numbers are numbers. Where the text has a value without a key, the
key is `name` of a block, `machine` of a configuration, `form` of a device, `present` of footers, `kind`.
Where the text says `none` the value is null. The last object has the element `ok`; without it the stream
was not read to its end. Keys may be added, none is changed.";

#[derive(Debug, Args)]
pub struct Input {
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The files of the channels of multifd
    #[arg(value_name = "CHANNEL")]
    pub channels: Vec<PathBuf>,
}

/// How to read a stream.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reading {
    /// The size of the guest's pages, 256 to 65536, for a stream that comes through a pipe and does
    /// not tell it: there it is guessed
    #[arg(long, value_name = "BYTES", value_parser = page_size)]
    pub page_size: Option<u64>,
    /// Where the stream begins in its file, if that is not at its start, nor after zeros or the header
    /// of a save image, where it is found
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub offset: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Memory in records, as in a stream over a socket or a pipe
    Ordinary,
    /// Memory at places of the file that do not change (capability `mapped-ram`)
    Mapped,
}

impl Reading {
    pub fn options(self) -> Options {
        Options { page_size: self.page_size, ..Options::default() }
    }
}

/// Prints the script for a shell.
pub fn print_completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Arguments::command(), "vmstate", &mut std::io::stdout());
}

/// Writes the manual pages into a folder, which is made if it is not there.
pub fn write_manual(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}

fn number(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|error| error.to_string())
}

fn page_size(text: &str) -> Result<u64, String> {
    let size = number(text)?;
    let wrong = || "not a power of two within 256 to 65536".to_string();
    is_page_size(size).then_some(size).ok_or_else(wrong)
}
