//! A replica's changes of the document, each made exactly once.

use messaging::collection::Collection;
use messaging::mongo::Mongo;
use mongodb::bson::{DateTime, doc};
use tracing::{info, warn};
use uuid::Uuid;

use super::block::Block;
use super::document::{BudgetDocument, Change, Exhausted};
use super::{Amount, Limits};

/// Where the document is. Every operation waits for a server that is away.
pub trait Store: Send + Sync + 'static {
    /// The document as it is, which there is from now on.
    fn read(&self) -> impl Future<Output = BudgetDocument> + Send;

    /// Puts `new` in the place of `old`, if that is still there. `false`: it was not, or this was done already.
    fn replace(&self, old: &BudgetDocument, new: &BudgetDocument) -> impl Future<Output = bool> + Send;
}

/// The document in MongoDB.
pub struct MongoStore {
    mongo: Mongo,
    budget: Collection<BudgetDocument>,
}

impl MongoStore {
    pub(super) fn new(mongo: Mongo) -> Self {
        let budget = mongo.collection("budget");
        Self { mongo, budget }
    }
}

impl Store for MongoStore {
    async fn read(&self) -> BudgetDocument {
        let find = || self.budget.find(doc! { "_id": BudgetDocument::ID }).first();
        loop {
            if let Some(document) = self.mongo.until_ok(find).await {
                return document;
            }
            let first = [BudgetDocument::new(DateTime::now())];
            self.mongo.until_ok(|| self.budget.insert_new(&first)).await;
        }
    }

    async fn replace(&self, old: &BudgetDocument, new: &BudgetDocument) -> bool {
        let unchanged = doc! {
            "_id": BudgetDocument::ID,
            "version": old.version,
            "started_at": old.started_at,
        };
        let replace = || self.budget.replace_one(unchanged.clone(), new, false);
        self.mongo.until_ok(replace).await.matched_count == 1
    }
}

/// A replica's lease, and the change that may be under way.
pub struct Ledger<S> {
    store: S,
    limits: Limits,
    replica: String,
    /// A new one for each start: what an earlier one left is not this one's.
    lease: String,
    /// Changes made of this lease.
    sequence: i64,
    /// Kept until it is known to be made or refused, should whoever waits for it give up.
    pending: Option<Change>,
    /// Whether nothing was reserved since the last booking.
    pub(super) is_idle: bool,
}

impl<S: Store> Ledger<S> {
    pub(super) fn new(store: S, limits: Limits, replica: &str) -> Self {
        Self {
            store,
            limits,
            replica: replica.to_owned(),
            lease: new_lease(),
            sequence: 0,
            pending: None,
            is_idle: true,
        }
    }

    /// Makes a change, when the one before is finished.
    pub(super) async fn carry_out(&mut self, change: Change, block: &Block) -> Result<(), Exhausted> {
        self.pending = Some(change);
        self.finish(block).await
    }

    /// Finishes what is pending.
    pub(super) async fn finish(&mut self, block: &Block) -> Result<(), Exhausted> {
        while let Some(change) = self.pending {
            let document = self.store.read().await;
            let sequence = document.leases.get(&self.lease).map_or(0, |lease| lease.sequence);
            if sequence < self.sequence {
                self.lose(block);
            } else if sequence > self.sequence {
                // It was made, only its confirmation was lost.
                self.made(change, &document, block);
            } else {
                let after = document.after(&change, &self.lease, &self.replica, self.limits, DateTime::now());
                let after = after.inspect_err(|_| self.pending = None)?;
                if self.store.replace(&document, &after).await {
                    self.made(change, &after, block);
                }
            }
        }
        Ok(())
    }

    fn made(&mut self, change: Change, document: &BudgetDocument, block: &Block) {
        let lease = document.leases.get(&self.lease);
        block.booked(change.spent, lease.map_or(Amount::ZERO, |lease| lease.held));
        self.sequence = lease.map_or(0, |lease| lease.sequence);
        self.pending = None;
    }

    /// Takes note that the budget was reset or the lease released; a new one covers what calls hold.
    fn lose(&mut self, block: &Block) {
        if block.is_empty() {
            info!(lease = self.lease, "an empty lease was forgotten");
        } else {
            warn!(
                lease = self.lease,
                "the budget was reset or this lease released: taking another"
            );
        }
        block.lost();
        self.lease = new_lease();
        self.sequence = 0;
    }
}

fn new_lease() -> String {
    Uuid::now_v7().simple().to_string()
}
