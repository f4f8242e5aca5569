//! Nothing is paid for twice: answers are kept by what was asked.
//!
//! An answer is kept before it is produced, so a request that is delivered again after a crash finds it. The collection
//! `answers` is cleaned by deleting what is old: not every server that is used in MongoDB's place has TTL indexes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::message::Cost;
use contracts::value::Id;
use messaging::batcher::Batcher;
use messaging::collection::{Collection, write};
use messaging::gatherer::Gatherer;
use messaging::mongo::Mongo;
use mongodb::IndexModel;
use mongodb::bson::{DateTime, RawDocumentBuf, doc};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::model::Completion;
use crate::prompt::{Prompt, hash};

/// Most bytes in one insert, unless one answer has more; MongoDB takes messages of 48 MB.
const MOST_BYTES: usize = 12 << 20;
/// The largest document; MongoDB takes 16 MiB.
const LARGEST: usize = 15 << 20;
/// How often old answers are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(5 * 60);

/// All that is needed to write the same response without asking again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// What the model answered.
    pub completion: Completion,
    /// How long the model took over all requests, without the pauses between them, in milliseconds.
    pub latency_ms: u32,
    /// What all of them cost.
    pub cost: Cost,
}

/// What was asked, by whom, and under which settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnswerKey(String);

impl AnswerKey {
    /// The key of a message's attempt.
    #[must_use]
    pub fn new(settings: &str, prompt: &Prompt, message_id: &str, attempt: u32) -> Self {
        // Two hashes, as one of 64 bits may well meet its like among many millions.
        let asked_by = hash(&[message_id, &attempt.to_string()]);
        let asked = hash(&[settings, &prompt.hash()]);
        Self(asked_by + &asked)
    }
}

/// Answers that were paid for.
#[derive(Clone)]
pub struct Answers {
    mongo: Mongo,
    look_ups: Batcher<AnswerKey, Option<Arc<Answered>>>,
    inserts: Gatherer<Document, ()>,
}

/// Shared, as an insert may have to be repeated.
type Document = Arc<RawDocumentBuf>;

#[derive(Serialize, Deserialize)]
struct Kept<A> {
    #[serde(rename = "_id")]
    key: AnswerKey,
    /// By which a person's texts are found again.
    #[serde(default)]
    message_id: Option<Id>,
    kept_at: DateTime,
    answered: A,
}

impl Answers {
    /// The answers in the database of `mongo`; until `shutdown`, those older than `retention` are deleted.
    #[must_use]
    pub fn open(mongo: Mongo, retention: Duration, shutdown: CancellationToken) -> Self {
        tokio::spawn(shutdown.run_until_cancelled_owned(clean(mongo.clone(), retention)));
        let (finds, inserts) = (mongo.clone(), mongo.clone());
        Self {
            mongo,
            look_ups: Batcher::new(move |keys| find(finds.clone(), keys)),
            inserts: Gatherer::new(move |documents| insert(inserts.clone(), documents)),
        }
    }

    /// What was answered to this before, if it was. Waits for a server that is away.
    pub async fn find(&self, key: &AnswerKey) -> Option<Arc<Answered>> {
        self.look_ups.get(key.clone()).await
    }

    /// Keeps an answer to a request, unless there is one already, and returns when it is durable. Waits for a server that is away.
    pub async fn keep(&self, key: &AnswerKey, message_id: &Id, answered: &Answered) {
        match document(key, message_id, answered) {
            Ok(document) => {
                if self.inserts.submit(Arc::clone(&document)).await.is_none() {
                    insert(self.mongo.clone(), vec![document]).await;
                }
            }
            Err(problem) => error!(problem, "an answer cannot be kept"),
        }
    }
}

fn collection<T>(mongo: &Mongo) -> Collection<T> {
    mongo.collection("answers")
}

fn document(key: &AnswerKey, message_id: &Id, answered: &Answered) -> Result<Document, String> {
    let kept = Kept {
        key: key.clone(),
        message_id: Some(message_id.clone()),
        kept_at: DateTime::now(),
        answered,
    };
    let document = write(&kept).map_err(|problem| problem.to_string())?;
    match document.as_bytes().len() {
        ..=LARGEST => Ok(document.into()),
        bytes => Err(format!("it has {bytes} bytes, {LARGEST} at most are allowed")),
    }
}

async fn find(mongo: Mongo, keys: Arc<[AnswerKey]>) -> HashMap<AnswerKey, Option<Arc<Answered>>> {
    let answers: Collection<Kept<Answered>> = collection(&mongo);
    let ids: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
    // Another version may have kept it in a form of its own: that must not hold up the others.
    let unreadable = |problem| warn!(%problem, "a kept answer cannot be read");
    let find = || answers.find(doc! { "_id": { "$in": &ids } }).readable(unreadable);
    let found = mongo.until_ok(find).await.into_iter();
    found.map(|kept| (kept.key, Some(Arc::new(kept.answered)))).collect()
}

async fn insert(mongo: Mongo, documents: Vec<Document>) -> Vec<()> {
    let answers: Collection<RawDocumentBuf> = collection(&mongo);
    let mut rest = documents.as_slice();
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(how_many_fit(rest));
        // What is there already is kept.
        mongo
            .until_ok(|| answers.insert_new(batch.iter().map(Arc::as_ref)))
            .await;
        rest = later;
    }
    vec![(); documents.len()]
}

/// How many of the first documents fit into one insert.
fn how_many_fit(documents: &[Document]) -> usize {
    let mut bytes = 0;
    let fitting = documents.iter().take_while(|document| {
        bytes += document.as_bytes().len();
        bytes <= MOST_BYTES
    });
    fitting.count().max(1)
}

/// Deletes old answers from time to time, for ever.
async fn clean(mongo: Mongo, retention: Duration) {
    let answers: Collection<Kept<Answered>> = collection(&mongo);
    let by_age = IndexModel::builder().keys(doc! { "kept_at": 1 }).build();
    mongo.until_ok(|| answers.create_index(by_age.clone())).await;
    let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let mut ticks = interval(CLEAN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let oldest = DateTime::now().timestamp_millis().saturating_sub(retention);
        let is_old = doc! { "kept_at": { "$lt": DateTime::from_millis(oldest) } };
        match answers.delete_many(is_old).await {
            Ok(deleted) if deleted.deleted_count == 0 => {}
            Ok(deleted) => info!(count = deleted.deleted_count, "deleted old answers"),
            // There is time for that later.
            Err(problem) => warn!(%problem, "old answers are not deleted yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::value::MAX_WHOLE;
    use messaging::collection::read;

    use super::*;
    use crate::model::Tokens;

    fn prompt(user: &str) -> Prompt {
        Prompt {
            system: "Be brief.".into(),
            user: user.into(),
        }
    }

    fn answered(answer: String) -> Answered {
        Answered {
            completion: Completion {
                answer,
                thinking: Some("Hm.".into()),
                model: None,
                tokens: Tokens {
                    input: u32::MAX,
                    output: 7,
                    estimated: true,
                },
                finish_reason: Some("stop".into()),
            },
            latency_ms: u32::MAX,
            cost: Cost {
                calls: 2,
                input_tokens: MAX_WHOLE,
                output_tokens: 0,
                nanodollars: 1,
            },
        }
    }

    #[test]
    fn an_answer_is_kept_whole() {
        let key = AnswerKey::new("s", &prompt("Why?"), "m", 1);
        for answer in ["", "Because.\0\n", "¿Por qué? 🦀"] {
            let answered = answered(answer.into());
            let document = document(&key, &Id::random(), &answered).unwrap();
            let kept: Kept<Answered> = read(&document).unwrap();
            assert_eq!((kept.key, kept.answered), (key.clone(), answered));
        }
    }

    #[test]
    fn whatever_changes_an_answer_changes_its_key() {
        let keys = [
            AnswerKey::new("s", &prompt("Why?"), "m", 1),
            AnswerKey::new("t", &prompt("Why?"), "m", 1),
            AnswerKey::new("s", &prompt("How?"), "m", 1),
            AnswerKey::new("s", &prompt("Why?"), "n", 1),
            AnswerKey::new("s", &prompt("Why?"), "m", 2),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(key.0.len(), 32);
            assert!(!keys[..at].contains(key));
        }
        assert_eq!(keys[0], AnswerKey::new("s", &prompt("Why?"), "m", 1));
    }

    #[test]
    fn an_answer_of_another_form_cannot_be_read() {
        let document = RawDocumentBuf::try_from(&doc! { "_id": "k", "answered": 1 }).unwrap();
        assert!(read::<Kept<Answered>>(&document).is_err());
    }

    #[test]
    fn inserts_and_documents_stay_below_what_mongodb_takes() {
        let key = AnswerKey::new("s", &prompt("Why?"), "m", 1);
        let of = |bytes: usize| document(&key, &Id::random(), &answered("x".repeat(bytes)));
        let small = vec![of(256 << 10).unwrap(); 512];
        assert_eq!(how_many_fit(&small), 47);
        assert_eq!(how_many_fit(&small[..3]), 3);
        assert_eq!(how_many_fit(&[of(14 << 20).unwrap(), of(1).unwrap()]), 1);
        assert!(of(LARGEST).unwrap_err().contains("at most"));
    }
}
