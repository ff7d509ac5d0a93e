//! Token status lists (draft-ietf-oauth-status-list): the issuer publishes, for many tokens at once, whether each is valid
//! still. A token says where it stands in which list; that is looked up once the token itself has been verified.
//!
//! Lists are only fetched from where the issuer's lists are said to be, whatever a token says.

mod claim;
mod error;
mod known;
mod list;
mod settings;
mod signed;

pub(super) use claim::{StatusClaim, StatusPlace};
pub use error::StatusListError;
pub(super) use known::{Known, KnownLists};
pub use list::MAX_STATUS_BYTES;
pub use settings::{FetchingStatus, StatusListSource, StatusLists};
pub(super) use settings::{Origin, StatusCheck};
pub use signed::MAX_STATUS_LIST_BYTES;
