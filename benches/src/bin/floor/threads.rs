//! Whether threads that verify cached tokens through one engine get in each other's way.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use agentauth_benches::case::{Lap, at_once};
use agentauth_benches::report::rounded;
use agentauth_benches::specimen::{Token, bearer_claims};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{AgentAuth, Evidence};
use serde::Serialize;

use crate::layer::engine;

const THREADS: [usize; 4] = [1, 2, 4, 8];

/// All threads go through the same tokens.
const TOKENS: usize = 64;

/// Each number of threads is given so many turns, and its figure is that of its best one: other work on the machine
/// takes processors away, and never adds any.
const TURNS: usize = 25;

/// How long one turn lasts: short enough to fall between other work.
const TURN: Duration = Duration::from_millis(20);

/// The clock is read after so many calls.
const CALLS: u32 = 64;

/// What so many threads get done.
#[derive(Debug, PartialEq)]
pub(crate) struct Throughput {
    pub(crate) threads: usize,
    pub(crate) calls_per_second: f64,
    /// Beside what one thread gets done, times the processors that there are for them.
    pub(crate) ratio: f64,
}

/// Measures wall-clock throughput, the numbers of threads in turns.
pub(crate) fn throughput(cores: usize) -> Result<Vec<Throughput>, Box<dyn Error>> {
    let key = SigningKey::generate(Algorithm::EdDsa)?;
    let auth = engine(&key)?;
    let tokens = (0..TOKENS).map(|number| Ok(Token::signed(&key, &bearer_claims(number))?.text));
    let tokens = tokens.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    for token in &tokens {
        at_once(auth.authenticate(Evidence::bearer(token)))??;
    }
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        turns.push(THREADS.map(|threads| calls_per_second(&auth, &tokens, threads)));
    }
    Ok(summary(&turns, cores))
}

fn summary(turns: &[[f64; THREADS.len()]], cores: usize) -> Vec<Throughput> {
    let best = |index: usize| turns.iter().filter_map(|turn| turn.get(index).copied()).fold(0.0, f64::max);
    let of = |(index, threads): (usize, usize)| {
        let calls_per_second = best(index);
        Throughput { threads, calls_per_second, ratio: calls_per_second / (best(0) * threads.min(cores) as f64) }
    };
    THREADS.into_iter().enumerate().map(of).collect()
}

/// All threads share one turn: it begins with the first that is off, and ends with the last that is done.
fn calls_per_second(auth: &AgentAuth, tokens: &[String], threads: usize) -> f64 {
    let (all_there, begin) = (Barrier::new(threads), OnceLock::new());
    let run = || {
        let lap = Lap::new(1);
        all_there.wait();
        let begin: &Instant = begin.get_or_init(Instant::now);
        let mut calls = 0_u32;
        allocation_counter::opt_out(|| {
            while begin.elapsed() < TURN {
                for _ in 0..CALLS {
                    let token = lap.next(tokens).map_or("", |(_, token)| token);
                    let answer = at_once(auth.authenticate(Evidence::bearer(black_box(token))));
                    calls += u32::from(matches!(answer, Ok(Ok(_))));
                }
            }
        });
        (calls, begin.elapsed())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let done: Vec<_> = running.into_iter().filter_map(|thread| thread.join().ok()).collect();
        let calls: f64 = done.iter().map(|(calls, _)| f64::from(*calls)).sum();
        let end = done.iter().map(|(_, end)| end.as_secs_f64()).fold(0.0, f64::max);
        if end > 0.0 { calls / end } else { 0.0 }
    })
}

/// One line of JSON about threads.
#[derive(Serialize)]
struct ThreadsLine {
    case: String,
    calls_per_second: f64,
    ratio: f64,
}

pub(crate) fn json(out: &mut impl Write, rows: &[Throughput]) -> io::Result<()> {
    for row in rows {
        let case = format!("threads/{}", row.threads);
        let line = ThreadsLine { case, calls_per_second: row.calls_per_second.round(), ratio: rounded(row.ratio) };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn table(out: &mut impl Write, rows: &[Throughput], cores: usize) -> io::Result<()> {
    writeln!(out, "\nAgentAuth::authenticate with cached tokens, one engine, wall clock; {cores} processors.")?;
    writeln!(out, "The best of short turns; ratio: beside one thread times the processors that there are for them.")?;
    writeln!(out, "\n{:9}  {:>12}  {:>6}", "case", "calls/second", "ratio")?;
    for row in rows {
        let case = format!("threads/{}", row.threads);
        writeln!(out, "{case:9}  {:>12.0}  {:>6.2}", row.calls_per_second, row.ratio)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_best_turn_to_one_thread_times_the_processors() {
        let turns = [[10.0, 18.0, 15.0, 20.0], [1.0, 1.0, 1.0, 1.0], [8.0, 20.0, 15.0, 19.0]];
        let figures: Vec<_> = summary(&turns, 2).iter().map(|row| (row.calls_per_second, row.ratio)).collect();
        assert_eq!(figures, [(10.0, 1.0), (20.0, 1.0), (15.0, 0.75), (20.0, 1.0)]);
    }

    #[test]
    fn threads_have_a_table_and_lines_of_their_own() {
        let rows = [Throughput { threads: 2, calls_per_second: 1_234_567.8, ratio: 0.956_78 }];
        let mut out = Vec::new();
        json(&mut out, &rows).unwrap();
        table(&mut out, &rows, 4).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"case":"threads/2","calls_per_second":1234568.0,"ratio":0.957}"#);
        assert_eq!(lines[5], "case       calls/second   ratio");
        assert_eq!(lines[6], "threads/2       1234568    0.96");
    }
}
