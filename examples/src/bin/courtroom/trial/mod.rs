//! The acts of the trial, each with the answer it must get.

mod approved;
mod hops;
mod offline;
mod revoked;
mod standing;
mod stolen;

use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::{Authority, Constraint, Grant, ResourceId, ScopeSet, SubjectToken};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::agent::Agent;
use crate::servers::{Motion, Pages};
use crate::world::{ALICES_CASE, World};

/// What was tried, by whom, and how it ended.
pub(crate) struct Act {
    pub(crate) scene: &'static str,
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

/// A chain of delegations that was made on the way, to be drawn.
pub(crate) struct Chain {
    pub(crate) title: &'static str,
    /// Its tokens, the principal's first, each on a line of its own or joined as holders join them.
    pub(crate) tokens: String,
}

pub(crate) async fn hold(world: &World) -> Result<(Vec<Act>, [Chain; 2]), Error> {
    let mut trial = Trial { world, scene: "", acts: Vec::new() };
    let held = trial.what_is_allowed().await?;
    trial.what_lacks_standing(&held).await?;
    trial.what_is_stolen_or_stale(&held).await?;
    trial.what_goes_too_far(&held).await?;
    trial.what_is_forged(&held).await?;
    trial.what_needs_a_humans_word(&held).await?;
    let hops = trial.what_is_passed_on_twice(&held).await?;
    let offline = trial.what_holders_pass_on().await?;
    trial.what_descends_from_a_grant(&held, &hops, &offline).await?;
    trial.what_has_passed_through_an_agent(&offline).await?;
    let tokens = [held.consent, held.passed_on, hops.clerks, hops.robots].join("\n");
    let exchanged = Chain { title: "The chain that the token service made", tokens };
    let narrowed = Chain {
        title: "The chain that its holders made",
        tokens: [&offline.consent, offline.chain.reveal()].join("\n"),
    };
    Ok((trial.acts, [exchanged, narrowed]))
}

struct Trial<'w> {
    world: &'w World,
    scene: &'static str,
    acts: Vec<Act>,
}

/// What the agents hold after the first acts.
struct Held {
    /// Alice's consent, which the lawyer may exchange.
    consent: String,
    /// The lawyer's delegation for the court.
    for_court: String,
    /// The lawyer's delegation for the token service: what can be passed on.
    passed_on: String,
    /// The clerk's delegation for the token service, from the lawyer, for records only.
    clerks: SubjectToken,
    /// The clerk's delegation for the records office: a chain of two.
    for_records: String,
}

impl Trial<'_> {
    /// `holder` has what it holds at the token service passed on to `next`, to be used at `audience`.
    async fn pass_on(
        &self,
        holder: &Agent,
        held: &str,
        next: &Agent,
        audience: &ResourceId,
        less: Less,
    ) -> Result<Response<Bytes>, Error> {
        let next_itself = SubjectToken::new(&next.own_token(&self.world.sts).await?);
        let request = ExchangeRequest::new(SubjectToken::new(held), audience.clone()).for_actor(next_itself);
        holder
            .ask_exchange(&match less {
                Less::Scopes(scopes) => request.scopes(scopes),
                Less::Details(details) => request.details(details),
            })
            .await
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
        self.acts.push(Act { scene: self.scene, title, who, for_whom, code, expected, status });
        Ok(())
    }

    /// As [`Trial::note`], where the answer must be given to the third agent of a chain as what it is.
    fn note_third(&mut self, title: &'static str, who: &Agent, answer: &Response<Bytes>) -> Result<(), Error> {
        self.note(title, who, "alice", answer, "allowed")?;
        match self.acts.last_mut() {
            Some(act) if act.code == "allowed" && !answer.body().ends_with(b"at depth 3") => {
                act.code = "allowed at another depth".into();
            }
            _ => {}
        }
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

/// What is passed on.
enum Less {
    Scopes(ScopeSet),
    Details(Authority),
}

/// Of the archive one case, and at most so many pages of it at a time.
fn pages_of_the_case(most: i64) -> Result<Authority, Error> {
    let grant = Grant::new("archive:read")?
        .on("case", ALICES_CASE)?
        .argument("pages", Constraint::integers(1..=most)?)?
        .no_other_arguments();
    Ok(Authority::new(ScopeSet::none(), [grant])?)
}

fn motion(court: &ResourceId, case: &str, fee: u32) -> Result<Request<Full<Bytes>>, Error> {
    post(&format!("{court}/cases/{case}/motions"), &Motion { title: "to dismiss".into(), fee })
}

fn record(records: &ResourceId, case: &str) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = format!("{records}/records/{case}").parse()?;
    Ok(request)
}

fn pages(archive: &ResourceId, case: &str, pages: u32) -> Result<Request<Full<Bytes>>, Error> {
    post(&format!("{archive}/cases/{case}/pages"), &Pages { pages })
}

fn post(uri: &str, body: &impl Serialize) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::new(Full::from(serde_json::to_vec(body)?));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.parse()?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}
