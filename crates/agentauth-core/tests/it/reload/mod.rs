//! Policies that are replaced: as a whole, on record, or not at all.

mod bundle;
mod cases;
mod live;
