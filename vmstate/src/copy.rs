//! Copying a stream: checked on the way, and whole whatever is in it.

use crate::{Channels, Copier, Failure, Input, Options, Output, Report, parse};
use iov_iter::file::{Error, Features, FileReader, ReadChannel, SeekFrom, WriteChannel};

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
