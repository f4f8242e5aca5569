//! Waiting for a server that is away, without giving up and without filling the log.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(3);
const REMIND_AFTER: Duration = Duration::from_secs(30);

/// Repeats `attempt` until it succeeds, however long that takes.
///
/// A failure is logged with what is awaited and where, but of all tasks of the process that miss
/// the same server only one speaks, once in half a minute. It also logs the recovery, so that
/// the log tells how long that took.
/// To stop waiting, drop the future.
pub async fn until_ok<T, E: Display, F: Future<Output = Result<T, E>>>(
    server: &str,
    place: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    let mut said = false;
    let mut delay = FIRST_DELAY;
    loop {
        match attempt().await {
            Ok(value) => {
                if said {
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
                if is_news(server) {
                    warn!(server, place, %error, "waiting for the server");
                    said = true;
                }
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

/// Whether it is time to log that `server` is away: at first, and then once in half a minute,
/// however many tasks of the process miss it.
pub(crate) fn is_news(server: &str) -> bool {
    static SAID: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let due = said.get(server).is_none_or(|last| last.elapsed() >= REMIND_AFTER);
    if due {
        said.insert(server.to_owned(), Instant::now());
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_news_once_and_again_after_half_a_minute() {
        assert!(is_news("a server"));
        assert!(!is_news("a server") && is_news("another server"));
        tokio::time::advance(REMIND_AFTER).await;
        assert!(is_news("a server") && !is_news("a server"));
    }
}
