//! The one who writes the index.

use rusqlite::{Connection, params};

use super::row::{Row, first_key};

/// Writes the index; there is one.
pub struct Writer(Connection);

/// How many keys beside its own an outcome may have, where another one has that.
const MOST_NEIGHBOURS: i64 = 16;

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// Adds what is not there yet, and gives how many those were: as with the results, the first of an id stays.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn add(&mut self, mut rows: Vec<Row>) -> rusqlite::Result<usize> {
        // The words of one transaction are written together only while keys ascend.
        rows.sort_by_key(|row| row.key);
        let transaction = self.0.transaction()?;
        let mut added = 0;
        for row in &rows {
            added += usize::from(add(&transaction, row)?);
        }
        transaction.commit()?;
        Ok(added)
    }

    /// Begins to note what MongoDB has, to know in the end what it has no more.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn begin_comparison(&mut self) -> rusqlite::Result<()> {
        self.0.execute_batch("DROP TABLE IF EXISTS temp.seen; CREATE TEMP TABLE seen (message_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;")
    }

    /// Notes that MongoDB has these.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn note(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO temp.seen VALUES (?)")?;
            for row in rows {
                insert.execute([&row.message_id])?;
            }
        }
        transaction.commit()
    }

    /// Removes what was decided before a moment, in milliseconds since 1970, and was not noted; gives how many those
    /// were.
    ///
    /// # Errors
    /// SQLite cannot write.
    pub fn end_comparison(&mut self, before: i64) -> rusqlite::Result<usize> {
        let gone = "SELECT key FROM results WHERE key < ?1 AND message_id NOT IN (SELECT message_id FROM temp.seen)";
        let transaction = self.0.transaction()?;
        transaction.execute(
            &format!("DELETE FROM words WHERE rowid IN ({gone})"),
            [first_key(before)],
        )?;
        let removed = transaction.execute(
            &format!("DELETE FROM results WHERE key IN ({gone})"),
            [first_key(before)],
        )?;
        transaction.execute_batch("DROP TABLE temp.seen")?;
        transaction.commit()?;
        Ok(removed)
    }
}

fn add(connection: &Connection, row: &Row) -> rusqlite::Result<bool> {
    let mut known = connection.prepare_cached("SELECT 1 FROM results WHERE message_id = ?")?;
    if known.exists([&row.message_id])? {
        return Ok(false);
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20, ?21)",
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
            row.decided_at,
            row.title(),
            row.shown_answer(),
        ])?;
        if inserted == 1 {
            let mut words = connection
                .prepare_cached("INSERT INTO words (rowid, question, reference, answer) VALUES (?, ?, ?, ?)")?;
            words.execute(params![key, row.question, row.reference, row.answer])?;
            return Ok(true);
        }
    }
    Ok(false)
}
