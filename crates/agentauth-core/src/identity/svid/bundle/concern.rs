//! What an operator should look at in a bundle that loads.

use std::fmt;

use x509_parser::x509::X509Name;

use super::TrustBundle;

/// A trust domain has one root, two or three while it changes them, and a few more if it has several authorities.
/// More than this are, nearly always, a file that was meant for something else.
const MANY_ROOTS: usize = 20;

/// Organisations that certify web sites for everyone, as they stand in the names of their roots. `useDefaultCAs` of
/// trust-manager and the CA files of operating systems bring them along; under such a root, anyone with a web site is
/// close to a certificate, and none of them vouches for workloads. One per owner of the roots most often found is
/// enough: such files bring all of them.
const PUBLIC_AUTHORITIES: [&str; 20] = [
    "Actalis S.p.A./03358520967",
    "Amazon",
    "Baltimore",
    "Buypass AS-983163327",
    "COMODO CA Limited",
    "Certum",
    "DigiCert Inc",
    "DigiCert, Inc.",
    "Entrust, Inc.",
    "GlobalSign",
    "GlobalSign nv-sa",
    "GoDaddy.com, Inc.",
    "Google Trust Services LLC",
    "IdenTrust",
    "Internet Security Research Group",
    "QuoVadis Limited",
    "SSL Corporation",
    "Sectigo Limited",
    "Starfield Technologies, Inc.",
    "The USERTRUST Network",
];

/// Something about a bundle that is probably not as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleConcern {
    /// It holds nothing to verify by: every SVID of the trust domain is refused.
    TrustsNothing,
    /// Some of what it publishes could not be used.
    LeftOut {
        /// How many certificates and keys.
        count: usize,
    },
    /// It holds roots that certify web sites for everyone.
    PublicRoots {
        /// How many.
        count: usize,
        /// The organisation that one of them names.
        organisation: &'static str,
    },
    /// It holds more roots than a trust domain has.
    ManyRoots {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for BundleConcern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustsNothing => {
                f.write_str("the bundle holds no usable root or key: every SVID of its trust domain is refused")
            }
            Self::LeftOut { count } => {
                write!(f, "{count} of the bundle's certificates or keys cannot be used and were left out")
            }
            Self::PublicRoots { count, organisation } => write!(
                f,
                "{count} of the bundle's roots belong to public web authorities ({organisation}); \
                 give the trust domain's own roots, in a file of their own"
            ),
            Self::ManyRoots { count } => {
                write!(f, "the bundle holds {count} roots, more than a trust domain has; is it the right file?")
            }
        }
    }
}

pub(super) fn of(bundle: &TrustBundle) -> Vec<BundleConcern> {
    let mut concerns = Vec::new();
    if bundle.is_empty() {
        concerns.push(BundleConcern::TrustsNothing);
    }
    let count = bundle.left_out + bundle.jwt_keys.left_out();
    if count > 0 {
        concerns.push(BundleConcern::LeftOut { count });
    }
    let mut public = bundle.roots.iter().filter_map(|root| root.public);
    if let Some(organisation) = public.next() {
        concerns.push(BundleConcern::PublicRoots { count: 1 + public.count(), organisation });
    }
    if bundle.roots.len() > MANY_ROOTS {
        concerns.push(BundleConcern::ManyRoots { count: bundle.roots.len() });
    }
    concerns
}

/// The public authority that `subject` names as its organisation.
pub(super) fn public_authority(subject: &X509Name<'_>) -> Option<&'static str> {
    let organisations = subject.iter_organization().filter_map(|name| name.as_str().ok());
    organisations.into_iter().find_map(|name| PUBLIC_AUTHORITIES.into_iter().find(|known| *known == name))
}
