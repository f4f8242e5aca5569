//! What explorer reads of MongoDB. Unlike a service that has work to do it does not wait for a server that is away: it
//! says so, and the reader may try again.

pub mod labels;
pub mod runs;
mod scorers;

use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use messaging::result_document::ResultDocument;
use mongodb::bson::doc;
use serde::Deserialize;
use tokio::time::timeout;
use tracing::debug;

use self::labels::LabelDocument;
use self::scorers::Scorers;

/// The longest that a reader waits for MongoDB.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database, as explorer reads it.
#[derive(Clone)]
pub struct Store {
    /// The database itself.
    pub mongo: Mongo,
    results: Collection<ResultDocument>,
    labels: Collection<LabelDocument>,
    scorers: Scorers,
}

/// MongoDB did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It took longer than anybody should wait.
    #[error("MongoDB at {0} does not answer")]
    Silent(String),
    /// It refused.
    #[error(transparent)]
    Refused(#[from] mongodb::error::Error),
    /// A person had the texts forgotten while they were in use.
    #[error("the texts were forgotten meanwhile")]
    Forgotten,
}

impl Store {
    /// The collections of a database; nothing is asked of it yet.
    pub fn new(mongo: Mongo) -> Self {
        Self {
            results: mongo.collection("results"),
            labels: mongo.collection("labels"),
            scorers: Scorers::default(),
            mongo,
        }
    }

    /// Does something that may fail, but not last.
    ///
    /// # Errors
    /// MongoDB refuses or does not answer in time.
    pub async fn within_patience<T>(
        &self,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, StoreError> {
        match timeout(PATIENCE, operation.into_future()).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(StoreError::Silent(self.mongo.place.clone())),
        }
    }

    /// The outcome of a request, if there is one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn result(&self, message_id: &str) -> Result<Option<ResultDocument>, StoreError> {
        let find = self.results.find(doc! { "_id": message_id });
        self.within_patience(find.first()).await
    }

    /// The outcome of a request with all that MongoDB has of it, as JSON.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn stored(&self, message_id: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let find = self.results.of::<serde_json::Value>().find(doc! { "_id": message_id });
        self.within_patience(find.first()).await
    }

    /// About how many results there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.within_patience(self.results.estimated_document_count()).await
    }

    /// The ids of all results, one after the other.
    ///
    /// # Errors
    /// What MongoDB refuses.
    pub async fn ids(&self) -> mongodb::error::Result<impl Stream<Item = mongodb::error::Result<String>> + use<>> {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "_id")]
            id: String,
        }
        let results = self.results.of::<Stored>();
        let found = results
            .find(doc! {})
            .projection(doc! { "_id": 1 })
            .batch_size(5000)
            .stream()
            .await?;
        Ok(found.map_ok(|stored| stored.id))
    }

    /// The outcomes of these requests, as far as they are there and can be read, in no order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn results(&self, ids: &[String]) -> Result<Vec<ResultDocument>, StoreError> {
        let find = self.results.find(doc! { "_id": { "$in": ids } });
        let unreadable = |error| debug!(%error, "a result cannot be read");
        self.within_patience(find.readable(unreadable)).await
    }
}

#[cfg(test)]
pub mod tests {
    use messaging::mongo::MongoConfig;

    use super::*;

    /// A store behind which nobody answers.
    pub async fn nobodys_store() -> Store {
        let nobody = MongoConfig {
            mongodb_uri: "mongodb://127.0.0.1:1".to_owned().into(),
            mongodb_database: "cotejo".to_owned(),
        };
        Store::new(nobody.client("test").await.unwrap())
    }
}
