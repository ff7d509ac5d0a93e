//! The figures, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

/// What one case costs.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub case: String,
    /// Microseconds of thread CPU time of one call.
    pub us: f64,
    /// Beside its floor, if it has one.
    pub floor: Option<AboveFloor>,
    /// Allocations of one call.
    pub allocs: u64,
}

/// How a case compares with its floor.
#[derive(Debug)]
pub struct AboveFloor {
    /// What the floor itself costs.
    pub us: f64,
    /// The case divided by its floor.
    pub ratio: f64,
    /// The case less its floor.
    pub over_us: f64,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    us: f64,
    floor_us: Option<f64>,
    ratio: Option<f64>,
    over_us: Option<f64>,
    allocs: u64,
}

/// Writes one line of JSON a row.
///
/// # Errors
/// What `out` says.
pub fn json(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        let line = Line {
            case: &row.case,
            us: rounded(row.us),
            floor_us: row.floor.as_ref().map(|floor| rounded(floor.us)),
            ratio: row.floor.as_ref().map(|floor| rounded(floor.ratio)),
            over_us: row.floor.as_ref().map(|floor| rounded(floor.over_us)),
            allocs: row.allocs,
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Writes a table for people, which begins with `about`: a line that says what the floors are.
///
/// # Errors
/// What `out` says.
pub fn table(out: &mut impl Write, about: &str, rows: &[Row], batches: u32, skipped: Option<&str>) -> io::Result<()> {
    writeln!(out, "{about}")?;
    writeln!(
        out,
        "Thread CPU time of one call, medians of {batches} batches of about 1 ms that take turns; one thread."
    )?;
    let width = rows.iter().map(|row| row.case.len()).max().unwrap_or_default();
    writeln!(out, "\n{:width$}  {:>8}  {:>6}  {:>8}  {:>6}", "case", "us", "ratio", "over_us", "allocs")?;
    for row in rows {
        let figure =
            |of: fn(&AboveFloor) -> f64| row.floor.as_ref().map_or("-".to_owned(), |f| format!("{:.2}", of(f)));
        let (ratio, over) = (figure(|floor| floor.ratio), figure(|floor| floor.over_us));
        writeln!(out, "{:width$}  {:>8.2}  {ratio:>6}  {over:>8}  {:>6}", row.case, row.us, row.allocs)?;
    }
    if let Some(skipped) = skipped {
        writeln!(out, "\nskipped: {skipped}")?;
    }
    Ok(())
}

/// To a thousandth: the clock is no finer.
#[must_use]
pub fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(report: impl FnOnce(&mut Vec<u8>, &[Row]) -> io::Result<()>) -> String {
        let row = |case: &str, floor| Row { case: case.into(), us: 3.0, floor, allocs: 7 };
        let above = AboveFloor { us: 2.0, ratio: 1.5, over_us: 0.9 };
        let mut out = Vec::new();
        report(&mut out, &[row("verify/X", Some(above)), row("alone", None)]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_null_for_what_does_not_apply() {
        assert_eq!(
            written(json),
            "{\"case\":\"verify/X\",\"us\":3.0,\"floor_us\":2.0,\"ratio\":1.5,\"over_us\":0.9,\"allocs\":7}\n\
             {\"case\":\"alone\",\"us\":3.0,\"floor_us\":null,\"ratio\":null,\"over_us\":null,\"allocs\":7}\n"
        );
    }

    #[test]
    fn the_table_is_aligned_below_two_lines_that_say_what_it_is() {
        let text = written(|out, rows| table(out, "About.", rows, 9, Some("peer/y: why")));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[1], "case            us   ratio   over_us  allocs");
        assert_eq!(lines[2], "verify/X      3.00    1.50      0.90       7");
        assert_eq!(lines[3], "alone         3.00       -         -       7");
        assert_eq!(lines[5], "skipped: peer/y: why");
    }
}
