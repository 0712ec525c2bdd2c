//! Hooks of the side that loads guest RAM.

use super::FileReader;
use crate::file::channel::ReadChannel;
use crate::file::error::Error;
use crate::file::ram::{NoHooks, RamControl};

/// What a load hook did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loaded {
    /// It did what was asked.
    Handled,
    /// It has nothing to do with it.
    NotSupported,
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

impl<C: ReadChannel> LoadHooks<C> for NoHooks {}

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
