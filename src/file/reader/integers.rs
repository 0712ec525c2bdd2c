//! Getting integers, most significant byte first unless a name says `le`.

use super::FileReader;
use crate::file::channel::ReadChannel;
use crate::file::error::Error;

macro_rules! integers {
    ($($int:ty, $order:literal: $get:ident $from:ident $(, $alias:literal)*;)*) => {
        /// Getting integers.
        impl<C: ReadChannel> FileReader<C> {
            $(
                #[doc = concat!("Gets a `", stringify!($int), "`, ", $order, " byte first.")]
                ///
                /// # Errors
                ///
                /// See [errors of getting](Self#errors-of-getting).
                $(#[doc(alias = $alias)])*
                #[inline]
                pub fn $get(&mut self) -> Result<$int, Error> {
                    self.get_array().map(<$int>::$from)
                }
            )*
        }
    };
}

integers! {
    i8, "the only": get_sbyte from_be_bytes, "qemu_get_sbyte", "qemu_get_s8s";
    u16, "most significant": get_be16 from_be_bytes, "qemu_get_be16", "qemu_get_be16s";
    u32, "most significant": get_be32 from_be_bytes, "qemu_get_be32", "qemu_get_be32s";
    u64, "most significant": get_be64 from_be_bytes, "qemu_get_be64", "qemu_get_be64s";
    i16, "most significant": get_sbe16 from_be_bytes, "qemu_get_sbe16", "qemu_get_sbe16s";
    i32, "most significant": get_sbe32 from_be_bytes, "qemu_get_sbe32", "qemu_get_sbe32s";
    i64, "most significant": get_sbe64 from_be_bytes, "qemu_get_sbe64", "qemu_get_sbe64s";
    u16, "least significant": get_le16 from_le_bytes;
    u32, "least significant": get_le32 from_le_bytes;
    u64, "least significant": get_le64 from_le_bytes;
    i16, "least significant": get_sle16 from_le_bytes;
    i32, "least significant": get_sle32 from_le_bytes;
    i64, "least significant": get_sle64 from_le_bytes;
}
