//! What only the program needs: its command line, its files, room on the disk.

pub mod arguments;
pub mod files;
mod incomplete;
#[cfg_attr(not(target_os = "linux"), path = "no_room.rs")]
mod room;
pub mod sparse;
