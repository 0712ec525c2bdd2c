//! Channels, sockets and the memory of processes of a real system.

#[cfg(all(target_os = "linux", feature = "std"))]
mod alone;
mod channels;
mod closed_peers;
mod process_memory;
mod segments;
mod sockets;

#[path = "../support/flat.rs"]
mod flat;
#[cfg(feature = "std")]
#[path = "../support/pattern.rs"]
mod pattern;
