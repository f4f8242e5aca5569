//! The real client against a small server of chat completions that misbehaves.

use std::time::Duration;

use super::is_local;
use crate::caller::RetryLimits;
use crate::gate::GateLimits;
use crate::test_support::{
    GATE, LIMITS, Server, Step, answered, ask, failed, handler, limited, model_with, read, request,
};
use axum::http::StatusCode;
use contracts::message::{ErrorMessage, LlmResponse};
use contracts::topic::MAX_ANSWER_BYTES;
use serde_json::{Value, json};

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
    assert_eq!(response.answer.settings.as_deref(), Some("settings"));

    let sent: Value = serde_json::from_slice(&server.bodies.lock().unwrap()[0]).unwrap();
    assert_eq!((&sent["model"], sent.as_object().unwrap().len()), (&json!("small"), 2));
    let [system, user] = &sent["messages"].as_array().unwrap()[..] else {
        panic!("{sent}")
    };
    assert_eq!((&system["role"], &user["role"]), (&json!("system"), &json!("user")));
    let asked = request("Why?").question;
    let of_the_question = |message: &Value| message["content"].as_str().unwrap().contains(&asked.content);
    assert!(of_the_question(user) && !of_the_question(system));
    assert_eq!(server.keys.lock().unwrap()[0], "Bearer sk-hush");
}

#[tokio::test]
async fn a_server_that_says_little_or_says_it_otherwise_is_understood() {
    let parts = json!([{"type": "text", "text": "Be"}, {"type": "text", "text": "cause."}]);
    for (content, usage) in [
        (json!("Because."), json!(null)),
        (parts, json!({"prompt_tokens": null})),
    ] {
        let body = json!({"choices": [{"message": {"content": content}}], "usage": usage, "error": null});
        let (response, _) = answered(reply(body)).await;
        assert_eq!(response.answer.llm_answer, "Because.");
        assert_eq!((response.answer.model, response.answer.finish_reason), (None, None));
        let spent = response.spent.unwrap();
        assert!(
            spent.estimated && spent.by_model[0].cost.output_tokens == 2,
            "{spent:?}"
        );
    }
}

#[tokio::test]
async fn what_a_model_wrote_to_itself_is_kept_apart() {
    let thought = "<think>\nThe user asks why.\n</think>\n\nBecause.";
    let (response, _) = answered(vec![Step::answer(thought)]).await;
    let answer = response.answer;
    assert_eq!(
        (answer.llm_answer.as_str(), answer.thinking.as_deref()),
        ("Because.", Some("The user asks why."))
    );
    for message in [
        json!({"content": "Because.", "reasoning_content": "Why?"}),
        json!({"content": "Because.", "reasoning": "Why?"}),
        json!({"content": "Because.", "reasoning": "Why?", "reasoning_content": "Why?"}),
    ] {
        let (response, _) = answered(reply(json!({"choices": [{"message": message}]}))).await;
        assert_eq!(response.answer.thinking.as_deref(), Some("Why?"));
    }
    let neither = json!({"content": "Because.", "reasoning": null, "reasoning_content": null});
    let (response, _) = answered(reply(json!({"choices": [{"message": neither}]}))).await;
    assert_eq!(response.answer.thinking, None);
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_marked_even_where_nothing_is_left_of_it() {
    for content in ["Because", "", "<think>The user as"] {
        let choice = json!({"message": {"content": content}, "finish_reason": "length"});
        let (response, _) = answered(reply(json!({"choices": [choice]}))).await;
        assert!(response.answer.is_cut_off(), "{content}");
        assert!(!response.answer.llm_answer.contains("user"), "{content}");
    }
}

#[tokio::test]
async fn the_next_model_of_the_ladder_is_asked_with_what_the_settings_add() {
    let server = Server::playing(vec![Step::answer("Because.")]).await;
    let settings = [
        "--llm-models=small,large",
        "--llm-max-output-tokens=100",
        "--llm-temperature=0,0.5",
        "--llm-seed=7",
        "--llm-extra-body={\"top_p\":0.25}",
        "--llm-extra-headers={\"api-key\":\"sk-more\"}",
    ];
    let handler = handler(model_with(&server.url, &settings));
    let mut again = request("Why?");
    again.previous.as_mut().unwrap().finish_reason = Some("length".into());
    read::<LlmResponse>(&ask(&handler, again).await);
    let sent: Value = serde_json::from_slice(&server.bodies.lock().unwrap()[0]).unwrap();
    for (field, value) in [
        ("model", json!("large")),
        ("max_tokens", json!(200)),
        ("temperature", json!(0.5)),
        ("seed", json!(7)),
        ("top_p", json!(0.25)),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
}

#[tokio::test]
async fn what_passes_is_retried_and_every_request_is_counted_once() {
    for status in [408, 409, 425, 500, 502, 503, 504] {
        let (response, server) = answered(vec![Step::failure(status), Step::answer("Because.")]).await;
        assert_eq!((response.answer.calls, server.calls()), (Some(2), 2), "HTTP {status}");
    }
}

#[tokio::test]
async fn what_concerns_one_question_ends_it_at_once() {
    let error = |code: &str| json!({"error": {"message": "no", "code": code}}).to_string();
    let choice = |message: Value, reason: &str| json!({"choices": [{"message": message, "finish_reason": reason}]});
    let ok = |body: Value| Step::Reply(StatusCode::OK, None, body.to_string());
    let bad = |code: &str| Step::Reply(StatusCode::BAD_REQUEST, None, error(code));
    let refusal = json!({"content": null, "refusal": "I will not."});
    for (step, error_type) in [
        (bad("context_length_exceeded"), "context_too_long"),
        (bad("content_filter"), "content_filter"),
        (ok(choice(refusal, "stop")), "content_filter"),
        (ok(choice(json!({"content": ""}), "content_filter")), "content_filter"),
        (ok(choice(json!({"content": null}), "stop")), "empty_answer"),
        (ok(choice(json!({"content": " \n"}), "stop")), "empty_answer"),
        (Step::answer(&"x".repeat(MAX_ANSWER_BYTES + 1)), "answer_too_large"),
        (Step::answer(&"x".repeat(8 * MAX_ANSWER_BYTES)), "answer_too_large"),
        // Alone, with nobody to compare it with.
        (Step::failure(404), "refused"),
        (Step::failure(307), "refused"),
        (ok(json!({"choices": []})), "invalid_response"),
        (ok(json!({"choices": 7})), "invalid_response"),
        (
            Step::Reply(StatusCode::OK, None, "<html>login</html>".into()),
            "invalid_response",
        ),
    ] {
        let (error, server) = failed(vec![step, Step::answer("Because.")]).await;
        assert_eq!(
            (error.error_type.as_str(), error.calls, server.calls()),
            (error_type, Some(1), 1),
            "{}",
            error.error_detail
        );
        assert!(!error.error_detail.is_empty() && error.error_detail.chars().count() <= 500);
        assert_eq!(error.model.as_deref(), Some("small"));
    }
    let (response, _) = answered(vec![Step::answer(&"x".repeat(MAX_ANSWER_BYTES))]).await;
    assert_eq!(response.answer.llm_answer.len(), MAX_ANSWER_BYTES);
}

#[tokio::test]
async fn an_answer_that_is_none_is_paid_for_all_the_same() {
    let choice = json!({"message": {"content": ""}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 7});
    let (error, _) = failed(reply(json!({"choices": [choice], "usage": usage}))).await;
    assert_eq!(error.spent.unwrap().by_model[0].cost.output_tokens, 7);
}

#[tokio::test]
async fn an_error_keeps_the_question_and_says_from_when_on_it_may_be_asked_again() {
    let (error, _) = failed(vec![Step::failure(400)]).await;
    let asked = request("Why?");
    let question = asked.question;
    assert!(error.retry_at > error.produced_at);
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
async fn what_timed_out_may_be_paid_for_and_is_sent_once_more_only() {
    let server = Server::playing(vec![Step::Hang]).await;
    let limits = RetryLimits {
        timeout: Duration::from_millis(50),
        ..LIMITS
    };
    let error: ErrorMessage = read(&ask(&limited(server.model(), limits, GATE), request("Why?")).await);
    assert_eq!(
        (error.error_type.as_str(), error.calls, server.calls()),
        ("timeout", Some(2), 2)
    );
}

#[tokio::test]
async fn a_secret_that_the_server_quotes_is_not_passed_on() {
    let quote = |status| {
        let error =
            json!({"error": {"message": "sk-hush, sk-more and sk-third are no keys", "code": "content_filter"}});
        Step::Reply(status, None, error.to_string())
    };
    for status in [StatusCode::BAD_REQUEST, StatusCode::OK] {
        let server = Server::playing(vec![quote(status)]).await;
        let settings = [
            "--openai-model=small",
            "--llm-extra-headers={\"api-key\":\"sk-more\",\"x-auth\":\"Bearer sk-third\"}",
        ];
        let gate = GateLimits {
            outage_deadline: Some(Duration::from_millis(50)),
            ..GATE
        };
        let handler = limited(model_with(&server.url, &settings), LIMITS, gate);
        let error: ErrorMessage = read(&ask(&handler, request("Why?")).await);
        assert!(
            error
                .error_detail
                .ends_with("[secret], [secret] and [secret] are no keys"),
            "{}",
            error.error_detail
        );
    }
}

#[tokio::test]
async fn nor_is_the_beginning_of_one_where_a_long_detail_is_cut() {
    for length in 470..500 {
        let body = format!("{}sk-hush{}", "x".repeat(length), "y".repeat(60));
        let (error, _server) = failed(vec![Step::Reply(StatusCode::BAD_REQUEST, None, body)]).await;
        assert!(!error.error_detail.contains("sk-h"), "{}", error.error_detail);
    }
}

#[tokio::test]
async fn what_a_gateway_waited_for_too_long_may_be_paid_for_and_is_sent_once_more_only() {
    let server = Server::playing(vec![Step::Reply(StatusCode::GATEWAY_TIMEOUT, None, String::new())]).await;
    let error: ErrorMessage = read(&ask(&handler(server.model()), request("Why?")).await);
    assert_eq!(
        (error.error_type.as_str(), error.calls, server.calls()),
        ("unavailable", Some(2), 2)
    );
}

#[tokio::test]
async fn a_request_that_is_too_large_for_the_limit_is_not_waited_for() {
    let error = json!({"error": {"message": "Request too large for small", "code": "rate_limit_exceeded"}});
    let step = Step::Reply(StatusCode::TOO_MANY_REQUESTS, None, error.to_string());
    let (error, server) = failed(vec![step]).await;
    assert_eq!((error.error_type.as_str(), server.calls()), ("context_too_long", 1));
}

#[test]
fn a_server_on_this_machine_is_told_from_others() {
    let local = |url: &str| is_local(&url.parse().unwrap());
    assert!(
        ["http://localhost:1/v1", "http://127.0.0.1/v1", "http://[::1]:1/v1"]
            .into_iter()
            .all(local)
    );
    assert!(!local("https://api.openai.com/v1"));
}
