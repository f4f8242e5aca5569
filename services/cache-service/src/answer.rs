//! An earlier answer with its verdict, and the rule that says whether it may be reused.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::message::{Answer, Confidence, Question, QuestionMessage, Source, ValidatedResponse, Verdict};
use contracts::value::{InvalidValue, Score, now};
use jiff::Timestamp;
use judge::{Case, Scorer};

use crate::models::Wanted;

/// An answer of the model, and what it was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// With the references that the score belongs to.
    pub question: Question,
    pub answer: Answer,
    pub score: Score,
    pub accepted: bool,
    pub scorer: Option<String>,
    pub signals: Option<BTreeMap<String, f64>>,
    pub confidence: Option<Confidence>,
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
    /// The question has other references now, so its score means nothing.
    OtherReferences,
    /// The model answered by other settings than it would today, so this is not what it would say.
    OtherSettings,
    /// Another scorer than today's gave the score: all else is well, but that cannot be compared.
    OtherScorer,
    /// Its score is below today's threshold.
    TooLow,
}

impl ReuseRule {
    /// Whether `answer` may answer `question`; what is `wanted` of its settings, and the `scorer`, are today's.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        answer: &Judged,
        question: &Question,
        wanted: &Wanted,
        scorer: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Stale> {
        // An age below 0, where clocks disagree, is no age.
        let age = Duration::try_from(now.duration_since(answer.decided_at)).unwrap_or_default();
        if age > self.ttl {
            Err(Stale::Expired)
        } else if !answer.question.has_references_of(question) {
            Err(Stale::OtherReferences)
        } else if !wanted.allows(answer.answer.settings.as_deref()) {
            Err(Stale::OtherSettings)
        } else if scorer.is_some() && answer.scorer.as_deref() != scorer {
            Err(Stale::OtherScorer)
        } else if !answer.accepted || answer.score < self.threshold {
            Err(Stale::TooLow)
        } else {
            Ok(())
        }
    }
}

impl Judged {
    /// The answer of a verdict, if the model was asked for it.
    pub fn of(verdict: ValidatedResponse) -> Option<Self> {
        (verdict.source == Source::Llm).then_some(Self {
            question: verdict.question,
            // Nobody is served it, and it may be larger than all the rest.
            answer: Answer {
                thinking: None,
                ..verdict.answer
            },
            score: verdict.score,
            accepted: verdict.accepted,
            scorer: verdict.scorer,
            signals: verdict.signals,
            confidence: verdict.confidence,
            decided_at: verdict.decided_at,
        })
    }

    /// The same answer with the verdict of another scorer; when it was decided does not change.
    ///
    /// # Errors
    /// A score that is none.
    pub fn judged_again(&self, scorer: &Scorer, threshold: Score) -> Result<Self, InvalidValue> {
        let references: Vec<_> = self.question.references().collect();
        let judgement = scorer.judge(&Case {
            question: &self.question.text(),
            references: &references,
            answer: &self.answer.llm_answer,
        });
        let score = Score::try_from(judgement.score)?;
        Ok(Self {
            question: self.question.clone(),
            answer: self.answer.clone(),
            score,
            accepted: score >= threshold && !self.answer.is_cut_off(),
            scorer: Some(scorer.hash().to_owned()),
            signals: Some(judgement.signals.rounded()),
            confidence: Some(Confidence::on(judgement.unsure)),
            decided_at: self.decided_at,
        })
    }

    /// The outcome of the request `asked` when this answer serves it; no model was asked.
    pub fn serve(&self, asked: QuestionMessage, source: Source, threshold: Score) -> ValidatedResponse {
        ValidatedResponse {
            identity: asked.identity,
            question: asked.question,
            answer: Answer {
                usage: None,
                calls: None,
                finish_reason: None,
                thinking: None,
                ..self.answer.clone()
            },
            score: self.score,
            accepted: self.accepted,
            source,
            attempts: 0,
            decided_at: now(),
            verdict: Some(Verdict::on(self.accepted)),
            threshold: Some(threshold),
            scorer: self.scorer.clone(),
            signals: self.signals.clone(),
            confidence: self.confidence,
            history: None,
            spent: None,
        }
    }

    /// Bytes of text that keeping it takes.
    pub fn size(&self) -> usize {
        let Question { title, content, .. } = &self.question;
        let references: usize = self.question.references().map(str::len).sum();
        title.len() + content.len() + references + self.answer.llm_answer.len()
    }
}

#[cfg(test)]
mod tests {
    use contracts::message::Usage;

    use super::*;
    use crate::test_support::{answer, artefact, by_today, question};

    fn rule() -> ReuseRule {
        ReuseRule {
            threshold: Score::try_from(0.65).unwrap(),
            ttl: Duration::from_secs(60),
        }
    }

    fn check(answer: &Judged, scorer: Option<&str>, age_s: i64) -> Result<(), Stale> {
        let now = answer.decided_at + jiff::SignedDuration::from_secs(age_s);
        let wanted = Wanted::Only("m1".into());
        rule().check(answer, &question("m", "q").question, &wanted, scorer, now)
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
        let mut other = answer(0.9);
        other.question.best_answer = "Another reference.".into();
        assert_eq!(check(&other, Some("s1"), 1), Err(Stale::OtherReferences));
        let mut more = answer(0.9);
        more.question.other_answers.push("A further reference.".into());
        assert_eq!(check(&more, Some("s1"), 1), Err(Stale::OtherReferences));
    }

    #[test]
    fn the_score_of_another_scorer_is_not_compared() {
        assert_eq!(check(&answer(0.1), Some("s2"), 1), Err(Stale::OtherScorer));
        let unnamed = Judged {
            scorer: None,
            ..answer(0.9)
        };
        assert_eq!(check(&unnamed, Some("s2"), 1), Err(Stale::OtherScorer));
    }

    #[test]
    fn an_answer_by_other_settings_than_todays_or_by_unknown_ones_is_stale_whatever_its_scorer() {
        for settings in [Some("m2".to_owned()), None] {
            let mut other = answer(0.9);
            other.answer.settings = settings;
            assert_eq!(check(&other, Some("s1"), 1), Err(Stale::OtherSettings));
            assert_eq!(check(&other, Some("s2"), 1), Err(Stale::OtherSettings));
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_is_not_accepted_when_it_is_judged_again() {
        let scorer = Scorer::from_json(&artefact().0).unwrap();
        let threshold = Score::try_from(0.65).unwrap();
        let mut same_as_reference = answer(0.1);
        same_as_reference.answer = by_today(&same_as_reference.question.best_answer);
        assert!(same_as_reference.judged_again(&scorer, threshold).unwrap().accepted);
        same_as_reference.answer.finish_reason = Some(Answer::CUT_OFF.into());
        let again = same_as_reference.judged_again(&scorer, threshold).unwrap();
        assert!(again.score >= threshold && !again.accepted);
    }

    #[test]
    fn an_answer_that_is_served_keeps_what_is_true_of_it_and_has_cost_nothing() {
        let mut known = answer(0.9);
        known.answer.model = Some("small".into());
        known.answer.calls = Some(2);
        known.answer.thinking = Some("Air, perhaps.".into());
        known.answer.usage = Some(Usage {
            input_tokens: 1,
            output_tokens: 2,
            cost_usd: None,
        });
        let served = known.serve(question("m", "q"), Source::Cache, rule().threshold);
        let Answer { model, settings, .. } = &served.answer;
        assert_eq!((model.as_deref(), settings.as_deref()), (Some("small"), Some("m1")));
        let Answer {
            usage, calls, thinking, ..
        } = served.answer;
        assert_eq!((usage, calls, thinking, served.spent), (None, None, None, None));
    }

    #[test]
    fn any_scorer_will_do_while_none_is_known() {
        assert_eq!(check(&answer(0.9), None, 1), Ok(()));
    }
}
