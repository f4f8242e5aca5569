//! The numbers over HTTP, for programs; people look at explorer.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::metrics_document::MetricsDocument;
use crate::metrics_store::MetricsStore;
use crate::spending::{Amounts, Spending};

/// The routes of this service, beside those that every service has.
pub fn routes(metrics: MetricsStore) -> Router {
    Router::new().route("/api/metrics", get(show)).with_state(metrics)
}

/// `?run=name` asks for the numbers of one run.
#[derive(Deserialize)]
struct Wanted {
    run: Option<String>,
}

async fn show(State(metrics): State<MetricsStore>, Query(wanted): Query<Wanted>) -> Response {
    let document = match metrics.now(wanted.run.as_deref()).await {
        Ok(Some(document)) => document,
        Ok(None) if wanted.run.is_none() => MetricsDocument::empty(MetricsDocument::GLOBAL),
        Ok(None) => return (StatusCode::NOT_FOUND, "no result of such a run is counted by itself\n").into_response(),
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
    value["spent"] = spent(&document.tally.spent);
    for (name, time) in [("began_at", document.began_at), ("updated_at", document.updated_at)] {
        value[name] = json!(time.try_to_rfc3339_string()?);
    }
    Ok(value)
}

/// As messages show it, with dollars; the models as a list, the dearest first.
fn spent(spent: &Spending) -> Value {
    let mut models: Vec<_> = spent.by_model.values().collect();
    models.sort_by_key(|model| (-model.amounts.nanodollars, &model.name));
    let named = |(name, amounts): (&str, &Amounts)| {
        let mut value = with_dollars(amounts);
        value["model"] = json!(name);
        value
    };
    let by_model = models.iter().map(|model| named((&model.name, &model.amounts)));
    let mut value = with_dollars(&spent.amounts);
    value["estimated"] = json!(spent.estimated);
    value["by_model"] = by_model.collect();
    value["other"] = with_dollars(&spent.other);
    value
}

fn with_dollars(amounts: &Amounts) -> Value {
    json!({
        "calls": amounts.calls,
        "input_tokens": amounts.input_tokens,
        "output_tokens": amounts.output_tokens,
        "nanodollars": amounts.nanodollars,
        "dollars": dollars(amounts.nanodollars),
    })
}

/// Exact, with cents at least: a number of JSON would be neither.
fn dollars(nanodollars: i64) -> String {
    const DOLLAR: i64 = 1_000_000_000;
    let decimals = format!("{:09}", nanodollars % DOLLAR);
    format!("{}.{:0<2}", nanodollars / DOLLAR, decimals.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact() {
        let shown = [0, 1, 420_000, 500_000_000, 12_345_678_900, i64::MAX].map(dollars);
        let exact = [
            "0.00",
            "0.000000001",
            "0.00042",
            "0.50",
            "12.3456789",
            "9223372036.854775807",
        ];
        assert_eq!(shown, exact);
    }

    #[test]
    fn the_cost_is_shown_by_model_and_the_dearest_comes_first() {
        let spent = json!({
            "calls": 3, "input_tokens": 82, "output_tokens": 24, "nanodollars": 420_000, "estimated": true, "by_model": [
                { "model": "small", "calls": 2, "input_tokens": 51, "output_tokens": 15, "nanodollars": 20_000 },
                { "model": "large", "calls": 1, "input_tokens": 31, "output_tokens": 9, "nanodollars": 400_000 },
            ],
        });
        let spent: contracts::message::Spent = serde_json::from_value(spent).unwrap();
        let mut document = MetricsDocument::empty(MetricsDocument::GLOBAL);
        document.tally.spent.add(&(&spent).into());
        let shown = &with_derived(&document).unwrap()["spent"];
        assert_eq!((&shown["dollars"], &shown["calls"]), (&json!("0.00042"), &json!(3)));
        assert_eq!((&shown["estimated"], &shown["other"]["calls"]), (&json!(1), &json!(0)));
        let models = ["large", "small"].map(|name| json!(name));
        assert_eq!(
            [&shown["by_model"][0]["model"], &shown["by_model"][1]["model"]],
            [&models[0], &models[1]]
        );
        assert_eq!(shown["by_model"][0]["dollars"], "0.0004");
    }
}
