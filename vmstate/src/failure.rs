//! Why a stream was not read to its end.

use std::{fmt, io};

use iov_iter::file::{ChannelError, Error};

/// Why a stream was not read to its end.
#[derive(Debug)]
pub enum Failure {
    /// The stream breaks a rule of the format.
    Damaged {
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
        Self::Damaged { offset, what: what.into() }
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
            Self::Damaged { offset, what } => write!(f, "offset {offset:#x} ({offset}): {what}"),
            Self::Input(what) | Self::Output(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}
