//! Why a stream was not read to its end.

use std::{fmt, io};

use iov_iter::file::{ChannelError, Error};

/// Why a stream was not read to its end.
#[derive(Debug)]
pub enum Failure {
    /// The stream breaks a rule of the format.
    Damaged {
        /// Which file: 0 is the stream, 1 the first of the channels of multifd that came with it.
        file: usize,
        /// The first byte of the offending field, or the length of a stream that ends too early.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// The input could not be read.
    Input(String),
    /// The output, or the report, could not be written.
    Output(String),
}

impl Failure {
    /// The stream is damaged at `offset`.
    pub fn at(offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { file: 0, offset, what: what.into() }
    }

    /// The same in channel `file` of multifd, counted from 1.
    pub fn in_file(self, file: usize) -> Self {
        match self {
            Self::Damaged { offset, what, .. } => Self::Damaged { file, offset, what },
            other => other,
        }
    }

    /// What a channel reports that is read.
    pub fn from_input(error: ChannelError) -> Self {
        Self::from_file(Error::Read(error))
    }

    /// What a file reports that does not concern the contents of the stream.
    pub fn from_file(error: Error) -> Self {
        let what = match error {
            Error::Read(ChannelError::Os(errno)) | Error::Write(ChannelError::Os(errno)) => {
                io::Error::from_raw_os_error(errno).to_string()
            }
            error => error.to_string(),
        };
        match error {
            Error::Write(_) | Error::WriteZero | Error::Close(_) => Self::Output(what),
            _ => Self::Input(what),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { offset, what, .. } => {
                write!(f, "offset {offset:#x} ({offset}): {what}")
            }
            Self::Input(what) | Self::Output(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

/// Why an output did not take an element.
#[derive(Debug)]
pub enum Stopped {
    /// A file of the stream failed: the input in which the element is, or the output.
    File(Error),
    /// The element that is being read is damaged in this way.
    Damaged(&'static str),
    /// Anything else.
    Failed(Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
