//! Which scorer judges today, and that scorer itself: older answers are judged again by it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::value::now;
use jiff::Timestamp;
use judge::Scorer;
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::bson::{DateTime, doc};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::answer::Judged;
use crate::fresh::keep_fresh;

/// Where the scorers are; it waits for a server that is away.
pub trait Store {
    /// The scorer that was made current last, if there is one.
    async fn newest(&self) -> Option<Made>;
    /// The artefact of a hash, if there is one.
    async fn artefact(&self, hash: &str) -> Option<String>;
}

/// A scorer's entry in the store.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Made {
    #[serde(rename = "_id")]
    pub hash: String,
    /// When it was last made current.
    pub made_at: DateTime,
}

/// Today's scorer is the one that the store has as the newest: the job that it replaces may
/// still give verdicts. Only where the store has none, it is the one of the newest verdict.
#[derive(Default)]
pub struct Scorers(Mutex<Known>);

#[derive(Default)]
struct Known {
    current: Option<Arc<str>>,
    /// The newest verdict of each scorer, in their order.
    verdicts: Vec<(Arc<str>, Timestamp)>,
    /// The entry whose artefact was read last, be it of use or not.
    read: Option<Made>,
    scorer: Option<Arc<Scorer>>,
}

/// The scorer that judges today.
#[derive(Clone)]
pub struct Today {
    /// The name that verdicts call it by.
    pub hash: Arc<str>,
    /// `None` until it is here.
    pub scorer: Option<Arc<Scorer>>,
}

impl Scorers {
    /// How many scorers' verdicts are remembered: more than are ever in use together.
    const MOST: usize = 8;

    /// Looks for a new scorer again and again, until `shutdown`.
    pub async fn follow(&self, store: &impl Store, shutdown: CancellationToken) {
        keep_fresh(async || self.refresh(store).await, shutdown).await;
    }

    /// Learns which scorer is today's, and reads it if it is new or could not be had before.
    pub async fn refresh(&self, store: &impl Store) {
        let newest = store.newest().await;
        let is_read = {
            let mut known = self.known();
            known.current = newest.as_ref().map(|made| made.hash.as_str().into());
            known.read == newest
        };
        let Some(made) = newest.filter(|_| !is_read) else {
            return;
        };
        let scorer = &*made.hash;
        let Some(artefact) = store.artefact(scorer).await else {
            return warn!(
                scorer,
                "MongoDB does not have this scorer: answers of others stay stale"
            );
        };
        let read = tokio::task::spawn_blocking(move || Scorer::from_json(&artefact)).await;
        let mut known = self.known();
        match read {
            Ok(Ok(read)) if read.hash() == scorer => {
                info!(scorer, "answers of other scorers are judged again by this one");
                known.scorer = Some(Arc::new(read));
            }
            Ok(Ok(other)) => error!(scorer, other = other.hash(), "MongoDB has another scorer in its place"),
            Ok(Err(problem)) => error!(scorer, %problem, "a scorer that cannot be read"),
            Err(problem) => error!(scorer, %problem, "a scorer that cannot be read"),
        }
        known.read = Some(made);
    }

    /// Learns of a verdict.
    pub fn see(&self, verdict: &Judged) {
        let Some(hash) = &verdict.scorer else { return };
        let verdicts = &mut self.known().verdicts;
        let index = verdicts.iter().position(|(other, _)| **other == **hash);
        let (hash, newest) = index.map_or_else(
            || (hash.as_str().into(), verdict.decided_at),
            |index| verdicts.remove(index),
        );
        let newest = newest.max(verdict.decided_at);
        let index = verdicts.partition_point(|&(_, other)| other <= newest);
        verdicts.insert(index, (hash, newest));
        if verdicts.len() > Self::MOST {
            verdicts.remove(0);
        }
    }

    /// Today's; `None` only where there is neither a scorer in the store nor a verdict.
    pub fn today(&self) -> Option<Today> {
        let known = self.known();
        let newest_verdict = known.verdicts.last().map(|(hash, _)| hash);
        let hash = Arc::clone(known.current.as_ref().or(newest_verdict)?);
        let scorer = known.scorer.clone().filter(|scorer| scorer.hash() == &*hash);
        Some(Today { hash, scorer })
    }

    /// Whether another scorer than today's gave a verdict within the last `ttl`.
    pub fn has_others(&self, ttl: Duration) -> bool {
        let Some(today) = self.today() else { return false };
        let known = self.known();
        let newest_other = known.verdicts.iter().rev().find(|(hash, _)| *hash != today.hash);
        newest_other
            .is_some_and(|&(_, newest)| Duration::try_from(now().duration_since(newest)).unwrap_or_default() <= ttl)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Mongo {
    async fn newest(&self) -> Option<Made> {
        let scorers: Collection<Made> = self.collection("scorers");
        let find = || {
            let find = scorers.find(doc! {}).sort(doc! { "made_at": -1 });
            find.projection(doc! { "made_at": 1 }).first()
        };
        self.until_ok(find).await
    }

    async fn artefact(&self, hash: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Stored {
            artefact: String,
        }
        let scorers: Collection<Stored> = self.collection("scorers");
        let stored = self.until_ok(|| scorers.find(doc! { "_id": hash }).first()).await;
        stored.map(|stored| stored.artefact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{FewScorers, answer, artefact};

    fn today(scorers: &Scorers) -> (String, bool) {
        let today = scorers.today().unwrap();
        (today.hash.to_string(), today.scorer.is_some())
    }

    fn verdict(scorer: &str) -> Judged {
        Judged {
            scorer: Some(scorer.into()),
            decided_at: now(),
            ..answer(0.9)
        }
    }

    #[tokio::test]
    async fn the_newest_scorer_of_the_store_is_todays_whatever_verdicts_say() {
        let (text, hash) = artefact();
        let scorers = Scorers::default();
        scorers.refresh(&FewScorers::new(&hash, Some(&text))).await;
        assert_eq!(today(&scorers), (hash.clone(), true));
        scorers.see(&verdict("s1"));
        assert_eq!(today(&scorers), (hash, true));
        assert!(scorers.has_others(Duration::from_secs(60)));
    }

    #[tokio::test]
    async fn without_one_the_newest_verdict_tells() {
        let scorers = Scorers::default();
        scorers.refresh(&FewScorers::default()).await;
        assert!(scorers.today().is_none());
        scorers.see(&verdict("s2"));
        scorers.see(&answer(0.9));
        assert_eq!(today(&scorers), ("s2".into(), false));
    }

    #[tokio::test]
    async fn a_scorer_that_could_not_be_had_is_tried_again_and_what_is_here_is_not_read_again() {
        let (text, hash) = artefact();
        let scorers = Scorers::default();
        let store = FewScorers::new(&hash, None);
        scorers.refresh(&store).await;
        assert_eq!(today(&scorers), (hash.clone(), false));
        let store = FewScorers::new(&hash, Some(&text));
        scorers.refresh(&store).await;
        scorers.refresh(&store).await;
        assert_eq!((today(&scorers), store.reads()), ((hash, true), 1));
    }

    #[tokio::test]
    async fn an_artefact_that_is_no_scorer_is_read_once() {
        let scorers = Scorers::default();
        let store = FewScorers::new("s1", Some("{}"));
        scorers.refresh(&store).await;
        scorers.refresh(&store).await;
        assert_eq!((today(&scorers), store.reads()), (("s1".into(), false), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_scorer_that_is_made_later_is_learnt_and_a_stop_ends_that() {
        let scorers = Scorers::default();
        let stop = CancellationToken::new();
        let made = FewScorers::new("s1", None);
        let seen = async {
            while scorers.today().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        };
        tokio::join!(scorers.follow(&made, stop.clone()), seen);
    }
}
