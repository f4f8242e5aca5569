//! What the tests of the handler share: requests, records, and a small model server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::billing::Billing;
use crate::caller::{Caller, RetryLimits};
use crate::config::Config;
use crate::gate::{Gate, GateLimits};
use crate::handler::LlmHandler;
use crate::model::LanguageModel;
use crate::openai::OpenAi;
use crate::prices::Prices;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use clap::Parser as _;
use contracts::message::{Cost, ErrorMessage, Identity, LlmRequest, LlmResponse, PreviousAttempt, Question, Spent};
use contracts::topic::Message;
use jiff::Timestamp;
use messaging::handler::Handler as _;
use messaging::lease::Lease;
use messaging::producer::Outgoing;
use serde_json::{Value, json};

pub const GATE: GateLimits = GateLimits {
    concurrency: 4,
    rpm: None,
    tpm: None,
    outage_deadline: None,
    comparison: Duration::from_millis(50),
};
pub const LIMITS: RetryLimits = RetryLimits {
    retries: 3,
    timeout: Duration::from_secs(5),
    first_delay: Duration::from_millis(2),
};

pub fn request(title: &str) -> LlmRequest {
    let id = |text: &str| text.to_owned().try_into().unwrap();
    LlmRequest {
        identity: Identity {
            message_id: id("m1"),
            trace_id: id("t1"),
            question_id: id("q1"),
            asked_at: Some(Timestamp::UNIX_EPOCH),
            retry_of: Some(id("m0")),
            run: Some(id("r1")),
            topic: Some("Science".into()),
        },
        question: Question {
            title: title.into(),
            content: "Some details.".into(),
            best_answer: "What a person answered.".into(),
            other_answers: vec!["What another person answered.".into()],
        },
        prompt: "for the record".into(),
        attempts: 2,
        created_at: Timestamp::UNIX_EPOCH,
        previous: Some(PreviousAttempt {
            llm_answer: "An earlier try.".into(),
            score: 0.25.try_into().unwrap(),
            attempts: 1,
            scorer: Some("s1".into()),
            finish_reason: None,
        }),
        spent: Some(Spent {
            cost: Cost {
                calls: 1,
                input_tokens: 2,
                output_tokens: 3,
                nanodollars: 4,
            },
            ..Spent::default()
        }),
    }
}

pub fn handler<M: LanguageModel>(model: M) -> LlmHandler<M> {
    limited(model, LIMITS, GATE)
}

pub fn limited<M: LanguageModel>(model: M, limits: RetryLimits, gate: GateLimits) -> LlmHandler<M> {
    let caller = Caller::new(
        model,
        limits,
        Arc::new(Gate::new(gate)),
        Billing::new(Prices::load(None).unwrap(), None),
    );
    LlmHandler::new(caller, "en".parse().unwrap(), "settings".into(), None)
}

/// Asks one question while its lease lasts.
pub async fn ask<M: LanguageModel>(handler: &LlmHandler<M>, request: LlmRequest) -> Vec<Outgoing> {
    handler.handle(request, &Lease::default()).await.unwrap()
}

/// A question of its own, with this title.
pub fn numbered(number: usize, title: &str) -> LlmRequest {
    let mut request = request(title);
    request.identity.message_id = format!("m{number}").try_into().unwrap();
    request
}

pub fn read<M: Message>(records: &[Outgoing]) -> M {
    let [record] = records else {
        panic!("one record was expected, not {}", records.len())
    };
    assert!(record.fits());
    assert_eq!(
        record.topic,
        M::TOPIC,
        "{}",
        String::from_utf8_lossy(record.value.as_ref().unwrap())
    );
    serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()
}

/// What the server does with a call.
#[derive(Clone)]
pub enum Step {
    Reply(StatusCode, Option<&'static str>, String),
    Hang,
}

impl Step {
    pub fn answer(text: &str) -> Self {
        let reply = json!({
            "model": "small-1",
            "usage": {"prompt_tokens": 11, "completion_tokens": 7},
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        });
        Self::Reply(StatusCode::OK, None, reply.to_string())
    }

    pub fn failure(status: u16) -> Self {
        Self::Reply(
            StatusCode::from_u16(status).unwrap(),
            None,
            json!({"error": {"message": "no"}}).to_string(),
        )
    }

    async fn play(self) -> Response {
        match self {
            Self::Reply(status, Some(seconds), body) => (status, [(RETRY_AFTER, seconds)], body).into_response(),
            Self::Reply(status, None, body) => (status, body).into_response(),
            Self::Hang => std::future::pending().await,
        }
    }
}

/// A model server on a free port; it ends with the test.
#[derive(Clone, Default)]
pub struct Server {
    pub url: String,
    pub bodies: Arc<Mutex<Vec<Bytes>>>,
    pub keys: Arc<Mutex<Vec<String>>>,
    in_flight: Arc<AtomicUsize>,
    pub most_in_flight: Arc<AtomicUsize>,
}

impl Server {
    /// Does the steps in order, one a call, and then the last one for ever.
    pub async fn playing(steps: Vec<Step>) -> Self {
        let next = AtomicUsize::new(0);
        Self::deciding(move |_| steps[next.fetch_add(1, Ordering::SeqCst).min(steps.len() - 1)].clone()).await
    }

    /// Does what `decide` makes of the prompt.
    pub async fn deciding(decide: impl Fn(&str) -> Step + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/v1/", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let (state, decide) = (server.clone(), Arc::new(decide));
        let app = Router::new().route(
            "/v1/chat/completions",
            post(async move |headers: HeaderMap, body: Bytes| state.reply(&headers, body, &*decide).await),
        );
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    async fn reply(&self, headers: &HeaderMap, body: Bytes, decide: &(impl Fn(&str) -> Step + Sync)) -> Response {
        let request: Value = serde_json::from_slice(&body).unwrap();
        self.bodies.lock().unwrap().push(body);
        self.keys
            .lock()
            .unwrap()
            .push(headers[AUTHORIZATION].to_str().unwrap().into());
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        // Long enough for calls to meet.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let asked = request["messages"].as_array().unwrap().last().unwrap();
        let reply = decide(asked["content"].as_str().unwrap()).play().await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        reply
    }

    pub fn calls(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    pub fn model(&self) -> OpenAi {
        model(&self.url)
    }
}

pub fn model(url: &str) -> OpenAi {
    model_with(url, &["--openai-model=small"])
}

pub fn model_with(url: &str, settings: &[&str]) -> OpenAi {
    let url = format!("--openai-base-url={url}");
    let arguments = [&["llm-consumer", "--openai-api-key=sk-hush", &url], settings].concat();
    OpenAi::new(&Config::parse_from(arguments).openai).unwrap()
}

/// Plays `steps` to one question and expects an answer.
pub async fn answered(steps: Vec<Step>) -> (LlmResponse, Server) {
    let server = Server::playing(steps).await;
    let records = ask(&handler(server.model()), request("Why?")).await;
    (read(&records), server)
}

/// Plays `steps` to one question and expects an error outcome.
pub async fn failed(steps: Vec<Step>) -> (ErrorMessage, Server) {
    let server = Server::playing(steps).await;
    let records = ask(&handler(server.model()), request("Why?")).await;
    (read(&records), server)
}
