//! A guide: what to write for the usual tasks, in programs that compile.
//!
//! | You write | Chapter |
//! |---|---|
//! | a system call of a kernel, on memory of a process | [`readv`] |
//! | a device of a virtual machine, on memory of the guest | [`device`] |
//! | a network stack, on packets of several pieces | [`packet`] |
//! | live migration, or another stream of states and pages | [`migration`] |
//! | a program that must not wait, or an asynchronous one | [`nonblocking`] |
//! | what was written in C before | [`porting`] |
//!
//! The examples of the repository are longer: `readv` imports segments of another process,
//! `virtio_blk` serves a block device from guest memory, `firmware` boots from a disk without an
//! allocator, `kernel-module` serves a character device inside Linux.
//!
//! [`architecture`] is for readers of the source.

#[doc = include_str!("readv.md")]
pub mod readv {}

#[doc = include_str!("device.md")]
pub mod device {}

#[doc = include_str!("packet.md")]
pub mod packet {}

#[doc = include_str!("migration.md")]
pub mod migration {}

#[doc = include_str!("nonblocking.md")]
pub mod nonblocking {}

#[doc = include_str!("porting.md")]
pub mod porting {}

#[doc = include_str!("../../docs/architecture.md")]
pub mod architecture {}
