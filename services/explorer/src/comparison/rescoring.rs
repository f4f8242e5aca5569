//! Runs that were not judged alike are judged once more, by one standard: in the background, and in half the time at
//! most, for MongoDB has more to do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::verdicts::{Standard, Verdicts};
use crate::store::Store;

/// Most scorers whose scores are kept.
const MOST_SCORERS: usize = 2;
/// So long a failure is told before it is tried again.
const TOLD: Duration = Duration::from_secs(10);

/// How the judging goes.
#[derive(Debug, Clone, Default)]
pub enum Work {
    #[default]
    Idle,
    UnderWay,
    Failed {
        scorer: String,
        why: String,
        at: Instant,
    },
}

/// Judges answers again, those of one page at a time, and keeps what came of it.
#[derive(Clone, Default)]
pub struct Rescorings(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Those that were asked for last come first.
    kept: Mutex<VecDeque<Verdicts>>,
    work: Mutex<Work>,
}

impl Rescorings {
    /// The verdicts of a standard.
    pub fn verdicts(&self, standard: &Standard) -> Verdicts {
        let mut kept = locked(&self.0.kept);
        let place = kept
            .iter()
            .position(|verdicts| verdicts.standard.scorer == standard.scorer);
        let same = place.and_then(|place| kept.remove(place));
        let verdicts = same.map_or_else(|| Verdicts::new(standard.clone()), |same| same.by(standard.clone()));
        kept.push_front(verdicts.clone());
        if kept.len() > MOST_SCORERS {
            // Never one that is in use, or what is under way would be in vain.
            let unused = kept.iter().rposition(|verdicts| !verdicts.is_in_use());
            unused.and_then(|place| kept.remove(place));
        }
        verdicts
    }

    /// How the judging goes by a scorer.
    pub fn work(&self, scorer: &str) -> Work {
        match &*locked(&self.0.work) {
            Work::Failed { scorer: of, at, .. } if of != scorer || at.elapsed() >= TOLD => Work::Idle,
            work => work.clone(),
        }
    }

    /// Has answers judged, unless others are being judged: whoever looks again has those judged that are left.
    pub fn judge(&self, store: &Store, verdicts: &Verdicts, pending: HashMap<i64, String>) {
        let mut work = locked(&self.0.work);
        if !pending.is_empty() && !matches!(*work, Work::UnderWay) {
            *work = Work::UnderWay;
            let (this, store, verdicts) = (self.clone(), store.clone(), verdicts.clone());
            tokio::spawn(async move { this.run(&store, &verdicts, pending).await });
        }
    }

    async fn run(&self, store: &Store, verdicts: &Verdicts, pending: HashMap<i64, String>) {
        let ended = match verdicts.judge(store, pending).await {
            Ok(()) => Work::Idle,
            Err(error) => {
                warn!(%error, "answers could not be judged again");
                Work::Failed {
                    scorer: verdicts.standard.scorer.clone(),
                    why: format!("{error:#}"),
                    at: Instant::now(),
                }
            }
        };
        *locked(&self.0.work) = ended;
    }
}

/// The contents of a lock, whoever has panicked.
pub fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::sleep;

    use super::super::verdicts::Rejudged;
    use super::super::verdicts::tests::standard;
    use super::*;
    use crate::store::tests::nobodys_store;
    use crate::test_support::{outcome, scorer};

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_for_a_while_of_the_scorer_that_it_concerns() {
        let (rescorings, store) = (Rescorings::default(), nobodys_store().await);
        let verdicts = rescorings.verdicts(&standard(0.65));
        rescorings.judge(&store, &verdicts, HashMap::from([(1, "m".to_owned())]));
        assert!(matches!(rescorings.work("scorer"), Work::UnderWay));
        while matches!(rescorings.work("scorer"), Work::UnderWay) {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(matches!(rescorings.work("scorer"), Work::Failed { why, .. } if why.contains("does not answer")));
        assert!(matches!(rescorings.work("other"), Work::Idle));
        tokio::time::advance(TOLD).await;
        assert!(matches!(rescorings.work("scorer"), Work::Idle));
    }

    #[test]
    fn thresholds_share_the_scores_of_a_scorer_and_those_in_use_stay() {
        let rescorings = Rescorings::default();
        let of = |scorer: &str, threshold| {
            let scorer = scorer.to_owned();
            rescorings.verdicts(&Standard { scorer, threshold })
        };
        let (used, stored) = (of("a", 0.0), outcome(json!({})));
        used.learn(&[(1, stored.id.to_string())], &[stored], &scorer());
        for scorer in ["b", "c", "d", "e"] {
            of(scorer, 0.0);
        }
        let is_accepted = |threshold| matches!(of("a", threshold).of(1), Rejudged::Judged { is_accepted: true, .. });
        assert!(is_accepted(0.0) && !is_accepted(1.1));
    }
}
