//! Federation over real connections: who is asked, and how a server proves that it is the one.

mod spiffe;
mod support;
mod web;
