//! The numbers over HTTP: `/api/metrics` for programs, `/` for people.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::metrics_document::MetricsDocument;
use crate::store::Store;

const PAGE: &str = include_str!("page.html");

/// The routes of this service, beside those that every service has.
pub fn routes(store: Store) -> Router {
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/api/metrics", get(metrics))
        .with_state(store)
}

async fn metrics(State(store): State<Store>) -> Response {
    let document = match store.metrics_now().await {
        Ok(document) => document.unwrap_or_else(|| MetricsDocument::empty("", [].into())),
        Err(problem) => return (StatusCode::SERVICE_UNAVAILABLE, format!("{problem:#}\n")).into_response(),
    };
    match with_derived(&document) {
        Ok(document) => Json(document).into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{problem:#}\n")).into_response(),
    }
}

/// The document as stored, with the means and percentiles that follow from it: scores
/// between 0 and 1, latencies in milliseconds.
fn with_derived(document: &MetricsDocument) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(document)?;
    let latency = &document.tally.latency_ms;
    value["score"]["mean"] = json!(document.tally.score.mean().map(|millionths| millionths / 1e6));
    value["latency_ms"]["mean"] = json!(latency.mean());
    for (name, quantile) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        value["latency_ms"][name] = json!(latency.latency_quantile(quantile));
    }
    value["updated_at"] = json!(document.updated_at.try_to_rfc3339_string()?);
    Ok(value)
}
