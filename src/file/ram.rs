//! Hooks: another way for the pages of guest RAM, such as RDMA.
//!
//! ```text
//!   the RAM section:  before_iterate ─► save_page ... save_page ─► after_iterate
//!                                          │
//!                         Sent / Delayed ◄─┴─► NotSupported: put the page into the stream
//! ```
//!
//! The hooks are passed to the calls instead of living in the file, so they can use the file and
//! be anything, from a unit struct to a trait object.

/// When a hook is called. The discriminants are those of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum RamControl {
    /// The RAM section is being set up.
    #[doc(alias = "RAM_CONTROL_SETUP")]
    Setup = 0,
    /// A round over dirty pages.
    #[doc(alias = "RAM_CONTROL_ROUND")]
    Round = 1,
    /// The stream itself asks for the hook.
    #[doc(alias = "RAM_CONTROL_HOOK")]
    Hook = 2,
    /// The last round.
    #[doc(alias = "RAM_CONTROL_FINISH")]
    Finish = 3,
    /// A block of RAM is announced.
    #[doc(alias = "RAM_CONTROL_BLOCK_REG")]
    BlockRegister = 4,
}

/// The flag of a RAM record that makes the loader call the load hook.
pub const RAM_SAVE_FLAG_HOOK: u64 = 0x80;

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RamPage {
    /// Start of the block in the address space of guest RAM.
    pub block: u64,
    /// Offset of the page in the block, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Hooks that support nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;
