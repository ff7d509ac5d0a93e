//! Files, in the layouts of the platforms that write them.

mod broken;
mod connecting;
mod gone;
mod loading;
mod rotation;
mod support;
