//! The collection `results`.

use std::collections::HashMap;

use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::IndexModel;
use mongodb::bson::doc;
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
        let results = mongo.collection("results");
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
        let repeated = self.mongo.until_ok(|| self.results.insert_new(batch)).await;
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
        let results = self.results.of::<Stored>();
        let find = || {
            let find = results.find(doc! { "_id": { "$in": &ids } });
            find.projection(doc! { "origin": 1 }).all()
        };
        let found = self.mongo.until_ok(find).await;
        found.into_iter().map(|stored| (stored._id, stored.origin)).collect()
    }
}
