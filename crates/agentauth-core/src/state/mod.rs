//! What must be remembered between requests, as traits over opaque digests, with bounded stores in memory.

mod memory;
mod replay;

pub use memory::MemoryReplayStore;
pub use replay::{Remember, ReplayAnswer, ReplayStore};
