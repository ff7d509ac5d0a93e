//! What several tests need.

pub(crate) mod fault;
pub(crate) mod fixture;
pub(crate) mod whole;
pub(crate) mod trees;
