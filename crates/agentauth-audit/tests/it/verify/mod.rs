//! Is the log what was written? And what a proof proves.

pub(crate) mod build;
mod damage;
mod every_byte;
mod forged;
mod own;
mod proof;
mod vouched;
mod written;

/// Of the logs here.
use crate::support as keys;
