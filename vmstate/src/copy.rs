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

/// What was read is copied in pieces of about so many bytes ...
const PIECE: u64 = 4 << 20;
/// ... of which so many may wait. They are still in the system's cache when they are copied.
const WAITING: usize = 4;
const STOPPED: &str = "the copying has stopped";

/// Copies a stream as [`copy`] does, from an ordinary file into another one, which is empty.
///
/// `channel` reads `from`. Only what must be understood goes through it; another thread lets the system copy
/// the bytes, meanwhile.
pub fn copy_file<'a>(
    channel: Box<dyn ReadChannel + 'a>,
    from: &File,
    start: u64,
    to: &File,
    options: Options,
) -> Result<(), Failure> {
    let mut nothing = Discard;
    thread::scope(|scope| {
        let (reached, ends) = sync_channel(WAITING);
        let announced = Announced { channel, last: 0, reached: reached.clone() };
        let mut input = Input::new(Box::new(announced), start, &mut nothing)?;
        // From here on the input is read at positions of its own.
        let copier = scope.spawn(|| copy_pieces(from, to, ends));
        let nothing = &mut Report::new(io::sink());
        let parsed = parse(&mut input, nothing, Channels::default(), options);
        let end = input.position();
        drop(input);
        let checked =
            parsed.and_then(|()| reached.send(end).map_err(|_| Failure::Output(STOPPED.into())));
        drop(reached);
        // If the copier has stopped, it says why.
        let copied = copier.join().unwrap_or_else(|_| Err(Failure::Output(STOPPED.into())));
        copied.and(checked)
    })
}

/// Copies the beginning of a file, up to each of the offsets that come.
fn copy_pieces(mut from: &File, mut to: &File, ends: Receiver<u64>) -> Result<(), Failure> {
    let rewound = from.seek(io::SeekFrom::Start(0));
    rewound.map_err(|error| Failure::Input(error.to_string()))?;
    let mut copied = 0_u64;
    for end in ends {
        let len = end.saturating_sub(copied);
        let moved = io::copy(&mut from.take(len), &mut to);
        if moved.map_err(|error| Failure::Output(error.to_string()))? < len {
            return Err(Failure::Input("the file has become shorter".into()));
        }
        copied = end;
    }
    Ok(())
}

/// A file that is read in order; tells how far that has come.
struct Announced<'a> {
    channel: Box<dyn ReadChannel + 'a>,
    /// The last offset that was told.
    last: u64,
    reached: SyncSender<u64>,
}

impl Channel for Announced<'_> {
    fn features(&self) -> Features {
        self.channel.features()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        self.channel.seek(to)
    }
}

impl ReadChannel for Announced<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        self.channel.read(into)
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        let got = self.channel.read_at(into, position)?;
        if position.saturating_sub(self.last) >= PIECE {
            self.reached.send(position).map_err(|_| ChannelError::Other(STOPPED))?;
            self.last = position;
        }
        Ok(got)
    }
}
