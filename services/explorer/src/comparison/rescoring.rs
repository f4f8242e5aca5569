//! Runs that were not judged alike are judged once more, by one standard: in the background, and in half the time at
//! most, for MongoDB has more to do. The rules are those of `make report` (`report/again.py`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use contracts::message::Answer;
use judge::Scorer;
use messaging::result_document::ResultDocument;
use rusqlite::params;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use super::kept::Extent;
use crate::filler::Reading;
use crate::index::row::{answer_id, answer_number};
use crate::index::{Index, ReadError};
use crate::judging::judged;
use crate::store::Store;

/// Outcomes that are listed at once: no query lasts long.
const CHUNK: usize = 50_000;
/// Outcomes that are read of MongoDB at once.
const READ: usize = 500;
/// Most runs of which verdicts are kept, at some 40 bytes an answer: as many as one page compares.
const MOST: usize = 6;

/// By what answers are judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standard {
    /// The hash of the scorer.
    pub scorer: String,
    pub threshold: f64,
}

/// What a standard makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rejudged {
    pub score: f64,
    pub is_accepted: bool,
}

/// What a standard makes of all answers of a run that still have their texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts {
    pub standard: Standard,
    /// By the answer's number.
    pub by_answer: HashMap<i64, Rejudged>,
}

/// How far the judging of a run is.
#[derive(Debug, Clone)]
pub enum Stage {
    UnderWay(Reading),
    Done(Arc<Verdicts>),
    /// Why it could not be done.
    Failed(String),
}

/// Judges runs, one at a time, and keeps what came of those that were asked for last.
#[derive(Clone)]
pub struct Rescorings(Arc<Inner>);

struct Inner {
    /// The one that was asked for last comes first.
    runs: Mutex<VecDeque<Rescoring>>,
    turn: Semaphore,
}

struct Rescoring {
    name: String,
    verdicts: Arc<Verdicts>,
    /// The outcomes that the verdicts are of; none before there are any.
    extent: Option<Extent>,
    under_way: Option<Reading>,
    failure: Option<String>,
}

impl Default for Rescorings {
    fn default() -> Self {
        Self(Arc::new(Inner {
            runs: Mutex::default(),
            turn: Semaphore::new(1),
        }))
    }
}

impl Rescoring {
    fn new(name: &str, standard: &Standard) -> Self {
        let verdicts = Verdicts {
            standard: standard.clone(),
            ..Verdicts::default()
        };
        Self {
            name: name.to_owned(),
            verdicts: Arc::new(verdicts),
            extent: None,
            under_way: None,
            failure: None,
        }
    }

    fn is_of(&self, name: &str, standard: &Standard) -> bool {
        self.name == name && self.verdicts.standard == *standard
    }
}

impl Rescorings {
    /// How far a run is judged by a standard. It is begun where it has not been, and where the run has other outcomes
    /// since: then of new answers alone. A failure is told once; who looks again has it tried again.
    pub fn of(&self, store: &Store, index: &Index, extent: &Extent, standard: &Standard) -> Stage {
        let mut runs = self.runs();
        let place = runs.iter().position(|run| run.is_of(&extent.name, standard));
        let known = place.and_then(|place| runs.remove(place));
        let mut run = known.unwrap_or_else(|| Rescoring::new(&extent.name, standard));
        let stage = if let Some(reading) = run.under_way {
            Stage::UnderWay(reading)
        } else if let Some(why) = run.failure.take() {
            Stage::Failed(why)
        } else if run.extent.as_ref() == Some(extent) {
            Stage::Done(Arc::clone(&run.verdicts))
        } else {
            let of = u64::try_from(extent.outcomes).unwrap_or_default();
            let reading = Reading { done: 0, of };
            run.under_way = Some(reading);
            let (this, store, index) = (self.clone(), store.clone(), index.clone());
            let (extent, known) = (extent.clone(), Arc::clone(&run.verdicts));
            tokio::spawn(async move { this.run(&store, &index, extent, &known).await });
            Stage::UnderWay(reading)
        };
        runs.push_front(run);
        runs.truncate(MOST);
        stage
    }

    async fn run(&self, store: &Store, index: &Index, extent: Extent, known: &Verdicts) {
        let judged = match self.0.turn.acquire().await {
            Ok(_turn) => self.judge(store, index, &extent.name, known).await,
            Err(closed) => Err(closed.into()),
        };
        let name = extent.name.clone();
        self.change(&name, &known.standard, |run| {
            run.under_way = None;
            match judged {
                Ok(verdicts) => (run.verdicts, run.extent) = (Arc::new(verdicts), Some(extent)),
                Err(error) => {
                    warn!(run = name, %error, "a run could not be judged again");
                    run.failure = Some(format!("{error:#}"));
                }
            }
        });
    }

    /// The verdicts on all answers of a run: those that are known, and the others.
    async fn judge(&self, store: &Store, index: &Index, run: &str, known: &Verdicts) -> anyhow::Result<Verdicts> {
        let mut verdicts = known.clone();
        let Standard { scorer, threshold } = verdicts.standard.clone();
        let found = store.scorer(&scorer).await?;
        let found = found.with_context(|| format!("MongoDB does not have the scorer {scorer}"))?;
        let mut missing = answers(index, run).await?;
        missing.retain(|number, _| !verdicts.by_answer.contains_key(number));
        let ids: Vec<String> = missing.into_values().collect();
        let (mut done, of) = (0, ids.len() as u64);
        for ids in ids.chunks(READ) {
            let reading = Some(Reading { done, of });
            self.change(run, &verdicts.standard, |run| run.under_way = reading);
            let began = Instant::now();
            let (outcomes, scorer) = (store.results(ids).await?, Arc::clone(&found));
            let judging = spawn_blocking(move || rejudged(&outcomes, &scorer, threshold));
            verdicts.by_answer.extend(judging.await?);
            done += ids.len() as u64;
            sleep(began.elapsed()).await;
        }
        Ok(verdicts)
    }

    fn change(&self, name: &str, standard: &Standard, change: impl FnOnce(&mut Rescoring)) {
        if let Some(run) = self.runs().iter_mut().find(|run| run.is_of(name, standard)) {
            change(run);
        }
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<Rescoring>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The distinct answers of a run by their numbers, each with an outcome that has it.
async fn answers(index: &Index, run: &str) -> Result<HashMap<i64, String>, ReadError> {
    let (mut answers, mut after) = (HashMap::new(), Some(i64::MIN));
    while let Some(from) = after {
        let run = run.to_owned();
        let read = move |index: &rusqlite::Connection| {
            let mut query = index.prepare_cached(
                "SELECT key, answer_id, message_id FROM results WHERE run = ? AND key > ? ORDER BY key LIMIT ?",
            )?;
            let mut rows = query.query(params![run, from, CHUNK as i64])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                last = Some(row.get(0)?);
                if let Some(answer) = row.get::<_, Option<String>>(1)? {
                    answers.insert(answer_number(&answer), row.get(2)?);
                }
            }
            Ok((answers, last))
        };
        (answers, after) = index.read(read).await?;
    }
    Ok(answers)
}

/// What a scorer and a threshold make of outcomes that still have their texts.
fn rejudged(outcomes: &[ResultDocument], scorer: &Scorer, threshold: f64) -> Vec<(i64, Rejudged)> {
    let one = |outcome: &ResultDocument| {
        let answer = outcome.llm_answer.as_deref()?;
        let score = judged(outcome, answer, |case| scorer.judge(case))?.score;
        let is_cut_off = outcome.finish_reason.as_deref() == Some(Answer::CUT_OFF);
        let rejudged = Rejudged {
            score,
            is_accepted: score >= threshold && !is_cut_off,
        };
        Some((
            answer_number(&answer_id(outcome.question_id.as_str(), answer)),
            rejudged,
        ))
    };
    outcomes.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_support::{outcome, scorer};

    #[test]
    fn an_answer_is_accepted_from_the_threshold_on_if_it_was_not_cut_off() {
        let told = |changes| {
            let found = rejudged(&[outcome(changes)], &scorer(), 0.65);
            found.first().map(|(_, rejudged)| rejudged.is_accepted)
        };
        let reference = "Because air scatters short waves more.";
        let said = |answer: &str, reason: &str| {
            told(json!({"best_answer": reference, "other_answers": [], "llm_answer": answer, "finish_reason": reason}))
        };
        assert_eq!(said(reference, "stop"), Some(true));
        assert_eq!(said(reference, "length"), Some(false));
        assert_eq!(said("Nobody knows.", "stop"), Some(false));
        let forgotten = ResultDocument {
            title: None,
            llm_answer: None,
            ..outcome(json!({}))
        };
        assert_eq!(rejudged(&[forgotten], &scorer(), 0.65), []);
    }
}
