//! Is the log what was written? And what a proof proves.

mod build;
mod damage;
mod every_byte;
mod own;
mod proof;
mod vouched;
mod written;
