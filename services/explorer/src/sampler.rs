//! What goes on in the whole stack, looked at by one sampler for all who read: every five seconds, and every second
//! while somebody reads. Each source is asked by a loop of its own, so that one that is away holds up none of the others.

mod backlog;
mod decided;
mod flink;
mod history;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use contracts::value::now;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use self::backlog::{Backlog, JOB, Kafka, WORK, Work};
pub use self::decided::{Decided, Share};
pub use self::flink::{Flink, Job};
pub use self::history::{History, Point};
pub use self::stored::{Run, Stored};

use self::backlog::Groups;
use self::flink::FlinkClient;
use crate::config::Config;
use crate::index::Index;
use crate::store::Store;

const WHILE_READ: Duration = Duration::from_secs(1);
const AT_REST: Duration = Duration::from_secs(5);
/// Figures that are older are said to be.
pub const FRESH_S: i64 = 5;
/// Most who may read along.
const MOST_READERS: usize = 100;

/// What is known of the stack.
#[derive(Debug, Default)]
pub struct State {
    pub decided: Seen<Decided>,
    pub kafka: Seen<Kafka>,
    pub flink: Seen<Flink>,
    pub stored: Seen<Stored>,
    pub history: History,
}

/// What a source said last, and whether it still answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<T> {
    /// Its newest answer, and when it gave that.
    pub last: Option<(Timestamp, T)>,
    /// Set while it does not answer.
    pub away: Option<Away>,
}

/// A source does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    pub since: Timestamp,
    pub why: String,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { last: None, away: None }
    }
}

impl<T> Seen<T> {
    /// What it says, unless it is away.
    pub fn fresh(&self) -> Option<&T> {
        self.away.is_none().then_some(())?;
        self.value()
    }

    /// What it said last, however long ago.
    pub fn value(&self) -> Option<&T> {
        self.last.as_ref().map(|(_, value)| value)
    }

    /// How old that is, in whole seconds, if it is too old to be shown as it is.
    pub fn too_old(&self, now: Timestamp) -> Option<i64> {
        let age = now.as_second() - self.last.as_ref()?.0.as_second();
        (age > FRESH_S).then_some(age)
    }

    /// Notes an answer, or that there is none.
    pub fn note(&mut self, at: Timestamp, answer: anyhow::Result<T>) {
        match answer {
            Ok(value) => (self.last, self.away) = (Some((at, value)), None),
            Err(error) => {
                let since = self.away.as_ref().map_or(at, |away| away.since);
                self.away = Some(Away {
                    since,
                    why: one_line(&error.root_cause().to_string()),
                });
            }
        }
    }
}

/// Looks at the stack.
#[derive(Clone)]
pub struct Sampler {
    state: Arc<watch::Sender<State>>,
    shutdown: CancellationToken,
}

impl Sampler {
    /// One that knows nothing yet; those who read along do so until `shutdown` at the longest.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            state: Arc::new(watch::Sender::default()),
            shutdown,
        }
    }

    /// What is known now.
    pub fn state(&self) -> watch::Ref<'_, State> {
        self.state.borrow()
    }

    /// Reads along: as long as the receiver is kept, the stack is looked at every second. `None` where too many do.
    pub fn read_along(&self) -> Option<watch::Receiver<State>> {
        (self.state.receiver_count() < MOST_READERS).then(|| self.state.subscribe())
    }

    /// Cancelled when the service stops.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Looks at the stack until the service stops.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub async fn run(&self, config: &Config, index: Index, store: Store) -> anyhow::Result<()> {
        let groups = Groups::new(&config.common.kafka)?;
        let flink = FlinkClient::new(config.flink_url.clone())?;
        let looks = async {
            tokio::join!(
                self.keep(
                    |state| &mut state.decided,
                    async || {
                        if index.sleep().is_asleep() {
                            // What is not filled says nothing of what goes on.
                            self.state.send_modify(|state| state.decided = Seen::default());
                            index.sleep().until_seen().await;
                        }
                        decided::look(&index, now()).await
                    }
                ),
                self.keep(|state| &mut state.kafka, async || groups.look().await),
                self.keep(|state| &mut state.flink, async || flink.look().await),
                self.keep(|state| &mut state.stored, async || stored::look(&store).await),
                self.remember(),
            );
        };
        self.shutdown.run_until_cancelled(looks).await;
        Ok(())
    }

    /// Asks a source again and again, one question at a time.
    async fn keep<T>(&self, seen: impl Fn(&mut State) -> &mut Seen<T>, look: impl AsyncFn() -> anyhow::Result<T>) {
        let mut ticks = interval(WHILE_READ);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            let tick = ticks.tick().await;
            let pause = if self.state.receiver_count() > 0 {
                WHILE_READ
            } else {
                AT_REST
            };
            if last.is_none_or(|last| tick >= last + pause) {
                last = Some(tick);
                let answer = look().await;
                self.state.send_modify(|state| seen(state).note(now(), answer));
            }
        }
    }

    /// Adds a point to the last hour every five seconds.
    async fn remember(&self) {
        let mut ticks = interval(AT_REST);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut before = None;
        loop {
            ticks.tick().await;
            self.state.send_modify(|state| {
                let point = Point::of(state, before.as_ref(), now());
                state.history.add(point);
                before.clone_from(&state.stored.last);
            });
        }
    }
}

/// An error as it fits into a line: Flink's come with their stack.
fn one_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_away_since_it_first_did_not_answer_and_its_figures_grow_old() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut seen = Seen::default();
        seen.note(at(100), Ok(1));
        assert_eq!((seen.fresh(), seen.too_old(at(105))), (Some(&1), None));
        seen.note(at(102), Err(anyhow::anyhow!("refused\n\tat java.net.Socket")));
        seen.note(at(106), Err(anyhow::anyhow!("refused")));
        let away = seen.away.clone().unwrap();
        assert_eq!((away.since, away.why.as_str()), (at(102), "refused"));
        assert_eq!(
            (seen.fresh(), seen.value(), seen.too_old(at(106))),
            (None, Some(&1), Some(6))
        );
        seen.note(at(107), Ok(2));
        assert_eq!((seen.fresh(), seen.away.as_ref()), (Some(&2), None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_stack_is_looked_at_every_five_seconds_and_every_second_while_somebody_reads() {
        let sampler = Sampler::new(CancellationToken::new());
        let looks = std::cell::Cell::new(0);
        let keep = sampler.keep(
            |state| &mut state.flink,
            async || {
                looks.set(looks.get() + 1);
                Ok(Flink::default())
            },
        );
        let pass = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
        let watched = async {
            pass(9500).await;
            let at_rest = looks.get();
            let reader = sampler.read_along();
            pass(9000).await;
            drop(reader);
            (at_rest, looks.get() - at_rest)
        };
        tokio::select! {
            () = keep => unreachable!("it looks for ever"),
            seen = watched => assert_eq!(seen, (2, 9)),
        }
    }

    #[tokio::test]
    async fn no_more_than_so_many_read_along() {
        let sampler = Sampler::new(CancellationToken::new());
        let readers: Vec<_> = std::iter::from_fn(|| sampler.read_along()).take(1000).collect();
        assert_eq!(readers.len(), MOST_READERS);
    }
}
