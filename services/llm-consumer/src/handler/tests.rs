//! The handler: what it refuses, what it never shows, and how questions share a model.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::caller::RetryLimits;
use crate::config::Config;
use crate::gate::GateLimits;
use crate::offline::Offline;
use crate::test_support::{GATE, LIMITS, Server, Step, ask, handler, limited, numbered, read, request};
use clap::Parser as _;
use contracts::message::{ErrorMessage, LlmResponse, PreviousAttempt, Question};
use contracts::topic::{MAX_QUESTION_BYTES, MAX_RECORD_BYTES};
use messaging::handler::{Failure, Handler as _};
use messaging::lease::Lease;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio_util::sync::CancellationToken;

fn offline(arguments: &[&str]) -> Offline {
    Offline::new(&Config::parse_from([&["llm-consumer"], arguments].concat()).offline)
}

#[tokio::test]
async fn an_answer_keeps_all_that_its_request_said() {
    let asked = request("Why?");
    let response: LlmResponse = read(&ask(&handler(offline(&[])), asked.clone()).await);
    assert_eq!((response.identity, response.question), (asked.identity, asked.question));
    assert_eq!((response.attempts, response.previous), (asked.attempts, asked.previous));
    assert_eq!(response.answer.calls, Some(1));
    assert_ne!(response.prompt, asked.prompt);
}

#[tokio::test]
async fn what_a_request_has_cost_grows_with_every_attempt() {
    let asked = request("Why?");
    let before = asked.spent.clone().unwrap();
    let server = Server::playing(vec![Step::answer("Because.")]).await;
    let response: LlmResponse = read(&ask(&handler(server.model()), asked).await);
    let spent = response.spent.unwrap();
    assert_eq!(spent.cost.calls, before.cost.calls + 1);
    assert_eq!(
        (spent.cost.input_tokens, spent.cost.output_tokens),
        (before.cost.input_tokens + 11, before.cost.output_tokens + 7)
    );
    let [model] = &spent.by_model[..] else {
        panic!("{spent:?}")
    };
    assert_eq!(
        (model.model.as_str(), model.cost.calls, model.cost.input_tokens),
        ("small", 1, 11)
    );
    assert!(!spent.estimated);
}

#[tokio::test]
async fn a_question_that_can_never_be_asked_is_rejected() {
    let mut too_large = request("Why?");
    too_large.question.content = "x".repeat(MAX_QUESTION_BYTES);
    let mut attempt_0 = request("Why?");
    attempt_0.attempts = 0;
    for (asked, reason) in [(too_large, "too_large:"), (attempt_0, "schema:")] {
        match handler(offline(&[])).handle(asked, &Lease::default()).await {
            Err(Failure::Reject(problem)) => assert!(problem.starts_with(reason), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_fits_no_record_becomes_an_error_that_fits() {
    for (bytes, keeps_texts) in [(MAX_RECORD_BYTES - 1_500, true), (MAX_RECORD_BYTES, false)] {
        let mut asked = request("Why?");
        // Both `previous` and the prompt repeat it.
        asked.previous.as_mut().unwrap().llm_answer = "x".repeat(bytes);
        let error: ErrorMessage = read(&ask(&handler(offline(&[])), asked).await);
        assert_eq!(error.error_type, "answer_too_large");
        assert_eq!(error.best_answer.is_some(), keeps_texts);
    }
}

#[tokio::test]
async fn a_question_that_is_retried_does_not_hold_up_the_others() {
    let busy = Step::failure(503);
    let server = Server::deciding(move |prompt| match prompt {
        prompt if prompt.contains("Trouble?") => busy.clone(),
        _ => Step::answer("Because."),
    })
    .await;
    let gate = GateLimits { concurrency: 1, ..GATE };
    let first_delay = Duration::from_secs(5);
    let handler = limited(server.model(), RetryLimits { first_delay, ..LIMITS }, gate);
    let others = async {
        while server.calls() == 0 {
            tokio::task::yield_now().await;
        }
        for number in 0..10 {
            read::<LlmResponse>(&ask(&handler, numbered(number, "Why?")).await);
        }
    };
    tokio::select! {
        biased;
        result = ask(&handler, request("Trouble?")) => panic!("{result:?} came first"),
        () = others => {}
    }
}

#[tokio::test]
async fn no_more_calls_than_allowed_are_under_way() {
    let server = Server::playing(vec![Step::answer("Because.")]).await;
    let gate = GateLimits { concurrency: 3, ..GATE };
    let handler = limited(server.model(), LIMITS, gate);
    let asked = (0..20).map(|number| ask(&handler, numbered(number, "Why?")));
    for records in futures::future::join_all(asked).await {
        read::<LlmResponse>(&records);
    }
    assert_eq!(server.most_in_flight.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn when_the_lease_ends_what_has_begun_goes_on_and_nothing_else_begins() {
    let stop = CancellationToken::new();
    let lease = Lease::new(CancellationToken::new(), stop.clone());
    let server = Server::playing(vec![Step::answer("Because.")]).await;
    let handler = limited(server.model(), LIMITS, GateLimits { concurrency: 1, ..GATE });
    let stopping = async {
        while server.calls() == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (begun, waiting, ()) = tokio::join!(
        handler.handle(numbered(1, "Why?"), &lease),
        handler.handle(numbered(2, "Why?"), &lease),
        stopping
    );
    assert_eq!(read::<LlmResponse>(&begun.unwrap()).answer.calls, Some(1));
    assert!(matches!(waiting, Err(Failure::GiveBack)), "{waiting:?}");
    let late = handler.handle(numbered(3, "Why?"), &lease).await;
    assert!(matches!(late, Err(Failure::GiveBack)), "{late:?}");
    assert_eq!(server.calls(), 1);
}

#[test]
fn what_is_sent_depends_neither_on_the_reference_nor_on_the_score() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::playing(vec![Step::answer("Because.")]));
    let handler = handler(server.model());
    let previous = || proptest::option::of((any::<String>(), 0.0..1.0));
    let references = || (any::<String>(), proptest::collection::vec(any::<String>(), 0..3));
    let texts = (
        any::<String>(),
        any::<String>(),
        previous(),
        [references(), references()],
        0.0..1.0,
    );
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&texts, |(title, content, previous, references, other_score)| {
            let scores = [previous.as_ref().map_or(0.0, |(_, score)| *score), other_score];
            let mut prompts = Vec::new();
            for ((best_answer, other_answers), score) in references.into_iter().zip(scores) {
                let mut asked = request(&title);
                asked.question = Question {
                    title: title.clone(),
                    content: content.clone(),
                    best_answer,
                    other_answers,
                };
                asked.previous = previous.clone().map(|(llm_answer, _)| PreviousAttempt {
                    llm_answer,
                    score: score.try_into().unwrap(),
                    attempts: 1,
                    scorer: None,
                    finish_reason: None,
                });
                prompts.push(read::<LlmResponse>(&runtime.block_on(ask(&handler, asked))).prompt);
            }
            let sent = std::mem::take(&mut *server.bodies.lock().unwrap());
            prop_assert_eq!(&sent[0], &sent[1]);
            prop_assert_eq!(&prompts[0], &prompts[1]);
            Ok(())
        })
        .unwrap();
}
