//! What is personal, taken out of a log that stays verifiable; and old content, given up.
