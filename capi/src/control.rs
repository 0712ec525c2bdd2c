//! What both kinds of files share: errors as C knows them, and handles for other threads.

use alloc::boxed::Box;
use core::ffi::c_int;

use iov_iter::file::{Error, SeekFrom, Stopper};

use crate::channel::CChannel;
use crate::errno::{Answer, Errno, status};

/// `struct ioviter_control`.
pub struct Control {
    stopper: Stopper<CChannel>,
}

impl Control {
    pub(crate) fn new(stopper: Stopper<CChannel>) -> Self {
        Self { stopper }
    }
}

/// A file's error: as it was set, or a negative errno; 0 if there is none.
pub(crate) fn code(error: Option<Error>) -> c_int {
    match error {
        None => 0,
        Some(Error::Reported(code, _)) => code,
        Some(error) => Answer::error(error.into()),
    }
}

/// A position to move to.
pub(crate) fn seek_from(distance: i64, whence: c_int) -> Result<SeekFrom, Errno> {
    match whence {
        0 => u64::try_from(distance).map(SeekFrom::Start).map_err(|_| Errno::INVAL),
        1 => Ok(SeekFrom::Current(distance)),
        2 => Ok(SeekFrom::End(distance)),
        _ => Err(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_control_stop(control: Option<&Control>) -> c_int {
    match control {
        Some(control) => status(control.stopper.stop()),
        None => Answer::error(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_control_error(control: Option<&Control>) -> c_int {
    match control {
        Some(control) => code(control.stopper.control().error()),
        None => Answer::error(Errno::INVAL),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_control_set_error(control: Option<&Control>, error: c_int) -> c_int {
    let Some(control) = control else { return Answer::error(Errno::INVAL) };
    let control = control.stopper.control();
    code(match error {
        0 => control.error(),
        error => control.set_error(Error::Reported(error, "")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_control_set_rate_limit(control: Option<&Control>, limit: u64) {
    if let Some(control) = control {
        control.stopper.control().set_rate_limit(limit);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn ioviter_control_free(control: Option<Box<Control>>) {
    drop(control);
}
