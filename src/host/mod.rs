//! What the embedding kernel provides: user memory, pages, and a [`Host`] that names both.
//!
//! ```text
//!   your kernel, hypervisor or firmware           this crate
//!   ───────────────────────────────────           ─────────────────────────
//!   UserMemory: copy, probe, map, pin    ◄─────   IovIter over IoVec
//!   Page:       map, reference, pin      ◄─────   IovIter over BioVec
//!   (nothing)                            ◄─────   IovIter over KVec: KernelOnly
//! ```
//!
//! A host that lacks user memory or pages names the uninhabited [`NoUser`] or [`NoPage`]; the
//! compiler then removes those kinds from the machine code. [`KernelOnly`], the default, lacks
//! both.

mod page;
mod user;

pub use page::{NoPage, Page, PageFlags};
pub(crate) use page::{on_pages, page_and_offset};
pub use user::{CopyFlags, NoUser, UserMemory};

use crate::direction::{Dest, Source};
use crate::memory::Piece;

/// The types an [`IovIter`](crate::IovIter) is built on, chosen by the embedding kernel.
///
/// ```
/// use iov_iter::host::{Host, NoPage, NoUser};
///
/// /// Firmware for a machine with 16 KiB pages and no user space.
/// enum Firmware {}
///
/// impl Host for Firmware {
///     type Page = NoPage<{ 16 * 1024 }>;
///     type User = NoUser<Self::Page>;
/// }
/// ```
pub trait Host {
    /// The pages of [`BioVec`](crate::BioVec) segments. Their size is the page size everywhere.
    type Page: Page;
    /// The memory of [`IoVec`](crate::IoVec) segments.
    type User: UserMemory<Page = Self::Page>;
    /// Whether iterators also walk [`SharedVec`](crate::SharedVec) segments, memory that others write.
    ///
    /// Without them there is no machine code for that.
    const SHARED: bool = true;
    /// Whether iterators also walk [chains](crate::segment::Chain) of segments.
    ///
    /// Without them there is no machine code for that.
    const CHAINS: bool = true;

    /// Copies `src` to `dst`. Either may be poisoned. Returns the bytes copied before
    /// the poison.
    ///
    /// The provided form is for machines that cannot recover from poison: a plain copy. The trait is safe to
    /// implement, so unsafe code must not conclude from the result that bytes of `dst` are initialised, or
    /// that they are those of `src`. This crate does not; it only cuts a result that exceeds the shorter
    /// piece.
    #[doc(alias = "copy_mc_to_kernel")]
    fn copy_machine_check(src: Piece<'_, Source>, dst: Piece<'_, Dest>) -> usize {
        src.copy_to(dst)
    }
}

/// The host without user memory and without pages: memory that is borrowed only, in lists.
#[derive(Clone, Copy, Debug)]
pub enum KernelOnly {}

impl Host for KernelOnly {
    type Page = NoPage;
    type User = NoUser;
    const SHARED: bool = false;
    const CHAINS: bool = false;
}

/// The host without user memory and without pages: memory that is borrowed, and memory that others
/// write, in lists and chains.
///
/// An iterator that is made from [`SharedVec`](crate::SharedVec) segments has this host.
#[derive(Clone, Copy, Debug)]
pub enum SharedOnly {}

impl Host for SharedOnly {
    type Page = NoPage;
    type User = NoUser;
}
