//! A proxy in front of this server that ends the callers' TLS connections, and says who they are.

use std::error::Error;

use agentauth_core::identity::forwarded::Xfcc;
use agentauth_core::{ActorBinding, AgentTrust, SpiffeId, TrustDomain};
use agentauth_tower::{Network, TrustedProxy};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(next_help_heading = "Callers behind a proxy")]
pub(crate) struct ForwardedOptions {
    /// Takes who the caller is from the x-forwarded-client-cert header that Envoy or Istio writes in this mode. Callers that
    /// the proxy does not know are then refused, whatever token they have.
    #[arg(long = "xfcc", value_name = "MODE", value_enum, requires = "trusted_proxy")]
    mode: Option<XfccMode>,

    /// From where the proxy connects, such as 127.0.0.0/8 for a sidecar. Whoever else sends the header is refused. May be
    /// repeated.
    #[arg(id = "trusted_proxy", long = "trusted-proxy", value_name = "CIDR", requires = "mode")]
    trusted_proxy: Vec<Network>,

    /// The trust domain whose workloads the proxy may name. There may be no roots for it here. May be repeated.
    #[arg(long = "xfcc-trust-domain", value_name = "TD", requires = "mode")]
    trust_domains: Vec<TrustDomain>,

    /// The proxy's SPIFFE ID, which it writes as By: for a sidecar, this server's own.
    #[arg(long = "xfcc-by", value_name = "ID", requires = "mode")]
    by: Option<SpiffeId>,

    /// A proxy in front of that one, which adds to the header too: a gateway. May be repeated, the nearest first.
    #[arg(long = "xfcc-behind", value_name = "ID", requires = "by")]
    behind: Vec<SpiffeId>,

    /// Verifies the caller's certificate here too, under --bundle, --client-ca or --spiffe-socket. The proxy must be set to write uri, dns, and cert or
    /// chain.
    #[arg(long = "xfcc-verify", requires = "mode")]
    verify: bool,

    /// How the agent that a token names and the agent that the connection proves must agree: peer-if-proven unless given,
    /// and peer with --xfcc.
    #[arg(long, value_name = "RULE", value_enum)]
    actor_binding: Option<ActorRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum XfccMode {
    /// The proxy replaces the header (SANITIZE_SET).
    #[value(alias = "SANITIZE_SET")]
    SanitizeSet,
    /// The proxy adds to the header (APPEND_FORWARD). Needs --xfcc-by.
    #[value(alias = "APPEND_FORWARD")]
    AppendForward,
    /// An Istio waypoint writes By=..;URI=.. No certificate is behind it: let nobody but the waypoint reach this server.
    Waypoint,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ActorRule {
    /// A connection that proves an agent must be the actor's; others add nothing to the token.
    PeerIfProven,
    /// The connection must prove the actor.
    Peer,
    /// The connection is not compared; the token must be bound to its holder's key.
    TokenBound,
}

impl ForwardedOptions {
    /// The proxy, and how what it says is read.
    pub(crate) fn forwarded(&self) -> Result<Option<(TrustedProxy, Xfcc)>, Box<dyn Error>> {
        let Some(mode) = self.mode else { return Ok(None) };
        if self.trust_domains.is_empty() && !self.verify {
            return Err("--xfcc needs --xfcc-trust-domain, or --xfcc-verify: else no caller is believed".into());
        }
        let by = self.by.clone();
        let mut xfcc = match (mode, by) {
            (XfccMode::AppendForward, Some(by)) => Xfcc::append_forward_behind(by, self.behind.iter().cloned()),
            (XfccMode::AppendForward, None) => return Err("--xfcc append-forward needs --xfcc-by".into()),
            _ if !self.behind.is_empty() => return Err("--xfcc-behind is for --xfcc append-forward".into()),
            (XfccMode::Waypoint, _) if self.verify => {
                return Err("--xfcc-verify does not go with --xfcc waypoint, which writes no certificate".into());
            }
            (XfccMode::SanitizeSet, by) => by.into_iter().fold(Xfcc::sanitize_set(), Xfcc::expect_by),
            (XfccMode::Waypoint, by) => by.into_iter().fold(Xfcc::istio_waypoint(), Xfcc::expect_by),
        };
        if self.verify {
            xfcc = xfcc.verify_certificates();
        }
        Ok(Some((TrustedProxy::in_networks(self.trusted_proxy.iter().copied()), xfcc)))
    }

    /// `trust`, and the trust domains whose workloads the proxy may name.
    pub(crate) fn trust(&self, trust: AgentTrust) -> AgentTrust {
        self.trust_domains.iter().cloned().fold(trust, AgentTrust::vouched_for_by_proxy)
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.mode.is_some()
    }

    /// Whether there must be roots of the callers' trust domain.
    pub(crate) const fn verifies(&self) -> bool {
        self.verify
    }

    pub(crate) fn actor_binding(&self) -> ActorBinding {
        let default = if self.is_on() { ActorRule::Peer } else { ActorRule::PeerIfProven };
        match self.actor_binding.unwrap_or(default) {
            ActorRule::PeerIfProven => ActorBinding::PeerIfProven,
            ActorRule::Peer => ActorBinding::Peer,
            ActorRule::TokenBound => ActorBinding::TokenBound,
        }
    }
}
