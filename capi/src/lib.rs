//! The C interface of `iov_iter`. `include/iov_iter.h` documents it; here is how it is made.
//!
//! ```text
//!   vector     whole arrays of struct iovec        ioviter_vec_*
//!   file       buffered streams over channels      ioviter_writer_*, ioviter_reader_*
//!   qemu       the names of QEMU's util/iov.c      feature `qemu`
//! ```
//!
//! Memory of C callers is memory that others may write, so it is accessed as
//! [shared](iov_iter::Shared). Whatever the arguments, nothing panics: results are counts or negative errno
//! values.

#![no_std]

#[cfg(not(panic = "abort"))]
compile_error!("a panic must not pass into C: build with panic = \"abort\"");

#[cfg(feature = "std")]
extern crate std;

#[cfg(not(feature = "std"))]
mod alone;
mod errno;
#[cfg(feature = "qemu")]
mod qemu;
mod vector;
