use agentauth_core::{SpiffeId, SpiffePattern, TrustDomain};

/// Which workloads a client takes for the server that it means to reach.
///
/// An address says where a server is, and nothing of who it is: names and routes are somebody else's word. So the one who
/// calls says who must answer.
#[derive(Debug, Clone)]
pub struct Servers(Rule);

#[derive(Debug, Clone)]
enum Rule {
    AnyOf(Vec<SpiffeId>),
    Below(SpiffeId),
    Matching(SpiffePattern),
    InTrustDomain(TrustDomain),
    Any,
}

impl Servers {
    /// This workload only.
    #[must_use]
    pub fn exactly(id: SpiffeId) -> Self {
        Self(Rule::AnyOf(vec![id]))
    }

    /// Any of these workloads. None of them, if there are none.
    #[must_use]
    pub fn any_of(ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self(Rule::AnyOf(ids.into_iter().collect()))
    }

    /// The workload with this SPIFFE ID, and those whose IDs lie below it by whole path segments.
    #[must_use]
    pub const fn below(id: SpiffeId) -> Self {
        Self(Rule::Below(id))
    }

    /// The workloads whose SPIFFE IDs this pattern means.
    #[must_use]
    pub const fn matching(pattern: SpiffePattern) -> Self {
        Self(Rule::Matching(pattern))
    }

    /// Every workload of this trust domain: each can then answer in the place of each.
    #[must_use]
    pub const fn in_trust_domain(domain: TrustDomain) -> Self {
        Self(Rule::InTrustDomain(domain))
    }

    /// Every workload of every trust domain in the bundles. Whoever runs any workload there, and can answer at an address
    /// that this client calls, is sent what was meant for another: tokens and arguments. That is for clients that read
    /// the identity of the server and decide by themselves, and for tools that look.
    #[must_use]
    pub const fn any() -> Self {
        Self(Rule::Any)
    }

    /// Whether a server with this SPIFFE ID may answer.
    #[must_use]
    pub fn expect(&self, id: &SpiffeId) -> bool {
        match &self.0 {
            Rule::AnyOf(expected) => expected.contains(id),
            Rule::Below(ancestor) => id.is_below(ancestor),
            Rule::Matching(pattern) => pattern.matches(id),
            Rule::InTrustDomain(domain) => id.trust_domain_name() == domain.as_str(),
            Rule::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_expected_by_its_whole_name() {
        let id = |text: &str| text.parse::<SpiffeId>().unwrap();
        let (records, archive) = (id("spiffe://court.example/records"), id("spiffe://court.example/records/archive"));
        let (lookalike, abroad) = (id("spiffe://court.example/records2"), id("spiffe://other.example/records"));
        for (servers, expected) in [
            (Servers::exactly(records.clone()), [true, false, false, false]),
            (Servers::any_of([records.clone(), abroad.clone()]), [true, false, false, true]),
            (Servers::any_of([]), [false; 4]),
            (Servers::below(records.clone()), [true, true, false, false]),
            (Servers::matching("spiffe://court.example/*".parse().unwrap()), [true, false, true, false]),
            (Servers::in_trust_domain("court.example".parse().unwrap()), [true, true, true, false]),
            (Servers::any(), [true; 4]),
        ] {
            assert_eq!([&records, &archive, &lookalike, &abroad].map(|id| servers.expect(id)), expected, "{servers:?}");
        }
    }
}
