//! The runs, as storage-service counts them in the collection `metrics`.

use std::collections::BTreeMap;

use messaging::model_settings::ModelSettings;
use mongodb::bson::{DateTime, Document, doc};
use serde::Deserialize;

use super::{Store, StoreError};

/// The `_id` of the list of runs.
const LIST: &str = "runs";
/// The `_id` of the document of the runs that have none of their own.
const OTHER: &str = "runs:other";

/// What of a metrics document a list of runs shows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RunMetrics {
    /// Its name; none in the document of the runs that have none of their own.
    pub run: Option<String>,
    pub decided: i64,
    pub accepted: i64,
    pub began_at: DateTime,
    #[serde(default)]
    pub spent: Spending,
}

/// What outcomes have cost.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Spending {
    pub nanodollars: i64,
    pub by_model: BTreeMap<String, Model>,
}

/// A model that was asked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Model {
    pub name: String,
}

/// Where a list of runs goes on: after a run that began at a moment, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    pub began_at: DateTime,
    pub run: String,
}

#[derive(Deserialize)]
struct Names {
    names: Vec<String>,
}

impl Store {
    /// Some runs, the newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn runs(&self, after: Option<&After>, most: i64) -> Result<Vec<RunMetrics>, StoreError> {
        let mut wanted = doc! { "run": { "$exists": true } };
        if let Some(After { began_at, run }) = after {
            let later = [
                doc! { "began_at": { "$lt": began_at } },
                doc! { "began_at": began_at, "run": { "$lt": run } },
            ];
            wanted.insert("$or", later.to_vec());
        }
        self.metrics(wanted, most).await
    }

    /// What the runs came to that have no document of their own.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn other_runs(&self) -> Result<Option<RunMetrics>, StoreError> {
        let found = self.metrics(doc! { "_id": OTHER, "decided": { "$gt": 0 } }, 1).await?;
        Ok(found.into_iter().next())
    }

    /// The names of all runs that have a document of their own.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn run_names(&self) -> Result<Vec<String>, StoreError> {
        let list = self.mongo.collection::<Names>("metrics");
        let found = self.within_patience(list.find(doc! { "_id": LIST }).first()).await?;
        Ok(found.map(|list| list.names).unwrap_or_default())
    }

    /// By which settings the model answered, of those hashes that are known.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn model_settings(&self, hashes: Vec<String>) -> Result<Vec<ModelSettings>, StoreError> {
        let known = self.mongo.collection::<ModelSettings>("model_settings");
        let find = known.find(doc! { "_id": { "$in": hashes } });
        self.within_patience(find.all()).await
    }

    async fn metrics(&self, wanted: Document, most: i64) -> Result<Vec<RunMetrics>, StoreError> {
        let fields = [
            "run",
            "decided",
            "accepted",
            "began_at",
            "spent.nanodollars",
            "spent.by_model",
        ];
        let shown: Document = fields.iter().map(|&field| (field.to_owned(), 1.into())).collect();
        let metrics = self.mongo.collection::<RunMetrics>("metrics");
        let found = metrics
            .find(wanted)
            .projection(shown)
            .sort(doc! { "began_at": -1, "run": -1 })
            .limit(most);
        self.within_patience(found.all()).await
    }
}
