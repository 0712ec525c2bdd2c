//! What a channel that stands for another one hands on: one list for all such channels.

/// The methods of a channel trait, by those of an inner channel that `$inner` and `$inner_mut` give.
///
/// [`Channel::wait`](super::Channel::wait) is not among them: each implementation says how it waits.
macro_rules! forward {
    (Channel: $inner:ident, $inner_mut:ident) => {
        fn features(&self) -> $crate::file::Features {
            self.$inner().features()
        }

        fn set_blocking(&mut self, blocking: bool) -> Result<(), $crate::file::ChannelError> {
            self.$inner_mut().set_blocking(blocking)
        }

        fn shutdown(&self) -> Result<(), $crate::file::ChannelError> {
            self.$inner().shutdown()
        }

        fn seek(&mut self, to: $crate::file::SeekFrom) -> Result<u64, $crate::file::ChannelError> {
            self.$inner_mut().seek(to)
        }

        fn close(&mut self) -> Result<(), $crate::file::ChannelError> {
            self.$inner_mut().close()
        }

        fn abandoned(&mut self, unsent: u64) {
            self.$inner_mut().abandoned(unsent);
        }
    };
    (ReadChannel: $inner_mut:ident) => {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().read(into)
        }

        fn read_pieces(
            &mut self,
            into: &[$crate::Piece<'_, $crate::Dest>],
        ) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().read_pieces(into)
        }

        fn read_at(
            &mut self,
            into: &[$crate::Piece<'_, $crate::Dest>],
            position: u64,
        ) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().read_at(into, position)
        }
    };
    (WriteChannel: $inner_mut:ident) => {
        fn write(
            &mut self,
            from: &[$crate::Piece<'_, $crate::Source>],
        ) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().write(from)
        }

        fn write_exclusive(
            &mut self,
            from: &[$crate::KVec<'_, $crate::Source>],
        ) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().write_exclusive(from)
        }

        fn write_at(
            &mut self,
            from: &[$crate::Piece<'_, $crate::Source>],
            position: u64,
        ) -> Result<usize, $crate::file::ChannelError> {
            self.$inner_mut().write_at(from, position)
        }
    };
}
#[cfg(unix)]
#[cfg(feature = "std")]
pub(crate) use forward;

use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

use super::{Channel, ChannelError, ReadChannel, Ready, WriteChannel};

/// A pointer to a channel is a channel.
macro_rules! pointer {
    ($pointer:ty) => {
        impl<C: Channel + ?Sized> Channel for $pointer {
            forward!(Channel: deref, deref_mut);

            fn wait(&mut self, ready: Ready) -> Result<(), ChannelError> {
                self.deref_mut().wait(ready)
            }
        }

        impl<C: ReadChannel + ?Sized> ReadChannel for $pointer {
            forward!(ReadChannel: deref_mut);
        }

        impl<C: WriteChannel + ?Sized> WriteChannel for $pointer {
            forward!(WriteChannel: deref_mut);
        }
    };
}

pointer!(&mut C);
pointer!(Box<C>);
