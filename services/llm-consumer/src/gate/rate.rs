//! Limits a minute, kept before the server has to say no.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Moment = <MonotonicClock as governor::clock::Clock>::Instant;
type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Moment>>;

/// LLM_RPM and LLM_TPM.
///
/// Calls are spread over the minute: what was saved up in a quiet one would exceed the limit of the next.
pub(super) struct Rates {
    calls: Option<Limiter>,
    /// With the most that is taken at once: a second's share.
    tokens: Option<(Limiter, NonZeroU32)>,
}

/// What a call has taken already of what it needs.
#[derive(Debug, Default)]
pub(super) struct Taken {
    call: bool,
    tokens: u32,
}

impl Rates {
    /// Limits a minute; `None` is no limit.
    pub fn new(rpm: Option<u32>, tpm: Option<u32>) -> Self {
        let limiter = |a_minute: NonZeroU32, at_once: NonZeroU32| {
            RateLimiter::direct_with_clock(Quota::per_minute(a_minute).allow_burst(at_once), MonotonicClock)
        };
        let second = |tpm: NonZeroU32| NonZeroU32::new(tpm.get() / 60).unwrap_or(NonZeroU32::MIN);
        Self {
            calls: rpm.and_then(NonZeroU32::new).map(|rpm| limiter(rpm, NonZeroU32::MIN)),
            tokens: tpm
                .and_then(NonZeroU32::new)
                .map(|tpm| (limiter(tpm, second(tpm)), second(tpm))),
        }
    }

    /// Takes what is there of what a call of `tokens` needs.
    ///
    /// # Errors
    /// It is not all there: how long to wait for more.
    pub fn take(&self, taken: &mut Taken, tokens: u32) -> Result<(), Duration> {
        if let Some((limiter, at_once)) = &self.tokens {
            while let Some(missing) = NonZeroU32::new(tokens.saturating_sub(taken.tokens)) {
                let share = missing.min(*at_once);
                // Never more than the limiter's burst, so it never says that it cannot.
                if let Ok(checked) = limiter.check_n(share) {
                    checked.map_err(wait)?;
                }
                taken.tokens += share.get();
            }
        }
        if let Some(limiter) = &self.calls
            && !taken.call
        {
            limiter.check().map_err(wait)?;
            taken.call = true;
        }
        Ok(())
    }
}

fn wait(not_until: governor::NotUntil<Moment>) -> Duration {
    let now = MonotonicClock.now();
    not_until
        .earliest_possible()
        .duration_since(now)
        .max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_limits_nothing_waits() {
        let rates = Rates::new(None, None);
        assert!((0..1000).all(|_| rates.take(&mut Taken::default(), 1_000_000).is_ok()));
    }

    #[test]
    fn calls_are_spread_over_the_minute() {
        let rates = Rates::new(Some(600), None);
        assert_eq!(rates.take(&mut Taken::default(), 1), Ok(()));
        let wait = rates.take(&mut Taken::default(), 1).unwrap_err();
        assert!(
            wait <= Duration::from_millis(100) && wait > Duration::from_millis(50),
            "{wait:?}"
        );
    }

    #[test]
    fn a_call_of_many_tokens_takes_them_as_they_come_and_keeps_what_it_has() {
        let rates = Rates::new(None, Some(600_000));
        let mut taken = Taken::default();
        let started = std::time::Instant::now();
        while let Err(wait) = rates.take(&mut taken, 13_000) {
            std::thread::sleep(wait);
        }
        assert_eq!(taken.tokens, 13_000);
        // Ten thousand are there at once.
        assert!(
            started.elapsed() > Duration::from_millis(250),
            "{:?}",
            started.elapsed()
        );
    }
}
