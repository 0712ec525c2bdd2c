//! Scatter-gather I/O for kernels, hypervisors and firmware.
//!
//! Data that belongs together often does not lie together: a header here, a payload there, pages
//! of a file elsewhere. This crate moves bytes in and out of such lists of segments: what Linux
//! does with `iov_iter` and QEMU with `util/iov` and `QEMUFile`, without panicking, with every fault
//! counted to the byte, and in its core without allocating.
//!
//! ```
//! use iov_iter::{IovIterDest, KVec};
//!
//! // Two buffers of a device driver, to be filled in this order.
//! let (mut header, mut payload) = ([0; 4], [0; 8]);
//! let segments = [KVec::from(&mut header), KVec::from(&mut payload)];
//! let mut iter = IovIterDest::from(&segments);
//!
//! iter.write_be(0xcafe_u16).unwrap();
//! assert_eq!(iter.copy_to_iter(b"..scattered"), 10);
//! iter.revert(3).unwrap();
//! assert_eq!(iter.zero(1), 1);
//! assert_eq!((&header, &payload), (b"\xca\xfe..", b"scatt\0re"));
//! ```
//!
//! # The types that matter
//!
//! ```text
//!   segments          KVec      memory that is borrowed    struct kvec
//!                     SharedVec memory that others write   struct iovec
//!                     IoVec     user addresses             struct iovec
//!                     BioVec    pages                      struct bio_vec
//!   one iterator      IovIter<'a, Source | Dest, Host>     struct iov_iter
//!   your kernel       Host { User: UserMemory, Page: Page }
//! ```
//!
//! - [`IovIter`] walks any kind of segment, copies, and references or pins pages. Its direction is a
//!   type: reading from a [`Dest`] or writing to a [`Source`] does not compile.
//! - [`SharedVec`] describes memory that others access at any time: a guest, a device, a C program.
//!   Copies of it are defined whatever they do; [`Shared`] says what a copy then promises. Everything
//!   that takes a [`KVec`] takes it, from any thread.
//! - [`Host`] names what the embedding kernel provides: its user memory, which may fault at any
//!   byte, and its pages, which must be mapped to be used. Firmware has neither and leaves it out.
//! - [`iov::View`] is for device models: a request as a whole vector, from which headers are peeled
//!   and put back, which is sent, received, compared and dumped.
//! - `file` is for live migration (feature `alloc`): buffered big-endian streams over
//!   channels, with pages that are queued where they lie.
//! - [`Cursor`] is the engine below: it walks, advances and reverts over any list of [`Segment`]s.
//!
//! A copy returns the number of bytes that moved, and the iterator advances by that many.
//! The forms named `full` move all or nothing. Empty segments change no result.
//!
//! The module `guide` has programs for the usual tasks (features `std` and `zerocopy-v0.8`), and
//! tells what differs from C. The repository has larger examples: `readv`, `virtio_blk`, `firmware`, `vhost-user-blk`,
//! `kernel-module`.
//! [`c_names`] has the Rust item for each function of Linux and QEMU.
//!
//! # Features
//!
//! - `alloc` adds `file`, and lists that grow on the heap: `Vec` for pages and scatter entries,
//!   [`InlineVec`] beyond its inline room, `IovIter::copy_from_iter_vec`. Allocation is fallible
//!   everywhere and never aborts. Files can be stopped from another thread only on targets with
//!   `target_has_atomic = "ptr"`.
//! - `bytes` makes iterators of borrowed bytes a `bytes::Buf`, and `SpaceMut` a `bytes::BufMut`.
//! - `embedded-io-v0.7` makes every [`IovIter`] a reader or a writer of the `embedded-io` traits, and
//!   whatever implements those a channel.
//! - `std` adds `os`: the memory of another Linux process as user memory, files and sockets that
//!   vectors are sent to and received from, and channels over files, sockets and pipes; checksums use
//!   AVX2 where the machine has it. It implies `alloc`.
//! - `vm-memory-v0.18` adds `guest`: guests of the `vm-memory` crate as hosts, and their descriptor
//!   chains as segments. It implies `alloc`.
//! - `zlib` adds compressed blocks to `file`. It implies `alloc`.
//! - `zerocopy-v0.8` reads and writes typed objects across segment borders.
//!
//! Without features the crate needs neither an allocator nor an operating system.
//!
//! # Promises
//!
//! - No public function panics, overflows or indexes out of bounds, whatever its input, and none
//!   aborts when memory runs out. A program that calls the core and what `alloc` adds is linked, with
//!   overflow checks on, without a panic handler.
//! - `unsafe` is needed only to implement what a [`Host`] provides, to describe memory by a raw
//!   pointer, to borrow bytes that others may write, and to reach the program's own memory as that of a
//!   process.
//! - The minimum Rust version is 1.88. Raising it is a minor release.
//!
//! `SAFETY.md` in the repository lists what is guaranteed, claim by claim, and the command that checks it.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// For atomic reads of memory that is only lent for reading; see `memory/defined/atomics.rs`.
#![cfg_attr(miri, feature(core_intrinsics), allow(internal_features))]
// Nothing that could panic; that nothing does is proved by `tests/no_panic`.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used,
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// The example in the README is tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;

#[doc = include_str!("c_names.md")]
// Without the features some of the items are not there; their names are plain text then.
#[cfg_attr(not(all(feature = "std", feature = "zlib")), allow(rustdoc::broken_intra_doc_links))]
pub mod c_names {}
mod cursor;
mod direction;
mod error;
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub mod file;
#[cfg(feature = "vm-memory-v0.18")]
#[cfg_attr(docsrs, doc(cfg(feature = "vm-memory-v0.18")))]
pub mod guest;
#[cfg(all(feature = "std", feature = "zerocopy-v0.8", target_os = "linux"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "std", feature = "zerocopy-v0.8"))))]
pub mod guide;
pub mod host;
pub mod iov;
mod iter;
mod list;
mod memory;
#[cfg(feature = "std")]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub mod os;
pub mod segment;

pub use cursor::{Cursor, SegmentRange};
pub use direction::{Dest, Direction, Source};
pub use error::Error;
#[doc(inline)]
pub use host::{CopyFlags, Host, KernelOnly, Page, PageFlags, UserMemory};
#[cfg(feature = "bytes")]
#[cfg_attr(docsrs, doc(cfg(feature = "bytes")))]
pub use iter::SpaceMut;
pub use iter::{
    Abi, Chained, Checksum, Chunk, Chunks, DupStorage, FoundPages, HeldPage, Integer, Interrupted,
    IovIter, IovIterDest, IovIterSource, Kind, LookupCursor, PageLookup, PageRange, PageSegment,
    Retention, ScatterEntry, State, TransferError, UserCursor, UserPiece, copy_iter_to_iter,
};
pub use list::{InlineVec, List};
pub use memory::{Access, Exclusive, FLUSHES_CACHE, ManyThreads, Piece, Shared};
#[doc(inline)]
pub use segment::{
    BioVec, IoVec, KVec, MAX_SEGMENTS, MemVec, Position, Segment, Segments, SharedVec, Uniform,
};
