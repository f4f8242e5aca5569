//! Keeps the index in step with the results: what is decided is learnt from the topics, and from time to time the
//! number of results is compared, and what is missing read from MongoDB.

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

use crate::index::{Index, Row, Writer};
use crate::store::Store;

/// What readiness calls it.
pub const NAME: &str = "the reading of outcomes";
/// How many outcomes of each partition are read again after a start.
const NEWEST: usize = 1000;
/// Outcomes that may wait to be written; what does not fit is found missing later.
const WAITING: usize = 20_000;
/// Most outcomes written together.
const BATCH: usize = 2000;
/// How long a batch gathers: many words are written together for little more than a few.
const GATHER: Duration = Duration::from_millis(500);
/// How often the number of results is compared.
const COMPARE_EVERY: Duration = Duration::from_secs(20);
/// What was decided so shortly ago may not be stored yet.
const UNDER_WAY: Duration = Duration::from_secs(60);

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
}

impl Filler {
    /// Of an index and the results that it lists.
    pub fn new(writer: Writer, index: Index, store: Store) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            index,
            store,
            progress: Progress::default(),
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
        let (sender, receiver) = channel(WAITING);
        let learn = |outcome| learn(outcome, &sender);
        let follow = follow(NAME, kafka, readiness, NEWEST, learn, shutdown.clone());
        let write = async {
            tokio::select! {
                written = self.write(receiver) => written,
                compared = self.compare() => compared,
                () = shutdown.cancelled() => Ok(()),
            }
        };
        tokio::try_join!(follow, write)?;
        Ok(())
    }

    /// Writes what is learnt.
    async fn write(&self, mut receiver: Receiver<ResultDocument>) -> anyhow::Result<()> {
        let mut outcomes = vec![];
        while receiver.recv_many(&mut outcomes, BATCH).await > 0 {
            self.change(std::mem::take(&mut outcomes), |writer, rows| writer.add(rows))
                .await?;
            sleep(GATHER).await;
        }
        Ok(())
    }

    /// Reads all results whenever there are more of them, or fewer, than the index has, and none are under way.
    async fn compare(&self) -> anyhow::Result<()> {
        let mut before = None;
        let mut ticks = interval(COMPARE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let known = self
                .index
                .read(|index| index.query_row("SELECT count(*) FROM results", [], |row| row.get::<_, i64>(0)));
            let (Ok(stored), Ok(known)) = (self.store.count().await, known.await) else {
                continue;
            };
            let known = u64::try_from(known)?;
            let differs = stored != known;
            // The same difference twice is none that passes; an index that is new need not wait to find out.
            if differs && (known == 0 || before == Some((stored, known))) {
                before = None;
                self.read_all(stored).await?;
            } else {
                before = differs.then_some((stored, known));
            }
        }
    }

    /// Reads all results, in half the time at most: MongoDB has more to do.
    async fn read_all(&self, of: u64) -> anyhow::Result<()> {
        info!(results = of, "the index is brought in step with the results");
        let before = now().as_millisecond() - i64::try_from(UNDER_WAY.as_millis())?;
        self.change(vec![], |writer, _| writer.begin_comparison()).await?;
        let mut reading = Reading { done: 0, of };
        let mut added = 0;
        let read: mongodb::error::Result<()> = async {
            let mut chunks = Box::pin(self.store.all().await?.try_chunks(BATCH));
            loop {
                let began = Instant::now();
                self.tell(Some(reading));
                let chunk = chunks.try_next().await.map_err(|error| error.1)?;
                let Some(chunk) = chunk else { return Ok(()) };
                reading.done += chunk.len() as u64;
                let noted = |writer: &mut Writer, rows: Vec<Row>| {
                    writer.note(&rows)?;
                    writer.add(rows)
                };
                added += self.change(chunk, noted).await.unwrap_or_default();
                sleep(began.elapsed()).await;
            }
        }
        .await;
        self.tell(None);
        match read {
            Ok(()) => {
                let removed = self
                    .change(vec![], move |writer, _| writer.end_comparison(before))
                    .await?;
                info!(added, removed, "the index is in step");
            }
            Err(error) => warn!(%error, "the results could not all be read; they are read again later"),
        }
        Ok(())
    }

    fn tell(&self, reading: Option<Reading>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }

    /// Changes the index, on a thread that may wait.
    async fn change<T: Send + 'static>(
        &self,
        outcomes: Vec<ResultDocument>,
        change: impl FnOnce(&mut Writer, Vec<Row>) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let writer = Arc::clone(&self.writer);
        let work = move || {
            let rows = outcomes.into_iter().map(Row::of).collect();
            change(&mut writer.lock().unwrap_or_else(PoisonError::into_inner), rows)
        };
        Ok(tokio::task::spawn_blocking(work).await??)
    }
}

/// Hands on an outcome that was just decided.
fn learn(outcome: Outcome, sender: &Sender<ResultDocument>) {
    // Where it was read is of no account here.
    let origin = Origin {
        topic: String::new(),
        partition: 0,
        offset: 0,
    };
    let _ = sender.try_send(ResultDocument::new(Received { input: outcome, origin }, ""));
}
