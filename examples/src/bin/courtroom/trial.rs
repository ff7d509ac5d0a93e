//! The acts of the trial, each with the answer it must get.

use agentauth_core::delegation::{Client, ExchangeRequest};
use agentauth_core::{ResourceId, SubjectToken};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tower::{Service as _, ServiceExt as _};

use crate::agent::Agent;
use crate::servers::Motion;
use crate::world::{ALICES_CASE, BOBS_CASE, World};
use crate::{Error, forgery};

/// What was tried, by whom, and how it ended.
pub(crate) struct Act {
    pub(crate) title: &'static str,
    pub(crate) who: String,
    pub(crate) for_whom: &'static str,
    /// The machine code of the answer: `allowed`, or that of the refusal, as the record has it.
    pub(crate) code: String,
    pub(crate) expected: &'static str,
    pub(crate) status: u16,
}

impl Act {
    pub(crate) fn is_surprise(&self) -> bool {
        self.code != self.expected
    }
}

pub(crate) async fn hold(world: &World) -> Result<Vec<Act>, Error> {
    let mut trial = Trial { world, acts: Vec::new() };
    let held = trial.what_is_allowed().await?;
    trial.what_lacks_standing(&held).await?;
    trial.what_is_stolen_or_stale(&held).await?;
    trial.what_goes_too_far(&held).await?;
    trial.what_is_forged(&held).await?;
    Ok(trial.acts)
}

struct Trial<'w> {
    world: &'w World,
    acts: Vec<Act>,
}

/// What the agents hold after the first acts.
struct Held {
    /// Alice's consent, which the lawyer may exchange.
    consent: SubjectToken,
    /// The lawyer's delegation for the court.
    for_court: String,
    /// The lawyer's delegation for the token service: what can be passed on.
    passed_on: SubjectToken,
    /// The clerk's delegation for the token service, from the lawyer, for records only.
    clerks: SubjectToken,
    /// The clerk's delegation for the records office: a chain of two.
    for_records: String,
}

impl Trial<'_> {
    async fn what_is_allowed(&mut self) -> Result<Held, Error> {
        let World { lawyer, clerk, court, records, sts, .. } = self.world;
        let consent = self.world.service.consent(&self.world.alices_consent()).await?;
        let consent = SubjectToken::new(consent.token());

        let mut client = lawyer.delegated(&consent, court, "motions:file")?;
        let answer = client.ready().await?.call(motion(court, ALICES_CASE, 120)?).await?;
        self.note("file a motion in Alice's case", lawyer, "alice", &answer, "allowed")?;

        let passed_on = lawyer.exchange(&ExchangeRequest::new(consent.clone(), sts.clone())).await?;
        let passed_on = SubjectToken::new(&passed_on);
        let clerk_itself = SubjectToken::new(&clerk.own_token(sts).await?);
        let to_clerk = ExchangeRequest::new(passed_on.clone(), sts.clone())
            .for_actor(clerk_itself)
            .scopes("records:read".parse()?);
        let clerks = SubjectToken::new(&lawyer.exchange(&to_clerk).await?);

        let mut client = clerk.delegated(&clerks, records, "records:read")?;
        let answer = client.ready().await?.call(record(records, ALICES_CASE)?).await?;
        self.note("fetch the record, sent by the lawyer", clerk, "alice", &answer, "allowed")?;

        let for_court = ExchangeRequest::new(consent.clone(), court.clone()).scopes("motions:file".parse()?);
        let for_court = lawyer.exchange(&for_court).await?;
        let for_records = clerk.exchange(&ExchangeRequest::new(clerks.clone(), records.clone())).await?;
        Ok(Held { consent, for_court, passed_on, clerks, for_records })
    }

    async fn what_lacks_standing(&mut self, held: &Held) -> Result<(), Error> {
        let World { lawyer, clerk, thief, court, records, .. } = self.world;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, None).await?;
        self.note("file without credentials", lawyer, "nobody", &answer, "no_credentials")?;

        let own = lawyer.own_token(court).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&own)).await?;
        self.note("file without representing anyone", lawyer, "nobody", &answer, "delegation_required")?;

        let answer = lawyer.send(motion(court, BOBS_CASE, 120)?, Some(&held.for_court)).await?;
        self.note("file in another client's case", lawyer, "alice", &answer, "policy_not_permitted")?;

        let reading = ExchangeRequest::new(held.consent.clone(), court.clone()).scopes("motions:read".parse()?);
        let reading = lawyer.exchange(&reading).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&reading)).await?;
        self.note("file with a delegation to read", lawyer, "alice", &answer, "insufficient_scope")?;

        let answer = thief.ask_exchange(&ExchangeRequest::new(held.consent.clone(), court.clone())).await?;
        self.note("exchange a consent given to another", thief, "alice", &answer, "exchange_actor_not_permitted")?;

        let answer = clerk.ask_exchange(&ExchangeRequest::new(held.passed_on.clone(), records.clone())).await?;
        self.note("exchange the lawyer's own delegation", clerk, "alice", &answer, "exchange_subject_not_held")
    }

    async fn what_is_stolen_or_stale(&mut self, held: &Held) -> Result<(), Error> {
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

    async fn what_goes_too_far(&mut self, held: &Held) -> Result<(), Error> {
        let World { lawyer, clerk, court, .. } = self.world;
        let wider = ExchangeRequest::new(held.clerks.clone(), court.clone()).scopes("motions:file".parse()?);
        let answer = clerk.ask_exchange(&wider).await?;
        self.note("ask for more than the lawyer passed on", clerk, "alice", &answer, "exchange_scope_widened")?;

        let (last, token) = self.long_chain().await?;
        let answer = last.send(motion(court, ALICES_CASE, 120)?, Some(&token)).await?;
        self.note("file as the fifth agent in a chain", &last, "alice", &answer, "act_too_deep")?;

        let answer = lawyer.send(motion(court, ALICES_CASE, 5_000)?, Some(&held.for_court)).await?;
        self.note("file with a fee of 5000, over the limit of 500", lawyer, "alice", &answer, "argument_outside_limit")
    }

    async fn what_is_forged(&mut self, held: &Held) -> Result<(), Error> {
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

    /// Takes the answer down, with the reason that the server has put into the record.
    fn note(
        &mut self,
        title: &'static str,
        who: &Agent,
        for_whom: &'static str,
        answer: &Response<Bytes>,
        expected: &'static str,
    ) -> Result<(), Error> {
        let code = if answer.status().is_success() { "allowed".into() } else { self.recorded_reason(answer)? };
        let (who, status) = (who.name().to_owned(), answer.status().as_u16());
        self.acts.push(Act { title, who, for_whom, code, expected, status });
        Ok(())
    }

    /// The caller is told an evaluation id and one word; why it was refused stands under that id in the record.
    fn recorded_reason(&self, answer: &Response<Bytes>) -> Result<String, Error> {
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let record = self.world.record_of_the_day()?;
        let found = record.iter().find(|line| line.get("evaluation_id") == body.get("evaluation_id"));
        let code = found.and_then(|line| line.get("code")).and_then(Value::as_str);
        Ok(code.unwrap_or("not recorded").to_owned())
    }
}

fn motion(court: &ResourceId, case: &str, fee: u32) -> Result<Request<Full<Bytes>>, Error> {
    let motion = Motion { title: "to dismiss".into(), fee };
    let mut request = Request::new(Full::from(serde_json::to_vec(&motion)?));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("{court}/cases/{case}/motions").parse()?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

fn record(records: &ResourceId, case: &str) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = format!("{records}/records/{case}").parse()?;
    Ok(request)
}
