//! Putting integers, most significant byte first unless a name says `le`.

use super::FileWriter;
use crate::file::channel::WriteChannel;
use crate::file::error::Error;

macro_rules! integers {
    ($($int:ty, $order:literal: $put:ident $to:ident $(, $alias:literal)*;)*) => {
        /// Putting integers.
        impl<C: WriteChannel> FileWriter<'_, C> {
            $(
                #[doc = concat!("Puts a `", stringify!($int), "`, ", $order, " byte first.")]
                ///
                /// # Errors
                ///
                /// See [errors of putting](Self#errors-of-putting).
                $(#[doc(alias = $alias)])*
                #[inline]
                pub fn $put(&mut self, value: $int) -> Result<(), Error> {
                    self.put_array(value.$to())
                }
            )*
        }
    };
}

integers! {
    i8, "the only": put_sbyte to_be_bytes, "qemu_put_sbyte", "qemu_put_s8s";
    u16, "most significant": put_be16 to_be_bytes, "qemu_put_be16", "qemu_put_be16s";
    u32, "most significant": put_be32 to_be_bytes, "qemu_put_be32", "qemu_put_be32s";
    u64, "most significant": put_be64 to_be_bytes, "qemu_put_be64", "qemu_put_be64s";
    i16, "most significant": put_sbe16 to_be_bytes, "qemu_put_sbe16", "qemu_put_sbe16s";
    i32, "most significant": put_sbe32 to_be_bytes, "qemu_put_sbe32", "qemu_put_sbe32s";
    i64, "most significant": put_sbe64 to_be_bytes, "qemu_put_sbe64", "qemu_put_sbe64s";
    u16, "least significant": put_le16 to_le_bytes;
    u32, "least significant": put_le32 to_le_bytes;
    u64, "least significant": put_le64 to_le_bytes;
    i16, "least significant": put_sle16 to_le_bytes;
    i32, "least significant": put_sle32 to_le_bytes;
    i64, "least significant": put_sle64 to_le_bytes;
}
