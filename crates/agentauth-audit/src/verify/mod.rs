//! Is the log what was written?
