//! Thread CPU time, in batches that take turns, so that drift of the machine hits all cases alike.

use std::hint::black_box;
use std::io;

use cpu_time::ThreadTime;

use crate::case::Case;
use crate::report::Row;

/// The least CPU time of a batch. Reading the clock costs well under a thousandth of it.
const BATCH_MICROS: f64 = 1000.0;

/// Measures `cases` side by side, each on `input`, and compares them with their floors.
pub(crate) fn rows<I>(cases: &[Case<'_, I>], input: &I, batches: u32) -> io::Result<Vec<Row>> {
    // Counting costs a few nanoseconds for each allocation; it stays off the timed path.
    let mut micros = Ok(Vec::new());
    allocation_counter::opt_out(|| micros = time(cases, input, batches));
    let micros = micros?;
    let cost_of = |name: &str| cases.iter().zip(&micros).find(|(case, _)| case.name == name).map(|(_, us)| *us);
    let row = |(case, us): (&Case<'_, I>, &f64)| Row {
        case: case.name.clone(),
        us: *us,
        floor_us: case.floor.as_deref().and_then(cost_of),
        allocs: allocation_counter::measure(|| _ = black_box(case.judge(input))).count_total,
    };
    Ok(cases.iter().zip(&micros).map(row).collect())
}

/// The median microseconds of one call, for each case.
fn time<I>(cases: &[Case<'_, I>], input: &I, batches: u32) -> io::Result<Vec<f64>> {
    let calls = cases.iter().map(|case| calls_in_a_batch(case, input)).collect::<io::Result<Vec<_>>>()?;
    let mut samples: Vec<Vec<f64>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..batches {
        for ((case, calls), samples) in cases.iter().zip(&calls).zip(&mut samples) {
            samples.push(micros_of_a_call(case, input, *calls)?);
        }
    }
    Ok(samples.into_iter().map(median).collect())
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

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_sample() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn a_case_is_compared_with_its_floor() {
        let cases = [
            Case::new("raw".into(), Some("raw"), |(): &()| Ok(())),
            Case::new("boxed".into(), Some("raw"), |(): &()| *black_box(Box::new(Ok(())))),
            Case::new("alone".into(), None, |(): &()| Ok(())),
        ];
        let rows = rows(&cases, &(), 3).unwrap();
        assert_eq!(rows[0].floor_us, Some(rows[0].us));
        assert_eq!(rows[1].floor_us, Some(rows[0].us));
        assert_eq!(rows[2].floor_us, None);
        assert_eq!(rows.iter().map(|row| row.allocs).collect::<Vec<_>>(), [0, 1, 0]);
    }
}
