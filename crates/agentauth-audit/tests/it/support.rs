//! What several tests need.

pub(crate) mod fault;
pub(crate) mod fixture;
pub(crate) mod trees;
pub(crate) mod whole;

pub(crate) use trees::{Folder, ORIGIN, key};
