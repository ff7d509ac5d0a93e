//! Who may speak at all: what is allowed, and what lacks standing.

use agentauth_core::SubjectToken;
use agentauth_core::delegation::ExchangeRequest;
use tower::{Service as _, ServiceExt as _};

use super::{Held, Less, Trial, motion, record};
use crate::Error;
use crate::agent::token_in;
use crate::world::{ALICES_CASE, BOBS_CASE, World};

impl Trial<'_> {
    pub(super) async fn what_is_allowed(&mut self) -> Result<Held, Error> {
        self.scene = "what is allowed";
        let World { lawyer, clerk, court, records, sts, .. } = self.world;
        let consent = self.world.service.consent(&self.world.alices_consent()).await?;
        let consents = SubjectToken::new(consent.token());

        let mut client = lawyer.delegated(&consents, court, "motions:file")?;
        let answer = client.ready().await?.call(motion(court, ALICES_CASE, 120)?).await?;
        self.note("file a motion in Alice's case", lawyer, "alice", &answer, "allowed")?;

        let passed_on = lawyer.exchange(&ExchangeRequest::new(consents.clone(), sts.clone())).await?;
        let only_records = Less::Scopes("records:read".parse()?);
        let clerks = token_in(&self.pass_on(lawyer, &passed_on, clerk, sts, only_records).await?)?;
        let clerks = SubjectToken::new(&clerks);

        let mut client = clerk.delegated(&clerks, records, "records:read")?;
        let answer = client.ready().await?.call(record(records, ALICES_CASE)?).await?;
        self.note("fetch the record, sent by the lawyer", clerk, "alice", &answer, "allowed")?;

        let for_court = ExchangeRequest::new(consents, court.clone()).scopes("motions:file".parse()?);
        let for_court = lawyer.exchange(&for_court).await?;
        let for_records = clerk.exchange(&ExchangeRequest::new(clerks.clone(), records.clone())).await?;
        Ok(Held { consent: consent.token().to_owned(), for_court, passed_on, clerks, for_records })
    }

    pub(super) async fn what_lacks_standing(&mut self, held: &Held) -> Result<(), Error> {
        self.scene = "what lacks standing";
        let World { lawyer, clerk, thief, court, records, .. } = self.world;
        let (consent, passed_on) = (SubjectToken::new(&held.consent), SubjectToken::new(&held.passed_on));
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, None).await?;
        self.note("file without credentials", lawyer, "nobody", &answer, "no_credentials")?;

        let own = lawyer.own_token(court).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&own)).await?;
        self.note("file without representing anyone", lawyer, "nobody", &answer, "delegation_required")?;

        let answer = lawyer.send(motion(court, BOBS_CASE, 120)?, Some(&held.for_court)).await?;
        self.note("file in another client's case", lawyer, "alice", &answer, "policy_not_permitted")?;

        let reading = ExchangeRequest::new(consent.clone(), court.clone()).scopes("motions:read".parse()?);
        let reading = lawyer.exchange(&reading).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&reading)).await?;
        self.note("file with a delegation to read", lawyer, "alice", &answer, "insufficient_scope")?;

        let answer = thief.ask_exchange(&ExchangeRequest::new(consent, court.clone())).await?;
        self.note("exchange a consent given to another", thief, "alice", &answer, "exchange_actor_not_permitted")?;

        let answer = clerk.ask_exchange(&ExchangeRequest::new(passed_on, records.clone())).await?;
        self.note("exchange the lawyer's own delegation", clerk, "alice", &answer, "exchange_subject_not_held")
    }
}
