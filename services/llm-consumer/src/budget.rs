//! What calls may cost, over all replicas and until the budget is reset: never exceeded.
//!
//! Before a call the largest that it can cost is reserved, from a block that this replica has leased; after it, what it
//! did cost is booked, and the rest is free for the next. All leases and all that was spent are in one document of
//! MongoDB ([`document`]), which changes only if both together stay within the limits. What a replica leased and did not
//! account for, because it was killed, counts as spent until a person releases it.

mod amount;
mod block;
pub mod document;
mod ledger;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use messaging::mongo::Mongo;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

pub use amount::{Amount, Limits};
pub use block::Reservation;
pub use document::Exhausted;
pub use ledger::{MongoStore, Store};

use block::Block;
use document::Change;
use ledger::Ledger;

/// How often what was spent is booked, and how soon an idle replica gives back what it leased.
const BOOK_EVERY: Duration = Duration::from_secs(10);

/// A replica's share in the budget.
pub struct Budget<S: Store = MongoStore> {
    shared: Arc<Shared<S>>,
    booking: JoinHandle<()>,
}

struct Shared<S> {
    limits: Limits,
    block: Block,
    /// Only who holds it reserves, so that no lease shrinks below what is reserved.
    ledger: Mutex<Ledger<S>>,
}

impl Budget {
    /// Takes part in the budget that a database holds; `replica` names this process to people. Nothing is asked of
    /// MongoDB yet.
    #[must_use]
    pub fn open(mongo: Mongo, limits: Limits, replica: &str) -> Self {
        Self::with(MongoStore::new(mongo), limits, replica)
    }
}

impl<S: Store> Budget<S> {
    fn with(store: S, limits: Limits, replica: &str) -> Self {
        let shared = Arc::new(Shared {
            limits,
            block: Block::default(),
            ledger: Mutex::new(Ledger::new(store, limits, replica)),
        });
        let booking = tokio::spawn(book_regularly(Arc::downgrade(&shared)));
        Self { shared, booking }
    }

    /// Whether a call of this cost fits into the budget when nothing is spent.
    #[must_use]
    pub fn could_ever_pay(&self, largest: Amount) -> bool {
        self.shared.limits.minus(Amount::ZERO).covers(largest)
    }

    /// Reserves the largest that a call can cost.
    ///
    /// It waits for MongoDB, and for calls of this replica that may free enough. Dropped meanwhile, it has reserved
    /// nothing.
    ///
    /// # Errors
    /// When too little is left, and no call under way here can free more.
    pub async fn reserve(&self, largest: Amount) -> Result<Reservation, Exhausted> {
        loop {
            // Before looking, so that no end of a call is missed.
            let mut settled = Box::pin(self.shared.block.settled());
            settled.as_mut().enable();
            match self.shared.try_reserve(largest).await {
                Err(exhausted) if exhausted.may_pass => settled.await,
                reserved => return reserved,
            }
        }
    }

    /// Books what was spent, and gives back what is left, but for what calls under way still hold.
    ///
    /// It waits for MongoDB however long that takes: give it a deadline.
    pub async fn close(&self) {
        self.booking.abort();
        self.shared.book(true).await;
    }
}

impl<S: Store> Drop for Budget<S> {
    fn drop(&mut self) {
        self.booking.abort();
    }
}

impl<S: Store> Shared<S> {
    async fn try_reserve(&self, largest: Amount) -> Result<Reservation, Exhausted> {
        let mut ledger = self.ledger.lock().await;
        ledger.is_idle = false;
        // One that a caller gave up on may have been done all the same.
        let _outcome = ledger.finish(&self.block).await;
        if !self.block.covers(largest) {
            let [spent, reserved] = self.block.to_book();
            let change = Change {
                spent,
                reserved,
                wish: self.limits.block(largest),
                least: largest,
            };
            ledger.carry_out(change, &self.block).await?;
        }
        Ok(self.block.reserve(largest))
    }

    /// Books what was spent; when nothing was reserved since the last time, also gives back what is free.
    async fn book(&self, closing: bool) {
        let mut ledger = self.ledger.lock().await;
        let _outcome = ledger.finish(&self.block).await;
        let gives_back = closing || std::mem::replace(&mut ledger.is_idle, true);
        if self.block.is_empty() {
            return;
        }
        let [spent, reserved] = self.block.to_book();
        let change = Change {
            spent,
            reserved,
            wish: if gives_back { Amount::ZERO } else { self.block.free() },
            least: Amount::ZERO,
        };
        // What asks for nothing is not refused.
        let _outcome = ledger.carry_out(change, &self.block).await;
    }
}

async fn book_regularly<S: Store>(shared: Weak<Shared<S>>) {
    loop {
        tokio::time::sleep(BOOK_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.book(false).await;
    }
}
