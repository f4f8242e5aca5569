//! Outcomes for tests, and pages without servers.

use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use contracts::message::{ErrorMessage, ValidatedResponse};
use judge::Scorer;
use messaging::input::{Origin, Outcome, Received};
use messaging::result_document::ResultDocument;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::draw::Draws;
use crate::filler::Progress;
use crate::index::{Index, Writer};
use crate::sampler::Sampler;
use crate::store::Store;
use crate::trail::Trails;
use crate::web::App;

const VERDICT: &str = include_str!("../../../contracts/examples/ValidatedResponse/valid/every_field.json");
const ERROR: &str = include_str!("../../../contracts/examples/ErrorMessage/valid/every_field.json");

/// An outcome with an answer, with some fields of the message changed.
pub fn outcome(changes: Value) -> ResultDocument {
    let message: ValidatedResponse = serde_json::from_value(changed(VERDICT, changes)).unwrap();
    stored("validated_responses", Outcome::Validated(Box::new(message)))
}

/// An outcome that is an error.
pub fn failure(changes: Value) -> ResultDocument {
    let message: ErrorMessage = serde_json::from_value(changed(ERROR, changes)).unwrap();
    stored("llm_errors", Outcome::Error(Box::new(message)))
}

/// A scorer that knows no corpus, with the shipped model.
pub fn scorer() -> Scorer {
    let model: Value = serde_json::from_str(include_str!("../../../flink_job/coefficients.json")).unwrap();
    let (artefact, _) = judge::seal(json!({
        "format": judge::FORMAT, "documents": 0, "idf": {}, "unknown_idf": 5.0, "model": model,
    }));
    Scorer::from_json(&artefact).unwrap()
}

/// The pages over an index in a folder; neither MongoDB nor Kafka is there.
pub async fn app(folder: &Path) -> (App, Writer) {
    let (index, writer) = Index::open(folder).unwrap();
    index.sleep().end();
    (app_over(index).await, writer)
}

/// The pages over an index; neither MongoDB nor Kafka is there.
pub async fn app_over(index: Index) -> App {
    let nowhere = [
        "explorer",
        "--mongodb-uri",
        "mongodb://127.0.0.1:1",
        "--kafka-bootstrap-servers",
        "127.0.0.1:1",
    ];
    let config = Config::parse_from(nowhere);
    App {
        index,
        store: Store::new(config.common.mongo.client("explorer").await.unwrap()),
        progress: Progress::default(),
        sampler: Sampler::new(CancellationToken::new()),
        trails: Trails::new(&config.common.kafka),
        draws: Draws::default(),
        hosts: Arc::new(config.hosts()),
    }
}

fn changed(message: &str, changes: Value) -> Value {
    let mut message: Value = serde_json::from_str(message).unwrap();
    let Value::Object(changes) = changes else {
        return message;
    };
    for (name, value) in changes {
        message[name] = value;
    }
    message
}

fn stored(topic: &str, input: Outcome) -> ResultDocument {
    let origin = Origin {
        topic: topic.into(),
        partition: 1,
        offset: 7,
    };
    ResultDocument::new(Received { input, origin }, "epoch")
}
