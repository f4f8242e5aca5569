//! What a run leaves behind: `events.csv` and `run.json`.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use messaging::client::Delivery;
use messaging::value::Id;
use serde::Serialize;

use crate::config::Traffic;

/// A question that Kafka has acknowledged.
#[derive(Debug)]
pub struct Event {
    pub message_id: Id,
    pub question_id: Id,
    pub scheduled: Timestamp,
    pub sent: Timestamp,
    pub acknowledged: Timestamp,
    pub delivery: Delivery,
}

/// Everything needed to tell what a run was, and to repeat it.
#[derive(Debug, Serialize)]
pub struct RunRecord<'a> {
    pub run: &'a str,
    pub seed: u64,
    pub settings: &'a Traffic,
    pub questions_in_dataset: usize,
    pub dataset_hash: &'a str,
    pub version: &'a str,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// `running`, `complete` or `interrupted`.
    pub state: &'a str,
    /// Questions that Kafka acknowledged.
    pub asked: u64,
    /// Questions sent more than 100 ms after their time.
    pub late: u64,
    /// The worst of that, in milliseconds.
    pub latest_ms: i64,
}

/// Writes the record of one run into a folder of its own.
pub struct Journal {
    folder: PathBuf,
    events: BufWriter<File>,
    /// Events written so far.
    pub count: u64,
}

impl Journal {
    /// Opens the record of a run.
    ///
    /// # Errors
    /// A folder that cannot be written, or that holds an earlier run of the same name.
    pub fn create(collected: &Path, run: &str) -> anyhow::Result<Self> {
        let folder = collected.join(run);
        let events = folder.join("events.csv");
        ensure!(
            !events.exists(),
            "TRAFFIC_RUN={run} was run before: {} exists; choose another name or remove its folder",
            events.display()
        );
        let cannot = || format!("DATA_COLLECTED_DIR={} cannot be written", collected.display());
        fs::create_dir_all(&folder).with_context(cannot)?;
        let mut journal = Self {
            events: BufWriter::new(File::create(&events).with_context(cannot)?),
            folder,
            count: 0,
        };
        writeln!(
            journal.events,
            "message_id,question_id,scheduled,sent,acknowledged,partition,offset"
        )?;
        journal.flush()?;
        Ok(journal)
    }

    /// Adds one event; ids hold no commas or quotes.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn add(&mut self, event: &Event) -> anyhow::Result<()> {
        let Event {
            message_id,
            question_id,
            scheduled,
            sent,
            acknowledged,
            delivery,
        } = event;
        let Delivery { partition, offset } = delivery;
        writeln!(
            self.events,
            "{message_id},{question_id},{scheduled:.3},{sent:.3},{acknowledged:.3},{partition},{offset}"
        )
        .context("writing events.csv")?;
        self.count += 1;
        Ok(())
    }

    /// Makes everything added so far visible to readers.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.events.flush().context("writing events.csv")
    }

    /// Writes run.json, replacing it whole.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn describe(&self, record: &RunRecord<'_>) -> anyhow::Result<()> {
        let (file, draft) = (self.folder.join("run.json"), self.folder.join("run.json.new"));
        fs::write(&draft, serde_json::to_string_pretty(record)? + "\n").context("writing run.json")?;
        fs::rename(draft, file).context("writing run.json")
    }
}
