//! What a consumer is assigned, kept in step by librdkafka's rebalance callback.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use tracing::{info, warn};

use crate::client::LogContext;
use crate::offsets::OffsetTracker;

/// The consumer's context: its log and the records taken from the partitions it has.
#[derive(Default)]
pub(crate) struct Assignment {
    offsets: Mutex<OffsetTracker>,
}

impl Assignment {
    /// The records taken and not yet finished.
    pub(crate) fn offsets(&self) -> MutexGuard<'_, OffsetTracker> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Assignment {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        LogContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        LogContext.error(error, reason);
    }
}

impl ConsumerContext for Assignment {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // Nothing waits: what is unfinished is redelivered to the new owner.
        if let Rebalance::Revoke(partitions) = rebalance {
            let mut offsets = self.offsets();
            for partition in partitions.elements() {
                offsets.revoke(partition.topic(), partition.partition());
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                info!(partitions = partitions.count(), "partitions assigned");
                // One that was paused, lost and is ours again would still be paused.
                if let Err(error) = consumer.resume(partitions) {
                    warn!(%error, "resuming");
                }
            }
            Rebalance::Revoke(partitions) => info!(partitions = partitions.count(), "partitions revoked"),
            Rebalance::Error(error) => warn!(%error, "rebalancing"),
        }
    }
}
