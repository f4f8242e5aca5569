//! Outcomes in, one document each out, and the metrics in step.

use contracts::message::Cost;
use messaging::handler::BatchHandler;
use messaging::input::{Input as _, Outcome, Received};
use messaging::producer::Producer;
use metrics::counter;
use tokio::sync::Mutex;
use tracing::debug;

use crate::metrics_document::MetricsDocument;
use crate::metrics_store::MetricsStore;
use crate::store::Store;
use messaging::result_document::ResultDocument;

/// Records outcomes: the first of each request wins, later ones change nothing.
pub struct Recorder {
    store: Store,
    metrics: MetricsStore,
    producer: Producer,
    /// The topics' identity, asked for when it may have changed.
    epoch: Mutex<Option<String>>,
}

impl Recorder {
    pub fn new(store: Store, metrics: MetricsStore, producer: Producer) -> Self {
        Self {
            store,
            metrics,
            producer,
            epoch: Mutex::new(None),
        }
    }

    /// Names the topics as they are now: offsets of one epoch mean nothing in another.
    ///
    /// Kafka is asked again when offsets come that do not go on where counting ended: in a replay, of a partition that
    /// is new, or because a topic was made anew.
    async fn epoch(&self, metrics: Option<&MetricsDocument>, batch: &[Received<Outcome>]) -> String {
        let known = self.epoch.lock().await.clone();
        if let (Some(known), Some(metrics)) = (known, metrics)
            && batch
                .iter()
                .all(|received| metrics.goes_on_with(&known, &received.origin))
        {
            return known;
        }
        let epoch = self.producer.topic_ids(&Outcome::topics()).await.join("+");
        *self.epoch.lock().await = Some(epoch.clone());
        epoch
    }

    /// Which results must not be stored, as they were and may have been removed since: those that are counted.
    ///
    /// Only where results are removed at all. Elsewhere a record is stored although its offset is counted: a Kafka that
    /// has lost its newest records in a power cut gives their offsets to others.
    async fn are_known(&self, metrics: Option<&MetricsDocument>, batch: &[ResultDocument]) -> Vec<bool> {
        let is_counted = |result| metrics.is_some_and(|metrics| metrics.counts(result));
        let mut known: Vec<_> = batch.iter().map(is_counted).collect();
        if known.contains(&true) && !self.metrics.removes().await {
            known.fill(false);
        }
        known
    }
}

impl BatchHandler for Recorder {
    type Input = Outcome;

    async fn handle(&self, batch: Vec<Received<Outcome>>) -> anyhow::Result<()> {
        let metrics = self.metrics.find(MetricsDocument::GLOBAL).await;
        let epoch = self.epoch(metrics.as_ref(), &batch).await;
        let results = batch.into_iter().map(|received| ResultDocument::new(received, &epoch));
        let results: Vec<_> = results.collect();
        let mut known = self.are_known(metrics.as_ref(), &results).await.into_iter();
        let (known, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|_| known.next() == Some(true));
        counter!("outcomes_total", "kind" => "repeated").increment(known.len() as u64);
        let is_ours = self.store.insert(&results).await;
        self.metrics.count(metrics, &results, &is_ours).await?;
        for (result, is_ours) in results.iter().zip(is_ours) {
            let kind = if is_ours { "stored" } else { "repeated" };
            counter!("outcomes_total", "kind" => kind).increment(1);
            if let Some(spent) = result.facts.spent.as_ref().filter(|_| is_ours) {
                count_spent(&spent.cost);
            }
            debug!(trace_id = %result.trace_id, message_id = %result.id, verdict = ?result.facts.verdict, kind, "outcome");
        }
        Ok(())
    }
}

/// Without the models: a label must not have as many values as somebody pleases.
fn count_spent(cost: &Cost) {
    counter!("spent_calls_total").increment(cost.calls.into());
    counter!("spent_tokens_total", "kind" => "input").increment(cost.input_tokens);
    counter!("spent_tokens_total", "kind" => "output").increment(cost.output_tokens);
    counter!("spent_nanodollars_total").increment(cost.nanodollars);
}
