//! Accept, ask again, or give up: the rule for the attempts of one request, as a function over a small state.

use std::collections::BTreeMap;

use contracts::message::{Answer, PreviousAttempt, ScoredAttempt};
use contracts::value::Score;
use serde::{Deserialize, Serialize};

/// What verdicts hang on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The score from which an answer is accepted.
    pub threshold: Score,
    /// How many times a model may be asked.
    pub max_attempts: u32,
    /// Hash of today's scoring artefact.
    pub scorer: String,
}

/// What a scorer says of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The probability that a person would accept it.
    pub score: Score,
    /// Hash of the artefact that gave the score; an unknown one is another than today's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// What the score was made of; what is missing is 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, f64>,
    /// Whether the scorer often errs with such a score.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
}

/// An answer with its number (from 1) and what a scorer says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt.
    pub attempts: u32,
    /// What a scorer says of it.
    #[serde(flatten)]
    pub judged: Judged,
    /// The answer.
    pub answer: Answer,
}

impl Attempt {
    /// The attempt's line in the history.
    #[must_use]
    pub fn line(&self) -> ScoredAttempt {
        ScoredAttempt {
            attempts: self.attempts,
            score: self.judged.score,
            model: self.answer.model.clone(),
            scorer: self.judged.scorer.clone(),
        }
    }

    /// Whether it is good enough; half an answer never is.
    #[must_use]
    pub fn passes(&self, threshold: Score) -> bool {
        self.judged.score >= threshold && !self.answer.is_cut_off()
    }

    /// A whole answer is better than one that was cut off; then the score counts, then who came first.
    fn is_better_than(&self, other: &Self) -> bool {
        let rank = |attempt: &Self| (!attempt.answer.is_cut_off(), attempt.judged.score);
        let (this, that) = (rank(self), rank(other));
        this > that || (this == that && self.attempts < other.attempts)
    }
}

/// What is remembered of a request: nothing, its attempts so far, or only that it is decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Every attempt so far, in order; each with the score that it was given then.
    pub history: Vec<ScoredAttempt>,
    /// The best of them.
    pub best: Option<Attempt>,
    /// Whether there was a verdict.
    pub decided: bool,
}

impl State {
    /// What stays after a verdict, so that no second one can follow.
    #[must_use]
    pub fn tombstone() -> Self {
        Self {
            decided: true,
            ..Self::default()
        }
    }

    /// The highest attempt seen; 0 for none.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.history.last().map_or(0, |line| line.attempts)
    }

    /// Whether that attempt was seen.
    #[must_use]
    pub fn has(&self, attempts: u32) -> bool {
        self.history.iter().any(|line| line.attempts == attempts)
    }

    /// Whether one more message about that attempt changes nothing.
    #[must_use]
    pub fn knows(&self, attempts: u32) -> bool {
        self.decided || self.has(attempts)
    }

    /// The state with one attempt more; the better one is kept, of equals the earlier.
    #[must_use]
    pub fn with_attempt(self, attempt: Attempt) -> Self {
        let line = attempt.line();
        self.with(attempt, line)
    }

    fn with(mut self, attempt: Attempt, line: ScoredAttempt) -> Self {
        let place = self.history.partition_point(|earlier| earlier.attempts < line.attempts);
        self.history.insert(place, line);
        self.best = match self.best.take() {
            Some(best) if !attempt.is_better_than(&best) => Some(best),
            _ => Some(attempt),
        };
        self
    }

    /// Reads what [`Self::to_json`] wrote, today or before there were signals; nothing is a request never seen.
    ///
    /// # Errors
    /// It is no state.
    pub fn from_json(text: Option<&str>) -> Result<Self, String> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(|error| format!("internal: stored state: {error}")),
        )
    }

    /// The state as text, which later versions of the code can read.
    ///
    /// # Errors
    /// Never: plain data always has a JSON form.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| format!("internal: state: {error}"))
    }
}

/// What an attempt leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The best attempt reached the threshold: a verdict.
    Accept,
    /// No attempt did and none is left: a verdict, with the best attempt.
    Exhaust,
    /// Ask once more.
    Regenerate,
    /// Nothing: a repeat, or a straggler.
    Drop,
}

/// What follows from one more attempt of a request.
///
/// `previous` is the best earlier attempt as the message tells it: it rebuilds what a lost state knew. Scores are
/// compared only if today's scorer gave them, and `judge` asks it: an attempt that another one scored keeps that
/// in the history, but competes with its new score.
///
/// Gives the state with everything that is known now, for the message to be made from, and what to do. After a
/// verdict, [`State::tombstone`] is to be stored in its stead.
#[must_use]
pub fn decide(
    mut state: State,
    attempt: Attempt,
    previous: Option<PreviousAttempt>,
    rules: &Rules,
    judge: impl Fn(&str) -> Judged,
) -> (State, Action) {
    if state.knows(attempt.attempts) {
        return (state, Action::Drop);
    }
    let asked_again = state.attempts() > attempt.attempts;
    if let Some(best) = &mut state.best
        && best.judged.scorer.as_ref() != Some(&rules.scorer)
    {
        best.judged = judge(&best.answer.llm_answer);
    }
    if let Some(previous) = previous
        && !state.has(previous.attempts)
        && previous.attempts != attempt.attempts
    {
        state = with_previous(state, previous, judge);
    }
    state = state.with_attempt(attempt);
    let passed = state.best.as_ref().is_some_and(|best| best.passes(rules.threshold));
    let action = match () {
        () if passed => Action::Accept,
        () if state.attempts() >= rules.max_attempts => Action::Exhaust,
        () if asked_again => Action::Drop,
        () => Action::Regenerate,
    };
    (state, action)
}

/// Signals do not travel with an earlier attempt, so it is always scored again.
fn with_previous(state: State, previous: PreviousAttempt, judge: impl Fn(&str) -> Judged) -> State {
    let line = ScoredAttempt {
        attempts: previous.attempts,
        score: previous.score,
        model: None,
        scorer: previous.scorer,
    };
    let attempt = Attempt {
        attempts: previous.attempts,
        judged: judge(&previous.llm_answer),
        answer: Answer {
            finish_reason: previous.finish_reason,
            ..Answer::of_text(previous.llm_answer)
        },
    };
    state.with(attempt, line)
}
