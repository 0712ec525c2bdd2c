//! The error of taking a channel out of a writing file.

use core::fmt;

use crate::file::error::Error;

/// Why a file could not give its channel back, and the file.
///
/// As `std::io::IntoInnerError`; see [`FileWriter::into_inner`](crate::file::FileWriter::into_inner).
///
/// ```
/// use iov_iter::file::{Error, FileWriter, Scratch};
///
/// let mut writer = FileWriter::new(Scratch)?;
/// writer.put_byte(1)?;
/// let failed = writer.into_inner().unwrap_err();
/// assert_eq!(failed.error(), Error::WouldBlock);
/// let writer = failed.into_inner();
/// assert_eq!(writer.pending(), 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct IntoInnerError<W> {
    file: W,
    error: Error,
}

impl<W> IntoInnerError<W> {
    pub(super) const fn new(file: W, error: Error) -> Self {
        Self { file, error }
    }

    /// Why what was pending could not be sent.
    #[must_use]
    pub const fn error(&self) -> Error {
        self.error
    }

    /// Returns the file, with what is pending.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.file
    }
}

impl<W> fmt::Display for IntoInnerError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<W: fmt::Debug> core::error::Error for IntoInnerError<W> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Drops the file.
impl<W> From<IntoInnerError<W>> for Error {
    fn from(failed: IntoInnerError<W>) -> Self {
        failed.error
    }
}
