//! What a run leaves behind: `events.csv` and `run.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contracts::value::Id;
use jiff::Timestamp;
use messaging::producer::Delivery;
use serde::Serialize;

/// A question that was given to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The request.
    pub message_id: Id,
    /// What was asked.
    pub question_id: Id,
    /// When it should have been sent.
    pub scheduled: Timestamp,
    /// When it was.
    pub sent: Timestamp,
    /// When Kafka acknowledged it and where it is; `None` when the run ended without knowing.
    pub acknowledged: Option<(Timestamp, Delivery)>,
    /// The question of the dataset that was asked in other words, if it was.
    pub paraphrase_of: Option<String>,
}

/// Everything needed to tell what a run was, and to repeat it.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecord {
    /// Its name.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// Every setting but secrets, as the environment has it.
    pub settings: BTreeMap<String, String>,
    /// How many questions it means to ask; about as many where TRAFFIC_DURATION ends it; `None` where outcomes alone
    /// decide.
    pub planned: Option<u64>,
    /// What whoever ordered it may not expect, in a sentence.
    pub note: Option<String>,
    /// The questions to choose from; `None` until they are known.
    pub dataset: Option<DatasetRecord>,
    /// What it ran with.
    pub versions: Versions,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub state: State,
    /// Why it failed.
    pub problem: Option<String>,
    /// Questions that Kafka acknowledged: the rows of `events.csv`.
    pub asked: u64,
    /// Questions whose fate is unknown: the rows of `unacknowledged.csv`.
    pub unacknowledged: u64,
    /// Questions sent more than 100 ms after their time.
    pub late: u64,
    /// The longest that a question was sent after its time, in milliseconds.
    pub latest_ms: u64,
    /// What came of the questions; `None` where nobody waited for that.
    pub closed_loop: Option<ClosedLoop>,
}

/// What those who asked one question after the other were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClosedLoop {
    /// Questions whose outcome came: a verdict, an error, or a dead letter.
    pub outcomes: u64,
    /// Questions whose outcome did not come within TRAFFIC_OUTCOME_TIMEOUT.
    pub given_up: u64,
}

/// The questions to choose from.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetRecord {
    /// How many there are.
    pub questions: usize,
    /// SHA-256 of their ids, sorted.
    pub sha256: String,
}

/// What a run ran with.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Versions {
    /// This program.
    pub traffic_generator: &'static str,
    /// The Kafka client.
    pub librdkafka: String,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on, or was killed.
    Running,
    /// Every question was asked.
    Complete,
    /// A signal stopped it.
    Interrupted,
    /// Something that waiting cannot mend.
    Failed,
}

/// Writes the record of one run into a folder of its own.
pub struct Journal {
    folder: PathBuf,
    events: csv::Writer<File>,
    unacknowledged: Option<csv::Writer<File>>,
    /// What `run.json` says when it is next written.
    pub record: RunRecord,
}

impl Journal {
    /// Opens the record of a run.
    ///
    /// # Errors
    /// A folder that cannot be written, or that holds an earlier run of the same name.
    pub fn create(collected: &Path, record: RunRecord) -> anyhow::Result<Self> {
        let folder = collected.join(&record.run);
        let create = || {
            fs::create_dir_all(&folder)?;
            table(&folder.join("events.csv"))
        };
        let events = create().with_context(|| format!("the run's folder {} cannot be written", folder.display()))?;
        let mut journal = Self {
            folder,
            events,
            unacknowledged: None,
            record,
        };
        journal.save()?;
        Ok(journal)
    }

    /// Adds one event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, event: &Event) -> anyhow::Result<()> {
        let time = |time: Timestamp| format!("{time:.3}");
        let mut row = vec![event.message_id.to_string(), event.question_id.to_string()];
        row.extend([time(event.scheduled), time(event.sent)]);
        let table = if let Some((acknowledged, Delivery { partition, offset })) = event.acknowledged {
            self.record.asked += 1;
            row.extend([time(acknowledged), partition.to_string(), offset.to_string()]);
            &mut self.events
        } else {
            self.record.unacknowledged += 1;
            row.extend([const { String::new() }; 3]);
            match &mut self.unacknowledged {
                Some(table) => table,
                none => none.insert(table(&self.folder.join("unacknowledged.csv"))?),
            }
        };
        row.push(event.paraphrase_of.clone().unwrap_or_default());
        table.write_record(row).context("writing the run's events")
    }

    /// Lets readers see everything added so far.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.unacknowledged
            .iter_mut()
            .chain([&mut self.events])
            .try_for_each(csv::Writer::flush)?;
        Ok(())
    }

    /// Lets readers see everything added so far, and writes `run.json` anew: they see the old or
    /// the new one, never half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        let (file, draft) = (self.folder.join("run.json"), self.folder.join("run.json.new"));
        let json = serde_json::to_string_pretty(&self.record)? + "\n";
        fs::write(&draft, json)
            .and_then(|()| fs::rename(&draft, &file))
            .with_context(|| format!("writing {}", file.display()))
    }
}

/// A new file that has its columns.
fn table(path: &Path) -> anyhow::Result<csv::Writer<File>> {
    let mut table = csv::Writer::from_writer(File::create_new(path)?);
    table.write_record([
        "message_id",
        "question_id",
        "scheduled",
        "sent",
        "acknowledged",
        "partition",
        "offset",
        "paraphrase_of",
    ])?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str) -> RunRecord {
        RunRecord {
            run: run.into(),
            seed: 1,
            settings: BTreeMap::from([("TRAFFIC_TOTAL".into(), "2".into())]),
            planned: Some(2),
            note: None,
            dataset: None,
            versions: Versions {
                traffic_generator: "0",
                librdkafka: "0".into(),
            },
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            state: State::Running,
            problem: None,
            asked: 0,
            unacknowledged: 0,
            late: 0,
            latest_ms: 0,
            closed_loop: None,
        }
    }

    fn event(acknowledged: Option<(Timestamp, Delivery)>) -> Event {
        let id = |text: &str| Id::try_from(text.to_owned()).unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        Event {
            message_id: id("m"),
            question_id: id("q"),
            scheduled: time("2026-01-02T03:04:05.006Z"),
            sent: time("2026-01-02T03:04:05.0071Z"),
            acknowledged,
            paraphrase_of: None,
        }
    }

    #[test]
    fn an_event_is_one_row_in_the_file_that_tells_whether_it_was_acknowledged() {
        let collected = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(collected.path(), record("r")).unwrap();
        journal
            .add(&event(Some((
                Timestamp::UNIX_EPOCH,
                Delivery {
                    partition: 2,
                    offset: 3,
                },
            ))))
            .unwrap();
        let paraphrased = Event {
            paraphrase_of: Some("p".into()),
            ..event(None)
        };
        journal.add(&paraphrased).unwrap();
        journal.record.state = State::Interrupted;
        journal.save().unwrap();
        let read = |name: &str| fs::read_to_string(collected.path().join("r").join(name)).unwrap();
        let columns = "message_id,question_id,scheduled,sent,acknowledged,partition,offset,paraphrase_of\n";
        let row = "m,q,2026-01-02T03:04:05.006Z,2026-01-02T03:04:05.007Z";
        assert_eq!(
            read("events.csv"),
            format!("{columns}{row},1970-01-01T00:00:00.000Z,2,3,\n")
        );
        assert_eq!(read("unacknowledged.csv"), format!("{columns}{row},,,,p\n"));
        let run: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
        assert_eq!(run["settings"]["TRAFFIC_TOTAL"], "2");
        assert_eq!((&run["state"], &run["asked"]), (&"interrupted".into(), &1.into()));
    }

    #[test]
    fn an_earlier_run_is_not_written_over() {
        let collected = tempfile::tempdir().unwrap();
        Journal::create(collected.path(), record("r")).unwrap();
        assert!(Journal::create(collected.path(), record("r")).is_err());
    }
}
