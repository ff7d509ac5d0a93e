use super::{Arguments, AuthzRequest, CallerFacts, PreviewRequest, PreviewResource, Resource};
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::scope::{Authority, ScopeSet};
use crate::time::Timestamp;

/// A request that nobody has made: to try policies out on, in tests and rehearsals.
///
/// An engine answers it like any other, and nothing is permitted by the answer: a [`Permit`](crate::Permit) is only made
/// of a verified [`Caller`](crate::Caller).
///
/// ```
/// use agentauth_core::policy::{Agents, Principals, Resources, Rule, Rules, Scenario};
/// use agentauth_core::{AgentId, IssuerId, PolicyEngine, PrincipalId, ResourceId, SpiffeId};
///
/// # async fn rehearse() -> Result<(), Box<dyn std::error::Error>> {
/// # let rules = Rules::new([Rule::allow("a").agents(Agents::any()).principals(Principals::any()).action("motions:file")
/// #     .resources(Resources::any())])?;
/// let alice = PrincipalId::new(IssuerId::new("https://sts.court.example")?, "alice");
/// let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse()?;
/// let scenario = Scenario::new(ResourceId::new("https://court.example")?, lawyer, alice, "motions:file");
/// let decision = rules.decide(&scenario.request()).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scenario {
    /// The resource server.
    pub server: ResourceId,
    /// Who acts.
    pub agent: AgentId,
    /// Who has passed the authority on offline.
    pub holders: Vec<AgentId>,
    /// On whose behalf.
    pub principal: PrincipalId,
    /// In what capacity.
    pub mode: Mode,
    /// Who vouches for the delegation.
    pub issuer: IssuerId,
    /// How many agents the authority has passed through.
    pub depth: usize,
    /// What was delegated.
    pub authority: Authority,
    /// The name of the action.
    pub action: Box<str>,
    /// What it is done to.
    pub resource: Option<Resource>,
    /// With which arguments.
    pub arguments: Arguments,
    /// When.
    pub now: Timestamp,
}

impl Scenario {
    /// `agent` does `action` on behalf of `principal`, whose issuer vouches for it; with no authority to speak of, on no
    /// resource, without arguments, at the beginning of 1970.
    #[must_use]
    pub fn new(server: ResourceId, agent: impl Into<AgentId>, principal: PrincipalId, action: &str) -> Self {
        Self {
            server,
            agent: agent.into(),
            holders: Vec::new(),
            issuer: principal.issuer().clone(),
            principal,
            mode: Mode::OnBehalfOf,
            depth: 1,
            authority: Authority::of_scopes(ScopeSet::none()),
            action: action.into(),
            resource: None,
            arguments: Arguments::none(),
            now: Timestamp::from_secs(0),
        }
    }

    /// On the `kind` of thing called `id`.
    #[must_use]
    pub fn on(mut self, kind: &str, id: &str) -> Self {
        self.resource = Some(Resource { kind: kind.into(), id: id.into() });
        self
    }

    /// With these arguments.
    #[must_use]
    pub fn with(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }

    /// In this capacity.
    #[must_use]
    pub const fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// At this time.
    #[must_use]
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// As a policy engine is asked it.
    #[must_use]
    pub fn request(&self) -> AuthzRequest<'_> {
        AuthzRequest {
            caller: self.caller(),
            action: &self.action,
            resource: self.resource.as_ref(),
            arguments: &self.arguments,
            now: self.now,
        }
    }

    /// As a policy engine is asked to look ahead to it: without its arguments.
    #[must_use]
    pub fn preview(&self) -> PreviewRequest<'_> {
        let resource = self.resource.as_ref().map_or(PreviewResource::None, PreviewResource::Known);
        PreviewRequest { caller: self.caller(), action: &self.action, resource, now: self.now }
    }

    /// The same, while it is not known either what the action is done to.
    #[must_use]
    pub fn preview_anywhere(&self) -> PreviewRequest<'_> {
        PreviewRequest { resource: PreviewResource::Unknown, ..self.preview() }
    }

    fn caller(&self) -> CallerFacts<'_> {
        CallerFacts {
            server: &self.server,
            agent: &self.agent,
            holders: &self.holders,
            principal: &self.principal,
            mode: self.mode,
            issuer: &self.issuer,
            depth: self.depth,
            authority: &self.authority,
        }
    }
}
