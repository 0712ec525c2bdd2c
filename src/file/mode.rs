//! The names of the directions in which a file can be opened.

use core::str::FromStr;

use super::error::Error;

/// Which of the two kinds of file to open, for programs that are told at run time.
///
/// ```
/// use iov_iter::file::{Error, Mode};
///
/// assert_eq!("rb".parse(), Ok(Mode::Read));
/// assert_eq!("wb".parse(), Ok(Mode::Write));
/// for invalid in ["", "r", "rbx", "ab"] {
///     assert_eq!(invalid.parse::<Mode>(), Err(Error::InvalidMode));
/// }
/// ```
#[doc(alias = "qemu_file_mode_is_not_valid")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A [`FileReader`](super::FileReader), named `rb`.
    Read,
    /// A [`FileWriter`](super::FileWriter), named `wb`.
    Write,
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "rb" => Ok(Self::Read),
            "wb" => Ok(Self::Write),
            _ => Err(Error::InvalidMode),
        }
    }
}
