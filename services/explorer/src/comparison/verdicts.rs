//! What a standard makes of answers, as far as they are scored: kept by answer, so that a run that goes on has only new
//! ones scored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use contracts::message::Answer;
use judge::Scorer;
use messaging::result_document::ResultDocument;
use rusqlite::{Connection, params};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::kept::Extent;
use super::rescoring::locked;
use super::run::CHUNK;
use crate::index::row::answer_number;
use crate::index::{Index, ReadError};
use crate::judging::judged;
use crate::store::Store;

/// Outcomes that are read of MongoDB at once.
const READ: usize = 500;
/// Most answers whose scores are kept of a scorer, at some 60 bytes each: beyond, they are scored anew.
const MOST_ANSWERS: usize = 1_000_000;
/// So long passes until an outcome is looked for again that MongoDB does not have yet,
const UNREAD: Duration = Duration::from_secs(60);
/// so often.
const MOST_LOOKS: u8 = 3;
/// With no more in a hundred that are not judged, a run can be shown without them.
const FEW: usize = 5;

/// By what answers are judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Standard {
    /// The hash of the scorer.
    pub scorer: String,
    pub threshold: f64,
}

/// What a standard makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rejudged {
    Judged {
        score: f64,
        is_accepted: bool,
    },
    /// Its texts are gone.
    Gone,
    NotYet,
}

/// What a standard makes of answers, by their numbers, as far as they are scored. A scorer's scores are shared.
#[derive(Debug, Clone)]
pub struct Verdicts {
    pub standard: Standard,
    known: Arc<Mutex<HashMap<i64, Known>>>,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    Scored {
        score: f64,
        is_cut_off: bool,
    },
    Gone,
    /// MongoDB did not have it, the last time then.
    Unread {
        at: Instant,
        looks: u8,
    },
}

/// What of some runs is not judged yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// The answers that can be judged now, each with an outcome that has it; listed only where they are asked for.
    pub answers: HashMap<i64, String>,
    /// Of each run, of how many outcomes the answer is not judged, of how many that have one.
    pub runs: Vec<(usize, usize)>,
}

impl Pending {
    /// Whether every run can be shown without what is not judged of it.
    pub fn are_few(&self) -> bool {
        self.runs.iter().all(|(pending, of)| 100 * pending <= FEW * of)
    }

    /// How many outcomes in a hundred are judged.
    pub fn percent_done(&self) -> usize {
        let sum = |of: fn(&(usize, usize)) -> usize| self.runs.iter().map(of).sum::<usize>();
        let (pending, of) = (sum(|run| run.0), sum(|run| run.1).max(1));
        100 * (of - pending.min(of)) / of
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

    /// The same scores by another threshold.
    pub fn by(self, standard: Standard) -> Self {
        let mut known = locked(&self.known);
        if known.len() > MOST_ANSWERS {
            known.clear();
        }
        drop(known);
        Self { standard, ..self }
    }

    /// Whether others hold it.
    pub fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.known) > 1
    }

    /// What the standard makes of an answer.
    pub fn of(&self, answer: i64) -> Rejudged {
        match locked(&self.known).get(&answer) {
            Some(&Known::Scored { score, is_cut_off }) => Rejudged::Judged {
                score,
                is_accepted: score >= self.standard.threshold && !is_cut_off,
            },
            Some(Known::Gone) => Rejudged::Gone,
            Some(Known::Unread { .. }) | None => Rejudged::NotYet,
        }
    }

    /// What of some runs is not judged yet; the answers are listed where they are to be judged.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn pending(&self, index: &Index, runs: &[Extent], lists: bool) -> Result<Pending, ReadError> {
        let mut pending = Pending::default();
        for run in runs {
            pending.runs.push((0, 0));
            let mut after = Some(i64::MIN);
            while let Some(from) = after {
                let (this, name) = (self.clone(), run.name.clone());
                (pending, after) = index
                    .read(move |index| this.add_pending(pending, index, &name, from, lists))
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
        lists: bool,
    ) -> rusqlite::Result<(Pending, Option<i64>)> {
        let mut query = index.prepare_cached(
            "SELECT key, answer_id, message_id, source = 'llm' FROM results \
             WHERE run = ? AND key > ? ORDER BY key LIMIT ?",
        )?;
        let mut rows = query.query(params![run, after, CHUNK as i64])?;
        let (known, mut last, mut count) = (locked(&self.known), None, (0, 0));
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            let Some(answer) = row.get::<_, Option<String>>(1)? else {
                continue;
            };
            count.1 += 1;
            let number = answer_number(&answer);
            let may_be_judged = match known.get(&number) {
                Some(Known::Scored { .. } | Known::Gone) => continue,
                Some(Known::Unread { at, .. }) => at.elapsed() > UNREAD,
                None => true,
            };
            count.0 += 1;
            // Whether an answer was cut off, only the outcome says that the model answered for.
            let says_more = || Ok::<_, rusqlite::Error>(row.get::<_, Option<bool>>(3)? == Some(true));
            if lists && may_be_judged && (!pending.answers.contains_key(&number) || says_more()?) {
                pending.answers.insert(number, row.get(2)?);
            }
        }
        if let Some(run) = pending.runs.last_mut() {
            *run = (run.0 + count.0, run.1 + count.1);
        }
        Ok((pending, last))
    }

    /// Scores answers, each by an outcome that has it, in half the time at most.
    ///
    /// # Errors
    /// MongoDB cannot be read, or does not have the scorer; what was scored until then is kept.
    pub async fn judge(&self, store: &Store, pending: HashMap<i64, String>) -> anyhow::Result<()> {
        let hash = &self.standard.scorer;
        let scorer = store.scorer(hash).await?;
        let scorer = scorer.with_context(|| format!("MongoDB does not have the scorer {hash}"))?;
        let pending: Vec<(i64, String)> = pending.into_iter().collect();
        for chunk in pending.chunks(READ) {
            let began = Instant::now();
            let ids: Vec<String> = chunk.iter().map(|(_, id)| id.clone()).collect();
            let (this, outcomes, scorer) = (self.clone(), store.results(&ids).await?, Arc::clone(&scorer));
            let chunk = chunk.to_vec();
            spawn_blocking(move || this.learn(&chunk, &outcomes, &scorer)).await?;
            sleep(began.elapsed()).await;
        }
        Ok(())
    }

    /// Scores answers, each by an outcome that has it, as far as these are they.
    pub fn learn(&self, answers: &[(i64, String)], outcomes: &[ResultDocument], scorer: &Scorer) {
        let found: HashMap<&str, Known> = outcomes
            .iter()
            .map(|outcome| (outcome.id.as_str(), scored(outcome, scorer)))
            .collect();
        let (mut known, at) = (locked(&self.known), Instant::now());
        for (number, id) in answers {
            let looks = match known.get(number) {
                Some(Known::Unread { looks, .. }) => looks + 1,
                _ => 1,
            };
            let missing = if looks < MOST_LOOKS {
                Known::Unread { at, looks }
            } else {
                Known::Gone
            };
            known.insert(*number, found.get(id.as_str()).copied().unwrap_or(missing));
        }
    }
}

fn scored(outcome: &ResultDocument, scorer: &Scorer) -> Known {
    let answer = outcome.llm_answer.as_deref();
    let judgement = answer.and_then(|answer| judged(outcome, answer, |case| scorer.judge(case)));
    judgement.map_or(Known::Gone, |judgement| Known::Scored {
        score: judgement.score,
        is_cut_off: outcome.finish_reason.as_deref() == Some(Answer::CUT_OFF),
    })
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::super::tests::{index_of, outcome as row};
    use super::*;
    use crate::comparison::Comparisons;
    use crate::index::row::answer_id;
    use crate::test_support::{outcome, scorer};

    impl Verdicts {
        /// As if answers had been scored.
        pub fn with(standard: Standard, scores: impl IntoIterator<Item = (i64, f64)>) -> Self {
            let is_cut_off = false;
            let scored = |(number, score)| (number, Known::Scored { score, is_cut_off });
            Self {
                standard,
                known: Arc::new(Mutex::new(scores.into_iter().map(scored).collect())),
            }
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
        let told = |outcome: ResultDocument| {
            let verdicts = Verdicts::with(standard(0.65), []);
            verdicts.learn(&[(1, outcome.id.to_string())], &[outcome], &scorer());
            verdicts.of(1)
        };
        let reference = "Because air scatters short waves more.";
        let is_accepted = |answer: &str, reason: &str| {
            let changes =
                json!({"best_answer": reference, "other_answers": [], "llm_answer": answer, "finish_reason": reason});
            matches!(told(outcome(changes)), Rejudged::Judged { is_accepted: true, .. })
        };
        assert!(is_accepted(reference, "stop"));
        assert!(!is_accepted(reference, "length"));
        assert!(!is_accepted("Nobody knows.", "stop"));
        let forgotten = ResultDocument {
            title: None,
            llm_answer: None,
            ..outcome(json!({}))
        };
        assert_eq!(told(forgotten), Rejudged::Gone);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_judged_is_not_judged_again_and_what_mongodb_does_not_have_is_looked_for_three_times() {
        let stored = outcome(json!({"message_id": "a-q0-5", "question_id": "q0", "llm_answer": "Answer of a"}));
        let mut twin = row("a", "q0", 1, Some(0.9));
        let mut forgotten = row("a", "q2", 4, Some(0.9));
        (twin.source, forgotten.answer_id) = (Some("coalesced".to_owned()), None);
        let (index, _writer, _folder) = index_of(vec![
            twin,
            row("a", "q1", 2, Some(0.1)),
            row("a", "q3", 3, None),
            forgotten,
            row("a", "q0", 5, Some(0.9)),
        ]);
        let verdicts = Verdicts::with(standard(0.65), []);
        let run = Comparisons::extent(&index, "a").await.unwrap().unwrap();
        let pending = async || {
            verdicts
                .pending(&index, std::slice::from_ref(&run), true)
                .await
                .unwrap()
        };
        let first = pending().await;
        assert_eq!(
            (&first.runs[..], first.are_few(), first.percent_done()),
            (&[(3, 3)][..], false, 0)
        );
        let mut answers: Vec<(i64, String)> = first.answers.into_iter().collect();
        answers.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        let ids: Vec<&str> = answers.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(
            ids,
            ["a-q0-5", "a-q1-2"],
            "of twins, the one that the model answered for"
        );

        for look in 1..=MOST_LOOKS {
            verdicts.learn(&answers, std::slice::from_ref(&stored), &scorer());
            let left = pending().await;
            let count = usize::from(look < MOST_LOOKS);
            assert_eq!((left.answers.len(), &left.runs[..]), (0, &[(count, 3)][..]));
            tokio::time::advance(UNREAD + Duration::from_secs(1)).await;
            assert_eq!(pending().await.answers.len(), count);
        }
        assert_eq!(
            verdicts.of(answer_number(&answer_id("q1", "Answer of a"))),
            Rejudged::Gone
        );
    }

    #[test]
    fn no_run_is_shown_of_which_much_is_missing_however_large_the_others_are() {
        let of = |runs: &[(usize, usize)]| Pending {
            runs: runs.to_vec(),
            ..Pending::default()
        };
        assert!(of(&[(5, 100), (0, 0)]).are_few());
        assert!(!of(&[(0, 100_000), (300, 300)]).are_few());
        assert_eq!(of(&[(0, 100), (100, 100)]).percent_done(), 50);
    }
}
