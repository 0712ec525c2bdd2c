//! The C interface of `iov_iter`. `include/iov_iter.h` documents it; here is how it is made.
//!
//! ```text
//!   vector     whole arrays of struct iovec       ioviter_vec_*
//!   iter       the iterator                       ioviter_*
//!   writer     buffered streams, written          ioviter_writer_*
//!   reader     buffered streams, read             ioviter_reader_*
//!   control    a stream and other threads         ioviter_control_*
//!   compress   compressed blocks of streams       ioviter_deflater_*, ioviter_inflater_*    feature `zlib`
//!   buffer     buffers that grow                  ioviter_buffer_*
//!   qemu       QEMU's util/iov.c                  iov_*, qemu_iovec_*                       feature `qemu`
//!
//!   channel    what carries a stream: functions of C
//!   memory     memory of C
//!   handle     things on the heap that C holds
//!   errno      errors
//!   socket     sendmsg and recvmsg                feature `std`
//!   alone      allocator and panic handler        without `std`
//! ```
//!
//! Memory of C callers is memory that others may write, so it is accessed as
//! [shared](iov_iter::Shared). Whatever the arguments, nothing panics: results are counts or negative errno
//! values. A handle is `Option<&mut T>`: C promises that it is null or live, and that one thread uses it at a
//! time.

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
