//! Asks the questions when [`Turns`] say so.

use std::time::Duration;

use anyhow::Context as _;
use contracts::value::{Id, now};
use futures::channel::mpsc::{Sender, channel};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use jiff::SignedDuration;
use messaging::producer::{Outgoing, Producer};
use rdkafka::error::KafkaError;
use tokio::time::{interval, interval_at, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, info, warn};

use crate::arrivals::{Arrival, Arrivals};
use crate::identity::Run;
use crate::journal::{Event, Journal, State};
use crate::paraphrase::paraphrase;
use crate::source::Source;
use crate::turns::{Request, Requests, Start, Turns, is_fetched};

/// Questions fetched together, ahead of their time.
const AHEAD: usize = 256;
/// Most bytes that Kafka has not acknowledged yet; the schedule waits beyond that, loudly.
const MOST_OUTSTANDING: usize = 32 << 20;
/// How long a stop waits for acknowledgements.
const DRAIN: Duration = Duration::from_secs(7);
/// How often readers of the journal see what is new.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How often the log tells how the run goes.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// A question sent this long after its time is late.
const LATE: Duration = Duration::from_millis(100);

/// Asks all questions of a run and keeps its journal; returns how it ended.
///
/// # Errors
/// A dataset or a journal that cannot be used; a question that Kafka refuses for good.
pub async fn send(
    run: &Run,
    arrivals: Arrivals,
    source: Source,
    turns: Turns,
    producer: Producer,
    journal: &mut Journal,
    shutdown: &CancellationToken,
) -> anyhow::Result<State> {
    let (sender, requests) = channel(AHEAD);
    let planner = AbortOnDropHandle::new(tokio::spawn(plan(arrivals, source, sender)));
    let mut asker = Asker {
        run,
        turns,
        producer,
        journal,
        deliveries: FuturesUnordered::new(),
        outstanding: 0,
        give_up: CancellationToken::new(),
        behind: Duration::ZERO,
    };
    let asked = asker.ask_all(requests.peekable(), shutdown).await;
    let drained = asker.drain(asked.is_ok(), shutdown).await;
    asker.journal.record.closed_loop = asker.turns.record();
    if asked? == State::Interrupted {
        return drained.map(|()| State::Interrupted);
    }
    drained?;
    planner.await.context("fetching questions")??;
    Ok(State::Complete)
}

/// Draws arrivals and fetches their questions ahead of their time.
async fn plan(mut arrivals: Arrivals, mut source: Source, mut requests: Sender<Request>) -> anyhow::Result<()> {
    let mut index = 0;
    loop {
        let chunk: Vec<Arrival> = arrivals.by_ref().take(AHEAD).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let indices: Vec<usize> = chunk.iter().map(|arrival| arrival.question).collect();
        for (arrival, question) in chunk.into_iter().zip(source.fetch(&indices).await?) {
            let at = Duration::from_millis((arrival.at * 1e3).round() as u64);
            let other = arrival.paraphrase.and_then(|seed| paraphrase(&question, seed));
            let request = Request {
                index,
                at,
                paraphrase_of: other.as_ref().map(|_| question.question_id.clone()),
                question: other.unwrap_or(question),
            };
            if requests.send(request).await.is_err() {
                return Ok(());
            }
            index += 1;
        }
    }
}

struct Asker<'a> {
    run: &'a Run,
    turns: Turns,
    producer: Producer,
    journal: &'a mut Journal,
    deliveries: FuturesUnordered<BoxFuture<'static, Delivery>>,
    /// Bytes that Kafka has not acknowledged yet.
    outstanding: usize,
    /// Ends the deliveries that are still awaited.
    give_up: CancellationToken,
    /// How late questions were since the last report.
    behind: Duration,
}

impl Asker<'_> {
    async fn ask_all(&mut self, mut requests: Requests, shutdown: &CancellationToken) -> anyhow::Result<State> {
        tokio::select! {
            () = is_fetched(&mut requests) => {}
            () = shutdown.cancelled() => return Ok(State::Interrupted),
        }
        let start = Start::now();
        let mut flush = interval(FLUSH_EVERY);
        let mut report = interval_at(start.instant + REPORT_EVERY, REPORT_EVERY);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(State::Interrupted),
                _ = flush.tick() => self.journal.flush()?,
                _ = report.tick() => {
                    let behind = self.turns.behind(&mut requests, start);
                    self.report(behind);
                }
                Some(delivery) = self.deliveries.next() => self.settle(delivery)?,
                due = self.turns.next(&mut requests, start), if self.outstanding < MOST_OUTSTANDING => match due {
                    Some(request) => self.ask(request, start)?,
                    None => return Ok(State::Complete),
                },
            }
        }
    }

    fn ask(&mut self, request: Request, start: Start) -> anyhow::Result<()> {
        let scheduled = start.time.checked_add(SignedDuration::try_from(request.at)?)?;
        let message = self.run.message(request.index, request.question, scheduled)?;
        self.note_lateness((start.instant + request.at).elapsed());
        let record = Outgoing::new(&message);
        let identity = message.identity;
        self.turns.asked(&identity.message_id);
        let event = Event {
            message_id: identity.message_id,
            question_id: identity.question_id,
            scheduled,
            sent: now(),
            acknowledged: None,
            paraphrase_of: request.paraphrase_of,
        };
        let delivery = Delivery {
            record,
            event,
            trace_id: identity.trace_id,
            refusal: None,
        };
        self.outstanding += delivery.bytes();
        self.deliveries
            .push(delivery.done(self.producer.clone(), self.give_up.clone()).boxed());
        Ok(())
    }

    fn note_lateness(&mut self, behind: Duration) {
        if behind > LATE {
            self.journal.record.late += 1;
            self.journal.record.latest_ms = self.journal.record.latest_ms.max(behind.as_millis() as u64);
            self.behind = self.behind.max(behind);
        }
    }

    /// Tells how the run goes; the next question has waited for `waiting` since its time.
    fn report(&mut self, waiting: Duration) {
        let behind = std::mem::take(&mut self.behind).max(waiting);
        let (acknowledged, outstanding) = (self.journal.record.asked, self.deliveries.len());
        if behind > LATE {
            warn!(
                behind_ms = behind.as_millis(),
                acknowledged, outstanding, "CANNOT KEEP THE SCHEDULE: questions are asked after their time"
            );
        } else {
            info!(acknowledged, outstanding, "asking");
        }
    }

    fn settle(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        self.outstanding -= delivery.bytes();
        self.journal.add(&delivery.event)?;
        delivery
            .refusal
            .map_or(Ok(()), |refusal| Err(refusal).context("Kafka refuses a question"))
    }

    /// Takes the acknowledgements that are still to come: all of them, unless a signal or a
    /// failure has ended the run, after which there is not much time.
    async fn drain(&mut self, has_time: bool, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let give_up = self.give_up.clone();
        let mut patience = std::pin::pin!(async {
            if has_time {
                shutdown.cancelled().await;
            }
            sleep(DRAIN).await;
            give_up.cancel();
        });
        let mut flush = interval(FLUSH_EVERY);
        let mut drained = Ok(());
        while !self.deliveries.is_empty() {
            tokio::select! {
                Some(delivery) = self.deliveries.next() => drained = drained.and(self.settle(delivery)),
                _ = flush.tick() => self.journal.flush()?,
                () = &mut patience, if !self.give_up.is_cancelled() => {}
            }
        }
        drained
    }
}

/// A question on its way to Kafka, and then what became of it.
struct Delivery {
    record: Outgoing,
    event: Event,
    trace_id: Id,
    refusal: Option<KafkaError>,
}

impl Delivery {
    fn bytes(&self) -> usize {
        self.record.value.as_ref().map_or(0, Vec::len)
    }

    /// Waits for Kafka to acknowledge it, until that is given up.
    async fn done(mut self, producer: Producer, give_up: CancellationToken) -> Self {
        let (trace_id, message_id) = (&self.trace_id, &self.event.message_id);
        tokio::select! {
            biased;
            delivered = producer.send(&self.record) => match delivered {
                Ok(place) => self.event.acknowledged = Some((now(), place)),
                Err(refusal) => {
                    error!(%trace_id, %message_id, error = %refusal, "Kafka refuses a question");
                    self.refusal = Some(refusal);
                }
            },
            () = give_up.cancelled() => debug!(%trace_id, %message_id, "not acknowledged"),
        }
        self
    }
}
