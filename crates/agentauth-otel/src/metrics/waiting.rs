//! How long humans take.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentauth_core::Timestamp;

/// Requests whose answer is waited for. The oldest give way: agents ask faster than humans answer.
const MAX_WAITING: usize = 1024;

/// When each approval was first asked for.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    since: HashMap<Arc<str>, Timestamp>,
    /// The oldest first. Some of them may have been answered.
    order: VecDeque<Arc<str>>,
}

impl Waiting {
    pub(super) fn asked(&self, id: &Arc<str>, time: Timestamp) {
        // Whole at any moment: an id without its place in the queue is only kept longer.
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Asked { since, order } = &mut *asked;
        if since.contains_key(id) {
            return;
        }
        if order.len() >= MAX_WAITING
            && let Some(oldest) = order.pop_front()
        {
            since.remove(&oldest);
        }
        order.push_back(Arc::clone(id));
        since.insert(Arc::clone(id), time);
    }

    /// How long it was waited for, if that is known. It is forgotten then.
    pub(super) fn answered(&self, id: &str, time: Timestamp) -> Option<Duration> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.since.remove(id).map(|since| time.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let waiting = Waiting::default();
        let (asked, answered) = (Timestamp::from_secs(10), Timestamp::from_secs(70));
        for number in 0..=MAX_WAITING {
            for _ in 0..2 {
                waiting.asked(&number.to_string().into(), asked);
            }
        }
        let waited = |id: &str| waiting.answered(id, answered);
        assert_eq!(
            ["0", "1", "1", "1024"].map(waited),
            [None, Some(Duration::from_secs(60)), None, Some(Duration::from_secs(60))]
        );
        assert!(waiting.0.lock().unwrap().order.len() <= MAX_WAITING);
    }
}
