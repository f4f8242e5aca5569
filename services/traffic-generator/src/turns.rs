//! When the next question is asked: at its own time, or once an asker has the outcome of the one before.

use std::pin::Pin;
use std::time::Duration;

use contracts::value::{Id, now};
use futures::channel::mpsc::Receiver;
use futures::stream::Peekable;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use crate::askers::Askers;
use crate::dataset::Question;
use crate::journal::ClosedLoop;

/// A question and its time.
pub struct Request {
    /// Its number in the run, from 0.
    pub index: u64,
    /// Since the start of the run; whole milliseconds, as messages carry them.
    pub at: Duration,
    /// What is asked.
    pub question: Question,
    /// The question whose words were changed, if they were.
    pub paraphrase_of: Option<String>,
}

/// When the run began, by both clocks.
#[derive(Clone, Copy)]
pub struct Start {
    /// By the one that only goes forward.
    pub instant: Instant,
    /// By the one that messages have.
    pub time: Timestamp,
}

impl Start {
    /// A run that begins now.
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            time: now(),
        }
    }
}

/// The questions that are to be asked, drawn and fetched ahead.
pub type Requests = Peekable<Receiver<Request>>;

/// Waits until the first question is there, or there is none.
pub async fn is_fetched(requests: &mut Requests) {
    Pin::new(requests).peek().await;
}

/// What says when the next question is asked.
pub enum Turns {
    /// Its time; the schedule does not wait for the system.
    Open,
    /// An asker that has the outcome of its last one.
    Closed(Askers),
}

impl Turns {
    /// Waits until the next question is to be asked; none is left once all were, or the time for them is over. Safe to
    /// drop while it waits.
    pub async fn next(&mut self, requests: &mut Requests, start: Start) -> Option<Request> {
        let at = Pin::new(&mut *requests).peek().await.map(|request| request.at);
        match self {
            Self::Open => {
                sleep_until(start.instant + at?).await;
                requests.next().await
            }
            Self::Closed(askers) => {
                if at.is_none() || !askers.turn(start.instant).await {
                    askers.rest().await;
                    return None;
                }
                let mut request = requests.next().await?;
                request.at = Duration::from_millis(start.instant.elapsed().as_millis() as u64);
                Some(request)
            }
        }
    }

    /// Notes that a question is being asked.
    pub fn asked(&mut self, message_id: &Id) {
        if let Self::Closed(askers) = self {
            askers.asked(message_id);
        }
    }

    /// For how long the next question has waited since its time.
    pub fn behind(&self, requests: &mut Requests, start: Start) -> Duration {
        match self {
            Self::Open => {
                let waiting = Pin::new(requests).peek().now_or_never().flatten();
                waiting.map_or(Duration::ZERO, |request| (start.instant + request.at).elapsed())
            }
            Self::Closed(_) => Duration::ZERO,
        }
    }

    /// What came of the questions, where somebody waits for that.
    pub fn record(&self) -> Option<ClosedLoop> {
        match self {
            Self::Open => None,
            Self::Closed(askers) => Some(askers.record),
        }
    }
}
