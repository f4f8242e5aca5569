//! The collection `metrics`: a document of everything, one of each run, and the list of the runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::bson::{Document, doc};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::expired::{Expired, ExpiredDocument};
use crate::metrics_document::MetricsDocument;
use crate::recount::{Counted, Recount, Recovery};
use crate::runs::{MAX_RUNS, Runs};
use messaging::result_document::ResultDocument;

/// How long a recount that was overtaken pauses at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The metrics, each result counted exactly once. Every operation waits for a server that is away.
#[derive(Clone)]
pub struct MetricsStore {
    mongo: Mongo,
    metrics: Collection<MetricsDocument>,
    runs: Collection<Runs>,
    results: Collection<Counted>,
    expired: Collection<ExpiredDocument>,
    /// Where the runs are counted that were met so far.
    places: Arc<Mutex<HashMap<String, String>>>,
}

impl MetricsStore {
    /// The collection of a database; nothing is asked of it yet.
    pub fn new(mongo: Mongo) -> Self {
        Self {
            metrics: mongo.collection("metrics"),
            runs: mongo.collection("metrics"),
            results: mongo.collection("results"),
            expired: mongo.collection("expired"),
            places: Arc::default(),
            mongo,
        }
    }

    /// Brings what an earlier version left to today's form, and makes what is missing.
    pub async fn prepare(&self) {
        let old = doc! { "_id": MetricsDocument::GLOBAL, "watermarks": { "$exists": false } };
        let removed = || self.metrics.delete_one(old.clone());
        if self.mongo.until_ok(removed).await.deleted_count > 0 {
            info!("the metrics of an earlier version are counted anew from the results");
        }
        if self.whole().await.is_none() {
            self.recover().await;
        }
    }

    /// The list of runs, if every document is there.
    pub async fn whole(&self) -> Option<Runs> {
        let ids = || async { self.runs.distinct("_id", doc! {}).await };
        let there = self.mongo.until_ok(ids).await;
        let is_there = |id: &str| there.iter().any(|there| there.as_str() == Some(id));
        let list = self.list().await.filter(|_| is_there(MetricsDocument::GLOBAL));
        list.filter(|list| list.documents().all(|(id, _)| is_there(&id)))
    }

    /// Counts a batch, each result once, in the document of its run and in that of everything.
    ///
    /// `everything` is that document as it was read last; it may be out of date. `is_ours` tells, for each result,
    /// whether the stored document was made from that very record.
    ///
    /// # Errors
    /// Never in practice: everything is plain data.
    pub async fn count(
        &self,
        mut everything: Option<MetricsDocument>,
        batch: &[ResultDocument],
        is_ours: &[bool],
    ) -> anyhow::Result<()> {
        while !self.try_count(everything.take(), batch, is_ours).await? {
            // Where runs are counted may have changed, too.
            self.places.lock().await.clear();
            self.recover().await;
        }
        Ok(())
    }

    /// Whether all documents are there to count a batch in.
    async fn try_count(
        &self,
        everything: Option<MetricsDocument>,
        batch: &[ResultDocument],
        is_ours: &[bool],
    ) -> anyhow::Result<bool> {
        let mut by_place: HashMap<String, Vec<bool>> = HashMap::new();
        for (index, result) in batch.iter().enumerate() {
            if let Some(run) = &result.run {
                let place = self.place_of(&run.to_string()).await;
                let belongs = by_place.entry(place).or_insert_with(|| vec![false; batch.len()]);
                belongs[index] = is_ours[index];
            }
        }
        for (place, is_counted) in by_place {
            if !self.count_in(&place, None, batch, &is_counted).await? {
                return Ok(false);
            }
        }
        // Last: who sees a result in it finds it in its run's document as well.
        self.count_in(MetricsDocument::GLOBAL, everything, batch, is_ours).await
    }

    /// Whether the document is there to count a batch in; `known` is how it was when it was read last.
    async fn count_in(
        &self,
        id: &str,
        mut known: Option<MetricsDocument>,
        batch: &[ResultDocument],
        is_counted: &[bool],
    ) -> anyhow::Result<bool> {
        loop {
            let current = match known.take() {
                Some(known) => known,
                None => match self.find(id).await {
                    Some(found) => found,
                    None => return Ok(false),
                },
            };
            let Some(advance) = current.advance(batch, is_counted)? else {
                return Ok(true);
            };
            let update = || self.metrics.update_one(advance.guard.clone(), advance.update.clone());
            if self.mongo.until_ok(update).await.matched_count == 1 {
                return Ok(true);
            }
            // Another replica counted first: compute again from what it left.
        }
    }

    /// The `_id` of the document that a run is counted in; a new run is put into the list.
    async fn place_of(&self, run: &str) -> String {
        let mut places = self.places.lock().await;
        if let Some(place) = places.get(run) {
            return place.clone();
        }
        let place = loop {
            if self.claim(run).await {
                break Runs::document(run);
            }
            match self.list().await.map(|list| list.place_of(run)) {
                Some(Some(place)) => break place,
                Some(None) => {}
                None => self.recover().await,
            }
        };
        if places.len() >= 10 * MAX_RUNS {
            places.clear();
        }
        places.insert(run.to_owned(), place.clone());
        place
    }

    /// Puts a new run into the list and makes its document; not if the list has it, or is full.
    async fn claim(&self, run: &str) -> bool {
        let last = format!("names.{}", MAX_RUNS - 1);
        let mut has_room = doc! { "_id": Runs::ID, "names": { "$ne": run } };
        has_room.insert(last, doc! { "$exists": false });
        let claim = || {
            self.runs
                .update_one(has_room.clone(), doc! { "$push": { "names": run } })
        };
        if self.mongo.until_ok(claim).await.matched_count == 0 {
            return false;
        }
        let document = MetricsDocument {
            run: Some(run.to_owned()),
            ..MetricsDocument::empty(&Runs::document(run))
        };
        self.insert(&[document]).await;
        true
    }

    /// Makes every document that there is not, from the results; others may store and count meanwhile.
    async fn recover(&self) {
        info!("a metrics document is missing: counting the results");
        let list = self.list().await;
        let recovery = loop {
            let begin = |expired| Recovery::new(list.clone(), expired);
            if let Some(recovery) = self.fold_beside_expired(begin, Recovery::add).await {
                break recovery;
            }
        };
        let (runs, documents) = recovery.finish();
        if list.is_none() {
            let insert = || self.runs.insert_new([&runs]);
            if !self.mongo.until_ok(insert).await.is_empty() {
                // Another replica's list was first, and may have other runs in it.
                return;
            }
        }
        for document in documents {
            self.insert(&[document]).await;
        }
    }

    /// Adds up all tallies anew, each of the records that it counted before; others may go on counting meanwhile.
    pub async fn rebuild(&self) -> MetricsDocument {
        loop {
            let began = Instant::now();
            self.prepare().await;
            // In this order: the list only grows, and then it has the run of each document.
            let documents = self.documents().await;
            let Some(runs) = self.list().await else { continue };
            let begin = |expired| Recount::new(runs, documents.clone(), expired);
            let Some(recount) = self.fold_beside_expired(begin, Recount::add).await else {
                continue;
            };
            let mut counted = recount.finish();
            let mut is_done = true;
            for old in documents {
                // What is right stays: batches change the others all the time.
                if let Some(new) = counted.get(&old.id).filter(|new| new.tally != old.tally) {
                    let replace = || self.metrics.replace_one(old.unchanged(), new, false);
                    is_done &= self.mongo.until_ok(replace).await.matched_count == 1;
                }
            }
            match counted.remove(MetricsDocument::GLOBAL) {
                Some(everything) if is_done => return everything,
                _ => {
                    warn!("a batch was counted meanwhile: counting again");
                    // Storing has half the time at least.
                    sleep(began.elapsed().min(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    /// A document, if there is one.
    pub async fn find(&self, id: &str) -> Option<MetricsDocument> {
        let find = || self.metrics.find(doc! { "_id": id }).first();
        self.mongo.until_ok(find).await
    }

    /// A run's document, or that of everything, as it is now.
    ///
    /// # Errors
    /// When MongoDB does not answer: a page need not wait for it.
    pub async fn now(&self, run: Option<&str>) -> anyhow::Result<Option<MetricsDocument>> {
        let id = run.map_or(MetricsDocument::GLOBAL.to_owned(), Runs::document);
        let found = self.metrics.find(doc! { "_id": id }).first().await;
        found.context("reading the metrics document")
    }

    async fn documents(&self) -> Vec<MetricsDocument> {
        let all = || self.metrics.find(doc! { "_id": { "$ne": Runs::ID } }).all();
        self.mongo.until_ok(all).await
    }

    /// The list of runs.
    async fn list(&self) -> Option<Runs> {
        let find = || self.runs.find(doc! { "_id": Runs::ID }).first();
        self.mongo.until_ok(find).await
    }

    /// Inserts the documents that are not there yet.
    async fn insert(&self, documents: &[MetricsDocument]) {
        self.mongo.until_ok(|| self.metrics.insert_new(documents)).await;
    }

    /// What is known of the results that were removed.
    pub async fn expired(&self) -> Expired {
        let all = self.mongo.until_ok(|| self.expired.find(doc! {}).all()).await;
        all.into_iter().collect()
    }

    /// Whether any results were ever removed.
    pub async fn removes(&self) -> bool {
        let find = || self.expired.find(doc! { "_id": MetricsDocument::GLOBAL }).first();
        self.mongo.until_ok(find).await.is_some()
    }

    /// Adds every stored result to what `begin` makes of those that expired; `None` when others did meanwhile, and may
    /// have been removed before they were read.
    async fn fold_beside_expired<T: Clone>(
        &self,
        begin: impl FnOnce(Expired) -> T,
        add: fn(&mut T, &Counted),
    ) -> Option<T> {
        let expired = self.expired().await;
        let sum = self.fold(doc! {}, begin(expired.clone()), add).await;
        let is_unchanged = self.expired().await == expired;
        if !is_unchanged {
            warn!("results expired meanwhile: counting again");
        }
        is_unchanged.then_some(sum)
    }

    /// Adds every stored result that `wanted` matches to `start`.
    pub async fn fold<T: Clone>(&self, wanted: Document, start: T, add: fn(&mut T, &Counted)) -> T {
        let projection: Document = Counted::FIELDS
            .map(|field| (field.to_owned(), 1.into()))
            .into_iter()
            .collect();
        // All of them may be many: there is no limit to how long that takes.
        let look = || async {
            let find = self.results.find(wanted.clone()).projection(projection.clone());
            let mut found = find.stream().await?;
            let mut sum = start.clone();
            while let Some(result) = found.next().await {
                add(&mut sum, &result?);
            }
            mongodb::error::Result::Ok(sum)
        };
        self.mongo.patiently(look).await
    }
}
