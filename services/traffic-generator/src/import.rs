//! A dataset file into MongoDB's `questions`; what is there already stays as it is.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use messaging::mongo::{Mongo, duplicates};
use messaging::wait::Seldom;
use mongodb::Collection;
use mongodb::options::InsertManyOptions;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::dataset::{Question, Rows};

const BATCH: usize = 1000;
/// Bad rows named one by one; the others are only counted.
const NAMED: u64 = 20;

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Questions that are new.
    pub imported: u64,
    /// Questions that were there before, or twice in the file.
    pub already_there: u64,
    /// Rows that cannot be used.
    pub bad: u64,
}

/// Streams `file` into MongoDB, showing progress.
///
/// # Errors
/// A file that cannot be read, or that has no row of use.
pub async fn import(file: &Path, mongo: &Mongo, shutdown: &CancellationToken) -> anyhow::Result<Report> {
    let questions: Collection<Question> = mongo.database.collection("questions");
    let progress = Progress::new(file.metadata().map(|meta| meta.len()).unwrap_or_default());
    let mut report = Report::default();
    let mut batch = Vec::with_capacity(BATCH);
    for row in Rows::open(file)? {
        let (position, question) = row?;
        match question {
            Ok(question) => batch.push(question),
            Err(problem) => {
                report.bad += 1;
                if report.bad <= NAMED {
                    warn!(line = position.line, problem, "a row that cannot be used");
                }
            }
        }
        if batch.len() == BATCH {
            insert(&questions, mongo, &mut batch, &mut report).await;
            progress.show(position.byte, &report);
            ensure!(
                !shutdown.is_cancelled(),
                "stopped before the end; what was imported stays"
            );
        }
    }
    insert(&questions, mongo, &mut batch, &mut report).await;
    progress.bar.finish_and_clear();
    info!(
        imported = report.imported,
        already_there = report.already_there,
        bad = report.bad,
        "imported"
    );
    ensure!(
        report.imported + report.already_there > 0,
        "{}: no row can be used",
        file.display()
    );
    Ok(report)
}

async fn insert(questions: &Collection<Question>, mongo: &Mongo, batch: &mut Vec<Question>, report: &mut Report) {
    if batch.is_empty() {
        return;
    }
    let options = InsertManyOptions::builder().ordered(false).build();
    let insert = || async { duplicates(questions.insert_many(&*batch).with_options(options.clone()).await) };
    let already_there = mongo.until_ok(insert).await.len() as u64;
    report.already_there += already_there;
    report.imported += batch.len() as u64 - already_there;
    batch.clear();
}

/// A bar on a terminal, a log line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    log: Seldom,
}

impl Progress {
    fn new(bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("importing {wide_bar} {bytes}/{total_bytes} {msg} eta {eta}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            bar,
            log: Seldom::default(),
        }
    }

    fn show(&self, byte: u64, report: &Report) {
        self.bar.set_position(byte);
        self.bar
            .set_message(format!("{} questions", report.imported + report.already_there));
        if self.bar.is_hidden() && self.log.now() {
            info!(
                imported = report.imported,
                already_there = report.already_there,
                bad = report.bad,
                "importing"
            );
        }
    }
}
