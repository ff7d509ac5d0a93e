//! The figures, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

/// What one case costs.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) us: f64,
    pub(crate) floor_us: Option<f64>,
    pub(crate) allocs: u64,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.floor_us.map(|floor| self.us / floor)
    }
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    us: f64,
    floor_us: Option<f64>,
    ratio: Option<f64>,
    allocs: u64,
}

pub(crate) fn json(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        let line = Line {
            case: &row.case,
            us: rounded(row.us),
            floor_us: row.floor_us.map(rounded),
            ratio: row.ratio().map(rounded),
            allocs: row.allocs,
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn table(out: &mut impl Write, rows: &[Row], batches: u32) -> io::Result<()> {
    writeln!(out, "Verifying an on-behalf-of access token; the floor is the bare signature check of aws-lc-rs.")?;
    writeln!(
        out,
        "Thread CPU time of one call, median of {batches} batches of about 1 ms that take turns; one thread."
    )?;
    let width = rows.iter().map(|row| row.case.len()).max().unwrap_or_default();
    writeln!(out, "\n{:width$}  {:>8}  {:>8}  {:>6}  {:>6}", "case", "us", "floor_us", "ratio", "allocs")?;
    for row in rows {
        let floor = row.floor_us.map_or_else(|| "-".to_owned(), |us| format!("{us:.2}"));
        let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        writeln!(out, "{:width$}  {:>8.2}  {floor:>8}  {ratio:>6}  {:>6}", row.case, row.us, row.allocs)?;
    }
    Ok(())
}

/// To a thousandth: the clock is no finer.
fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(report: impl FnOnce(&mut Vec<u8>, &[Row]) -> io::Result<()>) -> String {
        let row = |case: &str, floor_us| Row { case: case.into(), us: 3.0, floor_us, allocs: 7 };
        let mut out = Vec::new();
        report(&mut out, &[row("verify/X", Some(2.0)), row("alone", None)]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_null_for_what_does_not_apply() {
        assert_eq!(
            written(json),
            "{\"case\":\"verify/X\",\"us\":3.0,\"floor_us\":2.0,\"ratio\":1.5,\"allocs\":7}\n\
             {\"case\":\"alone\",\"us\":3.0,\"floor_us\":null,\"ratio\":null,\"allocs\":7}\n"
        );
    }

    #[test]
    fn the_table_is_aligned_below_two_lines_that_say_what_it_is() {
        let text = written(|out, rows| table(out, rows, 9));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[1], "case            us  floor_us   ratio  allocs");
        assert_eq!(lines[2], "verify/X      3.00      2.00    1.50       7");
        assert_eq!(lines[3], "alone         3.00         -       -       7");
    }
}
