//! What explorer reads of MongoDB. Unlike a service that has work to do it does not wait for a server that is away: it
//! says so, and the reader may try again.

pub mod labels;
mod scorers;
pub mod runs;

use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use messaging::mongo::Mongo;
use messaging::result_document::ResultDocument;
use mongodb::Collection;
use mongodb::bson::doc;
use tokio::time::timeout;

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
            results: mongo.database.collection("results"),
            labels: mongo.database.collection("labels"),
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
        self.within_patience(self.results.find_one(doc! { "_id": message_id }))
            .await
    }

    /// The outcome of a request with all that MongoDB has of it, as JSON.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn stored(&self, message_id: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let results = self.results.clone_with_type::<serde_json::Value>();
        self.within_patience(results.find_one(doc! { "_id": message_id })).await
    }

    /// About how many results there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.within_patience(self.results.estimated_document_count()).await
    }

    /// All results, one after the other.
    ///
    /// # Errors
    /// What MongoDB refuses.
    pub async fn all(
        &self,
    ) -> mongodb::error::Result<impl Stream<Item = mongodb::error::Result<ResultDocument>> + use<>> {
        let found = self.results.find(doc! {}).batch_size(500).await?;
        Ok(found.map_ok(|outcome| outcome))
    }
}
