//! Integers in a stream, most significant byte first unless a name says `le`.

use super::channel::{ReadChannel, WriteChannel};
use super::error::Error;
use super::{FileReader, FileWriter};

macro_rules! integers {
    ($($int:ty, $order:literal: $put:ident $to:ident $(, $put_alias:literal)*; $get:ident $from:ident $(, $get_alias:literal)*;)*) => {
        /// Putting integers.
        impl<C: WriteChannel> FileWriter<'_, C> {
            $(
                #[doc = concat!("Puts a `", stringify!($int), "`, ", $order, " byte first.")]
                ///
                /// # Errors
                ///
                /// See [errors of putting](Self#errors-of-putting).
                $(#[doc(alias = $put_alias)])*
                #[inline]
                pub fn $put(&mut self, value: $int) -> Result<(), Error> {
                    self.put_array(value.$to())
                }
            )*
        }

        /// Getting integers.
        impl<C: ReadChannel> FileReader<C> {
            $(
                #[doc = concat!("Gets a `", stringify!($int), "`, ", $order, " byte first.")]
                ///
                /// # Errors
                ///
                /// See [errors of getting](Self#errors-of-getting).
                $(#[doc(alias = $get_alias)])*
                #[inline]
                pub fn $get(&mut self) -> Result<$int, Error> {
                    self.get_array().map(<$int>::$from)
                }
            )*
        }
    };
}

integers! {
    i8, "the only": put_sbyte to_be_bytes, "qemu_put_s8s"; get_sbyte from_be_bytes, "qemu_get_s8s";
    u16, "most significant": put_be16 to_be_bytes, "qemu_put_be16", "qemu_put_be16s"; get_be16 from_be_bytes, "qemu_get_be16", "qemu_get_be16s";
    u32, "most significant": put_be32 to_be_bytes, "qemu_put_be32", "qemu_put_be32s"; get_be32 from_be_bytes, "qemu_get_be32", "qemu_get_be32s";
    u64, "most significant": put_be64 to_be_bytes, "qemu_put_be64", "qemu_put_be64s"; get_be64 from_be_bytes, "qemu_get_be64", "qemu_get_be64s";
    i16, "most significant": put_sbe16 to_be_bytes, "qemu_put_sbe16", "qemu_put_sbe16s"; get_sbe16 from_be_bytes, "qemu_get_sbe16", "qemu_get_sbe16s";
    i32, "most significant": put_sbe32 to_be_bytes, "qemu_put_sbe32", "qemu_put_sbe32s"; get_sbe32 from_be_bytes, "qemu_get_sbe32", "qemu_get_sbe32s";
    i64, "most significant": put_sbe64 to_be_bytes, "qemu_put_sbe64", "qemu_put_sbe64s"; get_sbe64 from_be_bytes, "qemu_get_sbe64", "qemu_get_sbe64s";
    u16, "least significant": put_le16 to_le_bytes; get_le16 from_le_bytes;
    u32, "least significant": put_le32 to_le_bytes; get_le32 from_le_bytes;
    u64, "least significant": put_le64 to_le_bytes; get_le64 from_le_bytes;
    i16, "least significant": put_sle16 to_le_bytes; get_sle16 from_le_bytes;
    i32, "least significant": put_sle32 to_le_bytes; get_sle32 from_le_bytes;
    i64, "least significant": put_sle64 to_le_bytes; get_sle64 from_le_bytes;
}
