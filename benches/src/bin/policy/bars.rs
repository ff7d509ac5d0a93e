//! What the figures should be, beside what they are.

use std::io::{self, Write};

use agentauth_benches::report::{Row, rounded};
use serde::Serialize;

use crate::court::SIZES;
use crate::{load, path, rules};

/// One demand.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Bar {
    bar: String,
    is: f64,
    at_most: f64,
}

/// The demands on those that were measured.
pub(crate) fn bars(rows: &[Row]) -> Vec<Bar> {
    let row = |name: &str| rows.iter().find(|row| row.case == name);
    let us =
        |name: String, at_most| row(&name).map(|row| Bar { bar: format!("{name} us"), is: rounded(row.us), at_most });
    let mut bars: Vec<Bar> = SIZES.into_iter().filter_map(|size| us(format!("cedar/{size}"), 8.0)).collect();
    let [smallest, .., largest] = SIZES.map(|size| format!("cedar/{size}"));
    if let (Some(first), Some(last)) = (row(&smallest), row(&largest)) {
        bars.push(Bar { bar: format!("{largest} / {smallest}"), is: rounded(last.us / first.us), at_most: 1.5 });
    }
    bars.extend(us(format!("rules/{}", rules::RULES), 1.0));
    bars.extend(us(format!("path/{}", path::POLICIES), 15.0));
    let (load, plain) = (format!("load/{}", load::POLICIES), format!("plain-load/{}", load::POLICIES));
    if let Some(floor) = row(&load).and_then(|row| row.floor.as_ref()) {
        bars.push(Bar { bar: format!("{load} / {plain}"), is: rounded(floor.ratio), at_most: 1.2 });
    }
    bars
}

pub(crate) fn json(out: &mut impl Write, bars: &[Bar]) -> io::Result<()> {
    for bar in bars {
        serde_json::to_writer(&mut *out, bar)?;
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn table(out: &mut impl Write, bars: &[Bar]) -> io::Result<()> {
    let width = bars.iter().map(|bar| bar.bar.len()).max().unwrap_or_default().max(3);
    writeln!(out, "\n{:width$}  {:>8}  {:>8}", "bar", "is", "at most")?;
    for Bar { bar, is, at_most } in bars {
        let above = if is > at_most { "  above it" } else { "" };
        writeln!(out, "{bar:width$}  {is:>8.2}  {at_most:>8.2}{above}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use agentauth_benches::report::AboveFloor;

    use super::*;

    fn row(case: &str, us: f64, ratio: f64) -> Row {
        Row { case: case.into(), us, floor: Some(AboveFloor { us: 1.0, ratio, over_us: 0.0 }), allocs: 0 }
    }

    #[test]
    fn a_bar_is_told_of_each_case_that_was_measured() {
        let rows = [row("cedar/10", 4.0, 0.5), row("cedar/10000", 6.5, 0.1), row("load/10000", 900.0, 1.25)];
        let bars = bars(&rows);
        let mut out = Vec::new();
        json(&mut out, &bars[..1]).unwrap();
        table(&mut out, &bars).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"bar":"cedar/10 us","is":4.0,"at_most":8.0}"#);
        assert_eq!(lines[2], "bar                                  is   at most");
        assert_eq!(lines[3], "cedar/10 us                        4.00      8.00");
        assert_eq!(lines[5], "cedar/10000 / cedar/10             1.62      1.50  above it");
        assert_eq!(lines[6], "load/10000 / plain-load/10000      1.25      1.20  above it");
    }
}
