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

use super::channel::{ReadChannel, WriteChannel};
use super::error::Error;
use super::{FileReader, FileWriter};

/// When a hook is called. The discriminants are those of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
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

/// What a hook did with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageSaved {
    /// It was sent in so many bytes, not through the stream.
    Sent(u64),
    /// It will be sent later.
    #[doc(alias = "RAM_SAVE_CONTROL_DELAYED")]
    Delayed,
    /// It was not: the page belongs into the stream.
    #[doc(alias = "RAM_SAVE_CONTROL_NOT_SUPP")]
    NotSupported,
}

/// What a load hook did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loaded {
    /// It did what was asked.
    Handled,
    /// It has nothing to do with it.
    NotSupported,
}

/// Hooks of the saving side. Failures are codes of the hook's own choice, negative in QEMU.
#[doc(alias = "QEMUFileHooks")]
#[doc(alias = "qemu_file_set_hooks")]
pub trait SaveHooks<'buf, C: WriteChannel> {
    /// Called before pages are saved.
    ///
    /// # Errors
    ///
    /// A code, which becomes the error of the file.
    #[doc(alias = "before_ram_iterate")]
    fn before_iterate(
        &mut self,
        file: &mut FileWriter<'buf, C>,
        when: RamControl,
    ) -> Result<(), i32> {
        let (_, _) = (file, when);
        Ok(())
    }

    /// Called after pages were saved.
    ///
    /// # Errors
    ///
    /// A code, which becomes the error of the file.
    #[doc(alias = "after_ram_iterate")]
    fn after_iterate(
        &mut self,
        file: &mut FileWriter<'buf, C>,
        when: RamControl,
    ) -> Result<(), i32> {
        let (_, _) = (file, when);
        Ok(())
    }

    /// Called for every page.
    ///
    /// # Errors
    ///
    /// A code, which becomes the error of the file.
    fn save_page(
        &mut self,
        file: &mut FileWriter<'buf, C>,
        page: RamPage,
    ) -> Result<PageSaved, i32> {
        let (_, _) = (file, page);
        Ok(PageSaved::NotSupported)
    }
}

/// Hooks of the loading side.
#[doc(alias = "QEMUFileHooks")]
pub trait LoadHooks<C: ReadChannel> {
    /// Called while RAM is loaded.
    ///
    /// # Errors
    ///
    /// A code, which becomes the error of the file.
    #[doc(alias = "hook_ram_load")]
    fn load(&mut self, file: &mut FileReader<C>, when: RamControl) -> Result<Loaded, i32> {
        let (_, _) = (file, when);
        Ok(Loaded::NotSupported)
    }
}

/// Hooks that support nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl<'buf, C: WriteChannel> SaveHooks<'buf, C> for NoHooks {}
impl<C: ReadChannel> LoadHooks<C> for NoHooks {}

/// Saving RAM with hooks.
impl<'buf, C: WriteChannel> FileWriter<'buf, C> {
    /// Calls the hook that comes before the pages.
    ///
    /// # Errors
    ///
    /// The sticky error, or [`Error::Hook`] with the hook's code, which sticks.
    #[doc(alias = "ram_control_before_iterate")]
    pub fn before_iterate(
        &mut self,
        hooks: &mut (impl SaveHooks<'buf, C> + ?Sized),
        when: RamControl,
    ) -> Result<(), Error> {
        self.check()?;
        let result = hooks.before_iterate(self, when);
        result.map_err(|code| self.fail(Error::Hook(code)))
    }

    /// Calls the hook that comes after the pages.
    ///
    /// # Errors
    ///
    /// The sticky error, or [`Error::Hook`] with the hook's code, which sticks.
    #[doc(alias = "ram_control_after_iterate")]
    pub fn after_iterate(
        &mut self,
        hooks: &mut (impl SaveHooks<'buf, C> + ?Sized),
        when: RamControl,
    ) -> Result<(), Error> {
        self.check()?;
        let result = hooks.after_iterate(self, when);
        result.map_err(|code| self.fail(Error::Hook(code)))
    }

    /// Offers a page to the hook, and counts what it sent.
    ///
    /// [`PageSaved::Sent`] is [credited](Self::credit). Unless the hook did not support the page,
    /// its length counts in the [rate window](Self::rate).
    ///
    /// # Errors
    ///
    /// The sticky error, or [`Error::Hook`] with the hook's code, which sticks.
    /// [`Error::PositionOverflow`] if the hook claims to have sent more bytes than can be credited:
    /// none of them is counted.
    #[doc(alias = "ram_control_save_page")]
    pub fn save_page(
        &mut self,
        hooks: &mut (impl SaveHooks<'buf, C> + ?Sized),
        page: RamPage,
    ) -> Result<PageSaved, Error> {
        self.check()?;
        let saved = match hooks.save_page(self, page) {
            Ok(saved) => saved,
            Err(code) => return Err(self.fail(Error::Hook(code))),
        };
        if let PageSaved::Sent(len) = saved {
            self.credit(len)?;
        }
        if saved != PageSaved::NotSupported {
            self.rate_mut().account(page.len);
        }
        Ok(saved)
    }
}

/// Loading RAM with hooks.
impl<C: ReadChannel> FileReader<C> {
    /// Calls the load hook.
    ///
    /// # Errors
    ///
    /// The sticky error; [`Error::Hook`] with the hook's code; [`Error::NoLoadHook`] if the stream
    /// asks for a hook ([`RamControl::Hook`]) and it is not supported. All of them stick.
    #[doc(alias = "ram_control_load_hook")]
    pub fn load_hook(
        &mut self,
        hooks: &mut (impl LoadHooks<C> + ?Sized),
        when: RamControl,
    ) -> Result<Loaded, Error> {
        self.status.check()?;
        match hooks.load(self, when) {
            Ok(Loaded::NotSupported) if when == RamControl::Hook => {
                Err(self.status.fail(Error::NoLoadHook))
            }
            Ok(loaded) => Ok(loaded),
            Err(code) => Err(self.status.fail(Error::Hook(code))),
        }
    }
}
