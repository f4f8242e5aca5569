//! Which answers a person is asked about: the draw of `make label` (`calibration/cases.py`), from the index. A sitting in
//! a terminal and one in a browser go on with each other.

use std::collections::{BinaryHeap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::index::{Index, ReadError};
use crate::store::labels::{Case, Chosen};
use crate::store::{Store, StoreError};

/// The most cases of a sitting.
pub const MOST_CASES: usize = 500;
/// How many answers are drawn at once: a sitting goes on with them.
const DRAWN: usize = 4 * MOST_CASES;
/// For how long. A sitting that begins, or comes to the end, learns of new answers sooner.
const LASTS: Duration = Duration::from_secs(600);
const IS_NEW: Duration = Duration::from_secs(5);
/// How many draws are remembered.
const MOST: usize = 8;
/// How many outcomes of one answer are looked at, should the first be forgotten.
const OUTCOMES: i64 = 20;

/// What is drawn from, and by which chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// From all answers, or those of which the judge is unsure.
    pub chosen: Chosen,
    /// Another seed is another draw.
    pub seed: u64,
    /// Only from this run of the generator.
    pub run: Option<String>,
}

/// Draws that are gone on with.
#[derive(Clone, Default)]
pub struct Draws(Arc<Mutex<Vec<Made>>>);

#[derive(Clone)]
struct Made {
    draw: Draw,
    at: Instant,
    /// Whether it is of all that there was: else it is soon made anew.
    is_whole: bool,
    /// In the order of the draw.
    answers: Arc<Vec<String>>,
}

/// Why there is no case.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    #[error(transparent)]
    Index(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The case that is next, and how many there are with it, up to [`DRAWN`].
pub struct Next {
    pub case: Option<Case>,
    pub left: usize,
}

impl Draws {
    /// The next case without a label of this draw, and not among those that the sitting has passed: of each, the
    /// beginning of its name.
    ///
    /// # Errors
    /// The index or MongoDB cannot be read.
    pub async fn next(&self, draw: &Draw, index: &Index, store: &Store, passed: &[&str]) -> Result<Next, DrawError> {
        let labelled = store.labelled(draw.chosen).await?;
        let is_passed = |answer: &str| passed.iter().any(|passed| answer.starts_with(passed));
        let is_left = |answer: &&String| !labelled.contains(*answer) && !is_passed(answer);
        let known = self.known(draw, if passed.is_empty() { IS_NEW } else { LASTS });
        let goes_on = |made: &Made| made.at.elapsed() < IS_NEW || made.answers.iter().any(|answer| is_left(&answer));
        let made = match known.filter(goes_on) {
            Some(made) => made,
            None => self.make(draw, index, &labelled).await?,
        };
        let mut left = made.answers.iter().filter(is_left);
        while let Some(answer) = left.next() {
            // What was forgotten, or has expired, is passed over.
            if let Some(case) = case_of(answer, index, store).await? {
                let left = 1 + left.count();
                return Ok(Next { case: Some(case), left });
            }
        }
        Ok(Next { case: None, left: 0 })
    }

    fn known(&self, draw: &Draw, lasts: Duration) -> Option<Made> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .find(|made| made.draw == *draw && made.at.elapsed() < if made.is_whole { lasts } else { IS_NEW })
            .cloned()
    }

    async fn make(&self, draw: &Draw, index: &Index, labelled: &HashSet<String>) -> Result<Made, ReadError> {
        index.sleep().wake().await;
        let is_whole = index.sleep().has_caught_up();
        let (of, labelled) = (draw.clone(), labelled.clone());
        let answers = index.read(move |index| smallest(index, &of, &labelled, DRAWN)).await?;
        let made = Made {
            draw: draw.clone(),
            at: Instant::now(),
            is_whole,
            answers: Arc::new(answers),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.draw != *draw);
        known.push(made.clone());
        if known.len() > MOST {
            known.remove(0);
        }
        Ok(made)
    }
}

/// The case of an answer, by the beginning of its name or the whole of it.
///
/// # Errors
/// The index or MongoDB cannot be read.
pub async fn case_of(answer: &str, index: &Index, store: &Store) -> Result<Option<Case>, DrawError> {
    let (from, to) = (answer.to_owned(), format!("{answer}~"));
    let outcomes = index.read(move |index| {
        let mut query = index.prepare_cached(
            "SELECT message_id FROM results WHERE answer_id BETWEEN ?1 AND ?2 AND score IS NOT NULL ORDER BY key LIMIT ?3",
        )?;
        let found = query.query_map(params![from, to, OUTCOMES], |row| row.get(0))?;
        found.collect::<rusqlite::Result<Vec<String>>>()
    });
    Ok(store.first_case(&outcomes.await?).await?)
}

/// The `count` distinct answers with the smallest hashes of seed and answer, in their order: a bottom-k sample (Cohen and
/// Kaplan 2007). A popular answer counts once, and what was not drawn yet comes after what was.
fn smallest(
    index: &Connection,
    draw: &Draw,
    labelled: &HashSet<String>,
    count: usize,
) -> rusqlite::Result<Vec<String>> {
    // The plus keeps SQLite to the index of answers, which has all that is asked.
    let mut query = index.prepare_cached(
        "SELECT DISTINCT answer_id FROM results WHERE answer_id IS NOT NULL AND score IS NOT NULL \
         AND (?1 IS NULL OR +run = ?1) AND (NOT ?2 OR unsure) ORDER BY answer_id",
    )?;
    let mut answers = query.query(params![draw.run, draw.chosen == Chosen::Unsure])?;
    let mut kept = BinaryHeap::new();
    while let Some(row) = answers.next()? {
        let answer = row.get_ref(0)?.as_str()?;
        let rank = rank(draw.seed, answer);
        let is_kept = kept.len() < count || kept.peek().is_some_and(|(largest, _)| rank < *largest);
        if is_kept && !labelled.contains(answer) {
            kept.push((rank, answer.to_owned()));
            if kept.len() > count {
                kept.pop();
            }
        }
    }
    Ok(kept.into_sorted_vec().into_iter().map(|(_, answer)| answer).collect())
}

fn rank(seed: u64, answer: &str) -> [u8; 32] {
    Sha256::digest(format!("{seed} {answer}")).into()
}

#[cfg(test)]
mod tests;
