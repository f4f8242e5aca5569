//! The index sleeps while nobody looks: then nothing is added to it. Whoever looks wakes it, and sees what came meanwhile.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long after the last look outcomes are still added as they come.
pub const AWAKE: Duration = Duration::from_secs(600);
/// So long after somebody looks first all who look wait for what has come meanwhile.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Who looks, and whether they see everything. Asleep at first.
#[derive(Debug, Default)]
pub struct Sleep {
    looks: watch::Sender<Looks>,
    /// Who waits until somebody looks.
    woken: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Looks {
    /// When somebody looked last.
    last: Option<Instant>,
    /// When somebody looked first after nobody had for long.
    first: Option<Instant>,
    /// Whether the index has what had come until then.
    caught_up: bool,
}

impl Looks {
    fn is_awake(&self) -> bool {
        self.last.is_some_and(|last| last.elapsed() < AWAKE)
    }
}

impl Sleep {
    /// Notes that somebody looks; in the first moment after a sleep, waits for what has come meanwhile.
    pub async fn wake(&self) {
        self.looks.send_modify(|looks| {
            if !looks.is_awake() {
                (looks.first, looks.caught_up) = (Some(Instant::now()), false);
                self.woken.notify_one();
            }
            looks.last = Some(Instant::now());
        });
        self.catch_up().await;
    }

    /// Whether nobody has looked for long.
    pub fn is_asleep(&self) -> bool {
        !self.looks.borrow().is_awake()
    }

    /// Waits until somebody looks, and sees what there is.
    pub async fn until_seen(&self) {
        self.until_awake().await;
        self.catch_up().await;
    }

    /// Begins `work` when somebody looks and drops it, wherever it is, when nobody has for long; again and again until it
    /// ends by itself.
    pub async fn while_awake<T>(&self, mut work: impl AsyncFnMut() -> T) -> T {
        loop {
            self.until_awake().await;
            tokio::select! {
                done = work() => return done,
                () = self.until_asleep() => {}
            }
        }
    }

    async fn until_awake(&self) {
        let _ = self.looks.subscribe().wait_for(Looks::is_awake).await;
    }

    async fn until_asleep(&self) {
        loop {
            // The guard must not be held while this waits.
            let looks = *self.looks.borrow();
            match looks.last.filter(|_| looks.is_awake()) {
                Some(last) => sleep_until(last + AWAKE).await,
                None => return,
            }
        }
    }

    /// Waits until somebody looks first after a sleep.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Tells that the index has what had come when it was woken.
    pub fn caught_up(&self) {
        self.looks.send_modify(|looks| looks.caught_up = true);
    }

    /// Whether the index has what had come when somebody looked first.
    pub fn has_caught_up(&self) -> bool {
        self.looks.borrow().caught_up
    }

    /// Notes that somebody looks, and waits for so long until the index has what had come: whether it has.
    pub async fn catches_up_within(&self, patience: Duration) -> bool {
        self.wake().await;
        let mut looks = self.looks.subscribe();
        timeout_at(Instant::now() + patience, looks.wait_for(|looks| looks.caught_up))
            .await
            .is_ok()
    }

    async fn catch_up(&self) {
        let Looks { first, caught_up, .. } = *self.looks.borrow();
        if let Some(first) = first.filter(|_| !caught_up) {
            let mut looks = self.looks.subscribe();
            let _ = timeout_at(first + CATCH_UP, looks.wait_for(|looks| looks.caught_up)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::join;
    use tokio::time::sleep;

    use super::*;

    impl Sleep {
        /// Somebody looks already, and need not wait: nobody fills the index.
        pub fn end(&self) {
            let now = Some(Instant::now());
            self.looks.send_replace(Looks {
                last: now,
                first: now,
                caught_up: true,
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_looks_in_the_first_moment_waits_for_what_has_come_since() {
        let index = Sleep::default();
        assert!(index.is_asleep());
        let waited = async || {
            let began = Instant::now();
            index.wake().await;
            began.elapsed()
        };
        let fill = async {
            index.woken().await;
            sleep(CATCH_UP / 2).await;
            index.caught_up();
        };
        let late = async {
            sleep(CATCH_UP / 4).await;
            waited().await
        };
        let ((), first, second, ()) = join!(fill, waited(), late, index.until_seen());
        assert_eq!((first, second), (CATCH_UP / 2, CATCH_UP / 4));
        assert_eq!(waited().await, Duration::ZERO, "it has everything");

        sleep(AWAKE).await;
        assert!(index.is_asleep());
        assert_eq!(waited().await, CATCH_UP, "nobody waits longer than that");
        assert_eq!(waited().await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_done_while_somebody_looks_ends_with_that_and_begins_anew() {
        let index = Sleep::default();
        let mut begun = vec![];
        let began = Instant::now();
        let work = index.while_awake(async || {
            begun.push(began.elapsed());
            std::future::pending::<()>().await;
        });
        let look = async {
            for pause in [AWAKE, AWAKE / 2, 3 * AWAKE] {
                sleep(pause).await;
                index.wake().await;
            }
        };
        tokio::select! {
            () = work => panic!("it has no end"),
            () = look => {}
        }
        assert_eq!(
            index.while_awake(async || "done").await,
            "done",
            "what has ended is not begun again"
        );
        let woken = 3 * AWAKE / 2 + CATCH_UP + 3 * AWAKE;
        assert_eq!(begun, [AWAKE, woken], "the second look comes while it is awake");
    }
}
