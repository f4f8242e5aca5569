//! The attempts of a request: what MongoDB tells of them, and where the topics were read, their texts.

use std::sync::Arc;

use contracts::message::{LlmResponse, Verdict};
use judge::{Explanation, Scorer};
use maud::{Markup, html};
use messaging::result_document::ResultDocument;

use super::View;
use crate::judging::judged;
use crate::language::Language;
use crate::store::{Store, StoreError};
use crate::trail::Trail;

/// One attempt; of an answer that is reused, the only one has the number 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attempt {
    pub number: u32,
    pub score: Option<f64>,
    pub scorer: Option<String>,
    /// `None`: only the topics have it.
    pub text: Option<String>,
    pub is_cut_off: bool,
    /// Whether it is the one that the verdict is about.
    pub is_kept: bool,
    /// What the topics have of it.
    pub response: Option<LlmResponse>,
}

/// The attempts of a request, in order; at least one where there is any answer.
pub fn of(outcome: &ResultDocument, trail: Option<&Trail>) -> Vec<Attempt> {
    let line = |number, score, scorer: Option<&String>| Attempt {
        number,
        score,
        scorer: scorer.or(outcome.scorer.as_ref()).cloned(),
        ..Attempt::default()
    };
    let lines = outcome.history.iter();
    let mut attempts: Vec<Attempt> = lines
        .map(|past| line(past.attempts, Some(past.score.get()), past.scorer.as_ref()))
        .collect();
    if attempts.is_empty() && outcome.llm_answer.is_some() {
        attempts.push(line(outcome.facts.attempts, outcome.facts.score.map(f64::from), None));
    }
    for response in trail
        .iter()
        .flat_map(|trail| &trail.records)
        .filter_map(crate::trail::Record::response)
    {
        let known = attempts.iter().position(|attempt| attempt.number == response.attempts);
        let place = known.unwrap_or_else(|| {
            attempts.push(line(response.attempts, None, None));
            attempts.len() - 1
        });
        attempts[place].text = Some(response.answer.llm_answer.clone());
        attempts[place].is_cut_off = response.answer.is_cut_off();
        attempts[place].response = Some(response);
    }
    attempts.sort_by_key(|attempt| attempt.number);
    keep(&mut attempts, outcome);
    attempts
}

/// Finds the attempt that was kept, and gives it the text that MongoDB has.
fn keep(attempts: &mut [Attempt], outcome: &ResultDocument) {
    if let Some(earlier) = &outcome.previous {
        let best = attempts.iter_mut().find(|attempt| attempt.number == earlier.attempts);
        if let Some(best) = best {
            best.text = Some(earlier.llm_answer.clone());
            best.is_cut_off = earlier.is_cut_off();
        }
    }
    let Some(answer) = &outcome.llm_answer else { return };
    let score = outcome.facts.score.map(f64::from);
    let has_text = attempts
        .iter()
        .position(|attempt| attempt.text.as_ref() == Some(answer));
    let found = match outcome.facts.verdict {
        Verdict::Accepted => attempts.len().checked_sub(1),
        _ => has_text.or_else(|| attempts.iter().position(|attempt| attempt.score == score)),
    };
    if let Some(kept) = found.and_then(|place| attempts.get_mut(place)) {
        kept.is_kept = true;
        kept.text = Some(answer.clone());
        kept.is_cut_off |= outcome.finish_reason.as_deref() == Some(contracts::message::Answer::CUT_OFF);
    }
}

/// The attempt that is shown: the one that the address names, else the kept one, else the last that has a text.
pub fn shown(attempts: &[Attempt], wanted: Option<u32>) -> Option<&Attempt> {
    let named = wanted.and_then(|number| attempts.iter().find(|attempt| attempt.number == number));
    let kept = || attempts.iter().find(|attempt| attempt.is_kept);
    named
        .or_else(kept)
        .or_else(|| attempts.iter().rev().find(|attempt| attempt.text.is_some()))
}

/// Explains those that have a text, each by its own scorer; in the order of the attempts.
///
/// # Errors
/// MongoDB cannot be read.
pub async fn explained(
    store: &Store,
    outcome: &ResultDocument,
    attempts: &[Attempt],
) -> Result<Vec<Option<Explanation>>, StoreError> {
    let mut scorers = vec![];
    for attempt in attempts {
        let hash = attempt.scorer.as_ref().filter(|_| attempt.text.is_some());
        scorers.push(match hash {
            Some(hash) => store.scorer(hash).await?,
            None => None,
        });
    }
    let (outcome, attempts) = (outcome.clone(), attempts.to_vec());
    let work = move || {
        attempts
            .iter()
            .zip(scorers)
            .map(|(attempt, scorer)| explain(&outcome, attempt, scorer))
            .collect()
    };
    Ok(tokio::task::spawn_blocking(work).await.unwrap_or_default())
}

/// Explains one.
pub fn explain(outcome: &ResultDocument, attempt: &Attempt, scorer: Option<Arc<Scorer>>) -> Option<Explanation> {
    let (scorer, answer) = (scorer?, attempt.text.as_ref()?);
    judged(outcome, answer, |case| scorer.explain(case))
}

/// One tab an attempt, with its score.
pub fn tabs(l: Language, view: &View, attempts: &[Attempt], shown: &Attempt) -> Markup {
    html! {
        @if attempts.len() > 1 {
            nav.tabs aria-label=(l.say("Attempts", "Intentos")) {
                @for attempt in attempts {
                    @let is_shown = attempt.number == shown.number;
                    a href=(view.of_attempt(l, attempt)) aria-current=[is_shown.then_some("true")] {
                        (attempt.number) ": "
                        @match attempt.score {
                            Some(score) => (l.decimal(score, 3)),
                            None => "–",
                        }
                        @if attempt.is_kept { " " (l.say("kept", "elegida")) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
