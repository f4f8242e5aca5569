//! Asks the questions at their times. Open loop: the schedule does not wait for the system.

use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use messaging::client::{Outgoing, Producer};
use messaging::message::QuestionMessage;
use messaging::value::{Id, now};
use messaging::wait::Seldom;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::arrivals::{Arrival, Arrivals};
use crate::config::Traffic;
use crate::dataset::Question;
use crate::journal::{Event, Journal, RunRecord};
use crate::source::Source;

/// Questions fetched together, ahead of their time.
const AHEAD: usize = 256;
/// Most questions that Kafka has not acknowledged yet.
const OUTSTANDING: usize = 10_000;
/// How long a stop waits for acknowledgements.
const DRAIN: Duration = Duration::from_secs(7);
/// A question sent this long after its time is late.
const LATE: SignedDuration = SignedDuration::from_millis(100);

/// A run: its name, its seed, and whether its ids derive from both.
pub struct Run {
    pub name: String,
    pub seed: u64,
    pub repeatable: bool,
}

impl Run {
    /// The run that the settings describe; what they leave open is drawn.
    pub fn new(traffic: &Traffic) -> Self {
        Self {
            name: traffic
                .traffic_run
                .clone()
                .unwrap_or_else(|| Uuid::now_v7().to_string()),
            seed: traffic.traffic_seed.unwrap_or_else(rand::random),
            repeatable: traffic.traffic_run.is_some() && traffic.traffic_seed.is_some(),
        }
    }

    fn id(&self, kind: &str, index: u64) -> Id {
        if !self.repeatable {
            return Id::random();
        }
        let name = format!("cotejo/{}/{}/{kind}/{index}", self.name, self.seed);
        Id::from(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    fn question(&self, index: u64, question: Question, scheduled: Timestamp) -> anyhow::Result<QuestionMessage> {
        Ok(QuestionMessage {
            message_id: self.id("message", index),
            trace_id: self.id("trace", index),
            question_id: question.question_id.try_into()?,
            title: question.title,
            content: question.content,
            best_answer: question.best_answer,
            source: question.source,
            created_at: now(),
            attempts: 0,
            asked_at: Some(scheduled),
            retry_of: None,
        })
    }
}

/// Asks all questions of a run and keeps its journal.
///
/// # Errors
/// A trace, a dataset or a journal that cannot be used; a record that Kafka refuses for good.
pub async fn send(
    traffic: &Traffic,
    source: Source,
    producer: Producer,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let run = Run::new(traffic);
    let (questions, hash) = (source.len(), source.hash());
    let arrivals = Arrivals::new(traffic, run.seed, questions)?;
    let mut journal = Journal::create(&traffic.data_collected_dir, &run.name)?;
    let mut record = RunRecord {
        run: &run.name,
        seed: run.seed,
        settings: traffic,
        questions_in_dataset: questions,
        dataset_hash: &hash,
        version: env!("CARGO_PKG_VERSION"),
        started_at: now(),
        ended_at: None,
        state: "running",
        asked: 0,
        late: 0,
        latest_ms: 0,
    };
    journal.describe(&record)?;
    info!(
        run = run.name,
        seed = run.seed,
        questions,
        total = traffic.traffic_total,
        "asking"
    );
    let punctuality = ask_all(&run, arrivals, source, &producer, &mut journal, &shutdown).await?;
    record.state = if shutdown.is_cancelled() {
        "interrupted"
    } else {
        "complete"
    };
    record.ended_at = Some(now());
    (record.asked, record.late, record.latest_ms) = (journal.count, punctuality.late, punctuality.latest_ms);
    journal.describe(&record)?;
    info!(
        run = run.name,
        asked = record.asked,
        late = record.late,
        state = record.state,
        "asked"
    );
    Ok(())
}

async fn ask_all(
    run: &Run,
    arrivals: Arrivals,
    source: Source,
    producer: &Producer,
    journal: &mut Journal,
    shutdown: &CancellationToken,
) -> anyhow::Result<Punctuality> {
    let (sender, mut planned) = mpsc::channel(AHEAD);
    let planner = tokio::spawn(plan(arrivals, source, sender));
    let (started, start) = (Instant::now(), now());
    let mut outstanding = JoinSet::new();
    let mut punctuality = Punctuality::default();
    let mut flush = interval(Duration::from_millis(100));
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next: Option<(Arrival, Question)> = None;
    for index in 0.. {
        // Wait for the next question's time; meanwhile take what Kafka acknowledges.
        let arrival = loop {
            let due = next
                .as_ref()
                .map(|(arrival, _)| started + Duration::from_secs_f64(arrival.at));
            let has_room = outstanding.len() < OUTSTANDING;
            tokio::select! {
                () = shutdown.cancelled() => break None,
                Some(event) = outstanding.join_next() => journal.add(&event??)?,
                _ = flush.tick() => journal.flush()?,
                question = planned.recv(), if next.is_none() => match question {
                    Some(question) => next = Some(question),
                    None => break None,
                },
                () = sleep_until(due.unwrap_or(started)), if due.is_some() && has_room => break next.take(),
            }
        };
        let Some((arrival, question)) = arrival else { break };
        let scheduled = start + SignedDuration::from_secs_f64(arrival.at);
        punctuality.note(scheduled);
        outstanding.spawn(ask(
            run.question(index, question, scheduled)?,
            scheduled,
            producer.clone(),
        ));
    }
    let deadline = shutdown.is_cancelled().then(|| Instant::now() + DRAIN);
    drain(outstanding, deadline, journal).await?;
    if shutdown.is_cancelled() {
        planner.abort();
        return Ok(punctuality);
    }
    planner.await.context("planning")??;
    Ok(punctuality)
}

/// Draws arrivals and fetches their questions ahead of their time.
async fn plan(
    mut arrivals: Arrivals,
    mut source: Source,
    planned: mpsc::Sender<(Arrival, Question)>,
) -> anyhow::Result<()> {
    loop {
        let chunk: Vec<Arrival> = arrivals.by_ref().take(AHEAD).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let indices: Vec<usize> = chunk.iter().map(|arrival| arrival.question).collect();
        for pair in chunk.into_iter().zip(source.fetch(&indices).await?) {
            if planned.send(pair).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn ask(question: QuestionMessage, scheduled: Timestamp, producer: Producer) -> anyhow::Result<Event> {
    let sent = now();
    let delivery = producer.send(&Outgoing::new(&question)).await.context("asking")?;
    let QuestionMessage {
        message_id,
        question_id,
        ..
    } = question;
    Ok(Event {
        message_id,
        question_id,
        scheduled,
        sent,
        acknowledged: now(),
        delivery,
    })
}

/// Takes the acknowledgements that are still to come.
async fn drain(
    mut outstanding: JoinSet<anyhow::Result<Event>>,
    deadline: Option<Instant>,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    loop {
        let event = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, outstanding.join_next())
                .await
                .unwrap_or(None),
            None => outstanding.join_next().await,
        };
        match event {
            Some(event) => journal.add(&event??)?,
            None => break,
        }
    }
    if !outstanding.is_empty() {
        warn!(
            count = outstanding.len(),
            "stopping before Kafka acknowledged these questions"
        );
    }
    journal.flush()
}

/// How well the schedule is kept.
#[derive(Default)]
struct Punctuality {
    late: u64,
    latest_ms: i64,
    warning: Seldom,
}

impl Punctuality {
    fn note(&mut self, scheduled: Timestamp) {
        let behind = now().duration_since(scheduled);
        if behind <= LATE {
            return;
        }
        self.late += 1;
        self.latest_ms = self
            .latest_ms
            .max(i64::try_from(behind.as_millis()).unwrap_or(i64::MAX));
        if self.warning.now() {
            warn!(
                behind_ms = behind.as_millis(),
                "CANNOT KEEP THE SCHEDULE: questions are sent after their time"
            );
        }
    }
}
