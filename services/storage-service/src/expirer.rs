//! Removes old results from MongoDB, a slice at a time, once what they add to the metrics is in `expired`.
//!
//! Whenever this ends, the sum of both is the same: each document of `expired` changes in one guarded update, and nothing
//! is removed before all of them are. Of replicas that do this at once one is first, and the others find that out.

use std::time::Duration;

use futures::TryStreamExt as _;
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::IndexModel;
use mongodb::bson::{DateTime, doc};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use crate::expired::{Change, Expired, ExpiredDocument, Slice};
use crate::metrics_document::MetricsDocument;
use crate::metrics_store::MetricsStore;

/// How often old results are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How many results expire together, and a few more where several were stored in the same millisecond: so few that
/// removing them takes the embedded MongoDB a moment alone, as others wait meanwhile.
const SLICE: usize = 500;

/// What of a result tells how old it is.
#[derive(Deserialize)]
struct Stored {
    stored_at: DateTime,
}

/// Removes results that are too old.
pub struct Expirer {
    mongo: Mongo,
    metrics: MetricsStore,
    expired: Collection<ExpiredDocument>,
    results: Collection<Stored>,
}

impl Expirer {
    /// The collections of a database; nothing is asked of it yet.
    pub fn new(mongo: Mongo, metrics: MetricsStore) -> Self {
        Self {
            expired: mongo.collection("expired"),
            results: mongo.collection("results"),
            metrics,
            mongo,
        }
    }

    /// Removes what was stored longer ago than `retention`, now and from time to time, for ever.
    pub async fn run(self, retention: Duration) {
        let by_age = IndexModel::builder().keys(doc! { "stored_at": 1 }).build();
        self.mongo.patiently(|| self.results.create_index(by_age.clone())).await;
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let oldest = DateTime::now().timestamp_millis().saturating_sub(retention);
            let removed = self.remove(DateTime::from_millis(oldest)).await;
            if removed > 0 {
                info!(count = removed, "removed results older than RESULTS_RETENTION");
            }
        }
    }

    /// Removes what was stored before `oldest`, and gives how many results those were.
    async fn remove(&self, oldest: DateTime) -> u64 {
        let mut removed = 0;
        let mut expired = self.metrics.expired().await;
        for end in self.slices(oldest).await {
            let began = Instant::now();
            let Some(expired_until) = self.expire(end, &mut expired).await else {
                break;
            };
            let older = doc! { "stored_at": { "$lt": expired_until } };
            let delete = || self.results.delete_many(older.clone());
            removed += self.mongo.patiently(delete).await.deleted_count;
            if expired_until < end {
                warn!(
                    stored_at = %expired_until,
                    "a result that the metrics do not count yet keeps later ones from being removed; if it stays, delete \
                     the collection metrics, which is then made anew from all results"
                );
                break;
            }
            // Storing has half the time at least.
            sleep(began.elapsed()).await;
        }
        removed
    }

    /// Until when the results were stored that are removed together, a slice after the other.
    async fn slices(&self, oldest: DateTime) -> Vec<DateTime> {
        // Asked once, as the embedded MongoDB sorts them all.
        self.mongo
            .patiently(|| async {
                let too_old = self.results.find(doc! { "stored_at": { "$lt": oldest } });
                let by_age = too_old.sort(doc! { "stored_at": 1 });
                let mut found = by_age.projection(doc! { "_id": 0, "stored_at": 1 }).stream().await?;
                let (mut ends, mut count) = (vec![], 0);
                while let Some(Stored { stored_at }) = found.try_next().await? {
                    count += 1;
                    if count % SLICE == 0 {
                        // With all that were stored in the same millisecond.
                        ends.push(DateTime::from_millis(stored_at.timestamp_millis() + 1));
                    }
                }
                if count % SLICE > 0 {
                    ends.push(oldest);
                }
                ends.dedup();
                mongodb::error::Result::Ok(ends)
            })
            .await
    }

    /// Counts the results in `expired` that were stored before `end`, or before the first that the metrics do not count
    /// yet, and gives until when; `None` when this is no time to go on.
    async fn expire(&self, mut end: DateTime, expired: &mut Expired) -> Option<DateTime> {
        // Else whoever makes what is missing would have to begin again and again.
        let runs = self.metrics.whole().await?;
        let counted = self.metrics.find(MetricsDocument::GLOBAL).await?.watermarks;
        let changes = loop {
            let slice = Slice::new(end, runs.clone(), counted.clone(), expired.clone());
            let older = doc! { "stored_at": { "$lt": end } };
            match self.metrics.fold(older, slice, Slice::add).await.finish() {
                Ok(changes) => break changes,
                Err(first) => end = first,
            }
        };
        for change in changes {
            if !self.make(&change).await {
                info!("another replica removes old results");
                return None;
            }
            expired.set(change.after);
        }
        Some(end)
    }

    /// Whether a document was still as it was known, and is changed.
    async fn make(&self, Change { guard, after }: &Change) -> bool {
        let Some(guard) = guard else {
            return self
                .mongo
                .until_ok(|| self.expired.insert_new([after]))
                .await
                .is_empty();
        };
        let replace = || self.expired.replace_one(guard.clone(), after, false);
        self.mongo.until_ok(replace).await.matched_count == 1
    }
}
