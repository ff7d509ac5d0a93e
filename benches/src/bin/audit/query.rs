//! How long a question takes.

use std::error::Error;
use std::time::Instant;

use agentauth_audit::read::{Filter, Log};
use agentauth_core::policy::Effect;

use crate::durable::micros;
use crate::made::{Made, agent_of, id_of};
use crate::report::{Row, median};

/// Denials of one agent that are asked for.
const WANTED: usize = 10;

pub(crate) fn row(made: &Made, rounds: u32) -> Result<Row, Box<dyn Error>> {
    let name = format!("query/{}", made.records);
    eprintln!("{name}");
    let denials = Filter::new().agent(&agent_of(57)).effect(Effect::Deny);
    let oldest = Filter::new().evaluation(&id_of(0));
    let (mut latest_times, mut oldest_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        latest_times.push(asked(made, &denials, WANTED)?);
        oldest_times.push(asked(made, &oldest, 1)?);
    }
    let (latest, oldest) = (median(latest_times.into_iter()), median(oldest_times.into_iter()));
    let note = format!(
        "latest denials of one agent {:.1} ms, the oldest record by its id {:.0} ms",
        latest / 1e3,
        oldest / 1e3
    );
    Ok(Row::alone(&name, latest.max(oldest), note))
}

/// Microseconds until that many were found, from the newest on.
fn asked(made: &Made, filter: &Filter, wanted: usize) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let found = Log::open(&made.directory)?.newest_first(filter).take(wanted).collect::<Result<Vec<_>, _>>()?.len();
    let time = micros(start);
    if found == wanted { Ok(time) } else { Err(format!("{found} of {wanted} records were found").into()) }
}
