//! The profiles by name: for programs that are told on a command line, or in a file, how an issuer's tokens are read.

use super::{Auth0, Entra, Keycloak, KubernetesActor, Okta, PingAm, PingOne, Profile, Rfc8693, Rfc9068, Wso2, Zitadel};
use crate::token::{Keys, TrustedIssuer};

/// A profile that has a name. Options that widen what a profile trusts are profiles of their own here.
///
/// ```
/// use agentauth_core::jose::{Algorithm, SigningKey};
/// use agentauth_core::token::profile::NamedProfile;
///
/// let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
/// let profile = NamedProfile::find("keycloak").ok_or("there is no such profile")?;
/// let issuer = profile.issuer("https://idp.example/realms/court", keys);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NamedProfile {
    name: &'static str,
    about: &'static str,
    issuer: fn(&str, Keys) -> TrustedIssuer,
}

impl NamedProfile {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::new("rfc8693", "token exchange: `act` says which agent acts for `sub`", with::<Rfc8693>),
        Self::new("rfc9068", "plain access tokens: `sub` and `client_id`, no `act`", with::<Rfc9068>),
        Self::new("keycloak", "a Keycloak realm, without delegation", with::<Keycloak>),
        Self::new("keycloak-delegation", "a Keycloak realm whose `act` is trusted (26.8)", keycloak_delegation),
        Self::new("entra", "a tenant of Microsoft Entra, with Agent ID", with::<Entra>),
        Self::new("auth0", "an Auth0 tenant", with::<Auth0>),
        Self::new("okta", "a custom authorization server of Okta", with::<Okta>),
        Self::new("zitadel", "a ZITADEL instance", with::<Zitadel>),
        Self::new("wso2", "WSO2 Identity Server or Asgardeo", with::<Wso2>),
        Self::new("ping-am", "PingAM or PingOne Advanced Identity Cloud", with::<PingAm>),
        Self::new("ping-one", "an environment of PingOne", with::<PingOne>),
        Self::new("kubernetes-actor", "actors are Kubernetes service accounts", with::<KubernetesActor>),
    ];

    /// The profile with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|profile| profile.name == name)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is for, in a few words.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// The issuer with this identifier, whose tokens are read so.
    #[must_use]
    pub fn issuer(&self, issuer: &str, keys: impl Into<Keys>) -> TrustedIssuer {
        (self.issuer)(issuer, keys.into())
    }

    const fn new(name: &'static str, about: &'static str, issuer: fn(&str, Keys) -> TrustedIssuer) -> Self {
        Self { name, about, issuer }
    }
}

fn with<P: Profile + Default + 'static>(issuer: &str, keys: Keys) -> TrustedIssuer {
    TrustedIssuer::new(issuer, keys, P::default())
}

fn keycloak_delegation(issuer: &str, keys: Keys) -> TrustedIssuer {
    TrustedIssuer::new(issuer, keys, Keycloak::default().delegation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_profiles() {
        for profile in NamedProfile::ALL {
            let same_name = NamedProfile::ALL.iter().filter(|other| other.name() == profile.name()).count();
            assert_eq!(same_name, 1, "{}", profile.name());
            assert_eq!(NamedProfile::find(profile.name()).map(NamedProfile::about), Some(profile.about()));
        }
        assert!(NamedProfile::find("Keycloak").is_none());
    }
}
