//! Answers of older scorers are judged again by that of today.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::value::{Id, Score};
use jiff::Timestamp;
use judge::Scorer;
use metrics::counter;
use tracing::error;

use crate::answer::Judged;
use crate::memory::{BoundedMap, Policy};
use crate::scorers::Today;

/// Judges again, and remembers what came out too low: that is not kept, and would be judged at every look-up.
pub struct Judging {
    threshold: Score,
    /// The scorer that rejected an answer, by its question and when it was decided first.
    rejected: Mutex<BoundedMap<(Id, Timestamp), Arc<str>>>,
}

impl Judging {
    /// The largest answer, with its question and references, that is judged in place: others would hold up a thread.
    const MOST_BYTES_IN_PLACE: usize = 4 << 10;

    /// Nothing was judged yet; `size` of those that are rejected are remembered.
    pub fn new(threshold: Score, size: usize) -> Self {
        Self {
            threshold,
            rejected: Mutex::new(BoundedMap::new(Policy::Lru, size)),
        }
    }

    /// Whether today's scorer has rejected this answer of a question before.
    pub fn has_rejected(&self, today: &Today, question_id: &Id, answer: &Judged) -> bool {
        let rejected = (question_id.clone(), answer.decided_at);
        self.rejected().get(&rejected).is_some_and(|hash| *hash == today.hash)
    }

    /// The answer with today's verdict on it; `None` until the scorer is here.
    pub async fn judge(&self, today: &Today, question_id: &Id, answer: &Arc<Judged>) -> Option<Arc<Judged>> {
        let again = self.apply(Arc::clone(today.scorer.as_ref()?), answer).await?;
        counter!("cache_judged_again_total").increment(1);
        if !again.accepted {
            let rejected = (question_id.clone(), answer.decided_at);
            self.rejected().insert(rejected, Arc::clone(&today.hash));
        }
        Some(Arc::new(again))
    }

    async fn apply(&self, scorer: Arc<Scorer>, answer: &Arc<Judged>) -> Option<Judged> {
        let judged = if answer.size() > Self::MOST_BYTES_IN_PLACE {
            let (answer, threshold) = (Arc::clone(answer), self.threshold);
            let judging = tokio::task::spawn_blocking(move || answer.judged_again(&scorer, threshold));
            judging
                .await
                .inspect_err(|problem| error!(%problem, "judging failed"))
                .ok()?
        } else {
            answer.judged_again(&scorer, self.threshold)
        };
        judged
            .inspect_err(|problem| error!(%problem, "a score that is none"))
            .ok()
    }

    fn rejected(&self) -> MutexGuard<'_, BoundedMap<(Id, Timestamp), Arc<str>>> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
