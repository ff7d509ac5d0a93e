use agentauth_core::audit::{Record, RecordKind};
use agentauth_core::policy::Effect;

/// How safe a record is made before its answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteClass {
    /// The answer waits until the record is on the disk.
    Durable,
    /// The answer waits until the record is in the queue: a crash may lose what has not been written yet, that is
    /// what came in during the last write.
    Buffered,
    /// Nobody waits, and where there is no room, it is counted only: a [`Gap`](crate::format::Gap) says how many.
    BestEffort,
}

/// Which class the records of each kind have.
///
/// By default, whatever allows something is [`Durable`](WriteClass::Durable): permitted decisions, issued tokens, approvals,
/// revocations, other policies. So nothing happens that a crash could wipe from the record. What starts nothing is
/// [`Buffered`](WriteClass::Buffered): refusals of every kind (a caller who is refused all day does not wear out the disk),
/// outcomes (one that is lost reads as "unknown", and the decision before it stands), and authentications: these permit
/// no action. Whoever acts upon an authentication alone, without a decision, makes it durable.
#[derive(Debug, Clone, Default)]
pub struct WriteClasses {
    /// In place of the default.
    all: Option<WriteClass>,
    /// What differs from that.
    set: Vec<(RecordKind, Effect, WriteClass)>,
}

impl WriteClasses {
    /// `class` for all records.
    #[must_use]
    pub const fn all(class: WriteClass) -> Self {
        Self { all: Some(class), set: Vec::new() }
    }

    /// These, but with `class` for records of this kind and effect.
    #[must_use]
    pub fn with(mut self, kind: RecordKind, effect: Effect, class: WriteClass) -> Self {
        self.set.retain(|(of, when, _)| (*of, *when) != (kind, effect));
        self.set.push((kind, effect, class));
        self
    }

    /// The class of records of this kind and effect.
    #[must_use]
    pub fn class(&self, kind: RecordKind, effect: Effect) -> WriteClass {
        let set = self.set.iter().find(|(of, when, _)| (*of, *when) == (kind, effect));
        set.map(|(_, _, class)| *class).or(self.all).unwrap_or_else(|| by_default(kind, effect))
    }

    pub(super) fn of(&self, record: &Record) -> WriteClass {
        self.class(record.kind, record.effect)
    }
}

const fn by_default(kind: RecordKind, effect: Effect) -> WriteClass {
    match (kind, effect) {
        (_, Effect::Deny) | (RecordKind::Authentication | RecordKind::Outcome, Effect::Allow) => WriteClass::Buffered,
        (_, Effect::Allow) => WriteClass::Durable,
    }
}
