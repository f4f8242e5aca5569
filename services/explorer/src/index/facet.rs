//! What lists filter by: few combinations, however many outcomes have them.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Row as Found, params};

use super::query::{Filter, Run};
use super::row::{Row, name};

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Facet {
    pub run: Option<String>,
    pub subject: Option<String>,
    pub verdict: String,
    pub source: Option<String>,
    pub error: Option<String>,
    pub attempts: u32,
    pub unsure: bool,
}

/// A combination that is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub id: u32,
    pub facet: Facet,
    /// The least key of an outcome that has it,
    pub oldest: i64,
    /// and the greatest.
    pub newest: i64,
}

/// What there is to choose from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choices {
    /// The one that was decided last first.
    pub runs: Vec<String>,
    pub subjects: BTreeSet<String>,
    pub errors: BTreeSet<String>,
    pub attempts: BTreeSet<u32>,
}

impl Facet {
    /// What an outcome has.
    pub fn of(row: &Row) -> Self {
        Self {
            run: row.run.clone(),
            subject: row.subject.clone(),
            verdict: row.verdict.clone(),
            source: row.source.clone(),
            error: row.error.clone(),
            attempts: row.attempts,
            unsure: row.unsure,
        }
    }

    /// Its number; it gets one, and its keys are noted.
    pub fn store(&self, connection: &Connection, oldest: i64, newest: i64) -> rusqlite::Result<u32> {
        let Self {
            run,
            subject,
            verdict,
            source,
            error,
            attempts,
            unsure,
        } = self;
        let mut find = connection.prepare_cached(
            "SELECT id FROM facets WHERE run IS ?1 AND subject IS ?2 AND verdict = ?3 AND source IS ?4 AND error IS ?5 AND \
             attempts = ?6 AND unsure = ?7",
        )?;
        let known = find.query_row(params![run, subject, verdict, source, error, attempts, unsure], |row| {
            row.get(0)
        });
        if let Some(id) = known.optional()? {
            let widen = "UPDATE facets SET oldest = min(oldest, ?2), newest = max(newest, ?3) WHERE id = ?1";
            connection.prepare_cached(widen)?.execute(params![id, oldest, newest])?;
            return Ok(id);
        }
        let mut insert = connection
            .prepare_cached("INSERT INTO facets VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id")?;
        insert.query_row(
            params![run, subject, verdict, source, error, attempts, unsure, oldest, newest],
            |row| row.get(0),
        )
    }

    /// Whether it is of the runs that are meant.
    pub fn is_of(&self, run: &Run) -> bool {
        match run {
            Run::Newest | Run::Any => true,
            Run::Named(name) => self.run.as_ref() == Some(name),
        }
    }

    /// Whether a filter lets it through.
    pub fn passes(&self, filter: &Filter) -> bool {
        let is = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        self.is_of(&filter.run)
            && filter.verdict.is_none_or(|verdict| name(&verdict) == self.verdict)
            && is(&filter.source.as_ref().map(name), &self.source)
            && is(&filter.subject, &self.subject)
            && is(&filter.error, &self.error)
            && filter.attempts.is_none_or(|attempts| attempts.include(self.attempts))
            && (self.unsure || !filter.unsure)
    }
}

/// All combinations.
pub fn all(connection: &Connection) -> rusqlite::Result<Vec<Stored>> {
    let mut all = connection.prepare_cached("SELECT * FROM facets")?;
    let all = all.query_map([], |row| {
        Ok(Stored {
            id: row.get("id")?,
            facet: facet(row)?,
            oldest: row.get("oldest")?,
            newest: row.get("newest")?,
        })
    })?;
    all.collect()
}

fn facet(row: &Found<'_>) -> rusqlite::Result<Facet> {
    Ok(Facet {
        run: row.get("run")?,
        subject: row.get("subject")?,
        verdict: row.get("verdict")?,
        source: row.get("source")?,
        error: row.get("error")?,
        attempts: row.get("attempts")?,
        unsure: row.get("unsure")?,
    })
}

/// The run that was decided last, where there is one.
pub fn newest_run(facets: &[Stored]) -> Run {
    let newest = facets
        .iter()
        .filter(|stored| stored.facet.run.is_some())
        .max_by_key(|stored| stored.newest);
    newest
        .and_then(|stored| stored.facet.run.clone())
        .map_or(Run::Any, Run::Named)
}

impl Choices {
    /// All runs, and what there is of one.
    pub fn of(facets: &[Stored], run: &Run) -> Self {
        let mut choices = Self::default();
        let mut by_age: Vec<&Stored> = facets.iter().collect();
        by_age.sort_by_key(|stored| std::cmp::Reverse(stored.newest));
        let mut seen = BTreeSet::new();
        for Stored { facet, .. } in by_age {
            choices
                .runs
                .extend(facet.run.iter().filter(|run| seen.insert(run.as_str())).cloned());
            if facet.is_of(run) {
                choices.subjects.extend(facet.subject.clone());
                choices.errors.extend(facet.error.clone());
                choices.attempts.insert(facet.attempts);
            }
        }
        choices
    }
}
