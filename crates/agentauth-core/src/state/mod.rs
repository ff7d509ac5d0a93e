//! What must be remembered between requests, as traits over opaque digests, with bounded stores in memory.

mod memory;
mod memory_uses;
mod replay;
mod uses;
mod wait;

pub use memory::MemoryReplayStore;
pub use memory_uses::MemoryUseStore;
pub use replay::{Remember, ReplayAnswer, ReplayStore};
pub use uses::{Debit, DebitAnswer, UseStore};
