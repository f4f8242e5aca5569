//! The questions that are with the model, so that a twin waits instead of asking again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::message::{Identity, Source};
use contracts::value::{Id, now};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::answer::Judged;

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Landing {
    /// The model's answer has a verdict, which twins may share.
    Decided(Arc<Judged>),
    /// Its leader found an earlier answer there: twins it may serve as well need not look for it.
    Found(Arc<Judged>, Source),
    /// There is nothing to share: the model failed, or nobody will ask it.
    Nothing,
}

/// What to do with a question.
pub enum Place {
    /// First of its kind: ask, and land the flight if no verdict will.
    Lead,
    /// Its twin is with the model: wait for the landing.
    Follow(Following),
}

/// A twin's flight, seen by who follows it.
pub struct Following {
    landing: watch::Receiver<Option<Landing>>,
    /// How long until it is taken for lost.
    patience: Duration,
}

/// Flights by question.
pub struct InFlight {
    /// After this long a flight is taken for lost, if it is the first of its question.
    patience: Duration,
    flights: Mutex<Flights>,
}

struct Flight {
    leader: Id,
    started: Instant,
    /// The same by the clock that messages carry.
    started_at: Timestamp,
    /// After this long it is taken for lost.
    patience: Duration,
    landing: watch::Sender<Option<Landing>>,
}

impl Flight {
    /// How much longer it is waited for.
    fn patience_left(&self) -> Duration {
        self.patience.saturating_sub(self.started.elapsed())
    }

    fn is_lost(&self) -> bool {
        self.patience_left().is_zero()
    }
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
    fn sweep(&mut self) {
        if self.by_question.len() >= self.sweep_at.max(Self::MANY) {
            self.by_question.retain(|_, flight| !flight.is_lost());
            self.sweep_at = 2 * self.by_question.len();
        }
    }
}

impl InFlight {
    /// A flight in the place of a lost one is waited for twice as long, up to this: a model that is away for long is
    /// not asked the same again and again.
    const LONGEST_PATIENCE: Duration = Duration::from_secs(60 * 60);

    /// Nothing is in flight.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            flights: Mutex::default(),
        }
    }

    /// Joins the flight of a question, or starts it, also in the place of a lost one.
    ///
    /// A leader that comes again, because its record was redelivered, leads again.
    pub fn join(&self, asked: &Identity) -> Place {
        let Identity {
            question_id,
            message_id,
            ..
        } = asked;
        let mut flights = self.flights();
        let patience = match flights.by_question.get(question_id) {
            None => self.patience,
            Some(lost) if lost.is_lost() => self.longer(lost.patience),
            Some(flight) if flight.leader == *message_id => return Place::Lead,
            Some(flight) => {
                return Place::Follow(Following {
                    landing: flight.landing.subscribe(),
                    patience: flight.patience_left(),
                });
            }
        };
        flights.sweep();
        let flight = Flight {
            leader: message_id.clone(),
            started: Instant::now(),
            started_at: now(),
            patience,
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

    /// Ends the flight that `leader` leads, if it still does.
    pub fn end(&self, leader: &Identity, landing: Landing) {
        self.land(leader, Timestamp::MIN, landing);
    }

    fn longer(&self, patience: Duration) -> Duration {
        let longest = self.patience.max(Self::LONGEST_PATIENCE);
        patience.saturating_mul(2).min(longest)
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// Waits for the landing; a flight that is taken for lost, or was replaced, lands with nothing.
    pub async fn landed(mut self) -> Landing {
        match timeout(self.patience, self.landing.wait_for(Option::is_some)).await {
            Ok(Ok(landing)) => landing.clone().unwrap_or(Landing::Nothing),
            Ok(Err(_)) | Err(_) => Landing::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::question;

    fn join(in_flight: &InFlight, message_id: &str) -> Place {
        in_flight.join(&question(message_id, "q").identity)
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_in_the_place_of_a_lost_one_is_waited_for_twice_as_long_up_to_an_hour() {
        let in_flight = InFlight::new(Duration::from_secs(60));
        let mut waited = vec![];
        for leader in 0..8 {
            assert!(matches!(join(&in_flight, &leader.to_string()), Place::Lead));
            let Place::Follow(flight) = join(&in_flight, "follower") else {
                panic!("there is a leader");
            };
            let started = Instant::now();
            assert!(matches!(flight.landed().await, Landing::Nothing));
            waited.push(started.elapsed().as_secs());
        }
        assert_eq!(waited, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_after_one_that_landed_is_waited_for_no_longer_than_the_first() {
        let in_flight = InFlight::new(Duration::from_secs(60));
        join(&in_flight, "m0");
        tokio::time::sleep(Duration::from_secs(60)).await;
        join(&in_flight, "m1");
        in_flight.land(&question("m1", "q").identity, now(), Landing::Nothing);
        join(&in_flight, "m2");
        let Place::Follow(flight) = join(&in_flight, "m3") else {
            panic!("there is a leader");
        };
        assert_eq!(flight.patience, Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn who_led_a_lost_flight_does_not_end_the_one_in_its_place() {
        let in_flight = InFlight::new(Duration::from_secs(60));
        join(&in_flight, "m0");
        tokio::time::sleep(Duration::from_secs(60)).await;
        join(&in_flight, "m1");
        in_flight.end(&question("m0", "q").identity, Landing::Nothing);
        assert!(matches!(join(&in_flight, "m2"), Place::Follow(_)));
        in_flight.end(&question("m1", "q").identity, Landing::Nothing);
        assert!(matches!(join(&in_flight, "m2"), Place::Lead));
    }
}
