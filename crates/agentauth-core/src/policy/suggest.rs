//! What someone may have meant who wrote something else: for what reads policy files.

/// Longer words are not compared: nobody mistypes one so that it can be told.
const MAX_WORD_CHARS: usize = 100;

/// Of `known`, the word that is nearest to `written`, if one is near: `written` begins with it, or at most every third
/// character differs. Capitals count as small letters.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = |word: &str| (word.chars().count() <= MAX_WORD_CHARS).then(|| word.to_lowercase());
    let written = folded(written)?;
    let near = known.into_iter().filter_map(|word| Some((distance(&written, &folded(word)?), word)));
    let (distance, word) = near.min()?;
    let begins_so = word.len() >= 3 && written.starts_with(&word.to_lowercase());
    (begins_so || distance <= word.chars().count().max(3) / 3).then_some(word)
}

/// What to write instead of `written`: the [nearest] of `known`, or else any of them.
#[must_use]
pub fn meant(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write one of: {}", known.join(", ")),
    }
}

/// How many characters have to be put in, left out or replaced, or neighbours swapped, to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, c) in a.chars().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        for (column, d) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let next = column.saturating_add(1);
            let replaced = at(&last, column).saturating_add(usize::from(c != *d));
            let changed = at(&last, next).min(at(&current, column)).saturating_add(1);
            let crosses = column.checked_sub(1).filter(|left| previous == Some(*d) && b.get(*left) == Some(&c));
            let swapped = crosses.map_or(usize::MAX, |left| at(&before, left).saturating_add(1));
            current.push(replaced.min(changed).min(swapped));
        }
        before = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["agents", "principals", "action", "id", "even"];
        for (written, expected) in [
            ("agnets", Some("agents")),
            ("agent", Some("agents")),
            ("Agents", Some("agents")),
            ("principal", Some("principals")),
            ("actoin", Some("action")),
            ("ids", Some("id")),
            ("evn", Some("even")),
            ("evening", Some("even")),
            ("colour", None),
            ("", None),
            ("EVEM", Some("even")),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
        assert_eq!(
            (distance("ab", "ba"), distance("abc", ""), distance("", "é"), distance("kitten", "sitting")),
            (1, 3, 1, 3)
        );
    }
}
