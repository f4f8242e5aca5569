//! THE loop: consume → handle → produce → store offset. It exists once.
//!
//! An input offset is stored only after everything that follows from its record is
//! acknowledged, so a record may be handled twice but is never lost. A full window stops the
//! reading, and soon pauses the partitions, so that polling goes on while work is pending.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use metrics::{counter, gauge};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::assignment::Assignment;
use crate::client::{KafkaConfig, is_refusal, tell};
use crate::handler::{BatchHandler, Done, Handler, handle_batch, handle_one};
use crate::http::Readiness;
use crate::input::Input;
use crate::lease::Lease;
use crate::offsets::{OffsetTracker, Ticket};
use crate::output::Output;
use crate::pace::{Flow, Pace, Waiting};
use crate::producer::Producer;
use crate::wait::Absence;
use contracts::topic::DEAD_LETTERS;

/// How long a group that Kafka refuses is not ready: it is told so again before.
const REFUSED_FOR: Duration = Duration::from_secs(40);

/// A member of a consumer group, with a producer for what follows from its records.
pub struct Worker {
    service: &'static str,
    group: &'static str,
    consumer: StreamConsumer<Assignment>,
    output: Output,
    readiness: Option<Readiness>,
    drain_deadline: Duration,
}

impl Worker {
    /// A worker of `service` in the consumer group `group`.
    ///
    /// # Errors
    /// A Kafka setting that cannot be used.
    pub fn new(service: &'static str, group: &'static str, kafka: &KafkaConfig) -> anyhow::Result<Self> {
        Self::with(kafka.consumer(group), service, group, kafka)
    }

    /// A worker that reads several topics, each of which its group shares out by itself.
    ///
    /// Else only the sum is shared out, and one member may get the one topic that has all the work. The price:
    /// whenever a member comes or goes, all have to begin anew with what they have not finished.
    ///
    /// # Errors
    /// A Kafka setting that cannot be used.
    pub fn of_several_topics(service: &'static str, group: &'static str, kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let mut consumer = kafka.consumer(group);
        consumer.set("partition.assignment.strategy", "range");
        Self::with(consumer, service, group, kafka)
    }

    fn with(
        consumer: ClientConfig,
        service: &'static str,
        group: &'static str,
        kafka: &KafkaConfig,
    ) -> anyhow::Result<Self> {
        let consumer = consumer
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
            readiness: None,
            drain_deadline: kafka.drain_deadline,
        })
    }

    /// Tells `readiness`, by the name of its group, once the topics are there and the worker has subscribed.
    #[must_use]
    pub fn reporting_to(mut self, readiness: &Readiness) -> Self {
        self.readiness = Some(readiness.clone());
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
        let work = move |mut records: Vec<Leased>| {
            let (handler, output) = (Arc::clone(&handler), output.clone());
            async move {
                match records.pop() {
                    Some((record, lease)) => handle_one(&*handler, &output, record, &lease).await,
                    None => Ok(Done::Finished),
                }
            }
            .boxed()
        };
        self.run(H::Input::topics(), Pace::single(window), shutdown, Box::new(work))
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
        let work = move |records: Vec<Leased>| {
            let (handler, output) = (Arc::clone(&handler), output.clone());
            let records = records.into_iter().map(|(record, _)| record).collect();
            async move { handle_batch(&*handler, &output, records).await }.boxed()
        };
        self.run(H::Input::topics(), pace, shutdown, Box::new(work)).await
    }

    /// In a box, that services need not compile the loop again for each of their handlers.
    fn run(
        self,
        topics: Vec<&'static str>,
        pace: Pace,
        shutdown: CancellationToken,
        work: Box<Work>,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        async move {
            let needed = [&topics[..], &[DEAD_LETTERS]].concat();
            let topics: Vec<_> = topics.iter().map(|topic| self.output.producer.topic(topic)).collect();
            let topics: Vec<_> = topics.iter().map(|topic| &**topic).collect();
            tokio::select! {
                () = self.output.producer.wait_for_topics(&needed) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            self.consumer.subscribe(&topics).context("subscribing")?;
            if let Some(readiness) = &self.readiness {
                readiness.begun(self.group);
            }
            info!(service = self.service, ?topics, "consuming");
            let mut tasks = JoinSet::new();
            let outcome = self.consume(&pace, &needed, &shutdown, &*work, &mut tasks).await;
            if outcome.is_ok() {
                self.drain(&mut tasks).await?;
            }
            self.close().await;
            outcome
        }
        .boxed()
    }

    async fn consume(
        &self,
        pace: &Pace,
        needed: &[&'static str],
        shutdown: &CancellationToken,
        work: &Work,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        let mut waiting = Waiting::default();
        let mut flow = Flow::Open;
        // Who is not ready meanwhile is whoever waits for Kafka.
        let mut absence = JoinSet::new();
        loop {
            while tasks.len() < pace.parallel && waiting.is_ready(pace) {
                self.start(waiting.pop(pace.batch), shutdown, work, tasks);
            }
            let due = waiting.due(pace).filter(|_| tasks.len() < pace.parallel);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(done) = tasks.join_next() => self.finish(done)?,
                record = self.consumer.recv(), if flow.reads() => match record {
                    Ok(record) => {
                        waiting.push(self.take(record.detach()));
                        if flow == Flow::Paused {
                            // Of a partition assigned since: it starts resumed.
                            self.pause()?;
                        }
                    }
                    Err(error) => {
                        self.tolerate(&error)?;
                        if absence.is_empty() {
                            let (producer, refused) = (self.output.producer.clone(), is_refusal(&error, ""));
                            let (group, needed) = (format!("group {}", self.group), needed.to_vec());
                            absence.spawn(async move {
                                producer.wait_for_topics(&needed).await;
                                if refused {
                                    // It may allow everything else.
                                    let _absence = Absence::begin("Kafka", &group);
                                    sleep(REFUSED_FOR).await;
                                }
                            });
                        }
                    }
                },
                Some(_) = absence.join_next() => {}
                () = sleep_until(due) => {}
                () = sleep_until(flow.pause_at()) => {}
            }
            flow = self.regulate(flow, pace)?;
        }
    }

    fn take(&self, record: OwnedMessage) -> (Ticket, OwnedMessage) {
        let bytes = record.payload().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len);
        let ticket = self
            .offsets()
            .take(record.topic(), record.partition(), record.offset(), bytes);
        (ticket, record)
    }

    fn start(&self, batch: Vec<(Ticket, OwnedMessage)>, shutdown: &CancellationToken, work: &Work, tasks: &mut Tasks) {
        // A record whose partition was revoked meanwhile is the new owner's.
        let (tickets, records): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .filter(|(ticket, _)| !ticket.end().is_cancelled())
            .map(|(ticket, record)| {
                let lease = Lease::new(ticket.end().clone(), shutdown.clone());
                (ticket, (record, lease))
            })
            .unzip();
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
                Err(KafkaError::StoreOffset(RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition)) => {
                    debug!(?done, "no longer ours");
                }
                Err(error) => return Err(error).context("storing an offset"),
            }
        }
        Ok(())
    }

    fn tolerate(&self, error: &KafkaError) -> anyhow::Result<()> {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            return Err(anyhow!("Kafka consumer: {error}"));
        }
        tell(error, "nothing can be read now");
        Ok(())
    }

    /// Keeps the window bounded; see [`Flow`].
    fn regulate(&self, flow: Flow, pace: &Pace) -> anyhow::Result<Flow> {
        let (records, bytes) = {
            let offsets = self.offsets();
            (offsets.records(), offsets.bytes())
        };
        gauge!("messages_in_window", "group" => self.group).set(records as f64);
        let next = flow.next(pace.fullness(records, bytes), Instant::now());
        match (flow, next) {
            (Flow::Full { .. }, Flow::Paused) => self.pause()?,
            (Flow::Paused, Flow::Open) => self.consumer.resume(&self.consumer.assignment()?).context("resuming")?,
            _ => {}
        }
        Ok(next)
    }

    fn pause(&self) -> anyhow::Result<()> {
        self.consumer.pause(&self.consumer.assignment()?).context("pausing")
    }

    /// Lets the work in flight end, up to a deadline.
    async fn drain(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.drain_deadline;
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

/// A record with the right to work on it.
type Leased = (OwnedMessage, Lease);
/// What is done with records. In a box, too: a task that carries its work in itself is copied as a whole, several times.
type Work = dyn Fn(Vec<Leased>) -> BoxFuture<'static, anyhow::Result<Done>> + Send + Sync;
type Tasks = JoinSet<(Vec<Ticket>, anyhow::Result<Done>)>;

/// For ever, if there is no such time.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
