//! What the one thread that writes has to do for a record before the disk is asked.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use agentauth_audit::format::{Body, EntryKind, append_frame, commitment};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use agentauth_core::audit::Record;
use cpu_time::ThreadTime;

use crate::report::{Row, median};

/// Records in a round.
const RECORDS: u32 = 20_000;

pub(crate) fn rows(record: &Arc<Record>, rounds: u32) -> Result<[Row; 2], Box<dyn Error>> {
    eprintln!("frame, json");
    let (mut payload, mut side) = (Vec::new(), vec![7; 32]);
    record.write(&mut payload, &mut side)?;
    let mut tree = Frontier::default();
    let (mut body, mut out, mut previous) = (Vec::new(), Vec::new(), Hash::default());
    let frame = timed(rounds, || {
        body.clear();
        out.clear();
        let commitment = commitment(&side);
        Body { kind: EntryKind::Record, number: tree.size(), micros: 0, previous, commitment, payload: &payload }
            .write(&mut body);
        append_frame(&mut out, &body, &side);
        previous = leaf_hash(&body);
        tree.push(previous);
        black_box(&out);
    })?;
    let (mut json, mut personal) = (Vec::new(), Vec::new());
    let written = timed(rounds, || {
        json.clear();
        personal.clear();
        _ = black_box(record.write(&mut json, &mut personal));
    })?;
    let note = format!("{} bytes of record, {} of what is personal", payload.len(), side.len() - 32);
    Ok([Row::alone("frame", frame, note.clone()), Row::alone("json", written, note)])
}

/// Microseconds of CPU time of one call.
fn timed(rounds: u32, mut call: impl FnMut()) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = ThreadTime::try_now()?;
        for _ in 0..RECORDS {
            call();
        }
        times.push(start.try_elapsed()?.as_secs_f64() * 1e6 / f64::from(RECORDS));
    }
    Ok(median(times.into_iter()))
}
