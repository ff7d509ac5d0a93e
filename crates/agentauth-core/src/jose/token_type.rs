use std::fmt;

/// What kind of token a JWS says it is: the `typ` header (RFC 7515 §4.1.9).
///
/// Kinds exclude each other (RFC 8725bis §3.11, §3.12): a verifier names the one it takes and refuses the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// `at+jwt`: access token (RFC 9068 §2.1).
    AccessToken,
    /// `dpop+jwt`: proof of possession (RFC 9449 §4.2).
    DpopProof,
    /// `oauth-id-jag+jwt`: identity assertion authorization grant.
    IdJag,
    /// `txntoken+jwt`: transaction token.
    TransactionToken,
    /// `wit+jwt`: workload identity token. Never a bearer token.
    WorkloadIdentity,
    /// `wpt+jwt`: workload proof token.
    WorkloadProof,
    /// `oauth-client-attestation+jwt`: a client's attestation, for client authentication.
    ClientAttestation,
    /// `oauth-client-attestation-pop+jwt`: its proof of possession.
    ClientAttestationProof,
    /// `client-authentication+jwt`: what a client signs to prove who it is (RFC 7523bis).
    ClientAuthentication,
    /// `statuslist+jwt`: token status list.
    StatusList,
    /// `token-introspection+jwt`: signed introspection answer (RFC 9701 §5).
    Introspection,
    /// `kb+jwt`: key binding of an SD-JWT (RFC 9901 §4.3).
    KeyBinding,
    /// `kb+sd-jwt`: key binding that is an SD-JWT itself (delegate SD-JWT).
    DelegateKeyBinding,
    /// `kb+sd-jwt+kb`: the same, with a key binding of its own.
    BoundDelegateKeyBinding,
    /// `secevent+jwt`: security event (RFC 8417 §2.3).
    SecurityEvent,
    /// `logout+jwt`: OpenID Connect back-channel logout token.
    Logout,
    /// `agent-delegation+jwt`: a link that narrows a token offline. It counts only below the token that it narrows.
    AgentDelegation,
    /// `agentauth-policy-bundle+jwt`: the manifest of a set of policy files. It grants nothing to anybody.
    PolicyBundle,
    /// `aa-agent+jwt`: agent token (AAuth).
    AauthAgent,
    /// `aa-person+jwt`: person token (AAuth).
    AauthPerson,
    /// `aa-resource+jwt`: resource token (AAuth).
    AauthResource,
    /// `aa-auth+jwt`: auth token (AAuth). It needs a signed request, and is never a bearer token.
    AauthAuth,
    /// `aa-event+jwt`: event (AAuth).
    AauthEvent,
    /// `aa-subscribe+jwt`: subscription (AAuth).
    AauthSubscribe,
    /// `JWT`: says nothing about the kind.
    Jwt,
    /// `JOSE`: says nothing about the kind.
    Jose,
    /// No `typ` at all.
    Absent,
    /// A `typ` that is not in this list.
    Other,
}

const NAMES: [(&str, TokenType); 26] = [
    ("at+jwt", TokenType::AccessToken),
    ("dpop+jwt", TokenType::DpopProof),
    ("oauth-id-jag+jwt", TokenType::IdJag),
    ("txntoken+jwt", TokenType::TransactionToken),
    ("wit+jwt", TokenType::WorkloadIdentity),
    ("wpt+jwt", TokenType::WorkloadProof),
    ("oauth-client-attestation+jwt", TokenType::ClientAttestation),
    ("oauth-client-attestation-pop+jwt", TokenType::ClientAttestationProof),
    ("client-authentication+jwt", TokenType::ClientAuthentication),
    ("statuslist+jwt", TokenType::StatusList),
    ("token-introspection+jwt", TokenType::Introspection),
    ("kb+jwt", TokenType::KeyBinding),
    ("kb+sd-jwt", TokenType::DelegateKeyBinding),
    ("kb+sd-jwt+kb", TokenType::BoundDelegateKeyBinding),
    ("secevent+jwt", TokenType::SecurityEvent),
    ("logout+jwt", TokenType::Logout),
    ("agent-delegation+jwt", TokenType::AgentDelegation),
    ("agentauth-policy-bundle+jwt", TokenType::PolicyBundle),
    ("aa-agent+jwt", TokenType::AauthAgent),
    ("aa-person+jwt", TokenType::AauthPerson),
    ("aa-resource+jwt", TokenType::AauthResource),
    ("aa-auth+jwt", TokenType::AauthAuth),
    ("aa-event+jwt", TokenType::AauthEvent),
    ("aa-subscribe+jwt", TokenType::AauthSubscribe),
    ("JWT", TokenType::Jwt),
    ("JOSE", TokenType::Jose),
];

impl TokenType {
    /// Every kind that has a name, with that name.
    pub fn named() -> impl ExactSizeIterator<Item = (&'static str, Self)> {
        NAMES.into_iter()
    }

    /// Reads a `typ` value: a media type, so case does not count and `application/` may stand before it.
    #[must_use]
    pub fn from_typ(typ: &str) -> Self {
        const PREFIX: &str = "application/";
        let name = match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => typ,
        };
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(Self::Other, |(_, kind)| *kind)
    }

    /// The `typ` value, if there is one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(_, kind)| *kind == self).map(|(name, _)| *name)
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.name()) {
            (_, Some(name)) => f.write_str(name),
            (Self::Absent, None) => f.write_str("no typ"),
            (_, None) => f.write_str("an unknown typ"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typ_is_a_media_type() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert_eq!(TokenType::from_typ(typ), TokenType::AccessToken, "{typ}");
        }
        for (name, kind) in TokenType::named() {
            assert_eq!((TokenType::from_typ(name), kind.name()), (kind, Some(name)));
        }
        for typ in ["at+jwt ", "text/at+jwt", "at", "", "application/"] {
            assert_eq!(TokenType::from_typ(typ), TokenType::Other, "{typ:?}");
        }
    }
}
