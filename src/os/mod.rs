//! Adapters to the operating system.

mod channel;
#[cfg(target_os = "linux")]
mod descriptor;
mod pair;
mod stream;
#[cfg(unix)]
mod waiting;

pub use channel::IoChannel;
#[cfg(target_os = "linux")]
pub use descriptor::DescriptorChannel;
pub use pair::{PairEnd, pair};
#[cfg(unix)]
pub use waiting::WaitingChannel;
