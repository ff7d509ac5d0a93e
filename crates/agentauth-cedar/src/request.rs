//! The question as Cedar is asked it.

use agentauth_core::policy::{AuthzRequest, CallerFacts, ReasonKind};
use agentauth_core::{Excerpt, Timestamp};
use cedar_policy::{Context, EntityUid, Request, RestrictedExpression};

use crate::names::{Types, uid};
use crate::schema::{ActionSchema, PolicySchema, Refused};

/// Why a request is none that policies could be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unaskable {
    pub(crate) kind: ReasonKind,
    pub(crate) text: String,
}

/// What of a request does not depend on which agent it is taken to be of.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: Vec<(String, RestrictedExpression)>,
}

impl Question {
    /// What `request` asks, if the schema has it.
    pub(crate) fn new(request: &AuthzRequest<'_>, schema: &PolicySchema, with_time: bool) -> Result<Self, Unaskable> {
        let action = action_of(schema, request.action())?;
        let types = &schema.types;
        let unknown = |text: &str| Unaskable { kind: ReasonKind::NotInSchema, text: text.into() };
        let principal =
            types.principal(request.principal()).ok_or_else(|| unknown("the principal is of no known kind"))?;
        let resource = match request.resource() {
            None => uid(&types.server, request.caller().server().as_str()),
            Some(resource) => {
                let kind = schema.kinds.get(resource.kind()).ok_or_else(|| {
                    let kind = Excerpt::of(resource.kind());
                    unknown(&format!("the schema has no entity type for resources of kind `{kind}`"))
                })?;
                uid(kind, resource.id())
            }
        };
        for (what, of, known) in
            [("principals", &principal, &action.principals), ("resources", &resource, &action.resources)]
        {
            if !known.contains(of.type_name()) {
                let text =
                    format!("in the schema, `{}` is not for {what} of type {}", request.action(), of.type_name());
                return Err(unknown(&text));
            }
        }
        let refused = |Refused(text)| Unaskable { kind: ReasonKind::ArgumentRefused, text };
        let arguments = action.arguments.value(request.arguments().as_json(), "arguments").map_err(refused)?;
        let delegation = delegation(request.caller(), types)?;
        let server = uid(&types.server, request.caller().server().as_str());
        let mut context = Vec::with_capacity(5);
        context.push(("arguments".to_owned(), arguments));
        context.push(("delegation".to_owned(), delegation));
        context.push(("server".to_owned(), RestrictedExpression::new_entity_uid(server)));
        if with_time {
            // Reading it as text is what Cedar offers; it costs more than all the rest.
            context.push(("now".to_owned(), datetime(request.now())));
        }
        Ok(Self { principal, action: action.uid.clone(), resource, context })
    }

    /// What is to be done.
    pub(crate) const fn action(&self) -> &EntityUid {
        &self.action
    }

    /// Asked of `agent`. What it is made of was checked against the schema, part by part.
    pub(crate) fn of(mut self, agent: &EntityUid) -> Result<Request, Unaskable> {
        let wrong =
            |error: &dyn std::fmt::Display| Unaskable { kind: ReasonKind::NotInSchema, text: error.to_string() };
        self.context.push(("agent".to_owned(), RestrictedExpression::new_entity_uid(agent.clone())));
        let context = Context::from_pairs(self.context).map_err(|error| wrong(&error))?;
        Request::new(self.principal, self.action, self.resource, context, None).map_err(|error| wrong(&error))
    }
}

/// What policies are told of a delegation.
pub(crate) fn delegation(caller: &CallerFacts<'_>, types: &Types) -> Result<RestrictedExpression, Unaskable> {
    let unknown = |text: &str| Unaskable { kind: ReasonKind::NotInSchema, text: text.into() };
    let mode = types.mode(caller.mode()).ok_or_else(|| unknown("the mode of the delegation is not known"))?;
    let depth = i64::try_from(caller.depth()).unwrap_or(i64::MAX);
    RestrictedExpression::new_record([
        ("mode".to_owned(), RestrictedExpression::new_entity_uid(mode)),
        ("depth".to_owned(), RestrictedExpression::new_long(depth)),
        ("issuer".to_owned(), RestrictedExpression::new_entity_uid(uid(&types.issuer, caller.issuer().as_str()))),
    ])
    .map_err(|error| unknown(&error.to_string()))
}

/// A moment as Cedar takes it: in milliseconds, with all three digits.
pub(crate) fn datetime(moment: Timestamp) -> RestrictedExpression {
    let seconds = Timestamp::from_secs(moment.secs()).to_string();
    let millis = moment.micros().checked_div(1000).unwrap_or_default() % 1000;
    RestrictedExpression::new_datetime(format!("{}.{millis:03}Z", seconds.trim_end_matches('Z')))
}

fn action_of<'s>(schema: &'s PolicySchema, name: &str) -> Result<&'s ActionSchema, Unaskable> {
    schema
        .actions
        .get(name)
        .ok_or_else(|| Unaskable { kind: ReasonKind::NotInSchema, text: format!("the schema has no action `{name}`") })
}
