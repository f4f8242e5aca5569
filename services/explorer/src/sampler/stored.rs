//! What MongoDB counts.

use std::time::Duration;

use messaging::collection::Collection;
use mongodb::bson::doc;
use serde::Deserialize;
use tokio::time::timeout;

use crate::store::Store;

/// The longest that MongoDB may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the metrics say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// How many outcomes are counted.
    pub decided: i64,
    /// The run that was begun last.
    pub newest: Option<Run>,
}

/// The counts of a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Run {
    #[serde(rename = "run")]
    pub name: String,
    pub decided: i64,
    pub accepted: i64,
}

#[derive(Debug, Deserialize)]
struct Everything {
    decided: i64,
}

/// Asks MongoDB.
///
/// # Errors
/// It does not answer.
pub async fn look(store: &Store) -> anyhow::Result<Stored> {
    let silent = || anyhow::anyhow!("{} does not answer", store.mongo.place);
    timeout(PATIENCE, counts(store)).await.map_err(|_| silent())?
}

async fn counts(store: &Store) -> anyhow::Result<Stored> {
    let everything: Collection<Everything> = store.mongo.collection("metrics");
    let everything = everything
        .find(doc! { "_id": "global" })
        .projection(doc! { "decided": 1 })
        .first()
        .await?;
    let runs: Collection<Run> = store.mongo.collection("metrics");
    let shown = doc! { "run": 1, "decided": 1, "accepted": 1 };
    let newest = runs
        .find(doc! { "run": { "$exists": true } })
        .sort(doc! { "began_at": -1 })
        .projection(shown)
        .first()
        .await?;
    Ok(Stored {
        decided: everything.map_or(0, |everything| everything.decided),
        newest,
    })
}
