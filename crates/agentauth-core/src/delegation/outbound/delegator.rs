use std::sync::Arc;
use std::time::Duration;

use super::cache::{DEFAULT_CAPACITY, DelegationCache, Key};
use super::check::{Checked, Limits};
use super::flights::{Flights, Turn};
use super::glance::Glance;
use super::hop::NextHop;
use super::token::Inner;
use super::{Holder, OutboundError, OutboundToken, TokenExchanger};
use crate::binding::Binding;
use crate::delegation::{Delegation, ExchangeRequest, SubjectToken};
use crate::scope::ScopeImplications;
use crate::text::Secret;
use crate::time::{Clock, SystemClock, Timestamp};

/// The longest that a delegation is kept, however long it lasts: a consent that is withdrawn at the token service is noticed
/// by then. The tokens of our own issuer last as long.
pub const MAX_KEPT: Duration = Duration::from_secs(300);

/// Obtains delegations for the next server: what comes back is checked, and kept for a while.
///
/// Each asks one token service. Whoever asks for the same delegation at the same time waits for the same exchange; what
/// is kept is found again only by the same token, agent, principal, server, scopes and key of this agent. Clones share one
/// cache.
#[derive(Debug, Clone)]
pub struct Delegator {
    inner: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    exchanger: Arc<dyn TokenExchanger>,
    cache: Option<DelegationCache>,
    flights: Flights<(Key, u64), Result<OutboundToken, OutboundError>>,
    keep_for: Duration,
    requires_binding: bool,
    implications: ScopeImplications,
    clock: Arc<dyn Clock>,
}

/// Settings of a [`Delegator`].
#[derive(Debug)]
#[must_use]
pub struct DelegatorBuilder {
    exchanger: Arc<dyn TokenExchanger>,
    keep_for: Duration,
    capacity: usize,
    requires_binding: bool,
    implications: ScopeImplications,
    clock: Arc<dyn Clock>,
}

impl DelegatorBuilder {
    /// Keeps a delegation for this long at most: 5 minutes unless set, and never more. Zero keeps none, and each request
    /// exchanges anew.
    pub fn keep_for(mut self, time: Duration) -> Self {
        self.keep_for = time.min(MAX_KEPT);
        self
    }

    /// How many delegations are kept: 10,000 unless set; 0 for none.
    pub const fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Refuses tokens that do not show that they are bound to this agent's key. Where it holds a DPoP key, that is always
    /// so; an opaque token does not show it of a certificate.
    pub const fn require_binding(mut self) -> Self {
        self.requires_binding = true;
        self
    }

    /// Which scopes of a caller include which at the next servers. Without it, a delegation has no scope that the caller
    /// has not by the same name.
    pub fn implications(mut self, implications: ScopeImplications) -> Self {
        self.implications = implications;
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The delegator.
    #[must_use]
    pub fn build(self) -> Delegator {
        let Self { exchanger, keep_for, capacity, requires_binding, implications, clock } = self;
        let cache = (capacity > 0 && !keep_for.is_zero()).then(|| DelegationCache::new(capacity));
        let flights = Flights::new();
        let shared = Shared { exchanger, cache, flights, keep_for, requires_binding, implications, clock };
        Delegator { inner: Arc::new(shared) }
    }
}

/// What is to be delegated further: a token that was verified, or one that this agent was given.
#[derive(Clone, Copy)]
pub(crate) struct Inbound<'a> {
    pub(crate) subject: &'a Secret,
    pub(crate) caller: Option<&'a Delegation>,
}

impl Delegator {
    /// Asks `exchanger`, with the usual settings.
    #[must_use]
    pub fn new(exchanger: impl TokenExchanger + 'static) -> Self {
        Self::builder(exchanger).build()
    }

    /// Begins a delegator that asks `exchanger`.
    pub fn builder(exchanger: impl TokenExchanger + 'static) -> DelegatorBuilder {
        DelegatorBuilder {
            exchanger: Arc::new(exchanger),
            keep_for: MAX_KEPT,
            capacity: DEFAULT_CAPACITY,
            requires_binding: false,
            implications: ScopeImplications::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// A delegation to `hop` of what `subject` stands for: a consent, or what else this agent was given for itself. For a
    /// caller: [`Caller::delegate_to`](crate::Caller::delegate_to).
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn delegate(&self, subject: &SubjectToken, hop: &NextHop) -> Result<OutboundToken, OutboundError> {
        self.delegate_from(Inbound { subject: &subject.0, caller: None }, hop).await
    }

    /// Exchanges everything anew from now on: call it after a revocation. What is being exchanged at this moment is given to
    /// those who wait for it already, and not kept.
    pub fn forget(&self) {
        if let Some(cache) = &self.inner.cache {
            cache.forget();
        }
    }

    pub(crate) async fn delegate_from(
        &self,
        inbound: Inbound<'_>,
        hop: &NextHop,
    ) -> Result<OutboundToken, OutboundError> {
        let shared = &*self.inner;
        let now = shared.clock.now();
        if inbound.caller.is_some_and(|caller| caller.is_over(now)) {
            return Err(OutboundError::CallerEnded);
        }
        let holder = shared.exchanger.holder()?;
        let Some(cache) = &shared.cache else {
            return shared.exchange(inbound, hop, &holder).await.map(|(token, _)| token);
        };
        let key = Key::of(inbound.subject, inbound.caller, hop, &holder);
        if let Some(token) = cache.get(&key, now) {
            return Ok(token);
        }
        // Who asks after a revocation does not wait for what was begun before it.
        let epoch = cache.epoch();
        let ask = shared.flights.ask((key, epoch)).map_err(|_| OutboundError::Busy)?;
        let leader = match ask.await {
            Turn::Answered(answer) => return answer,
            Turn::Lead(leader) => leader,
        };
        // It may have been answered since it was looked for.
        let answer = match cache.get(&key, shared.clock.now()) {
            Some(token) => Ok(token),
            None => shared.exchange(inbound, hop, &holder).await.map(|(token, ends)| {
                if let Some((since, ends)) = ends {
                    cache.keep(key, &token, epoch, since, ends);
                }
                token
            }),
        };
        leader.answer(answer.clone());
        answer
    }
}

/// Since when a delegation may be kept, and what it must not outlast.
type Ends = Option<(Timestamp, Vec<Timestamp>)>;

impl Shared {
    /// Exchanges, and checks what comes back.
    async fn exchange(
        &self,
        inbound: Inbound<'_>,
        hop: &NextHop,
        holder: &Holder,
    ) -> Result<(OutboundToken, Ends), OutboundError> {
        let mut request = ExchangeRequest::new(SubjectToken(inbound.subject.clone()), hop.audience().clone())
            .scopes(hop.authority().scopes().clone());
        request = hop.details().into_iter().fold(request, ExchangeRequest::details);
        // A lifetime is counted from before the question: the answer may have been long under way.
        let since = self.clock.now();
        let issued = self.exchanger.exchange(&request).await?;
        // This agent's key may have been renewed meanwhile; the token is then bound to the new one.
        let current = self.exchanger.holder()?;
        let held = inbound.caller.map(Delegation::passed_on);
        let limits = Limits {
            subject: inbound.subject,
            hop,
            audience: self.exchanger.audience_name(hop.audience()),
            held: held.as_ref(),
            implications: &self.implications,
            types: &self.exchanger.detail_types(),
            holder: &current,
            requires_binding: self.requires_binding,
        };
        let checked = limits.check(&issued, self.clock.now())?;
        let ends = self.ends(inbound, holder, &current, &checked, since);
        let Checked { authority, binding, expires } = checked;
        let (token, audience) = (Secret::new(issued.token()), hop.audience().clone());
        let token = OutboundToken::new(Inner { token, audience, authority, binding, holder: current, expires });
        Ok((token, ends))
    }

    /// What a delegation is kept no longer than; none if it may not be kept.
    fn ends(&self, inbound: Inbound<'_>, before: &Holder, now: &Holder, checked: &Checked, since: Timestamp) -> Ends {
        let is_same = before.mark() == now.mark();
        let is_anyones = matches!(now, Holder::Unknown) && checked.binding != Binding::Bearer;
        if !is_same || is_anyones {
            return None;
        }
        let inbound = match inbound.caller {
            Some(caller) => Some(caller.expires()),
            None => Glance::of(inbound.subject.reveal()).ok().flatten().and_then(|glance| glance.expires),
        };
        let policy = since.plus(self.keep_for);
        let ends = [Some(policy), Some(checked.expires), inbound, now.not_after()];
        Some((since, ends.into_iter().flatten().collect()))
    }
}
