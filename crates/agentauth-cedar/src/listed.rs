//! Words as people list them.

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

/// What to say of an action that the schema has not, and that is near to none of the `known` ones.
pub(crate) fn actions_of_schema<'w>(known: impl IntoIterator<Item = &'w str>) -> String {
    let mut known = known.into_iter().peekable();
    match known.peek() {
        None => "the schema has no actions: declare them in a `*.cedarschema` file beside the policies".into(),
        Some(_) => format!("the schema has the actions {}", listed(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_once_each_and_not_too_many_of_them() {
        assert_eq!(listed([]), "nothing");
        assert_eq!(listed(["b", "a", "b"]), "`a` and `b`");
        let many: Vec<String> = (10..30).map(|n| n.to_string()).collect();
        assert!(listed(many.iter().map(String::as_str)).ends_with("`21` and 8 more"));
    }
}
