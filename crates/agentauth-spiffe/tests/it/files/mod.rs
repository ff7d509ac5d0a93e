//! Files, in the layouts of the platforms that write them.

mod loading;

mod support;
