//! The one who writes the index.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::facet::{self, Facet};
use super::packed::{self, Record, records};
use super::row::{Row, first_key};

/// Writes the index; in a process there is one.
pub struct Writer(Connection);

/// How many keys beside its own an outcome may have, where another one has that.
const MOST_NEIGHBOURS: i64 = 16;
/// Pages of words that are merged before others may write.
const MERGED_AT_ONCE: i64 = 2000;

/// Where an outcome was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// From a topic: of two outcomes of an id the first one read stays, and that is doubtful.
    Topic,
    /// From MongoDB, which decides what the outcome is.
    Stored,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// How many outcomes are new.
    pub new: usize,
    /// Ids of which another outcome is known: MongoDB knows which one was stored.
    pub doubtful: Vec<String>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// Adds what is not there yet; what is, stays or is replaced.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn add(&mut self, mut rows: Vec<Row>, learnt: Learnt) -> rusqlite::Result<Added> {
        // The words of one transaction are written together only while keys ascend.
        rows.sort_by_key(|row| row.key);
        let transaction = self.0.transaction()?;
        let mut added = Added::default();
        let mut new = vec![];
        for row in &rows {
            if let Some(known) = Known::of(&transaction, row)? {
                if known.is_same {
                    continue;
                }
                if learnt == Learnt::Topic {
                    added.doubtful.push(row.message_id.clone());
                    continue;
                }
                remove(&transaction, &[known.key])?;
                // It may be of this very batch.
                new.retain(|&(key, _)| key != known.key);
            }
            if let Some(key) = insert(&transaction, row)? {
                new.push((key, row));
            }
        }
        added.new = new.len();
        pack(&transaction, new)?;
        transaction.commit()?;
        Ok(added)
    }

    /// How many outcomes there are.
    ///
    /// # Errors
    /// SQLite cannot read.
    pub fn count(&mut self) -> rusqlite::Result<u64> {
        packed::count(&self.0)
    }

    /// Begins to note what MongoDB has, to know in the end what it has no more.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn begin_comparison(&mut self) -> rusqlite::Result<()> {
        self.0
            .execute_batch("DROP TABLE IF EXISTS temp.seen; CREATE TEMP TABLE seen (key INTEGER PRIMARY KEY) STRICT;")
    }

    /// Notes that MongoDB has these, and gives those that are missing here.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn note(&mut self, ids: Vec<String>) -> rusqlite::Result<Vec<String>> {
        let transaction = self.0.transaction()?;
        let mut missing = vec![];
        {
            let mut known = transaction.prepare_cached("SELECT key FROM results WHERE message_id = ?")?;
            let mut note = transaction.prepare_cached("INSERT OR IGNORE INTO temp.seen VALUES (?)")?;
            for id in ids {
                match known.query_row([&id], |row| row.get::<_, i64>(0)).optional()? {
                    Some(key) => drop(note.execute([key])?),
                    None => missing.push(id),
                }
            }
        }
        transaction.commit()?;
        Ok(missing)
    }

    /// Removes what was decided before a moment, in milliseconds since 1970, and was not noted; gives how many those
    /// were.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn end_comparison(&mut self, before: i64) -> rusqlite::Result<usize> {
        let transaction = self.0.transaction()?;
        let gone = "SELECT key FROM results WHERE key < ? AND key NOT IN (SELECT key FROM temp.seen) ORDER BY key";
        let gone = keys(&transaction, gone, &first_key(before))?;
        remove(&transaction, &gone)?;
        if !gone.is_empty() {
            remove_unused_facets(&transaction)?;
        }
        transaction.execute_batch("DROP TABLE temp.seen")?;
        transaction.commit()?;
        Ok(gone.len())
    }

    /// Takes out the texts of what has one of these ids, of a request or of a question, and gives how many those were;
    /// the rows stay, as their outcomes do. Afterwards no byte of the texts is in the files.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn forget(&mut self, ids: &[String]) -> rusqlite::Result<usize> {
        let transaction = self.0.transaction()?;
        let has_texts = "SELECT key FROM results WHERE (message_id = ?1 OR question_id = ?1) AND (title <> '' OR answer <> '' OR \
                         EXISTS (SELECT 1 FROM words_docsize WHERE id = key)) ORDER BY key";
        let mut forgotten = 0;
        for id in ids {
            let keys = keys(&transaction, has_texts, id)?;
            for key in &keys {
                transaction.execute("DELETE FROM words WHERE rowid = ?", [key])?;
                transaction.execute(
                    "UPDATE results SET title = '', answer = '', answer_id = NULL WHERE key = ?",
                    [key],
                )?;
            }
            packed::change(&transaction, &keys, |record| Some(Record { answer: 0, ..record }))?;
            forgotten += keys.len();
        }
        transaction.commit()?;
        if forgotten > 0 {
            self.purge()?;
        }
        Ok(forgotten)
    }

    /// Overwrites what was deleted. Words are only marked as deleted until all that lie with them are written anew, and
    /// the log keeps old pages until it is emptied.
    fn purge(&mut self) -> rusqlite::Result<()> {
        let mut pages = -MERGED_AT_ONCE;
        loop {
            let before = self.0.total_changes();
            self.0
                .execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", [pages])?;
            if self.0.total_changes() - before < 2 {
                break;
            }
            pages = MERGED_AT_ONCE;
        }
        self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// What is known of an outcome's id.
struct Known {
    key: i64,
    is_same: bool,
}

impl Known {
    fn of(connection: &Connection, row: &Row) -> rusqlite::Result<Option<Self>> {
        let mut find = connection
            .prepare_cached("SELECT key, decided_at = ?2 AND verdict = ?3 FROM results WHERE message_id = ?1")?;
        let known = find.query_row(params![row.message_id, row.decided_at, row.verdict], |found| {
            Ok(Self {
                key: found.get(0)?,
                is_same: found.get(1)?,
            })
        });
        known.optional()
    }
}

fn keys<T: rusqlite::ToSql>(connection: &Connection, query: &str, parameter: &T) -> rusqlite::Result<Vec<i64>> {
    let mut find = connection.prepare_cached(query)?;
    find.query_map([parameter], |row| row.get(0))?.collect()
}

fn remove(connection: &Connection, keys: &[i64]) -> rusqlite::Result<()> {
    let mut words = connection.prepare_cached("DELETE FROM words WHERE rowid = ?")?;
    let mut results = connection.prepare_cached("DELETE FROM results WHERE key = ?")?;
    for key in keys {
        words.execute([key])?;
        results.execute([key])?;
    }
    packed::change(connection, keys, |_| None)
}

fn remove_unused_facets(connection: &Connection) -> rusqlite::Result<()> {
    let mut unused: HashSet<u32> = facet::all(connection)?.into_iter().map(|stored| stored.id).collect();
    let mut blocks = connection.prepare("SELECT records FROM blocks")?;
    let mut blocks = blocks.query([])?;
    while let Some(block) = blocks.next()? {
        for record in records(block.get_ref(0)?.as_blob()?) {
            unused.remove(&record.facet);
        }
    }
    for id in unused {
        connection.execute("DELETE FROM facets WHERE id = ?", [id])?;
    }
    Ok(())
}

/// Writes a row with its words, and gives the key that it got.
fn insert(connection: &Connection, row: &Row) -> rusqlite::Result<Option<i64>> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
    )?;
    for key in row.key..=row.key + MOST_NEIGHBOURS {
        let inserted = insert.execute(params![
            key,
            row.message_id,
            row.question_id,
            row.answer_id,
            row.run,
            row.subject,
            row.verdict,
            row.source,
            row.error,
            row.model,
            row.settings,
            row.scorer,
            row.threshold,
            row.attempts,
            row.score,
            row.unsure,
            row.latency,
            row.cost,
            row.tokens.map(|(sent, _)| sent),
            row.tokens.map(|(_, received)| received),
            row.decided_at,
            row.title(),
            row.shown_answer(),
        ])?;
        if inserted == 1 {
            let texts = row.texts();
            if !texts.is_empty() {
                connection
                    .prepare_cached("INSERT INTO words (rowid, texts) VALUES (?, ?)")?
                    .execute(params![key, texts])?;
            }
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Writes what lists filter and sort by.
fn pack(connection: &Connection, rows: Vec<(i64, &Row)>) -> rusqlite::Result<()> {
    let mut facets: HashMap<Facet, Vec<(i64, &Row)>> = HashMap::new();
    for (key, row) in rows {
        facets.entry(Facet::of(row)).or_default().push((key, row));
    }
    let mut records = vec![];
    for (facet, rows) in facets {
        let keys = || rows.iter().map(|&(key, _)| key);
        let id = facet.store(
            connection,
            keys().min().unwrap_or_default(),
            keys().max().unwrap_or_default(),
        )?;
        records.extend(rows.iter().map(|&(key, row)| row.record(key, id)));
    }
    records.sort_unstable_by_key(|record| record.key);
    packed::insert(connection, &records)
}
