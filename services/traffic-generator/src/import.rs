//! A dataset file into MongoDB's `questions`; what is there already stays as it is.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::mem;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use messaging::collection::Collection;
use messaging::mongo::{Mongo, MongoConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::dataset::{Question, Rows};
use crate::tally::Tally;

/// Questions inserted together.
const BATCH: usize = 1000;
/// How large a batch may become before it is full anyway, in bytes of the file.
const BATCH_BYTES: u64 = 16 << 20;
/// How often progress is logged where there is no terminal to show it on.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Streams `file` into MongoDB, showing progress.
///
/// # Errors
/// A file that cannot be read, or that has no question; a stop before its end.
pub async fn import(file: &Path, mongo: &MongoConfig, shutdown: &CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => bail!("stopped before the end of {}; what was imported stays", file.display()),
        imported = import_all(file, mongo) => imported,
    }
}

async fn import_all(file: &Path, mongo: &MongoConfig) -> anyhow::Result<()> {
    // What cannot be read is told before anything is waited for.
    let rows = Rows::open(file)?;
    let bytes = file.metadata()?.len();
    let progress = Progress::new(bytes);
    let mongo = mongo.connect(crate::SERVICE).await?;
    let forgotten = mongo.forgotten().await;
    let mut into = Importer {
        mongo,
        forgotten,
        batch: Vec::with_capacity(BATCH),
        already_there: 0,
        passed_over: 0,
        progress,
    };
    let mut tally = Tally::default();
    let mut full_at = BATCH_BYTES;
    for row in rows {
        let (position, question) = row?;
        into.batch.extend(tally.count(position, question));
        if into.batch.len() == BATCH || position.byte >= full_at {
            into.insert(position.byte, &tally).await;
            full_at = position.byte + BATCH_BYTES;
        }
    }
    into.insert(bytes, &tally).await;
    into.progress.bar.finish_and_clear();
    tally.report(file)?;
    let Importer {
        already_there,
        passed_over,
        ..
    } = into;
    info!(
        imported = tally.good - already_there - passed_over,
        already_there,
        forgotten = passed_over,
        bad = tally.bad,
        "questions imported"
    );
    Ok(())
}

struct Importer {
    mongo: Mongo,
    forgotten: HashSet<String>,
    batch: Vec<Question>,
    already_there: u64,
    passed_over: u64,
    progress: Progress,
}

impl Importer {
    /// Inserts the batch, which is everything read up to `byte`.
    async fn insert(&mut self, byte: u64, tally: &Tally) {
        let mut batch = mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let read = batch.len();
        batch.retain(|question| !self.forgotten.contains(&question.question_id));
        self.passed_over += (read - batch.len()) as u64;
        if !batch.is_empty() {
            let questions: Collection<Question> = self.mongo.collection("questions");
            self.already_there += self.mongo.until_ok(|| questions.insert_new(&batch)).await.len() as u64;
        }
        self.progress.show(byte, tally);
    }
}

/// A bar on a terminal, a log line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    said: Instant,
}

impl Progress {
    fn new(bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {msg}, {eta} left") {
            bar.set_style(style);
        }
        Self {
            bar,
            said: Instant::now(),
        }
    }

    fn show(&mut self, byte: u64, tally: &Tally) {
        self.bar.set_position(byte);
        self.bar.set_message(format!("{} questions", tally.good));
        if !std::io::stderr().is_terminal() && self.said.elapsed() >= LOG_EVERY {
            self.said = Instant::now();
            let percent = 100 * byte / self.bar.length().unwrap_or_default().max(1);
            info!(questions = tally.good, bad = tally.bad, percent, "importing");
        }
    }
}
