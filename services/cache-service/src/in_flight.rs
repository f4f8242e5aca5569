//! The questions that are with the model, so that a twin waits instead of asking again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use messaging::value::Id;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::Answer;

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Landing {
    /// The model's answer has a verdict, which twins may share.
    Decided(Arc<Answer>),
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
    flights: Mutex<HashMap<Id, Flight>>,
}

struct Flight {
    leader: Id,
    started: Instant,
    landing: watch::Sender<Option<Landing>>,
}

impl InFlight {
    /// Beyond this many flights, those taken for lost are cleared away before another starts.
    const MANY: usize = 10_000;

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
    pub fn join(&self, question_id: &Id, message_id: &Id) -> Place {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(question_id)
            && flight.started.elapsed() < self.patience
        {
            return if flight.leader == *message_id {
                Place::Lead
            } else {
                Place::Follow(flight.landing.subscribe())
            };
        }
        if flights.len() >= Self::MANY {
            flights.retain(|_, flight| flight.started.elapsed() < self.patience);
        }
        let flight = Flight {
            leader: message_id.clone(),
            started: Instant::now(),
            landing: watch::Sender::new(None),
        };
        flights.insert(question_id.clone(), flight);
        Place::Lead
    }

    /// Ends a question's flight and tells everyone who waits.
    pub fn land(&self, question_id: &Id, landing: Landing) {
        let flight = self.flights().remove(question_id);
        if let Some(flight) = flight {
            flight.landing.send_replace(Some(landing));
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Id, Flight>> {
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
