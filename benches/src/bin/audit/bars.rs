//! What the figures should be, beside what they are.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::Row;

/// One demand.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Bar {
    bar: &'static str,
    is: f64,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// The demands on those that were measured.
pub(crate) fn bars(rows: &[Row]) -> Vec<Bar> {
    let figure = |name: &str, of: fn(&Row) -> Option<f64>| rows.iter().find(|row| row.case == name).and_then(of);
    let at_least = |bar, is: Option<f64>, least| is.map(|is| Bar { bar, is, at_least: Some(least), at_most: None });
    let at_most = |bar, is: Option<f64>, most| is.map(|is| Bar { bar, is, at_least: None, at_most: Some(most) });
    [
        at_most("durable/1 over us", figure("durable/1", |row| row.over_us), 60.0),
        at_least("durable/64 ratio", figure("durable/64", |row| row.ratio), 0.8),
        at_most("frame us", figure("frame", |row| Some(row.us)), 3.0),
        // Or 400 MB a second, which a machine with instructions for SHA-256 has first.
        at_least("verify ratio", figure("verify", |row| row.ratio), 0.5),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) fn json(out: &mut impl Write, bars: &[Bar]) -> io::Result<()> {
    for bar in bars {
        serde_json::to_writer(&mut *out, bar)?;
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn table(out: &mut impl Write, bars: &[Bar]) -> io::Result<()> {
    writeln!(out, "\n{:20}  {:>8}  should be", "bar", "is")?;
    for Bar { bar, is, at_least, at_most } in bars {
        let is_missed = at_least.is_some_and(|least| is < &least) || at_most.is_some_and(|most| is > &most);
        let should =
            at_least.map(|least| format!("at least {least}")).or(at_most.map(|most| format!("at most {most}")));
        let missed = if is_missed { "  missed" } else { "" };
        writeln!(out, "{bar:20}  {is:>8.2}  {}{missed}", should.unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_is_said_so() {
        let rows =
            [Row::beside("durable/64", &[20.0], &[14.0], String::new()), Row::alone("frame", 2.5, String::new())];
        let mut out = Vec::new();
        table(&mut out, &bars(&rows)).unwrap();
        json(&mut out, &bars(&rows)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "durable/64 ratio          0.70  at least 0.8  missed");
        assert_eq!(lines[1], "frame us                  2.50  at most 3");
        assert_eq!(lines[2], r#"{"bar":"durable/64 ratio","is":0.7,"at_least":0.8,"at_most":null}"#);
    }
}
