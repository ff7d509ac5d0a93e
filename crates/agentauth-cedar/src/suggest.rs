//! What somebody may have meant.

/// Longer words are not compared.
const MAX_WORD: usize = 100;

/// The one of `known` that `word` is nearest to, if it is near at all: a third of its letters may be wrong.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: Vec<char> = word.to_lowercase().chars().take(MAX_WORD).collect();
    let far = word.len().div_ceil(3).max(1);
    let near = known.into_iter().filter_map(|other| {
        let letters: Vec<char> = other.to_lowercase().chars().take(MAX_WORD).collect();
        let distance = distance(&word, &letters);
        (distance <= far).then_some((distance, other))
    });
    near.min().map(|(_, other)| other)
}

/// How many letters must be added, left out or replaced (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut before = at.saturating_add(1);
        let mut next = vec![before];
        for (pair, theirs) in row.windows(2).zip(other) {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            let replaced = if letter == theirs { diagonal } else { diagonal.saturating_add(1) };
            before = replaced.min(above.saturating_add(1)).min(before.saturating_add(1));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The words as `a`, `b` and `c`; not more of them than people read.
pub(crate) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    const MOST: usize = 12;
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    words.dedup();
    let more = words.len().saturating_sub(MOST);
    let mut shown: Vec<String> = words.iter().take(MOST).map(|word| format!("`{word}`")).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.split_last() {
        None => "nothing".into(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_the_one_that_was_meant() {
        let known = ["Case", "Court", "motions:file", "motions:read"];
        for (word, meant) in [
            ("Cse", Some("Case")),
            ("case", Some("Case")),
            ("motion:file", Some("motions:file")),
            ("x", None),
            ("", None),
            ("Statue", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (one, other, apart) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(&letters(one), &letters(other)), apart);
        }
        assert_eq!(listed(["b", "a", "b"]), "`a` and `b`");
    }
}
