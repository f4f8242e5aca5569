//! The real client against a small server of chat completions that misbehaves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use contracts::message::ErrorMessage;
use contracts::topic::MAX_ANSWER_BYTES;
use llm_consumer::caller::Limits;
use messaging::handler::Handler as _;
use serde_json::{Value, json};
use support::{LIMITS, Server, Step, answered, failed, handler, model, read, request};

fn reply(body: Value) -> Vec<Step> {
    vec![Step::Reply(StatusCode::OK, None, body.to_string())]
}

#[tokio::test]
async fn an_answer_carries_what_the_server_said_about_it() {
    let (response, server) = answered(vec![Step::answer("Because.")]).await;
    assert_eq!(response.answer.llm_answer, "Because.");
    assert_eq!(response.answer.model.as_deref(), Some("small-1"));
    assert_eq!(response.answer.finish_reason.as_deref(), Some("stop"));
    assert_eq!(response.answer.calls, Some(1));
    let usage = response.answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cost_usd), (11, 7, None));

    let sent: Value = serde_json::from_slice(&server.bodies.lock().unwrap()[0]).unwrap();
    let expected = json!({"model": "small", "messages": [{"role": "user", "content": response.prompt}]});
    assert_eq!(sent, expected);
    assert_eq!(server.keys.lock().unwrap()[0], "Bearer sk-hush");
}

#[tokio::test]
async fn a_server_that_says_little_is_understood() {
    let (response, _) = answered(reply(json!({"choices": [{"message": {"content": "Because."}}]}))).await;
    assert_eq!(response.answer.llm_answer, "Because.");
    assert_eq!(
        (
            response.answer.model,
            response.answer.usage,
            response.answer.finish_reason
        ),
        (None, None, None)
    );
}

#[tokio::test]
async fn what_passes_is_retried_and_every_request_is_counted_once() {
    for status in [408, 429, 500, 502, 503, 504] {
        let (response, server) = answered(vec![Step::failure(status), Step::answer("Because.")]).await;
        assert_eq!((response.answer.calls, server.calls()), (Some(2), 2), "HTTP {status}");
    }
}

#[tokio::test]
async fn the_server_sets_the_pause() {
    let busy = Step::Reply(StatusCode::TOO_MANY_REQUESTS, Some("1"), String::new());
    let (response, _) = answered(vec![busy, Step::answer("Because.")]).await;
    assert!(
        (1_000..4_000).contains(&response.latency_ms),
        "{} ms",
        response.latency_ms
    );
}

#[tokio::test]
async fn a_server_that_wants_an_hour_gets_it() {
    let (error, server) = failed(vec![Step::Reply(
        StatusCode::TOO_MANY_REQUESTS,
        Some("3600"),
        String::new(),
    )])
    .await;
    assert_eq!((error.error_type.as_str(), server.calls()), ("rate_limited", 1));
    assert_eq!(error.retry_at.duration_since(error.produced_at).as_secs(), 3600);
}

#[tokio::test]
async fn what_does_not_pass_is_not_retried() {
    for (status, error_type) in [
        (400, "refused"),
        (401, "unauthorized"),
        (403, "unauthorized"),
        (404, "refused"),
        (307, "refused"),
    ] {
        let (error, server) = failed(vec![Step::failure(status), Step::answer("Because.")]).await;
        assert_eq!(
            (error.error_type.as_str(), error.calls, server.calls()),
            (error_type, Some(1), 1),
            "HTTP {status}"
        );
        assert!(
            error.error_detail.starts_with(&format!("HTTP {status}")),
            "{}",
            error.error_detail
        );
    }
    let no_credit = json!({"error": {"message": "pay", "type": "insufficient_quota"}}).to_string();
    let (error, _) = failed(vec![Step::Reply(StatusCode::TOO_MANY_REQUESTS, None, no_credit)]).await;
    assert_eq!((error.error_type.as_str(), error.calls), ("quota_exhausted", Some(1)));
}

#[tokio::test]
async fn when_the_retries_are_spent_the_error_keeps_the_question() {
    let (error, server) = failed(vec![Step::failure(503)]).await;
    assert_eq!(
        (error.error_type.as_str(), error.calls, server.calls()),
        ("unavailable", Some(4), 4)
    );
    assert!(error.retry_at > error.produced_at);
    let asked = request("Why?");
    let question = asked.question;
    assert_eq!(error.identity, asked.identity);
    assert_eq!((error.attempts, error.previous), (asked.attempts, asked.previous));
    assert_eq!(
        (error.title, error.content),
        (Some(question.title), Some(question.content))
    );
    assert_eq!(
        (error.best_answer, error.other_answers),
        (Some(question.best_answer), Some(question.other_answers))
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = Server::playing(vec![Step::Hang]).await;
    let limits = Limits {
        timeout: Duration::from_millis(50),
        retries: 1,
        ..LIMITS
    };
    let started = Instant::now();
    let error: ErrorMessage = read(&handler(server.model(), limits).handle(request("Why?")).await.unwrap());
    assert_eq!((error.error_type.as_str(), error.calls), ("timeout", Some(2)));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn where_nothing_listens_nothing_counts_as_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let model = model(&format!("http://{address}/v1"));
    let error: ErrorMessage = read(&handler(model, LIMITS).handle(request("Why?")).await.unwrap());
    assert_eq!((error.error_type.as_str(), error.calls), ("unreachable", Some(0)));
}

#[tokio::test]
async fn a_reply_that_is_no_answer_is_an_error_of_its_kind() {
    let choice = |message: Value| reply(json!({"choices": [{"message": message, "finish_reason": "length"}]}));
    for (steps, error_type) in [
        (
            vec![Step::Reply(StatusCode::OK, None, "<html>login</html>".into())],
            "invalid_response",
        ),
        (reply(json!({"choices": []})), "invalid_response"),
        (reply(json!({"choices": 7})), "invalid_response"),
        (choice(json!({"content": null})), "empty_answer"),
        (choice(json!({"content": " \n"})), "empty_answer"),
        (choice(json!({"content": null, "refusal": "I will not."})), "refused"),
        (
            vec![Step::answer(&"x".repeat(MAX_ANSWER_BYTES + 1))],
            "answer_too_large",
        ),
        (
            vec![Step::answer(&"x".repeat(8 * MAX_ANSWER_BYTES))],
            "answer_too_large",
        ),
    ] {
        let (error, server) = failed(steps).await;
        assert_eq!(
            (error.error_type.as_str(), error.calls, server.calls()),
            (error_type, Some(1), 1)
        );
        assert!(!error.error_detail.is_empty() && error.error_detail.chars().count() <= 500);
    }
    let (response, _) = answered(vec![Step::answer(&"x".repeat(MAX_ANSWER_BYTES))]).await;
    assert_eq!(response.answer.llm_answer.len(), MAX_ANSWER_BYTES);
}

#[tokio::test]
async fn a_key_that_the_server_quotes_is_not_passed_on() {
    let quote = json!({"error": {"message": "sk-hush is not a key"}}).to_string();
    let (error, _) = failed(vec![Step::Reply(StatusCode::UNAUTHORIZED, None, quote)]).await;
    assert_eq!(error.error_detail, "HTTP 401 Unauthorized: [secret] is not a key");
}
