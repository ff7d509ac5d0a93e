//! A decision as the standard has it, and back.

use serde_json::{Map, Value, json};

use super::members::{self, Members, is_name};
use super::{AuthzenError, EvaluationResponse, MAX_OBLIGATIONS, MAX_REASONS};
use crate::policy::{Decision, Effect, MAX_PUBLIC_TEXT_BYTES, Obligation, Reason, ReasonKind};

/// The `type` of obligations that two parties have agreed on between them: the registered ones mean other things.
const CUSTOM: &str = "custom";

/// The longest name of a version that is taken over.
const MAX_VERSION_BYTES: usize = 256;

impl EvaluationResponse {
    /// `decision`, which is on record under `evaluation_id`, by policies of this `version` unless it says another.
    #[must_use]
    pub fn of(decision: &Decision, version: &str, evaluation_id: &str) -> Self {
        let allows = decision.effect() == Effect::Allow;
        let mut reasons: Vec<Reason> = decision.reasons().to_vec();
        let erred = |fault: &crate::policy::PolicyFault| {
            let reason = Reason::new(ReasonKind::PolicyErred, fault.text.clone());
            fault.policy.iter().fold(reason, |reason, policy| reason.of_policy(policy))
        };
        // The decisive one first: an error decides, unless something forbids it anyway.
        let first = usize::from(reasons.first().is_some_and(|reason| reason.kind() == ReasonKind::Forbidden));
        reasons.splice(first..first, decision.errors().iter().map(erred));
        reasons.truncate(MAX_REASONS);

        let mut context = Map::new();
        context.insert("evaluation_id".into(), evaluation_id.into());
        context.insert("policy_version".into(), decision.version().map_or(version, |version| version).into());
        if let Some(first) = reasons.first() {
            context.insert("reason_admin".into(), json!({first.kind().code(): first.text()}));
            if let Some(public) = first.public_text() {
                context.insert("reason_user".into(), json!({first.kind().code(): public}));
            }
        }
        context.insert("reasons".into(), reasons.iter().map(write_reason).collect());
        // On a denial they would be duties of whoever asks (obligations profile §4.2); here they are conditions.
        if allows && !decision.obligations().is_empty() {
            let obligations = decision.obligations().iter().enumerate();
            context.insert("obligations".into(), obligations.map(|(index, of)| write_obligation(index, of)).collect());
        }
        Self { decision: allows, context }
    }

    /// A denial for `reason`, without an evaluation.
    #[must_use]
    pub fn denial(reason: &Reason, evaluation_id: &str) -> Self {
        Self::of(&Decision::deny(reason.clone()), "none", evaluation_id)
    }

    /// The decision, as an engine gives it that has asked `pdp`. Obligations stand in it as conditions of an allow, and on a denial
    /// only for the record.
    ///
    /// # Errors
    /// [`AuthzenError::Obligation`] if an obligation is malformed, or there are more than [`MAX_OBLIGATIONS`].
    pub fn into_decision(mut self, pdp: &str) -> Result<Decision, AuthzenError> {
        let obligations = read_obligations(&mut self.context)?;
        let mut reasons = self.reasons().into_iter();
        let version = said(&self.context, "policy_version").filter(|version| version.len() <= MAX_VERSION_BYTES);
        let version = version.map_or_else(|| pdp.into(), |version| format!("{pdp} {version}"));
        let first = reasons.next().unwrap_or_else(|| self.bare_reason());
        let decision = if self.decision { Decision::allow(first) } else { Decision::deny(first) };
        let decision = reasons.fold(decision, Decision::because);
        let decision = obligations.into_iter().fold(decision, Decision::on_condition_of);
        Ok(decision.of_version(version.into()))
    }

    fn reasons(&mut self) -> Vec<Reason> {
        let known = members::array(&mut self.context, "reasons").unwrap_or_default().unwrap_or_default();
        let mut reasons: Vec<Reason> = known.iter().take(MAX_REASONS).filter_map(|one| self.read_reason(one)).collect();
        if let Some(id) = said(&self.context, "evaluation_id") {
            let first = reasons.first().cloned().unwrap_or_else(|| self.bare_reason());
            let text = format!("{} (evaluation {id})", first.text());
            let named = first.policy().into_iter().fold(Reason::new(first.kind(), text), Reason::of_policy);
            let told = first.public_text().into_iter().fold(named, Reason::telling);
            match reasons.first_mut() {
                Some(first) => *first = told,
                None => reasons.push(told),
            }
        }
        reasons
    }

    /// A reason as [`EvaluationResponse::of`] writes it. What is of another shape is somebody else's, and no reason here.
    fn read_reason(&self, reason: &Value) -> Option<Reason> {
        let reason = reason.as_object()?;
        let kind = self.kind(said(reason, "code").as_deref()?);
        let text = said(reason, "text").unwrap_or_default();
        let read = said(reason, "policy").iter().fold(Reason::new(kind, text), |read, policy| read.of_policy(policy));
        Some(said(reason, "public").iter().fold(read, |read, public| read.telling(public)))
    }

    /// The reason of a decision point that says it in the words of the standard's examples (§5.5.2), or says none.
    fn bare_reason(&self) -> Reason {
        let text = ["reason_admin", "reason", "error"].into_iter().find_map(|name| said(&self.context, name));
        let text = text.unwrap_or_else(|| {
            let what = if self.decision { "permits it" } else { "does not permit it" };
            format!("the policy decision point {what}")
        });
        let reason = Reason::new(self.kind(""), text);
        said(&self.context, "reason_user").iter().fold(reason, |reason, public| reason.telling(public))
    }

    /// The kind that has this code, if it is one of such a decision.
    fn kind(&self, code: &str) -> ReasonKind {
        if self.decision {
            return ReasonKind::Permitted;
        }
        let denials = [
            ReasonKind::Forbidden,
            ReasonKind::ActorNotAuthorized,
            ReasonKind::ArgumentOutsideLimit,
            ReasonKind::NoPolicy,
            ReasonKind::ArgumentRefused,
            ReasonKind::NotInSchema,
            ReasonKind::EntityRefused,
            ReasonKind::PolicyErred,
            ReasonKind::PolicyFailed,
        ];
        denials.into_iter().find(|kind| kind.code() == code).unwrap_or(ReasonKind::NotPermitted)
    }
}

/// A text, or the first one in an object of them; as much of it as an operator reads, in one line.
fn said(of: &Members, name: &str) -> Option<String> {
    let text = match of.get(name)? {
        Value::String(text) => text,
        Value::Object(texts) => texts.values().find_map(Value::as_str)?,
        _ => return None,
    };
    let mut end = text.len().min(MAX_PUBLIC_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    Some(text.get(..end)?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

fn write_reason(reason: &Reason) -> Value {
    let mut written = json!({"code": reason.kind().code(), "text": reason.text()});
    for (name, value) in [("policy", reason.policy()), ("public", reason.public_text())] {
        if let (Value::Object(members), Some(value)) = (&mut written, value) {
            members.insert(name.into(), value.into());
        }
    }
    written
}

fn write_obligation(index: usize, obligation: &Obligation) -> Value {
    let properties = match obligation {
        Obligation::Approval(terms) => {
            json!({"obligation": "approval", "terms": format!("{}s", terms.lifetime().as_secs())})
        }
        Obligation::Rate(terms) => json!({"obligation": "rate", "terms": terms}),
        Obligation::Concurrency(terms) => json!({"obligation": "concurrency", "terms": terms}),
        Obligation::Budget(terms) => json!({"obligation": "budget", "terms": terms}),
        Obligation::Unknown(name) => json!({"obligation": name}),
    };
    json!({"id": index.to_string(), "type": CUSTOM, "properties": properties})
}

fn read_obligations(context: &mut Members) -> Result<Vec<Obligation>, AuthzenError> {
    let malformed = |text: &str| AuthzenError::Obligation(text.into());
    let listed = match context.remove("obligations") {
        None => return Ok(Vec::new()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(malformed("`obligations` is no list")),
    };
    if listed.len() > MAX_OBLIGATIONS {
        return Err(malformed("there are more than 16"));
    }
    listed.into_iter().map(read_obligation).collect()
}

/// By its type, or by the name that is agreed on for a custom one; with its `terms`, which are a text.
fn read_obligation(listed: Value) -> Result<Obligation, AuthzenError> {
    let malformed = |text: &str| AuthzenError::Obligation(text.into());
    let Value::Object(mut obligation) = listed else { return Err(malformed("it is no object")) };
    let mut text = |name: &str| members::text(&mut obligation, name).ok().flatten();
    let (Some(_), Some(kind)) = (text("id"), text("type")) else {
        return Err(malformed("it has no `id` or no `type`"));
    };
    let Ok(Some(mut properties)) = members::object(&mut obligation, "properties") else {
        return Err(malformed("it has no `properties`"));
    };
    let name = match &*kind {
        CUSTOM => members::text(&mut properties, "obligation").ok().flatten().unwrap_or(kind),
        _ => kind,
    };
    if !is_name(&name) {
        return Err(malformed("it has no name that can be one"));
    }
    let terms = members::text(&mut properties, "terms").ok().flatten().unwrap_or_default();
    match Obligation::read(&name, &terms) {
        Ok(unknown @ Obligation::Unknown(_)) => Ok(unknown),
        // Who must approve, for instance: to leave it out would be to meet a part.
        Ok(_) if !properties.is_empty() => Err(malformed("it has properties that are not known here")),
        Ok(known) => Ok(known),
        Err(error) => Err(malformed(&error.to_string())),
    }
}
