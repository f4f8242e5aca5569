//! What a service does with the records that a [`Worker`](crate::worker::Worker) reads.

use rdkafka::message::{Message as _, OwnedMessage};
use tracing::{Instrument as _, error_span};

use crate::input::{Input, Received};
use crate::lease::Lease;
use crate::output::{Output, is_too_large};
use crate::producer::Outgoing;

/// Handles one record at a time; many are in flight and they finish in any order.
pub trait Handler: Send + Sync + 'static {
    /// What it reads.
    type Input: Input;

    /// Turns a message into the messages that follow from it; when the lease ends, it may give the record back.
    fn handle(&self, input: Self::Input, lease: &Lease) -> impl Future<Output = Result<Vec<Outgoing>, Failure>> + Send;
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
    /// The lease has ended: the record stays unfinished and is redelivered.
    GiveBack,
    /// The service cannot go on.
    Fatal(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Fatal(error)
    }
}

const TOO_LARGE: &str = "too_large: what follows from this record does not fit";

/// How the work on a batch ended, if it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Its offset may be stored.
    Finished,
    /// Nothing may be stored: it is redelivered.
    GivenBack,
}

/// Handles one record and writes what follows from it.
pub(crate) async fn handle_one<H: Handler>(
    handler: &H,
    output: &Output,
    record: OwnedMessage,
    lease: &Lease,
) -> anyhow::Result<Done> {
    let input = match H::Input::decode(record.topic(), record.payload()) {
        Ok(input) => input,
        Err(reason) => return output.dead_letter(&record, &reason).await.map(|()| Done::Finished),
    };
    let span = error_span!("message", trace_id = %input.identity().trace_id);
    async {
        match handler.handle(input, lease).await {
            Ok(outgoing) if outgoing.iter().all(Outgoing::fits) => match output.produce(&outgoing).await {
                // A topic that was made by somebody else may take less.
                Err(error) if is_too_large(&error) => output.dead_letter(&record, TOO_LARGE).await,
                produced => produced,
            },
            Ok(_) => output.dead_letter(&record, TOO_LARGE).await,
            Err(Failure::Reject(reason)) => output.dead_letter(&record, &reason).await,
            Err(Failure::GiveBack) => return Ok(Done::GivenBack),
            Err(Failure::Fatal(error)) => Err(error),
        }?;
        Ok(Done::Finished)
    }
    .instrument(span)
    .await
}

/// Handles records together; those that cannot be read become dead letters.
pub(crate) async fn handle_batch<H: BatchHandler>(
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
