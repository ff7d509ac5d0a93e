//! What the example programs share: a throw-away certificate authority, and the tool server.

pub mod ca;
pub mod tool_server;
