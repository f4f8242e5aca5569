//! What a run came to on each question, read from the index.

use std::collections::{BTreeSet, HashMap};

use contracts::message::Verdict;
use rusqlite::{Connection, Row, params};

use super::statistics::percentile;
use super::verdicts::{Rejudged, Verdicts};
use crate::index::row::{answer_number, name, verdict};
use crate::index::{Index, ReadError};

/// Outcomes that are read at once: no query lasts long.
pub const CHUNK: usize = 50_000;

/// What is compared of a question, each between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Accepted,
    AcceptedOfAnswered,
    NoAnswer,
    Score,
    ServedWithoutCall,
}

impl Measure {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 5] = [
        Self::Accepted,
        Self::AcceptedOfAnswered,
        Self::NoAnswer,
        Self::Score,
        Self::ServedWithoutCall,
    ];
}

/// What a run came to on one question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// The most frequent verdict; none of another version.
    pub verdict: Option<Verdict>,
    /// The outcome that is shown: the first that has it.
    pub key: i64,
    /// How often it was asked.
    pub times: u32,
    means: [f64; 5],
}

impl Side {
    /// The mean over how often it was asked; not a number where that is not known.
    pub fn mean(&self, measure: Measure) -> f64 {
        self.means[measure as usize]
    }
}

/// What is known of a run, but for its questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub name: String,
    pub outcomes: usize,
    /// How many earlier answers served, or a twin in flight.
    pub served_without_call: usize,
    pub models: BTreeSet<String>,
    pub settings: BTreeSet<String>,
    pub scorers: BTreeSet<String>,
    pub thresholds: BTreeSet<String>,
    /// The threshold of most verdicts; of several, the lowest.
    pub threshold: Option<f64>,
    /// How many outcomes count for a question,
    pub judged: usize,
    /// and how many of them are accepted.
    pub accepted: usize,
    /// How many outcomes cannot be judged again, for their texts are gone,
    pub left_out: usize,
    /// and how many have not been yet: neither count for a question.
    pub unjudged: usize,
    pub attempts: i64,
    /// Billionths of a US dollar.
    pub cost: i64,
    /// Milliseconds, of all outcomes that have one.
    pub latency_p50: Option<i64>,
    pub latency_p99: Option<i64>,
}

/// The outcomes of a run, by question.
#[derive(Debug, Default)]
pub struct RunOutcomes {
    pub facts: Facts,
    pub questions: HashMap<String, Growing>,
    /// The verdicts that count instead of those that fell.
    pub rejudged: Option<Verdicts>,
    thresholds: Vec<(f64, u32)>,
    latencies: Vec<i64>,
}

/// A question while its outcomes are read.
#[derive(Debug, Default)]
pub struct Growing {
    /// By verdict: how often it fell, and the first outcome that has it.
    verdicts: Vec<(String, u32, i64)>,
    sums: [f64; 5],
    known: [u32; 5],
}

impl Growing {
    /// Its means.
    pub fn done(self) -> Side {
        let mut shown = ("", 0, 0);
        for (verdict, times, key) in &self.verdicts {
            if *times > shown.1 {
                shown = (verdict, *times, *key);
            }
        }
        let mut means = self.sums;
        // Of nothing, not a number.
        means
            .iter_mut()
            .zip(self.known)
            .for_each(|(mean, known)| *mean /= f64::from(known));
        Side {
            verdict: verdict(shown.0),
            key: shown.2,
            times: self.verdicts.iter().map(|(_, times, _)| times).sum(),
            means,
        }
    }

    fn add(&mut self, key: i64, verdict: &str, score: Option<f64>, is_served_without_call: bool) {
        match self.verdicts.iter_mut().find(|(known, ..)| known == verdict) {
            Some((_, times, _)) => *times += 1,
            None => self.verdicts.push((verdict.to_owned(), 1, key)),
        }
        let share = |holds| Some(f64::from(u8::from(holds)));
        let (accepted, is_error) = (share(verdict == "accepted"), verdict == "error");
        let answered = accepted.filter(|_| !is_error);
        let values = [
            accepted,
            answered,
            share(is_error),
            score,
            share(is_served_without_call),
        ];
        for (place, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.sums[place] += value;
                self.known[place] += 1;
            }
        }
    }
}

impl RunOutcomes {
    /// Reads a run, with other verdicts in the place of its own where there are.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(index: &Index, name: &str, rejudged: Option<Verdicts>) -> Result<Self, ReadError> {
        let mut run = Self {
            rejudged,
            ..Self::default()
        };
        name.clone_into(&mut run.facts.name);
        let mut after = i64::MIN;
        loop {
            let mut reading = run;
            let last;
            (run, last) = index
                .read(move |index| reading.read_chunk(index, after).map(|last| (reading, last)))
                .await?;
            match last {
                Some(key) => after = key,
                None => return Ok(run),
            }
        }
    }

    /// Reads what comes after a key, and gives the last one; `None` when that was the end.
    fn read_chunk(&mut self, index: &Connection, after: i64) -> rusqlite::Result<Option<i64>> {
        let mut query = index.prepare_cached(
            "SELECT key, question_id, verdict, source, model, settings, scorer, threshold, attempts, cost, latency, score, \
             answer_id \
             FROM results WHERE run = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
        )?;
        let mut rows = query.query(params![self.facts.name, after, CHUNK as i64])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some(self.add(row)?);
        }
        if last.is_none() {
            self.facts.latency_p50 = percentile(&mut self.latencies, 0.5);
            self.facts.latency_p99 = percentile(&mut self.latencies, 0.99);
            let most = self.thresholds.iter().map(|(_, times)| *times).max();
            let usual = self.thresholds.iter().filter(|(_, times)| Some(*times) == most);
            self.facts.threshold = usual.map(|(threshold, _)| *threshold).min_by(f64::total_cmp);
        }
        Ok(last)
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<i64> {
        let text = |column| {
            row.get_ref(column)
                .map(|value| value.as_str().unwrap_or_default().to_owned())
        };
        let (key, verdict, source) = (row.get(0)?, text(2)?, text(3)?);
        let is_served_without_call = matches!(source.as_str(), "cache" | "mongodb" | "coalesced");
        let facts = &mut self.facts;
        facts.outcomes += 1;
        facts.served_without_call += usize::from(is_served_without_call);
        for (known, column) in [
            (&mut facts.models, 4),
            (&mut facts.settings, 5),
            (&mut facts.scorers, 6),
        ] {
            let name = text(column)?;
            if !name.is_empty() && !known.contains(&name) {
                known.insert(name);
            }
        }
        if let Some(threshold) = row.get::<_, Option<f64>>(7)? {
            match self.thresholds.iter_mut().find(|(known, _)| *known == threshold) {
                Some((_, times)) => *times += 1,
                None => {
                    facts.thresholds.insert(threshold.to_string());
                    self.thresholds.push((threshold, 1));
                }
            }
        }
        facts.attempts += row.get::<_, i64>(8)?;
        facts.cost += row.get::<_, Option<i64>>(9)?.unwrap_or_default();
        self.latencies.extend(row.get::<_, Option<i64>>(10)?);
        if let Some((verdict, score)) = self.judged(verdict, row.get(11)?, row.get(12)?) {
            self.facts.judged += 1;
            self.facts.accepted += usize::from(verdict == "accepted");
            let question = self.questions.entry(text(1)?).or_default();
            question.add(key, &verdict, score, is_served_without_call);
        }
        Ok(key)
    }

    /// The verdict and the score that count; `None` where a standard has to judge, and has not.
    fn judged(&mut self, fell: String, score: Option<f64>, answer: Option<String>) -> Option<(String, Option<f64>)> {
        let Some(rejudged) = self.rejudged.as_ref().filter(|_| score.is_some()) else {
            return Some((fell, score));
        };
        let Some(answer) = answer else {
            self.facts.left_out += 1;
            return None;
        };
        match rejudged.of(answer_number(&answer)) {
            Rejudged::Judged { score, is_accepted } => {
                let verdict = if is_accepted {
                    Verdict::Accepted
                } else {
                    Verdict::Exhausted
                };
                return Some((name(&verdict), Some(score)));
            }
            Rejudged::Gone => self.facts.left_out += 1,
            Rejudged::NotYet => self.facts.unjudged += 1,
        }
        None
    }
}
