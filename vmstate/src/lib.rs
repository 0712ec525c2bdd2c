//! Migration streams of QEMU, version 3: read once, checked, and repeated into an output.
//!
//! ```text
//!   header  [configuration]                                  all integers are big-endian
//!   START ram   block list, page records ... EOS  [footer]   `ram`: where the guest's memory is
//!   PART ram    page records ... EOS              [footer]   any number
//!   END ram     page records ... EOS              [footer]   absent in background snapshots
//!   FULL device, payload                          [footer]   one per device with state
//!   EOF                                                      one zero byte
//!   [description]                                            JSON: the lengths of the payloads
//! ```
//!
//! Commands may stand between sections, and a device that must be there before the memory has its
//! section before START or END.
//!
//! The payload of a device has no length and no end mark. Only the description at the end of the
//! stream tells how long it is, so [`Tail`] is looked up first.

#![forbid(unsafe_code)]
// What a stranger wrote may be refused, but it must not end the program.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod configuration;
mod convert;
mod copy;
mod description;
mod diff;
mod extract;
mod failure;
mod fields;
mod foreign;
mod guess;
mod input;
mod iterable;
mod mapped;
mod memory;
mod multifd;
mod output;
mod page_size;
mod parser;
mod ram;
mod report;

pub use configuration::Configuration;
pub use convert::{ToMapped, ToOrdinary};
pub use copy::{Copied, copy, copy_file};
pub use diff::{Difference, diff};
pub use extract::{Extractor, Wishes};
pub use failure::{Failure, Stopped};
pub use foreign::find_start;
pub use input::Input;
pub use mapped::Mapped;
pub use multifd::Channels;
pub use output::{Copier, Discard, Encoding, Output, Place};
pub use page_size::is_valid as is_page_size;
pub use parser::{Options, maps_ram, parse};
pub use ram::Block;
pub use report::{DeviceSection, Escaped, Report};
