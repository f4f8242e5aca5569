//! Closed loop: a number of askers, each of whom waits for the outcome of its question before it asks the next.
//!
//! Outcomes are read along from Kafka, so that an asker goes on when one is decided and not when it is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use contracts::value::Id;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use messaging::client::KafkaConfig;
use messaging::dead_letter::DeadLetter;
use messaging::follower::follow;
use messaging::http::Readiness;
use messaging::input::{Input as _, Outcome};
use messaging::settings::CENTURY;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::journal::ClosedLoop;
use crate::traffic::Traffic;

const OUTCOMES: &str = "the reading of outcomes";
const LETTERS: &str = "the reading of dead letters";

/// Those who ask, and what each of them is doing.
pub struct Askers {
    count: usize,
    think_time: Duration,
    outcome_timeout: Duration,
    /// After so long nobody asks any more.
    duration: Duration,
    open: Arc<Open>,
    /// Who waits for an outcome, and learns whether it came.
    waiting: FuturesUnordered<BoxFuture<'static, bool>>,
    thinking: FuturesUnordered<Sleep>,
    /// What came of the questions so far.
    pub record: ClosedLoop,
    _reading: AbortOnDropHandle<anyhow::Result<()>>,
}

impl Askers {
    /// So many, who learn from Kafka what comes of their questions; waits until they would.
    ///
    /// # Errors
    /// A Kafka setting that cannot be used.
    pub async fn gather(count: usize, traffic: &Traffic, kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let open = Arc::<Open>::default();
        let readiness = Readiness::of(&[OUTCOMES, LETTERS]);
        let mut reading =
            AbortOnDropHandle::new(tokio::spawn(read(kafka.clone(), readiness.clone(), Arc::clone(&open))));
        tokio::select! {
            ended = &mut reading => ended.context("reading outcomes")??,
            () = readiness.all_begun() => {}
        }
        Ok(Self {
            count,
            think_time: traffic.traffic_think_time,
            outcome_timeout: traffic.traffic_outcome_timeout,
            duration: traffic.traffic_duration.unwrap_or(CENTURY),
            open,
            waiting: FuturesUnordered::new(),
            thinking: FuturesUnordered::new(),
            record: ClosedLoop::default(),
            _reading: reading,
        })
    }

    /// Waits until somebody may ask; nobody may once the time of the run is over. Safe to drop while it waits.
    pub async fn turn(&mut self, start: Instant) -> bool {
        tokio::select! {
            biased;
            () = sleep_until(start + self.duration) => false,
            () = self.somebody_is_free() => true,
        }
    }

    async fn somebody_is_free(&mut self) {
        while self.waiting.len() + self.thinking.len() >= self.count {
            tokio::select! {
                Some(came) = self.waiting.next() => {
                    self.count_outcome(came);
                    self.thinking.push(sleep(self.think_time));
                }
                Some(()) = self.thinking.next() => {}
            }
        }
    }

    /// Waits until nobody waits for an outcome. Safe to drop.
    pub async fn rest(&mut self) {
        while let Some(came) = self.waiting.next().await {
            self.count_outcome(came);
        }
    }

    /// Notes that a question is being asked: from now on its outcome is waited for.
    pub fn asked(&mut self, message_id: &Id) {
        let (outcome, open, id) = (
            self.open.wait_for(message_id),
            Arc::clone(&self.open),
            message_id.clone(),
        );
        let came = timeout(self.outcome_timeout, outcome).map(move |came| {
            open.land(&id);
            matches!(came, Ok(Ok(())))
        });
        self.waiting.push(came.boxed());
    }

    fn count_outcome(&mut self, came: bool) {
        if came {
            self.record.outcomes += 1;
        } else {
            self.record.given_up += 1;
        }
    }
}

/// The questions that have no outcome yet, each with who waits for it.
#[derive(Default)]
struct Open(Mutex<HashMap<Id, oneshot::Sender<()>>>);

impl Open {
    fn wait_for(&self, message_id: &Id) -> oneshot::Receiver<()> {
        let (sender, outcome) = oneshot::channel();
        self.questions().insert(message_id.clone(), sender);
        outcome
    }

    /// The question has its outcome, or nobody waits for it any more.
    fn land(&self, message_id: &Id) {
        if let Some(asker) = self.questions().remove(message_id) {
            // An asker whose patience has just ended does not hear it.
            let _ = asker.send(());
        }
    }

    fn questions(&self) -> MutexGuard<'_, HashMap<Id, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads outcomes along, and what was given up: that is one, too.
async fn read(kafka: KafkaConfig, readiness: Readiness, open: Arc<Open>) -> anyhow::Result<()> {
    // It ends with the run.
    let never = CancellationToken::new();
    let outcome = |outcome: Outcome| open.land(&outcome.identity().message_id);
    let letter = |letter: DeadLetter| open.land(&letter.identity().message_id);
    tokio::try_join!(
        follow(OUTCOMES, &kafka, &readiness, 0, outcome, never.clone()),
        follow(LETTERS, &kafka, &readiness, 0, letter, never.clone()),
    )?;
    Ok(())
}
