//! The budget in a real MongoDB, where `MONGODB_URI` names one.

use std::env;
use std::sync::Arc;

use llm_consumer::budget::{Amount, Budget, Limits};
use messaging::mongo::{Mongo, MongoConfig};
use mongodb::bson::{Document, doc};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A database of one's own; `None` without a server.
async fn database() -> Option<Mongo> {
    let config = MongoConfig {
        mongodb_uri: env::var("MONGODB_URI").ok()?.into(),
        mongodb_database: format!("budget-{}", Uuid::now_v7().simple()),
    };
    Some(
        config
            .connect("test")
            .await
            .expect("a connection string that can be used"),
    )
}

fn amount(nanodollars: u64, tokens: u64) -> Amount {
    Amount { nanodollars, tokens }
}

/// Makes calls at once, 200 of them, which cost less and less of what they could.
async fn spend(budget: &Arc<Budget>) -> Amount {
    let mut calls = JoinSet::new();
    for call in 0..200 {
        let budget = budget.clone();
        calls.spawn(async move {
            let Ok(reservation) = budget.reserve(amount(200, 20)).await else {
                return Amount::ZERO;
            };
            tokio::task::yield_now().await;
            let used = amount(200 - call, 10);
            reservation.settle(used);
            used
        });
    }
    calls.join_all().await.into_iter().fold(Amount::ZERO, Amount::plus)
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_spend_at_once_stay_within_the_limit_and_book_what_they_spent() {
    let Some(mongo) = database().await else {
        eprintln!("MONGODB_URI is not set: skipped");
        return;
    };
    let limits = Limits {
        nanodollars: Some(30_000),
        tokens: None,
    };
    let mut replicas = JoinSet::new();
    for name in ["one", "two", "three"] {
        let budget = Arc::new(Budget::open(mongo.clone(), limits, name));
        replicas.spawn(async move {
            let used = spend(&budget).await;
            Arc::into_inner(budget).unwrap().close().await;
            used
        });
    }
    let used = replicas.join_all().await.into_iter().fold(Amount::ZERO, Amount::plus);
    assert!(used.nanodollars <= 30_000, "{used:?}");
    assert!(used.nanodollars > 29_000, "nearly all of it can be used: {used:?}");

    let stored: Document = mongo
        .database
        .collection("budget")
        .find_one(doc! {})
        .await
        .unwrap()
        .unwrap();
    let spent = stored.get_document("spent").unwrap();
    assert_eq!(spent.get_i64("nanodollars").unwrap(), used.nanodollars as i64);
    assert_eq!(spent.get_i64("tokens").unwrap(), used.tokens as i64);
    for (_, lease) in stored.get_document("leases").unwrap() {
        let held = lease.as_document().unwrap().get_document("held").unwrap();
        assert_eq!(held, &doc! { "nanodollars": 0_i64, "tokens": 0_i64 });
    }
    mongo.database.drop().await.unwrap();
}
