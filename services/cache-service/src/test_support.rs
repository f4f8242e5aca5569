//! Messages for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contracts::message::{Answer, QuestionMessage};
use contracts::value::Score;
use jiff::Timestamp;
use messaging::model_settings::ModelSettings;
use mongodb::bson::DateTime;

use crate::answer::Judged;
use crate::models::Models;
use crate::scorers::{Made, Store};

/// A request of one question.
pub fn question(message_id: &str, question_id: &str) -> QuestionMessage {
    serde_json::from_value(serde_json::json!({
        "message_id": message_id, "trace_id": "t", "question_id": question_id, "title": "Why is the sky blue?",
        "content": "", "best_answer": "Because of the air.", "source": "test", "created_at": "2026-01-01T00:00:00Z", "attempts": 0,
    }))
    .unwrap()
}

/// Settings by which the model is asked.
pub fn settings(hash: &str) -> ModelSettings {
    ModelSettings {
        hash: hash.into(),
        mode: "offline".into(),
        models: vec!["simulated".into()],
        prompt_version: "en-1".into(),
        since: 0,
        seen: 0,
    }
}

/// The settings `m1` are in force.
pub fn models() -> Arc<Models> {
    let models = Models::new(false);
    models.learn(Some(settings("m1")));
    Arc::new(models)
}

/// An answer by the settings `m1`.
pub fn by_today(text: &str) -> Answer {
    Answer {
        settings: Some("m1".into()),
        ..Answer::of_text(text.into())
    }
}

/// An accepted answer to it, by the settings `m1`, judged by the scorer `s1` a minute ago.
pub fn answer(score: f64) -> Judged {
    Judged {
        question: question("m", "q").question,
        answer: by_today("The air scatters it."),
        score: Score::try_from(score).unwrap(),
        accepted: true,
        scorer: Some("s1".into()),
        signals: None,
        confidence: None,
        decided_at: Timestamp::now() - jiff::SignedDuration::from_secs(60),
    }
}

/// An artefact with the shipped model, and its hash.
pub fn artefact() -> (String, String) {
    let model = include_str!("../../../flink_job/coefficients.json");
    let model: serde_json::Value = serde_json::from_str(model).unwrap();
    judge::seal(serde_json::json!({
        "format": judge::FORMAT, "documents": 0, "idf": {}, "unknown_idf": 5.0, "model": model,
    }))
}

/// One scorer, if any, with its artefact, if that can be had.
#[derive(Default)]
pub struct FewScorers {
    newest: Option<Made>,
    artefact: Option<String>,
    reads: AtomicUsize,
}

impl FewScorers {
    pub fn new(hash: &str, artefact: Option<&str>) -> Self {
        Self {
            newest: Some(Made {
                hash: hash.into(),
                made_at: DateTime::from_millis(0),
            }),
            artefact: artefact.map(str::to_owned),
            reads: AtomicUsize::default(),
        }
    }

    /// How often the artefact was asked for.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Store for FewScorers {
    async fn newest(&self) -> Option<Made> {
        self.newest.clone()
    }

    async fn artefact(&self, _: &str) -> Option<String> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.artefact.clone()
    }
}
