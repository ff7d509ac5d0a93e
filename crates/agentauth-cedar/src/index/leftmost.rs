//! Which agent a policy's condition begins with.

use cedar_policy::{EntityUid, Policy};

/// The entity in `context.agent == Agent::".."` or `context.agent in X::".."`, where a policy's first clause is a `when` that
/// has this as its leftmost conjunct.
///
/// Conditions are evaluated from left to right, up to the first that is false: where the leftmost is, nothing behind it is
/// evaluated, so that the policy is neither satisfied nor can it err. Of any other conjunct this is not so. In
/// `context.n + 1 > 2 && context.agent == A`, the sum can overflow whoever the agent is, and a policy that errs denies.
/// Nor is it so below `||`, `!` or `if`, or in an `unless`.
///
/// Of a policy that was parsed, Cedar keeps the text, and to have its JSON form is to parse it again, which would make loading
/// half as slow again. So the text is read, as far as it is as plain as most people write it; of others the JSON form is.
pub(super) fn agent(policy: &Policy) -> Option<EntityUid> {
    match in_text(&policy.to_cedar()?) {
        Some(Beginning::Agent(entity)) => entity.parse().ok(),
        Some(Beginning::Other) => None,
        None => in_json(&policy.to_json().ok()?),
    }
}

/// What the condition of a policy begins with.
enum Beginning<'t> {
    /// This entity, as an agent.
    Agent(&'t str),
    Other,
}

/// That entity in the JSON form of a policy.
pub(super) fn in_json(policy: &serde_json::Value) -> Option<EntityUid> {
    let first = policy.get("conditions")?.get(0)?;
    if first.get("kind")? != "when" {
        return None;
    }
    let mut conjunct = first.get("body")?;
    while let Some(both) = conjunct.get("&&") {
        conjunct = both.get("left")?;
    }
    let relation = conjunct.get("==").or_else(|| conjunct.get("in"))?;
    let attribute = relation.get("left")?.get(".")?;
    if attribute.get("left")?.get("Var")? != "context" || attribute.get("attr")? != "agent" {
        return None;
    }
    EntityUid::from_json(relation.get("right")?.get("Value")?.clone()).ok()
}

/// What a policy that Cedar has parsed begins with. None if the text does not say it plainly: where there are escapes in it, or
/// parentheses about its beginning.
fn in_text(text: &str) -> Option<Beginning<'_>> {
    if text.contains('\\') {
        return None;
    }
    let mut tokens = Tokens { text, at: 0 };
    // Annotations and the scope, up to the first clause.
    loop {
        match tokens.next()? {
            "@" => _ = tokens.next()?,
            "(" => tokens.skip_group()?,
            "permit" | "forbid" => {}
            "when" => break,
            "unless" | ";" => return Some(Beginning::Other),
            _ => return None,
        }
    }
    match (tokens.next()?, tokens.next()?) {
        ("{", "context") => {}
        ("{", "(") => return None,
        _ => return Some(Beginning::Other),
    }
    match (tokens.next()?, tokens.next()?, tokens.next()?) {
        (".", "agent", "==" | "in") => {}
        ("[", ..) => return None,
        _ => return Some(Beginning::Other),
    }
    let start = tokens.after_space();
    loop {
        let part = tokens.next()?;
        if part.starts_with('"') {
            break;
        }
        if !part.starts_with(is_letter) || tokens.next()? != "::" {
            return Some(Beginning::Other);
        }
    }
    let entity = text.get(start..tokens.at)?;
    let is_conjunct = match tokens.next()? {
        "}" => true,
        "&&" => tokens.are_conjuncts()?,
        _ => false,
    };
    Some(if is_conjunct { Beginning::Agent(entity) } else { Beginning::Other })
}

/// The tokens of Cedar, in a text without escapes: names, strings with their quotes, and signs.
struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    /// The place of the next token.
    fn after_space(&mut self) -> usize {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let trimmed = rest.trim_start();
            self.at = self.text.len().saturating_sub(trimmed.len());
            if !trimmed.starts_with("//") {
                return self.at;
            }
            let line = trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            self.at = self.at.saturating_add(line);
        }
    }

    fn next(&mut self) -> Option<&'t str> {
        let start = self.after_space();
        let rest = self.text.get(start..)?;
        let first = rest.chars().next()?;
        let length = if is_letter(first) {
            rest.find(|c| !is_letter(c) && !char::is_ascii_digit(&c)).unwrap_or(rest.len())
        } else if first == '"' {
            rest.get(1..)?.find('"')?.saturating_add(2)
        } else if ["::", "==", "&&", "||"].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            first.len_utf8()
        };
        self.at = start.saturating_add(length);
        self.text.get(start..self.at)
    }

    /// Goes behind what closes the group that has been opened.
    fn skip_group(&mut self) -> Option<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                "(" | "[" | "{" => depth = depth.saturating_add(1),
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Some(())
    }

    /// Whether what stands before the end of the clause is joined by `&&` alone: `a && b || c` is `(a && b) || c`.
    fn are_conjuncts(&mut self) -> Option<bool> {
        loop {
            match self.next()? {
                "(" | "[" | "{" => self.skip_group()?,
                "||" => return Some(false),
                "}" => return Some(true),
                _ => {}
            }
        }
    }
}

const fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    fn agent_of(clauses: &str) -> Option<String> {
        let policy: Policy = format!("permit (principal, action, resource) {clauses};").parse().unwrap();
        let read = agent(&policy);
        assert_eq!(read, in_json(&policy.to_json().unwrap()), "{clauses}");
        read.map(|uid| uid.to_string())
    }

    #[test]
    fn a_policy_belongs_to_the_agent_that_its_condition_begins_with() {
        for clauses in [
            r#"when { context.agent == A::"1" }"#,
            r#"when { context.agent in A::"1" }"#,
            r#"when{context.agent==A::"1"&&context.n>1}"#,
            r#"when { context["agent"] == A::"1" }"#,
            r#"when { context.agent == A::"1" && context.n > 1 && context.m > 1 }"#,
            r#"when { (context["agent"] == A::"1" && context.n > 1) && (context.m > 1 || true) }"#,
            r#"when { context.agent == A::"1" && (context.m > 1 || {a: [1, 2]}.a == [1]) }"#,
            r#"when { context.agent == A::"1" && context.s == "}||" }"#,
            r#"when { context.agent == A::"1" } unless { context.n > 1 || true }"#,
            "when // a || b\n { context . agent // \"\n == // c\r A::\"1\" && true // || \n }",
        ] {
            assert_eq!(agent_of(clauses).as_deref(), Some(r#"A::"1""#), "{clauses}");
        }
        assert_eq!(agent_of(r#"when { context.agent in N::M::X::"a//b" }"#).unwrap(), r#"N::M::X::"a//b""#);
    }

    #[test]
    fn annotations_and_scopes_are_no_conditions() {
        let text = r#"@id("when { context.agent == A::\"2\" }") @x_note("(") @x_bare
            permit (principal in P::"when", action in [Action::"a", Action::")"], resource is R in R::"permit (")
            when { context.agent == A::"1" };"#;
        let of = |text: &str| agent(&text.parse().unwrap()).map(|uid| uid.to_string());
        assert_eq!(of(text).as_deref(), Some(r#"A::"1""#));
        assert_eq!(of(&text.replace("\\\"", "'")).as_deref(), Some(r#"A::"1""#));
    }

    #[test]
    fn a_policy_that_came_as_json_is_read_too() {
        let policy: Policy =
            r#"permit (principal, action, resource) when { context.agent == A::"1" && true };"#.parse().unwrap();
        let policy = Policy::from_json(None, policy.to_json().unwrap()).unwrap();
        assert_eq!(agent(&policy).unwrap().to_string(), r#"A::"1""#);
    }

    #[test]
    fn an_agent_anywhere_else_says_nothing() {
        for clauses in [
            "",
            r#"when { context.n + 1 > 2 && context.agent == A::"1" }"#,
            r#"when { context.agent == A::"1" || context.n > 1 }"#,
            r#"when { context.agent == A::"1" && context.n > 1 || context.m > 1 }"#,
            r#"when { !(context.agent == A::"1") }"#,
            r#"when { context.agent != A::"1" }"#,
            r#"when { if context.agent == A::"1" then true else false }"#,
            r#"when { (context.agent == A::"1") == false }"#,
            r#"when { context.agent in [A::"1", A::"2"] }"#,
            r#"when { context.n > 1 } when { context.agent == A::"1" }"#,
            r#"unless { context.agent == A::"1" }"#,
            r#"unless { context["agent"] == A::"1" }"#,
            r#"when { context.other.agent == A::"1" }"#,
            r#"when { principal.agent == A::"1" }"#,
            r#"when { context.agent == principal }"#,
            r#"when { context.agent == A::"1".b }"#,
            r#"when { context.agent.name == "A::1" }"#,
        ] {
            assert_eq!(agent_of(clauses), None, "{clauses}");
        }
    }

    /// Whatever tokens stand behind one another, if Cedar takes them for a policy.
    #[test]
    fn the_text_never_says_what_the_json_form_does_not() {
        const TOKENS: [&str; 40] = [
            "context",
            ".",
            "agent",
            "==",
            "in",
            "A::\"1\"",
            "N :: A // \"\n :: \"}\"",
            "&&",
            "||",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            "!",
            "when",
            "unless",
            "if true then",
            "else",
            "true",
            "false",
            "context.n > 1",
            "has",
            "is A",
            "is A in",
            "like \"||\"",
            "[\"agent\"]",
            "{a: 1}.a",
            "// }\n",
            "//\r",
            "\"\\\"\"",
            "\u{2003}",
            "-",
            "context.agent",
            "&& true",
            "== true",
            "!=",
            "context.s == \"}||\"",
            "context.agent == A::\"1\"",
        ];
        let run = |seeds: &[(usize, bool)]| {
            let clauses = seeds
                .iter()
                .fold(String::new(), |text, (token, gap)| text + TOKENS[*token] + if *gap { " " } else { "" });
            let mut read = 0;
            for clauses in [
                clauses.clone(),
                format!("when {{ context.agent == A::\"1\" {clauses} }}"),
                format!("when {{ {clauses} }}"),
                format!("when {{ {clauses} context.agent == A::\"1\" && true }}"),
            ] {
                let Ok(policy) =
                    format!("@when(\"when\") permit (principal, action, resource) {clauses};").parse::<Policy>()
                else {
                    continue;
                };
                read += 1;
                assert_eq!(agent(&policy), in_json(&policy.to_json().unwrap()), "{clauses}");
            }
            read
        };
        let mut runner = TestRunner::new(ProptestConfig { cases: 1000, ..ProptestConfig::default() });
        let seeds = prop::collection::vec((0..TOKENS.len(), prop::bool::weighted(0.8)), 0..7);
        let read = std::cell::Cell::new(0);
        runner
            .run(&seeds, |seeds| {
                read.set(read.get() + run(&seeds));
                Ok(())
            })
            .unwrap();
        assert!(read.get() > 300, "{}", read.get());
    }
}
