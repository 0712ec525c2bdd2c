//! The Rust half of a Linux module: the crate's iterators over this kernel's memory.
//!
//! ```text
//!   user/ioviter.c     a program: readv, writev, ioctl
//!   ───────────────────────────────────────────────────────────
//!   c/device.c         /dev/ioviter          c/compare.c   /dev/ioviter-compare
//!        │                                        │
//!   device.rs          serves it             selftest.rs   compare/   cost.rs
//!        └────────────── iov_iter ────────────────┤             │
//!   host.rs            user memory, pages         │        kernel.rs   the kernel's own iov_iter
//!        │                                        │             │
//!   c/host.c ─────────── the kernel ──────────────┴─────────────┘
//! ```
#![no_std]

mod compare;
mod cost;
mod device;
mod entry;
mod host;
mod kernel;
mod log;
mod random;
mod selftest;

use core::panic::PanicInfo;

/// Nothing in the crate panics; should the tests do, the kernel stops with a report.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    log::line!("{info}");
    // SAFETY: the instruction that the kernel's own `BUG()` is: it does not return.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
