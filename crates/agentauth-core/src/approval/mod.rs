#![doc = include_str!("guide.md")]

mod act;
mod approver;
mod error;
mod payload;
mod request;

pub(crate) use act::{Act, digest_of_server};
pub(crate) use approver::check;
pub use error::{ApprovalError, ApprovalRefusal};
pub use payload::MAX_APPROVED_ARGUMENT_BYTES;
pub(crate) use payload::{Asked, asked};
pub use request::{ApprovalRequest, ApprovalStatus};

pub use crate::identity::Approver;
