use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contracts::message::ValidatedResponse;
use contracts::topic::{MAX_OTHER_ANSWERS, MAX_QUESTION_BYTES, Message as _};
use contracts::value::Id;
use futures::future::join_all;
use messaging::batcher::Batcher;
use messaging::dead_letter::DeadLetter;
use messaging::input::Outcome;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::answer::ReuseRule;
use crate::memory::Policy;
use crate::test_support::{answer, by_today, models, question};
use crate::verdicts;

const PATIENCE: Duration = Duration::from_secs(60);

fn handler(stored: Vec<Judged>) -> Arc<Questions> {
    handler_after(&[], stored)
}

/// With the requests that have their outcome, and the answers that MongoDB has for any question.
fn handler_after(decided: &[&str], stored: Vec<Judged>) -> Arc<Questions> {
    let stored: Vec<_> = stored.into_iter().map(Arc::new).collect();
    let decided: HashMap<_, _> = decided
        .iter()
        .map(|id| (question(id, "q").identity.message_id, true))
        .collect();
    handler_over(Stored {
        answers: Batcher::new(move |ids: Arc<[Id]>| {
            let found: HashMap<_, _> = ids.iter().map(|id| (id.clone(), stored.clone())).collect();
            async { found }
        }),
        decided: Batcher::new(move |_| {
            let decided = decided.clone();
            async { decided }
        }),
    })
}

fn handler_over(stored: Stored) -> Arc<Questions> {
    let threshold = Score::try_from(0.65).unwrap();
    let rule = ReuseRule {
        threshold,
        ttl: Duration::from_secs(3600),
    };
    Arc::new(Questions {
        answers: Arc::new(Answers::new(Policy::Lru, 10, rule, Arc::default(), models())),
        in_flight: Arc::new(InFlight::new(PATIENCE)),
        stored,
        threshold,
    })
}

type Asking = tokio::task::JoinHandle<Result<Vec<Outgoing>, Failure>>;

fn ask(handler: &Arc<Questions>, message_id: &str) -> Asking {
    ask_for(handler, question(message_id, "q"), Lease::default())
}

fn ask_for(handler: &Arc<Questions>, question: QuestionMessage, lease: Lease) -> Asking {
    let handler = Arc::clone(handler);
    tokio::spawn(async move { handler.handle(question, &lease).await })
}

/// Gives every request its time to get to where it waits.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn sent(outcome: Result<Result<Vec<Outgoing>, Failure>, tokio::task::JoinError>) -> Outgoing {
    outcome.unwrap().unwrap().remove(0)
}

fn served(outgoing: &Outgoing) -> ValidatedResponse {
    assert_eq!(outgoing.topic, ValidatedResponse::TOPIC);
    serde_json::from_slice(outgoing.value.as_ref().unwrap()).unwrap()
}

fn decide(handler: &Questions, answer: Judged) {
    let mut asked = question("m0", "q");
    asked.question = answer.question.clone();
    let mut verdict = answer.serve(asked, Source::Llm, handler.threshold);
    verdict.attempts = 1;
    verdicts::observe(
        Outcome::Validated(Box::new(verdict)),
        &handler.answers,
        &handler.in_flight,
    );
}

#[tokio::test(start_paused = true)]
async fn twins_in_flight_cost_one_request_and_share_the_verdict() {
    let handler = handler(vec![]);
    let leader = sent(ask(&handler, "m0").await);
    assert_eq!(leader.topic, LlmRequest::TOPIC);
    let twins: Vec<_> = (1..20).map(|i| ask(&handler, &format!("m{i}"))).collect();
    settle().await;
    decide(
        &handler,
        Judged {
            accepted: false,
            ..answer(0.3)
        },
    );
    for twin in join_all(twins).await {
        let response = served(&sent(twin));
        assert_eq!(
            (response.source, response.accepted, response.attempts),
            (Source::Coalesced, false, 0)
        );
        assert_eq!(response.score.get(), 0.3);
    }
    let next = sent(ask(&handler, "m20").await);
    assert_eq!(
        next.topic,
        LlmRequest::TOPIC,
        "what was not accepted is not reused later"
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_model_fails_for_the_leader_one_twin_asks_and_the_others_follow_it() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    let twins: Vec<_> = (1..5).map(|i| ask(&handler, &format!("m{i}"))).collect();
    settle().await;
    let leader = question("m0", "q").identity;
    handler.in_flight.land(&leader, now(), Landing::Nothing);
    settle().await;
    assert_eq!(twins.iter().filter(|twin| twin.is_finished()).count(), 1);
    decide(&handler, answer(0.9));
    let topics: Vec<_> = join_all(twins).await.into_iter().map(|twin| sent(twin).topic).collect();
    assert_eq!(topics.iter().filter(|&&topic| topic == LlmRequest::TOPIC).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_a_flight_is_lost_one_twin_asks_and_the_others_follow_it() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    let twins: Vec<_> = (1..20).map(|i| ask(&handler, &format!("m{i}"))).collect();
    for requests in [1, 1, 2] {
        tokio::time::sleep(PATIENCE).await;
        settle().await;
        let asked = twins.iter().filter(|twin| twin.is_finished()).count();
        assert_eq!(asked, requests, "the second is waited for twice as long");
    }
    // The lost one is back.
    decide(&handler, answer(0.9));
    let topics: Vec<_> = join_all(twins).await.into_iter().map(|twin| sent(twin).topic).collect();
    assert_eq!(topics.iter().filter(|&&topic| topic == LlmRequest::TOPIC).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_the_leader_lets_a_twin_ask_at_once() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    let twin = ask(&handler, "m1");
    for (given_up, asks) in [("of another", false), ("m0", true)] {
        let letter = DeadLetter(question(given_up, "q").identity);
        verdicts::observe_dead_letter(&letter, &handler.in_flight);
        settle().await;
        assert_eq!(twin.is_finished(), asks, "{given_up}");
    }
    assert_eq!(sent(twin.await).topic, LlmRequest::TOPIC);
}

/// An answer that memory does not keep.
fn large() -> Judged {
    Judged {
        answer: by_today(&"Because of the air. ".repeat(1000)),
        ..answer(0.9)
    }
}

#[tokio::test(start_paused = true)]
async fn twins_share_an_answer_that_memory_has_no_room_for() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    let twins: Vec<_> = (1..5).map(|i| ask(&handler, &format!("m{i}"))).collect();
    settle().await;
    decide(&handler, large());
    for twin in join_all(twins).await {
        assert_eq!(served(&sent(twin)).source, Source::Coalesced);
    }
}

#[tokio::test(start_paused = true)]
async fn twins_share_what_their_leader_finds_in_mongodb_though_memory_has_no_room_for_it() {
    let look_ups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&look_ups);
    let handler = handler_over(Stored {
        answers: Batcher::new(move |ids: Arc<[Id]>| {
            counted.fetch_add(ids.len(), Ordering::Relaxed);
            async move { ids.iter().map(|id| (id.clone(), vec![large().into()])).collect() }
        }),
        decided: Batcher::new(async |_| HashMap::new()),
    });
    let twins: Vec<_> = (0..20).map(|i| ask(&handler, &format!("m{i}"))).collect();
    for twin in join_all(twins).await {
        assert_eq!(served(&sent(twin)).source, Source::Mongodb);
    }
    assert_eq!(look_ups.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn of_twins_with_other_references_one_asks_and_the_others_follow_it() {
    let handler = handler(vec![]);
    let other = |message_id: &str| {
        let mut asked = question(message_id, "q");
        asked.question.best_answer = "Another reference.".into();
        asked
    };
    sent(ask(&handler, "m0").await);
    let twins: Vec<_> = (1..5)
        .map(|i| ask_for(&handler, other(&format!("m{i}")), Lease::default()))
        .collect();
    settle().await;
    decide(&handler, answer(0.9));
    settle().await;
    assert_eq!(twins.iter().filter(|twin| twin.is_finished()).count(), 1);
    decide(
        &handler,
        Judged {
            question: other("m1").question,
            ..answer(0.9)
        },
    );
    let topics: Vec<_> = join_all(twins).await.into_iter().map(|twin| sent(twin).topic).collect();
    assert_eq!(topics.iter().filter(|&&topic| topic == LlmRequest::TOPIC).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_its_outcome_asks_for_nothing_and_holds_up_no_twin() {
    let handler = handler_after(&["m0"], vec![]);
    let (again, twin) = (ask(&handler, "m0"), ask(&handler, "m1"));
    assert!(again.await.unwrap().unwrap().is_empty());
    settle().await;
    assert!(twin.is_finished());
    assert_eq!(sent(twin.await).topic, LlmRequest::TOPIC);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_its_outcome_asks_for_nothing_though_it_waited_too_long_for_a_twin() {
    let handler = handler_after(&["m1"], vec![]);
    sent(ask(&handler, "m0").await);
    assert!(ask(&handler, "m1").await.unwrap().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outcome_older_than_the_flight_does_not_end_it() {
    let handler = handler(vec![]);
    let mut old = answer(0.3).serve(question("of last week", "q"), Source::Llm, handler.threshold);
    old.decided_at = answer(0.3).decided_at;
    sent(ask(&handler, "m0").await);
    let twin = ask(&handler, "m1");
    settle().await;
    verdicts::observe(Outcome::Validated(Box::new(old)), &handler.answers, &handler.in_flight);
    settle().await;
    assert!(!twin.is_finished());
    decide(&handler, answer(0.9));
    assert_eq!(served(&sent(twin.await)).score.get(), 0.9);
}

#[tokio::test(start_paused = true)]
async fn a_redelivered_leader_asks_again_instead_of_waiting_for_itself() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    assert_eq!(sent(ask(&handler, "m0").await).topic, LlmRequest::TOPIC);
}

#[tokio::test(start_paused = true)]
async fn a_stored_answer_is_reused_first_from_mongodb_then_from_memory() {
    let handler = handler(vec![answer(0.9)]);
    assert_eq!(served(&sent(ask(&handler, "m0").await)).source, Source::Mongodb);
    assert_eq!(served(&sent(ask(&handler, "m1").await)).source, Source::Cache);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_twin_is_given_back_when_its_lease_ends() {
    let handler = handler(vec![]);
    sent(ask(&handler, "m0").await);
    let partition = CancellationToken::new();
    let twin = ask_for(
        &handler,
        question("m1", "q"),
        Lease::new(partition.clone(), CancellationToken::new()),
    );
    settle().await;
    partition.cancel();
    assert!(matches!(twin.await.unwrap(), Err(Failure::GiveBack)));
}

#[tokio::test]
async fn a_question_that_is_too_large_is_rejected() {
    let handler = handler(vec![]);
    let mut large = question("m", "q");
    large.question.content = "x".repeat(MAX_QUESTION_BYTES);
    let mut many = question("m", "q");
    many.question.other_answers = vec![String::new(); MAX_OTHER_ANSWERS + 1];
    for asked in [large, many] {
        let refused = handler.handle(asked, &Lease::default()).await;
        assert!(matches!(refused, Err(Failure::Reject(reason)) if reason.starts_with("too_large")));
    }
}
