//! An earlier answer, and the rule that says whether it may be reused.

use std::time::Duration;

use contracts::message::{QuestionMessage, Source, ValidatedResponse, Verdict};
use contracts::value::{Score, now};
use jiff::Timestamp;

/// What is kept of an answer of the model and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub llm_answer: String,
    /// The reference that the score belongs to.
    pub best_answer: String,
    pub score: Score,
    pub accepted: bool,
    pub scorer: Option<String>,
    pub model: Option<String>,
    pub decided_at: Timestamp,
}

/// Which answers may be reused.
#[derive(Debug, Clone)]
pub struct ReuseRule {
    /// The score from which an answer is accepted today.
    pub threshold: Score,
    /// How long after its verdict an answer may be reused.
    pub ttl: Duration,
}

/// Why an answer may not be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// It is older than the time to live.
    Expired,
    /// Its score is below today's threshold.
    TooLow,
    /// Another scorer than today's gave the score.
    OtherScorer,
    /// The question has another reference now, so its score means nothing.
    OtherReference,
}

impl ReuseRule {
    /// Whether `answer` may answer `question`; `scorer` is that of the newest verdict seen.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        answer: &Answer,
        question: &QuestionMessage,
        scorer: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Stale> {
        // An age below 0, where clocks disagree, is no age.
        let age = Duration::try_from(now.duration_since(answer.decided_at)).unwrap_or_default();
        if age > self.ttl {
            Err(Stale::Expired)
        } else if !answer.accepted || answer.score < self.threshold {
            Err(Stale::TooLow)
        } else if scorer.is_some() && answer.scorer.as_deref() != scorer {
            Err(Stale::OtherScorer)
        } else if answer.best_answer != question.best_answer {
            Err(Stale::OtherReference)
        } else {
            Ok(())
        }
    }
}

impl Answer {
    /// The answer of a verdict, if the model was asked for it.
    pub fn of(verdict: &ValidatedResponse) -> Option<Self> {
        (verdict.source == Source::Llm).then(|| Self {
            llm_answer: verdict.llm_answer.clone(),
            best_answer: verdict.best_answer.clone(),
            score: verdict.score,
            accepted: verdict.accepted,
            scorer: verdict.scorer.clone(),
            model: verdict.model.clone(),
            decided_at: verdict.decided_at,
        })
    }

    /// The outcome of `question` when this answer serves it; no model was asked.
    pub fn serve(&self, question: QuestionMessage, source: Source, threshold: Score) -> ValidatedResponse {
        ValidatedResponse {
            message_id: question.message_id,
            trace_id: question.trace_id,
            question_id: question.question_id,
            title: question.title,
            content: question.content,
            llm_answer: self.llm_answer.clone(),
            best_answer: question.best_answer,
            score: self.score,
            accepted: self.accepted,
            source,
            attempts: 0,
            decided_at: now(),
            asked_at: question.asked_at,
            verdict: Some(if self.accepted {
                Verdict::Accepted
            } else {
                Verdict::Exhausted
            }),
            threshold: Some(threshold),
            scorer: self.scorer.clone(),
            model: self.model.clone(),
            usage: None,
            calls: None,
            finish_reason: None,
            prompt_version: None,
            history: None,
            retry_of: question.retry_of,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{answer, question};

    fn rule() -> ReuseRule {
        ReuseRule {
            threshold: Score::try_from(0.65).unwrap(),
            ttl: Duration::from_secs(60),
        }
    }

    fn check(answer: &Answer, scorer: Option<&str>, age_s: i64) -> Result<(), Stale> {
        let now = answer.decided_at + jiff::SignedDuration::from_secs(age_s);
        rule().check(answer, &question("m", "q"), scorer, now)
    }

    #[test]
    fn an_accepted_answer_of_todays_scorer_is_reused_until_its_time_is_over() {
        assert_eq!(check(&answer(0.65), Some("s1"), 60), Ok(()));
        assert_eq!(check(&answer(0.65), Some("s1"), 61), Err(Stale::Expired));
    }

    #[test]
    fn a_verdict_from_a_clock_that_is_ahead_is_not_expired() {
        assert_eq!(check(&answer(0.9), Some("s1"), -3600), Ok(()));
    }

    #[test]
    fn an_answer_below_todays_threshold_or_of_another_scorer_or_reference_is_stale() {
        assert_eq!(check(&answer(0.64), Some("s1"), 1), Err(Stale::TooLow));
        assert_eq!(check(&answer(0.9), Some("s2"), 1), Err(Stale::OtherScorer));
        let other = Answer {
            best_answer: "Another reference.".into(),
            ..answer(0.9)
        };
        assert_eq!(check(&other, Some("s1"), 1), Err(Stale::OtherReference));
    }

    #[test]
    fn any_scorer_will_do_while_no_verdict_was_seen() {
        assert_eq!(check(&answer(0.9), None, 1), Ok(()));
    }
}
