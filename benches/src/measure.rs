//! Thread CPU time, in batches that take turns, so that drift of the machine hits all cases alike.

use std::error::Error;
use std::hint::black_box;
use std::io;

use cpu_time::ThreadTime;

use crate::case::{self, Case};
use crate::report::{AboveFloor, Row};

/// The least CPU time of a batch. Reading the clock costs well under a thousandth of it.
const BATCH_MICROS: f64 = 1000.0;

/// The figures of those of `cases` whose names begin with `only`, and of their floors. Says on the way which they are.
///
/// # Errors
/// A case that does not tell `genuine` from `forged`; a clock that cannot be read.
#[allow(clippy::print_stderr, reason = "progress of a command-line program goes there")]
pub fn checked<I>(
    only: &str,
    cases: Vec<Case<'_, I>>,
    genuine: &I,
    forged: &I,
    batches: u32,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let cases = case::named(only, cases);
    case::check(&cases, genuine, forged)?;
    eprintln!("{}", cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>().join(", "));
    Ok(rows(&cases, genuine, batches)?)
}

/// Measures `cases` side by side, each on `input`, and compares them with their floors.
///
/// # Errors
/// The clock cannot be read.
pub fn rows<I>(cases: &[Case<'_, I>], input: &I, batches: u32) -> io::Result<Vec<Row>> {
    // Counting costs a few nanoseconds for each allocation; it stays off the timed path.
    let mut series = Ok(Vec::new());
    allocation_counter::opt_out(|| series = time(cases, input, batches));
    let series = series?;
    let floor_of = |case: &Case<'_, I>| {
        let floor = case.floor.as_deref()?;
        series.iter().find(|series| series.case.name == floor)
    };
    let row = |series: &Series<'_, '_, I>| Row {
        case: series.case.name.clone(),
        us: median(series.micros.iter().copied()),
        floor: floor_of(series.case).map(|floor| above(&series.micros, &floor.micros)),
        allocs: allocation_counter::measure(|| _ = black_box(series.case.judge(input))).count_total,
    };
    Ok(series.iter().map(row).collect())
}

/// The batches of one case: microseconds of one call.
struct Series<'s, 'a, I> {
    case: &'s Case<'a, I>,
    calls: u32,
    micros: Vec<f64>,
}

/// Times all cases once a turn.
fn time<'s, 'a, I>(cases: &'s [Case<'a, I>], input: &I, batches: u32) -> io::Result<Vec<Series<'s, 'a, I>>> {
    let new = |case| Ok(Series { case, calls: calls_in_a_batch(case, input)?, micros: Vec::new() });
    let mut all = cases.iter().map(new).collect::<io::Result<Vec<_>>>()?;
    for first in (0..cases.len()).cycle().take(batches as usize) {
        // Another one starts each turn, so that a steady drift is now in favour of a case and now of its floor.
        let (last, head) = all.split_at_mut(first);
        for series in head.iter_mut().chain(last) {
            // Brings back into the caches what the case before has pushed out.
            _ = black_box(series.case.judge(black_box(input)));
            series.micros.push(micros_of_a_call(series.case, input, series.calls)?);
        }
    }
    Ok(all)
}

/// Compares batch with batch: the machine was in the same mood for both. Medians do not see the turns in which it was
/// not.
fn above(own: &[f64], floor: &[f64]) -> AboveFloor {
    let turns = || own.iter().zip(floor);
    AboveFloor {
        us: median(floor.iter().copied()),
        ratio: median(turns().map(|(own, floor)| own / floor)),
        over_us: median(turns().map(|(own, floor)| own - floor)),
    }
}

/// How many calls fill a batch. Finding out warms up what there is to warm up.
fn calls_in_a_batch<I>(case: &Case<'_, I>, input: &I) -> io::Result<u32> {
    let mut calls = 1_u32;
    loop {
        let micros = micros_of_a_call(case, input, calls)?;
        if micros * f64::from(calls) >= BATCH_MICROS || calls > u32::MAX / 2 {
            return Ok((BATCH_MICROS / micros).ceil() as u32);
        }
        calls *= 2;
    }
}

fn micros_of_a_call<I>(case: &Case<'_, I>, input: &I, calls: u32) -> io::Result<f64> {
    let start = ThreadTime::try_now()?;
    for _ in 0..calls {
        _ = black_box(case.judge(black_box(input)));
    }
    Ok(start.try_elapsed()?.as_secs_f64() * 1e6 / f64::from(calls))
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_sample() {
        assert_eq!(median([9.0, 1.0, 2.0].into_iter()).to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn a_batch_is_compared_with_the_floors_batch_of_its_turn() {
        // The second turn was slow for both, the third for the floor alone: the quotient of the medians would be 3 / 20.
        let above = above(&[3.0, 30.0, 3.0], &[2.0, 20.0, 40.0]);
        assert_eq!((above.us, above.ratio, above.over_us), (20.0, 1.5, 1.0));
    }

    #[test]
    fn a_case_is_compared_with_its_floor() {
        let cases = [
            Case::new("raw".into(), Some("raw"), |(): &()| Ok(())),
            Case::new("boxed".into(), Some("raw"), |(): &()| *black_box(Box::new(Ok(())))),
            Case::new("alone".into(), None, |(): &()| Ok(())),
        ];
        let rows = rows(&cases, &(), 4).unwrap();
        let floor = |row: &Row| row.floor.as_ref().map(|floor| floor.us);
        assert_eq!(floor(&rows[0]), Some(rows[0].us));
        assert_eq!(floor(&rows[1]), Some(rows[0].us));
        assert_eq!(floor(&rows[2]), None);
        assert_eq!(rows[0].floor.as_ref().map(|floor| (floor.ratio, floor.over_us)), Some((1.0, 0.0)));
        assert_eq!(rows.iter().map(|row| row.allocs).collect::<Vec<_>>(), [0, 1, 0]);
    }
}
