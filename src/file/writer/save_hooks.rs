//! Hooks of the side that saves guest RAM.

use super::FileWriter;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;
use crate::file::ram::{NoHooks, RamControl, RamPage};

/// What a hook did with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageSaved {
    /// It was sent in this many bytes, not through the stream.
    Sent(u64),
    /// It will be sent later.
    #[doc(alias = "RAM_SAVE_CONTROL_DELAYED")]
    Delayed,
    /// It was not: the page belongs into the stream.
    #[doc(alias = "RAM_SAVE_CONTROL_NOT_SUPP")]
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

impl<'buf, C: WriteChannel> SaveHooks<'buf, C> for NoHooks {}

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
