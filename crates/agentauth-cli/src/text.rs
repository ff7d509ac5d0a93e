//! What others wrote, shown so that it cannot play with the terminal or with the eye.

use std::fmt::Write as _;

use serde::Serialize;

/// `text` with everything but printable ASCII (and our own `§`) escaped: control characters could drive the terminal,
/// and letters that look alike are different names.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' || c == '§' || c.is_ascii_graphic() {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// `value` as JSON of printable ASCII, on one line.
pub(crate) fn json(value: &impl Serialize) -> String {
    escape(&serde_json::to_string(value).unwrap_or_default())
}

/// `value` as JSON of printable ASCII, on several lines.
pub(crate) fn pretty_json(value: &impl Serialize) -> String {
    escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// JSON, of printable ASCII. Outside of strings JSON is ASCII, so that whatever is not stands in a string and can be escaped there.
pub(crate) fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || c == ' ' || c.is_ascii_graphic() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// `then` as seen from `now`, both in seconds: the two largest units, such as `in 1 h 5 min`.
pub(crate) fn relative(then: u64, now: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = then.abs_diff(now);
    let mut parts = Vec::new();
    for (seconds, unit) in UNITS {
        if rest >= seconds {
            parts.push(format!("{} {unit}", rest / seconds));
        } else if !parts.is_empty() {
            break;
        }
        rest %= seconds;
        if parts.len() == 2 {
            break;
        }
    }
    match parts.join(" ") {
        span if span.is_empty() => "now".into(),
        span if then > now => format!("in {span}"),
        span => format!("{span} ago"),
    }
}

/// `count` things: `one` of them, or several `many`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// With a comma between thousands.
pub(crate) fn number<N: Copy + ToString>(count: N) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_drive_a_terminal_or_fool_the_eye() {
        assert_eq!(shown("a\x1b[2J\u{202e}\u{430}"), r"a\u{1b}[2J\u{202e}\u{430}");
        let text = "\u{7f}\u{9b}\u{1f600} \u{e9}\n";
        let json = json(&text);
        assert_eq!(json, r#""\u007f\u009b\ud83d\ude00 \u00e9\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_time_is_told_from_now() {
        for (then, expected) in [
            (1000, "now"),
            (1001, "in 1 s"),
            (940, "1 min ago"),
            (939, "1 min 1 s ago"),
            (1000 + 3600 + 5, "in 1 h"),
            (1000 + 86_400 * 400 + 7200, "in 400 d 2 h"),
        ] {
            assert_eq!(relative(then, 1000), expected);
        }
    }

    #[test]
    fn thousands_are_told_apart() {
        for (count, text) in [(0_u64, "0"), (999, "999"), (1204, "1,204"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(count), text);
        }
    }
}
