//! The C interface of `iov_iter`. `include/iov_iter.h` documents it; here is how it is made.
//!
//! ```text
//!   vector                    whole arrays of struct iovec      ioviter_vec_*
//!   iter                      the iterator                      ioviter_*
//!   writer, reader, control   buffered streams                  ioviter_writer_*, ioviter_reader_*, ioviter_control_*
//!   buffer, compress          buffers that grow, zlib             ioviter_buffer_*, ioviter_deflater_*, ioviter_inflater_*
//!   channel                   what carries a stream: functions of C
//!   memory, handle, errno     memory of C, things that C holds, errors
//!   socket                    sendmsg and recvmsg                feature `std`
//!   qemu                      the names of QEMU's util/iov.c    feature `qemu`
//! ```
//!
//! Memory of C callers is memory that others may write, so it is accessed as
//! [shared](iov_iter::Shared). Whatever the arguments, nothing panics: results are counts or negative errno
//! values. A handle is `Option<&mut T>`: C promises that it is null or live, and that one thread uses it at a time.

#![no_std]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "the header documents the functions")]
#![allow(private_interfaces, reason = "C sees none of the types")]

#[cfg(not(panic = "abort"))]
compile_error!("a panic must not pass into C: build with panic = \"abort\"");

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(not(feature = "std"))]
mod alone;
mod buffer;
mod channel;
#[cfg(feature = "zlib")]
mod compress;
mod control;
mod errno;
mod handle;
mod iter;
mod memory;
#[cfg(feature = "qemu")]
mod qemu;
mod reader;
#[cfg(feature = "std")]
mod socket;
mod vector;
mod writer;
