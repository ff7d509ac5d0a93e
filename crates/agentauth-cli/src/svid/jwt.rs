//! The verdict on a JWT-SVID.

use std::io::{self, Write};

use agentauth_core::identity::svid::{Audiences, JwtSvid, JwtSvidError, TrustBundles, verify_jwt_svid};
use agentauth_core::{SpiffeId, Timestamp};
use agentauth_spiffe::files::FilesError;
use serde::Serialize;

use crate::CliError;
use crate::look::{Look, Mark};
use crate::text::shown;

/// What is written.
#[derive(Serialize)]
pub(super) struct JwtReport {
    pub(super) accepted: bool,
    at: Timestamp,
    trust_domains: Vec<String>,
    audiences: Vec<String>,
    /// The rule that it breaks; only of a token that is refused.
    refusal: Option<Refused>,
    /// Whom it proves; only of a token that is accepted.
    id: Option<SpiffeId>,
}

#[derive(Serialize)]
struct Refused {
    code: &'static str,
    error: String,
}

impl JwtReport {
    pub(super) fn of(
        token: &str,
        audiences: &[String],
        bundles: &TrustBundles,
        refused_bundles: Option<&FilesError>,
        at: Timestamp,
    ) -> Result<Self, CliError> {
        let expected = Audiences::new(audiences.iter().cloned())
            .map_err(|error| CliError::Setting { option: "audience", problem: error.to_string() })?;
        let verdict: Result<JwtSvid, JwtSvidError> = verify_jwt_svid(token, bundles, &expected, at);
        let (id, refusal) = match (refused_bundles, verdict) {
            (Some(error), _) => (None, Some(Refused { code: error.code(), error: error.to_string() })),
            (None, Ok(svid)) => (Some(svid.id().clone()), None),
            (None, Err(error)) => (None, Some(Refused { code: error.code(), error: error.to_string() })),
        };
        Ok(Self {
            accepted: id.is_some(),
            at,
            trust_domains: bundles.trust_domains().map(ToString::to_string).collect(),
            audiences: audiences.to_vec(),
            refusal,
            id,
        })
    }

    pub(super) fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        writeln!(out, "A JWT-SVID for {}", shown(&self.audiences.join(", ")))?;
        writeln!(out, "with bundles of {}, at {}", shown(&self.trust_domains.join(", ")), self.at)?;
        writeln!(out)?;
        if let Some(Refused { code, error }) = &self.refusal {
            writeln!(out, "{} {}", look.coloured(Mark::Failed, "Refused:"), shown(error))?;
            writeln!(out, "  {code}")?;
        }
        match &self.id {
            Some(id) => {
                writeln!(out, "{}", look.coloured(Mark::Passed, "Accepted."))?;
                writeln!(out, "  It proves {}", shown(id.as_str()))
            }
            None => Ok(()),
        }
    }
}
