//! Messages for tests.

use contracts::message::{Answer, QuestionMessage};
use contracts::value::Score;
use jiff::Timestamp;

use crate::answer::Judged;

/// A request of one question.
pub fn question(message_id: &str, question_id: &str) -> QuestionMessage {
    serde_json::from_value(serde_json::json!({
        "message_id": message_id, "trace_id": "t", "question_id": question_id, "title": "Why is the sky blue?",
        "content": "", "best_answer": "Because of the air.", "source": "test", "created_at": "2026-01-01T00:00:00Z", "attempts": 0,
    }))
    .unwrap()
}

/// An accepted answer to it, by the scorer `s1`, decided a minute ago.
pub fn answer(score: f64) -> Judged {
    Judged {
        question: question("m", "q").question,
        answer: Answer::of_text("The air scatters it.".into()),
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
