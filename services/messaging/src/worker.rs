//! THE loop: consume → handle → produce → store offset. It exists once.
//!
//! An input offset is stored only after everything that follows from its record is
//! acknowledged, so a record may be handled twice but is never lost. Polling never stops
//! while work is pending: a full window pauses the partitions instead.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use metrics::{counter, gauge};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error_span, info, warn};

use crate::assignment::Assignment;
use crate::client::{KafkaConfig, Outgoing, Producer, is_news};
use crate::http::Readiness;
use crate::input::{Input, Received};
use crate::offsets::{OffsetTracker, Ticket};
use crate::output::Output;
use crate::topic::DEAD_LETTERS;

/// How long a stop waits for work in flight; what is unfinished then is redelivered.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(7);

/// Handles one record at a time; many are in flight and they finish in any order.
pub trait Handler: Send + Sync + 'static {
    /// What it reads.
    type Input: Input;

    /// Turns a message into the messages that follow from it.
    fn handle(&self, input: Self::Input) -> impl Future<Output = Result<Vec<Outgoing>, Failure>> + Send;
}

/// Handles what is ready together, in order, one batch in flight.
pub trait BatchHandler: Send + Sync + 'static {
    /// What it reads.
    type Input: Input;

    /// Does all the work of a batch; an error stops the service, the batch is redelivered.
    fn handle(&self, batch: Vec<Received<Self::Input>>) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Why a record was not handled.
#[derive(Debug)]
pub enum Failure {
    /// It can never be handled: a dead letter with this reason.
    Reject(String),
    /// The service is stopping: the record stays unfinished and is redelivered.
    GiveBack,
    /// The service cannot go on.
    Fatal(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Fatal(error)
    }
}

/// How much a worker takes on at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Most records handled together.
    pub batch: usize,
    /// How long a batch that is not full waits for more.
    pub wait: Duration,
    /// Most batches in flight.
    pub parallel: usize,
    /// Most records taken whose offset cannot be stored yet; more than are in flight, so
    /// that one slow record does not hold up the others.
    pub window_records: usize,
    /// Most bytes of records not finished.
    pub window_bytes: usize,
}

impl Pace {
    /// One record at a time, with up to `window` unfinished or behind an unfinished one.
    #[must_use]
    pub fn single(window: usize) -> Self {
        Self {
            batch: 1,
            wait: Duration::ZERO,
            parallel: window,
            window_records: window,
            window_bytes: 64 << 20,
        }
    }

    /// Batches of up to `batch` records, gathered for up to `wait`, one in flight.
    #[must_use]
    pub fn batches(batch: usize, wait: Duration) -> Self {
        Self {
            batch,
            wait,
            parallel: 1,
            window_records: 4 * batch,
            window_bytes: 64 << 20,
        }
    }
}

/// A member of a consumer group, with a producer for what follows from its records.
pub struct Worker {
    service: &'static str,
    group: &'static str,
    consumer: StreamConsumer<Assignment>,
    output: Output,
    readiness: Readiness,
}

impl Worker {
    /// A worker of `service` in the consumer group `group`.
    ///
    /// # Errors
    /// A Kafka setting that cannot be used.
    pub fn new(service: &'static str, group: &'static str, kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let consumer = kafka
            .consumer(group)
            .create_with_context(Assignment::default())
            .context("Kafka consumer settings")?;
        let output = Output {
            service,
            producer: Producer::new(kafka)?,
        };
        Ok(Self {
            service,
            group,
            consumer,
            output,
            readiness: Readiness::default(),
        })
    }

    /// Sets `readiness` once the topics are there and the worker has subscribed.
    #[must_use]
    pub fn reporting_to(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Handles every record by itself until `shutdown`.
    ///
    /// # Errors
    /// What the handler called fatal, or a Kafka error that waiting cannot mend.
    pub async fn run_each<H: Handler>(
        self,
        handler: H,
        window: usize,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let (handler, output) = (Arc::new(handler), self.output.clone());
        self.run::<H::Input, _>(Pace::single(window), &shutdown, move |mut records| {
            let (handler, output) = (Arc::clone(&handler), output.clone());
            async move {
                match records.pop() {
                    Some(record) => handle_one(&*handler, &output, record).await,
                    None => Ok(Done::Finished),
                }
            }
        })
        .await
    }

    /// Handles records in batches until `shutdown`.
    ///
    /// # Errors
    /// What the handler could not do, or a Kafka error that waiting cannot mend.
    pub async fn run_batches<H: BatchHandler>(
        self,
        handler: H,
        pace: Pace,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let (handler, output) = (Arc::new(handler), self.output.clone());
        self.run::<H::Input, _>(pace, &shutdown, move |records| {
            let (handler, output) = (Arc::clone(&handler), output.clone());
            async move { handle_batch(&*handler, &output, records).await }
        })
        .await
    }

    async fn run<I: Input, F: Future<Output = anyhow::Result<Done>> + Send + 'static>(
        self,
        pace: Pace,
        shutdown: &CancellationToken,
        work: impl Fn(Vec<OwnedMessage>) -> F,
    ) -> anyhow::Result<()> {
        let topics = I::topics();
        let needed = [&topics[..], &[DEAD_LETTERS]].concat();
        tokio::select! {
            () = self.output.producer.wait_for_topics(&needed) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        self.consumer.subscribe(&topics).context("subscribing")?;
        self.readiness.set(true);
        info!(service = self.service, ?topics, "consuming");
        let mut tasks = JoinSet::new();
        let outcome = self.consume(&pace, shutdown, &work, &mut tasks).await;
        if outcome.is_ok() {
            self.drain(&mut tasks).await?;
        }
        self.close().await;
        outcome
    }

    async fn consume<F: Future<Output = anyhow::Result<Done>> + Send + 'static>(
        &self,
        pace: &Pace,
        shutdown: &CancellationToken,
        work: &impl Fn(Vec<OwnedMessage>) -> F,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        let mut waiting = Waiting::default();
        let mut paused = false;
        loop {
            while tasks.len() < pace.parallel && waiting.is_ready(pace) {
                self.start(waiting.pop(pace.batch), work, tasks);
            }
            let due = waiting.due(pace).filter(|_| tasks.len() < pace.parallel);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(done) = tasks.join_next() => self.finish(done)?,
                record = self.consumer.recv() => match record {
                    Ok(record) => {
                        waiting.push(self.take(record.detach()));
                        if paused {
                            // Of a partition assigned since: it starts unpaused.
                            self.pause()?;
                        }
                    }
                    Err(error) => self.tolerate(&error)?,
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            paused = self.apply_backpressure(pace, paused)?;
        }
    }

    fn take(&self, record: OwnedMessage) -> (Ticket, OwnedMessage) {
        let bytes = record.payload().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len);
        let ticket = self
            .offsets()
            .take(record.topic(), record.partition(), record.offset(), bytes);
        (ticket, record)
    }

    fn start<F: Future<Output = anyhow::Result<Done>> + Send + 'static>(
        &self,
        batch: Vec<(Ticket, OwnedMessage)>,
        work: &impl Fn(Vec<OwnedMessage>) -> F,
        tasks: &mut Tasks,
    ) {
        let offsets = self.offsets();
        // A record whose partition was revoked meanwhile is the new owner's.
        let (tickets, records): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .filter(|(ticket, _)| offsets.is_current(ticket))
            .unzip();
        drop(offsets);
        if !records.is_empty() {
            let work = work(records);
            tasks.spawn(async move { (tickets, work.await) });
        }
    }

    fn finish(&self, done: Result<(Vec<Ticket>, anyhow::Result<Done>), JoinError>) -> anyhow::Result<()> {
        let (tickets, outcome) = done.context("a handler panicked")?;
        if outcome? == Done::GivenBack {
            return Ok(());
        }
        counter!("messages_handled_total", "group" => self.group).increment(tickets.len() as u64);
        let progress: Vec<_> = {
            let mut offsets = self.offsets();
            tickets.iter().filter_map(|ticket| offsets.finish(ticket)).collect()
        };
        for done in progress {
            // `store_offset` takes the offset that was read last and adds 1 itself.
            match self
                .consumer
                .store_offset(&done.topic, done.partition, done.next_offset - 1)
            {
                Ok(()) => {}
                Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) => debug!(?done, "no longer ours"),
                Err(error) => return Err(error).context("storing an offset"),
            }
        }
        Ok(())
    }

    fn tolerate(&self, error: &KafkaError) -> anyhow::Result<()> {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            return Err(anyhow!("Kafka consumer: {error}"));
        }
        if is_news(error) {
            warn!(server = "Kafka", %error, "cannot read now, trying on");
        }
        Ok(())
    }

    /// Pauses when the window is full and resumes when half of it is free again.
    fn apply_backpressure(&self, pace: &Pace, paused: bool) -> anyhow::Result<bool> {
        let (records, bytes) = {
            let offsets = self.offsets();
            (offsets.records(), offsets.bytes())
        };
        gauge!("messages_in_window", "group" => self.group).set(records as f64);
        let full = records >= pace.window_records || bytes >= pace.window_bytes;
        let roomy = records <= pace.window_records / 2 && bytes <= pace.window_bytes / 2;
        if full && !paused {
            self.pause()?;
        } else if paused && roomy {
            self.consumer.resume(&self.consumer.assignment()?).context("resuming")?;
        }
        Ok(full || (paused && !roomy))
    }

    fn pause(&self) -> anyhow::Result<()> {
        self.consumer.pause(&self.consumer.assignment()?).context("pausing")
    }

    /// Lets the work in flight end, up to [`DRAIN_DEADLINE`].
    async fn drain(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let deadline = Instant::now() + DRAIN_DEADLINE;
        while let Ok(Some(done)) = tokio::time::timeout_at(deadline, tasks.join_next()).await {
            self.finish(done)?;
        }
        if !tasks.is_empty() {
            warn!(
                unfinished = tasks.len(),
                "stopping; what is unfinished will be redelivered"
            );
        }
        Ok(())
    }

    /// Commits and leaves the group, but never waits long: the brokers may be away.
    async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.consumer.commit_consumer_state(CommitMode::Sync) {
                debug!(%error, "nothing to commit");
            }
        });
        if tokio::time::timeout(Duration::from_secs(2), closing).await.is_err() {
            warn!("could not leave the consumer group in time");
        }
    }

    fn offsets(&self) -> MutexGuard<'_, OffsetTracker> {
        self.consumer.context().offsets()
    }
}

/// How the work on a batch ended, if it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Finished,
    GivenBack,
}

type Tasks = JoinSet<(Vec<Ticket>, anyhow::Result<Done>)>;

async fn handle_one<H: Handler>(handler: &H, output: &Output, record: OwnedMessage) -> anyhow::Result<Done> {
    let input = match H::Input::decode(record.topic(), record.payload()) {
        Ok(input) => input,
        Err(reason) => return output.dead_letter(&record, &reason).await.map(|()| Done::Finished),
    };
    let span = error_span!("message", trace_id = %input.trace_id());
    async {
        match handler.handle(input).await {
            Ok(outgoing) if outgoing.iter().all(Outgoing::fits) => output.produce(&outgoing).await,
            Ok(_) => {
                output
                    .dead_letter(&record, "too_large: what follows from this record does not fit")
                    .await
            }
            Err(Failure::Reject(reason)) => output.dead_letter(&record, &reason).await,
            Err(Failure::GiveBack) => return Ok(Done::GivenBack),
            Err(Failure::Fatal(error)) => Err(error),
        }?;
        Ok(Done::Finished)
    }
    .instrument(span)
    .await
}

async fn handle_batch<H: BatchHandler>(
    handler: &H,
    output: &Output,
    records: Vec<OwnedMessage>,
) -> anyhow::Result<Done> {
    let mut batch = Vec::with_capacity(records.len());
    for record in records {
        match H::Input::decode(record.topic(), record.payload()) {
            Ok(input) => batch.push(Received {
                input,
                origin: (&record).into(),
            }),
            Err(reason) => output.dead_letter(&record, &reason).await?,
        }
    }
    if !batch.is_empty() {
        handler.handle(batch).await?;
    }
    Ok(Done::Finished)
}

/// Records taken but not started, with the time each was taken.
#[derive(Default)]
struct Waiting(VecDeque<(Instant, Ticket, OwnedMessage)>);

impl Waiting {
    fn push(&mut self, (ticket, record): (Ticket, OwnedMessage)) {
        self.0.push_back((Instant::now(), ticket, record));
    }

    /// When a batch that is not full must start all the same.
    fn due(&self, pace: &Pace) -> Option<Instant> {
        self.0.front().map(|&(taken, ..)| taken + pace.wait)
    }

    fn is_ready(&self, pace: &Pace) -> bool {
        self.0.len() >= pace.batch || self.due(pace).is_some_and(|due| due <= Instant::now())
    }

    fn pop(&mut self, batch: usize) -> Vec<(Ticket, OwnedMessage)> {
        let size = batch.min(self.0.len());
        self.0
            .drain(..size)
            .map(|(_, ticket, record)| (ticket, record))
            .collect()
    }
}
