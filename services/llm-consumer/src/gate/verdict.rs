//! Whether a failure was the question's own: it is compared with how others fare.

use tokio::time::{Instant, sleep_until};

use super::health::Change;
use super::report::tell;
use super::{Gate, Visit};
use crate::model::{Concern, ErrorKind, ModelError};

/// A question that was refused so often, with others answered each time in between, is not refused for them.
const SINGLED_OUT: u32 = 10;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Go through the gate again; `pause` before, unless the gate sees to that.
    Again {
        /// Whether to pause.
        pause: bool,
    },
    /// The question ends with this error.
    End,
}

impl Gate {
    /// What a question does that failed; `retries` is how often it may be asked again when that is its own fault.
    /// Where it cannot be told yet, this waits for how others fare.
    pub async fn after(&self, visit: &mut Visit, error: &ModelError, retries: u32) -> Next {
        use ErrorKind::{BudgetSpent, QuotaExhausted, RateLimited, Unreachable};
        match error.kind {
            Unreachable => return Next::Again { pause: false },
            RateLimited | QuotaExhausted if self.is_singled_out(visit) => return Next::End,
            RateLimited | QuotaExhausted | BudgetSpent => return Next::Again { pause: false },
            kind if kind.concern() == Concern::Question => return Next::End,
            _ => {}
        }
        if self.count(visit, retries) <= retries {
            let pause = self.state().health.closed().is_none();
            return Next::Again { pause };
        }
        let patience = Instant::now() + self.limits.comparison;
        loop {
            let news = self.news.notified();
            let is_over = Instant::now() >= patience;
            if let Some(next) = self.verdict(visit, error, is_over) {
                return next;
            }
            tokio::select! {
                () = news => {}
                () = sleep_until(patience), if !is_over => {}
            }
        }
    }

    /// Whether a question is refused again and again while others are answered: it may want more than there ever is.
    fn is_singled_out(&self, visit: &mut Visit) -> bool {
        let successes = self.state().health.successes();
        if successes > visit.successes_seen {
            visit.successes_seen = successes;
            visit.singled_out += 1;
        }
        visit.singled_out >= SINGLED_OUT
    }

    /// Counts a failure.
    fn count(&self, visit: &mut Visit, retries: u32) -> u32 {
        let openings = self.state().health.openings();
        if openings != visit.openings {
            // What failed before the gate opened may have failed for that: one retry at least is left.
            visit.openings = openings;
            visit.failures = visit.failures.min(retries.saturating_sub(1));
        }
        visit.failures += 1;
        visit.failures
    }

    /// What a question does whose retries are spent, if that can be told.
    fn verdict(&self, visit: &Visit, error: &ModelError, is_patience_over: bool) -> Option<Next> {
        let mut state = self.state();
        let others_succeed = visit
            .successes_before
            .is_some_and(|before| state.health.successes() > before);
        // Or there is nobody to compare it with.
        let is_alone = is_patience_over && state.in_flight == 0 && state.waiting.is_empty();
        if others_succeed {
            Some(Next::End)
        } else if state.health.closed().is_some() {
            Some(Next::Again { pause: false })
        } else if is_alone && error.kind == ErrorKind::Unavailable && !error.broke_off() {
            // It may be an outage in a quiet hour: whoever comes next tells. What may be paid for is not asked on and on.
            state.health.close(error, Instant::now());
            tell(Change::Closed, &state);
            Some(Next::Again { pause: false })
        } else {
            is_alone.then_some(Next::End)
        }
    }
}
