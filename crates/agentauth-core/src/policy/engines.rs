//! Several engines as one: all of them must permit.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};

use super::decision::both;
use super::{
    AuthzRequest, Decision, Effect, PolicyEngine, PolicyError, Preview, PreviewRequest, Reason, ReasonKind, WouldFlip,
};
use crate::audit::{mask, name_to_mask};
use crate::identity::PrincipalId;
use crate::random::hex;
use crate::text::cut;

/// So much of an error is written to the log of the process, in bytes.
const MAX_LOGGED_BYTES: usize = 512;

type Answered = Result<Decision, PolicyError>;
type Answer<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;
type Timer = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Several policy engines as one. An action is permitted only if every engine in force permits it, on the conditions of all of
/// them; what one denies, or cannot answer, is denied. Without an engine in force, everything is (`policy_none`).
///
/// An engine in shadow mode is never in force: nothing that it answers, or fails to, changes the answer, not even
/// that it panics. It is asked once the answer
/// is known, and where its own would be another, the decision says so ([`Decision::would_flip`]): what the answer would be, were that
/// engine in force *instead*. So one that is to be added, and one that is to replace another, are both rehearsed here.
///
/// ```
/// use agentauth_core::policy::{Engines, Rules};
///
/// # let (rules, stricter) = (Rules::new([])?, Rules::new([])?);
/// let engines = Engines::new().enforce(rules).shadow("stricter", stricter);
/// # Ok::<(), agentauth_core::policy::RulesError>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct Engines {
    enforced: Vec<Arc<dyn PolicyEngine>>,
    shadow: Vec<(Box<str>, Arc<dyn PolicyEngine>)>,
    patience: Option<Box<Timer>>,
}

impl Engines {
    /// None yet: everything is denied.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `engine` in force.
    pub fn enforce(mut self, engine: impl PolicyEngine + 'static) -> Self {
        self.enforced.push(Arc::new(engine));
        self
    }

    /// With `engine` in shadow mode, called `name` where it would have answered otherwise.
    ///
    /// Unless [`Engines::waiting`] says otherwise, its answer is heard only if it has one at once, as engines in this process
    /// have: a caller does not wait for what does not count.
    pub fn shadow(mut self, name: &str, engine: impl PolicyEngine + 'static) -> Self {
        self.shadow.push((name.into(), Arc::new(engine)));
        self
    }

    /// Waits for the answers of engines in shadow mode, once the answer that counts is known, until what `timer` begins is over:
    /// `|| tokio::time::sleep(Duration::from_millis(20))`. So much longer may every decision take.
    pub fn waiting<F: Future<Output = ()> + Send + 'static>(
        mut self,
        timer: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.patience = Some(Box::new(move || Box::pin(timer())));
        self
    }

    async fn enforced(&self, request: &AuthzRequest<'_>) -> (Decision, Vec<Arc<str>>) {
        // Asked for before, so that an engine that changes meanwhile and does not say so is taken for the older.
        let mut versions: Vec<Arc<str>> = self.enforced.iter().map(PolicyEngine::version).collect();
        let asked = self.enforced.iter().map(|engine| engine.decide(request)).collect();
        let answers = all_of(asked, None).await;
        let mut decided: Option<Decision> = None;
        for (answer, version) in answers.into_iter().zip(&mut versions) {
            let one = match answer {
                Some(Ok(one)) => one,
                Some(Err(error)) => Decision::failed(&error),
                None => Decision::failed(&PolicyError::new("an engine did not answer")),
            };
            if let Some(own) = one.version() {
                version.clone_from(own);
            }
            decided = Some(match decided {
                None => one,
                Some(others) => both(others, one),
            });
        }
        let none =
            || Decision::deny(Reason::new(ReasonKind::NoPolicy, "no engine is in force, so nothing is permitted"));
        (decided.unwrap_or_else(none), versions)
    }

    /// What those in shadow mode would have answered otherwise.
    async fn flips(&self, request: &AuthzRequest<'_>, effect: Effect) -> Vec<WouldFlip> {
        let asked = self.shadow.iter().map(|(_, engine)| unharmed(engine, request)).collect();
        let answers = all_of(asked, Some(self.patience.as_deref())).await;
        let mut flips = Vec::new();
        for ((name, _), answer) in self.shadow.iter().zip(answers) {
            let to = match answer {
                Some(Ok(decision)) => decision.effect(),
                Some(Err(error)) => {
                    let error = in_the_log(&error, request.caller.principal());
                    tracing::warn!(engine = %name, %error, "a policy engine in shadow mode has failed");
                    Effect::Deny
                }
                None => {
                    tracing::warn!(engine = %name, "a policy engine in shadow mode has not answered in time");
                    continue;
                }
            };
            if to != effect {
                flips.push(WouldFlip::new(name.clone(), to));
            }
        }
        flips
    }

    /// The digest of the versions of all engines, and of what they are here for.
    fn digest(&self, enforced: &[Arc<str>]) -> Arc<str> {
        let mut context = Context::new(&SHA256);
        let mut add = |role: &str, version: &str| {
            for part in [role, version] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        };
        enforced.iter().for_each(|version| add("", version));
        self.shadow.iter().for_each(|(name, engine)| add(&format!("shadow {name}"), &engine.version()));
        hex(context.finish().as_ref()).into()
    }
}

/// What `error` says, as far as logs may: briefly, and not of whom.
fn in_the_log(error: &PolicyError, principal: &PrincipalId) -> Box<str> {
    let mut text = error.to_string().into();
    if let Some(name) = name_to_mask(principal) {
        mask(&mut text, name);
    }
    cut(&mut text, MAX_LOGGED_BYTES);
    text
}

#[async_trait]
impl PolicyEngine for Engines {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let (decision, versions) = self.enforced(request).await;
        let decision = decision.of_version(self.digest(&versions));
        if self.shadow.is_empty() {
            return Ok(decision);
        }
        let flips = self.flips(request, decision.effect()).await;
        Ok(flips.into_iter().fold(decision, Decision::with_flip))
    }

    /// `Never` if one engine in force says so, `Always` if all do. Those in shadow mode are not asked.
    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        let previews = self.enforced.iter().map(|engine| engine.preview(request));
        previews.reduce(Preview::and).unwrap_or(Preview::Never)
    }

    fn version(&self) -> Arc<str> {
        let versions: Vec<_> = self.enforced.iter().map(PolicyEngine::version).collect();
        self.digest(&versions)
    }
}

/// The answer of `engine`, or that it has panicked: so that it takes nothing with it.
fn unharmed<'a>(engine: &'a Arc<dyn PolicyEngine>, request: &'a AuthzRequest<'_>) -> Answer<'a> {
    let mut answer: Option<Answer<'a>> = None;
    Box::pin(poll_fn(move |context| {
        let step = || answer.get_or_insert_with(|| engine.decide(request)).as_mut().poll(context);
        // What a panic leaves half-done is the engine's own.
        let answered = catch_unwind(AssertUnwindSafe(step));
        answered.unwrap_or_else(|_| Poll::Ready(Err(PolicyError::new("the engine has panicked"))))
    }))
}

/// The answers, in the order of the questions, which are waited for together: all of them; or, where patience has an end, those
/// that are there by then, or at once.
async fn all_of(mut asked: Vec<Answer<'_>>, patience: Option<Option<&Timer>>) -> Vec<Option<Answered>> {
    let mut answers: Vec<_> = asked.iter().map(|_| None).collect();
    let mut timer = patience.flatten().map(|begin| begin());
    poll_fn(|context| {
        let mut waits = false;
        for (answer, asked) in answers.iter_mut().zip(&mut asked).filter(|(answer, _)| answer.is_none()) {
            match asked.as_mut().poll(context) {
                Poll::Ready(given) => *answer = Some(given),
                Poll::Pending => waits = true,
            }
        }
        let is_over = match (&mut timer, patience) {
            (Some(timer), _) => timer.as_mut().poll(context).is_ready(),
            (None, Some(_)) => true,
            (None, None) => false,
        };
        if !waits || is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engines")
            .field("enforced", &self.enforced)
            .field("shadow", &self.shadow)
            .finish_non_exhaustive()
    }
}
