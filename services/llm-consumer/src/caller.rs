//! Calling a model: how many calls at once, how long each may take, and THE retry layer.
//! It is the only one: neither async-openai nor reqwest retries below it.

use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_retry::strategy::{ExponentialBackoff, jitter};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError};

/// The longest pause before asking again, if the server does not ask for more.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// A server that wants to be left alone for longer is not asked again within this attempt.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What an attempt at a question may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most calls at once.
    pub concurrency: usize,
    /// Most calls after the first one.
    pub retries: usize,
    /// The longest one call may take.
    pub timeout: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_delay: Duration,
}

impl Limits {
    /// The longest an attempt can take, the wait for its turn left out.
    #[must_use]
    pub fn longest_attempt(&self) -> Duration {
        let retries = u32::try_from(self.retries).unwrap_or(u32::MAX);
        (self.timeout + MAX_RETRY_AFTER)
            .saturating_mul(retries)
            .saturating_add(self.timeout)
    }

    /// The pauses between calls. Half of each is random, so that calls that failed together
    /// do not come back together.
    fn delays(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let half = u64::try_from(self.first_delay.as_millis() / 2).unwrap_or(u64::MAX);
        // The base is the ratio of two pauses; the factor makes the first one what it should be.
        ExponentialBackoff::from_millis(2)
            .factor(half)
            .max_delay(MAX_DELAY)
            .map(|delay| delay / 2 + jitter(delay / 2))
            .take(self.retries)
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Outcome {
    /// The answer, or why the last call failed.
    pub result: Result<Completion, ModelError>,
    /// Requests really sent.
    pub calls: u32,
    /// From the first call to the end, retries included.
    pub latency: Duration,
}

/// A model, called within limits.
pub struct Caller<M> {
    model: M,
    limits: Limits,
    permits: Semaphore,
    shutdown: CancellationToken,
}

impl<M: LanguageModel> Caller<M> {
    /// A caller of `model` that begins no attempt after `shutdown`.
    pub fn new(model: M, limits: Limits, shutdown: CancellationToken) -> Self {
        Self {
            model,
            limits,
            permits: Semaphore::new(limits.concurrency),
            shutdown,
        }
    }

    /// Asks until there is an answer, an error that does not pass, or no retry left; `None`
    /// when the service stops before the first call. What has begun goes on while it may:
    /// to give it back would be to pay for it twice, and for all that was answered after it.
    // tokio-retry lends its strategy only: its loop has no ear for Retry-After.
    pub async fn ask(&self, ask: Ask<'_>) -> Option<Outcome> {
        let mut permit = self.shutdown.run_until_cancelled(self.permits.acquire()).await?.ok()?;
        let mut delays = self.limits.delays();
        let (started, mut calls) = (Instant::now(), 0);
        for request in 1.. {
            let result = self.call(&Ask { request, ..ask }).await;
            let was_sent = !matches!(&result, Err(error) if error.kind == ErrorKind::Unreachable);
            calls += u32::from(was_sent);
            let delay = result.as_ref().err().and_then(|error| pause(error, &mut delays));
            let Some(delay) = delay else {
                let latency = started.elapsed();
                return Some(Outcome { result, calls, latency });
            };
            // A pause must not hold up other questions.
            drop(permit);
            sleep(delay).await;
            permit = self.permits.acquire().await.ok()?;
        }
        None
    }

    async fn call(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let in_flight = gauge!("llm_calls_in_flight");
        in_flight.increment(1);
        let limit = self.limits.timeout;
        let result = timeout(limit, self.model.answer(ask)).await.unwrap_or_else(|_| {
            Err(ModelError::new(
                ErrorKind::Timeout,
                &format!("no answer within {limit:?}"),
            ))
        });
        in_flight.decrement(1);
        let label = result.as_ref().map_or_else(|error| error.kind.as_str(), |_| "answered");
        counter!("llm_calls_total", "result" => label).increment(1);
        result
    }
}

/// How long to wait before asking again; `None` when that would not help.
fn pause(error: &ModelError, delays: &mut impl Iterator<Item = Duration>) -> Option<Duration> {
    let at_least = error.retry_after.unwrap_or_default();
    if !error.kind.is_passing() || at_least > MAX_RETRY_AFTER {
        return None;
    }
    let delay = delays.next()?.max(at_least);
    warn!(%error, ?delay, "asking again");
    Some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        concurrency: 1,
        retries: 8,
        timeout: Duration::from_secs(60),
        first_delay: Duration::from_millis(500),
    };

    #[test]
    fn pauses_double_up_to_a_bound_and_at_least_half_of_each_is_certain() {
        let whole = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000].map(Duration::from_millis);
        let delays: Vec<_> = LIMITS.delays().collect();
        assert_eq!(delays.len(), whole.len());
        for (delay, whole) in delays.into_iter().zip(whole) {
            assert!((whole / 2..=whole).contains(&delay), "{delay:?} of {whole:?}");
        }
    }

    #[test]
    fn a_server_may_ask_for_a_longer_pause_but_not_for_any() {
        let error = |seconds| ModelError {
            retry_after: Some(Duration::from_secs(seconds)),
            ..ModelError::new(ErrorKind::RateLimited, "slow down")
        };
        assert_eq!(pause(&error(30), &mut LIMITS.delays()), Some(Duration::from_secs(30)));
        assert_eq!(pause(&error(3600), &mut LIMITS.delays()), None);
    }

    #[test]
    fn an_attempt_is_bounded() {
        // Nine calls of a minute, and a minute between each two.
        assert_eq!(LIMITS.longest_attempt(), Duration::from_secs(17 * 60));
    }
}
