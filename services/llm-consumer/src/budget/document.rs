//! The one document of the collection `budget`, and what may become of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

use super::{Amount, Limits};
use crate::money::dollars;

/// A lease of nothing that was not heard of for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// All that was spent and is leased. Limits are not in it: they are settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetDocument {
    /// Always [`BudgetDocument::ID`].
    #[serde(rename = "_id")]
    pub id: String,
    /// Counts the changes, so that each is made to what was read.
    pub version: i64,
    /// When the budget was begun, or reset.
    pub started_at: DateTime,
    /// What was spent and booked.
    pub spent: Amount,
    /// Leases by id.
    pub leases: BTreeMap<String, Lease>,
}

/// What a replica may spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose it is, for people.
    pub replica: String,
    /// How much.
    pub held: Amount,
    /// Since when.
    pub since: DateTime,
    /// When the replica was last heard of.
    pub seen_at: DateTime,
    /// Counts the replica's changes, so that it knows which were made.
    pub sequence: i64,
}

/// What a replica asks for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// To book as spent; it was, whatever the limits say.
    pub spent: Amount,
    /// To go on holding for calls under way, whatever the limits say.
    pub reserved: Amount,
    /// To hold beyond that,
    pub wish: Amount,
    /// and if there is not so much, at least this.
    pub least: Amount,
}

/// Too little of the budget is left for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    limits: Limits,
    /// What the call can cost.
    pub largest: Amount,
    /// What was spent.
    pub spent: Amount,
    /// What replicas hold.
    pub held: Amount,
    /// Whether calls under way in this replica may free enough.
    pub may_pass: bool,
}

impl BudgetDocument {
    /// The only document.
    pub const ID: &str = "global";

    /// A budget of which nothing is spent.
    #[must_use]
    pub fn new(now: DateTime) -> Self {
        Self {
            id: Self::ID.to_owned(),
            version: 0,
            started_at: now,
            spent: Amount::ZERO,
            leases: BTreeMap::new(),
        }
    }

    /// What the document becomes by a change of the lease `id`, which may be new.
    ///
    /// # Errors
    /// When the limits leave less than the least that is asked for.
    pub fn after(
        &self,
        change: &Change,
        id: &str,
        replica: &str,
        limits: Limits,
        now: DateTime,
    ) -> Result<Self, Exhausted> {
        let spent = self.spent.plus(change.spent);
        let others = self.leases.iter().filter(|&(other, _)| other != id);
        let held = others.fold(change.reserved, |held, (_, lease)| held.plus(lease.held));
        let left = limits.minus(spent.plus(held));
        if !left.covers(change.least) {
            return Err(Exhausted {
                limits,
                largest: change.least,
                spent,
                held,
                may_pass: change.reserved != Amount::ZERO,
            });
        }
        let before = self.leases.get(id);
        let lease = Lease {
            replica: replica.to_owned(),
            held: change.reserved.plus(change.wish.min(left)),
            since: before.map_or(now, |lease| lease.since),
            seen_at: now,
            sequence: before.map_or(0, |lease| lease.sequence) + 1,
        };
        let mut after = Self {
            version: self.version + 1,
            spent,
            ..self.clone()
        };
        after.leases.insert(id.to_owned(), lease);
        after.leases.retain(|_, lease| !lease.is_forgotten(now));
        Ok(after)
    }
}

impl Lease {
    fn is_forgotten(&self, now: DateTime) -> bool {
        let silent_ms = now.timestamp_millis().saturating_sub(self.seen_at.timestamp_millis());
        self.held == Amount::ZERO && u128::try_from(silent_ms).is_ok_and(|ms| ms > FORGET_AFTER.as_millis())
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.limits.minus(self.spent.plus(self.held));
        match self.limits.nanodollars {
            Some(limit) if left.nanodollars < self.largest.nanodollars => write!(
                f,
                "LLM_BUDGET_USD={}: {} are spent, {} are held by replicas, and a call may cost {}",
                dollars(limit).trim_start_matches('$'),
                dollars(self.spent.nanodollars),
                dollars(self.held.nanodollars),
                dollars(self.largest.nanodollars),
            ),
            _ => write!(
                f,
                "LLM_BUDGET_TOKENS={}: {} are spent, {} are held by replicas, and a call may take {}",
                self.limits.tokens.unwrap_or_default(),
                self.spent.tokens,
                self.held.tokens,
                self.largest.tokens,
            ),
        }
    }
}

impl std::error::Error for Exhausted {}
