//! Adapters to the operating system.

mod channel;
#[cfg(unix)]
mod descriptor;
mod pair;
mod stream;
#[cfg(unix)]
mod waiting;

pub use channel::IoChannel;
#[cfg(unix)]
pub use descriptor::DescriptorChannel;
pub use pair::{PairEnd, pair};
#[cfg(unix)]
pub use waiting::WaitingChannel;
