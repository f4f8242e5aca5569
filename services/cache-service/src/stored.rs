//! What MongoDB knows: the model's accepted answers by question, and which requests are decided.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use contracts::message::{Answer, Confidence, Question};
use contracts::value::{Id, Score, now};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use messaging::mongo::Mongo;
use mongodb::Collection;
use mongodb::bson::{DateTime, Document, doc};
use serde::Deserialize;

use crate::answer::{Judged, ReuseRule};
use crate::batcher::Batcher;

/// Batched look-ups in `results`; they wait for a server that is away.
#[derive(Clone)]
pub struct Stored {
    /// The model's accepted answers, by question_id.
    pub answers: Batcher<Id, Vec<Arc<Judged>>>,
    /// Whether a request has its outcome, by message_id.
    pub decided: Batcher<Id, bool>,
}

#[derive(Deserialize)]
struct StoredAnswer {
    question_id: Id,
    #[serde(flatten)]
    question: Question,
    #[serde(flatten)]
    answer: Answer,
    score: Score,
    scorer: Option<String>,
    signals: Option<BTreeMap<String, f64>>,
    confidence: Option<Confidence>,
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

async fn find_answers(mongo: Mongo, rule: ReuseRule, questions: Arc<[Id]>) -> HashMap<Id, Vec<Arc<Judged>>> {
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
        "title",
        "content",
        "best_answer",
        "other_answers",
        "llm_answer",
        "model",
        "settings",
        "prompt_version",
        "score",
        "scorer",
        "signals",
        "confidence",
        "decided_at",
    ];
    let projection: Document = fields.iter().map(|&field| (field.to_owned(), 1.into())).collect();
    let results: Collection<StoredAnswer> = mongo.database.collection("results");
    let find = || async {
        let found = results.find(filter.clone()).projection(projection.clone()).await?;
        found.try_collect::<Vec<_>>().await
    };
    let mut answers: HashMap<Id, Vec<Arc<Judged>>> = HashMap::new();
    for found in mongo.until_ok(find).await {
        answers
            .entry(found.question_id.clone())
            .or_default()
            .push(Arc::new(found.into()));
    }
    answers
}

async fn find_decided(mongo: Mongo, requests: Arc<[Id]>) -> HashMap<Id, bool> {
    let results: Collection<StoredId> = mongo.database.collection("results");
    let filter = doc! { "_id": { "$in": texts(&requests) } };
    let find = || async {
        let found = results.find(filter.clone()).projection(doc! { "_id": 1 }).await?;
        found.map_ok(|stored| (stored._id, true)).try_collect().await
    };
    mongo.until_ok(find).await
}

fn texts(ids: &[Id]) -> Vec<&str> {
    ids.iter().map(Id::as_str).collect()
}

impl From<StoredAnswer> for Judged {
    fn from(stored: StoredAnswer) -> Self {
        Self {
            question: stored.question,
            answer: stored.answer,
            score: stored.score,
            accepted: true,
            scorer: stored.scorer,
            signals: stored.signals,
            confidence: stored.confidence,
            decided_at: Timestamp::from_millisecond(stored.decided_at.timestamp_millis()).unwrap_or(Timestamp::MIN),
        }
    }
}
