//! Which scorer judges today, and that scorer itself: older answers are judged again by it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use contracts::value::{Score, now};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use judge::Scorer;
use messaging::mongo::Mongo;
use mongodb::Collection;
use mongodb::bson::doc;
use serde::Deserialize;
use tracing::{error, info, warn};

use crate::answer::Judged;

/// Gets the artefact of a hash, if there is one; waits for a server that is away.
type Fetch = Box<dyn Fn(Arc<str>) -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// The scorers whose verdicts were seen. The one of the newest verdict is today's.
pub struct Scorers {
    fetch: Fetch,
    /// In the order of their newest verdicts; the last is today's.
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone)]
struct Seen {
    hash: Arc<str>,
    newest: Timestamp,
    is_fetched: bool,
    /// Empty until it is here.
    scorer: Arc<OnceLock<Scorer>>,
}

/// The scorer that judges today.
#[derive(Clone)]
pub struct Today(Seen);

impl Scorers {
    /// How many are remembered: more than are ever in use together.
    const MOST: usize = 8;

    /// None was seen yet; `mongo` has their artefacts.
    pub fn new(mongo: Mongo) -> Self {
        Self::fetching(move |hash| fetch(mongo.clone(), hash).boxed())
    }

    /// The same, with artefacts from elsewhere.
    pub fn fetching(fetch: impl Fn(Arc<str>) -> BoxFuture<'static, Option<String>> + Send + Sync + 'static) -> Self {
        Self {
            fetch: Box::new(fetch),
            seen: Mutex::default(),
        }
    }

    /// Learns of a verdict. The scorer of the newest one is fetched in the background, once.
    pub fn see(&self, verdict: &Judged) {
        let Some(hash) = &verdict.scorer else { return };
        let mut seen = self.seen();
        let known = seen.iter().position(|scorer| *scorer.hash == **hash);
        let mut scorer = known.map_or_else(|| Seen::first(hash, verdict.decided_at), |index| seen.remove(index));
        scorer.newest = scorer.newest.max(verdict.decided_at);
        let index = seen.partition_point(|other| other.newest <= scorer.newest);
        seen.insert(index, scorer);
        if seen.len() > Self::MOST {
            seen.remove(0);
        }
        let today = seen.last_mut().filter(|today| !today.is_fetched);
        let unfetched = today.map(|today| {
            today.is_fetched = true;
            today.clone()
        });
        drop(seen);
        if let Some(scorer) = unfetched {
            self.fetch(scorer);
        }
    }

    /// Today's, if any verdict was seen.
    pub fn today(&self) -> Option<Today> {
        self.seen().last().cloned().map(Today)
    }

    /// Whether another scorer than today's gave a verdict within the last `ttl`.
    pub fn has_others(&self, ttl: Duration) -> bool {
        let newest_other = self.seen().iter().rev().nth(1).map(|other| other.newest);
        newest_other.is_some_and(|newest| Duration::try_from(now().duration_since(newest)).unwrap_or_default() <= ttl)
    }

    fn fetch(&self, seen: Seen) {
        let artefact = (self.fetch)(Arc::clone(&seen.hash));
        tokio::spawn(async move {
            let scorer = &*seen.hash;
            let Some(artefact) = artefact.await else {
                return warn!(
                    scorer,
                    "MongoDB does not have this scorer: answers of others stay stale"
                );
            };
            match tokio::task::spawn_blocking(move || Scorer::from_json(&artefact)).await {
                Ok(Ok(read)) if read.hash() == scorer => {
                    info!(scorer, "answers of other scorers are judged again by this one");
                    seen.scorer.get_or_init(|| read);
                }
                Ok(Ok(other)) => error!(scorer, other = other.hash(), "MongoDB has another scorer in its place"),
                Ok(Err(problem)) => error!(scorer, %problem, "a scorer that cannot be read"),
                Err(problem) => error!(scorer, %problem, "a scorer that cannot be read"),
            }
        });
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn first(hash: &str, newest: Timestamp) -> Self {
        Self {
            hash: hash.into(),
            newest,
            is_fetched: false,
            scorer: Arc::default(),
        }
    }
}

impl Today {
    /// The name that verdicts call it by.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    /// The answer with today's verdict on it; `None` until the scorer is here.
    pub fn judge(&self, answer: &Judged, threshold: Score) -> Option<Judged> {
        let judged = answer.judged_again(self.0.scorer.get()?, threshold);
        judged
            .inspect_err(|problem| error!(scorer = self.hash(), %problem, "a score that is none"))
            .ok()
    }
}

async fn fetch(mongo: Mongo, hash: Arc<str>) -> Option<String> {
    #[derive(Deserialize)]
    struct Stored {
        artefact: String,
    }
    let scorers: Collection<Stored> = mongo.database.collection("scorers");
    let stored = mongo.until_ok(|| scorers.find_one(doc! { "_id": &*hash })).await;
    stored.map(|stored| stored.artefact)
}
