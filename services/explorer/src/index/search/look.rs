//! One look at all records of a list's time.

use rusqlite::Error::SqliteFailure;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::index::facet::{self, Stored};
use crate::index::packed::{Record, records};
use crate::index::query::{Filter, Order, Query, Rank, Run, Sort, words};
use crate::index::row::first_key;

/// Most outcomes that a search for words goes through: the newest ones that have them all.
pub const MOST_HITS: usize = 200_000;

/// How many outcomes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// That match, and are no newer than the list,
    pub matching: u64,
    /// of so many of the run.
    pub of: u64,
    /// That match, and are newer than the list.
    pub newer: u64,
    /// Whether the words are in more than were looked through.
    pub are_more: bool,
}

/// What is looked for.
pub struct Look {
    filter: Filter,
    order: Order,
    /// By the facet's number: its attempts, and what it passes.
    facets: Vec<(u32, Pass)>,
    /// The least key that may count.
    oldest: i64,
    /// The greatest one.
    newest: i64,
    /// The least key that is newer than the list.
    end: i64,
    /// Those with the words, from the greatest on.
    hits: Option<Vec<i64>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Nothing,
    Run,
    Filter,
}

impl Look {
    pub fn new(connection: &Connection, query: &Query) -> rusqlite::Result<Self> {
        let all = facet::all(connection)?;
        let mut filter = query.filter.clone();
        if filter.run == Run::Newest {
            filter.run = facet::newest_run(&all);
        }
        let mut facets = vec![(0, Pass::Nothing); all.iter().map(|stored| stored.id as usize + 1).max().unwrap_or(0)];
        let (mut oldest, mut newest) = (i64::MAX, 0);
        for stored in all.iter().filter(|stored| stored.facet.is_of(&filter.run)) {
            let Stored { id, facet, .. } = stored;
            let pass = if facet.passes(&filter) { Pass::Filter } else { Pass::Run };
            facets[*id as usize] = (facet.attempts, pass);
            (oldest, newest) = (oldest.min(stored.oldest), newest.max(stored.newest));
        }
        let mut look = Self {
            end: query.until.map_or(i64::MAX, |until| first_key(until + 1)),
            hits: None,
            order: query.order,
            facets,
            oldest,
            newest,
            filter,
        };
        look.hits = look.hits(connection)?;
        Ok(look)
    }

    /// The keys of the outcomes that have all words.
    fn hits(&self, connection: &Connection) -> rusqlite::Result<Option<Vec<i64>>> {
        let Some(text) = &self.filter.words else {
            return Ok(None);
        };
        let wanted: Vec<String> = words(text).map(|word| format!("\"{word}\"")).collect();
        let oldest = self.oldest.max(self.filter.from.map_or(0, first_key));
        let newest = self
            .newest
            .min(self.filter.to.map_or(i64::MAX, |to| first_key(to + 1) - 1));
        let mut find = connection.prepare_cached(
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC LIMIT ?4",
        )?;
        let most = i64::try_from(MOST_HITS).unwrap_or(i64::MAX);
        let hits = find.query_map(params![wanted.join(" "), oldest, newest, most], |row| row.get(0))?;
        match hits.collect() {
            // Unicode knows letters that the tokenizer takes for spaces: then a word is several, which cannot be searched.
            Err(SqliteFailure(_, Some(why))) if why.contains("phrase queries are not supported") => Ok(Some(vec![])),
            hits => hits.map(Some),
        }
    }

    /// Where a record stands in the list.
    pub fn rank(&self, record: &Record) -> Rank {
        let value = match self.order.sort {
            Sort::Decided => Some(0),
            Sort::Score => record.score.map(i64::from),
            Sort::Latency => record.latency.map(i64::from),
            Sort::Cost => record.cost.map(i64::from),
            Sort::Attempts => Some(i64::from(self.facet(record).0)),
        };
        let tie = if self.order.distinct && record.answer != 0 {
            record.answer
        } else {
            record.key
        };
        let turned = |number: i64| if self.order.descending { !number } else { number };
        Rank(value.map_or(i64::MAX, turned), turned(tie))
    }

    fn facet(&self, record: &Record) -> (u32, Pass) {
        self.facets
            .get(record.facet as usize)
            .copied()
            .unwrap_or((0, Pass::Nothing))
    }

    fn passes(&self, record: &Record) -> bool {
        let Filter {
            score_from,
            score_to,
            from,
            to,
            ..
        } = self.filter;
        score_from.is_none_or(|least| record.score.is_some_and(|score| score >= least))
            && score_to.is_none_or(|most| record.score.is_some_and(|score| score <= most))
            && from.is_none_or(|from| record.key >= first_key(from))
            && to.is_none_or(|to| record.key < first_key(to + 1))
    }

    /// Counts all records, and hands on the rank and the key of each one that matches and is not too new.
    pub fn at_all(
        &self,
        connection: &Connection,
        newest_first: bool,
        mut found: impl FnMut(Rank, i64),
    ) -> rusqlite::Result<Counts> {
        let mut counts = Counts {
            are_more: self.hits.as_ref().is_some_and(|hits| hits.len() == MOST_HITS),
            ..Counts::default()
        };
        let mut hits = self.hits.as_ref().map(|hits| Hits::new(hits, newest_first));
        let mut visit = |record: Record| {
            let (_, pass) = self.facet(&record);
            if pass == Pass::Nothing {
                return;
            }
            let is_newer = record.key >= self.end;
            counts.of += u64::from(!is_newer);
            let matches =
                pass == Pass::Filter && self.passes(&record) && hits.as_mut().is_none_or(|hits| hits.has(record.key));
            counts.newer += u64::from(matches && is_newer);
            if matches && !is_newer {
                counts.matching += 1;
                found(self.rank(&record), record.key);
            }
        };
        let order = if newest_first { "DESC" } else { "ASC" };
        let first = "SELECT first FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1";
        let first: Option<i64> = connection
            .prepare_cached(first)?
            .query_row([self.oldest], |row| row.get(0))
            .optional()?;
        let mut blocks = connection.prepare_cached(&format!(
            "SELECT records FROM blocks WHERE first >= ? ORDER BY first {order}"
        ))?;
        let mut blocks = blocks.query([first.unwrap_or(0)])?;
        while let Some(row) = blocks.next()? {
            let block = records(row.get_ref(0)?.as_blob()?);
            if newest_first {
                block.rev().for_each(&mut visit);
            } else {
                block.for_each(&mut visit);
            }
        }
        Ok(counts)
    }
}

/// Keys in the order in which records are visited.
struct Hits<'a> {
    keys: &'a [i64],
    newest_first: bool,
}

impl<'a> Hits<'a> {
    fn new(keys: &'a [i64], newest_first: bool) -> Self {
        Self { keys, newest_first }
    }

    fn next(&self) -> Option<i64> {
        if self.newest_first {
            self.keys.first()
        } else {
            self.keys.last()
        }
        .copied()
    }

    fn has(&mut self, key: i64) -> bool {
        let is_passed = |hit: &i64| if self.newest_first { *hit > key } else { *hit < key };
        while self.next().as_ref().is_some_and(is_passed) {
            self.keys = if self.newest_first {
                &self.keys[1..]
            } else {
                &self.keys[..self.keys.len() - 1]
            };
        }
        self.next() == Some(key)
    }
}
