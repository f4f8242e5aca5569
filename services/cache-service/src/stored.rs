//! What MongoDB knows: the model's answers by question, and which requests are decided.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use contracts::message::{Answer, Confidence, Question};
use contracts::value::{Id, Score, now};
use jiff::Timestamp;
use messaging::batcher::Batcher;
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::bson::{DateTime, Document, doc};
use serde::Deserialize;

use crate::answer::{Judged, ReuseRule};
use crate::models::{Models, Wanted};
use crate::scorers::Scorers;

/// Batched look-ups in `results`; they wait for a server that is away.
#[derive(Clone)]
pub struct Stored {
    /// The model's answers that may be of use, by question_id.
    pub answers: Batcher<Id, Vec<Arc<Judged>>>,
    /// Whether a request has its outcome, by message_id.
    pub decided: Batcher<Id, bool>,
}

/// How many answers are read for each question, on average: they may be large, and there may be many.
const MOST_ANSWERS: i64 = 4;

/// What is read of a result.
const FIELDS: [&str; 16] = [
    "question_id",
    "title",
    "content",
    "best_answer",
    "other_answers",
    "llm_answer",
    "model",
    "settings",
    "prompt_version",
    "finish_reason",
    "score",
    "accepted",
    "scorer",
    "signals",
    "confidence",
    "decided_at",
];

#[derive(Deserialize)]
struct StoredAnswer {
    question_id: Id,
    #[serde(flatten)]
    question: Question,
    #[serde(flatten)]
    answer: Answer,
    score: Score,
    accepted: bool,
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
    pub fn new(mongo: Mongo, rule: ReuseRule, scorers: Arc<Scorers>, models: Arc<Models>) -> Self {
        let decided = mongo.clone();
        let reuse = Reuse {
            mongo,
            ttl: rule.ttl,
            scorers,
            models,
        };
        Self {
            answers: Batcher::new(move |ids| find_answers(reuse.clone(), ids)),
            decided: Batcher::new(move |ids| find_decided(decided.clone(), ids)),
        }
    }
}

/// Where answers are looked for, and what says which may be reused.
#[derive(Clone)]
struct Reuse {
    mongo: Mongo,
    ttl: Duration,
    scorers: Arc<Scorers>,
    models: Arc<Models>,
}

/// The newest answers that were accepted, also those by other scorers than today's; and those that others rejected.
///
/// Two questions instead of one with `$or`, for which SecantusDB passes the index over.
async fn find_answers(reuse: Reuse, questions: Arc<[Id]>) -> HashMap<Id, Vec<Arc<Judged>>> {
    let Reuse {
        mongo,
        ttl,
        scorers,
        models,
    } = reuse;
    let Some(filter) = reusable(&questions, ttl, &models.wanted()) else {
        return HashMap::new();
    };
    let most = MOST_ANSWERS * questions.len() as i64;
    let accepted = find(&mongo, &filter, doc! { "accepted": true }, most);
    let rejected = async {
        let today = scorers.today().filter(|_| scorers.has_others(ttl))?;
        let others = doc! { "accepted": false, "scorer": { "$ne": &*today.hash } };
        Some(find(&mongo, &filter, others, most).await)
    };
    let (accepted, rejected) = tokio::join!(accepted, rejected);
    let mut answers: HashMap<Id, Vec<Arc<Judged>>> = HashMap::new();
    for found in accepted.into_iter().chain(rejected.into_iter().flatten()) {
        let question_id = found.question_id.clone();
        answers.entry(question_id).or_default().push(Arc::new(found.into()));
    }
    answers
}

/// Which results may be reused, whatever their verdict; `None` if none may.
fn reusable(questions: &[Id], ttl: Duration, wanted: &Wanted) -> Option<Document> {
    let oldest = now().as_millisecond() - i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    // Repeats are stored too, as many as there were: the index on question and source passes them over.
    let mut filter = doc! {
        "question_id": { "$in": texts(questions) },
        "source": "llm",
        // It has none where its texts were forgotten.
        "llm_answer": { "$ne": null },
        "decided_at": { "$gte": DateTime::from_millis(oldest) },
    };
    match wanted {
        Wanted::Any => {}
        // Newer ones by other settings must not be read in their place.
        Wanted::Only(settings) => {
            filter.insert("settings", &**settings);
        }
        Wanted::Unknown => return None,
    }
    Some(filter)
}

async fn find(mongo: &Mongo, filter: &Document, verdict: Document, most: i64) -> Vec<StoredAnswer> {
    let mut filter = filter.clone();
    filter.extend(verdict);
    let projection: Document = FIELDS.iter().map(|&field| (field.to_owned(), 1.into())).collect();
    let results: Collection<StoredAnswer> = mongo.collection("results");
    let find = || {
        let find = results.find(filter.clone()).projection(projection.clone());
        find.sort(doc! { "decided_at": -1 }).limit(most).all()
    };
    mongo.until_ok(find).await
}

async fn find_decided(mongo: Mongo, requests: Arc<[Id]>) -> HashMap<Id, bool> {
    let results: Collection<StoredId> = mongo.collection("results");
    let filter = doc! { "_id": { "$in": texts(&requests) } };
    let find = || results.find(filter.clone()).projection(doc! { "_id": 1 }).all();
    let found = mongo.until_ok(find).await;
    found.into_iter().map(|stored| (stored._id, true)).collect()
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
            accepted: stored.accepted,
            scorer: stored.scorer,
            signals: stored.signals,
            confidence: stored.confidence,
            decided_at: Timestamp::from_millisecond(stored.decided_at.timestamp_millis()).unwrap_or(Timestamp::MIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::question;

    #[test]
    fn only_answers_by_the_settings_in_force_are_read_and_none_while_those_are_unknown() {
        let questions = [question("m", "q").identity.question_id];
        let filter = |wanted: &Wanted| reusable(&questions, Duration::from_secs(60), wanted);
        let by_today = filter(&Wanted::Only("m1".into())).unwrap();
        assert_eq!(by_today.get_str("settings").unwrap(), "m1");
        assert!(!filter(&Wanted::Any).unwrap().contains_key("settings"));
        assert_eq!(filter(&Wanted::Unknown), None);
    }
}
