//! Answers of runs that were not judged alike are judged once more, by one standard: in the background, and in half the
//! time at most, for MongoDB has more to do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use contracts::message::Answer;
use judge::Scorer;
use messaging::result_document::ResultDocument;
use rusqlite::{Connection, params};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::kept::Extent;
use crate::index::row::{answer_id, answer_number};
use crate::index::{Index, ReadError};
use crate::judging::judged;
use crate::store::Store;

/// Outcomes that are listed at once: no query lasts long.
const CHUNK: usize = 50_000;
/// Outcomes that are read of MongoDB at once.
const READ: usize = 500;
/// Most standards of which verdicts are kept, at some 40 bytes an answer.
const MOST: usize = 2;
/// So long a failure is told before it is tried again,
const TOLD: Duration = Duration::from_secs(10);
/// and so long passes until an outcome is looked for again that MongoDB does not have yet.
const UNREAD: Duration = Duration::from_secs(60);

/// By what answers are judged.
#[derive(Debug, Clone, PartialEq)]
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

/// What a standard makes of answers, by their numbers, as far as they are judged.
#[derive(Debug, Clone)]
pub struct Verdicts {
    pub standard: Standard,
    known: Arc<Mutex<HashMap<i64, Known>>>,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    Judged(Rejudged),
    /// MongoDB did not have it then, or not its texts.
    Unread(Instant),
}

/// What of some runs a standard has not judged yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// The answers that can be judged now, each with the first outcome that has it.
    pub answers: HashMap<i64, String>,
    /// Of how many outcomes the answer is not judged,
    pub outcomes: usize,
    /// of so many that have one.
    pub of: usize,
}

/// How the judging goes.
#[derive(Debug, Clone)]
pub enum Work {
    Idle,
    UnderWay,
    /// Why it ended, and when.
    Failed(String, Instant),
}

/// Judges answers again, those of one page at a time, and keeps what came of it.
#[derive(Clone)]
pub struct Rescorings(Arc<Inner>);

struct Inner {
    /// Those that were asked for last come first.
    kept: Mutex<VecDeque<Verdicts>>,
    work: Mutex<Work>,
}

impl Default for Rescorings {
    fn default() -> Self {
        Self(Arc::new(Inner {
            kept: Mutex::default(),
            work: Mutex::new(Work::Idle),
        }))
    }
}

impl Rescorings {
    /// The verdicts of a standard.
    pub fn verdicts(&self, standard: &Standard) -> Verdicts {
        let mut kept = locked(&self.0.kept);
        let place = kept.iter().position(|verdicts| verdicts.standard == *standard);
        let known = place.and_then(|place| kept.remove(place));
        let verdicts = known.unwrap_or_else(|| Verdicts::new(standard.clone()));
        kept.push_front(verdicts.clone());
        kept.truncate(MOST);
        verdicts
    }

    /// Has answers judged, unless others are being judged; whoever looks again has those judged that are left.
    pub fn judge(&self, store: &Store, verdicts: &Verdicts, pending: &HashMap<i64, String>) -> Work {
        let mut work = locked(&self.0.work);
        let is_told = matches!(&*work, Work::Failed(_, at) if at.elapsed() < TOLD);
        if !is_told && !matches!(*work, Work::UnderWay) {
            *work = Work::Idle;
            if !pending.is_empty() {
                *work = Work::UnderWay;
                let (this, store, verdicts, pending) = (self.clone(), store.clone(), verdicts.clone(), pending.clone());
                tokio::spawn(async move { this.run(&store, &verdicts, pending).await });
            }
        }
        work.clone()
    }

    async fn run(&self, store: &Store, verdicts: &Verdicts, pending: HashMap<i64, String>) {
        let ended = match verdicts.judge(store, pending).await {
            Ok(()) => Work::Idle,
            Err(error) => {
                warn!(%error, "answers could not be judged again");
                Work::Failed(format!("{error:#}"), Instant::now())
            }
        };
        *locked(&self.0.work) = ended;
    }
}

impl Verdicts {
    /// None yet.
    pub fn new(standard: Standard) -> Self {
        Self {
            standard,
            known: Arc::default(),
        }
    }

    /// What the standard makes of an answer; `None` where it is not judged yet.
    pub fn of(&self, answer: i64) -> Option<Rejudged> {
        match locked(&self.known).get(&answer) {
            Some(Known::Judged(rejudged)) => Some(*rejudged),
            _ => None,
        }
    }

    /// What of some runs is not judged yet. Texts that were forgotten have no answer in the index, and never are.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn pending(&self, index: &Index, runs: &[Extent]) -> Result<Pending, ReadError> {
        let mut pending = Pending::default();
        for run in runs {
            let mut after = Some(i64::MIN);
            while let Some(from) = after {
                let (this, name) = (self.clone(), run.name.clone());
                (pending, after) = index
                    .read(move |index| this.add_pending(pending, index, &name, from))
                    .await?;
            }
        }
        Ok(pending)
    }

    /// Adds what comes after a key, and gives the last one; `None` when that was the end.
    fn add_pending(
        &self,
        mut pending: Pending,
        index: &Connection,
        run: &str,
        after: i64,
    ) -> rusqlite::Result<(Pending, Option<i64>)> {
        let mut query = index.prepare_cached(
            "SELECT key, answer_id, message_id FROM results WHERE run = ? AND key > ? ORDER BY key LIMIT ?",
        )?;
        let mut rows = query.query(params![run, after, CHUNK as i64])?;
        let (known, mut last) = (locked(&self.known), None);
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            let Some(answer) = row.get::<_, Option<String>>(1)? else {
                continue;
            };
            pending.of += 1;
            let number = answer_number(&answer);
            let may_be_judged = match known.get(&number) {
                Some(Known::Judged(_)) => continue,
                Some(Known::Unread(at)) => at.elapsed() > UNREAD,
                None => true,
            };
            pending.outcomes += 1;
            if may_be_judged && !pending.answers.contains_key(&number) {
                pending.answers.insert(number, row.get(2)?);
            }
        }
        Ok((pending, last))
    }

    async fn judge(&self, store: &Store, pending: HashMap<i64, String>) -> anyhow::Result<()> {
        let hash = &self.standard.scorer;
        let scorer = store.scorer(hash).await?;
        let scorer = scorer.with_context(|| format!("MongoDB does not have the scorer {hash}"))?;
        let pending: Vec<(i64, String)> = pending.into_iter().collect();
        for chunk in pending.chunks(READ) {
            let began = Instant::now();
            let (numbers, ids): (Vec<i64>, Vec<String>) = chunk.iter().cloned().unzip();
            let (this, outcomes, scorer) = (self.clone(), store.results(&ids).await?, Arc::clone(&scorer));
            spawn_blocking(move || this.learn(&numbers, &outcomes, &scorer)).await?;
            sleep(began.elapsed()).await;
        }
        Ok(())
    }

    /// Judges the answers of these numbers, as far as these outcomes have them.
    fn learn(&self, numbers: &[i64], outcomes: &[ResultDocument], scorer: &Scorer) {
        let judged = outcomes.iter().filter_map(|outcome| self.rejudged(outcome, scorer));
        let judged: Vec<_> = judged.collect();
        let mut known = locked(&self.known);
        let now = Instant::now();
        known.extend(numbers.iter().map(|&number| (number, Known::Unread(now))));
        known.extend(
            judged
                .into_iter()
                .map(|(number, rejudged)| (number, Known::Judged(rejudged))),
        );
    }

    fn rejudged(&self, outcome: &ResultDocument, scorer: &Scorer) -> Option<(i64, Rejudged)> {
        let answer = outcome.llm_answer.as_deref()?;
        let score = judged(outcome, answer, |case| scorer.judge(case))?.score;
        let is_cut_off = outcome.finish_reason.as_deref() == Some(Answer::CUT_OFF);
        let rejudged = Rejudged {
            score,
            is_accepted: score >= self.standard.threshold && !is_cut_off,
        };
        Some((
            answer_number(&answer_id(outcome.question_id.as_str(), answer)),
            rejudged,
        ))
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::super::tests::{index_of, outcome as row};
    use super::*;
    use crate::comparison::Comparisons;
    use crate::store::tests::nobodys_store;
    use crate::test_support::{outcome, scorer};

    impl Verdicts {
        /// As if these answers had been judged.
        pub fn with(standard: Standard, judged: impl IntoIterator<Item = (i64, Rejudged)>) -> Self {
            let this = Self::new(standard);
            let judged = judged
                .into_iter()
                .map(|(number, rejudged)| (number, Known::Judged(rejudged)));
            locked(&this.known).extend(judged);
            this
        }
    }

    pub fn standard(threshold: f64) -> Standard {
        Standard {
            scorer: "scorer".to_owned(),
            threshold,
        }
    }

    #[test]
    fn an_answer_is_accepted_from_the_threshold_on_if_it_was_not_cut_off() {
        let told = |changes| {
            let found = Verdicts::new(standard(0.65)).rejudged(&outcome(changes), &scorer());
            found.map(|(_, rejudged)| rejudged.is_accepted)
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
        assert_eq!(Verdicts::new(standard(0.65)).rejudged(&forgotten, &scorer()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_judged_is_not_judged_again_and_what_mongodb_does_not_have_yet_is_looked_for_later() {
        let stored = outcome(json!({"question_id": "q0", "llm_answer": "Answer of a"}));
        let mut twin = row("a", "q0", 5, Some(0.9));
        let mut forgotten = row("a", "q2", 4, Some(0.9));
        (twin.source, forgotten.answer_id) = (Some("coalesced".to_owned()), None);
        let rows = vec![
            row("a", "q0", 1, Some(0.9)),
            row("a", "q1", 2, Some(0.1)),
            row("a", "q3", 3, None),
        ];
        let (index, _writer, _folder) = index_of([rows, vec![twin, forgotten]].concat());
        let verdicts = Verdicts::new(standard(0.65));
        let run = Comparisons::extent(&index, "a").await.unwrap().unwrap();
        let pending = async || verdicts.pending(&index, std::slice::from_ref(&run)).await.unwrap();
        let first = pending().await;
        assert_eq!((first.outcomes, first.of), (3, 3));
        let mut ids: Vec<&str> = first.answers.values().map(String::as_str).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a-q0-1", "a-q1-2"], "of twins, the first");

        let numbers: Vec<i64> = first.answers.keys().copied().collect();
        verdicts.learn(&numbers, &[stored], &scorer());
        let left = pending().await;
        assert_eq!((left.answers.len(), left.outcomes, left.of), (0, 1, 3));
        tokio::time::advance(UNREAD + Duration::from_secs(1)).await;
        assert_eq!(pending().await.answers.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_for_a_while_and_then_it_is_tried_again() {
        let (rescorings, store) = (Rescorings::default(), nobodys_store().await);
        let verdicts = rescorings.verdicts(&standard(0.65));
        let pending = HashMap::from([(1, "m".to_owned())]);
        let judge = || rescorings.judge(&store, &verdicts, &pending);
        assert!(matches!(judge(), Work::UnderWay));
        while matches!(judge(), Work::UnderWay) {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(matches!(judge(), Work::Failed(why, _) if why.contains("does not answer")));
        tokio::time::advance(TOLD).await;
        assert!(matches!(judge(), Work::UnderWay));
    }
}
