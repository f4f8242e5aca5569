//! The collection `results`.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use messaging::mongo::{Mongo, duplicates};
use mongodb::bson::doc;
use mongodb::options::InsertManyOptions;
use mongodb::{Collection, IndexModel};
use serde::Deserialize;

use messaging::result_document::{ResultDocument, StoredOrigin};

/// The results. Every operation waits for a server that is away.
#[derive(Clone)]
pub struct Store {
    mongo: Mongo,
    results: Collection<ResultDocument>,
}

impl Store {
    /// The collection of a database; nothing is asked of it yet.
    pub fn new(mongo: Mongo) -> Self {
        let results = mongo.database.collection("results");
        Self { mongo, results }
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
        if batch.is_empty() {
            return vec![];
        }
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
}
