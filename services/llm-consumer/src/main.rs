//! The service: config, tracing, connect, run, exit code.

use std::process::ExitCode;
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use llm_consumer::caller::Caller;
use llm_consumer::config::{Config, Mode};
use llm_consumer::gate::Gate;
use llm_consumer::handler::LlmHandler;
use llm_consumer::model::LanguageModel;
use llm_consumer::offline::Offline;
use llm_consumer::openai::OpenAi;
use messaging::http::{self, Readiness};
use messaging::process;
use messaging::worker::Worker;
use tokio_util::sync::CancellationToken;
use tracing::info;

const SERVICE: &str = "llm-consumer";

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    match config.llm_mode {
        Mode::Offline => serve(Offline::new(&config.offline), &config, shutdown).await,
        Mode::Openai => {
            let model = OpenAi::new(&config.openai)?;
            model.check().await;
            serve(model, &config, shutdown).await
        }
    }
}

async fn serve<M: LanguageModel>(model: M, config: &Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (readiness, gate) = (Readiness::default(), Arc::new(Gate::new(config.gate())));
    let shown = Arc::clone(&gate);
    let routes = Router::new().route("/api/model", get(async move || Json(shown.report())));
    http::serve(config.http_address, routes, readiness.clone(), shutdown.clone()).await?;
    let settings = config.settings_hash();
    info!(model = model.name(1), settings, limits = ?config.gate(), "model");
    let caller = Caller::new(model, config.limits(), gate);
    let handler = LlmHandler::new(caller, config.prompt_dir.clone(), settings);
    Worker::new(SERVICE, SERVICE, &config.kafka)?
        .reporting_to(readiness)
        .run_each(handler, config.window(), shutdown)
        .await
}
