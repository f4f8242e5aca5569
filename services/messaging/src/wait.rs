//! Waiting for a server that is away, without giving up and without filling the log.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(3);
const REMIND_AFTER: Duration = Duration::from_secs(30);

/// Repeats `attempt` until it succeeds, however long that takes.
///
/// The first failure is logged at once, with what is awaited and where; later ones once in
/// half a minute; and the recovery, so that the log tells how long it took.
/// To stop waiting, drop the future.
pub async fn until_ok<T, E: Display, F: Future<Output = Result<T, E>>>(
    server: &str,
    place: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    let mut reminder: Option<Instant> = None;
    let mut delay = FIRST_DELAY;
    loop {
        match attempt().await {
            Ok(value) => {
                if reminder.is_some() {
                    info!(
                        server,
                        place,
                        waited_s = started.elapsed().as_secs(),
                        "the server answers"
                    );
                }
                return value;
            }
            Err(error) => {
                if reminder.is_none_or(|last| last.elapsed() >= REMIND_AFTER) {
                    warn!(server, place, %error, "waiting for the server");
                    reminder = Some(Instant::now());
                }
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

/// Lets a repeated warning through at first and then once in half a minute.
#[derive(Debug, Default)]
pub struct Seldom(std::sync::Mutex<Option<Instant>>);

impl Seldom {
    /// Has let nothing through yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(std::sync::Mutex::new(None))
    }

    /// Whether it is time to say it (again).
    pub fn now(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= REMIND_AFTER);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}
