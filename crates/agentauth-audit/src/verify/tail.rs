//! Whether damage is a torn end, or has entries after it.

use std::io;

use aws_lc_rs::digest;

use crate::disk::{LogFile, read_full};
use crate::format::{Body, FRAME_HEAD_BYTES, FrameHead, HEAD_BYTES};
use crate::log::scan::Guesses;
use crate::tree::finished;

/// Searched at once.
const CHUNK: usize = 256 * 1024;

/// Before each payload: what tells a frame from other bytes at a glance.
const PREFIX: usize = FRAME_HEAD_BYTES + HEAD_BYTES;

/// The first whole frame at or after `offset` that holds an entry with a number from `least` on: where, and which. After
/// too many `guesses`, the end of the file stands for it.
pub(super) fn entry_after(
    file: &dyn LogFile,
    offset: u64,
    least: u64,
    guesses: &mut Guesses,
) -> io::Result<Option<(u64, u64)>> {
    let length = file.length()?;
    // No entry has a number that its log has no room for.
    let most = least.saturating_add(length / PREFIX as u64);
    let (mut chunk, mut frame) = (vec![0; CHUNK + PREFIX], Vec::new());
    let mut start = offset;
    while start.saturating_add(PREFIX as u64) <= length {
        let filled = read_full(file, &mut chunk, start)?;
        let windows = chunk.get(..filled).unwrap_or_default().windows(PREFIX);
        for (at, window) in (start..).zip(windows) {
            let Ok(head) = FrameHead::read(window) else { continue };
            let Some(Ok(body)) = window.get(FRAME_HEAD_BYTES..).map(Body::read) else { continue };
            if head.body < HEAD_BYTES || body.number < least || body.number > most {
                continue;
            }
            frame.resize(head.rest(), 0);
            let read = read_full(file, &mut frame, at + FRAME_HEAD_BYTES as u64)?;
            if head.frame(frame.get(..read).unwrap_or_default()).is_ok() {
                return Ok(Some((at, body.number)));
            }
            if !guesses.missed(head.rest()) {
                return Ok(Some((length, least)));
            }
        }
        start += CHUNK as u64 + 1;
    }
    Ok(None)
}

/// The SHA-256 of everything from `offset` on, in hexadecimal.
pub(super) fn sha256(file: &dyn LogFile, mut offset: u64) -> io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut chunk = vec![0; CHUNK];
    loop {
        let filled = read_full(file, &mut chunk, offset)?;
        context.update(chunk.get(..filled).unwrap_or_default());
        offset += filled as u64;
        if filled < CHUNK {
            return Ok(finished(context).to_string());
        }
    }
}
