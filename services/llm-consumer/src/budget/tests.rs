use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex as SyncMutex, MutexGuard};

use mongodb::bson::DateTime;
use proptest::prelude::*;
use tokio::task::{JoinSet, yield_now};

use super::document::BudgetDocument;
use super::*;

/// The document in memory, which other tasks reach between any two steps of one.
#[derive(Clone)]
struct Memory(Arc<Shelf>);

struct Shelf {
    document: SyncMutex<BudgetDocument>,
    limits: Limits,
    /// What calls did cost, and could cost that are under way.
    risked: SyncMutex<Amount>,
    /// Bits: whether the confirmation of a change is lost.
    lost: AtomicU64,
    is_away: AtomicBool,
}

impl Memory {
    fn new(limits: Limits, lost: u64) -> Self {
        Self(Arc::new(Shelf {
            document: SyncMutex::new(BudgetDocument::new(DateTime::now())),
            limits,
            risked: SyncMutex::default(),
            lost: AtomicU64::new(lost),
            is_away: AtomicBool::new(false),
        }))
    }

    fn document(&self) -> MutexGuard<'_, BudgetDocument> {
        self.0.document.lock().unwrap()
    }

    /// What is spent, and what is held.
    fn sums(&self) -> [Amount; 2] {
        let document = self.document();
        let held = document
            .leases
            .values()
            .fold(Amount::ZERO, |sum, lease| sum.plus(lease.held));
        [document.spent, held]
    }

    fn replica(&self, limits: Limits) -> Budget<Self> {
        Budget::with(self.clone(), limits, "replica")
    }

    /// A call that can cost so much begins.
    fn risk(&self, largest: Amount) {
        let mut risked = self.0.risked.lock().unwrap();
        *risked = risked.plus(largest);
        let limits = self.0.limits;
        assert!(
            limits.nanodollars.is_none_or(|most| risked.nanodollars <= most),
            "{risked:?}"
        );
        assert!(limits.tokens.is_none_or(|most| risked.tokens <= most), "{risked:?}");
    }

    /// What a person does to the document.
    fn change(&self, change: impl FnOnce(&mut BudgetDocument)) {
        let mut document = self.document();
        change(&mut document);
        document.version += 1;
    }
}

impl Store for Memory {
    async fn read(&self) -> BudgetDocument {
        yield_now().await;
        while self.0.is_away.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.document().clone()
    }

    async fn replace(&self, old: &BudgetDocument, new: &BudgetDocument) -> bool {
        yield_now().await;
        let is_there = {
            let mut document = self.document();
            let is_there = document.version == old.version;
            if is_there {
                *document = new.clone();
            }
            is_there
        };
        // A caller may give up here, too: after the change, before it knows.
        yield_now().await;
        let lost = self.0.lost.load(Ordering::Relaxed);
        self.0.lost.store(lost.rotate_right(1), Ordering::Relaxed);
        is_there && lost & 1 == 0
    }
}

fn usd(nanodollars: u64) -> Amount {
    Amount { nanodollars, tokens: 0 }
}

fn limit(nanodollars: u64) -> Limits {
    Limits {
        nanodollars: Some(nanodollars),
        tokens: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_did_not_use_is_there_for_the_next_and_a_replica_that_stops_gives_back_the_rest() {
    let memory = Memory::new(limit(1000), 0);
    let budget = memory.replica(limit(1000));
    for _ in 0..50 {
        budget.reserve(usd(10)).await.unwrap().settle(usd(1));
    }
    let [_, held] = memory.sums();
    assert!(held.nanodollars <= 20, "a block is a hundredth: {held:?}");
    budget.close().await;
    assert_eq!(memory.sums(), [usd(50), Amount::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fits_only_when_another_costs_less_than_it_could_waits_for_that() {
    let memory = Memory::new(limit(10), 0);
    let budget = Arc::new(memory.replica(limit(10)));
    let first = budget.reserve(usd(10)).await.unwrap();
    let second = tokio::spawn({
        let budget = budget.clone();
        async move { budget.reserve(usd(4)).await }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!second.is_finished());
    first.settle(usd(6));
    second.await.unwrap().unwrap().settle(usd(4));
    let exhausted = budget.reserve(usd(1)).await.unwrap_err();
    assert_eq!((exhausted.spent, exhausted.held), (usd(10), Amount::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_is_exhausted_is_said_in_words() {
    let limits = Limits {
        nanodollars: Some(5_000_000_000),
        tokens: Some(1000),
    };
    let memory = Memory::new(limits, 0);
    let budget = memory.replica(limits);
    budget
        .reserve(usd(4_980_000_000))
        .await
        .unwrap()
        .settle(usd(4_980_000_000));
    assert_eq!(
        budget.reserve(usd(30_000_000)).await.unwrap_err().to_string(),
        "LLM_BUDGET_USD=5: $4.98 are spent, $0 are held by replicas, and a call may cost $0.03"
    );
    let tokens = Amount {
        nanodollars: 1,
        tokens: 1001,
    };
    assert_eq!(
        budget.reserve(tokens).await.unwrap_err().to_string(),
        "LLM_BUDGET_TOKENS=1000: 0 are spent, 0 are held by replicas, and a call may take 1001"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_counts_as_spent() {
    let memory = Memory::new(limit(1000), 0);
    let budget = memory.replica(limit(1000));
    drop(budget.reserve(usd(7)).await.unwrap());
    budget.close().await;
    assert_eq!(memory.sums(), [usd(7), Amount::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn what_a_call_cost_beyond_its_reservation_is_booked_and_missing_later() {
    let memory = Memory::new(limit(100), 0);
    let budget = memory.replica(limit(100));
    budget.reserve(usd(10)).await.unwrap().settle(usd(95));
    assert!(budget.reserve(usd(6)).await.is_err());
    budget.reserve(usd(5)).await.unwrap().settle(usd(20));
    budget.close().await;
    assert_eq!(memory.sums(), [usd(115), Amount::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_lets_calls_go_on_where_they_stopped() {
    let memory = Memory::new(limit(10), 0);
    let budget = memory.replica(limit(10));
    budget.reserve(usd(10)).await.unwrap().settle(usd(10));
    assert!(budget.reserve(usd(1)).await.is_err());
    budget.close().await;
    let budget = memory.replica(limit(12));
    budget.reserve(usd(2)).await.unwrap().settle(usd(2));
    assert!(budget.reserve(usd(1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_replica_held_counts_as_spent_until_it_is_released() {
    let memory = Memory::new(limit(10), 0);
    let killed = memory.replica(limit(10));
    std::mem::forget(killed.reserve(usd(10)).await.unwrap());
    drop(killed);
    let budget = memory.replica(limit(10));
    let exhausted = budget.reserve(usd(1)).await.unwrap_err();
    assert_eq!((exhausted.spent, exhausted.held), (Amount::ZERO, usd(10)));
    memory.change(|document| document.leases.clear());
    budget.reserve(usd(10)).await.unwrap().settle(usd(10));
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_lease_was_released_under_it_takes_another_for_the_calls_that_it_makes() {
    let memory = Memory::new(limit(1000), 0);
    let budget = memory.replica(limit(1000));
    let (first, second) = (
        budget.reserve(usd(10)).await.unwrap(),
        budget.reserve(usd(10)).await.unwrap(),
    );
    memory.change(|document| document.leases.clear());
    first.settle(usd(3));
    tokio::time::sleep(BOOK_EVERY * 3).await;
    assert_eq!(memory.sums(), [usd(3), usd(10)]);
    second.settle(usd(4));
    budget.close().await;
    assert_eq!(memory.sums(), [usd(7), Amount::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_replica_gives_back_what_it_leased_and_books_what_it_spent() {
    let memory = Memory::new(limit(100_000), 0);
    let budget = memory.replica(limit(100_000));
    budget.reserve(usd(1)).await.unwrap().settle(usd(1));
    assert_eq!(memory.sums(), [Amount::ZERO, usd(1000)]);
    tokio::time::sleep(BOOK_EVERY * 3).await;
    assert_eq!(memory.sums(), [usd(1), Amount::ZERO]);
    budget.reserve(usd(1)).await.unwrap().settle(usd(1));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_while_the_database_is_away_has_reserved_nothing() {
    let memory = Memory::new(limit(10), 0);
    let budget = memory.replica(limit(10));
    memory.0.is_away.store(true, Ordering::Relaxed);
    let waited = tokio::time::timeout(Duration::from_secs(90), budget.reserve(usd(10))).await;
    assert!(waited.is_err());
    memory.0.is_away.store(false, Ordering::Relaxed);
    budget.reserve(usd(10)).await.unwrap().settle(usd(2));
    budget.close().await;
    assert_eq!(memory.sums(), [usd(2), Amount::ZERO]);
}

#[test]
fn a_lease_of_nothing_is_forgotten_when_it_was_silent_for_long() {
    let mut document = BudgetDocument::new(DateTime::from_millis(0));
    let nothing = Change {
        spent: Amount::ZERO,
        reserved: Amount::ZERO,
        wish: Amount::ZERO,
        least: Amount::ZERO,
    };
    let something = Change {
        reserved: usd(1),
        ..nothing
    };
    for (at, lease, change) in [
        (0, "empty", &nothing),
        (0, "held", &something),
        (3_600_001, "new", &something),
    ] {
        let now = DateTime::from_millis(at);
        document = document.after(change, lease, "replica", limit(10), now).unwrap();
    }
    assert_eq!(document.leases.keys().collect::<Vec<_>>(), ["held", "new"]);
}

/// What a call may cost and does, and what becomes of it.
#[derive(Debug, Clone)]
struct Call {
    largest: Amount,
    used: Amount,
    end: End,
    steps: u8,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Settled,
    /// Its task is dropped: nobody knows.
    Dropped,
    /// Whoever wants it gives up after so many steps.
    GivenUp(u8),
}

fn call() -> impl Strategy<Value = Call> {
    let end = prop_oneof![4 => Just(End::Settled), 1 => Just(End::Dropped), 1 => (0..6_u8).prop_map(End::GivenUp)];
    ((0..40_u64, 0..40_u64), (0..=100_u64, 0..=100_u64), end, 0..8_u8).prop_map(|(largest, share, end, steps)| Call {
        largest: Amount {
            nanodollars: largest.0,
            tokens: largest.1,
        },
        used: Amount {
            nanodollars: largest.0 * share.0 / 100,
            tokens: largest.1 * share.1 / 100,
        },
        end,
        steps,
    })
}

/// Makes a call, and returns what it is booked with and what it did cost.
async fn make(memory: &Memory, budget: &Budget<Memory>, call: &Call) -> [Amount; 2] {
    let reserve = budget.reserve(call.largest);
    let reserved = match call.end {
        End::GivenUp(steps) => {
            tokio::select! {
                biased;
                reserved = reserve => reserved,
                () = pause(steps) => return [Amount::ZERO; 2],
            }
        }
        _ => reserve.await,
    };
    let Ok(reservation) = reserved else {
        return [Amount::ZERO; 2];
    };
    memory.risk(call.largest);
    pause(call.steps).await;
    if call.end == End::Dropped {
        return [call.largest, call.used];
    }
    let mut risked = memory.0.risked.lock().unwrap();
    *risked = risked.minus(call.largest.minus(call.used));
    drop(risked);
    reservation.settle(call.used);
    [call.used; 2]
}

async fn pause(steps: u8) {
    for _ in 0..steps {
        yield_now().await;
    }
}

/// Makes all calls of a replica at once; one that is to be killed dies while they are made.
async fn work(memory: Memory, limits: Limits, calls: Vec<Call>, is_killed: bool) -> [Amount; 2] {
    let budget = Arc::new(memory.replica(limits));
    let mut tasks = JoinSet::new();
    for call in calls {
        let (memory, budget) = (memory.clone(), budget.clone());
        tasks.spawn(async move { make(&memory, &budget, &call).await });
    }
    if is_killed {
        pause(20).await;
        // Nothing of it runs any more, not even a destructor that could tell the document; what it holds stays held.
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        return [Amount::ZERO; 2];
    }
    let sums = tasks
        .join_all()
        .await
        .into_iter()
        .fold([Amount::ZERO; 2], |[booked, used], call| {
            [booked.plus(call[0]), used.plus(call[1])]
        });
    Arc::into_inner(budget).expect("all tasks have ended").close().await;
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn replicas_that_call_at_once_and_die_never_exceed_the_budget_and_what_the_others_spent_is_booked(
        replicas in prop::collection::vec((prop::collection::vec(call(), 0..12), prop::bool::weighted(0.2)), 1..5),
        most in 1..400_u64,
        most_tokens in prop::option::of(1..400_u64),
        lost in any::<u64>(),
    ) {
        let limits = Limits { nanodollars: Some(most), tokens: most_tokens };
        // Some confirmation has to arrive.
        let memory = Memory::new(limits, lost & !1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let booked = runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (calls, is_killed) in replicas.clone() {
                tasks.spawn(work(memory.clone(), limits, calls, is_killed));
            }
            tasks.join_all().await.into_iter().fold([Amount::ZERO; 2], |sums, one| [sums[0].plus(one[0]), sums[1].plus(one[1])])
        });
        let [spent, held] = memory.sums();
        let taken = spent.plus(held);
        prop_assert!(taken.nanodollars <= most && most_tokens.is_none_or(|most| taken.tokens <= most), "{taken:?}");
        prop_assert!(booked[0].covers(booked[1]));
        if replicas.iter().all(|(_, is_killed)| !is_killed) {
            prop_assert_eq!([spent, held], [booked[0], Amount::ZERO]);
        } else {
            prop_assert!(spent.covers(booked[0]));
        }
    }
}
