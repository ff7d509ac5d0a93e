//! The figures, for people and for programs.

use std::io::{self, Write};

use agentauth_benches::report::rounded;
use serde::Serialize;

/// What one case has shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    /// Microseconds a record, or of the whole where there is one only.
    pub(crate) us: f64,
    pub(crate) floor_us: Option<f64>,
    /// Speed beside the floor.
    pub(crate) ratio: Option<f64>,
    pub(crate) over_us: Option<f64>,
    /// Records, or bytes, a second.
    pub(crate) per_second: Option<f64>,
    pub(crate) note: String,
}

impl Row {
    /// A case with a floor: microseconds of both, turn by turn.
    pub(crate) fn beside(case: &str, own: &[f64], floor: &[f64], note: String) -> Self {
        let turns = || own.iter().zip(floor);
        let us = median(own.iter().copied());
        Self {
            case: case.into(),
            us: rounded(us),
            floor_us: Some(rounded(median(floor.iter().copied()))),
            ratio: Some(rounded(median(turns().map(|(own, floor)| floor / own)))),
            over_us: Some(rounded(median(turns().map(|(own, floor)| own - floor)))),
            per_second: Some((1e6 / us).round()),
            note,
        }
    }

    pub(crate) fn alone(case: &str, us: f64, note: String) -> Self {
        Self { case: case.into(), us: rounded(us), floor_us: None, ratio: None, over_us: None, per_second: None, note }
    }
}

pub(crate) fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn json(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn table(out: &mut impl Write, rows: &[Row], rounds: u32) -> io::Result<()> {
    writeln!(out, "What a record costs beside the disk itself. Wall time, medians of {rounds} rounds.")?;
    let width = rows.iter().map(|row| row.case.len()).max().unwrap_or_default();
    writeln!(out, "\n{:width$}  {:>12}  {:>10}  {:>6}  {:>9}  note", "case", "us", "floor us", "ratio", "over us")?;
    for row in rows {
        let figure = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.2}"));
        let (floor, ratio, over) = (figure(row.floor_us), figure(row.ratio), figure(row.over_us));
        writeln!(out, "{:width$}  {:>12.2}  {floor:>10}  {ratio:>6}  {over:>9}  {}", row.case, row.us, row.note)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_compared_with_the_bare_loop_of_its_turn() {
        // The second turn was slow for both.
        let row = Row::beside("durable/1", &[20.0, 200.0, 22.0], &[10.0, 100.0, 11.0], String::new());
        assert_eq!((row.us, row.floor_us, row.ratio, row.over_us), (22.0, Some(11.0), Some(0.5), Some(11.0)));
        assert_eq!(row.per_second, Some(45455.0));
        let mut out = Vec::new();
        json(&mut out, &[row]).unwrap();
        table(&mut out, &[Row::alone("frame", 1.5, "a note".into())], 3).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with(r#"{"case":"durable/1","us":22.0,"floor_us":11.0,"ratio":0.5,"over_us":11.0"#),
            "{text}"
        );
        assert!(text.ends_with("frame          1.50           -       -          -  a note\n"), "{text}");
    }
}
