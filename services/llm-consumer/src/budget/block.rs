//! What a replica has leased, and what calls do with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::Amount;

/// What a replica has leased.
#[derive(Debug, Clone, Default)]
pub struct Block(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    settled: Notify,
}

/// What is leased less what is reserved and spent is free. That may be less than nothing, when a call cost more than
/// was reserved, or a lease was released under its owner.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// As the document says.
    leased: Amount,
    /// For calls under way.
    reserved: Amount,
    /// Not booked yet.
    spent: Amount,
}

/// The right to make a call that costs up to what was reserved.
///
/// One that is dropped counts as spent as a whole: nobody knows what the call cost.
#[derive(Debug)]
#[must_use = "what is dropped counts as spent"]
pub struct Reservation {
    block: Block,
    largest: Amount,
    is_settled: bool,
}

impl Block {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call that can cost so much can be made now.
    pub(super) fn covers(&self, largest: Amount) -> bool {
        let state = self.state();
        state.leased.covers(state.reserved.plus(state.spent).plus(largest))
    }

    /// What no call holds and none has spent.
    pub(super) fn free(&self) -> Amount {
        let state = self.state();
        state.leased.minus(state.reserved.plus(state.spent))
    }

    /// What was spent since the last booking, and what is reserved.
    pub(super) fn to_book(&self) -> [Amount; 2] {
        let state = self.state();
        [state.spent, state.reserved]
    }

    /// Whether there is nothing to book or to give back.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state();
        [state.leased, state.reserved, state.spent] == [Amount::ZERO; 3]
    }

    /// Takes note that `spent` is booked and so much leased.
    pub(super) fn booked(&self, spent: Amount, leased: Amount) {
        let mut state = self.state();
        state.spent = state.spent.minus(spent);
        state.leased = leased;
    }

    /// Takes note that the lease is gone.
    pub(super) fn lost(&self) {
        self.state().leased = Amount::ZERO;
    }

    pub(super) fn reserve(&self, largest: Amount) -> Reservation {
        let mut state = self.state();
        state.reserved = state.reserved.plus(largest);
        Reservation {
            block: self.clone(),
            largest,
            is_settled: false,
        }
    }

    /// The end of the next call.
    pub(super) fn settled(&self) -> Notified<'_> {
        self.0.settled.notified()
    }

    fn settle(&self, largest: Amount, used: Amount) {
        let mut state = self.state();
        state.reserved = state.reserved.minus(largest);
        state.spent = state.spent.plus(used);
        drop(state);
        self.0.settled.notify_waiters();
    }
}

impl Reservation {
    /// Books what the call did cost, even if that is more than was reserved; [`Amount::ZERO`] for one that was not sent.
    pub fn settle(mut self, used: Amount) {
        self.is_settled = true;
        self.block.settle(self.largest, used);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.is_settled {
            self.block.settle(self.largest, self.largest);
        }
    }
}
