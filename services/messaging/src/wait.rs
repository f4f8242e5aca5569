//! Waiting for a server that is away, without giving up and without filling the log.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(3);
const REMIND_AFTER: Duration = Duration::from_secs(30);

/// What the log says of an error that somebody has to mend. Those who start a service look for it.
pub(crate) const REFUSAL: &str = "the server refuses, and waiting alone will not mend it";

/// Repeats `attempt` until it succeeds, however long that takes.
///
/// A failure is logged with what is awaited and where, but of all tasks of the process that miss
/// the same server only one speaks, once in half a minute. It also logs the recovery, so that
/// the log tells how long that took. Meanwhile the process is not ready.
/// To stop waiting, drop the future.
pub async fn until_ok<T, E: Display, F: Future<Output = Result<T, E>>>(
    server: &str,
    place: &str,
    attempt: impl FnMut() -> F,
) -> T {
    until_mended(server, place, attempt, |_| false).await
}

/// The same, for a server that may also refuse what it is asked, as `refuses` tells of an error: then somebody has to
/// mend something, and the log says so.
pub async fn until_mended<T, E: Display, F: Future<Output = Result<T, E>>>(
    server: &str,
    place: &str,
    mut attempt: impl FnMut() -> F,
    refuses: impl Fn(&E) -> bool,
) -> T {
    let mut waiting = Waiting::new(server, place);
    loop {
        match attempt().await {
            Ok(value) => {
                waiting.end();
                return value;
            }
            Err(error) => tokio::time::sleep(waiting.next_delay(&error, refuses(&error))).await,
        }
    }
}

/// How the waiting for a server goes.
struct Waiting<'a> {
    server: &'a str,
    place: &'a str,
    started: Instant,
    said: bool,
    delay: Duration,
    absence: Option<Absence>,
}

impl<'a> Waiting<'a> {
    fn new(server: &'a str, place: &'a str) -> Self {
        Self {
            server,
            place,
            started: Instant::now(),
            said: false,
            delay: FIRST_DELAY,
            absence: None,
        }
    }

    /// How long to pause after a failure, of which the log is told if it is news.
    fn next_delay(&mut self, error: &dyn Display, is_refusal: bool) -> Duration {
        let (server, place) = (self.server, self.place);
        self.absence.get_or_insert_with(|| Absence::begin(server, place));
        if is_news(&if is_refusal { refusal_of(server) } else { server.into() }) {
            self.said = true;
            if is_refusal {
                error!(server, place, %error, "{REFUSAL}");
            } else {
                warn!(server, place, %error, "waiting for the server");
            }
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(LONGEST_DELAY);
        delay
    }

    /// Tells the log of the end, if it was told of the beginning.
    fn end(self) {
        if self.said {
            info!(
                server = self.server,
                place = self.place,
                waited_s = self.started.elapsed().as_secs(),
                "the server answers"
            );
        }
    }
}

/// Names the refusals of a server for [`is_news`]: they are news though it was away before.
pub(crate) fn refusal_of(server: &str) -> String {
    format!("{server} refuses")
}

/// What this process waits for now: the servers and their places.
pub(crate) fn awaited() -> Vec<String> {
    let awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
    awaited.keys().cloned().collect()
}

/// How many tasks wait for each server.
static AWAITED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// A task that waits for a server, until it is dropped.
pub(crate) struct Absence(String);

impl Absence {
    /// It begins to wait for `server`, which is at `place`.
    pub(crate) fn begin(server: &str, place: &str) -> Self {
        let name = format!("{server} at {place}");
        let mut awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
        *awaited.entry(name.clone()).or_default() += 1;
        Self(name)
    }
}

impl Drop for Absence {
    fn drop(&mut self) {
        let mut awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = awaited.get_mut(&self.0) {
            *waiting -= 1;
            if *waiting == 0 {
                awaited.remove(&self.0);
            }
        }
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
