//! What MongoDB knows: the model's accepted answers by question, and which askings are decided.

use std::collections::HashMap;
use std::sync::Arc;

use contracts::value::{Id, Score, now};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use messaging::mongo::Mongo;
use mongodb::Collection;
use mongodb::bson::{DateTime, Document, doc};
use serde::Deserialize;

use crate::answer::{Answer, ReuseRule};
use crate::batcher::Batcher;

/// Batched look-ups in `results`; they wait for a server that is away.
#[derive(Clone)]
pub struct Stored {
    /// The model's accepted answers, by question_id.
    pub answers: Batcher<Id, Vec<Answer>>,
    /// Whether an asking has its outcome, by message_id.
    pub decided: Batcher<Id, bool>,
}

#[derive(Deserialize)]
struct StoredAnswer {
    question_id: Id,
    llm_answer: String,
    best_answer: String,
    score: Score,
    scorer: Option<String>,
    model: Option<String>,
    decided_at: DateTime,
}

#[derive(Deserialize)]
struct StoredId {
    _id: Id,
}

impl Stored {
    /// Look-ups in the database of `mongo`, of answers that `rule` may allow.
    pub fn new(mongo: Mongo, rule: ReuseRule) -> Self {
        let answers = mongo.clone();
        let decided = mongo;
        Self {
            answers: Batcher::new(move |ids| find_answers(answers.clone(), rule.clone(), ids)),
            decided: Batcher::new(move |ids| find_decided(decided.clone(), ids)),
        }
    }
}

async fn find_answers(mongo: Mongo, rule: ReuseRule, questions: Arc<[Id]>) -> HashMap<Id, Vec<Answer>> {
    // Repeats are stored too, as many as there were: the index on question and source passes them over.
    let oldest = now().as_millisecond() - i64::try_from(rule.ttl.as_millis()).unwrap_or(i64::MAX);
    let filter = doc! {
        "question_id": { "$in": texts(&questions) },
        "source": "llm",
        "accepted": true,
        "score": { "$gte": rule.threshold.get() },
        "decided_at": { "$gte": DateTime::from_millis(oldest) },
    };
    let fields = [
        "question_id",
        "llm_answer",
        "best_answer",
        "score",
        "scorer",
        "model",
        "decided_at",
    ];
    let projection: Document = fields.iter().map(|&field| (field.to_owned(), 1.into())).collect();
    let results: Collection<StoredAnswer> = mongo.database.collection("results");
    let find = || async {
        let found = results.find(filter.clone()).projection(projection.clone()).await?;
        found.try_collect::<Vec<_>>().await
    };
    let mut answers: HashMap<Id, Vec<Answer>> = HashMap::new();
    for found in mongo.until_ok(find).await {
        answers.entry(found.question_id.clone()).or_default().push(found.into());
    }
    answers
}

async fn find_decided(mongo: Mongo, askings: Arc<[Id]>) -> HashMap<Id, bool> {
    let results: Collection<StoredId> = mongo.database.collection("results");
    let filter = doc! { "_id": { "$in": texts(&askings) } };
    let find = || async {
        let found = results.find(filter.clone()).projection(doc! { "_id": 1 }).await?;
        found.map_ok(|stored| (stored._id, true)).try_collect().await
    };
    mongo.until_ok(find).await
}

fn texts(ids: &[Id]) -> Vec<&str> {
    ids.iter().map(Id::as_str).collect()
}

impl From<StoredAnswer> for Answer {
    fn from(stored: StoredAnswer) -> Self {
        Self {
            llm_answer: stored.llm_answer,
            best_answer: stored.best_answer,
            score: stored.score,
            accepted: true,
            scorer: stored.scorer,
            model: stored.model,
            decided_at: Timestamp::from_millisecond(stored.decided_at.timestamp_millis()).unwrap_or(Timestamp::MIN),
        }
    }
}
