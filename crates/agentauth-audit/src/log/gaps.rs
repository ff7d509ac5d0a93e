use std::sync::Arc;

use crate::format::Gap;

/// Why a record was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    QueueFull,
    Stalled,
    WriteFailed,
}

impl Why {
    const ALL: [Self; 3] = [Self::QueueFull, Self::Stalled, Self::WriteFailed];

    const fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Stalled => "stalled",
            Self::WriteFailed => "write_failed",
        }
    }
}

/// The records that were not kept, and of which the log does not say so yet.
#[derive(Debug, Default)]
pub(super) struct Gaps([Option<Missing>; 3]);

#[derive(Debug)]
struct Missing {
    count: u64,
    first: Arc<str>,
    last: Arc<str>,
}

impl Gaps {
    pub(super) fn add(&mut self, why: Why, evaluation_id: &Arc<str>) {
        self.put(why, Missing { count: 1, first: Arc::clone(evaluation_id), last: Arc::clone(evaluation_id) });
    }

    fn put(&mut self, why: Why, missing: Missing) {
        match self.0.get_mut(why as usize) {
            Some(Some(before)) => {
                before.count += missing.count;
                before.last = missing.last;
            }
            Some(none) => *none = Some(missing),
            None => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These, which could not be written down, and those that have come since.
    pub(super) fn before(mut self, since: &mut Self) -> Self {
        for (why, missing) in Why::ALL.into_iter().zip(std::mem::take(&mut since.0)) {
            if let Some(missing) = missing {
                self.put(why, missing);
            }
        }
        self
    }

    /// What the log says of them.
    pub(super) fn entries(&self) -> impl Iterator<Item = Gap> + '_ {
        Why::ALL.into_iter().zip(&self.0).filter_map(|(why, missing)| {
            let Missing { count, first, last } = missing.as_ref()?;
            Some(Gap { dropped: *count, first: (**first).into(), last: (**last).into(), why: why.word().into() })
        })
    }
}
