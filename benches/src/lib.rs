//! What the benches share: cases and their floors, thread CPU time in turns, reports, and the token that is measured.

pub mod case;
pub mod engine;
pub mod measure;
pub mod report;
pub mod specimen;
