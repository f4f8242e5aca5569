//! Keeps the index in step with the results: what is decided is learnt from the topics, and from time to time the
//! number of results is compared, and what is missing read from MongoDB.
//!
//! To add an outcome costs as much of a processor as a tenth of all else that is done for a question, most of it for the
//! words. So this reads no topic until somebody looks, nor when nobody has for long. Whoever looks has it catch up.

mod tally;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contracts::value::now;
use futures::TryStreamExt as _;
use messaging::client::KafkaConfig;
use messaging::follower::follow;
use messaging::http::Readiness;
use messaging::input::{Origin, Outcome, Received};
use messaging::result_document::ResultDocument;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::tally::Tally;
use crate::index::writer::Learnt;
use crate::index::{Index, Row, Writer};
use crate::store::Store;

/// What readiness calls it.
pub const NAME: &str = "the reading of outcomes";
/// How many outcomes of each partition are read again after a start or a sleep: these may not be stored yet.
const NEWEST: usize = 1000;
/// Outcomes that may wait to be written; what does not fit is read from MongoDB.
const WAITING: usize = 20_000;
/// Most outcomes written together.
const BATCH: usize = 5000;
/// How long a batch gathers: words and pages are written together for little more than a few.
const GATHER: Duration = Duration::from_secs(2);
/// How often the number of results is compared.
const COMPARE_EVERY: Duration = Duration::from_secs(20);
/// What was decided so shortly ago may not be stored yet.
const UNDER_WAY: Duration = Duration::from_secs(60);
/// Ids that are compared together,
const COMPARED: usize = 5000;
/// and outcomes that are read together.
const READ: usize = 500;

/// How far the reading of all results is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// So many are read,
    pub done: u64,
    /// of about so many.
    pub of: u64,
}

/// Tells the pages how far the index is: `None` while it is in step.
pub type Progress = Arc<Mutex<Option<Reading>>>;

/// Fills the index.
pub struct Filler {
    writer: Arc<Mutex<Writer>>,
    index: Index,
    store: Store,
    progress: Progress,
    /// Outcomes that the topics have added.
    added: AtomicU64,
    /// Whether the topics had more than could wait, or were not read for a while.
    lost: AtomicBool,
    /// What a person has had forgotten, as far as the index knows of it.
    forgotten: Mutex<HashSet<String>>,
}

impl Filler {
    /// Of an index and the results that it lists.
    pub fn new(writer: Writer, index: Index, store: Store) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            index,
            store,
            progress: Progress::default(),
            added: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            forgotten: Mutex::default(),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Arc::clone(&self.progress)
    }

    /// Fills the index until `shutdown`.
    ///
    /// # Errors
    /// A Kafka setting that cannot be used, or an index that cannot be written.
    pub async fn run(
        self,
        kafka: &KafkaConfig,
        readiness: &Readiness,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        // While this was away, somebody may have had texts forgotten that it has, or that the topics still have.
        let Some(forgotten) = shutdown.run_until_cancelled(self.forget_anew()).await else {
            return Ok(());
        };
        forgotten?;
        let (sender, receiver) = channel(WAITING);
        let follow = self.index.sleep().while_awake(async || {
            self.lost.store(true, Ordering::Relaxed);
            // Records of before are read anew, of which texts may have been forgotten since.
            self.forget_anew().await?;
            let learn = |outcome| self.learn(outcome, &sender);
            // It is dropped, never asked to stop.
            follow(NAME, kafka, readiness, NEWEST, learn, CancellationToken::new()).await
        });
        let follow = async { shutdown.run_until_cancelled(follow).await.unwrap_or(Ok(())) };
        // Until somebody looks it needs no topic, and waits for none.
        readiness.begun(NAME);
        let write = async {
            tokio::select! {
                written = self.write(receiver) => written,
                () = self.compare() => Ok(()),
                () = shutdown.cancelled() => Ok(()),
            }
        };
        tokio::try_join!(follow, write)?;
        Ok(())
    }

    /// Hands on an outcome that was just decided.
    fn learn(&self, outcome: Outcome, sender: &Sender<Row>) {
        // Where it was read is of no account here.
        let origin = Origin {
            topic: String::new(),
            partition: 0,
            offset: 0,
        };
        let row = Row::of(ResultDocument::new(Received { input: outcome, origin }, ""));
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let row = if forgotten.contains(&row.message_id) {
            row.forgotten()
        } else {
            row
        };
        if sender.try_send(row).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// Writes what is learnt. The topics may have two outcomes of one request, as redelivery makes them. Both the store
    /// and this take the first, and of one partition they read the same one first; but a verdict and an error lie in
    /// different topics, so MongoDB is asked which one it has.
    async fn write(&self, mut receiver: Receiver<Row>) -> anyhow::Result<()> {
        let mut rows = vec![];
        while receiver.recv_many(&mut rows, BATCH).await > 0 {
            let batch = std::mem::take(&mut rows);
            let is_full = batch.len() == BATCH;
            let added = self.change(move |writer| writer.add(batch, Learnt::Topic)).await?;
            self.added.fetch_add(added.new as u64, Ordering::Relaxed);
            self.forget_anew().await?;
            // Under load the next batch is there already.
            if !is_full {
                sleep(GATHER).await;
            }
            for ids in added.doubtful.chunks(READ) {
                if let Err(error) = self.read(ids).await {
                    warn!(%error, requests = ?ids, "which of two outcomes was stored cannot be read");
                }
            }
        }
        Ok(())
    }

    /// Reads what is missing whenever there are more results, or fewer, than the index has, and no more are under way.
    async fn compare(&self) {
        let mut tally = Tally::default();
        let mut ticks = interval(COMPARE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.index.sleep().woken() => {}
            }
            if self.index.sleep().is_asleep() {
                continue;
            }
            let (Ok(stored), Ok(known)) = (self.store.count().await, self.change(Writer::count).await) else {
                continue;
            };
            let lost = self.lost.swap(false, Ordering::Relaxed);
            if tally.differs(stored, known, self.added.load(Ordering::Relaxed)) || lost {
                match self.read_all(stored).await {
                    Ok(unreadable) => tally = Tally::after(unreadable),
                    Err(error) => {
                        warn!(%error, "the results could not all be read; they are read again later");
                        self.lost.store(true, Ordering::Relaxed);
                        continue;
                    }
                }
            }
            self.tell(None);
            self.index.sleep().caught_up();
        }
    }

    /// Adds what is missing and removes what MongoDB has no more; gives how many outcomes cannot be read.
    async fn read_all(&self, of: u64) -> anyhow::Result<u64> {
        info!(results = of, "the index is brought in step with the results");
        let before = now().as_millisecond() - i64::try_from(UNDER_WAY.as_millis())?;
        self.change(Writer::begin_comparison).await?;
        let (added, unreadable) = self.read_missing(of).await?;
        let removed = self.change(move |writer| writer.end_comparison(before)).await?;
        info!(added, removed, unreadable, "the index is in step");
        Ok(unreadable)
    }

    /// Reads all ids, and what is missing of the outcomes, in half the time at most: MongoDB has more to do. Gives how
    /// many were read, and how many could not be.
    async fn read_missing(&self, of: u64) -> anyhow::Result<(u64, u64)> {
        let mut chunks = Box::pin(self.store.ids().await?.try_chunks(COMPARED));
        let (mut reading, mut added, mut unreadable) = (Reading { done: 0, of }, 0, 0);
        loop {
            self.tell(Some(reading));
            let began = Instant::now();
            let next = async { chunks.try_next().await.map_err(|error| error.1) };
            let Some(ids) = self.store.within_patience(next).await? else {
                return Ok((added, unreadable));
            };
            let count = ids.len() as u64;
            let missing = self.change(move |writer| writer.note(ids)).await?;
            sleep(began.elapsed()).await;
            reading.done += count - missing.len() as u64;
            for ids in missing.chunks(READ) {
                let began = Instant::now();
                let read = self.read(ids).await?;
                let (ids, count) = (ids.to_vec(), ids.len() as u64);
                self.change(move |writer| writer.note(ids)).await?;
                (added, unreadable) = (added + read, unreadable + (count - read));
                reading.done += count;
                self.tell(Some(reading));
                sleep(began.elapsed()).await;
            }
        }
    }

    /// Reads these outcomes from MongoDB, which decides what they are, and gives how many could be.
    async fn read(&self, ids: &[String]) -> anyhow::Result<u64> {
        let outcomes = self.store.results(ids).await?;
        let count = outcomes.len() as u64;
        self.change(move |writer| writer.add(outcomes.into_iter().map(Row::of).collect(), Learnt::Stored))
            .await?;
        self.forget_anew().await?;
        Ok(count)
    }

    /// Forgets what a person has had forgotten since the last time. `make forget` notes it first and takes it out of the
    /// index last: so what is added meanwhile, from where it was read before, is found by the one or the other.
    async fn forget_anew(&self) -> anyhow::Result<()> {
        let forgotten = self.store.mongo.forgotten().await;
        let new: Vec<String> = {
            let mut known = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
            forgotten.into_iter().filter(|id| known.insert(id.clone())).collect()
        };
        if !new.is_empty() {
            self.change(move |writer| writer.forget(&new)).await?;
        }
        Ok(())
    }

    fn tell(&self, reading: Option<Reading>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }

    /// Changes the index, on a thread that may wait.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Writer) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let writer = Arc::clone(&self.writer);
        let work = move || change(&mut writer.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(tokio::task::spawn_blocking(work).await??)
    }
}

#[cfg(test)]
mod tests {
    use messaging::input::Input as _;

    use super::*;
    use crate::index::tests::index;
    use crate::store::tests::nobodys_store;

    #[tokio::test]
    async fn what_was_forgotten_comes_without_texts() {
        let (_folder, index, writer) = index(vec![]);
        let store = nobodys_store().await;
        let filler = Filler::new(writer, index, store);
        let (sender, mut receiver) = channel(1);
        let example = include_str!("../../../contracts/examples/ErrorMessage/valid/every_field.json");
        let outcome = Outcome::Error(serde_json::from_str(example).unwrap());
        let id = outcome.identity().message_id.to_string();
        filler.forgotten.lock().unwrap().insert(id);
        filler.learn(outcome, &sender);
        assert_eq!(receiver.recv().await.unwrap().texts(), "");
    }
}
