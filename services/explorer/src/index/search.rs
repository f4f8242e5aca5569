//! Finds what lists show. Every list is one look at all packed records of its time ([`super::packed`]), whatever its
//! filter and order are; it finds the rows of a page and counts what matches.

mod look;

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row as Found};

use self::look::Look;
pub use self::look::{Counts, MOST_HITS};
use super::facet::{self, Choices};
use super::packed;
use super::query::{Place, Query, Rank, Run};

/// Rows of a page.
pub const PAGE: usize = 50;

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub rows: Vec<Listed>,
    pub counts: Counts,
    pub has_previous: bool,
    pub has_next: bool,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub rank: Rank,
    /// How many outcomes it stands for; it shows the newest one.
    pub times: u64,
    pub shown: Shown,
}

/// What a list shows of an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub message_id: String,
    pub run: Option<String>,
    pub subject: Option<String>,
    pub verdict: String,
    pub source: Option<String>,
    pub error: Option<String>,
    pub model: Option<String>,
    pub threshold: Option<f64>,
    pub attempts: u32,
    pub score: Option<f64>,
    pub unsure: bool,
    pub latency: Option<i64>,
    pub cost: Option<i64>,
    /// Sent, and received.
    pub tokens: Option<(i64, i64)>,
    pub decided_at: i64,
    pub title: String,
    pub answer: String,
}

/// What stands beside an outcome in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    pub previous: Option<String>,
    pub next: Option<String>,
    /// Which one of the list it is, from 1; not known where a row stands for several outcomes.
    pub place: Option<u64>,
    /// How many the list has.
    pub of: u64,
}

/// The rows of one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub rank: Rank,
    pub times: u64,
    /// The greatest key.
    pub newest: i64,
}

/// Names the run, where the newest one is meant, and says what there is to choose from.
pub fn settle(connection: &Connection, mut query: Query) -> rusqlite::Result<(Query, Choices)> {
    let facets = facet::all(connection)?;
    if query.filter.run == Run::Newest {
        query.filter.run = facet::newest_run(&facets);
    }
    let choices = Choices::of(&facets, &query.filter.run);
    Ok((query, choices))
}

/// The page of a list that is meant.
pub fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let (groups, counts, is_more) = groups(connection, query, PAGE)?;
    let (has_previous, has_next) = match query.place {
        Place::First => (false, is_more),
        Place::After(_) => (true, is_more),
        Place::Before(_) => (is_more, true),
        Place::Last => (is_more, false),
    };
    let rows = groups
        .into_iter()
        .filter_map(|group| listed(connection, group).transpose());
    Ok(Page {
        rows: rows.collect::<rusqlite::Result<_>>()?,
        counts,
        has_previous,
        has_next,
    })
}

/// So many rows at the place that is meant, the counts, and whether there are more on that side.
pub fn groups(connection: &Connection, query: &Query, most: usize) -> rusqlite::Result<(Vec<Group>, Counts, bool)> {
    let backwards = matches!(query.place, Place::Before(_) | Place::Last);
    let flipped = |rank: Rank| if backwards { Rank(!rank.0, !rank.1) } else { rank };
    let after = match query.place {
        Place::After(rank) | Place::Before(rank) => Some(flipped(rank)),
        Place::First | Place::Last => None,
    };
    let look = Look::new(connection, query)?;
    let mut nearest = Nearest {
        most: most + 1,
        after,
        groups: BTreeMap::new(),
    };
    // What comes first in the list is looked at first: little is gathered to be dropped again then.
    let newest_first = query.order.descending != backwards;
    let counts = look.at_all(connection, newest_first, |rank, key| nearest.add(flipped(rank), key))?;
    let is_more = nearest.groups.len() > most;
    let groups = nearest.groups.into_iter().take(most);
    let mut groups: Vec<Group> = groups
        .map(|(rank, (times, newest))| Group {
            rank: flipped(rank),
            times,
            newest,
        })
        .collect();
    if backwards {
        groups.reverse();
    }
    Ok((groups, counts, is_more))
}

/// The key of an outcome.
pub fn key_of(connection: &Connection, message_id: &str) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT key FROM results WHERE message_id = ?")?;
    find.query_row([message_id], |row| row.get(0)).optional()
}

/// What stands before and after an outcome in the list from which it was opened; `None` where it is not in the index.
pub fn neighbours(connection: &Connection, query: &Query, key: i64) -> rusqlite::Result<Option<Neighbours>> {
    let Some(record) = packed::find(connection, key)? else {
        return Ok(None);
    };
    let look = Look::new(connection, query)?;
    let own = look.rank(&record);
    let (mut previous, mut next, mut before) = (None, None, 0);
    let newest_first = query.order.descending;
    let counts = look.at_all(connection, newest_first, |rank, key| {
        if rank < own {
            before += 1;
            previous = previous.max(Some((rank, key)));
        } else if rank > own && next.is_none_or(|(nearest, newest)| rank < nearest || rank == nearest && key > newest) {
            next = Some((rank, key));
        }
    })?;
    let id = |nearest: Option<(Rank, i64)>| nearest.map(|(_, key)| message_id(connection, key)).transpose();
    Ok(Some(Neighbours {
        previous: id(previous)?.flatten(),
        next: id(next)?.flatten(),
        place: (!query.order.distinct).then_some(before + 1),
        of: counts.matching,
    }))
}

/// The id of the outcome that has a key.
pub fn message_id(connection: &Connection, key: i64) -> rusqlite::Result<Option<String>> {
    let mut find = connection.prepare_cached("SELECT message_id FROM results WHERE key = ?")?;
    find.query_row([key], |row| row.get(0)).optional()
}

/// Gathers the smallest ranks after one, and how often each was there.
struct Nearest {
    most: usize,
    after: Option<Rank>,
    groups: BTreeMap<Rank, (u64, i64)>,
}

impl Nearest {
    fn add(&mut self, rank: Rank, key: i64) {
        if self.after.is_some_and(|after| rank <= after) {
            return;
        }
        let is_full = self.groups.len() == self.most;
        if is_full && self.groups.last_key_value().is_some_and(|(last, _)| rank > *last) {
            return;
        }
        let (times, newest) = self.groups.entry(rank).or_insert((0, key));
        *times += 1;
        *newest = key.max(*newest);
        // What falls out does not come back: those that are left were all counted from the first on.
        if self.groups.len() > self.most {
            self.groups.pop_last();
        }
    }
}

fn listed(connection: &Connection, group: Group) -> rusqlite::Result<Option<Listed>> {
    let mut find = connection.prepare_cached("SELECT * FROM results WHERE key = ?")?;
    let shown = find.query_row([group.newest], shown).optional()?;
    Ok(shown.map(|shown| Listed {
        rank: group.rank,
        times: group.times,
        shown,
    }))
}

fn shown(row: &Found<'_>) -> rusqlite::Result<Shown> {
    Ok(Shown {
        message_id: row.get("message_id")?,
        run: row.get("run")?,
        subject: row.get("subject")?,
        verdict: row.get("verdict")?,
        source: row.get("source")?,
        error: row.get("error")?,
        model: row.get("model")?,
        threshold: row.get("threshold")?,
        attempts: row.get("attempts")?,
        score: row.get("score")?,
        unsure: row.get("unsure")?,
        latency: row.get("latency")?,
        cost: row.get("cost")?,
        tokens: row
            .get::<_, Option<i64>>("input_tokens")?
            .zip(row.get("output_tokens")?),
        decided_at: row.get("decided_at")?,
        title: row.get("title")?,
        answer: row.get("answer")?,
    })
}
