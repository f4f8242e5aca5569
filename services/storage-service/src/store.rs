//! The collections `results` and `metrics`.

use std::collections::HashMap;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use messaging::mongo::{DUPLICATE_KEY, Mongo, duplicates};
use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::InsertManyOptions;
use mongodb::{Collection, IndexModel};
use serde::Deserialize;
use tracing::{info, warn};

use crate::metrics_document::MetricsDocument;
use crate::outcome::{Facts, ResultDocument, StoredOrigin};

/// MongoDB, as storage-service uses it. Every operation waits for a server that is away.
#[derive(Clone)]
pub struct Store {
    mongo: Mongo,
    results: Collection<ResultDocument>,
    metrics: Collection<MetricsDocument>,
}

impl Store {
    /// The collections of a database; nothing is asked of it yet.
    pub fn new(mongo: Mongo) -> Self {
        let (results, metrics) = (
            mongo.database.collection("results"),
            mongo.database.collection("metrics"),
        );
        Self {
            mongo,
            results,
            metrics,
        }
    }

    /// Makes sure of the index that cache-service looks answers up by.
    pub async fn prepare(&self) {
        let by_question = IndexModel::builder()
            .keys(doc! { "question_id": 1, "source": 1 })
            .build();
        self.mongo
            .until_ok(|| self.results.create_index(by_question.clone()))
            .await;
    }

    /// Inserts what is not there yet and returns, for each result, whether the stored document
    /// was made from that very record: now, or before a crash.
    pub async fn insert(&self, batch: &[ResultDocument]) -> Vec<bool> {
        let options = InsertManyOptions::builder().ordered(false).build();
        let repeated = self
            .mongo
            .until_ok(|| async { duplicates(self.results.insert_many(batch).with_options(options.clone()).await) })
            .await;
        let stored = self.origins(repeated.iter().map(|&index| &batch[index])).await;
        let mut is_ours = vec![true; batch.len()];
        for index in repeated {
            is_ours[index] = stored.get(batch[index].id.as_str()) == Some(&batch[index].origin);
        }
        is_ours
    }

    async fn origins(&self, results: impl Iterator<Item = &ResultDocument>) -> HashMap<String, StoredOrigin> {
        #[derive(Deserialize)]
        struct Stored {
            _id: String,
            origin: StoredOrigin,
        }
        let ids: Vec<&str> = results.map(|result| result.id.as_str()).collect();
        if ids.is_empty() {
            return HashMap::new();
        }
        let find = || async {
            let results = self.results.clone_with_type::<Stored>();
            let found = results
                .find(doc! { "_id": { "$in": &ids } })
                .projection(doc! { "origin": 1 })
                .await?;
            found.map_ok(|stored| (stored._id, stored.origin)).try_collect().await
        };
        self.mongo.until_ok(find).await
    }

    /// Counts a batch in the metrics document, each result exactly once.
    ///
    /// `metrics` is the document as it was read last; it may be out of date.
    pub async fn count(
        &self,
        mut metrics: Option<MetricsDocument>,
        epoch: &str,
        batch: &[ResultDocument],
        is_ours: &[bool],
    ) -> anyhow::Result<()> {
        loop {
            if let Some(current) = metrics.as_ref().filter(|metrics| metrics.epoch == epoch) {
                let Some(advance) = current.advance(batch, is_ours)? else {
                    return Ok(());
                };
                let update = || self.metrics.update_one(advance.guard.clone(), advance.update.clone());
                if self.mongo.until_ok(update).await.matched_count == 1 {
                    return Ok(());
                }
                // Another replica counted first: compute again from what it left.
            } else {
                info!(epoch, "no metrics of these topics yet: counting the results");
                let _replaced = self.recount(metrics.as_ref(), epoch).await;
            }
            metrics = self.metrics().await;
        }
    }

    /// The metrics document, if there is one.
    pub async fn metrics(&self) -> Option<MetricsDocument> {
        self.mongo
            .until_ok(|| self.metrics.find_one(doc! { "_id": MetricsDocument::ID }))
            .await
    }

    /// Recomputes the metrics document from the results; others may go on counting meanwhile.
    ///
    /// If the document was lost, and its watermarks with it, nobody may store results meanwhile.
    pub async fn rebuild_metrics(&self) -> MetricsDocument {
        loop {
            let old = self.metrics().await;
            let rebuilt = match &old {
                Some(old) => self.recount(Some(old), &old.epoch).await,
                None => {
                    self.replace(None, self.fold(MetricsDocument::lost(), recover).await)
                        .await
                }
            };
            match rebuilt {
                Some(rebuilt) => return rebuilt,
                None => warn!("a batch was counted meanwhile: counting again"),
            }
        }
    }

    /// Replaces `old` by a recount up to its watermarks, unless it changed meanwhile.
    async fn recount(&self, old: Option<&MetricsDocument>, epoch: &str) -> Option<MetricsDocument> {
        let offsets = old
            .filter(|old| old.epoch == epoch)
            .map(|old| old.offsets.clone())
            .unwrap_or_default();
        let counted = self.fold(MetricsDocument::empty(epoch, offsets), recount).await;
        self.replace(old, counted).await
    }

    /// Puts `counted` in the place of `old`, if that is still as it was.
    async fn replace(&self, old: Option<&MetricsDocument>, counted: MetricsDocument) -> Option<MetricsDocument> {
        let replaced = match old {
            None => {
                self.mongo
                    .until_ok(|| async { inserted(self.metrics.insert_one(&counted).await) })
                    .await
            }
            Some(old) => {
                let replace = || self.metrics.replace_one(old.unchanged(), &counted);
                self.mongo.until_ok(replace).await.matched_count == 1
            }
        };
        replaced.then_some(counted)
    }

    /// Adds every stored result to `start`.
    async fn fold(&self, start: MetricsDocument, add: fn(&mut MetricsDocument, &Counted)) -> MetricsDocument {
        let fields = [
            "verdict",
            "source",
            "score",
            "confidence",
            "attempts",
            "latency_ms",
            "usage",
            "spent",
            "origin",
            "stored_at",
        ];
        let projection: Document = fields.iter().map(|&field| (field.to_owned(), 1.into())).collect();
        let read_all = || async {
            let results = self.results.clone_with_type::<Counted>();
            let mut found = results.find(doc! {}).projection(projection.clone()).await?;
            let mut metrics = start.clone();
            while let Some(result) = found.try_next().await? {
                add(&mut metrics, &result);
            }
            Ok(metrics)
        };
        // All of them may be many: there is no limit to how long that takes.
        messaging::wait::until_ok("MongoDB", &self.mongo.place, || async {
            read_all().await as mongodb::error::Result<_>
        })
        .await
    }

    /// The metrics document as it is stored.
    ///
    /// # Errors
    /// When MongoDB does not answer: a page need not wait for it.
    pub async fn metrics_now(&self) -> anyhow::Result<Option<MetricsDocument>> {
        self.metrics
            .find_one(doc! { "_id": MetricsDocument::ID })
            .await
            .context("reading the metrics document")
    }
}

/// What of a result is counted, and where it came from.
#[derive(Deserialize)]
struct Counted {
    #[serde(flatten)]
    facts: Facts,
    origin: StoredOrigin,
    stored_at: DateTime,
}

fn recount(metrics: &mut MetricsDocument, result: &Counted) {
    metrics.recount(&result.facts, &result.origin);
}

fn recover(metrics: &mut MetricsDocument, result: &Counted) {
    metrics.recover(&result.facts, &result.origin, result.stored_at);
}

/// Whether a single insert was the first.
fn inserted<T>(inserted: Result<T, Error>) -> mongodb::error::Result<bool> {
    use mongodb::error::WriteFailure;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) => match &*error.kind {
            ErrorKind::Write(WriteFailure::WriteError(failure)) if failure.code == DUPLICATE_KEY => Ok(false),
            _ => Err(error),
        },
    }
}
