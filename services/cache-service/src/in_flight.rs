//! The questions that are with the model, so that a twin waits instead of asking again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::message::Identity;
use contracts::value::{Id, now};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::Judged;

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Landing {
    /// The model's answer has a verdict, which twins may share.
    Decided(Arc<Judged>),
    /// There is nothing to share: the model failed, or its asker found another answer.
    Nothing,
}

/// What to do with a question.
pub enum Place {
    /// First of its kind: ask, and land the flight if no verdict will.
    Lead,
    /// Its twin is with the model: wait for the landing.
    Follow(watch::Receiver<Option<Landing>>),
}

/// Flights by question.
pub struct InFlight {
    /// After this long a flight is taken for lost.
    patience: Duration,
    flights: Mutex<Flights>,
}

struct Flight {
    leader: Id,
    started: Instant,
    /// The same by the clock that messages carry.
    started_at: Timestamp,
    landing: watch::Sender<Option<Landing>>,
}

#[derive(Default)]
struct Flights {
    by_question: HashMap<Id, Flight>,
    /// How many flights there may be before those taken for lost are cleared away.
    sweep_at: usize,
}

impl Flights {
    const MANY: usize = 10_000;

    /// Clears lost flights away; twice as many must come before it looks again.
    fn sweep(&mut self, patience: Duration) {
        if self.by_question.len() >= self.sweep_at.max(Self::MANY) {
            self.by_question.retain(|_, flight| flight.started.elapsed() < patience);
            self.sweep_at = 2 * self.by_question.len();
        }
    }
}

impl InFlight {
    /// Nothing is in flight.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            flights: Mutex::default(),
        }
    }

    /// Joins the flight of a question, or starts it.
    ///
    /// A leader that comes again, because its record was redelivered, leads again.
    pub fn join(&self, asked: &Identity) -> Place {
        let Identity {
            question_id,
            message_id,
            ..
        } = asked;
        let mut flights = self.flights();
        if let Some(flight) = flights.by_question.get(question_id)
            && flight.started.elapsed() < self.patience
        {
            return if flight.leader == *message_id {
                Place::Lead
            } else {
                Place::Follow(flight.landing.subscribe())
            };
        }
        flights.sweep(self.patience);
        let flight = Flight {
            leader: message_id.clone(),
            started: Instant::now(),
            started_at: now(),
            landing: watch::Sender::new(None),
        };
        flights.by_question.insert(question_id.clone(), flight);
        Place::Lead
    }

    /// Ends a question's flight by the outcome of a request, and tells everyone who waits.
    ///
    /// An outcome of someone else's request counts only if it fell after the flight began: those
    /// read along after a start may be old.
    pub fn land(&self, decided: &Identity, decided_at: Timestamp, landing: Landing) {
        let mut flights = self.flights();
        let Some(flight) = flights.by_question.get(&decided.question_id) else {
            return;
        };
        if (flight.leader == decided.message_id || flight.started_at <= decided_at)
            && let Some(flight) = flights.by_question.remove(&decided.question_id)
        {
            flight.landing.send_replace(Some(landing));
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a landing; a flight that was replaced lands with nothing.
pub async fn landed(mut flight: watch::Receiver<Option<Landing>>) -> Landing {
    match flight.wait_for(Option::is_some).await {
        Ok(landing) => landing.clone().unwrap_or(Landing::Nothing),
        Err(_) => Landing::Nothing,
    }
}
