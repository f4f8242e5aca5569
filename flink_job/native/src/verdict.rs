//! The messages that follow from a request's attempts.

use contracts::message::{
    Confidence, Identity, LlmResponse, PreviousAttempt, Question, RegenerationRequest, Source, Spent,
    ValidatedResponse, Verdict,
};
use contracts::value::Score;
use jiff::Timestamp;

use crate::attempts::{Attempt, Judged, State};

/// What all messages about a request share.
#[derive(Debug)]
pub struct Asked {
    /// Which request.
    pub identity: Identity,
    /// Its question.
    pub question: Question,
    /// What the model was sent.
    pub prompt: String,
    /// All that it has cost.
    pub spent: Option<Spent>,
}

/// Takes a response apart: the request, this attempt of it, and the best earlier one.
#[must_use]
pub fn take_apart(response: LlmResponse, judged: Judged) -> (Asked, Attempt, Option<PreviousAttempt>) {
    let asked = Asked {
        identity: response.identity,
        question: response.question,
        prompt: response.prompt,
        spent: response.spent,
    };
    let attempt = Attempt {
        attempts: response.attempts,
        judged,
        answer: response.answer,
    };
    (asked, attempt, response.previous)
}

/// The verdict on a request: its best attempt, accepted or not. None if it has no attempt.
#[must_use]
pub fn validated(asked: Asked, state: State, threshold: Score, decided_at: Timestamp) -> Option<ValidatedResponse> {
    let attempts = state.attempts();
    let best = state.best?;
    let accepted = best.passes(threshold);
    let Attempt { judged, answer, .. } = best;
    Some(ValidatedResponse {
        identity: asked.identity,
        question: asked.question,
        answer,
        score: judged.score,
        accepted,
        source: Source::Llm,
        attempts,
        decided_at,
        verdict: Some(Verdict::on(accepted)),
        threshold: Some(threshold),
        scorer: judged.scorer,
        signals: Some(judged.signals),
        confidence: Some(Confidence::on(judged.unsure)),
        history: Some(state.history),
        spent: asked.spent,
    })
}

/// The request to ask once more, with the best attempt so far.
#[must_use]
pub fn regeneration(asked: Asked, state: &State) -> RegenerationRequest {
    RegenerationRequest {
        identity: asked.identity,
        question: asked.question,
        prompt: asked.prompt,
        attempts: state.attempts(),
        previous: state.best.as_ref().map(|best| PreviousAttempt {
            llm_answer: best.answer.llm_answer.clone(),
            score: best.judged.score,
            attempts: best.attempts,
            scorer: best.judged.scorer.clone(),
            finish_reason: best.answer.finish_reason.clone(),
        }),
        spent: asked.spent,
    }
}
