//! Names that no agent, principal or issuer can have.

use agentauth_core::{IssuerId, ResourceId, SpiffeId, TrustDomain};

use crate::entities::verified::MAX_PATH_LEVELS;

const PRINCIPAL: &str = "is called \"<issuer>#<subject>\", as in";

/// Why nothing of type `kind` is called `id`, and how it could be.
pub(crate) fn nobody(kind: &str, id: &str) -> Option<(String, String)> {
    let parts = id.split('#').count();
    let is_of_issuer = |counts: &[usize]| {
        counts.contains(&parts)
            && id.split('#').all(|part| !part.is_empty())
            && id.split('#').next().is_some_and(|issuer| IssuerId::new(issuer).is_ok())
    };
    match kind {
        "Agent" => {
            let spiffe = id.parse::<SpiffeId>();
            if spiffe.is_ok() || is_of_issuer(&[2]) {
                return None;
            }
            let why = match spiffe {
                Err(error) if id.contains("://") && !id.contains('#') && id.starts_with("spiffe") => error.to_string(),
                _ => "an agent is called by its SPIFFE ID, or \"<issuer>#<name>\"".into(),
            };
            Some((why, "write `Agent::\"spiffe://court.example/agent/lawyer\"` or `Agent::\"https://sts.court.example#lawyer\"`".into()))
        }
        "SpiffePath" => {
            let help = "write `SpiffePath::\"spiffe://court.example/agent\"`; for a whole trust domain, `TrustDomain::\"court.example\"`";
            match id.parse::<SpiffeId>() {
                Err(error) => Some((error.to_string(), help.into())),
                Ok(path) if path.path().is_empty() => Some(("a SPIFFE path has a path".into(), help.into())),
                Ok(path) if path.path().matches('/').count() > MAX_PATH_LEVELS => {
                    Some(("agents with more than 16 path segments are refused".into(), help.into()))
                }
                Ok(_) => None,
            }
        }
        "TrustDomain" => {
            let error = id.parse::<TrustDomain>().err()?;
            Some((error.to_string(), "write its name alone: `TrustDomain::\"court.example\"`".into()))
        }
        "Issuer" => {
            let error = IssuerId::new(id).err()?;
            Some((error.to_string(), "write it as in its tokens: `Issuer::\"https://sts.court.example\"`".into()))
        }
        "Server" => {
            let error = ResourceId::new(id).err()?;
            Some((
                error.to_string(),
                "write the resource server's identifier: `Server::\"https://court.example\"`".into(),
            ))
        }
        "User" | "Client" | "Account" if !is_of_issuer(&[2, 3]) => Some((
            format!("whoever is a {kind} is called by its issuer too"),
            format!("a {kind} {PRINCIPAL} `{kind}::\"https://sts.court.example#{}\"`", last(id)),
        )),
        "Subject" if !is_of_issuer(&[2]) => Some((
            "a subject is called by its issuer too, and without a tenant".into(),
            format!("it {PRINCIPAL} `Subject::\"https://sts.court.example#{}\"`", last(id)),
        )),
        _ => None,
    }
}

fn last(id: &str) -> &str {
    let name = id.rsplit(['#', '/']).next().unwrap_or_default();
    if name.is_empty() { "alice" } else { name }
}
