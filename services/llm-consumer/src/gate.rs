//! The one gate for all calls of this service: how many at once, how many a minute, and none while no question can be
//! answered. What waits here waits in Kafka as well: nothing becomes an error for it.
//!
//! [`health`] says when the gate is closed and may be tried, [`verdict`] what a question does that failed; [`rate`] holds
//! LLM_RPM and LLM_TPM, [`report`] tells people and programs.

mod health;
mod rate;
mod report;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::value::Id;
use metrics::{gauge, histogram};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use crate::model::{ErrorKind, ModelError};
use health::{Change, Health};
use rate::{Rates, Taken};
use report::tell;
pub use verdict::Next;

/// The smallest concurrency that refusals for too many calls lead to.
const LEAST_CONCURRENCY: f64 = 1.0;

/// How the gate is set.
#[derive(Debug, Clone, Copy)]
pub struct GateLimits {
    /// Most calls at once.
    pub concurrency: usize,
    /// Most calls a minute.
    pub rpm: Option<u32>,
    /// Most tokens a minute.
    pub tpm: Option<u32>,
    /// How long a question waits at a closed gate before it becomes an error.
    pub outage_deadline: Option<Duration>,
    /// How long a question that failed alone waits for others to be compared with.
    pub comparison: Duration,
}

/// Lets calls through, in the order in which their questions came.
pub struct Gate {
    limits: GateLimits,
    rates: Rates,
    state: Mutex<State>,
    /// Wakes those who wait to learn how others fared.
    news: Notify,
}

struct State {
    health: Health,
    /// Most calls at once for now: halved when the server says that there are too many, and rising again.
    concurrency: f64,
    in_flight: usize,
    /// A call is under way that will tell whether a closed gate may open.
    is_probing: bool,
    waiting: BTreeMap<Turn, Arc<Notify>>,
    visits: u64,
}

/// Whose turn it is: who has probed least, then who came first.
type Turn = (u32, u64);

/// A question on its way through the gate, once or several times.
#[derive(Debug)]
pub struct Visit {
    number: u64,
    probes: u32,
    /// When it first found the gate closed.
    closed_since: Option<Instant>,
    /// How many calls had succeeded when its first one began.
    successes_before: Option<u64>,
    failures: u32,
    /// How often in a row it was refused for want of room or credit while others were answered.
    singled_out: u32,
    successes_seen: u64,
    /// How often the gate had opened at the last failure.
    openings: u64,
    /// What it has of the limits a minute for its next call.
    taken: Taken,
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        Self {
            rates: Rates::new(limits.rpm, limits.tpm),
            state: Mutex::new(State {
                health: Health::default(),
                concurrency: limits.concurrency as f64,
                in_flight: 0,
                is_probing: false,
                waiting: BTreeMap::new(),
                visits: 0,
            }),
            news: Notify::new(),
            limits,
        }
    }

    /// A question that has not been asked yet.
    pub fn visit(&self) -> Visit {
        let mut state = self.state();
        state.visits += 1;
        Visit {
            number: state.visits,
            probes: 0,
            closed_since: None,
            successes_before: None,
            failures: 0,
            singled_out: 0,
            successes_seen: state.health.successes(),
            openings: state.health.openings(),
            taken: Taken::default(),
        }
    }

    /// Waits until a call may begin that will use about `tokens`.
    ///
    /// # Errors
    /// Why the gate is closed, when it has been so for longer than the question may wait.
    pub async fn enter(&self, visit: &mut Visit, tokens: u32) -> Result<Pass<'_>, ModelError> {
        let came = Instant::now();
        if self.state().health.closed().is_none() {
            // Age alone counts while all may go.
            visit.probes = 0;
        }
        let place = Place::take(self, (visit.probes, visit.number));
        loop {
            let wake_at = match self.admit(visit, tokens) {
                Admission::Granted(pass) => {
                    histogram!("llm_wait_seconds").record(came.elapsed().as_secs_f64());
                    return Ok(pass);
                }
                Admission::Expired(error) => return Err(error),
                Admission::Wait(until) => until,
            };
            tokio::select! {
                () = place.woken.notified() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
            }
        }
    }

    fn admit(&self, visit: &mut Visit, tokens: u32) -> Admission<'_> {
        let now = Instant::now();
        let mut state = self.state();
        let is_first = state
            .waiting
            .first_key_value()
            .is_some_and(|(&turn, _)| turn == (visit.probes, visit.number));
        let mut expires = None;
        if let Some(closed) = state.health.closed() {
            let since = *visit.closed_since.get_or_insert(now);
            expires = self
                .limits
                .outage_deadline
                .and_then(|deadline| since.checked_add(deadline));
            if expires.is_some_and(|expires| expires <= now) {
                return Admission::Expired(closed.error.clone());
            }
            if !is_first || state.is_probing {
                return Admission::Wait(expires);
            }
            if closed.probe_at > now {
                return Admission::Wait(Some(expires.map_or(closed.probe_at, |at| at.min(closed.probe_at))));
            }
        } else {
            visit.closed_since = None;
        }
        if !is_first || state.in_flight as f64 + 1.0 > state.concurrency.floor().max(LEAST_CONCURRENCY) {
            return Admission::Wait(expires);
        }
        if let Err(wait) = self.rates.take(&mut visit.taken, tokens) {
            return Admission::Wait(Some(now + wait));
        }
        visit.taken = Taken::default();
        let is_probe = state.health.closed().is_some();
        if is_probe {
            state.is_probing = true;
            info!("trying whether the model answers again");
        }
        visit.successes_before.get_or_insert(state.health.successes());
        state.in_flight += 1;
        gauge!("llm_calls_in_flight").set(state.in_flight as f64);
        state.waiting.remove(&(visit.probes, visit.number));
        visit.probes += u32::from(is_probe);
        state.wake_next();
        Admission::Granted(Pass { gate: self, is_probe })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_next(&self) {
        if let Some((_, woken)) = self.waiting.first_key_value() {
            woken.notify_one();
        }
        gauge!("llm_questions_waiting").set(self.waiting.len() as f64);
    }

    /// Everyone has to look again: how long they wait depends on whether the gate is closed.
    fn wake_all(&self) {
        self.waiting.values().for_each(|woken| woken.notify_one());
    }
}

enum Admission<'a> {
    Granted(Pass<'a>),
    Wait(Option<Instant>),
    Expired(ModelError),
}

/// A place in the line, which is left when the wait ends, however it does.
struct Place<'a> {
    gate: &'a Gate,
    turn: Turn,
    woken: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(gate: &'a Gate, turn: Turn) -> Self {
        let woken = Arc::new(Notify::new());
        gate.state().waiting.insert(turn, Arc::clone(&woken));
        Self { gate, turn, woken }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if state.waiting.remove(&self.turn).is_some() {
            state.wake_next();
            self.gate.news.notify_waiters();
        }
    }
}

/// The right to make one call.
pub struct Pass<'a> {
    gate: &'a Gate,
    is_probe: bool,
}

impl Pass<'_> {
    /// Tells the gate how the call of a question ended.
    pub fn finish<T>(self, question: &Id, result: &Result<T, ModelError>) {
        let mut state = self.gate.state();
        let change = match result {
            Ok(_) => state.health.succeeded(self.is_probe, Instant::now()),
            Err(error) => state.health.failed(error, question, self.is_probe, Instant::now()),
        };
        match result {
            Ok(_) => {
                let most = self.gate.limits.concurrency as f64;
                state.concurrency = (state.concurrency + 1.0 / state.concurrency).min(most);
            }
            Err(error) if error.kind == ErrorKind::RateLimited && change == Change::Closed => {
                state.concurrency = (state.concurrency / 2.0).max(LEAST_CONCURRENCY);
            }
            Err(_) => {}
        }
        if change != Change::None {
            tell(change, &state);
            state.wake_all();
        }
        // Dropping the pass wakes the next in line and those who wait for news.
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.in_flight -= 1;
        gauge!("llm_calls_in_flight").set(state.in_flight as f64);
        if self.is_probe {
            state.is_probing = false;
        }
        state.wake_next();
        self.gate.news.notify_waiters();
    }
}
