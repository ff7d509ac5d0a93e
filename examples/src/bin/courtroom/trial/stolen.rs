//! What is not the presenter's, or not any more: stolen, stale, too much, and forged.

use agentauth_core::SubjectToken;
use agentauth_core::delegation::{Client, ExchangeRequest};

use super::{Held, Trial, motion, record};
use crate::agent::Agent;
use crate::world::{ALICES_CASE, World};
use crate::{Error, forgery};

impl Trial<'_> {
    pub(super) async fn what_is_stolen_or_stale(&mut self, held: &Held) -> Result<(), Error> {
        self.scene = "what is stolen or stale";
        let World { lawyer, thief, court, records, yesterday, .. } = self.world;
        let old = yesterday.consent(&self.world.alices_consent()).await?;
        let old = ExchangeRequest::new(SubjectToken::new(old.token()), court.clone());
        let expired = yesterday.exchange(&Client::from(&**lawyer.svid()), &old).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(expired.token())).await?;
        self.note("file with yesterday's delegation", lawyer, "alice", &answer, "token_expired")?;

        let answer = lawyer.send(record(records, ALICES_CASE)?, Some(&held.for_court)).await?;
        self.note("show the court's token to the records office", lawyer, "alice", &answer, "audience_wrong")?;

        let answer = thief.send(motion(court, ALICES_CASE, 120)?, Some(&held.for_court)).await?;
        self.note("file with the lawyer's stolen token", thief, "alice", &answer, "binding_certificate_mismatch")
    }

    pub(super) async fn what_goes_too_far(&mut self, held: &Held) -> Result<(), Error> {
        self.scene = "what goes too far";
        let World { lawyer, clerk, court, .. } = self.world;
        let wider = ExchangeRequest::new(held.clerks.clone(), court.clone()).scopes("motions:file".parse()?);
        let answer = clerk.ask_exchange(&wider).await?;
        self.note("ask for more than the lawyer passed on", clerk, "alice", &answer, "exchange_scope_widened")?;

        let (last, token) = self.long_chain().await?;
        let answer = last.send(motion(court, ALICES_CASE, 120)?, Some(&token)).await?;
        self.note("file as the fifth agent in a chain", &last, "alice", &answer, "act_too_deep")?;

        let answer = lawyer.send(motion(court, ALICES_CASE, 5_000)?, Some(&held.for_court)).await?;
        self.note("file with a fee of 5000, over all limits", lawyer, "alice", &answer, "policy_not_permitted")
    }

    pub(super) async fn what_is_forged(&mut self, held: &Held) -> Result<(), Error> {
        self.scene = "what is forged";
        let World { lawyer, clerk, court, records, public_jwk, .. } = self.world;
        let unsigned = forgery::unsigned(&held.for_court)?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&unsigned)).await?;
        self.note("file with an unsigned token (alg none)", lawyer, "alice", &answer, "alg_none")?;

        let keyed = forgery::keyed_with_the_public_key(&held.for_court, public_jwk)?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&keyed)).await?;
        self.note("file with HS256 under the public key", lawyer, "alice", &answer, "alg_symmetric")?;

        let forged = forgery::with_inner_actor(&held.for_records, "spiffe://court.example/agent/judge")?;
        let answer = clerk.send(record(records, ALICES_CASE)?, Some(&forged)).await?;
        self.note("claim that the judge sent the clerk", clerk, "alice", &answer, "signature_invalid")
    }

    /// A delegation that a reckless issuer let pass through five agents, for the last of them.
    async fn long_chain(&self) -> Result<(Agent, String), Error> {
        let World { ca, sts, court, reckless, lawyer, .. } = self.world;
        let consent = reckless.consent(&self.world.alices_consent()).await?;
        let request = ExchangeRequest::new(SubjectToken::new(consent.token()), sts.clone());
        let mut passed_on = reckless.exchange(&Client::from(&**lawyer.svid()), &request).await?;
        let mut holder = Agent::new(ca, "/agent/lawyer", sts)?;
        let mut giver = lawyer.svid().clone();
        for (hop, name) in ["assistant", "runner", "messenger", "temp"].into_iter().enumerate() {
            let next = Agent::new(ca, &format!("/agent/lawyer/{name}"), sts)?;
            let itself = reckless.agent_token(&Client::from(&**next.svid()), sts).await?;
            let itself = SubjectToken::new(itself.token());
            let target = if hop == 3 { court } else { sts };
            let request = ExchangeRequest::new(SubjectToken::new(passed_on.token()), target.clone()).for_actor(itself);
            passed_on = reckless.exchange(&Client::from(&*giver), &request).await?;
            giver = next.svid().clone();
            holder = next;
        }
        Ok((holder, passed_on.token().to_owned()))
    }
}
