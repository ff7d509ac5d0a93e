//! An explanation as text.

use std::fmt;

use agentauth_core::policy::Effect;

use super::{Asked, Explanation, Outcome, Weighed, WeighedPart};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show_answer(f)?;
        write!(f, "\n\n{}", self.asked)?;
        for policy in &self.deciding {
            write!(f, "\n\n{}", Deciding(policy))?;
        }
        if !self.nearest.is_empty() {
            let count = self.nearest.len();
            let policies = if count == 1 { "This policy comes".into() } else { format!("These {count} policies come") };
            write!(f, "\n\n{policies} nearest to permitting it:")?;
        }
        for policy in &self.nearest {
            write!(f, "\n\n{}", Nearly(policy))?;
        }
        if !self.needed.is_empty() {
            write!(f, "\n\nWhat would be needed:")?;
        }
        for needed in &self.needed {
            write!(f, "\n  - {}", plain(needed))?;
        }
        for flip in self.decision.would_flip() {
            let to = if flip.to == Effect::Allow { "permit" } else { "deny" };
            write!(f, "\n\nIn rehearsal: with `{}` in force, the answer would be to {to} it.", plain(&flip.policy))?;
        }
        Ok(())
    }
}

impl Explanation {
    fn show_answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.decision.reasons().first() else { return f.write_str("Denied.") };
        if !self.is_allowed() {
            write!(f, "Denied ({}): {}", first.kind().code(), plain(first.text()))?;
            return match first.public_text() {
                Some(told) => write!(f, "\nThe caller is told: {}", plain(told)),
                None => Ok(()),
            };
        }
        write!(f, "Permitted: {}", plain(first.text()))?;
        for obligation in self.decision.obligations() {
            let terms = serde_json::to_string(obligation).map_err(|_| fmt::Error)?;
            write!(f, "\nOn condition of: {terms}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hops = if self.depth == 1 { "1 agent".into() } else { format!("{} agents", self.depth) };
        writeln!(f, "  agent      {}", plain(&self.agent))?;
        writeln!(f, "  for        {}", plain(&self.principal))?;
        writeln!(f, "  as         {}, through {hops}, by {}", self.mode, self.issuer)?;
        writeln!(f, "  action     {}", plain(&self.action))?;
        match &self.resource {
            Some((kind, id)) => writeln!(f, "  on         {} {}", plain(kind), plain(id))?,
            None => writeln!(f, "  on         {}", self.server)?,
        }
        let arguments = if self.arguments.is_empty() { "none".into() } else { plain(&self.arguments.join(", ")) };
        write!(f, "  arguments  {arguments}")
    }
}

/// A policy that decided.
struct Deciding<'w>(&'w Weighed);

impl fmt::Display for Deciding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.0;
        let errs = policy.parts.iter().any(|part| matches!(part.outcome, Outcome::Errs(_)));
        let does = match (errs, policy.permits) {
            (true, _) => "cannot be evaluated",
            (false, true) => "permits it",
            (false, false) => "forbids it",
        };
        write!(f, "`{}` {does} ({}:{})", plain(&policy.policy), policy.file, policy.line)?;
        if let Some(agent) = &policy.applies_to {
            write!(f, " to {agent}")?;
        }
        if policy.parts.is_empty() {
            return write!(f, ", whoever asks for whatever");
        }
        write!(f, ":")?;
        for part in &policy.parts {
            match &part.outcome {
                Outcome::Errs(_) => write!(f, "\n\n{}", Missed(policy, part))?,
                _ => {
                    let not = if part.unless { "not: " } else { "" };
                    write!(f, "\n  {not}{}", one_line(&part.text))?;
                    for value in &part.values {
                        write!(f, "\n      {} is {}", value.path, plain(&value.value))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A policy that nearly permits.
struct Nearly<'w>(&'w Weighed);

impl fmt::Display for Nearly<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.0;
        let count = policy.misses().count();
        let things = if count == 1 { "one thing is".into() } else { format!("{count} things are") };
        write!(f, "`{}`, for which {things} missing:", plain(&policy.policy))?;
        for part in policy.misses() {
            write!(f, "\n\n{}", Missed(policy, part))?;
        }
        Ok(())
    }
}

/// What is missing, where it stands, with what is there instead.
struct Missed<'w>(&'w Weighed, &'w WeighedPart);

impl fmt::Display for Missed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(policy, part) = self;
        let place = &part.place;
        let what = match &part.outcome {
            Outcome::Errs(error) => format!("this cannot be evaluated: {}", plain(error)),
            _ if part.unless => "this is so, and must not be".into(),
            _ => "this is not so".into(),
        };
        writeln!(f, "{}:{}:{}: {what}", policy.file, place.line, place.column)?;
        let number = place.line.to_string();
        let blank = " ".repeat(number.len());
        let indent = place.source.chars().take(place.column.saturating_sub(place.skipped).saturating_sub(1));
        let indent: String = indent.map(|c| if c == '\t' { c } else { ' ' }).collect();
        writeln!(f, "{blank} |")?;
        writeln!(f, "{number} | {}", place.source)?;
        write!(f, "{blank} | {indent}{}", "^".repeat(place.length))?;
        for value in &part.values {
            write!(f, "\n{blank} = {} is {}", value.path, plain(&value.value))?;
        }
        match &part.help {
            Some(help) => write!(f, "\n{blank} = help: {help}"),
            None => Ok(()),
        }
    }
}

/// What others have chosen, on one line: a name with a line in it would look like one of ours.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
