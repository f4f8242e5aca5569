//! Metrics from the results themselves, and from what is known of those that were removed: where documents were lost, or
//! are to be checked.

use std::collections::HashMap;

use mongodb::bson::DateTime;
use serde::Deserialize;

use crate::expired::Expired;
use crate::metrics_document::MetricsDocument;
use crate::runs::Runs;
use crate::watermark::Seen;
use messaging::result_document::{Facts, StoredOrigin};

/// What of a result is counted, and where it came from.
#[derive(Debug, Clone, Deserialize)]
pub struct Counted {
    #[serde(flatten)]
    pub facts: Facts,
    pub run: Option<String>,
    pub origin: StoredOrigin,
    pub stored_at: DateTime,
}

impl Counted {
    /// The fields to read.
    pub const FIELDS: [&str; 11] = [
        "verdict",
        "source",
        "score",
        "confidence",
        "attempts",
        "latency_ms",
        "usage",
        "spent",
        "run",
        "origin",
        "stored_at",
    ];
}

/// Documents that are made of all results, because one or more were lost.
///
/// What is read is what is counted, to the very record: others may store results meanwhile.
#[derive(Debug, Clone)]
pub struct Recovery {
    runs: Runs,
    /// Without a list before, the first runs that are read are in it.
    fills_the_list: bool,
    documents: HashMap<String, MetricsDocument>,
    expired: Expired,
    seen: Seen,
}

impl Recovery {
    /// Nothing read yet. `runs` is the list, if that was not lost.
    pub fn new(runs: Option<Runs>, expired: Expired) -> Self {
        let fills_the_list = runs.is_none();
        let mut runs = runs.unwrap_or_else(Runs::none);
        if fills_the_list {
            expired.runs().for_each(|run| runs.add(run));
        }
        Self {
            fills_the_list,
            runs,
            documents: expired.counted().map(|one| (one.id.clone(), one.clone())).collect(),
            seen: Seen::beside(expired.watermarks()),
            expired,
        }
    }

    /// Adds one result.
    pub fn add(&mut self, result: &Counted) {
        self.seen.add(&result.origin);
        self.count(MetricsDocument::GLOBAL, result);
        let Some(run) = &result.run else { return };
        if self.fills_the_list {
            self.runs.add(run);
        }
        // A run that can still be put into the list is being counted for the first time just now.
        if let Some(id) = self.runs.place_of(run) {
            self.count(&id, result);
        }
    }

    fn count(&mut self, id: &str, result: &Counted) {
        if self.expired.has(id, result) {
            return;
        }
        let document = self.documents.entry(id.to_owned());
        document.or_insert_with(|| MetricsDocument::empty(id)).add(result);
    }

    /// The list of runs, and every document that there has to be.
    pub fn finish(mut self) -> (Runs, impl Iterator<Item = MetricsDocument>) {
        let watermarks = self.seen.watermarks();
        let everything = (MetricsDocument::GLOBAL.to_owned(), None);
        let wanted: Vec<_> = self.runs.documents().chain([everything]).collect();
        // One after the other: of a thousand runs, all at once would be as many copies of the watermarks.
        let documents = wanted.into_iter().map(move |(id, run)| {
            let found = self.documents.remove(&id);
            let document = found.unwrap_or_else(|| MetricsDocument::empty(&id));
            MetricsDocument {
                run,
                watermarks: watermarks.clone(),
                ..document
            }
        });
        (self.runs, documents)
    }
}

/// Documents whose tallies are added up anew: of the same records as before.
#[derive(Debug, Clone)]
pub struct Recount {
    runs: Runs,
    documents: HashMap<String, MetricsDocument>,
    expired: Expired,
}

impl Recount {
    /// Nothing read yet.
    pub fn new(runs: Runs, documents: impl IntoIterator<Item = MetricsDocument>, expired: Expired) -> Self {
        let emptied = documents.into_iter().map(|document| {
            let tally = expired.tally(&document.id);
            (document.id.clone(), MetricsDocument { tally, ..document })
        });
        Self {
            runs,
            documents: emptied.collect(),
            expired,
        }
    }

    /// Adds one result to every document in which it is counted.
    pub fn add(&mut self, result: &Counted) {
        let of_run = result.run.as_deref().and_then(|run| self.runs.place_of(run));
        for id in [Some(MetricsDocument::GLOBAL.to_owned()), of_run].into_iter().flatten() {
            if let Some(document) = self.documents.get_mut(&id)
                && document.watermarks.have(&result.origin)
                && !self.expired.has(&id, result)
            {
                document.tally.add(&result.facts);
            }
        }
    }

    /// The documents by `_id`.
    pub fn finish(self) -> HashMap<String, MetricsDocument> {
        self.documents
    }
}
