//! The scorers that verdicts name; the few that were used last stay in memory.

use std::sync::{Arc, Mutex, PoisonError};

use judge::Scorer;
use messaging::collection::Collection;
use mongodb::bson::doc;
use serde::Deserialize;
use tracing::error;

use super::{Store, StoreError};

/// How many are kept: each has the frequencies of many words.
const MOST: usize = 4;

/// Those in memory, the newest used last.
pub type Scorers = Arc<Mutex<Vec<Arc<Scorer>>>>;

#[derive(Deserialize)]
struct Stored {
    artefact: String,
}

impl Store {
    /// The scorer of a hash; `None` where MongoDB does not have it, or another in its place.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn scorer(&self, hash: &str) -> Result<Option<Arc<Scorer>>, StoreError> {
        if let Some(known) = self.known(hash) {
            return Ok(Some(known));
        }
        let scorers: Collection<Stored> = self.mongo.collection("scorers");
        let Some(stored) = self.within_patience(scorers.find(doc! { "_id": hash }).first()).await? else {
            return Ok(None);
        };
        let read = tokio::task::spawn_blocking(move || Scorer::from_json(&stored.artefact)).await;
        match read {
            Ok(Ok(scorer)) if scorer.hash() == hash => {
                let scorer = Arc::new(scorer);
                keep(&self.scorers, &scorer);
                Ok(Some(scorer))
            }
            Ok(Ok(other)) => {
                error!(hash, other = other.hash(), "MongoDB has another scorer in its place");
                Ok(None)
            }
            Ok(Err(problem)) => {
                error!(hash, %problem, "a scorer that cannot be read");
                Ok(None)
            }
            Err(problem) => {
                error!(hash, %problem, "a scorer that cannot be read");
                Ok(None)
            }
        }
    }

    /// Which of these scorers was put to use last, as far as MongoDB has them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn newest_scorer(&self, hashes: impl IntoIterator<Item = &String>) -> Result<Option<String>, StoreError> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "_id")]
            hash: String,
        }
        let hashes: Vec<&String> = hashes.into_iter().collect();
        let scorers: Collection<Named> = self.mongo.collection("scorers");
        let newest = scorers
            .find(doc! { "_id": { "$in": hashes } })
            .projection(doc! { "_id": 1 })
            .sort(doc! { "made_at": -1 });
        Ok(self.within_patience(newest.first()).await?.map(|found| found.hash))
    }

    fn known(&self, hash: &str) -> Option<Arc<Scorer>> {
        let scorers = self.scorers.lock().unwrap_or_else(PoisonError::into_inner);
        let scorer = scorers.iter().find(|scorer| scorer.hash() == hash).cloned();
        drop(scorers);
        scorer.inspect(|scorer| keep(&self.scorers, scorer))
    }
}

fn keep(scorers: &Scorers, scorer: &Arc<Scorer>) {
    let mut scorers = scorers.lock().unwrap_or_else(PoisonError::into_inner);
    scorers.retain(|other| other.hash() != scorer.hash());
    scorers.push(Arc::clone(scorer));
    if scorers.len() > MOST {
        scorers.remove(0);
    }
}
