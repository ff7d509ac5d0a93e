//! What is printed.

use agentauth_cli::Terminal;
use agentauth_core::SystemClock;
use serde_json::Value;

use crate::Error;
use crate::trial::{Act, Chain};

pub(crate) fn acts(acts: &[Act]) {
    println!("\n{:<48} {:<7} {:<7} {:<12} reason", "act", "who", "for", "verdict");
    println!("{}", "-".repeat(110));
    let mut scene = "";
    for act in acts {
        if act.scene != scene {
            scene = act.scene;
            println!("{scene}:");
        }
        let verdict = if act.code == "allowed" { "allowed" } else { "denied" };
        let verdict = format!("{verdict} {}", act.status);
        let surprise =
            if act.is_surprise() { format!("   SURPRISE: expected {}", act.expected) } else { String::new() };
        println!("  {:<46} {:<7} {:<7} {verdict:<12} {}{surprise}", act.title, act.who, act.for_whom, act.code);
    }
}

/// The chain as `agentauth delegation show` draws it.
pub(crate) fn chain(chain: &Chain) -> Result<(), Error> {
    let mut drawn = Vec::new();
    let mut terminal = Terminal::new(chain.tokens.as_bytes(), &mut drawn, std::io::stderr(), SystemClock);
    agentauth_cli::run(["agentauth", "delegation", "show"].map(Into::into), &mut terminal);
    drop(terminal);
    println!("\n{}, as `agentauth delegation show` draws it.\n\n{}", chain.title, String::from_utf8(drawn)?.trim_end());
    Ok(())
}

pub(crate) fn record(lines: &[Value]) {
    println!("\nThe record of the day: {} entries, each on disk before its answer was given.\n", lines.len());
    println!("{:<12} {:<14} {:<6} {:<30} {:<22} for, and what", "time", "kind", "effect", "code", "agent (after whom)");
    println!("{}", "-".repeat(140));
    for line in lines {
        println!(
            "{:<12} {:<14} {:<6} {:<30} {:<22} {}",
            text(line, "/time").trim_end_matches('Z').chars().skip(11).take(12).collect::<String>(),
            text(line, "/kind"),
            text(line, "/effect"),
            text(line, "/code"),
            agents(line),
            subject(line),
        );
    }
}

pub(crate) fn verdict(acts: &[Act]) -> usize {
    let allowed = acts.iter().filter(|act| act.code == "allowed").count();
    let surprises = acts.iter().filter(|act| act.is_surprise()).count();
    println!(
        "\ncourtroom: {} acts, {allowed} allowed, {} denied, {surprises} surprises",
        acts.len(),
        acts.len().saturating_sub(allowed)
    );
    surprises
}

/// Who acted, and in brackets through whom the authority came. An outcome is its decision's.
fn agents(line: &Value) -> String {
    let actors: Vec<&str> = ["/delegation/chain", "/issued/actors", "/revocation/agent"]
        .into_iter()
        .filter_map(|pointer| line.pointer(pointer))
        .flat_map(|agents| agents.as_array().map_or(std::slice::from_ref(agents), Vec::as_slice))
        .map(|agent| agent.get("agent").unwrap_or(agent))
        .filter_map(|agent| agent.get("spiffe").or_else(|| agent.pointer("/named/name")).and_then(Value::as_str))
        .map(name)
        .collect();
    match actors.split_first() {
        Some((agent, [])) => (*agent).into(),
        Some((agent, earlier)) => format!("{agent} ({})", earlier.join(", ")),
        None => line.get("peer").and_then(Value::as_str).map_or("-", name).into(),
    }
}

fn subject(line: &Value) -> String {
    if let Some(revoked) = line.get("revocation") {
        return format!(
            "{}, by {}: {}",
            text(revoked, "/what"),
            text(line, "/personal/by"),
            text(line, "/personal/why")
        );
    }
    let principal = line.pointer("/personal/principal/subject").or_else(|| line.pointer("/personal/subject"));
    let principal = principal.and_then(Value::as_str).map_or("-", name);
    let action = text(line, "/action/name");
    let resource = text(line, "/action/resource/id");
    let granted = text(line, "/issued/scopes");
    let limited = line.pointer("/issued/authorization_details").map_or("", |_| "within limits");
    format!("{principal} {action} {resource} {granted} {limited}").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text<'v>(line: &'v Value, pointer: &str) -> &'v str {
    line.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The last part of a SPIFFE ID.
fn name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}
