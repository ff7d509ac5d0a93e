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
                    unknown(&format!("no entity type of the schema says `@kind(\"{kind}\")` or is called so"))
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

#[cfg(test)]
mod tests {
    use agentauth_core::policy::{Arguments, Scenario};
    use agentauth_core::{AgentId, IssuerId, Mode, PrincipalId, ResourceId, SpiffeId, Timestamp};
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::Source;

    const SCHEMA: &str = r#"
        @kind("case") entity Case;
        type Party = { name: String, share?: Decimal };
        type Decimal = decimal;
        action "file" appliesTo {
            principal: [User, Client, Account], resource: [Case, Server],
            context: { arguments: {
                title: String, fee: Long, urgent?: Bool, share?: decimal, parties?: Set<Party>, pages: Set<Long>
            } }
        };
        action "read" appliesTo { principal: [User, Client], resource: [Case, Server] };
    "#;

    fn principal() -> impl Strategy<Value = PrincipalId> {
        let issuer = || IssuerId::new("https://sts.example").unwrap();
        (0..4, any::<String>()).prop_map(move |(kind, name)| match kind {
            0 => PrincipalId::new(issuer(), &name),
            1 => PrincipalId::new(issuer(), &name).in_tenant("t"),
            2 => PrincipalId::client(issuer(), &name),
            _ => PrincipalId::agent_account(issuer(), &name),
        })
    }

    fn agent() -> impl Strategy<Value = AgentId> {
        prop_oneof![
            "spiffe://a\\.example(/[a-z]{1,4}){1,4}".prop_map(|id| AgentId::Spiffe(id.parse::<SpiffeId>().unwrap())),
            any::<String>().prop_map(|name| AgentId::named_by(&IssuerId::new("https://sts.example").unwrap(), &name)),
        ]
    }

    fn arguments() -> impl Strategy<Value = Value> {
        let member = || {
            prop_oneof![
                any::<String>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                (-100_000..100_000).prop_map(|number| json!(f64::from(number) / 1000.0)),
                any::<bool>().prop_map(Value::from),
                Just(Value::Null),
                prop::collection::vec(any::<i32>(), 0..3).prop_map(Value::from),
                Just(json!([{ "name": "a" }, { "name": "b", "share": 0.25 }])),
            ]
        };
        // Most are as the schema has them, and some are anything.
        let or_any = move |like: BoxedStrategy<Value>| prop_oneof![9 => like, 1 => member()];
        let title = or_any(any::<String>().prop_map(Value::from).boxed());
        let fee = or_any((-9_007_199_254_740_991..9_007_199_254_740_991_i64).prop_map(Value::from).boxed());
        let pages = or_any(prop::collection::vec(any::<i32>(), 0..3).prop_map(Value::from).boxed());
        let more = (select(&["urgent", "share", "parties", "gone"][..]), member());
        (title, fee, pages, prop::option::of(more)).prop_map(|(title, fee, pages, more)| {
            let mut arguments = json!({ "title": title, "fee": fee, "pages": pages });
            if let Some((name, value)) = more {
                arguments[name] = value;
            }
            arguments
        })
    }

    fn scenario() -> impl Strategy<Value = Scenario> {
        const MODES: [Mode; 3] = [Mode::OnBehalfOf, Mode::Autonomous, Mode::ClientOnly];
        let place = (select(&["file", "read", "burn"][..]), prop::option::of(select(&["case", "other"][..])));
        (agent(), principal(), place, arguments(), (select(&MODES[..]), any::<u32>(), 0..9)).prop_filter_map(
            "arguments are no JSON object",
            |(agent, principal, (action, kind), arguments, (mode, now, depth))| {
                let server = ResourceId::new("https://tools.example").unwrap();
                let arguments = if action == "read" { json!({}) } else { arguments };
                let arguments = Arguments::of(&arguments).ok()?;
                let mut scenario = Scenario::new(server, agent, principal, action).with(arguments).in_mode(mode);
                scenario.now = Timestamp::from_secs(now.into());
                scenario.depth = usize::try_from(depth).unwrap();
                Some(if let Some(kind) = kind { scenario.on(kind, "1") } else { scenario })
            },
        )
    }

    /// Requests are made without the schema, which would check again what was checked part by part.
    #[test]
    fn what_is_asked_fits_the_schema() {
        let schema = PolicySchema::new(&[Source::new("a", SCHEMA)]).unwrap();
        let (mut asked, mut refused) = (0, 0);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 2_000, ..Default::default() });
        let result = runner.run(&scenario(), |scenario| {
            let Ok(question) = Question::new(&scenario.request(), &schema, true) else { return Ok(()) };
            let request = question.of(&schema.types.agent(&scenario.agent)).unwrap();
            let of = |part: Option<&EntityUid>| part.unwrap().clone();
            let (principal, action, resource) = (of(request.principal()), of(request.action()), of(request.resource()));
            let context = request.context().unwrap().clone();
            let checked = Request::new(principal, action, resource, context, Some(&schema.cedar));
            prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
            Ok(())
        });
        result.unwrap();
        // Neither is all of it refused, nor nothing.
        for scenario in samples() {
            if Question::new(&scenario.request(), &schema, true).is_ok() { asked += 1 } else { refused += 1 }
        }
        assert!(asked > 50 && refused > 50, "{asked} {refused}");
    }

    fn samples() -> Vec<Scenario> {
        use proptest::strategy::ValueTree as _;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        (0..300).map(|_| scenario().new_tree(&mut runner).unwrap().current()).collect()
    }
}
