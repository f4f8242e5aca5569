//! Comparisons that were made lately: whoever pages through one does not have it made again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::OptionalExtension as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Comparison, RunOutcomes, Standard, Verdicts};
use crate::index::{Index, ReadError};

/// Most questions in all that are kept, at some hundred bytes each.
const MOST_QUESTIONS: usize = 500_000;
/// Most outcomes that are compared: each of another question, they take some 350 bytes each.
const MOST_OUTCOMES: i64 = 500_000;
/// Most comparisons that are kept.
const MOST: usize = 32;

/// Which outcomes of a run there are: when a run has others, its comparisons are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    pub name: String,
    pub outcomes: i64,
    pub first: i64,
    pub last: i64,
}

/// Of what a comparison is made: the outcomes, and what they were judged by again.
type Made = ([Extent; 2], Option<Standard>);
type Kept = (Made, Arc<Comparison>);

/// Makes comparisons, one at a time, and keeps some.
#[derive(Clone, Default)]
pub struct Comparisons(Arc<Inner>);

struct Inner {
    kept: Mutex<VecDeque<Kept>>,
    turn: Arc<Semaphore>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Comparisons {
    /// Which outcomes of a run the index has; `None` where it has none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn extent(index: &Index, name: &str) -> Result<Option<Extent>, ReadError> {
        let name = name.to_owned();
        let query = "SELECT count(*), min(key), max(key) FROM results WHERE run = ? HAVING count(*) > 0";
        let read = move |index: &rusqlite::Connection| {
            let found = index.prepare_cached(query)?.query_row([&name], |row| {
                Ok(Extent {
                    name: name.clone(),
                    outcomes: row.get(0)?,
                    first: row.get(1)?,
                    last: row.get(2)?,
                })
            });
            found.optional()
        };
        index.read(read).await
    }

    /// The second run against the first, with the verdicts that fell or with those of one standard.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn of(
        &self,
        index: &Index,
        [first, second]: [&Extent; 2],
        rejudged: Option<&Verdicts>,
    ) -> Result<Arc<Comparison>, ReadError> {
        if first.outcomes + second.outcomes > MOST_OUTCOMES {
            return Err(ReadError::TooMuch(MOST_OUTCOMES));
        }
        let standard = rejudged.map(|verdicts| verdicts.standard.clone());
        let wanted = ([first.clone(), second.clone()], standard);
        if let Some(kept) = self.kept(&wanted) {
            return Ok(kept);
        }
        // It is never closed.
        let turn = Arc::clone(&self.0.turn).acquire_owned().await;
        // Who had the turn before may have made it.
        if let Some(kept) = self.kept(&wanted) {
            return Ok(kept);
        }
        let runs = (
            RunOutcomes::read(index, &first.name, rejudged.cloned()).await?,
            RunOutcomes::read(index, &second.name, rejudged.cloned()).await?,
        );
        let made = spawn_blocking(move || {
            // Also when nobody waits for it any more.
            let _turn = turn;
            Arc::new(Comparison::of(runs.0, runs.1))
        });
        let made = made
            .await
            .map_err(|_| ReadError::Refused(rusqlite::Error::InvalidQuery))?;
        if made.first.unjudged + made.second.unjudged == 0 {
            self.keep(wanted, &made);
        }
        Ok(made)
    }

    /// Whether a comparison by a standard is kept: then nothing of it is to be judged.
    pub fn has(&self, first: &Extent, second: &Extent, standard: &Standard) -> bool {
        let wanted = ([first.clone(), second.clone()], Some(standard.clone()));
        self.kept(&wanted).is_some()
    }

    fn kept(&self, wanted: &Made) -> Option<Arc<Comparison>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|(of, _)| of == wanted)
            .map(|(_, comparison)| Arc::clone(comparison))
    }

    fn keep(&self, of: Made, made: &Arc<Comparison>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((of, Arc::clone(made)));
        let size = |(_, comparison): &Kept| comparison.pairs.len() + comparison.alone.len();
        while kept.len() > MOST || kept.len() > 1 && kept.iter().map(size).sum::<usize>() > MOST_QUESTIONS {
            kept.pop_back();
        }
    }
}
