//! A delegation for the next server that was exchanged before: what is left is the SHA-256 of all that it depends on, and a
//! look-up.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use agentauth_core::delegation::outbound::{Holder, TokenExchanger};
use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{
    Authority, Caller, Clock as _, Delegator, Evidence, NextHop, OutboundError, ResourceId, SystemClock, Timestamp,
};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};

use agentauth_benches::case::{Case, Lap, at_once};
use agentauth_benches::engine::builder;
use agentauth_benches::specimen::{Token, bearer_claims};

/// Callers of a busy server.
const CALLERS: usize = 1000;

/// A prime, far from a neighbour in memory and in the cache.
const STRIDE: usize = 357;

const RECORDS: &str = "https://records.example.com";

/// Callers, each with its token and the SHA-256 of that. For the forged ones nothing was exchanged, and the SHA-256 is
/// another token's.
pub(crate) struct Callers(Vec<(Caller, String, [u8; 32])>);

/// The token service: it answers until it is closed.
#[derive(Debug, Clone, Default)]
struct Sts(Arc<(AtomicBool, OnceLock<Timestamp>)>);

#[async_trait]
impl TokenExchanger for Sts {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        if self.0.0.load(Ordering::Relaxed) {
            return Err(OutboundError::unreachable("it is closed"));
        }
        let answer = br#"{
            "access_token": "the.next.token", "token_type": "Bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"
        }"#;
        Ok(request.read_answer(answer, SystemClock.now())?)
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        let not_after = *self.0.1.get_or_init(|| SystemClock.now().plus(std::time::Duration::from_secs(3600)));
        Ok(Holder::Certificate { thumbprint: [7; 32], not_after })
    }
}

/// The cases, and callers of whom all delegations are kept, and none.
pub(crate) struct Specimen {
    pub(crate) genuine: Callers,
    pub(crate) forged: Callers,
    delegator: Delegator,
    hop: NextHop,
}

impl Specimen {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let key = SigningKey::generate(Algorithm::EdDsa)?;
        let sts = Sts::default();
        let delegator = Delegator::new(sts.clone());
        let auth = builder(&key)?.delegate_through(delegator.clone()).build()?;
        let hop = NextHop::new(ResourceId::new(RECORDS)?, Authority::of_scopes("records:read".parse()?))?;
        let (mut genuine, mut forged) = (Vec::new(), Vec::new());
        for number in 0..2 * CALLERS {
            let token = Token::signed(&key, &bearer_claims(number))?.text;
            let caller = at_once(auth.authenticate(Evidence::bearer(&token)))?.map_err(|error| error.to_string())?;
            let sha256: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into()?;
            if number < CALLERS {
                at_once(caller.delegate(&hop))??;
                genuine.push((caller, token, sha256));
            } else {
                forged.push((caller, token, [0; 32]));
            }
        }
        sts.0.0.store(true, Ordering::Relaxed);
        Ok(Self { genuine: Callers(genuine), forged: Callers(forged), delegator, hop })
    }

    pub(crate) fn cases(&self) -> Vec<Case<'_, Callers>> {
        const RAW: &str = "delegate/sha256";
        // Far apart, caller and entry come from main memory; in a server the caller has just been verified, as when it stays
        // the same.
        let pair = |raw: &str, hit: &str, stride| {
            let [raw_lap, lap] = [(); 2].map(|()| Lap::new(stride));
            [
                Case::new(raw.into(), Some(raw), move |callers: &Callers| {
                    let (_, (_, token, expected)) = raw_lap.next(&callers.0)?;
                    let found = digest(&SHA256, token.as_bytes());
                    if found.as_ref() == expected { Ok(()) } else { Err("another digest".into()) }
                }),
                Case::new(hit.into(), Some(raw), move |callers: &Callers| {
                    let (_, (caller, ..)) = lap.next(&callers.0)?;
                    Ok(at_once(caller.delegate_through(&self.delegator, &self.hop))?.map(drop)?)
                }),
            ]
        };
        let the_same = pair(RAW, "delegate/cached", 0);
        let far_apart = pair("delegate/sha256/far", "delegate/cached/far", STRIDE);
        let lap = Lap::new(0);
        let named = Case::new("delegate/cached/named".into(), Some(RAW), move |callers: &Callers| {
            let (_, (caller, ..)) = lap.next(&callers.0)?;
            Ok(at_once(caller.delegate_to(RECORDS).scopes("records:read").into_future())?.map(drop)?)
        });
        the_same.into_iter().chain(far_apart).chain([named]).collect()
    }
}
