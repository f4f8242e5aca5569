//! The settings by which the model answers, in the collection `model_settings`: those in force, and who answers by them.

use std::time::Duration;

use contracts::value::now;
use mongodb::bson::doc;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::collection::Collection;
use crate::mongo::Mongo;

/// Whoever follows the settings in force looks more often than this.
pub const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// How often a replica says that it is alive.
const SEEN_EVERY: Duration = Duration::from_secs(10);
/// A replica that was seen within this time, in milliseconds, is taken to be alive.
const ALIVE_MS: i64 = 30_000;

/// What of the settings changes an answer. The ones that came into force last are those by which the model would be
/// asked now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSettings {
    /// The hash of them all, which every answer carries as `settings`.
    #[serde(rename = "_id")]
    pub hash: String,
    /// How answers are made: `offline` or `openai`.
    pub mode: String,
    /// The models that are asked, in the order of attempts.
    pub models: Vec<String>,
    /// Names the template that renders the prompt.
    pub prompt_version: String,
    /// When they last came into force, in milliseconds since 1970.
    pub since: i64,
    /// When a replica that answers by them was last alive, in milliseconds since 1970.
    pub seen: i64,
}

impl ModelSettings {
    /// These settings as they are to be stored, published at `now` after `newest`.
    fn in_force(&self, newest: Option<&Self>, now: i64) -> Self {
        let since = match newest {
            Some(newest) if newest.hash == self.hash => newest.since,
            // Also where the clock of the one before was ahead.
            Some(newest) => now.max(newest.since.saturating_add(1)),
            None => now,
        };
        Self {
            since,
            seen: now,
            ..self.clone()
        }
    }
}

/// What was there when settings were published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The settings that were in force, if those were others.
    pub replaced: Option<ModelSettings>,
    /// Other settings by which a replica that seems to be alive answers.
    pub others: Vec<ModelSettings>,
}

/// Makes `settings` those in force as of now; its own `since` and `seen` do not matter.
pub async fn publish(mongo: &Mongo, settings: &ModelSettings) -> Before {
    let before = mongo.until_ok(|| newest(mongo)).await;
    let now = now().as_millisecond();
    let settings = settings.in_force(before.as_ref(), now);
    let others = doc! { "_id": { "$ne": &settings.hash }, "seen": { "$gt": now - ALIVE_MS } };
    let ours = doc! { "_id": &settings.hash };
    let fields = doc! {
        "mode": &settings.mode, "models": &settings.models, "prompt_version": &settings.prompt_version,
        "since": settings.since, "seen": settings.seen,
    };
    let collection = collection(mongo);
    let publish = || async {
        let update = collection.update_one(ours.clone(), doc! { "$set": fields.clone() });
        update.upsert(true).await?;
        collection.find(others.clone()).all().await
    };
    let others = mongo.until_ok(publish).await;
    Before {
        replaced: before.filter(|before| before.hash != settings.hash),
        others,
    }
}

/// Says again and again that a replica answers by the settings of `hash`, until `shutdown`.
pub async fn keep_alive(mongo: &Mongo, hash: &str, shutdown: CancellationToken) {
    let collection = collection(mongo);
    let see = || {
        let seen = doc! { "$set": { "seen": now().as_millisecond() } };
        collection.update_one(doc! { "_id": hash }, seen)
    };
    let keep_alive = async {
        loop {
            tokio::time::sleep(SEEN_EVERY).await;
            mongo.until_ok(see).await;
        }
    };
    shutdown.run_until_cancelled(keep_alive).await;
}

/// The settings in force, if any were published.
///
/// # Errors
/// MongoDB cannot be asked.
pub async fn newest(mongo: &Mongo) -> mongodb::error::Result<Option<ModelSettings>> {
    collection(mongo).find(doc! {}).sort(doc! { "since": -1 }).first().await
}

fn collection(mongo: &Mongo) -> Collection<ModelSettings> {
    mongo.collection("model_settings")
}

#[cfg(test)]
mod tests {
    use mongodb::bson::deserialize_from_document;

    use super::*;

    fn settings(hash: &str, since: i64) -> ModelSettings {
        ModelSettings {
            hash: hash.into(),
            mode: "openai".into(),
            models: vec!["small".into(), "large".into()],
            prompt_version: "en-1".into(),
            since,
            seen: since,
        }
    }

    #[test]
    fn settings_come_into_force_when_they_are_published_after_others() {
        let published = settings("a", 0).in_force(None, 1000);
        assert_eq!((published.since, published.seen), (1000, 1000));
        let back_again = published.in_force(Some(&settings("b", 2000)), 3000);
        assert_eq!((back_again.since, back_again.seen), (3000, 3000));
    }

    #[test]
    fn those_in_force_stay_so_since_they_were_when_another_replica_publishes_them() {
        let again = settings("a", 0).in_force(Some(&settings("a", 1000)), 5000);
        assert_eq!((again.since, again.seen), (1000, 5000));
    }

    #[test]
    fn a_clock_that_is_behind_does_not_leave_others_in_force() {
        let published = settings("a", 0).in_force(Some(&settings("b", 9000)), 1000);
        assert_eq!((published.since, published.seen), (9001, 1000));
    }

    #[test]
    fn the_hash_is_the_id_of_the_document() {
        let document = doc! {
            "_id": "a", "mode": "openai", "models": ["small", "large"], "prompt_version": "en-1",
            "since": 7_i64, "seen": 7_i64,
        };
        let stored: ModelSettings = deserialize_from_document(document).unwrap();
        assert_eq!(stored, settings("a", 7));
    }
}
