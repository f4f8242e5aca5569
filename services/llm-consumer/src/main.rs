//! The service: config, tracing, connect, run, exit code.

use std::process::ExitCode;

use axum::Router;
use llm_consumer::caller::Caller;
use llm_consumer::config::{Config, Mode};
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
        Mode::Openai => serve(OpenAi::new(&config.openai)?, &config, shutdown).await,
    }
}

async fn serve<M: LanguageModel>(model: M, config: &Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let readiness = Readiness::default();
    http::serve(config.http_address, Router::new(), readiness.clone(), shutdown.clone()).await?;
    let limits = config.limits();
    info!(model = model.name(1), concurrency = limits.concurrency, attempt_at_most = ?limits.longest_attempt(), "model");
    let handler = LlmHandler::new(Caller::new(model, limits, shutdown.clone()), "en".parse().map_err(anyhow::Error::msg)?);
    Worker::new(SERVICE, SERVICE, &config.kafka)?
        .reporting_to(readiness)
        .run_each(handler, config.window(), shutdown)
        .await
}
