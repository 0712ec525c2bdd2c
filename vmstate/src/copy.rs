//! Copying a stream: checked on the way, and whole whatever is in it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::{Channels, Copier, Discard, Failure, Input, Options, Output, Report, parse};
use iov_iter::file::{
    Channel, ChannelError, Error, Features, FileReader, ReadChannel, SeekFrom, WriteChannel,
};
use iov_iter::{Dest, Piece};

/// How a copy ended that has all bytes of its input.
#[derive(Debug)]
pub enum Copied {
    /// The stream was understood.
    Checked,
    /// It was understood up to this failure. The bytes after it were copied unread.
    Unchecked(Failure),
    /// It ended within an element, if it was understood rightly.
    CutShort(Failure),
}

/// Copies a stream that begins at `start`, and the bytes before it without reading them.
///
/// What comes through a pipe, whose end cannot be looked up, exists nowhere else: whoever sent it is
/// told that all is well and forgets it. So all of it is written, also where it is not understood. Of
/// a file nothing more is written after a failure.
pub fn copy<'a, W: WriteChannel>(
    mut from: Box<dyn ReadChannel + 'a>,
    start: u64,
    to: W,
    options: Options,
) -> Result<Copied, Failure> {
    let piped = !from.features().contains(Features::SEEKABLE);
    let mut output = Copier::new(to).map_err(Failure::from_file)?;
    let copied = copy_beginning(&mut *from, start, &mut output);
    let input = copied.and_then(|()| Input::new(from, start, &mut output));
    let result = input.and_then(|mut input| {
        match parse(&mut input, &mut Report::new(std::io::sink()), Channels::default(), options) {
            Ok(()) => Ok(Copied::Checked),
            Err(failure @ Failure::Damaged { offset, .. }) if piped => {
                input.pass_rest()?;
                // Damage at the end is that there is an end.
                let cut_short = offset == input.position();
                Ok(if cut_short { Copied::CutShort(failure) } else { Copied::Unchecked(failure) })
            }
            Err(failure) => Err(failure),
        }
    });
    match result {
        Ok(copied) => output.close().map(|()| copied).map_err(Failure::from_file),
        Err(failure) if piped => {
            // What has come is kept, if it can be. The first failure is the one to tell.
            let _ = output.close();
            Err(failure)
        }
        Err(failure) => {
            output.abandon();
            Err(failure)
        }
    }
}

/// Copies the bytes before `start`. A file that has fewer is refused where the stream is read.
fn copy_beginning<W: WriteChannel>(
    from: &mut dyn ReadChannel,
    start: u64,
    to: &mut Copier<W>,
) -> Result<(), Failure> {
    if start == 0 {
        return Ok(());
    }
    from.seek(SeekFrom::Start(0)).map_err(Failure::from_input)?;
    let mut reader = FileReader::new(from).map_err(Failure::from_file)?;
    match to.pass(&mut reader, start) {
        Ok(()) | Err(Error::UnexpectedEof) => Ok(()),
        Err(error) => Err(Failure::from_file(error)),
    }
}

/// A file is copied in pieces of so many bytes ...
const PIECE: u64 = 1 << 20;
/// ... of which so many may wait to be checked. They are still in the cache of the processor or the system.
const WAITING: usize = 4;
/// There are no more pieces.
const ALL: u64 = u64::MAX;
const STOPPED: &str = "the copying has stopped";

/// Copies a stream as [`copy`] does, from an ordinary file into another one, which is empty.
///
/// `channel` reads `from`. Only what must be understood goes through it: another thread lets the system copy
/// the bytes, a little before they are checked.
pub fn copy_file<'a>(
    channel: Box<dyn ReadChannel + 'a>,
    from: &File,
    start: u64,
    to: &File,
    options: Options,
) -> Result<(), Failure> {
    let (sender, pieces) = sync_channel(WAITING);
    thread::scope(|scope| {
        let mut nothing = Discard;
        let follower = Box::new(Follower { channel, copied: 0, pieces: &pieces });
        let mut input = Input::new(follower, start, &mut nothing)?;
        // From here on the input is read at positions of its own.
        let copier = scope.spawn(|| copy_pieces(from, to, sender));
        let report = &mut Report::new(io::sink());
        let parsed = parse(&mut input, report, Channels::default(), options);
        let end = input.position();
        drop(input);
        if parsed.is_ok() {
            pieces.iter().for_each(drop);
        }
        // This ends the copier, if it has not ended.
        drop(pieces);
        let copied = copier.join().unwrap_or_else(|_| Err(Failure::Output(STOPPED.into())))?;
        parsed?;
        if copied == end {
            return Ok(());
        }
        Err(Failure::Input("the length of the file has changed meanwhile".into()))
    })
}

/// Copies a file and tells after each piece how many bytes were copied, as long as somebody listens. Returns
/// how many they were.
fn copy_pieces(mut from: &File, mut to: &File, sender: SyncSender<u64>) -> Result<u64, Failure> {
    let rewound = from.seek(io::SeekFrom::Start(0));
    rewound.map_err(|error| Failure::Input(error.to_string()))?;
    let mut copied = 0_u64;
    loop {
        let piece = io::copy(&mut from.take(PIECE), &mut to).map_err(|error| {
            // Whose error it is, is not told. A read that failed fails again.
            match io::copy(&mut from.take(1), &mut io::sink()) {
                Ok(_) => Failure::Output(error.to_string()),
                Err(error) => Failure::Input(error.to_string()),
            }
        })?;
        copied = copied.saturating_add(piece);
        let told = sender.send(if piece == 0 { ALL } else { copied });
        if piece == 0 || told.is_err() {
            return Ok(copied);
        }
    }
}

/// Reads a file after it was copied.
struct Follower<'a, 'p> {
    channel: Box<dyn ReadChannel + 'a>,
    /// How many bytes were copied.
    copied: u64,
    pieces: &'p Receiver<u64>,
}

impl Channel for Follower<'_, '_> {
    fn features(&self) -> Features {
        self.channel.features()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        self.channel.seek(to)
    }
}

impl ReadChannel for Follower<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.channel.read(into)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        while position >= self.copied {
            self.copied = self.pieces.recv().map_err(|_| ChannelError::Other(STOPPED))?;
        }
        self.channel.read_at(into, position)
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_of_the_file_that_has_it() {
        let (sender, _pieces) = sync_channel(WAITING);
        let copy = |from: &str, to: &File| {
            copy_pieces(&File::open(from).unwrap(), to, sender.clone()).unwrap_err()
        };
        let writable = File::options().write(true).open("/dev/null").unwrap();
        let readable = File::open("/dev/null").unwrap();
        // The first bytes of the address space are never mapped.
        assert!(matches!(copy("/proc/self/mem", &writable), Failure::Input(_)));
        assert!(matches!(copy("/proc/self/exe", &readable), Failure::Output(_)));
    }
}
